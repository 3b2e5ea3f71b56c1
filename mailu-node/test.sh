#!/bin/sh
# Builds the addon, tests it, and checks that the declared types serve both kinds of module, and the examples.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tools=$here/../.cache/node
if [ ! -x "$tools/node_modules/.bin/tsc" ] || [ ! -d "$tools/node_modules/@types/node" ]; then
    mkdir -p "$tools"
    npm install --silent --no-audit --no-fund --prefix "$tools" 'typescript@^5' '@types/node@^20'
fi
sh "$here/build-dev.sh"
# What is wrong is compared with what the program says of it.
program=${CARGO_TARGET_DIR:-$here/../target}/debug/mailu
[ -x "$program" ] || cargo build --quiet --manifest-path "$here/../mailu-cli/Cargo.toml"
cd "$here"
node --test --test-reporter=tap test/*.test.mjs
"$tools/node_modules/.bin/tsc" --project test/types
"$tools/node_modules/.bin/tsc" --project test/types/examples.json
