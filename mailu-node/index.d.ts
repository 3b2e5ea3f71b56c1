// Made by generate.js. Do not edit.

/**
 * Installs and runs the Mailu mail server.
 *
 * Data has the keys that `mailu --json` prints, and options have the names that its requests have; only functions are named as usual in JavaScript.
 */

/** The text of `mailu.toml`, or an object with the same keys. A key whose value is `null` or `undefined` is not set. */
export type Config = string | { readonly [key: string]: unknown };

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

/** A record of one type. */
export interface RecordOf<T extends RecordType> extends RecordFields {
  type: T;
  /** `null` as long as it is not known. */
  data: RecordData[T] | null;
}

/** One record that a deployment needs. */
export type DnsRecord = { [T in RecordType]: RecordOf<T> }[RecordType];

/** A failed operation: `message` says what was attempted on what. */
export class MailuError extends Error {
  constructor(data: Failure);
  /** `AbortError` after its `signal` has stopped it. */
  readonly name: 'MailuError' | 'AbortError';
  /** What it is about. */
  kind: ErrorKind;
  /** Stable and dotted, to branch on: `config.invalid`. */
  code: string;
  /** Why it failed, if something else made it fail: a text, or the reason of the `signal` that has stopped it. */
  cause?: unknown;
  /** What to do next. */
  hints: string[];
  /** Everything that is wrong, where that is a list. */
  findings: Finding[];
}

