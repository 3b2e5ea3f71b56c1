// Shared by the tests.

import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const PACKAGE = new URL('..', import.meta.url);
export const TESTS = new URL('../tests/', PACKAGE);
export const CASES = readdirSync(new URL('golden/', TESTS), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => ({ name: entry.name, at: new URL(`golden/${entry.name}/`, TESTS) }));

export const MINIMAL = Object.freeze({
  mail_host: 'mail.example.com',
  email_domain: 'example.com',
  admin_email: 'admin@example.com',
});

export const readText = (url) => readFileSync(url, 'utf8');
export const readJson = (url) => JSON.parse(readText(url));
export const path = fileURLToPath;
