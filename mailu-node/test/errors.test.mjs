// Failures: what they carry, and that no input ends the process or shows a secret.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';

import { MailuError, checkConfig, dnsRecords, errorKinds, render } from 'mailu';

import { MINIMAL, PACKAGE, readText } from './support.mjs';

const SECRET = 'hunter2-do-not-show';

function caught(call) {
  try {
    call();
  } catch (error) {
    return error;
  }
  return assert.fail('nothing was thrown');
}

/** Neither the message nor anything that the error carries shows the secret. */
function assertSilent(error) {
  const shown = [String(error), error.stack, JSON.stringify(error), inspect(error, { depth: null, showHidden: true })];
  assert.ok(!shown.join('\n').includes(SECRET), shown.join('\n'));
}

function nested(depth, wrap) {
  let value = 1;
  for (let level = 0; level < depth; level += 1) value = wrap(value);
  return value;
}

describe('MailuError', () => {
  test('every kind can be carried', () => {
    const kinds = errorKinds();
    assert.ok(kinds.length > 0);
    assert.equal(new Set(kinds).size, kinds.length);
    for (const kind of kinds) {
      const data = { kind, code: 'a.b', message: 'do a thing', cause: 'why', hints: ['type this'], findings: [] };
      const error = new MailuError(data);
      assert.ok(error instanceof Error);
      const { code, message, cause, hints, findings } = error;
      assert.deepEqual({ kind: error.kind, code, message, cause, hints, findings }, data);
      assert.equal(String(error), 'MailuError: do a thing');
    }
  });

  test('the type lists every kind', () => {
    const union = /type ErrorKind =(.+?);\n\n/s.exec(readText(new URL('index.d.ts', PACKAGE)))[1];
    assert.deepEqual(
      [...union.matchAll(/'(\w+)'/g)].map(([, kind]) => kind).sort(),
      errorKinds().sort(),
    );
  });

  test('without a cause there is none', () => {
    const error = caught(() => render({ ...MINIMAL, tls: { mode: 'taefik' } }));
    assert.ok(!('cause' in error));
    assert.deepEqual(Object.keys(error), ['kind', 'code', 'hints', 'findings']);
  });

  test('the stack begins at the caller', () => {
    const error = caught(() => render({ ...MINIMAL, tls: { mode: 'taefik' } }));
    assert.match(error.stack.split('\n')[1], /errors\.test\.mjs/);
    assert.match(caught(() => render(5)).stack.split('\n')[1], /errors\.test\.mjs/);
  });
});

