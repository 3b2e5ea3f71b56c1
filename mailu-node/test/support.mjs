// Shared by the tests.

import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** Nobody answers there. */
export const WITHOUT_ENGINE = 'unix:///nowhere/docker.sock';

/** The program, to compare with. */
export const PROGRAM = join(process.env.CARGO_TARGET_DIR ?? path(new URL('../target', PACKAGE)), 'debug', 'mailu');

/** A deployment that needs no engine. */
export const INSTALL = Object.freeze({ ...MINIMAL, admin_password: 'a-password-of-ours', no_start: true });

/** A root that goes with the test, and a directory beside it. */
export function newRoot(t) {
  const beside = mkdtempSync(join(tmpdir(), 'mailu-node-'));
  t.after(() => rmSync(beside, { recursive: true, force: true }));
  return { root: join(beside, 'root'), beside };
}

/** What a promise was rejected with. */
export async function rejected(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it was not rejected');
}
