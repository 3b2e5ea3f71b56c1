// A deployment, from the first install to the last byte, on a root of its own and without a container engine.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { describe, test } from 'node:test';

import { Mailu, MailuError } from 'mailu';

import { SCHEMA, wrong } from './conforms.mjs';
import { INSTALL, PROGRAM, WITHOUT_ENGINE, newRoot, rejected } from './support.mjs';

process.env.DOCKER_HOST = WITHOUT_ENGINE;
// Timers run the program.
process.env.PATH = `${dirname(PROGRAM)}${delimiter}${process.env.PATH}`;

/** Calls, and looks whether results and events are what the types say. */
function typed(mailu) {
  return new Proxy(mailu, {
    get(there, name) {
      const method = there[name];
      if (typeof method !== 'function') return method;
      const schema = SCHEMA.operations[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)].result;
      return async (options = {}) => {
        const onProgress = (event) => {
          assert.equal(wrong(event, SCHEMA.event, 'event'), undefined);
          options.onProgress?.(event);
        };
        const value = await method.call(there, { ...options, onProgress });
        assert.equal(wrong(value, schema, name), undefined);
        return value;
      };
    },
  });
}

test('what is not of its type is told', () => {
  const list = SCHEMA.operations.list.result;
  const one = { mail_host: 'a', client: null, email_domains: [], version: null, tls: null, directory: '/', state: 'installed' };
  assert.equal(wrong([one], list), undefined);
  assert.match(wrong([{ ...one, state: 5 }], list), /state is integer/);
  assert.match(wrong([{ ...one, more: 5 }], list), /more is not declared/);
  assert.match(wrong([{}], list), /missing/);
  const finding = { id: 'a', severity: 'error', subject: 's', message: 'm' };
  assert.equal(wrong([finding], SCHEMA.operations.check_config.result), undefined);
  assert.match(wrong([{ ...finding, severity: 'bad' }], SCHEMA.operations.check_config.result), /severity/);
  assert.match(wrong([{ ...finding, value: null }], SCHEMA.operations.check_config.result), /rather than absent/);
});

test('a deployment, from beginning to end', async (t) => {
  const { root, beside } = newRoot(t);
  const mailu = typed(new Mailu({ root }));
  assert.equal(mailu.root, root);
  assert.deepEqual(await mailu.list(), []);

  const dry = await mailu.install({ ...INSTALL, dry_run: true });
  assert.equal(dry.performed, false);
  assert.ok(dry.plan.steps.length > 20);
  assert.ok(!existsSync(root), 'a dry run changes nothing');

  const heard = [];
  const installed = await mailu.install({ ...INSTALL, onProgress: (event) => heard.push(event) });
  assert.equal(installed.performed, true);
  assert.deepEqual(heard[0].kind, 'step');
  assert.equal(heard.filter(({ kind }) => kind === 'step').length, heard[0].total);
  assert.deepEqual(
    installed.plan.steps.map(({ action }) => action),
    dry.plan.steps.map(({ action }) => action),
  );
  const again = await mailu.install(INSTALL);
  assert.deepEqual(again.plan.steps, [], 'again: nothing to do');

  const [one] = await mailu.list();
  const { mail_host, client, directory } = one;
  assert.equal(mail_host, INSTALL.mail_host);
  assert.ok(existsSync(join(directory, 'docker-compose.yml')));
  assert.equal(statSync(join(directory, 'mailu.env')).mode & 0o777, 0o600);

  // What was given back is what can be handed in.
  const shown = await mailu.show({ mail_host, client });
  assert.equal(shown.directory, directory);
  assert.ok(!JSON.stringify(shown).includes(INSTALL.admin_password));
  assert.equal((await mailu.secret({ name: 'admin_password' })).value, INSTALL.admin_password);

  const { zones } = await mailu.dns();
  assert.ok(zones.some(({ zone }) => zone === 'example.com'));
  const [text] = await mailu.dnsText({ format: 'zone', zone: 'example.com' });
  assert.match(text.text, /MX/);

  const status = await mailu.status();
  assert.equal(status.healthy, false);
  assert.equal(status.mail_host, mail_host);
  const all = await mailu.statusAll();
  assert.equal(all.deployments.length, 1);

  assert.deepEqual(await mailu.configSet({ settings: { 'limits.quota': '7GB', 'ports.mail': [25, 465, 993] } }), []);
  assert.equal((await mailu.configGet({ key: 'limits' })).quota, 7_000_000_000);
  assert.ok((await mailu.plan()).plan.steps.length > 0);
  assert.equal((await mailu.apply()).performed, true);
  assert.ok(/^PORTS=25,80,443,465,993/m.test(readFileSync(join(directory, 'mailu.env'), 'utf8')));
  await mailu.configUnset({ keys: ['ports.mail'] });
  assert.deepEqual(await mailu.configCheck(), []);

  const report = await mailu.check({ mail_host: 'mail.two.com', skip_check: ['preflight.outbound', 'preflight.dnssec'], resolver: '127.0.0.1:1' });
  assert.ok(report.checks.length > 3);
  assert.ok(!existsSync(join(root, 'mailu', 'mail.two.com')), 'a check changes nothing');

  writeFileSync(join(directory, 'data', 'mail', 'a-message'), 'kept');
  const archive = join(beside, 'one.tar.zst');
  const taken = await mailu.backup({ cold: true, output: archive });
  assert.equal(taken.path ?? taken.file ?? taken.archive, archive);
  assert.ok(statSync(archive).size > 1000);
  await mailu.backupVerify({ file: archive });

  writeFileSync(join(directory, 'data', 'mail', 'a-message'), 'changed');
  await mailu.restore({ file: archive, no_start: true });
  assert.equal(readFileSync(join(directory, 'data', 'mail', 'a-message'), 'utf8'), 'kept');

  const settings = await mailu.appSettings({ app: 'ghost', login: 'ghost@example.com' });
  assert.match(settings.text, /\*{8}/);
  for (const name of ['backupList', 'certs', 'certsAll', 'certsTimer', 'backupTimer']) await mailu[name]();
  await mailu.backupPrune({ dry_run: true });
  await mailu.diagnoseIgnore({ id: 'spf.all', reason: 'on purpose' });
  await mailu.diagnoseUnignore({ id: 'spf.all' });

  // Whether containers are gone only an engine can say; calls.test.mjs has one.
  const refused = await rejected(mailu.uninstall({ delete_data: true, yes_delete: mail_host }));
  assert.equal(refused.code, 'engine.unreachable');
  assert.ok(existsSync(join(directory, 'mailu.toml')));
});

