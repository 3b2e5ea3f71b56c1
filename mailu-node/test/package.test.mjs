// What the package promises besides results: its exports, its version, its README.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import * as esm from 'mailu';

import { MINIMAL, PACKAGE, readJson, readText } from './support.mjs';

const cjs = createRequire(import.meta.url)('mailu');

test('import and require give the same objects', () => {
  assert.deepEqual(Object.keys(esm).sort(), Object.keys(cjs).sort());
  for (const name of Object.keys(cjs)) assert.equal(esm[name], cjs[name]);
});

test('the types declare every export', () => {
  const types = readText(new URL('index.d.ts', PACKAGE));
  const declared = [...types.matchAll(/^export (?:function|const|class) (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(declared.sort(), Object.keys(cjs).sort());
});

test('functions have their names', () => {
  assert.equal(esm.checkConfig.name, 'checkConfig');
});

test('the version is the same everywhere', () => {
  assert.equal(esm.version, readJson(new URL('package.json', PACKAGE)).version);
  const [, version] = /^version = "(.+)"$/m.exec(readText(new URL('../Cargo.toml', PACKAGE)));
  assert.equal(esm.version, version);
});

test('the schema knows the keys', () => {
  const schema = esm.configSchema();
  assert.deepEqual([...schema.required].sort(), Object.keys(MINIMAL).sort());
  for (const key of Object.keys(MINIMAL)) assert.ok(key in schema.properties);
});
