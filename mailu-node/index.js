'use strict';

const native = require('./mailu.node');

/** A failed operation: `message` says what was attempted on what. */
class MailuError extends Error {
  /** @param {import('./index').ErrorData} data */
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

/** What the addon throws carries its class as `code`; anything else was thrown by a getter of the caller's data. */
function translated(error, caller) {
  let wanted;
  if (error?.code === 'MailuError') wanted = new MailuError(JSON.parse(error.message));
  else if (error?.code === 'TypeError') wanted = new TypeError(error.message);
  else return error;
  Error.captureStackTrace(wanted, caller);
  return wanted;
}

function wrapped(name, call) {
  const wrapper = (...args) => {
    let answer;
    try {
      answer = call(...args);
    } catch (error) {
      throw translated(error, wrapper);
    }
    return JSON.parse(answer);
  };
  return Object.defineProperty(wrapper, 'name', { value: name });
}

exports.MailuError = MailuError;
for (const [name, value] of Object.entries(native)) {
  exports[name] = typeof value === 'function' ? wrapped(name, value) : value;
}