describe('arguments', () => {
  const calls = { checkConfig, render, dnsRecords };
  const wrong = [
    [undefined, 'undefined'],
    [null, 'null'],
    [5, 'a number'],
    [5n, 'a BigInt'],
    [true, 'a boolean'],
    [[MINIMAL], 'an array'],
    [Symbol('x'), 'a symbol'],
    [() => MINIMAL, 'a function'],
    [Buffer.from('x = 1'), 'bytes (decode them)'],
    [new ArrayBuffer(8), 'bytes (decode them)'],
    [Promise.resolve('x = 1'), 'a Promise (await it)'],
    [new Date(0), 'a Date'],
  ];
  for (const [name, call] of Object.entries(calls)) {
    test(`config of ${name} must be text or an object`, () => {
      for (const [config, found] of wrong) {
        const message = `config must be TOML text or an object, found ${found}`;
        assert.throws(() => call(config), { constructor: TypeError, name: 'TypeError', message });
      }
    });
  }

  test('values of config must be plain', () => {
    const mail = (value) => () => checkConfig({ ...MINIMAL, ports: { mail: [25, value] } });
    for (const [value, message] of [
      [undefined, /^config\["ports"\]\["mail"\]\[1\] is undefined; expected /],
      [() => 1, /is a function; expected /],
      [Symbol('x'), /is a symbol; expected /],
      [Buffer.from('x'), /is bytes/],
      [new Date(0), /is a Date; expected /],
      [NaN, /is not a finite number/],
      [-Infinity, /is not a finite number/],
      [2n ** 63n, /does not fit into 64 bits/],
    ]) {
      assert.throws(mail(value), { constructor: TypeError, message });
    }
  });

  test('an object is the same as text', () => {
    const text = `
      mail_host = "mail.example.com"
      email_domain = "example.com"
      admin_email = "admin@example.com"
      [limits]
      quota = 25000000001
      [ports]
      mail = [25, 465]
      [services]
      antivirus = true
    `;
    const object = {
      ...MINIMAL,
      client: null,
      tls: undefined,
      limits: { quota: 25_000_000_001 },
      ports: { mail: [25, 465] },
      services: Object.assign(Object.create(null), { antivirus: true }),
    };
    assert.deepEqual(render(object), render(text));
    assert.deepEqual(render({ ...object, limits: { quota: 25_000_000_001n } }), render(text));
  });

  test('a fraction stays one', () => {
    const [finding] = checkConfig({ ...MINIMAL, dns: { ttl: 1.5 } });
    assert.equal(finding.id, 'config.wrong_type');
    assert.equal(finding.value, '1.5');
  });

  test('options must be named values', () => {
    for (const call of [render, dnsRecords]) {
      assert.throws(() => call(MINIMAL, null), { constructor: TypeError, message: /options must be an object/ });
      assert.throws(() => call(MINIMAL, SECRET), { constructor: TypeError, message: /found a string/ });
      assert.throws(() => call(MINIMAL, { dkimKeys: {} }), { constructor: TypeError, message: /"dkimKeys"/ });
      call(MINIMAL, {});
      call(MINIMAL, { dkim_keys: undefined });
    }
    assert.throws(() => dnsRecords(MINIMAL, { secrets: {} }), { constructor: TypeError, message: /"secrets"/ });
  });

  test('secrets and keys must be objects of strings', () => {
    for (const name of ['secrets', 'dkim_keys']) {
      for (const [value, message] of [
        [null, /must be an object of strings, found null/],
        [SECRET, /found a string/],
        [[SECRET], /found an array/],
        [{ secret_key: Buffer.from(SECRET) }, /\["secret_key"\] must be a string, found bytes/],
        [{ secret_key: [SECRET] }, /\["secret_key"\] must be a string, found an array/],
        [{ secret_key: null }, /\["secret_key"\] must be a string, found null/],
      ]) {
        const error = caught(() => render(MINIMAL, { [name]: value }));
        assert.equal(error.constructor, TypeError);
        assert.match(error.message, message);
        assertSilent(error);
      }
    }
    assert.deepEqual(render(MINIMAL, { secrets: { secret_key: undefined } }), render(MINIMAL));
  });

  test('what a getter throws comes through', () => {
    const mine = new RangeError('mine');
    const throwing = () => {
      throw mine;
    };
    const getter = Object.defineProperty({}, 'x', { enumerable: true, get: throwing });
    for (const config of [getter, { x: getter }, { x: [getter] }, new Proxy({}, { ownKeys: throwing })]) {
      assert.equal(caught(() => checkConfig(config)), mine);
    }
    assert.equal(caught(() => render(MINIMAL, { secrets: getter })), mine);
  });
});

