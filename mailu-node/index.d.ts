/**
 * Configuration, generated files and DNS records of a Mailu mail server.
 *
 * The data is the same that `mailu --json` prints, with the same keys.
 */

/** The text of `mailu.toml`, or an object with the same keys. A key whose value is `null` or `undefined` is not set. */
export type Config = string | { readonly [key: string]: unknown };

/** How much a finding matters. Nothing is written while there is an `error`. */
export type Severity = 'notice' | 'warning' | 'error';

/** One judged fact: what is wrong (or worth knowing), where, why, and what to do about it. */
export interface Finding {
  /** Stable and dotted: `config.unknown_key`. */
  id: string;
  severity: Severity;
  /** What it is about: a key of `mailu.toml` (`tls.mode`), a variable or a file. */
  subject: string;
  /** What was found; absent where there is nothing, or a secret. */
  value?: string;
  /** The rule, and why it exists. */
  message: string;
  /** What to type or change, most useful first; absent if there are none. */
  hints?: string[];
}

/** A generated file. */
export interface RenderedFile {
  /** Relative to the deployment's directory. */
  path: string;
  /** Permission bits. */
  mode: number;
  /** The text. `mailu.env` holds secrets if they were given. */
  text: string;
}

/** How much depends on a DNS record. */
export type Level = 'required' | 'recommended' | 'optional';

/** The data of a DNS record, by its type. */
export interface RecordData {
  A: { address: string };
  AAAA: { address: string };
  /** RFC 8659. */
  CAA: { flags: number; tag: string; value: string };
  CNAME: { target: string };
  PTR: { target: string };
  MX: { preference: number; exchange: string };
  /** Port 0 with target `.` says that there is no such service. */
  SRV: { priority: number; weight: number; port: number; target: string };
  /** RFC 6698; `association` is hexadecimal. */
  TLSA: { usage: number; selector: number; matching: number; association: string };
  /** The whole text, in one piece. */
  TXT: { text: string };
}

/** The type of a DNS record. */
export type RecordType = keyof RecordData;

interface RecordOf<T extends RecordType> {
  /** Stable: `example.com/MX`. */
  id: string;
  zone: string;
  /** Relative to the zone; `@` is the zone itself. */
  name: string;
  /** The full name, without the final dot. */
  fqdn: string;
  type: T;
  /** Seconds. */
  ttl: number;
  /** `null` as long as it is not known. */
  data: RecordData[T] | null;
  /** The data in the presentation form of zone files; `null` as long as it is not known. */
  value: string | null;
  /** The strings of a TXT record; empty for other types. */
  chunks: string[];
  level: Level;
  /** Why it is there, and what it does. */
  why: string;
  /** What must hold for it, or what keeps it from being complete. */
  condition: string | null;
}

/** One record that a deployment needs. */
export type DnsRecord = { [T in RecordType]: RecordOf<T> }[RecordType];

/** The records of one zone. */
export interface DnsZone {
  zone: string;
  records: DnsRecord[];
}

/** All records of a deployment. */
export interface DnsReport {
  /** Version of this format. */
  schema: number;
  /** The deployment. */
  mail_host: string;
  /** One entry for each zone that somebody has to edit. */
  zones: DnsZone[];
}

/** What an error is about. */
export type ErrorKind =
  | 'invalid_input'
  | 'not_found'
  | 'conflict'
  | 'io'
  | 'corrupt'
  | 'docker'
  | 'internal';

/** An error as `mailu --json` prints it. */
export interface ErrorData {
  kind: ErrorKind;
  code: string;
  message: string;
  cause: string | null;
  hints: string[];
  findings: Finding[];
}

/** A failed operation: `message` says what was attempted on what. */
export class MailuError extends Error {
  constructor(data: ErrorData);
  readonly name: 'MailuError';
  /** What it is about. */
  kind: ErrorKind;
  /** Stable and dotted, to branch on: `config.invalid`. */
  code: string;
  /** Why it failed, if something else made it fail. */
  cause?: string;
  /** What to do next. */
  hints: string[];
  /** Everything that is wrong, where that is a list. */
  findings: Finding[];
}

/** Secrets are named as their files are; keys by email domain. */
export interface Texts {
  readonly [name: string]: string | undefined;
}

export interface DnsOptions {
  /** DKIM private keys in PEM form, by email domain. */
  dkimKeys?: Texts | undefined;
}

export interface RenderOptions extends DnsOptions {
  /** `secret_key`, `api_token`, `relay_password`. */
  secrets?: Texts | undefined;
}

/**
 * Everything that is wrong with a configuration, or worth knowing about it. Empty: all is well.
 *
 * @throws {TypeError} if `config` is neither text nor an object.
 */
export function checkConfig(config: Config): Finding[];

/**
 * Every generated file of a deployment. What `options` do not name is left out of the files.
 *
 * @throws {MailuError}
 */
export function render(config: Config, options?: RenderOptions): RenderedFile[];

/**
 * The DNS records that a configuration needs, by zone.
 *
 * @throws {MailuError}
 */
export function dnsRecords(config: Config, options?: DnsOptions): DnsReport;

/** The JSON Schema of `mailu.toml`. */
export function configSchema(): { [keyword: string]: unknown };

/** Every kind of error. */
export function errorKinds(): ErrorKind[];

/** The version of this package. */
export const version: string;
