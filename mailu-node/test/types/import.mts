// What a TypeScript user writes, and what the compiler must refuse.

import { MailuError, checkConfig, configSchema, dnsRecords, errorKinds, render, version } from 'mailu';
import type { Config, DnsRecord, ErrorKind, Finding, RenderOptions, RenderedFile } from 'mailu';

const config: Config = { mail_host: 'mail.example.com', email_domain: 'example.com', admin_email: 'admin@example.com' };

export const files: RenderedFile[] = render(config, { secrets: { secret_key: 'x' }, dkim_keys: {} });
export const fromText: RenderedFile[] = render('mail_host = "mail.example.com"');
export const findings: Finding[] = checkConfig(config);
export const kinds: ErrorKind[] = errorKinds();
export const schema: { [keyword: string]: unknown } = configSchema();
export const text: string = version;
export const options: RenderOptions = { dkim_keys: { 'example.com': undefined } };

export function target(record: DnsRecord): string | undefined {
  switch (record.type) {
    case 'MX':
      return record.data?.exchange;
    case 'SRV':
    case 'CNAME':
      return record.data?.target;
    default:
      return undefined;
  }
}

export const hosts = dnsRecords(config).zones.flatMap((zone) => zone.records.map(target));

export function kindOf(error: unknown): ErrorKind | undefined {
  return error instanceof MailuError ? error.kind : undefined;
}

// @ts-expect-error: a number is no configuration.
render(5);
// @ts-expect-error: there is no such option; a misspelt one would leave the keys out.
render(config, { dkimKeys: {} });
// @ts-expect-error: secrets are texts.
render(config, { secrets: { secret_key: 5 } });
// @ts-expect-error: `data` is null as long as it is not known.
export const data: object = dnsRecords(config).zones[0]!.records[0]!.data;

// Deployments.

import { Mailu } from 'mailu';
import type { DeliveryStep, Fleet, Installed, LogEntry, MailuOptions, Progress, StatusReport, Stream, User } from 'mailu';

export const where: MailuOptions = { root: '/opt/agency_stack' };
export const server = new Mailu(where);

export async function deployments(signal: AbortSignal): Promise<Installed> {
  const lines: string[] = [];
  const installed: Installed = await server.install({
    mail_host: 'mail.example.com',
    email_domain: 'example.com',
    admin_email: 'admin@example.com',
    config: { tls: { mode: 'traefik' } },
    settings: { 'limits.quota': '10GB', 'ports.mail': [25, 465], 'services.antivirus': false },
    no_start: true,
    signal,
    onProgress: (event) => {
      if (event.kind === 'step') lines.push(`${event.number} of ${event.total}: ${event.text}`);
    },
  });
  // What comes back can be handed in.
  for (const { mail_host, client } of await server.list()) await server.show({ mail_host, client });
  for await (const entry of server.logs({ follow: true, signal })) lines.push(entry.text);
  return installed;
}

export const stream: Stream<LogEntry> = server.logs();
export const watch: AsyncIterable<StatusReport> = server.statusWatch({ seconds: 5 });
export const fleet: AsyncIterableIterator<Fleet> = server.statusAllWatch();
export const users: Promise<User[]> = server.userList();
export const reason: Promise<unknown> = server.list().catch((error: unknown) => (error instanceof MailuError ? error.cause : error));
export const heard = (event: Progress<DeliveryStep>): DeliveryStep | undefined => (event.kind === 'item' ? event.item : undefined);
void server.testEmail({ onProgress: heard });

// @ts-expect-error: an app has to be named.
void server.integrate();
// @ts-expect-error: options have the names of the requests.
void server.show({ mailHost: 'mail.example.com' });
// @ts-expect-error: one of two.
void server.appSettings({ app: 'ghost', login: 'a@example.com', tls: 'none' });
// @ts-expect-error: what is streamed has no progress besides.
void server.logs({ onProgress: () => {} });
// @ts-expect-error: there is no such operation.
void server.frobnicate();
// @ts-expect-error: a signal is one.
void server.list({ signal: 'abort' });
// @ts-expect-error: where it is does not change.
server.root = '/elsewhere';