/** An `AbortSignal`. */
export interface Signal {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** What every call takes beside its own options. */
export interface StreamOptions {
  /** Stops the call where it can be stopped: it fails with the code `interrupted`, and the same call continues. What cannot be stopped ends as usual. */
  signal?: Signal | null | undefined;
}

/** What every call takes beside its own options. */
export interface CallOptions<Item = never> extends StreamOptions {
  /** Hears what is being done. What it throws stops the call, which then fails with that. */
  onProgress?: ((event: Progress<Item>) => void) | null | undefined;
}

/** Pieces of a result, one after the other. Nothing happens before the first is asked for; leaving the loop ends it. */
export interface Stream<T> extends AsyncIterableIterator<T> {
  next(): Promise<IteratorResult<T, undefined>>;
  return(): Promise<IteratorReturnResult<undefined>>;
  throw(error?: unknown): Promise<IteratorReturnResult<undefined>>;
  [Symbol.asyncIterator](): this;
}

/** What is done with an account. */
export type AccountAction =
  /** It is made. */
  | 'create'
  /** Some of it becomes something else. */
  | 'change'
  /** It may not log in any more. */
  | 'disable'
  /** It is taken out of Mailu's database. Mail stays. */
  | 'delete';

/** What became of an account. */
export interface AccountChange {
  /** What was done, or in a dry run would be; nothing if it is as it should be. */
  action: AccountAction | null;
  /** What it is. */
  kind: AccountKind;
  /** Its name. */
  name: string;
  /** Whether its password was set. */
  password: boolean;
  /** Whether it was done. */
  performed: boolean;
  /** What became of it. */
  changes?: Difference[];
  /** What else follows. */
  notes?: string[];
}

/** What an account is. */
export type AccountKind =
  /** An email domain. */
  | 'domain'
  /** A mailbox. */
  | 'user'
  /** An address whose mail goes to others. */
  | 'alias'
  /** A domain whose mail is handed on to another server. */
  | 'relay';

/** What is done with one account. */
export interface AccountStep {
  /** What is done. */
  action: AccountAction;
  /** With what. */
  kind: AccountKind;
  /** Its name. */
  name: string;
  /** What becomes of it. */
  changes?: Difference[];
  /** What else follows. */
  note?: string;
  /** Whether its password is set. */
  password?: boolean;
}

/** What became of many accounts. */
export interface AccountsApplied {
  /** For how many users a password was drawn. */
  drawn: number;
  /** Whether it was performed. */
  performed: boolean;
  /** The plan. */
  plan: AccountsPlan;
  /** The file that those are in. */
  passwords_file?: string;
}

/** What has to be done. */
export interface AccountsPlan {
  /** In this order. */
  steps: AccountStep[];
  /** How many accounts are as they should be. */
  unchanged: number;
  /** What is worth knowing. */
  findings?: Finding[];
  /** Accounts that are there and not named, in the sections that are; they stay. */
  left?: string[];
}

/** What a step does. */
export type Action =
  /** Makes a directory. */
  | 'create_directory'
  /** Puts permissions right. */
  | 'set_mode'
  /** Notes what is about to be written, so that an interrupted run can be told from an edit. */
  | 'journal'
  /** Draws a secret, or stores one that was given. */
  | 'store_secret'
  /** Makes a DKIM key. */
  | 'create_key'
  /** Makes a self-signed certificate, or copies yours. */
  | 'store_certificate'
  /** Writes a new file. */
  | 'create_file'
  /** Changes a file. */
  | 'update_file'
  /** Keeps a copy of an edited file that is about to be overwritten. */
  | 'keep_copy'
  /** Removes a file of ours that is no longer needed. */
  | 'remove_file'
  /** Makes the note the record of what was written. */
  | 'commit';

/** Where the server is reached. */
export interface Addresses {
  /** The admin interface, if it is served. */
  admin: string | null;
  /** The API, if it is served. */
  api: string | null;
  /** The webmail, if it is served. */
  webmail: string | null;
}

/** An alias. */
export interface Alias {
  /** Its address. */
  email: EmailAddress;
  /** A note, 255 characters at most. */
  comment?: string;
  /** Where its mail goes. */
  destination?: string[];
  /** Whether `%` in its address stands for any characters. */
  wildcard?: boolean;
}

/** How closely the authenticated domain must match the `From` domain (RFC 9989 §4.7). */
export type Alignment =
  /** Exactly. */
  | 'strict'
  /** Same organisation. */
  | 'relaxed';

/** All accounts of a deployment. */
export interface AllAccounts {
  /** Its aliases. */
  aliases: Alias[];
  /** Its email domains. */
  domains: Domain[];
  /** Domains whose mail is handed on. */
  relays: RelayedDomain[];
  /** Its users. */
  users: User[];
}

/** An app, for a list. */
export interface AppInfo {
  /** Other names for it. */
  aliases: string[];
  /** The forms in which it can be told, the usual one first. */
  formats: string[];
  /** Its name on the command line. */
  name: string;
  /** What to restart, and what is a trap. */
  notes: string[];
  /** What STARTTLS is worth in it. */
  starttls: Starttls;
  /** Its name as people write it. */
  title: string;
}

/** What an app is to be told. */
export interface AppSettings {
  /** Where it goes. */
  about: string;
  /** The app's name. */
  app: string;
  /** The form. */
  format: string;
  /** What to restart, and what is a trap. */
  notes: string[];
  /** The settings, where they were not written into a file. The password is hidden unless it was to be seen. */
  text: string | null;
  /** The file that they are in instead. */
  file?: string;
}

/** An app's settings as text. `Debug` hides it: it has the secret. */
export interface AppText {
  /** Where it goes. */
  about: string;
  /** The app's name; that of `generic` where no app of ours was meant. */
  app: string;
  /** The form. */
  format: string;
  /** What to restart, and what is a trap. */
  notes: string[];
  /** The settings. */
  text: string;
}

/** `[backup]` */
export interface Backup {
  /** Where archives are written. Default: `backups/mailu/…` below the root. */
  directory: string | null;
  /** For how many days the last archive of each is kept. */
  keep_daily: number;
  /** How many of the newest archives are kept. */
  keep_last: number;
  /** For how many months. */
  keep_monthly: number;
  /** For how many weeks. */
  keep_weekly: number;
  /**
   * Public keys of age (`age1…`): archives can be read only by whoever has one of the secret keys, which do not belong
   * on this host.
   */
  recipients: string[];
}

/** An archive in a list. */
export interface BackupArchive {
  /** When it was taken, RFC 3339 in UTC. */
  created: string;
  /** Whether it is encrypted. */
  encrypted: boolean;
  /** Why it cannot be read. */
  error: string | null;
  /** The archive. */
  file: string;
  /** Whose it is and what made it; absent where it is encrypted or cannot be read. */
  head: Head | null;
  /** For which rules it is kept (`last`, `daily`, `weekly`, `monthly`); none if the next backup gives it up. */
  kept: string[];
  /** Its size in bytes. */
  size: number;
}

/** A backup that was taken. */
export interface BackupTaken {
  /** Whether it is encrypted. */
  encrypted: boolean;
  /** What is in it. */
  end: End;
  /** The archive. */
  file: string;
  /** Whatever needs an eye. */
  findings: Finding[];
  /** Whose it is. */
  head: Head;
  /** Older archives that were given up, as `backup.keep_*` says. */
  removed: string[];
  /** How long it took, in seconds. */
  seconds: number;
  /** Its size in bytes. */
  size: number;
  /** How long services stood still for it, in milliseconds; absent where nobody was asked. */
  stood_still_ms: number | null;
  /** Whether it was read again and found whole. */
  verified: boolean;
}

/** What came of one deployment of several: what fails for one does not keep the others from it. */
export type BackupTakenOrFailure = BackupTaken | {
  /** The deployment. */
  directory: string;
  /** Why. */
  error: Failure;
};

/** The backups of a deployment. */
export interface Backups {
  /** How old that is, in seconds. */
  age: number | null;
  /** How many there are. */
  count: number;
  /** Where they lie. */
  directory: string;
  /** The newest one. */
  newest: string | null;
}

/**
 * `[bimi]`: the logo that mail programs show beside mail that passes DMARC
 * (draft-brand-indicators-for-message-identification).
 */
export interface Bimi {
  /** Where the certificate for it lies (VMC or CMC, PEM). Gmail and Apple show no logo without one. */
  certificate: string | null;
  /** Where it lies: a square SVG of the profile Tiny PS. Without it there is no record. */
  logo: string | null;
}

/** A number of bytes; `25GB` is 25 · 10⁹, `25GiB` is 25 · 2³⁰. */
export type Bytes = BytesSchema;

/** `Bytes` as a file may write it. */
export type BytesSchema = number | string;

/** Mail that was taken along from one tree into another. */
export interface Carried {
  /** Mailboxes that got some. */
  mailboxes: string[];
  /** How many messages. */
  messages: number;
  /** How many messages were there already. */
  there: number;
  /** Mailboxes that were taken over as a whole, because they were not there. */
  whole: string[];
}

/** Why a service is not well. */
export interface Cause {
  /** How it last ended. */
  exit_code: number | null;
  /** The last words of its health check. */
  health_output: string | null;
  /** The last lines that it wrote. */
  last_lines: string[];
  /** Whether the kernel ended it for want of memory. */
  out_of_memory: boolean;
  /** In a sentence. */
  why: string;
}

/** What a certificate says. */
export interface Certificate {
  /** How many certificates come with it, itself included. */
  chain: number;
  /** Whether each of them is issued by the next. */
  chain_in_order: boolean;
  /** Whole days until it ends; negative once it has. */
  days_left: number;
  /** SHA-256 of it, in hexadecimal. */
  fingerprint: string;
  /** Who issued it. */
  issuer: string;
  /** The names it is for. */
  names: string[];
  /** When it ends, RFC 3339 in UTC. */
  not_after: string;
  /** When it begins, RFC 3339 in UTC. */
  not_before: string;
  /** Whether it is its own issuer. */
  own_issuer: boolean;
  /** Whether this program made it to start with. */
  self_signed: boolean;
  /** Whether it has not begun yet. */
  too_early: boolean;
}

/** The certificates of a deployment. */
export interface CertificateReport {
  /** The deployment's directory. */
  directory: string;
  /** What needs an eye, and what is worth knowing. */
  findings: Finding[];
  /** The deployment's mail host. */
  mail_host: string;
  /** `tls.mode`. */
  mode: string;
  /** The names that a certificate must be for. */
  needed: string[];
  /** The pairs that front has. */
  pairs: Pair[];
  /** What was found to be served. */
  served: Served[];
  /** What they are taken from. */
  source: Source | null;
}

/** What came of one deployment of several: what fails for one does not keep the others from it. */
export type CertificateReportOrFailure = CertificateReport | {
  /** The deployment. */
  directory: string;
  /** Why. */
  error: Failure;
};

/** What was done about the certificate of a deployment. */
export interface CertificateSync {
  /** Whether anything was. */
  changed: boolean;
  /** What became of front. */
  front: FrontReload;
  /** The steps that were done. */
  plan: Plan;
  /** How things are now. */
  report: CertificateReport;
}

/** What came of one deployment of several: what fails for one does not keep the others from it. */
export type CertificateSyncOrFailure = CertificateSync | {
  /** The deployment. */
  directory: string;
  /** Why. */
  error: Failure;
};

/** How the findings differ from those of the diagnosis before. */
export interface Changes {
  /** What was not found then. */
  appeared: Finding[];
  /** What was found only then. */
  gone: Remembered[];
  /** When the diagnosis before was made, RFC 3339 in UTC; absent where there is none. */
  since: string | null;
}

/** How a check ended. */
export type CheckOutcome =
  /** Nothing stands against it. */
  | 'passed'
  /** It will run; somebody should look at something. */
  | 'warned'
  /** It would not work. */
  | 'failed'
  /** It was not done: on request, or because something else has to be right first. */
  | 'skipped';

/** A record, compared with what name servers say. */
export interface Checked {
  /** Its owner name. */
  fqdn: string;
  /** The record's identifier. */
  id: string;
  /** How much depends on it. */
  level: Level;
  /** What is there instead, or beside it. */
  seen: string[];
  /** How it is. */
  state: RecordState;
  /** Its type. */
  type: string;
  /** What it should say, in one piece and without quotes. */
  wanted: string | null;
  /** Its zone. */
  zone: string;
}

export type ClientId = string;

/** How mail is compressed on disk. */
export type Compression =
  /** Not. */
  | 'none'
  /** gzip. */
  | 'gz'
  /** bzip2. */
  | 'bz2'
  /** Zstandard. */
  | 'zstd';

/** One deployment: everything that is not a secret. */
export interface WholeConfig {
  /** The first administrator. An address in one of the email domains. */
  admin_email: EmailAddress;
  /** Backups: where they are written, who can read them, which are kept. */
  backup: Backup;
  /** The logo beside mail. */
  bimi: Bimi;
  /** The tenant. None: the agency's own mail. */
  client: ClientId | null;
  /** What a diagnosis does not have to tell. */
  diagnose: Diagnose;
  /** The DMARC record. */
  dmarc: Dmarc;
  /** What the DNS records need to know. */
  dns: Dns;
  /** The part after the `@`. */
  email_domain: EmailDomain;
  /** Further email domains. */
  email_domains: EmailDomain[];
  /** Further variables for `mailu.env`, by Mailu's names. */
  env: { [name: string]: string };
  /** Further public names of the server. */
  hostnames: MailHost[];
  /** Where images come from. */
  images: Images;
  /** Sizes and rates. */
  limits: Limits;
  /** Logging. */
  logs: Logs;
  /** How mail is treated. */
  mail: Mail;
  /** The public name of the server. */
  mail_host: MailHost;
  /** The policy for verified TLS between servers. */
  mta_sts: MtaSts;
  /** Docker networks. */
  network: Network;
  /** The mail ports and how they are reached. */
  ports: Ports;
  /** The postmaster's part before the `@`. Default: the administrator's. */
  postmaster: LocalPart | null;
  /** Compose project and prefix of container names. Default: `mailu`, with a client `mailu_CLIENT`. */
  project: ProjectName | null;
  /** Another server that takes outgoing mail. */
  relay: Relay;
  /** What runs. */
  services: Services;
  /** Time zone of the containers. UTC makes logs comparable with those of other servers. */
  timezone: string;
  /** Who terminates TLS. */
  tls: Tls;
  /** Reports about deliveries over TLS. */
  tls_rpt: TlsRpt;
  /** Where Traefik lives. */
  traefik: Traefik;
  /** Mailu's release. */
  version: string;
  /** The web interfaces. */
  web: Web;
  /** A message to each new user. */
  welcome: Welcome;
}

/** What a container is doing, in Docker's words. */
export type ContainerState =
  /** Made, and never started. */
  | 'created'
  /** Running. */
  | 'running'
  /** Stopped for the time being. */
  | 'paused'
  /** It ended, and the engine is about to start it again. */
  | 'restarting'
  /** Being removed. */
  | 'removing'
  /** It ended. */
  | 'exited'
  /** It could not be removed. */
  | 'dead';

/** How a stage or a negative test ended. */
export type DeliveryOutcome =
  /** As it should. */
  | 'passed'
  /** Not as it should; what comes after was not tried. */
  | 'failed'
  /** There was nothing to try, or no need. */
  | 'skipped'
  /** It could not be found out. */
  | 'unknown';

/** What came of a test message. */
export interface DeliveryReport {
  /** Whether the message is known to have come through: to the mailbox, or to the other server. */
  delivered: boolean;
  /**
   * 0: it came through, and what must be refused was; 1: something could not be found out, or needs an eye; from 10 on,
   * the first stage that failed (`Stage::exit_code`); 17: something was accepted that must not be.
   */
  exit_code: number;
  /** What is wrong, why, and what to type. */
  findings: Finding[];
  /** The sender, who logged in. */
  from: string;
  /** The mail host. */
  mail_host: string;
  /** Its Message-ID. */
  message_id: string;
  /** What was tried that a server must refuse. */
  negative: Negative[];
  /** Its names in Postfix's queue. */
  queue_ids: string[];
  /** What stands at the message's head. */
  results: Results;
  /** The form of this report; another number once it changes incompatibly. */
  schema: number;
  /** The stages that were reached, in order. */
  stages: DeliveryStep[];
  /** The subject. */
  subject: string;
  /** The recipient. */
  to: string;
}

/** A stage on the way of a message, in order. */
export type DeliveryStage =
  /** Connecting to a submission port, TLS included. */
  | 'connect'
  /** Logging in there. */
  | 'login'
  /** The server accepts the message. */
  | 'submit'
  /** It is in Postfix's queue. */
  | 'queue'
  /** Postfix hands it on: to the mailbox, or to another server. */
  | 'deliver'
  /** It can be read over IMAP. */
  | 'arrive'
  /** What receivers make of where it comes from. */
  | 'authenticate';

/** What a stage gave. */
export interface DeliveryStep {
  /** What was seen, mostly in a server's words. */
  detail: string;
  /** How long it took. */
  milliseconds: number;
  /** How it ended. */
  outcome: DeliveryOutcome;
  /** Which. */
  stage: DeliveryStage;
}

/** What was done, or in a dry run would be done, before an installation. */
export interface Dependencies {
  /** Warnings and notices. */
  findings: Finding[];
  /** Whether they were performed. */
  performed: boolean;
  /** The steps. */
  steps: DependencyStep[];
}

/** What a step does. */
export type DependencyStep = {
  action: 'mend_packages';
} | {
  action: 'update_lists';
} | {
  action: 'install_packages';
  /** Their names. */
  packages: string[];
} | {
  action: 'start_engine';
} | {
  action: 'await_engine';
} | {
  action: 'make_network';
  /** The command that does the same. */
  command: string;
  /** Its name. */
  name: string;
} | {
  action: 'make_directory';
  /** Which. */
  path: string;
} | {
  action: 'write_file';
  /** Which. */
  path: string;
} | {
  action: 'start_traefik';
  /** Its directory. */
  directory: string;
} | {
  action: 'await_traefik';
};

/** A deployment in a list. */
export interface DeploymentInfo {
  /** Its client. */
  client: string | null;
  /** Its directory. */
  directory: string;
  /** Its email domains, the main one first. */
  email_domains: string[];
  /** Its mail host, by the name of its directory. */
  mail_host: string;
  /** `installed`, `incomplete`, `uninstalled` or `invalid`. */
  state: string;
  /** TLS mode. */
  tls: string | null;
  /** Mailu's release. */
  version: string | null;
}

/** What a person needs to know about a deployment. */
export interface Details {
  /** The first administrator's login. */
  admin_email: string;
  /** The command that prints it. */
  admin_password_command: string;
  /** The file with the first administrator's password. */
  admin_password_file: string;
  /** The admin interface, if it is served. */
  admin_url: string | null;
  /** The API, if it is served. */
  api_url: string | null;
  /** The configuration with every default. */
  config: WholeConfig;
  /** Its directory. */
  directory: string;
  /** Its mail host. */
  mail_host: string;
  /** The directory of its secrets. */
  secrets: string;
  /** The webmail, if it is served. */
  webmail_url: string | null;
}

/** `[diagnose]` */
export interface Diagnose {
  /**
   * Findings of `mailu diagnose` to live with: `spf.all@example.com until 2027-01-31: the newsletter service is being
   * moved`.
   */
  ignore: string[];
}

/** A diagnosis. */
export interface Diagnosis {
  /** When it was made, RFC 3339 in UTC. */
  at: string;
  /** The checks, in the order in which they were judged. */
  checks: DiagnosisCheck[];
  /** Its client. */
  client: string | null;
  /** What is wrong, worst first, causes only. */
  findings: Finding[];
  /** Whether nothing was found that needs an eye. */
  healthy: boolean;
  /** What somebody has decided to live with. */
  ignored: Ignored[];
  /** The deployment's mail host. */
  mail_host: string;
  /** Version of this format. */
  schema: number;
  /** What follows from those. */
  silenced: Silenced[];
  /** What could not be found out. */
  unknown: Unknown[];
  /** What is new and what is gone; absent where nobody asked. */
  changes?: Changes;
}

/** A check and how it ended. */
export interface DiagnosisCheck {
  /** What it looks at. */
  about: string;
  /** The check's name. */
  id: string;
  /** How it ended. */
  outcome: DiagnosisOutcome;
  /** What was seen, in a few words. */
  summary: string;
}

/** How a check ended. */
export type DiagnosisOutcome =
  /** All is well. */
  | 'passed'
  /** Somebody should look at something. */
  | 'warned'
  /** Something does not work. */
  | 'failed'
  /** It could not be found out, at least not all of it. */
  | 'unknown'
  /** It was not done. */
  | 'skipped';

/** An attribute that becomes something else. */
export interface Difference {
  /** Its name, as Mailu calls it. */
  field: string;
  /** What it is; null where there is nothing yet. */
  from: unknown;
  /** What it becomes. */
  to: unknown;
}

/** The disk on which a deployment's data lies. */
export interface Disk {
  /** Whether those two are complete: large directories are not counted to the end. */
  counted: boolean;
  /** What is free of it, in bytes. */
  free: number;
  /** What the mailboxes take, in bytes. */
  mail: number | null;
  /** What the mail queue takes, in bytes. */
  queue: number | null;
  /** Its size in bytes. */
  total: number;
}

/** `[dmarc]`: the DMARC record. */
export interface Dmarc {
  /** DKIM alignment: `strict` or `relaxed`. */
  dkim_alignment: Alignment;
  /** `none`, `quarantine` or `reject`. */
  policy: DmarcPolicy;
  /** Mailbox for aggregate reports, by its part before the `@`, at the email domain. */
  rua: LocalPart | null;
  /** Mailbox for failure reports. */
  ruf: LocalPart | null;
  /** SPF alignment: `strict` or `relaxed`. */
  spf_alignment: Alignment;
  /** The same for subdomains. */
  subdomain_policy: DmarcPolicy;
}

/** What receivers are asked to do with mail that fails DMARC (RFC 9989 §4.7). */
export type DmarcPolicy =
  /** Nothing; only report. */
  | 'none'
  /** Treat as suspicious. */
  | 'quarantine'
  /** Refuse. */
  | 'reject';

/** `[dns]`: what the DNS records need to know. */
export interface Dns {
  /**
   * Domains whose mail is that of an email domain (Mailu's alternatives): `example.net`, or `example.net=example.org`
   * where it is not that of `email_domain`. Only for their DNS records: Mailu's admin interface makes the alternative.
   */
  alternatives: string[];
  /** Serve automatic client setup below `autoconfig.` and `autodiscover.` of each email domain. */
  autoconfig: boolean;
  /**
   * Certificate authorities that may issue for the mail host, by their names in CAA records. Where Mailu gets the
   * certificate itself (modes `letsencrypt` and `passthrough`), Let's Encrypt is among them anyway. List every one that
   * Traefik uses.
   */
  caa: string[];
  /**
   * Addresses that mail leaves from, where they are not the mail host's: NAT, a second address. They come into SPF
   * records.
   */
  egress: string[];
  /** The server's public IPv4 address. */
  ipv4: string | null;
  /** The server's public IPv6 address. Only if mail works over it both ways. */
  ipv6: string | null;
  /** Name servers for the SOA and NS lines of complete zone files. */
  nameservers: MailHost[];
  /** Names that neither send nor receive mail: their records say so, and nobody can pretend to be them. */
  parked: EmailDomain[];
  /** DKIM selector. */
  selector: Selector;
  /** More mechanisms for the SPF record, before `all`: what else sends for these domains. */
  spf: string[];
  /** `fail` (`-all`) or `softfail` (`~all`). */
  spf_all: SpfAll;
  /** Seconds that resolvers may keep a record. */
  ttl: number;
  /** Zones that you have. Default: each name's registrable domain. */
  zones: EmailDomain[];
}

/** DNS records in files. */
export interface DnsExported {
  /** The files. */
  files: string[];
  /** How the records are published, if that was looked at. */
  check?: PublishedReport;
}

/** What all records have. */
export interface RecordFields {
  /** The strings of a TXT record. */
  chunks: string[];
  /** What must hold for it, or what keeps it from being complete. */
  condition: string | null;
  /** The full owner name, without the final dot. */
  fqdn: string;
  /** Stable: `example.com/MX`. */
  id: string;
  level: Level;
  /** Relative to the zone; `@` is the zone itself. */
  name: string;
  /** Seconds. */
  ttl: number;
  /** The presentation form of zone files; nothing as long as it is not known. */
  value: string | null;
  /** Why it is there, and what it does. */
  why: string;
  /** The zone it belongs to. */
  zone: string;
}

/** All records of a deployment, by zone. */
export interface DnsReport {
  /** The deployment. */
  mail_host: string;
  /** Version of this format. */
  schema: number;
  /** One entry for each zone that somebody has to edit. */
  zones: DnsZone[];
}

/** DNS records in a form for programs or people. */
export interface DnsText {
  /** What a file with it is called: `example.com.yaml`. */
  name: string;
  /** What is in it. */
  text: string;
  /** Whose records they are; empty where they are those of all zones. */
  zone: string;
}

/** The records of one zone. */
export interface DnsZone {
  /** Its records. */
  records: DnsRecord[];
  /** The zone's name. */
  zone: string;
}

/** An email domain of the server. */
export interface Domain {
  /** Its name. */
  name: EmailDomain;
  /** Domains whose addresses are the same as this one's. */
  alternatives?: string[];
  /** A note, 255 characters at most. */
  comment?: string;
  /** Users who may manage it in the admin interface. */
  managers?: string[];
  /** How many aliases it may have; -1: as many as you like. */
  max_aliases?: number;
  /** The largest quota of a user, in bytes; 0: any. */
  max_quota_bytes?: number;
  /** How many users it may have; -1: as many as you like. */
  max_users?: number;
  /** Whether people may sign up themselves. */
  signup_enabled?: boolean;
}

/** What became of a service. */
export type Done =
  /** Its container was left alone. */
  | 'unchanged'
  /** Its container was started as it was. */
  | 'started'
  /** Its container was restarted. */
  | 'restarted'
  /** It has a container for the first time. */
  | 'created'
  /** Its container was replaced. */
  | 'recreated';

/** One value that was drawn, to be written into `mailu.toml`. */
export interface Drawn {
  /** The key: `network.subnet`. */
  key: string;
  /** The value. */
  value: string;
}

export type EmailAddress = string;

export type EmailDomain = string;

/** What an archive ends with. */
export interface End {
  /** The bytes in all files. */
  bytes: number;
  /** How many of them are files. */
  files: number;
  /** SHA-256 of the member `FILES`. */
  files_sha256: string;
  /** How many members there are between head and list. */
  members: number;
  /** How many are messages. */
  messages: number;
}

/** `[traefik.entrypoints]`: the names of Traefik's entry points. */
export interface EntryPoints {
  /** Port 143. */
  imap: ObjectName;
  /** Port 993. */
  imaps: ObjectName;
  /** Port 110. */
  pop3: ObjectName;
  /** Port 995. */
  pop3s: ObjectName;
  /** Port 4190. */
  sieve: ObjectName;
  /** Port 25. */
  smtp: ObjectName;
  /** Port 587. */
  submission: ObjectName;
  /** Port 465. */
  submissions: ObjectName;
  /** Port 80. */
  web: ObjectName;
  /** Port 443. */
  websecure: ObjectName;
}

/** What an `Error` is about, for callers that branch. */
export type ErrorKind =
  /** Something that was given is wrong; the findings say what. */
  | 'invalid_input'
  /** There is no such deployment, file or key. */
  | 'not_found'
  /** What is there and what is wanted exclude each other; nothing was changed. */
  | 'conflict'
  /** Reading or writing a file failed. */
  | 'io'
  /** A file of ours is damaged. */
  | 'corrupt'
  /** Docker or Compose is missing or refused. */
  | 'docker'
  /** A mistake in this program. */
  | 'internal';

/** Something that is heard while an operation runs. */
export type Progress<Item = unknown> =
  | {
  kind: 'step';
  /** Which, from 1. */
  number: number;
  /** It, in words. */
  text: string;
  /** Of how many. */
  total: number;
}
  | {
  kind: 'stage';
  /** Its name. */
  stage: string;
}
  | {
  kind: 'said';
  /** A sentence. */
  line: string;
}
  | {
  /** It; its type is the operation's. */
  item: Item;
  kind: 'item';
};

/** How a program in a container ended. */
export interface Executed {
  /** Its exit code. */
  exit_code: number;
  /** The service. */
  service: string;
  /** What it wrote to its error output; empty where that went through. */
  stderr: string;
  /** What it wrote to its output; empty where that went through. */
  stdout: string;
}

/** Accounts written down. */
export interface Exported {
  /** The file that it is in instead. */
  file?: string;
  /** The text, where it was not written into a file. */
  text?: string;
}

/** Something that was seen to work. */
export interface Fact {
  /** Stable: `relay_refused`. */
  id: string;
  /** What was seen, and where. */
  message: string;
}

/** An `Error` as plain data. */
export interface Failure {
  /** Why it failed, if something else made it fail. */
  cause: string | null;
  /** Stable, dotted: `config.invalid`. */
  code: string;
  /** Everything that is wrong, where that is a list. */
  findings: Finding[];
  /** What to type next. */
  hints: string[];
  /** What it is about. */
  kind: ErrorKind;
  /** What was attempted on what. */
  message: string;
}

/** An attribute, as it is told to other languages. */
export interface FieldInfo {
  /** What it is. */
  doc: string;
  /** How a value of it is written in `accounts.toml`. */
  example: string;
  /** Mailu's name for it, also in JSON. */
  name: string;
}

/** A disagreement about a file. */
export interface FileConflict {
  /** The file, relative to the deployment's directory. */
  file: string;
  /** What to type. */
  hints: string[];
  /** What we wrote last; absent if we never set it, or if that is not known. Secrets as `***`. */
  base?: string;
  /** The key of `mailu.toml` that sets the variable, if one does. */
  key?: string;
  /** The variable. */
  name?: string;
  /** What we want now. Secrets as `***`. */
  ours?: string;
  /** Why it cannot stay as it is. */
  reason?: string;
  /** What stands there. Secrets as `***`. */
  theirs?: string;
}

/** An edit of a file that stays. */
export interface FileOverride {
  /** The file, relative to the deployment's directory. */
  file: string;
  /** The variable. */
  name?: string;
  /** What we would write; absent if we would not set it. Secrets as `***`. */
  ours?: string;
  /** What stands there; absent if it was removed. Secrets as `***`. */
  theirs?: string;
}

/** One judged fact about a configuration, a plan or a running deployment. */
export interface Finding {
  /** Stable, dotted: `config.unknown_key`, `network.overlap`. */
  id: string;
  /** The rule, and why it exists. */
  message: string;
  /** How much it matters. */
  severity: Severity;
  /** What it is about: a key of `mailu.toml` (`tls.mode`), a variable (`mailu.env: LOG_LEVEL`) or a file. */
  subject: string;
  /** What to type or change, most useful first. */
  hints?: string[];
  /** The value found, as written; absent where there is none or where it is a secret. */
  value?: string;
}

/** How all deployments below a root are. */
export interface Fleet {
  /** Each. */
  deployments: StatusReport[];
  /** Whether all of them are healthy. */
  healthy: boolean;
}

/** What became of front when a certificate was looked after. */
export type FrontReload =
  /** Nothing was new, and front is as it was. */
  | 'not_needed'
  /** It does not run, and reads the certificate when it starts. */
  | 'not_running'
  /** It serves the certificate in place. */
  | 'serving'
  /** It was restarted, and serves the certificate in place. */
  | 'restarted'
  /** What it serves could not be seen. */
  | 'unseen'
  /** It does not serve the certificate in place. */
  | 'failed';

/** Whose backup it is, and what made it. */
export interface Head {
  /** The client. */
  client: string | null;
  /**
   * Whether mail, queue and calendars are known to be of one moment: the engine said that the services that write them
   * stood still or did not run.
   */
  consistent: boolean;
  /** When it was begun, RFC 3339 in UTC. */
  created: string;
  /** The email domains, the main one first. */
  email_domains: string[];
  /** `FORMAT` of its writer. */
  format: number;
  /** The images that the services had. */
  images: { [name: string]: string };
  /** The mail host. */
  mail_host: string;
  /** Mailu's release. */
  mailu_version: string;
  /** The program that wrote it, with its version. */
  program: string;
  /** Alembic's revision of Mailu's database; absent where there is no database yet. */
  schema_head: string | null;
}

/** What a container's health check says. */
export type Health =
  /** It has none. */
  | 'none'
  /** It did not succeed yet, and may still take its time. */
  | 'starting'
  /** It succeeds. */
  | 'healthy'
  /** It failed several times in a row. */
  | 'unhealthy';

/** What a diagnosis lives with. */
export interface IgnoreRules {
  /** The rules, as they stand in `mailu.toml`. */
  ignore: string[];
}

/** A finding that somebody has decided to live with. */
export interface Ignored {
  /** The finding. */
  finding: Finding;
  /** Why. */
  reason: string;
  /** The last day, `YYYY-MM-DD`. */
  until: string | null;
}

/** `[images]`: where images come from. */
export interface Images {
  /** ClamAV. */
  clamav: string;
  /** Text before each of their names. */
  prefix: Prefix;
  /** Redis. */
  redis: string;
  /** Registry and organisation of Mailu's images. */
  registry: Registry;
  /** Apache Tika. */
  tika: string;
  /** Traefik, where `install --with-deps` installs one. */
  traefik: string;
}

/** What an installation did, or in a dry run would do. */
export interface Installed {
  /** The deployment. */
  details: Details;
  /** The DNS records to publish. */
  dns: DnsReport;
  /** What to do next, in this order. */
  next: NextStep[];
  /** Whether it was performed. */
  performed: boolean;
  /** The plan. */
  plan: Plan;
  /** Which containers would be touched, where that was only planned; what only Compose can tell is not among them. */
  containers?: ServiceRun[];
  /** What was installed before; absent where that was not asked for. */
  dependencies?: Dependencies;
  /** What was found on this host before; absent where it was not to be started. */
  preflight?: PreflightReport;
  /** What bringing it up did and found; absent where that was not asked for. */
  run?: Run;
  /** What is worth knowing of the timers. */
  timers?: Finding[];
}

/** What became of an app. */
export interface Integrated {
  /** The app. */
  app: string;
  /** Whether anything differed from what it should be. */
  changed: boolean;
  /** What needs an eye. With an error among them, the app does not send. */
  findings: Finding[];
  /** What stands in `From:`. */
  from: string;
  /** Who logs in. */
  login: string;
  /** What to do, and what to know. */
  notes: string[];
  /** Everything it needs, with what happens to each. */
  parts: Part[];
  /** Whether it was done. */
  performed: boolean;
  /** How far it was shown that it sends. */
  proof: Proof;
  /** Which of several. */
  site?: string;
  /** The app's version, where it is known. */
  version?: string;
}

/** An IPv4 or IPv6 address with prefix length */
export type IpNet = Ipv4Net | Ipv6Net;

/** An IPv4 address with prefix length */
export type Ipv4Net = string;

/** An IPv6 address with prefix length */
export type Ipv6Net = string;

/** A backup, and why it is kept. */
export interface KeptArchive {
  /** Its name. */
  name: string;
  /** For which rules it is kept: `last`, `daily`, `weekly`, `monthly`; none if it goes. */
  rules: string[];
}

/** Something that stays. */
export interface KeptPlace {
  /** Where it is. */
  place: string;
  /** What it is. */
  what: string;
}

/** Whether a key belongs to its certificate. */
export type KeyFit =
  /** It does. */
  | 'matches'
  /** It is another certificate's. */
  | 'other'
  /** It is no private key that can be read. */
  | 'unreadable'
  /** There is none. */
  | 'missing';

/** How much depends on a record. */
export type Level =
  /** Mail does not work, or is refused by large receivers, without it. */
  | 'required'
  /** Large receivers or mail programs profit from it. */
  | 'recommended'
  /** For those who want it. */
  | 'optional';

/** `[limits]` */
export interface Limits {
  /** Failed logins by unknown accounts from one network (/24, IPv6 /48). */
  auth_per_ip: string;
  /** Failed logins of one account. */
  auth_per_user: string;
  /**
   * Users for whom `messages` does not count: those by which newsletters go out. `mailu integrate APP --exempt` adds an
   * app's.
   */
  exempt: EmailAddress[];
  /** Largest message, encoded. Attachments can be about a third smaller. */
  message_size: Bytes;
  /** Recipients that one user may write to. */
  messages: string;
  /** Quota of a new mailbox. `0` is unlimited. */
  quota: Bytes;
}

export type LocalPart = string;

/** Docker's log driver. `docker logs` reads all three. */
export type LogDriver =
  /** Files beside the container, rotated at 10 MB, five kept. */
  | 'json-file'
  /** Docker's compact files, rotated. */
  | 'local'
  /** systemd's journal; the host must have one. */
  | 'journald';

/** A line that a service wrote. */
export interface LogEntry {
  /** When, RFC 3339 in UTC. */
  at: string;
  /** Its container. */
  container: string;
  /** The service. */
  service: string;
  /** The line. */
  text: string;
}

/** Threshold of Mailu's own log lines. */
export type LogLevel =
  /** Only what stops a service. */
  | 'critical'
  /** Failures. */
  | 'error'
  /** Doubtful things. */
  | 'warning'
  /** Logins and deliveries too. Monitoring needs it. */
  | 'info'
  /** Everything. */
  | 'debug';

/** `[logs]` */
export interface Logs {
  /** Docker's log driver: `json-file`, `local` or `journald`. */
  driver: LogDriver;
  /** Mailu's threshold: `critical`, `error`, `warning`, `info` or `debug`. */
  level: LogLevel;
}

/** `[mail]`: how mail is treated. */
export interface Mail {
  /** Compression of stored mail: `none`, `gz`, `bz2` or `zstd`. */
  compression: Compression;
  /** Its level, 1 to 9. */
  compression_level: number | null;
  /** Seconds between two fetches from other servers. */
  fetchmail_delay: number;
  /** Characters that separate a mailbox from a tag: `jane+shop@example.com`. */
  recipient_delimiter: string;
  /** Refuse unknown local recipients of authenticated senders at once instead of bouncing. */
  reject_unlisted_recipient: boolean;
  /** Languages for full-text search. */
  search_languages: string[];
  /** Score in percent from which mail counts as spam for a new user. */
  spam_threshold: number;
}

export type MailHost = string;

/** `[mta_sts]`: the policy by which other servers deliver here over verified TLS only (RFC 8461). */
export interface MtaSts {
  /** Seconds that other servers keep the policy, at most 31557600. Short ones protect little: use weeks with `enforce`. */
  max_age: number;
  /**
   * `off`, `testing` (failures are only reported, see `tls_rpt.rua`), `enforce` (other servers keep mail back unless
   * the certificate on port 25 is valid) or `none` (withdraws a policy: keep it for the old `max_age` before `off`).
   * Front serves the policy as `https://mta-sts.` and each email domain, so those names must lead here. Off by default:
   * a wrong policy keeps mail away for as long as `max_age`, so begin with `testing`.
   */
  mode: MtaStsMode;
}

/** What other servers do that cannot deliver here over verified TLS (RFC 8461 §5). */
export type MtaStsMode =
  /** No policy is published. */
  | 'off'
  /** They deliver, and report. */
  | 'testing'
  /** They do not deliver. */
  | 'enforce'
  /** The policy is withdrawn (RFC 8461 §8.3). */
  | 'none';

/** Something that a server must refuse. */
export interface Negative {
  /** What was seen, mostly in the server's words. */
  detail: string;
  /** How long it took. */
  milliseconds: number;
  /** `relay`, `auth_on_25` or `forged_sender`. */
  name: string;
  /** `passed`: it was refused. */
  outcome: DeliveryOutcome;
}

/** `[network]`: Docker networks. Drawn once from the pool, then kept. */
export interface Network {
  /** The network through which published ports enter. */
  access: Ipv4Net | null;
  /** The virus scanner's network. */
  clamav: Ipv4Net | null;
  /** The attachment reader's network. */
  fts_attachments: Ipv4Net | null;
  /** Give the main network IPv6. */
  ipv6: boolean;
  /** The macro scanner's network. */
  oletools: Ipv4Net | null;
  /** Where subnets are drawn from: one /24 for each deployment, the last one for Traefik's network. */
  pool: Ipv4Net[];
  /** The WebDAV server's network. */
  radicale: Ipv4Net | null;
  /** The main network: Mailu's SUBNET. Whatever has an address in it may relay. */
  subnet: Ipv4Net | null;
  /** Its IPv6 subnet: Mailu's SUBNET6. Default: a unique local one derived from the mail host. */
  subnet6: Ipv6Net | null;
  /** The webmail's network. */
  webmail: Ipv4Net | null;
}

/** Something that is left to a person. */
export interface NextStep {
  /** What to type. */
  command: string;
  /** What it is for. */
  why: string;
}

export type ObjectName = string;

/** What came of it. */
export interface Operated {
  /** What was done. */
  action: Power;
  /** Whether the services are as they should be now. */
  done: boolean;
  /** Whatever needs an eye. */
  findings: Finding[];
  /** The mail host. */
  mail_host: string;
  /** How long that took, in seconds. */
  seconds: number;
  /** The services. */
  services: Service[];
}

/** Where the pair that front has comes from. */
export type Origin =
  /** Made here, to keep front alive until there is a real one. */
  | 'self_signed'
  /** Taken from Traefik's store. */
  | 'traefik'
  /** Copied from `tls.certificate` and `tls.key`. */
  | 'files'
  /** Mailu's own, from Let's Encrypt. */
  | 'lets_encrypt'
  /** Somebody put it there. */
  | 'by_hand'
  /** Of two different pairs: a run was interrupted between the two files. */
  | 'interrupted'
  /** There is none. */
  | 'missing';

/** What an operation did, or in a dry run would do. */
export interface Outcome {
  /** The deployment. */
  details: Details;
  /** The DNS records to publish. */
  dns: DnsReport;
  /** What to do next, in this order. */
  next: NextStep[];
  /** Whether it was performed. */
  performed: boolean;
  /** The plan. */
  plan: Plan;
  /** Which containers would be touched, where that was only planned; what only Compose can tell is not among them. */
  containers?: ServiceRun[];
  /** What was found on this host before; absent where it was not to be started. */
  preflight?: PreflightReport;
  /** What bringing it up did and found; absent where that was not asked for. */
  run?: Run;
}

/** A certificate and its key, as files. */
export interface Pair {
  /** The certificate, if it can be read. */
  certificate: Certificate | null;
  /** Whether the key is its own. */
  key: KeyFit;
  /** The key's file. */
  key_path: string;
  /** Where they come from. */
  origin: Origin;
  /** The chain's file, relative to the deployment's directory. */
  path: string;
}

/** A part of what an app needs. */
export interface Part {
  /** What happens to it. */
  action: PartAction;
  /** `mailbox`, `alias`, `token`, `route`, `exemption`, `settings` or `record`. */
  kind: string;
  /** Which. */
  name: string;
  /** More of it, without secrets. */
  details?: string[];
}

/** What happens to a part. */
export type PartAction =
  /** It is as it should be. */
  | 'keep'
  /** It is made. */
  | 'create'
  /** It is changed. */
  | 'change'
  /** It is taken away. */
  | 'remove';

/** What has to be done, in order. */
export interface Plan {
  /** Disagreements. While there is one, nothing is performed. */
  conflicts: FileConflict[];
  /** The deployment's directory. */
  directory: string;
  /** Values that were drawn and are kept in `mailu.toml`. */
  drawn: Drawn[];
  /** Warnings and notices. */
  findings: Finding[];
  /** The deployment's mail host. */
  mail_host: string;
  /** Edits that stay. */
  overrides: FileOverride[];
  /** The steps. None: nothing to do. */
  steps: Step[];
}

/** `[ports]`: the mail ports and how they are reached. */
export interface Ports {
  /** The host's IPv4 address on which Docker publishes ports. */
  address: string;
  /** The host's IPv6 address on which Docker publishes ports. Needs `network.ipv6`. */
  address6: string | null;
  /** Mail ports to offer, out of 25 110 143 465 587 993 995 4190. */
  mail: (25 | 465 | 587 | 143 | 993 | 110 | 995 | 4190)[];
  /** `traefik` or `published`. Default: as web traffic. */
  via: Via | null;
}

/** What is to be done with services. */
export type Power =
  /** Start those that do not run; make the container of one that has none. */
  | 'start'
  /** Stop them. */
  | 'stop'
  /** Stop and start them. */
  | 'restart';

/** Text before image names; often empty. */
export type Prefix = string;

/** A check that was done, or skipped. */
export interface PreflightCheck {
  /** Its identifier. */
  id: string;
  /** How it ended. */
  outcome: CheckOutcome;
  /** What was seen. */
  summary: string;
}

/** What all checks found. */
export interface PreflightReport {
  /** Every check. */
  checks: PreflightCheck[];
  /** Everything that was found, errors first. */
  findings: Finding[];
  /** The deployment's mail host. */
  mail_host: string;
  /** Whether nothing keeps the deployment from running. */
  ready: boolean;
  /** The checks that were left out on request. */
  skipped: string[];
}

export type ProjectName = string;

/** How far it was shown that the app sends. */
export type Proof =
  /** Not at all: it was not tried. */
  | 'none'
  /** The server takes mail with this login and these addresses. The app itself has not sent. */
  | 'server'
  /** The server has taken a message that the app itself has sent. */
  | 'sent'
  /** A message that the app itself has sent has arrived. */
  | 'arrived';

/** What was given up. */
export interface Pruned {
  /** Every archive, the newest first, with the rules that keep it. */
  archives: KeptArchive[];
  /** Whether it was only asked what would go. */
  dry_run: boolean;
  /** Those that went, or would go. */
  removed: string[];
}

/** The result of a check. */
export interface PublishedReport {
  /** Whether every required record is there and right. */
  complete: boolean;
  /** What is wrong, worst first, each with what to change. */
  findings: Finding[];
  /** The deployment. */
  mail_host: string;
  /** The records, in the order of the generator. */
  records: Checked[];
  /** Version of this format. */
  schema: number;
  /** Whether something could not be found out. */
  uncertain: boolean;
}

/** What waits in Postfix's queue. */
export interface Queue {
  /** How many bytes. */
  bytes: number;
  /** How many messages. */
  messages: number;
  /** When the oldest arrived, in seconds since 1970. */
  oldest: number | null;
  /** How many messages in each of Postfix's queues: `active`, `deferred`, `hold`, `incoming`. */
  queues: { [name: string]: number };
  /** Why recipients wait, most frequent first. */
  reasons: QueueReason[];
}

/** Why recipients wait. */
export interface QueueReason {
  /** In Postfix's or the other server's words. */
  reason: string;
  /** How many recipients. */
  recipients: number;
}

/** How a record is. */
export type RecordState =
  /** It is there, at every name server, and says what it should. */
  | 'right'
  /** It is there, and says something else that does no harm. */
  | 'accepted'
  /** It is at some name servers only. */
  | 'partial'
  /** It is not there. */
  | 'missing'
  /** What is there is wrong. */
  | 'wrong'
  /** It could not be found out. */
  | 'unknown'
  /** It is not known yet what it should say. */
  | 'open';

/** Registry and organisation: `ghcr.io/mailu`. */
export type Registry = string;

/** `[relay]`: another server that takes outgoing mail, and networks that may send without a password. */
export interface Relay {
  /** `[host]:port`. Empty: deliver directly. */
  host: string | null;
  /** Networks whose hosts may send without a password. */
  networks: string[];
  /** User at that server. The password is a secret: `mailu install --relay-password-file FILE`. */
  user: string | null;
}

/** A relayed domain. */
export interface RelayedDomain {
  /** Its name. */
  name: EmailDomain;
  /** A note, 255 characters at most. */
  comment?: string;
  /** The server that its mail goes to, `HOST` or `HOST:PORT`; empty: DNS says. */
  smtp?: string;
}

/** A finding of an earlier diagnosis. */
export interface Remembered {
  /** Its identifier. */
  id: string;
  /** What it said. */
  message: string;
  /** What it was about. */
  subject: string;
}

/** A generated file. `Debug` leaves out its text. */
export interface RenderedFile {
  /** Permission bits. */
  mode: number;
  /** Relative to the deployment's directory. */
  path: string;
  /** The text. `mailu.env` holds secrets if they were given. */
  text: string;
}

/** One thing that restoring does. */
export interface RestoreStep {
  /** A word for it: `verify`, `stage`, `hold`, `carry`, `swap`, `start`, `keep`; for one mailbox `merge`. */
  action: string;
  /** What it does to what. */
  detail: string;
}

/** What came of restoring. */
export interface Restored {
  /** Mail that had arrived since the backup and is still there; for one mailbox, what was added to it. */
  carried: Carried;
  /** Its client. */
  client: string | null;
  /** The deployment's directory. */
  directory: string;
  /** Whatever needs an eye. */
  findings: Finding[];
  /** The mail host. */
  mail_host: string;
  /** Whether it was done. */
  performed: boolean;
  /** What is done, in order. */
  steps: RestoreStep[];
  /** The archive; absent where an interrupted run was finished without it. */
  archive?: RestoredArchive;
  /** What was there before, kept. */
  kept?: string;
  /** What was found of an interrupted run, and what was done about it. */
  recovered?: string;
  /** The command that removes it. */
  remove_command?: string;
  /** What bringing it up did and found; absent where nothing was started. */
  run?: Run;
}

/** The archive, as it was found. */
export interface RestoredArchive {
  /** Their bytes. */
  bytes: number;
  /** When it was made; absent where it was made by hand. */
  created: string | null;
  /** The file. */
  file: string;
  /** How many files it has. */
  files: number;
  /** Mailu's release. */
  mailu_version: string | null;
  /** How many of them are messages. */
  messages: number;
}

/**
 * What the server that took the message in wrote at its head, each as RFC 8601 names it (`pass`, `fail`, `none` …),
 * and absent where it said nothing. Of a message that was handed in with a login, servers say little: it comes from
 * nowhere else.
 */
export interface Results {
  /** The login with which it was handed in. */
  auth: string | null;
  /** DKIM. */
  dkim: string | null;
  /** DMARC. */
  dmarc: string | null;
  /** The domain and selector with which it is signed, as they stand in DNS. */
  signed: string | null;
  /** SPF. */
  spf: string | null;
}

/** What bringing a deployment up did, and what the running server showed. */
export interface Run {
  /** What was changed beside containers: images, networks, accounts. */
  changes: string[];
  /** What does not work, and what could not be tried. */
  findings: Finding[];
  /** Whether the deployment counts as installed now. */
  installed: boolean;
  /** The services, in the order in which they start. */
  services: ServiceRun[];
  /** The stages that were passed. */
  stages: Stage[];
  /** What was seen to work. */
  verified: Fact[];
}

/** One secret, because somebody asked for it. */
export interface Secret {
  /** Its name. */
  name: string;
  /** What it is. */
  value: string;
}

export type Selector = string;

/** What a port was found to serve. */
export interface Served {
  /** The address that was asked. */
  address: string;
  /** The certificate that it showed. */
  certificate: Certificate | null;
  /** Why it showed none. */
  error: string | null;
  /** Whether it is one that it should show; nothing where that is not known. */
  expected: boolean | null;
  /** The port. */
  port: number;
}

/** A service of a deployment. */
export interface Service {
  /** Why it is not well. */
  cause: Cause | null;
  /** Its container's name. */
  container: string;
  /** The image's digests in registries; none for an image that was made here. */
  digests: string[];
  /** How its container differs from what the files say, in words; it stays so until it is made anew. */
  drift: string[];
  /** What its health check says. */
  health: Health | null;
  /** The image that it should have. */
  image: string;
  /** The identifier of the image that it has. */
  image_id: string | null;
  /** How it is. */
  level: ServiceLevel;
  /** Its name. */
  name: string;
  /** How often the engine has started it again by itself. */
  restarts: number;
  /** Since when it runs, or does not: RFC 3339. */
  since: string | null;
  /** What the container is doing; absent without one. */
  state: ContainerState | null;
  /** What it uses. */
  usage: Usage | null;
}

/** How a service is. */
export type ServiceLevel =
  /** It runs, and its health check, if it has one, succeeds. */
  | 'well'
  /** It runs, and its health check did not succeed yet. */
  | 'starting'
  /** It runs, and does not do its work. */
  | 'failing'
  /** It ends again and again. */
  | 'looping'
  /** It does not run. */
  | 'stopped'
  /** It has no container. */
  | 'absent'
  /** Nobody knows: the engine does not answer. */
  | 'unknown';

/** A service after a run. */
export interface ServiceRun {
  /** Its container's name. */
  container: string;
  /** What became of it. */
  done: Done;
  /** Whether it does its work. */
  ready: boolean;
  /** Its name. */
  service: string;
  /** Why it was made anew or restarted. */
  why?: string[];
}

/** `[services]`: what runs. */
export interface Services {
  /** Serve the admin interface. */
  admin: boolean;
  /** Rspamd. Always on: it also signs DKIM, and Postfix defers mail without it. */
  antispam: boolean;
  /** ClamAV. Needs 3 GB of memory in all. */
  antivirus: boolean;
  /** Serve the REST API to the outside. Inside, it always runs. */
  api: boolean;
  /** Let users fetch mail from other servers. */
  fetchmail: boolean;
  /** Refuse documents with dangerous macros (oletools). */
  macro_scan: boolean;
  /** A DNSSEC-validating resolver (unbound). Mailu's admin does not start without one. */
  resolver: boolean;
  /** Full-text search over IMAP. */
  search: boolean;
  /** Search inside attachments (Apache Tika). Needs 1 to 2 GB of memory more. */
  search_attachments: boolean;
  /** Let Mailu count this installation by a DNS query. */
  statistics: boolean;
  /** Calendars and contacts (Radicale). */
  webdav: boolean;
  /** `roundcube`, `snappymail` or `none`. `rainloop` is read as `snappymail`. */
  webmail: Webmail;
}

/** How much a `Finding` matters. */
export type Severity =
  /** Worth knowing; nothing has to be done. */
  | 'notice'
  /** Works, but somebody should look at it. */
  | 'warning'
  /** Nothing is written while it stands. */
  | 'error';

/** A finding that is there only because of another. */
export interface Silenced {
  /** The identifier of its cause. */
  cause: string;
  /** The subject of its cause. */
  cause_subject: string;
  /** The finding. */
  finding: Finding;
}

/** What the pair in `data/certs` is taken from. */
export interface Source {
  /** What it has for this server, if anything. */
  certificate: Certificate | null;
  /** Whether that is what front has. */
  in_place: boolean;
  /** Traefik's store, or the file that `tls.certificate` names. */
  path: string;
}

/** What the SPF record says about everybody else (RFC 7208 §5.1). */
export type SpfAll =
  /** `-all`: refuse. */
  | 'fail'
  /** `~all`: accept, with suspicion. */
  | 'softfail';

/** A part of a run. */
export type Stage =
  /** Looking at what is there. */
  | 'look'
  /** The images. */
  | 'images'
  /** The network shared with Traefik, and old networks. */
  | 'networks'
  /** The containers. */
  | 'services'
  /** Email domains and the first administrator. */
  | 'accounts'
  /** Trying the running server. */
  | 'verify'
  /** Noting that it is installed. */
  | 'finish';

/** What STARTTLS is worth in an app. */
export type Starttls =
  /** The app sends nothing without it. */
  | 'required'
  /** The app goes on without encryption where somebody on the way hides the offer. */
  | 'opportunistic'
  /** The app encrypts for whoever is there, without looking at the certificate. */
  | 'unverified'
  /** The app cannot do it. */
  | 'impossible';

/** How a deployment is, with everything that was seen. */
export interface StatusReport {
  /** The backups. */
  backups: Backups;
  /** The pairs of certificate and key that front has. */
  certificates: Pair[];
  /** Its client. */
  client: string | null;
  /** Its directory. */
  directory: string;
  /** The disk. */
  disk: Disk | null;
  /** The engine's version; absent where it does not answer. */
  engine: string | null;
  /** Whatever needs an eye, worst first. */
  findings: Finding[];
  /** Whether nothing has to be done. */
  healthy: boolean;
  /** Its mail host. */
  mail_host: string;
  /** The mail queue; absent where smtp does not run or does not tell. */
  queue: Queue | null;
  /** Its services, in the order in which they start. */
  services: Service[];
  /** Where it is reached. */
  urls: Addresses;
  /** How it is. */
  verdict: Verdict;
  /** The release of Mailu that `mailu.toml` names. */
  version: string | null;
}

/** One step of a plan. */
export interface Step {
  /** What it does. */
  action: Action;
  /** To which file or directory. */
  path: string;
  /** What changes, line by line. Never a secret. */
  detail?: string[];
  /** Permission bits, in octal: `0600`. */
  mode?: string;
  /** Numeric owner and group, where they matter. */
  owner?: [number, number];
}

/** Text of several lines for people, at most 10,000 characters. */
export type Text = string;

/** The timer, and what was done about it. */
export interface TimerState {
  /** Whether anything was changed. */
  changed: boolean;
  /** A line for cron that does the same. */
  cron: string;
  /** What is worth knowing. */
  findings: Finding[];
  /** Whether the units are in place. */
  installed: boolean;
  /** Whether this host runs systemd. */
  systemd: boolean;
  /** Its units and their text. */
  units: ([string, string])[];
}

/** `[tls]` */
export interface Tls {
  /** Mode `cert`: the certificate chain, PEM. Copied into the deployment at every `apply`. */
  certificate: string | null;
  /** Mode `cert`: the private key, PEM. */
  key: string | null;
  /** Who terminates TLS: `traefik`, `passthrough`, `letsencrypt`, `cert` or `none`. */
  mode: TlsMode;
}

/** Who terminates TLS, and where the certificate comes from. */
export type TlsMode =
  /** Traefik terminates HTTPS and obtains the certificate; mail ports get a copy of it. */
  | 'traefik'
  /** Traefik passes TLS through by server name; Mailu obtains its own certificate from Let's Encrypt. */
  | 'passthrough'
  /** No proxy: Mailu holds ports 80 and 443 and obtains its own certificate from Let's Encrypt. */
  | 'letsencrypt'
  /** No proxy: the certificate comes from files of yours. */
  | 'cert'
  /** No encryption at all. For tests. */
  | 'none';

/** `[tls_rpt]`: reports about deliveries over TLS that failed (RFC 8460). */
export interface TlsRpt {
  /** Where other servers send them, once a day: mail addresses or https addresses. Empty: no reports. */
  rua: string[];
}

/** A password that Mailu has drawn for one program of a user's. What it is, is told once, when it is made: `NewToken`. */
export interface Token {
  /** Where it may be used from; empty: anywhere. */
  authorized: IpNet[];
  /** What it is for. */
  comment: string;
  /** Whose it is. */
  email: EmailAddress;
  /** Its number. */
  id: number;
  /** The day on which it was made, `YYYY-MM-DD`. */
  created?: string;
}

/** What became of a token that was to go. */
export interface TokenDeleted {
  /** Whether there was one. */
  deleted: boolean;
  /** Its number. */
  id: number;
}

/** A token that was made. `Debug` hides what it is. */
export interface TokenMade {
  /** Where it may be used from; empty: anywhere. */
  authorized: IpNet[];
  /** What it is for. */
  comment: string;
  /** Whose it is. */
  email: EmailAddress;
  /** Its number. */
  id: number;
  /** The day on which it was made, `YYYY-MM-DD`. */
  created?: string;
  /** The file that it is in instead. */
  file?: string;
  /** The token itself, which is told this once. */
  token?: string;
}

/** `[traefik]`: where Traefik lives. */
export interface Traefik {
  /** Where a Traefik that `install --with-deps` installs gets certificates: an ACME directory. Default: Let's Encrypt. */
  acme_ca: string | null;
  /** Traefik's ACME store on the host, from which the certificate for the mail ports is taken. */
  acme_store: string | null;
  /** Front's fixed address in that network. Drawn from the upper half of `subnet`. */
  address: string | null;
  /** The names of Traefik's entry points. */
  entrypoints: EntryPoints;
  /** The Docker network that Traefik and front share. Nothing else belongs in it. */
  network: ObjectName;
  /** Traefik's certificate resolver. */
  resolver: ObjectName;
  /** The subnet of that network. Drawn from the pool for the default network; its second quarter is for Traefik. */
  subnet: Ipv4Net | null;
  /**
   * Whose word about client addresses front believes. Default: Traefik's part of `subnet`. Set it for a network that
   * you made.
   */
  trusted: string[];
}

/** What came of taking a deployment down. */
export interface Uninstalled {
  /** The containers that were removed. */
  containers: string[];
  /** The directories that were deleted. */
  deleted: string[];
  /** What stays, and where. */
  kept: KeptPlace[];
  /** The mail host. */
  mail_host: string;
  /** The networks that were removed. */
  networks: string[];
}

/** Something that could not be found out. */
export interface Unknown {
  /** The check. */
  check: string;
  /** What about. */
  subject: string;
  /** Why not. */
  why: string;
}

/** What came of it. */
export interface Updated {
  /** Its client. */
  client: string | null;
  /** The deployment's directory. */
  directory: string;
  /** Whatever needs an eye. */
  findings: Finding[];
  /** The release that ran before. */
  from: string;
  /** The mail host. */
  mail_host: string;
  /** Whether it was done. */
  performed: boolean;
  /** What is done, in order; nothing where there is nothing to do. */
  steps: RestoreStep[];
  /** The release that runs now, or would. */
  to: string;
  /** The backup that was taken for it. */
  backup?: string;
  /** What was there before, kept: of a deployment that `AgencyStack`'s old installer had made. */
  kept?: string;
  /** What was found of an interrupted run, and what was done about it. */
  recovered?: string;
  /** The command that removes it. */
  remove_command?: string;
  /** What bringing it up did and found; absent where nothing was started. */
  run?: Run;
  /** How long services stood still, in seconds: from the first that was stopped until all were ready. */
  stood_still_seconds?: number;
}

/** What a container uses at the moment. */
export interface Usage {
  /** Share of one processor, in percent; more than 100 with several. */
  cpu_percent: number | null;
  /** Memory in bytes, without the page cache. */
  memory: number | null;
  /** How much memory it may have, in bytes. */
  memory_limit: number | null;
}

/** A mailbox. Its password is nowhere here. */
export interface User {
  /** Its address, which is its login. */
  email: EmailAddress;
  /** Whether it may send as anybody in its domain. */
  allow_spoofing?: boolean;
  /** Whether it has to choose a password at its next log-in on the web. */
  change_pw_next_login?: boolean;
  /** A note, 255 characters at most. */
  comment?: string;
  /** The name beside the address, 160 characters at most. */
  displayed_name?: string;
  /** Whether mail may be read by IMAP. */
  enable_imap?: boolean;
  /** Whether mail may be read by POP3. */
  enable_pop?: boolean;
  /** Whether it may log in. Mail is delivered either way. */
  enabled?: boolean;
  /** Where to. */
  forward_destination?: string[];
  /** Whether mail is forwarded. */
  forward_enabled?: boolean;
  /** Whether forwarded mail is kept too. */
  forward_keep?: boolean;
  /** Whether it may do anything in the admin interface. */
  global_admin?: boolean;
  /** How much mail there may be, in bytes; 0: any. */
  quota_bytes?: number;
  /** How much mail there is, in bytes; nothing where Mailu was not asked. */
  quota_bytes_used?: number;
  /** With which text. */
  reply_body?: string;
  /** Whether mail is answered automatically. */
  reply_enabled?: boolean;
  /** Until this day, `YYYY-MM-DD`. */
  reply_enddate?: string;
  /** From this day on, `YYYY-MM-DD`. */
  reply_startdate?: string;
  /** With which subject. */
  reply_subject?: string;
  /** Whether spam goes into its folder. */
  spam_enabled?: boolean;
  /** Whether it is marked as read there. */
  spam_mark_as_read?: boolean;
  /** How sure of that Rspamd has to be, in percent of what rejects. */
  spam_threshold?: number;
}

/** What became of a user, and of a password that was drawn for it. */
export interface UserChanged {
  /** What was done, or in a dry run would be; nothing if it is as it should be. */
  action: AccountAction | null;
  /** What it is. */
  kind: AccountKind;
  /** Its name. */
  name: string;
  /** Whether its password was set. */
  password: boolean;
  /** Whether it was done. */
  performed: boolean;
  /** What became of it. */
  changes?: Difference[];
  /** The password that was drawn, which is told this once. */
  drawn_password?: string;
  /** What else follows. */
  notes?: string[];
  /** The file that it is in instead. */
  password_file?: string;
}

/** How a deployment is. */
export type Verdict =
  /** Every service does its work. */
  | 'healthy'
  /** Services have just been started and did not say yet that they are well. */
  | 'starting'
  /** A service does not do its work, or something else is wrong that keeps mail from working. */
  | 'degraded'
  /** Its containers do not run. */
  | 'stopped'
  /** It has no containers. */
  | 'absent'
  /** Nobody knows: the engine does not answer. */
  | 'unknown'
  /** Its `mailu.toml` cannot be used. */
  | 'invalid';

/** An archive that was read to its end, and is as it was written. */
export interface Verified {
  /** Whether it is encrypted. */
  encrypted: boolean;
  /** What it ends with. */
  end: End;
  /** The archive. */
  file: string;
  /** What it begins with. */
  head: Head;
  /** Its size in bytes. */
  size: number;
}

/** How the mail ports are reached from outside. */
export type Via =
  /** Through Traefik's TCP entry points, with PROXY protocol. */
  | 'traefik'
  /** Published by Docker on an address of the host. */
  | 'published';

/** `[web]`: the web interfaces. */
export interface Web {
  /** Path of the admin interface. */
  admin_path: string;
  /** Path of the REST API. Front takes it for every address that contains it. */
  api_path: string;
  /** Where `/` leads. Default: the webmail, else the admin interface. */
  root_redirect: string | null;
  /** Name shown in the interfaces. */
  site_name: string;
  /** Path of the webmail. */
  webmail_path: string;
  /** Link shown in the interfaces. Default: `https://` and the email domain. */
  website: string | null;
}

/** The webmail that is served below `web.webmail_path`. */
export type Webmail =
  /** Roundcube. */
  | 'roundcube'
  /** SnappyMail, the successor of RainLoop. */
  | 'snappymail'
  /** None. */
  | 'none';

/** `[welcome]`: a message to each new user. */
export interface Welcome {
  /** Its text. */
  body: Text;
  /** Send it. Only users made in the web interface get it. */
  enabled: boolean;
  /** Its subject. */
  subject: string;
}

/** Options of `accountsApply`. */
export interface AccountsApplyOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** It is a table of users. */
  csv?: boolean | null | undefined;
  /** With `prune`: delete such users, and domains without any address left. Their mail stays on disk. */
  delete_users?: boolean | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** An `accounts.toml`; or a table of users, if its name ends with `.csv`. */
  file?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Draw passwords for new users without one, and write them into this file, which only its owner can read. */
  passwords_out?: string | null | undefined;
  /** In the sections that it has: disable users that it does not name, and delete such aliases and relayed domains. */
  prune?: boolean | null | undefined;
  /** Set the passwords of users that exist, too. */
  reset_passwords?: boolean | null | undefined;
  /** What would stand in such a file. It may have passwords. */
  text?: string | null | undefined;
  /** Whoever is disabled or deleted. */
  yes?: boolean | null | undefined;
}

