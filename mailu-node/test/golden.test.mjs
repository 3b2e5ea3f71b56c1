// The golden files of the repository: the same inputs give the same outputs as in Rust and Python.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { test } from 'node:test';

import { MailuError, checkConfig, dnsRecords, render } from 'mailu';

import { CASES, TESTS, path, readJson, readText } from './support.mjs';

function filesBelow(directory) {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => statSync(new URL(name, directory)).isFile());
}

test('there are enough cases', () => {
  assert.ok(CASES.length >= 12);
});

for (const { name, at } of CASES) {
  const here = (file) => new URL(file, at);
  test(`golden: ${name}`, () => {
    const config = readText(here('mailu.toml'));
    const { secrets, dkim_keys: files = {} } = existsSync(here('input.json')) ? readJson(here('input.json')) : {};
    const dkim_keys = Object.fromEntries(
      Object.entries(files).map(([domain, file]) => [domain, readText(new URL(file, TESTS))]),
    );

    if (existsSync(here('error.json'))) {
      const expected = readJson(here('error.json'));
      assert.throws(
        () => render(config, { secrets, dkim_keys }),
        (error) => {
          assert.ok(error instanceof MailuError);
          const { kind, code, message, cause = null, hints, findings } = error;
          assert.deepEqual({ kind, code, message, cause, hints, findings }, expected);
          return true;
        },
      );
      return;
    }

    const rendered = new Map(
      render(config, { secrets, dkim_keys }).map((file) => [file.path, Buffer.from(file.text)]),
    );
    const golden = filesBelow(here('files/'));
    assert.ok(golden.length > 0, 'a case has either files or error.json');
    for (const file of golden) {
      const expected = readFileSync(here(`files/${file}`));
      assert.ok(rendered.get(file)?.equals(expected), `${path(here('files/'))}${file}`);
    }
    for (const [file, value] of [
      ['dns.json', () => dnsRecords(config, { dkim_keys })],
      ['findings.json', () => checkConfig(config)],
    ]) {
      if (existsSync(here(file))) assert.deepEqual(value(), readJson(here(file)), file);
    }
  });
}
