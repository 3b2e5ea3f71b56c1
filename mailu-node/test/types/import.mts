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
