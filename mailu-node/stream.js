'use strict';

const { begin, hold, release } = require('./call.js');
const { failed, interrupted } = require('./errors.js');

/** How many items wait here at most; then the call waits until one is taken. */
const ROOM = 256;

const DONE = Object.freeze({ value: undefined, done: true });

/** The items of a call as an async iterator. It begins with the first `next`. */
class Stream {
  #root;
  #name;
  #taken;
  #place;
  #signal;
  #running;
  #stop = () => this.#running.stop();
  #items = [];
  #asked = [];
  #ended = false;
  #failure;
  #left = false;
  #whenEnded = [];

  constructor(root, name, taken, place) {
    this.#root = root;
    this.#name = name;
    this.#taken = taken;
    this.#place = place;
  }

  async next() {
    if (!this.#running && !this.#ended) this.#begin();
    if (this.#items.length > 0) {
      this.#running.more();
      return { value: this.#items.shift(), done: false };
    }
    if (this.#ended) return this.#end();
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
      hold();
    });
  }

  async return() {
    this.#left = true;
    this.#items = [];
    if (!this.#running) this.#ended = true;
    if (!this.#ended) {
      this.#stop();
      hold();
      await new Promise((resolve) => this.#whenEnded.push(resolve));
      release();
    }
    return DONE;
  }

  async throw(error) {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  #begin() {
    try {
      const { request, signal, onProgress } = this.#taken();
      if (onProgress) throw new TypeError('onProgress is not for what is iterated over');
      if (signal?.aborted) throw interrupted(this.#name, signal, this.#place);
      this.#signal = signal;
      this.#running = begin({
        root: this.#root,
        name: this.#name,
        request,
        room: ROOM,
        listen: false,
        heard: (message) => this.#heard(message),
        place: this.#place,
      });
      signal?.addEventListener('abort', this.#stop);
    } catch (error) {
      this.#ended = true;
      throw error;
    }
  }

  #heard({ event, error }) {
    if (event) {
      if (this.#left) return;
      const asked = this.#asked.shift();
      if (!asked) {
        this.#items.push(event.item);
        return;
      }
      release();
      this.#running.more();
      asked.resolve({ value: event.item, done: false });
      return;
    }
    this.#ended = true;
    this.#signal?.removeEventListener('abort', this.#stop);
    if (!this.#left) {
      if (error) this.#failure = { error: failed(error, this.#signal, this.#place) };
      else if (this.#signal?.aborted) this.#failure = { error: interrupted(this.#name, this.#signal, this.#place) };
    }
    for (const asked of this.#asked.splice(0)) {
      release();
      try {
        asked.resolve(this.#end());
      } catch (failure) {
        asked.reject(failure);
      }
    }
    for (const resolve of this.#whenEnded) resolve();
  }

  /** What is heard at the end: once why it failed, then that there is no more. */
  #end() {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure.error;
    return DONE;
  }
}

module.exports = { Stream };