test('several deployments at once, and many questions', async (t) => {
  const { root } = newRoot(t);
  const mailu = new Mailu({ root });
  const hosts = ['mail.one.com', 'mail.two.com', 'mail.three.com'];
  // They wait for one another, because networks are handed out to one at a time.
  await Promise.all(
    hosts.map((mail_host, at) => {
      const email_domain = mail_host.replace('mail.', '');
      // Ports where a name can be routed by.
      const settings = { 'ports.mail': [465, 993] };
      return mailu.install({ mail_host, client: `client${at}`, email_domain, admin_email: `admin@${email_domain}`, no_start: true, settings });
    }),
  );
  const there = await mailu.list();
  assert.deepEqual(there.map((one) => one.mail_host).sort(), [...hosts].sort());
  const subnets = await Promise.all(there.map(({ mail_host, client }) => mailu.configGet({ key: 'network.subnet', mail_host, client })));
  assert.equal(new Set(subnets).size, hosts.length);
  const answers = await Promise.all(Array.from({ length: 200 }, (_, at) => mailu.dns({ mail_host: hosts[at % 3] })));
  for (const [at, { mail_host }] of answers.entries()) assert.equal(mail_host, hosts[at % 3]);
  const error = await rejected(mailu.show());
  assert.equal(error.kind, 'invalid_input');
});

