'use strict';

const { AsyncResource } = require('node:async_hooks');

const native = require('./mailu.node');
const operations = require('./operations.json');
const { Stream } = require('./stream.js');
const { MailuError, failed, interrupted, translated } = require('./errors.js');
const { begin, hold, release } = require('./call.js');

/** Options are an object; `signal` and `onProgress` are ours, the rest is the core's. */
function taken(options) {
  if (options === null || typeof options !== 'object' || Array.isArray(options)) {
    throw new TypeError(`options must be an object, found ${options === null ? 'null' : Array.isArray(options) ? 'an array' : typeof options}`);
  }
  const { signal, onProgress, ...request } = options;
  if (signal != null && (typeof signal.aborted !== 'boolean' || typeof signal.addEventListener !== 'function')) {
    throw new TypeError('signal must be an AbortSignal');
  }
  if (onProgress != null && typeof onProgress !== 'function') throw new TypeError('onProgress must be a function');
  return { request, signal: signal ?? undefined, onProgress: onProgress ?? undefined };
}

/** One answer. */
function promised(root, name, options, place) {
  return new Promise((resolve, reject) => {
    const { request, signal, onProgress } = taken(options);
    if (signal?.aborted) throw interrupted(name, signal, place);
    const tell = onProgress && AsyncResource.bind(onProgress);
    let thrown;
    const stop = () => running.stop();
    const heard = (message) => {
      if (message.event) {
        if (thrown) return;
        try {
          tell(message.event);
        } catch (error) {
          thrown = { error };
          stop();
        }
        return;
      }
      release();
      signal?.removeEventListener('abort', stop);
      if (thrown) reject(thrown.error);
      else if (message.error) reject(failed(message.error, signal, place));
      else resolve(message.value);
    };
    const running = begin({ root, name, request, listen: tell !== undefined, heard, place });
    hold();
    signal?.addEventListener('abort', stop);
  });
}

/** The deployments of this host. */
class Mailu {
  #root;

  constructor(options = {}) {
    if (options === null || typeof options !== 'object') throw new TypeError('options must be an object');
    const { root = native.defaultRoot, ...rest } = options;
    for (const name of Object.keys(rest)) throw new TypeError(`there is no option ${JSON.stringify(name)} here`);
    if (typeof root !== 'string') throw new TypeError(`root must be a string, found ${root === null ? 'null' : typeof root}`);
    this.#root = root;
  }

  /** Where AgencyStack lives. */
  get root() {
    return this.#root;
  }
}

/** A function with a name. */
const named = (name, call) => Object.defineProperty(call, 'name', { value: name });

/** Where a call was written: what comes back later has no stack of its own. */
function here(caller) {
  const place = {};
  Error.captureStackTrace(place, caller);
  return place;
}

for (const { name, method, form } of operations) {
  if (form === 'function') {
    const call = native[method];
    exports[method] = named(method, (...args) => {
      let answer;
      try {
        answer = call(...args);
      } catch (error) {
        throw translated(error, here(exports[method]));
      }
      return JSON.parse(answer);
    });
    continue;
  }
  const value =
    form === 'stream'
      ? function (options = {}) {
          return new Stream(this.root, name, () => taken(options), here(value));
        }
      : function (options = {}) {
          return promised(this.root, name, options, here(value));
        };
  Object.defineProperty(Mailu.prototype, method, { value: named(method, value), configurable: true, writable: true });
}

exports.Mailu = Mailu;
exports.MailuError = MailuError;
exports.errorKinds = named('errorKinds', () => JSON.parse(native.errorKinds()));
exports.version = native.version;