/** Options of `accountsExport`. */
export interface AccountsExportOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** The users alone, as a table. */
  csv?: boolean | null | undefined;
  /** With the hashes of passwords, for another server. Whoever has them can find weak passwords. */
  hashes?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Into this file, which only its owner can read. */
  out?: string | null | undefined;
}

/** Options of `accountsList`. */
export interface AccountsListOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `accountsPlan`. */
export interface AccountsPlanOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** It is a table of users. */
  csv?: boolean | null | undefined;
  /** With `prune`: delete such users, and domains without any address left. Their mail stays on disk. */
  delete_users?: boolean | null | undefined;
  /** An `accounts.toml`; or a table of users, if its name ends with `.csv`. */
  file?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Draw passwords for new users without one, and write them into this file, which only its owner can read. */
  passwords_out?: string | null | undefined;
  /** In the sections that it has: disable users that it does not name, and delete such aliases and relayed domains. */
  prune?: boolean | null | undefined;
  /** Set the passwords of users that exist, too. */
  reset_passwords?: boolean | null | undefined;
  /** What would stand in such a file. It may have passwords. */
  text?: string | null | undefined;
}

/** Options of `aliasAdd`. */
export interface AliasAddOptions extends CallOptions {
  /** Its name. */
  email: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** What is said of it; `accounts_schema` has every key. */
  settings?: { readonly [name: string]: string | number | boolean | readonly (string | number | boolean)[] | undefined } | null | undefined;
}

