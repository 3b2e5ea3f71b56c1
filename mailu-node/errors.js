'use strict';

/** A failed operation: `message` says what was attempted on what. */
class MailuError extends Error {
  /** @param {import('./index').Failure} data */
  constructor({ kind, code, message, cause, hints, findings }) {
    super(message, cause === null ? undefined : { cause });
    this.kind = kind;
    this.code = code;
    this.hints = hints;
    this.findings = findings;
  }
}
// On the prototype and not enumerable, as for the built-in errors.
Object.defineProperty(MailuError.prototype, 'name', {
  value: 'MailuError',
  configurable: true,
  writable: true,
});

/** Gives an error the stack of the place where the call was written. */
function placed(error, place) {
  const frames = String(place.stack).split('\n').slice(1);
  const stack = [String(error), ...frames].join('\n');
  return Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true });
}

/** What the core says of a failure. Where a signal has stopped the call, that is the cause. */
function failed(data, signal, place) {
  const error = new MailuError(data);
  if (data.code === 'interrupted' && signal?.aborted) {
    for (const [name, value] of [['name', 'AbortError'], ['cause', signal.reason]]) {
      Object.defineProperty(error, name, { value, configurable: true, writable: true });
    }
  }
  return placed(error, place);
}

/** A call that was stopped before it began: as the core says it of one that has begun. */
function interrupted(name, signal, place) {
  const data = { kind: 'docker', code: 'interrupted', message: `call \`${name}\`: it was stopped before it began`, cause: null };
  return failed({ ...data, hints: [], findings: [] }, signal, place);
}

/** What the addon throws carries its class as `code`; anything else was thrown by a getter of the caller's data. */
function translated(error, place) {
  if (error?.code === 'MailuError') return failed(JSON.parse(error.message), undefined, place);
  if (error?.code === 'TypeError') return placed(new TypeError(error.message), place);
  return error;
}

module.exports = { MailuError, failed, interrupted, translated };
