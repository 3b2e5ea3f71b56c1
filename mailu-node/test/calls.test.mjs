// How calls run: beside the event loop, many at once, until they end, are stopped, or are forgotten.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { AsyncLocalStorage } from 'node:async_hooks';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as after } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { Mailu, MailuError } from 'mailu';

import { Engine } from './engine.mjs';
import { INSTALL, PACKAGE, WITHOUT_ENGINE, newRoot, path, rejected } from './support.mjs';

process.env.DOCKER_HOST = WITHOUT_ENGINE;

/** A root with a deployment. */
async function installed(t) {
  const { root, beside } = newRoot(t);
  const mailu = new Mailu({ root });
  await mailu.install(INSTALL);
  return { root, beside, mailu };
}

/** A deployment whose services have containers. */
async function running(t) {
  const there = await installed(t);
  const engine = await Engine.start(t, there.beside);
  engine.services = ['smtp'];
  process.env.DOCKER_HOST = engine.address;
  t.after(() => {
    process.env.DOCKER_HOST = WITHOUT_ENGINE;
  });
  return { ...there, engine };
}

/** Runs a script in a process of its own, and says how that ended. One that hangs is ended. */
async function alone(script, root, { args = [], env = {}, timeout = 60_000 } = {}) {
  const options = { cwd: path(PACKAGE), env: { ...process.env, ...env, ROOT: root }, stdio: ['ignore', 'pipe', 'pipe'], timeout };
  const child = spawn(process.execPath, [...args, '--input-type=module', '--eval', script], options);
  let out = '';
  let err = '';
  child.stdout.on('data', (data) => (out += data));
  child.stderr.on('data', (data) => (err += data));
  const [code, signal] = await once(child, 'close');
  return { code, signal, out, err };
}

const SCRIPT = `
  import { Mailu } from 'mailu';
  const mailu = new Mailu({ root: process.env.ROOT });
`;

/** As everything that is aborted. */
function assertAborted(error, reason) {
  assert.ok(error instanceof MailuError, String(error));
  assert.equal(error.code, 'interrupted');
  assert.equal(error.name, 'AbortError');
  assert.equal(error.cause, reason);
  assert.match(error.stack, /^AbortError: .*\n.*calls\.test\.mjs/);
}

describe('AbortSignal', () => {
  test('before it begins', async (t) => {
    const { root } = newRoot(t);
    const mailu = new Mailu({ root });
    const signal = AbortSignal.abort();
    assertAborted(await rejected(mailu.install({ ...INSTALL, signal })), signal.reason);
    assertAborted(await rejected(mailu.logs({ signal }).next()), signal.reason);
    const mine = new Error('mine');
    assertAborted(await rejected(mailu.list({ signal: AbortSignal.abort(mine) })), mine);
    assert.ok(!existsSync(root));
    for (const wrong of [{}, 5, 'abort']) assert.equal((await rejected(mailu.list({ signal: wrong }))).constructor, TypeError);
  });

  test('in the middle; the same call continues', async (t) => {
    const { mailu, beside } = await installed(t);
    const [{ directory }] = await mailu.list();
    const maildir = join(directory, 'data', 'mail', 'example.com', 'anna', 'cur');
    mkdirSync(maildir, { recursive: true });
    for (let at = 0; at < 3000; at += 1) writeFileSync(join(maildir, `${at}`), `Subject: ${at}\n`);
    const output = join(beside, 'one.tar.zst');
    const controller = new AbortController();
    const { signal } = controller;
    const backup = rejected(mailu.backup({ cold: true, output, signal }));
    await after(20);
    controller.abort();
    assertAborted(await backup, signal.reason);
    assert.ok(!readdirSync(beside).some((name) => name.includes('one.tar')), 'nothing is left that looks like an archive');
    await mailu.backup({ cold: true, output });
    await mailu.backupVerify({ file: output });
  });

  test('afterwards, and when nothing can be stopped', async (t) => {
    const { mailu } = await installed(t);
    const controller = new AbortController();
    const { signal } = controller;
    assert.equal((await mailu.list({ signal })).length, 1);
    const show = mailu.show({ signal });
    controller.abort();
    assert.equal((await show).mail_host, INSTALL.mail_host);
  });

  test('a stream', async (t) => {
    const { mailu, engine } = await running(t);
    const controller = new AbortController();
    const { signal } = controller;
    const stream = mailu.logs({ follow: true, signal });
    const next = rejected(stream.next());
    await engine.followed(1);
    controller.abort();
    assertAborted(await next, signal.reason);
    assert.deepEqual(await stream.next(), { value: undefined, done: true });
    await engine.followed(0);
  });
});