/** Options of `aliasDelete`. */
export interface AliasDeleteOptions extends CallOptions {
  /** Its name. */
  email: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Whatever goes with it. */
  yes?: boolean | null | undefined;
}

/** Options of `aliasList`. */
export interface AliasListOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `aliasSet`. */
export interface AliasSetOptions extends CallOptions {
  /** Its name. */
  email: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** What is said of it; `accounts_schema` has every key. */
  settings?: { readonly [name: string]: string | number | boolean | readonly (string | number | boolean)[] | undefined } | null | undefined;
}

/** Options of `aliasShow`. */
export interface AliasShowOptions extends CallOptions {
  /** Its name. */
  email: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `appSettings`. */
export interface AppSettingsOptions extends CallOptions {
  /** The app, as `app_list` names it; any other one gets `SMTP_…` variables, if `format` is one for variables. */
  app: string;
  /** The account with which the app logs in. */
  login: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** The envelope sender, if it is another one, for apps that can tell them apart. */
  envelope_from?: string | null | undefined;
  /** The format. Without it, the app's usual one. */
  format?: string | null | undefined;
  /** The address that mail comes from, if it is not the login: an alias that leads to it. */
  from_address?: string | null | undefined;
  /** The name beside that address. */
  from_name?: string | null | undefined;
  /** What the app calls itself in EHLO: the name of its site. */
  helo?: string | null | undefined;
  /** The app reads the account's mail, too. */
  incoming?: boolean | null | undefined;
  /** Put them into what this file has already. The file itself is not changed. */
  into?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Write them, with the password, into a new file that only its owner can read. */
  out?: string | null | undefined;
  /** The account's token or password. Without it, stars stand in its place. */
  password?: string | null | undefined;
  /** The password is seen. */
  reveal?: boolean | null | undefined;
  /** How the connection is encrypted. Without it, TLS from the first byte. */
  tls?: 'implicit' | 'starttls' | null | undefined;
}

/** Options of `apply`. */
export interface ApplyOptions extends CallOptions {
  /** Variables whose edited value is kept, and written into `mailu.toml`. */
  adopt?: readonly string[] | null | undefined;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** Overwrite edited files, keeping a copy of each in `.mailu/replaced`. Secrets and keys are never drawn again. */
  force?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Email domains whose lost DKIM key is given up for a new one. */
  new_dkim_key?: readonly string[] | null | undefined;
  /** Variables and files that get our value whatever was edited there. */
  reset?: readonly string[] | null | undefined;
  /** How many seconds each service may take to become ready. Without it, as long as is usual for each. */
  wait?: number | null | undefined;
}

/** Options of `backup`. */
export interface BackupOptions extends CallOptions {
  /** Public keys of age (`age1…`) to encrypt it for, instead of `backup.recipients`. */
  age_recipient?: readonly string[] | null | undefined;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Ask no engine: nothing of the deployment runs. */
  cold?: boolean | null | undefined;
  /** Keep the older archives that `backup.keep_*` would give up. */
  keep_all?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /**
   * The archive: its name ends with `.tar.zst` or `.tar.gz`, and with `.age` behind that if it is encrypted. Without
   * it, one with the time in its name, where `backup.directory` says.
   */
  output?: string | null | undefined;
  /** A file whose first line is the passphrase to encrypt it with. */
  passphrase_file?: string | null | undefined;
  /** Read it once it is written. */
  verify?: boolean | null | undefined;
  /** Where accounts are in another database than Mailu's own file: back up without them. */
  without_database?: boolean | null | undefined;
}

/** Options of `backupAll`. */
export interface BackupAllOptions extends CallOptions {
  /** Public keys of age (`age1…`) to encrypt it for, instead of `backup.recipients`. */
  age_recipient?: readonly string[] | null | undefined;
  /** Ask no engine: nothing of the deployment runs. */
  cold?: boolean | null | undefined;
  /** Keep the older archives that `backup.keep_*` would give up. */
  keep_all?: boolean | null | undefined;
  /** A file whose first line is the passphrase to encrypt it with. */
  passphrase_file?: string | null | undefined;
  /** Read it once it is written. */
  verify?: boolean | null | undefined;
  /** Where accounts are in another database than Mailu's own file: back up without them. */
  without_database?: boolean | null | undefined;
}

/** Options of `backupList`. */
export interface BackupListOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `backupPrune`. */
export interface BackupPruneOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Only say which would go. */
  dry_run?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `backupTimer`. */
export interface BackupTimerOptions extends CallOptions {
  /** What is done with it. */
  action?: 'show' | 'install' | 'remove' | null | undefined;
}

/** Options of `backupVerify`. */
export interface BackupVerifyOptions extends CallOptions {
  /** The archive. */
  file: string;
  /** A file with the secret key of age, where the archive is encrypted for one. */
  age_identity?: string | null | undefined;
  /** A file whose first line is the passphrase, where it is encrypted with one. */
  passphrase_file?: string | null | undefined;
}

/** Options of `certs`. */
export interface CertsOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Ask no port what it serves. */
  no_probe?: boolean | null | undefined;
}

