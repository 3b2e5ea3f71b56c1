// The list of operations is watched: without one function, or with one too many, its test fails.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { PACKAGE, TESTS, path } from './support.mjs';

/** The package and the list beside it, to change something in. */
function copy(t) {
  const at = mkdtempSync(join(tmpdir(), 'mailu-removal-'));
  t.after(() => rmSync(at, { recursive: true }));
  const to = join(at, 'mailu-node');
  mkdirSync(to);
  mkdirSync(join(at, 'tests'));
  for (const name of readdirSync(PACKAGE)) {
    if (/\.(js|mjs|mts|ts|json)$/.test(name) || name === 'test') cpSync(new URL(name, PACKAGE), join(to, name), { recursive: true });
  }
  symlinkSync(path(new URL('mailu.node', PACKAGE)), join(to, 'mailu.node'));
  cpSync(new URL('api.json', TESTS), join(at, 'tests', 'api.json'));
  symlinkSync(path(new URL('golden', TESTS)), join(at, 'tests', 'golden'));
  return {
    change(name, pattern, by) {
      const file = join(to, name);
      const text = readFileSync(file, 'utf8');
      assert.match(text, pattern);
      writeFileSync(file, text.replace(pattern, by));
    },
    /** Runs the test of the list, but not that of what is generated, which sees any change. */
    outcome() {
      const { NODE_TEST_CONTEXT, ...env } = process.env;
      const args = ['--test', '--test-reporter=tap', '--test-name-pattern=is$', '--test-name-pattern=declare', 'test/api.test.mjs'];
      const { status, stdout } = spawnSync(process.execPath, args, { cwd: to, encoding: 'utf8', env });
      const failed = [...stdout.matchAll(/^ *not ok \d+ - (.*)$/gm)].map(([, name]) => name);
      return { status, failed, stdout };
    },
  };
}

const METHODS = 'host operations are the methods of Mailu, and nothing else is';
const FUNCTIONS = 'pure operations are the functions of the package, and nothing else is';

test('the copy as it is passes', (t) => {
  const { status, failed, stdout } = copy(t).outcome();
  assert.deepEqual({ status, failed }, { status: 0, failed: [] });
  assert.match(stdout, /^ok \d+ - host operations are/m);
});

for (const [what, file, pattern, by, test_, name] of [
  ['a method that is missing', 'operations.json', /^.*"backup".*\n/m, '', METHODS, 'backup'],
  ['a stream that is missing', 'operations.json', /^.*"logs".*\n/m, '', METHODS, 'logs'],
  ['a method of another name', 'operations.json', /"userAdd"/, '"addUser"', METHODS, 'userAdd'],
  ['a method that is not listed', 'operations.json', /\[\n/, '[\n{"name":"list","method":"unlisted","form":"call"},\n', METHODS, 'unlisted'],
  ['a function that is missing', 'index.mjs', / {2}appList,\n/, '', FUNCTIONS, 'appList'],
  ['a function that is not listed', 'index.mjs', /$/, '\nexport const unlisted = 1;\n', FUNCTIONS, 'unlisted'],
  ['a method without a type', 'index.d.ts', /^ {2}dnsExport\(.*\n/m, '', 'declare every method', 'dnsExport'],
  ['a function without a type', 'index.d.ts', /^export function render\(.*\n/m, '', 'declare every function', 'render'],
  ['an option without a type', 'index.d.ts', /^ {2}no_timer\?: .*\n/m, '', 'declare the options of install', 'no_timer'],
  ['a type for no option', 'index.d.ts', /^ {2}no_timer\?: /m, '  unlisted?: string;\n  no_timer?: ', 'declare the options of install', 'unlisted'],
  ['an operation that the list does not have', '../tests/api.json', /^.*"name": "token_add".*\n/m, '', METHODS, 'tokenAdd'],
]) {
  test(`told: ${what}`, (t) => {
    const there = copy(t);
    there.change(file, pattern, by);
    const { status, failed, stdout } = there.outcome();
    assert.equal(status, 1, stdout);
    assert.ok(failed.includes(test_), failed.join(', '));
    assert.ok(stdout.includes(name), stdout);
  });
}
