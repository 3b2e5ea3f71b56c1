'use strict';

const native = require('./mailu.node');
const { translated } = require('./errors.js');

/** How many wait for an answer; while there is one, the process goes on. */
let waiting = 0;
let alive;

function hold() {
  waiting += 1;
  if (waiting === 1) alive = setInterval(() => {}, 2 ** 31 - 1);
}

function release() {
  waiting -= 1;
  if (waiting === 0) clearInterval(alive);
}

/** Starts a call: `heard` gets its events, and at last its value or its error. */
function begin({ root, name, request, room, listen, heard, place }) {
  try {
    return native.start(root, name, request, room, listen, (text) => heard(JSON.parse(text)));
  } catch (error) {
    throw translated(error, place);
  }
}

module.exports = { begin, hold, release };