describe('secrets', () => {
  test('an unknown secret is refused', () => {
    const error = caught(() => render(MINIMAL, { secrets: { nope: SECRET } }));
    assert.ok(error instanceof MailuError);
    assert.equal(error.kind, 'invalid_input');
    assert.equal(error.code, 'secret.unknown');
    assert.match(error.message, /nope/);
    assert.match(error.hints[0], /secret_key/);
    assertSilent(error);
  });

  test('an unreadable DKIM key is refused', () => {
    const [begin, end] = ['BEGIN', 'END'].map((word) => `-----${word} PRIVATE KEY-----`);
    for (const call of [render, dnsRecords]) {
      for (const pem of ['', SECRET, `${begin}\n${SECRET}\n${end}\n`]) {
        const error = caught(() => call(MINIMAL, { dkim_keys: { 'example.com': pem } }));
        assert.ok(error instanceof MailuError);
        assert.equal(error.kind, 'corrupt');
        assert.equal(error.code, 'dkim.unreadable');
        assert.equal(typeof error.cause, 'string');
        assertSilent(error);
      }
    }
  });

  test('a DKIM key needs an email domain', () => {
    for (const call of [render, dnsRecords]) {
      const error = caught(() => call(MINIMAL, { dkim_keys: { 'example.org': SECRET } }));
      assert.equal(error.code, 'dkim.unknown_domain');
      assert.match(error.message, /example\.org/);
      assertSilent(error);
    }
  });

  test('a secret is in no error', () => {
    const secrets = { secret_key: SECRET, api_token: SECRET, relay_password: SECRET };
    for (const config of [
      'mail_host = ',
      { ...MINIMAL, tls: { mode: 'taefik' } },
      { ...MINIMAL, env: { SECRET_KEY: SECRET, API_TOKEN: SECRET } },
    ]) {
      const error = caught(() => render(config, { secrets }));
      assert.ok(error instanceof MailuError);
      assertSilent(error);
    }
  });
});

describe('size', () => {
  test('a huge config is judged', () => {
    const text = 'x'.repeat(5_000_000);
    assert.equal(checkConfig({ ...MINIMAL, welcome: { subject: text } })[0].severity, 'error');
    assert.equal(checkConfig(text)[0].id, 'config.syntax');
    assert.equal(checkConfig({ ...MINIMAL, email_domains: Array(50_000).fill(0) }).length, 50_000);
  });

  const wraps = { arrays: (value) => [value], objects: (value) => ({ a: value }) };
  for (const [name, wrap] of Object.entries(wraps)) {
    test(`deep ${name} are refused`, () => {
      for (const depth of [1, 31]) {
        const [finding] = checkConfig({ ...MINIMAL, x: nested(depth, wrap) });
        assert.equal(finding.id, 'config.unknown_key');
      }
      for (const depth of [32, 5_000, 200_000]) {
        assert.throws(() => checkConfig({ x: nested(depth, wrap) }), { constructor: TypeError, message: /levels deep/ });
      }
    });
  }

  test('cyclic and shared data is refused', () => {
    const cyclic = { ...MINIMAL };
    cyclic.x = cyclic;
    assert.throws(() => checkConfig(cyclic), { constructor: TypeError, message: /levels deep/ });
    const shared = nested(31, (value) => [value, value]);
    assert.throws(() => checkConfig({ x: shared }), { constructor: TypeError, message: /values/ });
    assert.throws(() => checkConfig({ x: Array(2 ** 32 - 1) }), { constructor: TypeError, message: /undefined/ });
  });

  test('deep text is judged', () => {
    for (const text of [`a = ${'['.repeat(200_000)}`, Array(200_000).fill('a').join('.')]) {
      assert.equal(checkConfig(text)[0].id, 'config.syntax');
    }
  });

  test('worker threads can use it', async () => {
    const code = `
      const { parentPort } = require('node:worker_threads');
      const { MailuError, render } = require('mailu');
      let caught;
      try {
        render('x = 1');
      } catch (error) {
        caught = error instanceof MailuError;
      }
      parentPort.postMessage([caught, render(${JSON.stringify(MINIMAL)}).length]);
    `;
    const workers = Array.from({ length: 4 }, () => new Worker(code, { eval: true }));
    for (const [[caught, files]] of await Promise.all(workers.map((worker) => once(worker, 'message')))) {
      assert.equal(caught, true);
      assert.equal(files, render(MINIMAL).length);
    }
    await Promise.all(workers.map((worker) => worker.terminate()));
  });
});
