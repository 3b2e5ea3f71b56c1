// The examples of the README and of examples/node run, and say what is promised.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { Mailu } from 'mailu';

import { Engine } from './engine.mjs';
import { INSTALL, PACKAGE, WITHOUT_ENGINE, newRoot, path, readText } from './support.mjs';

/** Runs Node, whatever comes of it. */
async function run(args, options, env = {}) {
  const all = { encoding: 'utf8', ...options, env: { ...process.env, DOCKER_HOST: WITHOUT_ENGINE, ...env } };
  return promisify(execFile)(process.execPath, args, all).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
}

test("the README's examples run, one after the other", async (t) => {
  const { root, beside } = newRoot(t);
  const readme = readText(new URL('README.md', PACKAGE));
  const blocks = [...readme.matchAll(/```js\n(.*?)```\n(?:\n```text\n(.*?)```)?/gs)];
  assert.ok(blocks.length >= 5);
  for (const [, example, output] of blocks) {
    assert.ok(output, `an example without its output: ${example}`);
    const script = example.replaceAll('new Mailu()', `new Mailu({ root: ${JSON.stringify(root)} })`).replaceAll('/var/backups', beside);
    const { code, stdout, stderr } = await run(['--input-type=module', '--eval', script], { cwd: path(PACKAGE) });
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: output, stderr: '' });
  }
});

test("the repository's README is right, too", async (t) => {
  const { root } = newRoot(t);
  const [, example] = /```js\n(.*?)```/s.exec(readText(new URL('../README.md', PACKAGE)));
  const script = example.replaceAll('new Mailu()', `new Mailu({ root: ${JSON.stringify(root)} })`);
  assert.notEqual(script, example);
  const { code, stdout } = await run(['--input-type=module', '--eval', script], { cwd: path(PACKAGE) });
  assert.equal(code, 0);
  assert.match(stdout, /^example\.com \d+$/m);
});

test('every method that the README names is one', () => {
  const readme = readText(new URL('README.md', PACKAGE));
  const types = readText(new URL('index.d.ts', PACKAGE));
  const methods = [...readme.matchAll(/`(?:await )?(?:server\.)?(\w+)\(\{/g)].map(([, name]) => name);
  assert.ok(methods.length >= 3);
  for (const name of methods) assert.match(types, new RegExp(`^ {2}${name}\\(`, 'm'), name);
});

test('apps are connected, as far as that goes', async (t) => {
  const { root, beside } = newRoot(t);
  const at = join(beside, 'example');
  mkdirSync(join(at, 'node_modules'), { recursive: true });
  cpSync(new URL('../examples/node/', PACKAGE), at, { recursive: true });
  symlinkSync(path(PACKAGE), join(at, 'node_modules', 'mailu'));
  const integrate = (args, env) => run(['integrate.mjs', '--root', root, ...args], { cwd: at }, env);

  const nothing = await integrate([]);
  assert.equal(nothing.code, 2);
  assert.match(nothing.stderr, /^apps: wordpress listmonk .*ghost/m);
  const nowhere = await integrate(['ghost']);
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stdout, /^Ghost: .*\[[a-z_.]+\]\n {2}\S/m);
  assert.ok(!existsSync(root), 'nothing was done');

  // Without an engine nothing can be connected: each app says so, and what to do.
  await new Mailu({ root }).install(INSTALL);
  for (const args of [[], ['--dry-run']]) {
    const { code, stdout, stderr } = await integrate([...args, 'wordpress:blog.example.com', 'listmonk', 'ghost']);
    assert.equal(code, 1, stderr);
    assert.equal(stdout.match(/\[engine\.unreachable\]$/gm)?.length, 3, stdout);
    assert.match(stdout, /^WordPress \(blog\.example\.com\): /m);
    assert.match(stdout, /^ {2}.*systemctl start docker/m);
  }

  const unknown = await integrate(['nonsense']);
  assert.equal(unknown.code, 1);
  assert.match(unknown.stdout, /^nonsense: .*\[[a-z_.]+\]$/m);

  // With one, and without containers, it is those that are missing.
  const engine = await Engine.start(t, beside);
  const { code, stdout } = await integrate(['wordpress:blog.example.com', 'ghost'], { DOCKER_HOST: engine.address });
  assert.equal(code, 1);
  assert.ok(!stdout.includes('engine.unreachable'), stdout);
  assert.equal(stdout.match(/\[[a-z_.]+\]$/gm)?.length, 2, stdout);
  assert.ok(!existsSync(join(root, 'mailu', INSTALL.mail_host, '.mailu', 'apps.json')), 'nothing is recorded');
});