describe('progress', () => {
  test('keeps the context of the caller', async (t) => {
    const { root } = newRoot(t);
    const storage = new AsyncLocalStorage();
    const seen = new Set();
    await storage.run('mine', () => new Mailu({ root }).install({ ...INSTALL, onProgress: () => seen.add(storage.getStore()) }));
    assert.deepEqual([...seen], ['mine']);
  });

  test('what it throws is what the call fails with', async (t) => {
    const { root } = newRoot(t);
    const mailu = new Mailu({ root });
    const mine = new RangeError('mine');
    let heard = 0;
    const onProgress = () => {
      heard += 1;
      throw mine;
    };
    assert.equal(await rejected(mailu.install({ ...INSTALL, onProgress })), mine);
    assert.equal(heard, 1);
    // Writing files is not stopped in the middle.
    assert.deepEqual((await mailu.install(INSTALL)).plan.steps, []);
    assert.equal((await rejected(mailu.list({ onProgress: 5 }))).constructor, TypeError);
  });
});

describe('streams', () => {
  test('hand over what was written, in order', async (t) => {
    const { mailu, engine } = await running(t);
    engine.past = Array.from({ length: 1000 }, (_, at) => [`2026-11-22T10:00:${String(at % 60).padStart(2, '0')}.${String(at).padStart(9, '0')}Z`, `line ${at}`]);
    engine.past.sort();
    const lines = [];
    for await (const { service, container, text } of mailu.logs()) {
      assert.equal(service, 'smtp');
      assert.equal(container, 'mailu_smtp');
      lines.push(text);
    }
    assert.deepEqual(lines, engine.past.map(([, text]) => text));
  });

  test('leaving the loop ends it', async (t) => {
    const { mailu, engine } = await running(t);
    engine.past = [['2026-11-22T10:00:00Z', 'before']];
    const seen = [];
    for await (const { text } of mailu.logs({ follow: true })) {
      seen.push(text);
      if (seen.length === 2) break;
      await engine.followed(1);
      engine.says('now');
    }
    assert.deepEqual(seen, ['before', 'now']);
    await engine.followed(0);
  });

  test('return ends a next that waits', async (t) => {
    const { mailu, engine } = await running(t);
    const stream = mailu.logs({ follow: true });
    const nexts = [stream.next(), stream.next()];
    await engine.followed(1);
    assert.deepEqual(await stream.return(), { value: undefined, done: true });
    for (const next of nexts) assert.deepEqual(await next, { value: undefined, done: true });
    await engine.followed(0);
    const mine = new Error('mine');
    const other = mailu.logs({ follow: true });
    assert.equal(await rejected(other.throw(mine)), mine);
    assert.deepEqual(await other.next(), { value: undefined, done: true });
  });

  test('whoever reads slowly holds the rest back', async (t) => {
    const { mailu, engine } = await running(t);
    const long = 'x'.repeat(1000);
    engine.past = Array.from({ length: 30_000 }, (_, at) => [`2026-11-22T10:00:00.${String(at).padStart(9, '0')}Z`, `${at} ${long}`]);
    const stream = mailu.logs();
    assert.ok((await stream.next()).value.text.startsWith('0 '));
    let before = -1;
    while (before !== engine.taken) {
      before = engine.taken;
      await after(500);
    }
    assert.ok(engine.taken < 10_000, `${engine.taken} lines were taken, and one was read`);
    let count = 1;
    for await (const { text } of stream) {
      assert.ok(text.startsWith(`${count} `));
      count += 1;
    }
    assert.equal(count, engine.past.length);
  });

  test('many of them leave the rest of the process alone', async (t) => {
    const { mailu, engine } = await running(t);
    const streams = Array.from({ length: 24 }, () => mailu.logs({ follow: true }));
    const nexts = streams.map((stream) => stream.next());
    await engine.followed(streams.length);
    // These need threads of Node's pool, of which there are four.
    assert.ok((await readFile(new URL('package.json', PACKAGE))).length > 0);
    assert.equal((await mailu.list()).length, 1);
    engine.says('for all');
    for (const { value } of await Promise.all(nexts)) assert.equal(value.text, 'for all');
    await Promise.all(streams.map((stream) => stream.return()));
    await engine.followed(0);
  });

  test('watch a deployment', async (t) => {
    const { mailu } = await installed(t);
    let looks = 0;
    for await (const { healthy } of mailu.statusWatch({ seconds: 1 })) {
      assert.equal(healthy, false);
      looks += 1;
      if (looks === 2) break;
    }
    const { value } = await mailu.statusAllWatch().next();
    assert.equal(value.deployments.length, 1);
    assert.equal((await rejected(mailu.statusWatch({ seconds: 'often' }).next())).code, 'call.invalid');
  });

  test('uninstalling, where there is an engine and nothing in it', async (t) => {
    const { mailu, engine } = await running(t);
    engine.services = [];
    assert.ok(await mailu.uninstall({ delete_data: true, yes_delete: INSTALL.mail_host }));
    assert.deepEqual(await mailu.list(), []);
  });
});