/** Options of `certsAll`. */
export interface CertsAllOptions extends CallOptions {
  /** Ask no port what it serves. */
  no_probe?: boolean | null | undefined;
}

/** Options of `certsSync`. */
export interface CertsSyncOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `certsSyncAll`. */
export interface CertsSyncAllOptions extends CallOptions {
}

/** Options of `certsTimer`. */
export interface CertsTimerOptions extends CallOptions {
  /** What is done with it. */
  action?: 'show' | 'install' | 'remove' | null | undefined;
}

/** Options of `check`. */
export interface CheckOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Check for this `mailu.toml`, which is not installed yet: its text, or its keys. */
  config?: Config | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Mail servers to try port 25 with, `HOST` or `HOST:PORT`. Without any, those of large mail domains. */
  outbound_to?: readonly string[] | null | undefined;
  /** DNS server to ask for names, `ADDRESS` or `ADDRESS:PORT`. Without it, the host's. */
  resolver?: string | null | undefined;
  /** Root servers of the DNS to try, in networks with a root of their own. */
  root_server?: readonly string[] | null | undefined;
  /** As if these keys of `mailu.toml` were set. */
  settings?: { readonly [name: string]: string | number | boolean | readonly (string | number | boolean)[] | undefined } | null | undefined;
  /** Checks to leave out, such as `preflight.outbound`. */
  skip_check?: readonly string[] | null | undefined;
}

