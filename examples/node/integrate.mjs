#!/usr/bin/env node
// @ts-check
// Has apps send through a mail server of this host: each gets a mailbox and a token of its own, its settings, and a message that it sends itself.
//
//   node integrate.mjs [--root DIR] [--domain MAIL_HOST] [--dry-run] APP[:SITE] …
//   node integrate.mjs wordpress:blog.example.com listmonk ghost
//
// What fails for one app does not keep the others from it; the same command again continues. Ctrl-C ends it after the app that is under way.

import { parseArgs } from 'node:util';

import { Mailu, MailuError, appList } from 'mailu';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { root: { type: 'string' }, domain: { type: 'string' }, 'dry-run': { type: 'boolean' } },
});
const server = new Mailu({ root: values.root });
const dry_run = values['dry-run'] ?? false;

// These have ways of their own; the others are told by a file or by variables.
const titles = new Map([['wordpress', 'WordPress'], ['listmonk', 'Listmonk']]);
for (const { name, title } of appList()) titles.set(name, title);
if (positionals.length === 0) {
  console.error(`apps: ${[...titles.keys()].join(' ')}`);
  process.exit(2);
}

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

let failed = 0;
for (const text of positionals) {
  const [app = '', site] = text.split(':');
  const title = `${titles.get(app) ?? app}${site ? ` (${site})` : ''}`;
  try {
    const done = await server.integrate({
      app,
      site,
      mail_host: values.domain,
      dry_run,
      signal: stop.signal,
      onProgress: (event) => {
        if (event.kind === 'said') console.error(`  ${event.line}`);
      },
    });
    console.log(`${title}: ${done.login}${done.changed ? '' : ', as it should be'}`);
    for (const { action, kind, name } of done.parts) {
      if (action !== 'keep') console.log(`  ${action} ${kind} ${name}`);
    }
    for (const { severity, message, hints } of done.findings) {
      console.log(`  ${severity}: ${message}${hints?.length ? `; ${hints[0]}` : ''}`);
    }
    for (const note of done.notes) console.log(`  ${note}`);
    if (!dry_run) console.log(`  shown: ${done.proof}`);
    if (done.findings.some(({ severity }) => severity === 'error')) failed += 1;
  } catch (error) {
    if (!(error instanceof MailuError)) throw error;
    failed += 1;
    console.log(`${title}: ${error.message} [${error.code}]`);
    for (const hint of error.hints) console.log(`  ${hint}`);
    if (error.code === 'interrupted') break;
  }
}
process.exitCode = failed > 0 ? 1 : 0;
