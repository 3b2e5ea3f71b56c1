// Whether values are what the declared types say.

import { createRequire } from 'node:module';

import { PACKAGE, path } from './support.mjs';

export const SCHEMA = JSON.parse(createRequire(import.meta.url)(path(new URL('mailu.node', PACKAGE))).schema());

function kind(value) {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

/** What is wrong with a value, if anything. A key that may be absent is never null: so it is declared. */
export function wrong(value, schema, at = '') {
  if (schema === true) return undefined;
  if (schema.$ref) return wrong(value, SCHEMA.types[schema.$ref.replace('#/types/', '')], at);
  const of = schema.anyOf ?? schema.oneOf;
  if (of) {
    const each = of.map((one) => wrong(value, one, at));
    if (!each.includes(undefined)) return each.find((one) => !one.endsWith('null')) ?? each[0];
  }
  if ('const' in schema && schema.const !== value) return `${at} is not ${schema.const}`;
  if (schema.enum && !schema.enum.includes(value)) return `${at} is none of ${schema.enum}`;
  const found = kind(value);
  const types = [schema.type ?? []].flat();
  if (types.length > 0 && !types.some((one) => one === found || (one === 'number' && found === 'integer'))) {
    return `${at} is ${found}, not ${types.join(' or ')}`;
  }
  if (found === 'array') {
    if (schema.prefixItems && value.length !== schema.prefixItems.length) return `${at} has ${value.length} items`;
    const items = value.map((one, index) => wrong(one, schema.prefixItems?.[index] ?? schema.items ?? true, `${at}[${index}]`));
    return items.find((one) => one !== undefined);
  }
  if (found !== 'object' || !(schema.properties || schema.additionalProperties)) return undefined;
  const { properties = {}, required = [] } = schema;
  for (const name of required) if (!(name in value)) return `${at}.${name} is missing`;
  for (const [name, one] of Object.entries(value)) {
    const rest = schema.additionalProperties;
    if (!(name in properties) && !rest) return `${at}.${name} is not declared`;
    if (name in properties && !required.includes(name) && one === null) return `${at}.${name} is null rather than absent`;
    const inside = wrong(one, properties[name] ?? rest, `${at}.${name}`);
    if (inside) return inside;
  }
  return undefined;
}