/** Options of `configCheck`. */
export interface ConfigCheckOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `configGet`. */
export interface ConfigGetOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** The key: `limits.quota`. */
  key?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `configSet`. */
export interface ConfigSetOptions extends CallOptions {
  /** Values by key: `{"limits.quota": "10GB"}`. */
  settings: { readonly [name: string]: string | number | boolean | readonly (string | number | boolean)[] | undefined };
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `configUnset`. */
export interface ConfigUnsetOptions extends CallOptions {
  /** The keys. */
  keys: readonly string[];
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `diagnose`. */
export interface DiagnoseOptions extends CallOptions {
  /** With `html`: the name that stands on the page, usually your agency's. */
  agency?: string | null | undefined;
  /** Only what is new since the last whole diagnosis, and what is gone. */
  changes?: boolean | null | undefined;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Write the report as a page into this file. */
  html?: string | null | undefined;
  /** With `html`: a file with a logo for the page, PNG, JPEG or SVG. */
  logo?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Servers to ask about every zone, instead of those that it is delegated to. */
  nameserver?: readonly string[] | null | undefined;
  /** Only these checks (`dns`, `ports`, `queue` …), or only findings of these names (`spf.all`, `spf`). */
  only?: readonly string[] | null | undefined;
  /** Mail servers to try port 25 with, `HOST` or `HOST:PORT`. Without any, those of large mail domains. */
  outbound_to?: readonly string[] | null | undefined;
  /** DNS server that finds name servers, `ADDRESS` or `ADDRESS:PORT`. Without it, the host's. */
  resolver?: string | null | undefined;
  /** Leave out these checks, or findings of these names. */
  skip?: readonly string[] | null | undefined;
  /** Servers of the time (NTP) to compare the clock with. Without any, those of the NTP pool. */
  time_server?: readonly string[] | null | undefined;
}

/** Options of `diagnoseIgnore`. */
export interface DiagnoseIgnoreOptions extends CallOptions {
  /** The finding's name. */
  id: string;
  /** Why. */
  reason: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Only where it is about this, such as `example.com` or `port 25`. */
  subject?: string | null | undefined;
  /** Until this day, `YYYY-MM-DD`. */
  until?: string | null | undefined;
}

/** Options of `diagnoseUnignore`. */
export interface DiagnoseUnignoreOptions extends CallOptions {
  /** The finding's name. */
  id: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `disconnect`. */
export interface DisconnectOptions extends CallOptions {
  /** The app: `wordpress`, `listmonk`, `ghost`, `chatwoot`, `gitea` … (`app_list`), or `generic`. */
  app: string;
  /** Chatwoot: the number of the account, as in /app/accounts/NUMBER. */
  api_account?: number | null | undefined;
  /** The token. Chatwoot: an administrator's access token. `ERPNext`: API key and secret, with a colon between. */
  api_token?: string | null | undefined;
  /** A file that has the token; its path is remembered. */
  api_token_file?: string | null | undefined;
  /**
   * The address of its site, for its API. Listmonk: without it, its database is changed. Chatwoot: an inbox is
   * connected. `ERPNext`: without it, the site's container does it.
   */
  api_url?: string | null | undefined;
  /** Listmonk: the API user. `ERPNext`: the API key, where the token is the API secret alone. */
  api_user?: string | null | undefined;
  /** A file with authorities (PEM) that the app does not know by itself. */
  ca?: string | null | undefined;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** The container that runs the app, where it cannot be found. */
  container?: string | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** Mailu's limit of messages does not count for the login; false takes that back. */
  exempt?: boolean | null | undefined;
  /** The form of the settings, where an app has several. */
  format?: string | null | undefined;
  /** What stands in `From:`. Without it, the login. */
  from_address?: string | null | undefined;
  /** The name beside it. */
  from_name?: string | null | undefined;
  /** The app reads the mailbox by IMAP, too. */
  incoming?: boolean | null | undefined;
  /** Listmonk: restart it though it is sending a campaign, which goes on by itself then. */
  interrupt?: boolean | null | undefined;
  /** Who logs in. A mailbox that is not there is made. Without it, the app's name at the email domain. */
  login?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Listmonk: switch its other servers off, which would get a share of the mail. */
  only?: boolean | null | undefined;
  /** WordPress: the site's directory. Other apps: the file that has their settings, and gets ours. */
  path?: string | null | undefined;
  /** Restart this container when its settings have changed. */
  restart?: string | null | undefined;
  /** Which of several: the name of the WordPress or `ERPNext` site, or the client whose Listmonk it is. */
  site?: string | null | undefined;
  /** How mail is handed in. */
  tls?: 'implicit' | 'starttls' | null | undefined;
}

/** Options of `dns`. */
export interface DnsOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Only this zone. */
  zone?: string | null | undefined;
}

/** Options of `dnsCheck`. */
export interface DnsCheckOptions extends CallOptions {
  /** A file with certificates (PEM) of authorities to trust for MTA-STS policies, beside those that browsers do. */
  ca?: string | null | undefined;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Servers to ask for every zone, instead of those that it is delegated to. */
  nameserver?: readonly string[] | null | undefined;
  /** DNS server that finds name servers, `ADDRESS` or `ADDRESS:PORT`. Without it, the host's. */
  resolver?: string | null | undefined;
  /** Only this zone. */
  zone?: string | null | undefined;
}

/** Options of `dnsExport`. */
export interface DnsExportOptions extends CallOptions {
  /** As `dns_text` has it. */
  format: string;
  /** The directory. */
  out: string;
  /** The name that stands on a page, usually your agency's. */
  agency?: string | null | undefined;
  /**
   * With `check`: a file with certificates (PEM) of authorities to trust for MTA-STS policies, beside those that
   * browsers do.
   */
  ca?: string | null | undefined;
  /** Say on the pages how each record is published. */
  check?: boolean | null | undefined;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** A file with a logo for a page, PNG, JPEG or SVG. It becomes part of the page. */
  logo?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** With `check`: servers to ask for every zone, instead of those that it is delegated to. */
  nameserver?: readonly string[] | null | undefined;
  /** With `check`: DNS server that finds name servers, `ADDRESS` or `ADDRESS:PORT`. Without it, the host's. */
  resolver?: string | null | undefined;
  /** Only this zone. */
  zone?: string | null | undefined;
}

/** Options of `dnsRecords`. */
export interface DnsRecordsOptions {
  /** Private DKIM keys (PEM), by email domain. */
  dkim_keys?: { readonly [name: string]: string | undefined } | null | undefined;
}

/** Options of `dnsText`. */
export interface DnsTextOptions extends CallOptions {
  /**
   * `records`, `zone`, `json`, `octodns`, `terraform-cloudflare`, `terraform-route53`, `nsupdate`, `csv`, `markdown`,
   * or `html`: a page for whoever owns the domain.
   */
  format: string;
  /** The name that stands on a page, usually your agency's. */
  agency?: string | null | undefined;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** A file with a logo for a page, PNG, JPEG or SVG. It becomes part of the page. */
  logo?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Only this zone. */
  zone?: string | null | undefined;
}

/** Options of `domainAdd`. */
export interface DomainAddOptions extends CallOptions {
  /** Its name. */
  name: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** What is said of it; `accounts_schema` has every key. */
  settings?: { readonly [name: string]: string | number | boolean | readonly (string | number | boolean)[] | undefined } | null | undefined;
}

/** Options of `domainDelete`. */
export interface DomainDeleteOptions extends CallOptions {
  /** Its name. */
  name: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Whatever goes with it. */
  yes?: boolean | null | undefined;
}

/** Options of `domainList`. */
export interface DomainListOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `domainSet`. */
export interface DomainSetOptions extends CallOptions {
  /** Its name. */
  name: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** What is said of it; `accounts_schema` has every key. */
  settings?: { readonly [name: string]: string | number | boolean | readonly (string | number | boolean)[] | undefined } | null | undefined;
}

/** Options of `domainShow`. */
export interface DomainShowOptions extends CallOptions {
  /** Its name. */
  name: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `exec`. */
export interface ExecOptions extends CallOptions {
  /** The program and its arguments. */
  command: readonly string[];
  /** The service. */
  service: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `install`. */
export interface InstallOptions extends CallOptions {
  /** Address of the first administrator, in an email domain of this server. */
  admin_email?: string | null | undefined;
  /** The administrator's password. Without it, one is drawn. */
  admin_password?: string | null | undefined;
  /** Variables whose edited value is kept, and written into `mailu.toml`. */
  adopt?: readonly string[] | null | undefined;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Start from this `mailu.toml`: its text, or its keys. */
  config?: Config | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** The part after the @. */
  email_domain?: string | null | undefined;
  /** Overwrite edited files, keeping a copy of each in `.mailu/replaced`. Secrets and keys are never drawn again. */
  force?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Email domains whose lost DKIM key is given up for a new one. */
  new_dkim_key?: readonly string[] | null | undefined;
  /** Write everything, and leave the mail server as it is. Works without Docker. */
  no_start?: boolean | null | undefined;
  /** Install no timer for renewed certificates. */
  no_timer?: boolean | null | undefined;
  /** Mail servers to try port 25 with, `HOST` or `HOST:PORT`. Without any, those of large mail domains. */
  outbound_to?: readonly string[] | null | undefined;
  /** The password at the relay (`relay.user`). */
  relay_password?: string | null | undefined;
  /** Variables and files that get our value whatever was edited there. */
  reset?: readonly string[] | null | undefined;
  /** DNS server to ask for names, `ADDRESS` or `ADDRESS:PORT`. Without it, the host's. */
  resolver?: string | null | undefined;
  /** Root servers of the DNS to try, in networks with a root of their own. */
  root_server?: readonly string[] | null | undefined;
  /** Keys of `mailu.toml` to set: `{"limits.quota": "10GB"}`. */
  settings?: { readonly [name: string]: string | number | boolean | readonly (string | number | boolean)[] | undefined } | null | undefined;
  /** Checks to leave out, such as `preflight.outbound`. They are noted in the deployment. */
  skip_check?: readonly string[] | null | undefined;
  /** How many seconds each service may take to become ready. Without it, as long as is usual for each. */
  wait?: number | null | undefined;
  /** Install Docker, Compose and Traefik first. */
  with_deps?: boolean | null | undefined;
}

/** Options of `integrate`. */
export interface IntegrateOptions extends CallOptions {
  /** The app: `wordpress`, `listmonk`, `ghost`, `chatwoot`, `gitea` … (`app_list`), or `generic`. */
  app: string;
  /** Chatwoot: the number of the account, as in /app/accounts/NUMBER. */
  api_account?: number | null | undefined;
  /** The token. Chatwoot: an administrator's access token. `ERPNext`: API key and secret, with a colon between. */
  api_token?: string | null | undefined;
  /** A file that has the token; its path is remembered. */
  api_token_file?: string | null | undefined;
  /**
   * The address of its site, for its API. Listmonk: without it, its database is changed. Chatwoot: an inbox is
   * connected. `ERPNext`: without it, the site's container does it.
   */
  api_url?: string | null | undefined;
  /** Listmonk: the API user. `ERPNext`: the API key, where the token is the API secret alone. */
  api_user?: string | null | undefined;
  /** A file with authorities (PEM) that the app does not know by itself. */
  ca?: string | null | undefined;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** The container that runs the app, where it cannot be found. */
  container?: string | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** Mailu's limit of messages does not count for the login; false takes that back. */
  exempt?: boolean | null | undefined;
  /** The form of the settings, where an app has several. */
  format?: string | null | undefined;
  /** What stands in `From:`. Without it, the login. */
  from_address?: string | null | undefined;
  /** The name beside it. */
  from_name?: string | null | undefined;
  /** The app reads the mailbox by IMAP, too. */
  incoming?: boolean | null | undefined;
  /** Listmonk: restart it though it is sending a campaign, which goes on by itself then. */
  interrupt?: boolean | null | undefined;
  /** Who logs in. A mailbox that is not there is made. Without it, the app's name at the email domain. */
  login?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Listmonk: switch its other servers off, which would get a share of the mail. */
  only?: boolean | null | undefined;
  /** WordPress: the site's directory. Other apps: the file that has their settings, and gets ours. */
  path?: string | null | undefined;
  /** Restart this container when its settings have changed. */
  restart?: string | null | undefined;
  /** Make a new token; the old one goes once the app works with the new. */
  rotate?: boolean | null | undefined;
  /** Which of several: the name of the WordPress or `ERPNext` site, or the client whose Listmonk it is. */
  site?: string | null | undefined;
  /** How mail is handed in. */
  tls?: 'implicit' | 'starttls' | null | undefined;
}

/** Options of `list`. */
export interface ListOptions extends CallOptions {
}

/** Options of `logs`. */
export interface LogsOptions extends StreamOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Go on with what is written from now on, until it is told to stop. */
  follow?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** The services: `front`, `smtp`, `imap`, `admin`, `antispam` … Without any, all of them. */
  services?: readonly string[] | null | undefined;
  /** Only lines since then: how long ago (`10m`, `2h`, `3d`), or a time (`2026-11-22T10:00:00Z`). */
  since?: string | null | undefined;
  /** Only the last so many lines, of all services together. */
  tail?: number | null | undefined;
}

/** Options of `plan`. */
export interface PlanOptions extends CallOptions {
  /** Variables whose edited value is kept, and written into `mailu.toml`. */
  adopt?: readonly string[] | null | undefined;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Overwrite edited files, keeping a copy of each in `.mailu/replaced`. Secrets and keys are never drawn again. */
  force?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Email domains whose lost DKIM key is given up for a new one. */
  new_dkim_key?: readonly string[] | null | undefined;
  /** Variables and files that get our value whatever was edited there. */
  reset?: readonly string[] | null | undefined;
}

/** Options of `relayAdd`. */
export interface RelayAddOptions extends CallOptions {
  /** Its name. */
  name: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** What is said of it; `accounts_schema` has every key. */
  settings?: { readonly [name: string]: string | number | boolean | readonly (string | number | boolean)[] | undefined } | null | undefined;
}

/** Options of `relayDelete`. */
export interface RelayDeleteOptions extends CallOptions {
  /** Its name. */
  name: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Whatever goes with it. */
  yes?: boolean | null | undefined;
}

/** Options of `relayList`. */
export interface RelayListOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `relaySet`. */
export interface RelaySetOptions extends CallOptions {
  /** Its name. */
  name: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** What is said of it; `accounts_schema` has every key. */
  settings?: { readonly [name: string]: string | number | boolean | readonly (string | number | boolean)[] | undefined } | null | undefined;
}

/** Options of `relayShow`. */
export interface RelayShowOptions extends CallOptions {
  /** Its name. */
  name: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `render`. */
export interface RenderOptions {
  /** Private DKIM keys (PEM), by email domain. */
  dkim_keys?: { readonly [name: string]: string | undefined } | null | undefined;
  /** Secrets, named as their files are: `secret_key`, `api_token`, `relay_password`. */
  secrets?: { readonly [name: string]: string | undefined } | null | undefined;
}

/** Options of `restart`. */
export interface RestartOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** The services. Without any, all of them. */
  services?: readonly string[] | null | undefined;
  /**
   * How many seconds each service may take to become ready. Without it, as long as is usual for each; 0 waits for
   * nothing.
   */
  wait?: number | null | undefined;
}

/** Options of `restore`. */
export interface RestoreOptions extends CallOptions {
  /** A file with the age key that opens an encrypted archive. */
  age_identity?: string | null | undefined;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Restore configuration, secrets, keys and certificates; mail, accounts and other data stay as they are. */
  config_only?: boolean | null | undefined;
  /** Read the archive, and only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** Leave out mail that has arrived since the backup, and take its queue instead of the one that is there. */
  exact?: boolean | null | undefined;
  /** The archive. Without it, a restore that was interrupted is finished. */
  file?: string | null | undefined;
  /** With `mailbox`: add its messages to this mailbox. */
  into?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /**
   * Restore one mailbox, beside the running server: messages that it does not have are added, and nothing else is
   * changed.
   */
  mailbox?: string | null | undefined;
  /** Leave the server stopped. Works without Docker. */
  no_start?: boolean | null | undefined;
  /** A file whose first line is the passphrase of an encrypted archive. */
  passphrase_file?: string | null | undefined;
  /** Of a restore that was interrupted: go back to what was there before, instead of going on. */
  undo?: boolean | null | undefined;
  /** How many seconds each service may take to become ready. Without it, as long as is usual for each. */
  wait?: number | null | undefined;
}

/** Options of `secret`. */
export interface SecretOptions extends CallOptions {
  /** `admin_password`, `api_token`, `secret_key`, `relay_password`, or `first_account` for Mailu's config-import. */
  name: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `settingsOfApp`. */
export interface SettingsOfAppOptions {
  /** The format. Without it, the app's usual one. */
  format?: string | null | undefined;
}

/** Options of `show`. */
export interface ShowOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `start`. */
export interface StartOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** The services. Without any, all of them. */
  services?: readonly string[] | null | undefined;
  /**
   * How many seconds each service may take to become ready. Without it, as long as is usual for each; 0 waits for
   * nothing.
   */
  wait?: number | null | undefined;
}

/** Options of `status`. */
export interface StatusOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `statusAll`. */
export interface StatusAllOptions extends CallOptions {
}

/** Options of `statusAllWatch`. */
export interface StatusAllWatchOptions extends StreamOptions {
  /** How long to wait in between. Without it, two seconds. */
  seconds?: number | null | undefined;
}

/** Options of `statusWatch`. */
export interface StatusWatchOptions extends StreamOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** How long to wait in between. Without it, two seconds. */
  seconds?: number | null | undefined;
}

/** Options of `stop`. */
export interface StopOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** The services. Without any, all of them. */
  services?: readonly string[] | null | undefined;
  /**
   * How many seconds each service may take to become ready. Without it, as long as is usual for each; 0 waits for
   * nothing.
   */
  wait?: number | null | undefined;
}

/** Options of `testEmail`. */
export interface TestEmailOptions extends CallOptions<DeliveryStep> {
  /** The text. */
  body?: string | null | undefined;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** The account that sends, with `password`. Without it, the first administrator. */
  from_address?: string | null | undefined;
  /** Leave the message in the mailbox. */
  keep?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Do not try what the server must refuse: relaying for strangers, log-ins on port 25, a forged sender. */
  no_negative?: boolean | null | undefined;
  /** The sender's password. Not needed for the first administrator. */
  password?: string | null | undefined;
  /** The subject. */
  subject?: string | null | undefined;
  /** How many seconds the message may take, 1 to 86,400. Without it, 120. */
  timeout?: number | null | undefined;
  /** The recipient. Without it, the sender: the message comes back, and is deleted once it was read. */
  to?: string | null | undefined;
}

/** Options of `tokenAdd`. */
export interface TokenAddOptions extends CallOptions {
  /** Whose. */
  email: string;
  /** Only for who comes from these addresses or networks. */
  authorized?: readonly string[] | null | undefined;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** What it is for. */
  comment?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Write it into this file, which only its owner can read, instead of telling it. */
  out?: string | null | undefined;
  /** Delete those of the same comment once the new one is there. */
  replace?: boolean | null | undefined;
}

/** Options of `tokenDelete`. */
export interface TokenDeleteOptions extends CallOptions {
  /** Its number. */
  id: number;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `tokenList`. */
export interface TokenListOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Whose. */
  email?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `uninstall`. */
export interface UninstallOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Delete mail, accounts, configuration, keys and secrets too. Nothing brings them back but a backup. */
  delete_data?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Confirms `delete_data` by the mail host's name. */
  yes_delete?: string | null | undefined;
}

/** Options of `update`. */
export interface UpdateOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Only say what would be done, and what speaks against it. */
  dry_run?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Of a deployment that AgencyStack's old installer made: keys of `mailu.toml` to set. */
  settings?: { readonly [name: string]: string | number | boolean | readonly (string | number | boolean)[] | undefined } | null | undefined;
  /** Of such a deployment: checks to leave out, such as `preflight.open_relay`. */
  skip_check?: readonly string[] | null | undefined;
  /** The release to go to. Without it, the newest that this library knows. */
  to?: string | null | undefined;
  /** Of an update that was interrupted: go back to what was there before, instead of going on. */
  undo?: boolean | null | undefined;
  /** How many seconds each service may take to become ready. Without it, as long as is usual for each. */
  wait?: number | null | undefined;
  /** Update though accounts are in another database, which is not in the backup and does not go back with the rest. */
  without_database?: boolean | null | undefined;
}

