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