describe('processes', () => {
  test('end when their calls have ended', async (t) => {
    const { root } = await installed(t);
    for (const body of [
      'for await (const one of mailu.statusWatch()) break;',
      // Nobody asks for more.
      'await mailu.statusWatch().next();',
      'mailu.statusWatch();',
      'await mailu.show();',
    ]) {
      const { code, signal, err } = await alone(SCRIPT + body, root);
      assert.deepEqual({ code, signal, err }, { code: 0, signal: null, err: '' }, body);
    }
    const { out } = await alone(`${SCRIPT} mailu.list().then(({ length }) => console.log(length));`, root);
    assert.equal(out, '1\n', 'a call keeps its process');
  });

  test('can end in the middle of calls', async (t) => {
    const { root } = await installed(t);
    const script = `${SCRIPT}
      const { dirname, join } = await import('node:path');
      const calls = [
        () => mailu.backup({ cold: true, output: join(dirname(process.env.ROOT), process.pid + '.tar.zst') }),
        () => mailu.install({ mail_host: 'mail.example.com', no_start: true, force: true, onProgress: () => {} }),
        () => mailu.statusWatch({ seconds: 1 }).next(),
        () => mailu.dnsText({ format: 'html' }),
      ];
      for (let round = 0; round < 4; round += 1) for (const call of calls) call().catch(() => {});
      setTimeout(() => process.exit(7), Number(process.env.WAIT));
    `;
    for (let round = 0; round < 12; round += 1) {
      const { code, signal, err } = await alone(script, root, { env: { WAIT: String(round * round) } });
      assert.deepEqual({ code, signal, err }, { code: 7, signal: null, err: '' }, `after ${round * round} ms`);
    }
    const mailu = new Mailu({ root });
    await mailu.install({ ...INSTALL, force: true });
    assert.deepEqual((await mailu.install(INSTALL)).plan.steps, []);
  });

  test('need no more memory for more work', async (t) => {
    const { root } = await installed(t);
    const count = Number(process.env.MAILU_RENDERINGS ?? 400);
    const script = `
      import { Mailu, render } from 'mailu';
      const mailu = new Mailu({ root: process.env.ROOT });
      const config = { mail_host: 'mail.example.com', email_domain: 'example.com', admin_email: 'admin@example.com' };
      const work = async (renderings, calls) => {
        for (let at = 0; at < renderings; at += 1) render(config, { secrets: { secret_key: 'x'.repeat(16) } });
        for (let at = 0; at < calls; at += 1) await mailu.list({ onProgress: () => {}, signal: new AbortController().signal });
        gc();
        return process.memoryUsage().rss;
      };
      await work(${Math.ceil(count / 3)}, ${Math.ceil(count / 10)});
      const before = await work(0, 0);
      const after = await work(${count}, ${Math.ceil(count / 5)});
      console.log(JSON.stringify({ before, after }));
    `;
    const child = await alone(script, root, { args: ['--expose-gc'], timeout: 60_000 + 60 * count });
    assert.equal(child.code, 0, child.err);
    const { before, after: later } = JSON.parse(child.out);
    t.diagnostic(`${count} renderings: ${Math.round(before / 2 ** 20)} MiB before, ${Math.round(later / 2 ** 20)} MiB after`);
    assert.ok(later - before < 24 * 2 ** 20, `${before} bytes before, ${later} after`);
  });
});

describe('workers', () => {
  const code = (body) => `
    const { parentPort, workerData } = require('node:worker_threads');
    const { Mailu, MailuError } = require('mailu');
    const mailu = new Mailu({ root: workerData });
    ${body}
  `;

  test('call as the main thread does', async (t) => {
    const { root } = await installed(t);
    const body = `
      (async () => {
        const heard = [];
        await mailu.apply({ onProgress: (event) => heard.push(event) });
        const error = await mailu.show({ mail_host: 'mail.two.com' }).catch((error) => error);
        for await (const one of mailu.statusWatch()) break;
        parentPort.postMessage([(await mailu.list()).length, error instanceof MailuError && error.kind]);
      })();
    `;
    const workers = Array.from({ length: 4 }, () => new Worker(code(body), { eval: true, workerData: root }));
    const exits = workers.map((worker) => once(worker, 'exit'));
    const answers = await Promise.all(workers.map((worker) => once(worker, 'message')));
    assert.deepEqual(answers, Array(4).fill([[1, 'not_found']]));
    assert.deepEqual(await Promise.all(exits), Array(4).fill([0]), 'and they end by themselves');
  });

  test('can be ended in the middle of calls, which end, too', async (t) => {
    const { root, mailu, engine } = await running(t);
    engine.past = Array.from({ length: 2000 }, (_, at) => [`2026-11-22T10:00:00.${String(at).padStart(9, '0')}Z`, `line ${at}`]);
    const body = `
      // One waits for lines, one for somebody who takes them.
      (async () => { for await (const { text } of mailu.logs({ follow: true })) if (text === 'line 1999') parentPort.postMessage('all'); })();
      mailu.logs({ follow: true }).next().then(() => parentPort.postMessage('one'));
      for (let at = 0; at < 50; at += 1) mailu.dns();
    `;
    const workers = Array.from({ length: 3 }, () => new Worker(code(body), { eval: true, workerData: root }));
    await engine.followed(3);
    await Promise.all(workers.map((worker) => worker.terminate()));
    await engine.followed(0);
    assert.equal((await mailu.list()).length, 1);
  });
});