/** Options of `userAdd`. */
export interface UserAddOptions extends CallOptions {
  /** Its address. */
  email: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** Draw its password, and tell it once. */
  generate?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Give it one that nobody knows: tokens, or `user_passwd`, let it in. */
  no_password?: boolean | null | undefined;
  /** Its password. */
  password?: string | null | undefined;
  /** With `generate`: write it into this file, which only its owner can read, instead. */
  password_out?: string | null | undefined;
  /** What is said of it; `accounts_schema` has every key. */
  settings?: { readonly [name: string]: string | number | boolean | readonly (string | number | boolean)[] | undefined } | null | undefined;
}

/** Options of `userDelete`. */
export interface UserDeleteOptions extends CallOptions {
  /** Its name. */
  email: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** Whatever goes with it. */
  yes?: boolean | null | undefined;
}

/** Options of `userDisable`. */
export interface UserDisableOptions extends CallOptions {
  /** Its address. */
  email: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `userEnable`. */
export interface UserEnableOptions extends CallOptions {
  /** Its address. */
  email: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `userList`. */
export interface UserListOptions extends CallOptions {
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Options of `userPasswd`. */
export interface UserPasswdOptions extends CallOptions {
  /** Its address. */
  email: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Draw it, and tell it once. */
  generate?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** The password. */
  password?: string | null | undefined;
  /** With `generate`: write it into this file, which only its owner can read, instead. */
  password_out?: string | null | undefined;
}

/** Options of `userSet`. */
export interface UserSetOptions extends CallOptions {
  /** Its name. */
  email: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Only say what would be done. */
  dry_run?: boolean | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
  /** What is said of it; `accounts_schema` has every key. */
  settings?: { readonly [name: string]: string | number | boolean | readonly (string | number | boolean)[] | undefined } | null | undefined;
}

/** Options of `userShow`. */
export interface UserShowOptions extends CallOptions {
  /** Its name. */
  email: string;
  /** Client of the deployment. */
  client?: string | null | undefined;
  /** Mail host of the deployment. Not needed where there is only one. */
  mail_host?: string | null | undefined;
}

/** Every attribute of accounts: by kind, then by its name in `accounts.toml`. */
export function accountsSchema(): { [name: string]: { [name: string]: FieldInfo } };

/**
 * The apps that can be told how to send through a server: names, formats, what STARTTLS is worth in each, notes for
 * people.
 */
export function appList(): AppInfo[];

/** Everything that is wrong with a configuration, or worth knowing about it. Empty: all is well. */
export function checkConfig(config: Config): Finding[];

/** The JSON Schema of `mailu.toml`. */
export function configSchema(): { [name: string]: unknown };

/** The DNS records that a configuration needs, by zone. */
export function dnsRecords(config: Config, options?: DnsRecordsOptions): DnsReport;

/** Every generated file of a deployment. What is missing is left out of the files. */
export function render(config: Config, options?: RenderOptions): RenderedFile[];

/** What an app is to be told of any server: the settings, with the secret in them. */
export function settingsOfApp(app: string, profile: { readonly [name: string]: unknown | undefined }, options?: SettingsOfAppOptions): AppText;

/** Every kind of error. */
export function errorKinds(): ErrorKind[];

/** The version of this package. */
export const version: string;

/** Where AgencyStack lives. */
export interface MailuOptions {
  /** Its directory. Without it, `/opt/agency_stack`. */
  root?: string | undefined;
}

/** The deployments of this host. Calls run beside the event loop, as many at once as you like. */
export class Mailu {
  constructor(options?: MailuOptions);
  /** Where AgencyStack lives. */
  readonly root: string;

