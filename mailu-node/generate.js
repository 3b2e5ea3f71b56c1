'use strict';

// Writes what follows from the core's schema: the operations, the declarations, the names of the ES module.
//   node generate.js [DIRECTORY]

const { readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const WIDTH = 120;

/** Names of the core that mean something else in JavaScript or here, and what takes their place. */
const RENAMED = { Event: 'Progress', Config: 'WholeConfig' };

/** Types that are written by hand, because a schema cannot say as much. */
const BY_HAND = new Set(['Data']);

const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
const pascal = (name) => camel(`_${name}`);
const indented = (text) => text.replace(/^(?=.)/gm, '  ');

/** Rust's links are of no use here. */
function comment(text) {
  if (!text) return '';
  const lines = [''];
  for (const word of text.replace(/\[(`[^`]+`)\](?:\([^)]*\))?/g, '$1').split(/\s+/)) {
    const at = lines.length - 1;
    if (lines[at] && lines[at].length + word.length > WIDTH - 6) lines.push(word);
    else lines[at] = lines[at] ? `${lines[at]} ${word}` : word;
  }
  return lines.length === 1 ? `/** ${lines[0]} */\n` : `/**\n${lines.map((line) => ` * ${line}\n`).join('')} */\n`;
}

function known(schema, keys) {
  for (const key of Object.keys(schema)) {
    if (!keys.includes(key)) throw new Error(`a schema has ${key}, which has no place in a type: ${JSON.stringify(schema)}`);
  }
}

const ABOUT = ['description', 'title', 'default', 'format', 'minimum', 'maximum', 'pattern', 'examples', 'deprecated'];
const LENGTHS = ['minLength', 'maxLength', 'minItems', 'maxItems', 'uniqueItems', 'writeOnly'];

/** One type of two or more. */
function union(types) {
  return [...new Set(types)].join(' | ');
}

/** The type of a value. `given` is one that a caller writes. */
function type(schema, given) {
  if (schema === true) return 'unknown';
  known(schema, [
    ...ABOUT,
    ...LENGTHS,
    ...['$ref', 'const', 'enum', 'anyOf', 'oneOf', 'type', 'items', 'prefixItems', 'properties', 'required'],
    ...['additionalProperties', 'x-config', 'x-path'],
  ]);
  if (schema['x-config']) return 'Config';
  if (schema.$ref) {
    const name = schema.$ref.replace('#/types/', '');
    return RENAMED[name] ?? name;
  }
  if ('const' in schema) return JSON.stringify(schema.const).replaceAll('"', "'");
  if (schema.enum) return union(schema.enum.map((one) => JSON.stringify(one).replaceAll('"', "'")));
  const of = schema.anyOf ?? schema.oneOf;
  if (of) return union(of.map((one) => type(one, given)));
  if (Array.isArray(schema.type)) return union(schema.type.map((one) => type({ ...schema, type: one }, given)));
  switch (schema.type) {
    case undefined:
      return 'unknown';
    case 'null':
      return 'null';
    case 'boolean':
    case 'string':
      return schema.type;
    case 'integer':
    case 'number':
      return 'number';
    case 'array': {
      if (schema.prefixItems) return `[${schema.prefixItems.map((one) => type(one, given)).join(', ')}]`;
      const item = type(schema.items ?? true, given);
      return `${given ? 'readonly ' : ''}${/[ {]/.test(item) ? `(${item})` : item}[]`;
    }
    case 'object': {
      if (schema.properties) return `{\n${indented(properties(schema, given))}}`;
      const value = type(schema.additionalProperties ?? true, given);
      return `{ ${given ? 'readonly ' : ''}[name: string]: ${value}${given ? ' | undefined' : ''} }`;
    }
    default:
      throw new Error(`there is no type ${schema.type}`);
  }
}

const nullable = (schema) =>
  schema.anyOf?.some((one) => one.type === 'null') || (Array.isArray(schema.type) && schema.type.includes('null'));

/** What is absent rather than null is never null. */
function present(schema) {
  if (!nullable(schema)) return schema;
  if (schema.anyOf) return { ...schema, anyOf: schema.anyOf.filter((one) => one.type !== 'null') };
  return { ...schema, type: schema.type.filter((one) => one !== 'null') };
}

function properties(schema, given, without = []) {
  return Object.entries(schema.properties)
    .filter(([name]) => !without.includes(name))
    .sort(([a], [b]) => (schema.required?.includes(b) ?? false) - (schema.required?.includes(a) ?? false))
    .map(([name, of]) => {
      const key = /^\w+$/.test(name) ? name : `'${name}'`;
      const needed = schema.required?.includes(name);
      let value = type(needed ? of : present(of), given);
      if (given && !needed) value = value === 'unknown' ? value : union([value, 'null', 'undefined']);
      return `${comment(of.description)}${key}${needed ? '' : '?'}: ${value};\n`;
    })
    .join('');
}

function declaration(name, schema) {
  const called = RENAMED[name] ?? name;
  if (name === 'Event') {
    const text = type(schema, false).replace('item: unknown', 'item: Item');
    return `${comment(schema.description)}export type ${called}<Item = unknown> =\n  | ${text.replaceAll('} | {', '}\n  | {')};\n`;
  }
  if (name === 'DnsRecord') {
    // The rest of it is above, where its data goes with its type.
    return `/** What all records have. */\nexport interface RecordFields {\n${indented(properties(schema, false, ['type', 'data']))}}\n`;
  }
  if (schema.type === 'object' && schema.properties && !schema.oneOf && !schema.anyOf) {
    return `${comment(schema.description)}export interface ${called} {\n${indented(properties(schema, false))}}\n`;
  }
  const values = schema.oneOf?.every((one) => 'const' in one) && schema.oneOf;
  if (values) {
    const each = values.map((one) => `\n${indented(`${comment(one.description)}| ${type(one, false)}`)}`);
    return `${comment(schema.description)}export type ${called} =${each.join('')};\n`;
  }
  return `${comment(schema.description)}export type ${called} = ${type(schema, false)};\n`;
}

/** What there is to call, from what the core says of an operation. */
function operation([name, { side, request, result, item }]) {
  const needs = request.required ?? [];
  return {
    name,
    method: camel(name),
    form: side === 'pure' ? 'function' : item && result.type === 'null' ? 'stream' : 'call',
    needs,
    request,
    result: type(result, false),
    item: item && type(item, false),
  };
}

function callable({ name, method, form, needs, request, result, item }) {
  const options = `${pascal(name)}Options`;
  const pure = form === 'function';
  const own = Object.keys(request.properties ?? {}).some((one) => !(pure && needs.includes(one)));
  const base = form === 'stream' ? 'StreamOptions' : item ? `CallOptions<${item}>` : 'CallOptions';
  const fields = request.properties ? properties(request, true, pure ? needs : []) : '';
  const declared =
    pure && !own
      ? ''
      : `/** Options of \`${method}\`. */\nexport interface ${options}${pure ? '' : ` extends ${base}`} {\n${indented(fields)}}\n\n`;
  const parameters = pure ? needs.map((one) => `${one}: ${type(request.properties[one], true)}`) : [];
  if (!pure || own) parameters.push(`options${!pure && needs.length > 0 ? '' : '?'}: ${options}`);
  const gives = pure ? result : form === 'stream' ? `Stream<${item}>` : `Promise<${result}>`;
  return { declared, signature: `${comment(request.description)}${pure ? 'export function ' : ''}${method}(${parameters.join(', ')}): ${gives};\n` };
}

/** Every generated file, by its name. */
function generated(schema, head) {
  const operations = Object.entries(schema.operations).map(operation);
  const types = Object.entries(schema.types).filter(([name]) => !BY_HAND.has(name));
  const calls = operations.map((one) => ({ ...one, ...callable(one) }));
  const functions = calls.filter(({ form }) => form === 'function');
  const methods = calls.filter(({ form }) => form !== 'function');
  const declarations = [
    '// Made by generate.js. Do not edit.\n',
    head,
    types.map(([name, of]) => declaration(name, of)).join('\n'),
    calls.map(({ declared }) => declared).join('').trimEnd() + '\n',
    functions.map(({ signature }) => signature).join('\n'),
    '/** Every kind of error. */\nexport function errorKinds(): ErrorKind[];\n',
    '/** The version of this package. */\nexport const version: string;\n',
    `/** Where AgencyStack lives. */
export interface MailuOptions {
  /** Its directory. Without it, \`${schema.root}\`. */
  root?: string | undefined;
}

/** The deployments of this host. Calls run beside the event loop, as many at once as you like. */
export class Mailu {
  constructor(options?: MailuOptions);
  /** Where AgencyStack lives. */
  readonly root: string;

${indented(methods.map(({ signature }) => signature).join('\n'))}}
`,
  ].join('\n');
  const names = declarations.match(/^export (?:type|interface|class|const|function) (\w+)/gm).map((one) => one.split(' ')[2]);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice) throw new Error(`two things have the name ${twice}`);
  const table = operations.map(({ name, method, form }) => `  ${JSON.stringify({ name, method, form })}`);
  const exported = ['Mailu', 'MailuError', 'errorKinds', 'version', ...functions.map(({ method }) => method)].sort();
  return {
    'index.d.ts': declarations,
    'operations.json': `[\n${table.join(',\n')}\n]\n`,
    'index.mjs': `// Made by generate.js. Do not edit.\nimport mailu from './index.js';\n\nexport const {\n  ${exported.join(',\n  ')},\n} = mailu;\n`,
  };
}

if (require.main === module) {
  const to = process.argv[2] ?? __dirname;
  const schema = JSON.parse(require('./mailu.node').schema());
  const head = readFileSync(join(__dirname, 'types.head.d.ts'), 'utf8');
  for (const [name, text] of Object.entries(generated(schema, head))) writeFileSync(join(to, name), text);
}