describe('what is wrong is said as the program says it', () => {
  const cases = {
    show: [{ mail_host: 'mail.two.com' }, ['show', '--domain', 'mail.two.com']],
    secret: [{ name: 'nonsense' }, ['show', '--reveal', 'nonsense']],
    configGet: [{ key: 'limits.nonsense' }, ['config', 'get', 'limits.nonsense']],
    configSet: [{ settings: { 'limits.quota': 'lots', 'tls.mode': 'taefik' } }, ['config', 'set', 'limits.quota=lots', 'tls.mode=taefik']],
    dns: [{ zone: 'elsewhere.org' }, ['dns', '--zone', 'elsewhere.org']],
    uninstall: [{ delete_data: true, yes_delete: 'mail.two.com' }, ['uninstall', '--delete-data', '--yes-delete', 'mail.two.com']],
    userAdd: [{ email: 'a@example.com', no_password: true, settings: { quota: 'lots' } }, ['user', 'add', 'a@example.com', 'quota=lots', '--no-password']],
    userList: [{}, ['user', 'list']],
    diagnoseUnignore: [{ id: 'spf.all' }, ['diagnose', '--unignore', 'spf.all']],
    appSettings: [{ app: 'nonsense', login: 'a@example.com' }, ['app', 'settings', 'nonsense', '--login', 'a@example.com']],
    integrate: [{ app: 'wordpress', path: '/nowhere' }, ['integrate', 'wordpress', '--path', '/nowhere']],
    backupVerify: [{ file: '/nowhere.tar.zst' }, ['backup', 'verify', '/nowhere.tar.zst']],
    restore: [{ file: '/nowhere.tar.zst' }, ['restore', '/nowhere.tar.zst']],
    exec: [{ service: 'nonsense', command: ['true'] }, ['exec', 'nonsense', '--', 'true']],
    logs: [{ services: ['nonsense'] }, ['logs', 'nonsense']],
    install: [{ mail_host: 'mail.two.com' }, ['install', '--domain', 'mail.two.com']],
  };

  /** What the program prints. */
  function printed(root, args) {
    const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] };
    try {
      execFileSync(PROGRAM, ['--root', root, '--json', ...args], options);
    } catch (error) {
      return JSON.parse(error.stdout).error;
    }
    return assert.fail(`${args.join(' ')} is no mistake`);
  }

  test('each', async (t) => {
    const { root } = newRoot(t);
    const mailu = new Mailu({ root });
    await mailu.install(INSTALL);
    // A lock is taken before there is anything to find wrong.
    const files = () => readdirSync(root, { recursive: true }).filter((name) => !name.endsWith('lock')).sort();
    const before = files();
    for (const [method, [options, args]] of Object.entries(cases)) {
      const answer = mailu[method](options);
      const error = await rejected(method === 'logs' ? answer.next() : answer);
      assert.ok(error instanceof MailuError, `${method}: ${error.stack}`);
      const expected = printed(root, args);
      const { kind, code, message, cause = null, hints, findings } = error;
      if (method === 'install') {
        // The program asks for what is missing where it can, and says so.
        assert.deepEqual({ kind, code, hints }, { kind: expected.kind, code: expected.code, hints: expected.hints });
      } else {
        assert.deepEqual({ kind, code, message, cause, hints, findings }, expected, method);
      }
      assert.match(error.stack, /host\.test\.mjs/);
    }
    assert.deepEqual(files(), before, 'bad input changes nothing');
  });
});

describe('options', () => {
  const mailu = new Mailu({ root: '/nowhere' });

  test('are an object', async () => {
    for (const wrong of [null, 5, 'mail.example.com', ['mail.example.com'], () => {}]) {
      assert.equal((await rejected(mailu.show(wrong))).constructor, TypeError);
      assert.equal((await rejected(mailu.logs(wrong).next())).constructor, TypeError);
      assert.throws(() => new Mailu(wrong), TypeError);
    }
    assert.throws(() => new Mailu({ root: 5 }), { constructor: TypeError, message: /root must be a string/ });
    assert.throws(() => new Mailu({ Root: '/x' }), { constructor: TypeError, message: /"Root"/ });
    assert.equal(new Mailu().root, '/opt/agency_stack');
  });

  test('must be plain data, and are never shown', async () => {
    const hunter2 = Buffer.from('hunter2');
    const error = await rejected(mailu.userPasswd({ email: 'a@example.com', password: hunter2 }));
    assert.equal(error.constructor, TypeError);
    assert.match(error.message, /^password is bytes/);
    const wrong = await rejected(mailu.install({ settings: { 'limits.quota': [{ hunter2: 1 }] } }));
    assert.equal(wrong.code, 'call.invalid');
    assert.ok(!JSON.stringify([wrong, wrong.stack]).includes('hunter2'));
    const name = await rejected(mailu.show({ mailHost: 'mail.example.com' }));
    assert.equal(name.findings[0].subject, 'mailHost');
    const mine = new RangeError('mine');
    const getter = Object.defineProperty({}, 'settings', { enumerable: true, get: () => { throw mine; } });
    assert.equal(await rejected(mailu.install(getter)), mine);
  });

  test('null and undefined are what was not given', async () => {
    assert.deepEqual(await new Mailu({ root: '/nowhere' }).list({ signal: null, onProgress: undefined }), []);
    const error = await rejected(mailu.show({ mail_host: null, client: undefined }));
    assert.equal(error.kind, 'not_found');
  });
});
