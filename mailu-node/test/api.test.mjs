// One list of operations: tests/api.json and this package name the same, with the same options.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import * as mailu from 'mailu';

import { PACKAGE, TESTS, path, readJson, readText } from './support.mjs';

const LIST = readJson(new URL('api.json', TESTS)).operations;
const TYPES = readText(new URL('index.d.ts', PACKAGE));
const native = createRequire(import.meta.url)(path(new URL('mailu.node', PACKAGE)));
const SCHEMA = JSON.parse(native.schema());

/** What is here and no operation. */
const BESIDE = ['Mailu', 'MailuError', 'errorKinds', 'version'];

const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
const pascal = (name) => camel(`_${name}`);
const listed = (side) => LIST.filter((one) => one.side === side).map(({ name }) => camel(name)).sort();
const keys = (of) => Object.keys(of ?? {}).sort();

test('the list has what it should have', () => {
  assert.ok(LIST.length > 70);
  assert.equal(new Set(LIST.map(({ name }) => name)).size, LIST.length);
});

test('host operations are the methods of Mailu, and nothing else is', () => {
  const { constructor, root, ...methods } = Object.getOwnPropertyDescriptors(mailu.Mailu.prototype);
  assert.deepEqual(Object.keys(methods).sort(), listed('host'));
  for (const [name, { value }] of Object.entries(methods)) {
    assert.equal(typeof value, 'function', name);
    assert.equal(value.name, name);
  }
});

test('pure operations are the functions of the package, and nothing else is', () => {
  assert.deepEqual(Object.keys(mailu).filter((name) => !BESIDE.includes(name)).sort(), listed('pure'));
});

describe('the types', () => {
  const [, body] = /^export class Mailu \{\n(.*?)^\}/ms.exec(TYPES);
  const methods = new Map([...body.matchAll(/^ {2}(\w+)\((.*)\): (.+);$/gm)].map(([, name, ...rest]) => [name, rest]));
  methods.delete('constructor');

  test('declare every method', () => {
    assert.deepEqual([...methods.keys()].sort(), listed('host'));
  });

  test('declare every function', () => {
    const functions = [...TYPES.matchAll(/^export function (\w+)/gm)].map(([, name]) => name);
    assert.deepEqual(functions.filter((name) => !BESIDE.includes(name)).sort(), listed('pure'));
  });

  for (const { name, side, options, only_here: onlyHere, verbs } of LIST) {
    test(`declare the options of ${name}`, () => {
      const { properties, required = [] } = SCHEMA.operations[name].request;
      const said = verbs.length > 0 ? keys({ ...options, ...onlyHere }) : keys(properties);
      const declared = new RegExp(`^export interface ${pascal(name)}Options.*?\\{\\n(.*?)^\\}`, 'ms').exec(TYPES);
      const written = [...(declared?.[1] ?? '').matchAll(/^ {2}(\w+)(\??): /gm)].map(([, key, may]) => [key, may]);
      if (side === 'pure') {
        const needs = written.concat(required.map((one) => [one, '']));
        assert.deepEqual(needs.map(([key]) => key).sort(), said);
      } else {
        assert.deepEqual(written.map(([key]) => key).sort(), said);
        assert.deepEqual(written.filter(([, may]) => !may).map(([key]) => key).sort(), [...required].sort());
        const [parameters, gives] = methods.get(camel(name));
        assert.equal(parameters, `options${required.length > 0 ? '' : '?'}: ${pascal(name)}Options`);
        assert.match(gives, /^(Promise|Stream)<.+>$/);
      }
    });
  }
});

test('what is generated is what the core says', () => {
  const to = mkdtempSync(join(tmpdir(), 'mailu-generated-'));
  try {
    execFileSync(process.execPath, ['generate.js', to], { cwd: path(PACKAGE) });
    for (const file of ['index.d.ts', 'index.mjs', 'operations.json']) {
      const same = readFileSync(join(to, file), 'utf8') === readText(new URL(file, PACKAGE));
      assert.ok(same, `${file} is of another core: node generate.js`);
    }
  } finally {
    rmSync(to, { recursive: true });
  }
});
