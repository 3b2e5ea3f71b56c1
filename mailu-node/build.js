'use strict';

// Builds the addon with Cargo and puts it beside this file. Arguments are Cargo's, such as --release.

const { copyFileSync, renameSync } = require('node:fs');
const { join } = require('node:path');
const { spawnSync } = require('node:child_process');

const { error, status, stdout } = spawnSync(
  process.env.CARGO ?? 'cargo',
  ['build', '--lib', '--message-format=json-render-diagnostics', ...process.argv.slice(2)],
  { cwd: __dirname, encoding: 'utf8', maxBuffer: 2 ** 30, stdio: ['ignore', 'pipe', 'inherit'] },
);
if (error) {
  console.error(`mailu is built from source, and cargo does not start (${error.message}). Install a Rust toolchain.`);
  process.exit(1);
}
if (status !== 0) process.exit(1);

// Asking Cargo spares us the target directory and the platform's naming of libraries.
const library = stdout
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line))
  .filter((message) => message.reason === 'compiler-artifact' && message.target.name === 'mailu_node')
  .flatMap((message) => message.filenames)
  .find((name) => /\.(so|dylib|dll)$/.test(name));

// Renaming leaves processes alone that have the old file mapped.
copyFileSync(library, join(__dirname, 'mailu.new.node'));
renameSync(join(__dirname, 'mailu.new.node'), join(__dirname, 'mailu.node'));