  /** Brings the accounts to what is said: all of it, or nothing. */
  accountsApply(options?: AccountsApplyOptions): Promise<AccountsApplied>;

  /** Writes down what accounts there are, as an `accounts.toml`, or as a table of the users. */
  accountsExport(options?: AccountsExportOptions): Promise<Exported>;

  /** All accounts of a deployment. */
  accountsList(options?: AccountsListOptions): Promise<AllAccounts>;

  /** Compares what accounts are to be there with those that are, and says what `accounts_apply` would do. */
  accountsPlan(options?: AccountsPlanOptions): Promise<AccountsApplied>;

  /** Makes one alias. One that is there has to be so already. */
  aliasAdd(options: AliasAddOptions): Promise<AccountChange>;

  /** Deletes one alias. Mail stays on disk. */
  aliasDelete(options: AliasDeleteOptions): Promise<AccountChange>;

  /** All aliass. */
  aliasList(options?: AliasListOptions): Promise<Alias[]>;

  /** Changes one alias. */
  aliasSet(options: AliasSetOptions): Promise<AccountChange>;

  /** One alias. */
  aliasShow(options: AliasShowOptions): Promise<Alias>;

  /** What an app is to be told to send through a deployment, in the app's own format. */
  appSettings(options: AppSettingsOptions): Promise<AppSettings>;

  /** Brings a deployment's files to what its `mailu.toml` says, and its containers, if it has some. */
  apply(options?: ApplyOptions): Promise<Outcome>;

  /** Backs a deployment up while it runs: mail, accounts, keys, configuration, secrets, in one archive. */
  backup(options?: BackupOptions): Promise<BackupTaken>;

  /** Backs every deployment up. */
  backupAll(options?: BackupAllOptions): Promise<BackupTakenOrFailure[]>;

  /** The archives there are, and which of them are kept for what. */
  backupList(options?: BackupListOptions): Promise<BackupArchive[]>;

  /** Gives up the archives that `backup.keep_*` does not keep. */
  backupPrune(options?: BackupPruneOptions): Promise<Pruned>;

  /** The systemd timer that backs every deployment up every night. */
  backupTimer(options?: BackupTimerOptions): Promise<TimerState>;

  /** Reads an archive from its beginning to its end, and says whether everything in it is as it was written. */
  backupVerify(options: BackupVerifyOptions): Promise<Verified>;

  /** Certificates: where they come from, how long they last, what front serves. */
  certs(options?: CertsOptions): Promise<CertificateReport>;

  /** The certificates of every deployment. */
  certsAll(options?: CertsAllOptions): Promise<CertificateReportOrFailure[]>;

  /** Takes over a renewed certificate, and sees to it that front serves it. */
  certsSync(options?: CertsSyncOptions): Promise<CertificateSync>;

  /** Takes over renewed certificates of every deployment. */
  certsSyncAll(options?: CertsSyncAllOptions): Promise<CertificateSyncOrFailure[]>;

  /** The systemd timer that takes renewed certificates over every hour. */
  certsTimer(options?: CertsTimerOptions): Promise<TimerState>;

  /**
   * Whether this host can run a deployment, before or after its installation: engine, ports, names, room, the way out,
   * Traefik.
   */
  check(options?: CheckOptions): Promise<PreflightReport>;

  /** What is worth knowing about a deployment's `mailu.toml`. What is wrong with it is the error. */
  configCheck(options?: ConfigCheckOptions): Promise<Finding[]>;

  /** The value of a key, or all of them, defaults included. */
  configGet(options?: ConfigGetOptions): Promise<unknown>;

  /** Sets keys of `mailu.toml`; `apply` does the rest. What is worth knowing about the result. */
  configSet(options: ConfigSetOptions): Promise<Finding[]>;

  /** Removes keys from `mailu.toml`, so that their defaults count. What is worth knowing about the result. */
  configUnset(options: ConfigUnsetOptions): Promise<Finding[]>;

  /** What is wrong, from the containers to what DNS and reputation lists say, and what to type next. */
  diagnose(options?: DiagnoseOptions): Promise<Diagnosis>;

  /** Lives with findings of a name from now on; a rule for that goes into `mailu.toml`. */
  diagnoseIgnore(options: DiagnoseIgnoreOptions): Promise<IgnoreRules>;

  /** Takes the rules for findings of a name out of `mailu.toml`. */
  diagnoseUnignore(options: DiagnoseUnignoreOptions): Promise<IgnoreRules>;

  /** Takes back what `integrate` has done: the app's settings, its token, the record. Its mailbox stays. */
  disconnect(options: DisconnectOptions): Promise<Integrated>;

  /** The DNS records of a deployment, by zone. */
  dns(options?: DnsOptions): Promise<DnsReport>;

  /** How the DNS records of a deployment are published, according to all name servers. */
  dnsCheck(options?: DnsCheckOptions): Promise<PublishedReport>;

  /**
   * Writes the DNS records of a deployment into files, one for each zone or one for all. A file that did not come from
   * here is never replaced.
   */
  dnsExport(options: DnsExportOptions): Promise<DnsExported>;

  /** The DNS records of a deployment in a form for programs or people, a text for each zone or one for all. */
  dnsText(options: DnsTextOptions): Promise<DnsText[]>;

  /** Makes one email domain. One that is there has to be so already. */
  domainAdd(options: DomainAddOptions): Promise<AccountChange>;

  /** Deletes one email domain. Mail stays on disk. */
  domainDelete(options: DomainDeleteOptions): Promise<AccountChange>;

  /** All email domains. */
  domainList(options?: DomainListOptions): Promise<Domain[]>;

  /** Changes one email domain. */
  domainSet(options: DomainSetOptions): Promise<AccountChange>;

  /** One email domain. */
  domainShow(options: DomainShowOptions): Promise<Domain>;

  /** Runs a program in a service's container, and gives what it writes. */
  exec(options: ExecOptions): Promise<Executed>;

  /** Makes a deployment, or brings an existing one to what is asked for, and starts it. */
  install(options?: InstallOptions): Promise<Installed>;

  /**
   * Has an app send through a deployment: its own mailbox and token, its settings, a test message. What is not said
   * stays as it was chosen the last time.
   */
  integrate(options: IntegrateOptions): Promise<Integrated>;

  /** The deployments of this host. */
  list(options?: ListOptions): Promise<DeploymentInfo[]>;

  /** What services wrote, in order of time, line by line. */
  logs(options?: LogsOptions): Stream<LogEntry>;

  /** What `apply` would do. */
  plan(options?: PlanOptions): Promise<Outcome>;

  /** Makes one domain whose mail is handed on. One that is there has to be so already. */
  relayAdd(options: RelayAddOptions): Promise<AccountChange>;

  /** Deletes one domain whose mail is handed on. Mail stays on disk. */
  relayDelete(options: RelayDeleteOptions): Promise<AccountChange>;

  /** All domain whose mail is handed ons. */
  relayList(options?: RelayListOptions): Promise<RelayedDomain[]>;

  /** Changes one domain whose mail is handed on. */
  relaySet(options: RelaySetOptions): Promise<AccountChange>;

  /** One domain whose mail is handed on. */
  relayShow(options: RelayShowOptions): Promise<RelayedDomain>;

  /** Restarts services, and waits until they are ready. */
  restart(options?: RestartOptions): Promise<Operated>;

  /**
   * Restores a backup: read whole first, unpacked beside what is there, kept only if it works. Mail that has arrived
   * since stays.
   */
  restore(options?: RestoreOptions): Promise<Restored>;

  /** One secret of a deployment. */
  secret(options: SecretOptions): Promise<Secret>;

  /** What a person needs to know about a deployment: addresses, where its files and secrets are, its configuration. */
  show(options?: ShowOptions): Promise<Details>;

  /** Starts services that do not run, and waits until they are ready. */
  start(options?: StartOptions): Promise<Operated>;

  /** How a deployment is: services, certificate, mail queue, disk, backups. */
  status(options?: StatusOptions): Promise<StatusReport>;

  /** How every deployment of this host is. */
  statusAll(options?: StatusAllOptions): Promise<Fleet>;

  /** How every deployment is, again and again, until it is told to stop. */
  statusAllWatch(options?: StatusAllWatchOptions): Stream<Fleet>;

  /** How a deployment is, again and again, until it is told to stop. */
  statusWatch(options?: StatusWatchOptions): Stream<StatusReport>;

  /** Stops services. */
  stop(options?: StopOptions): Promise<Operated>;

  /** Sends a message as a mail program does, and follows it: log-in, queue, delivery, mailbox, SPF, DKIM and DMARC. */
  testEmail(options?: TestEmailOptions): Promise<DeliveryReport>;

  /** Has a token drawn for a user, and tells it once. It is a password for SMTP, IMAP and POP3. */
  tokenAdd(options: TokenAddOptions): Promise<TokenMade>;

  /** Deletes a token. Whoever uses it is refused from then on. */
  tokenDelete(options: TokenDeleteOptions): Promise<TokenDeleted>;

  /** All tokens, or those of a user. What they are, nobody can say again. */
  tokenList(options?: TokenListOptions): Promise<Token[]>;

  /**
   * Takes a deployment's containers and networks down. Data, configuration and secrets stay unless told otherwise.
   * Nothing is the result where there was nothing left of it.
   */
  uninstall(options?: UninstallOptions): Promise<Uninstalled | null>;

  /**
   * Goes to another release of Mailu: backup first, and back to what was there if anything does not work that worked
   * before.
   */
  update(options?: UpdateOptions): Promise<Updated>;

  /** Makes a user. One of `password`, `generate` and `no_password` says which password it gets. */
  userAdd(options: UserAddOptions): Promise<UserChanged>;

  /** Deletes one user. Mail stays on disk. */
  userDelete(options: UserDeleteOptions): Promise<AccountChange>;

  /** Lets a user in no more, anywhere. Mail still arrives. */
  userDisable(options: UserDisableOptions): Promise<AccountChange>;

  /** Lets a user in again. */
  userEnable(options: UserEnableOptions): Promise<AccountChange>;

  /** All users. */
  userList(options?: UserListOptions): Promise<User[]>;

  /** Gives a user another password: `password`, or with `generate` one that is drawn. */
  userPasswd(options: UserPasswdOptions): Promise<UserChanged>;

  /** Changes one user. */
  userSet(options: UserSetOptions): Promise<AccountChange>;

  /** One user. */
  userShow(options: UserShowOptions): Promise<User>;
}
