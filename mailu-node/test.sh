#!/bin/sh
# Builds the addon, tests it, and checks that the declared types serve both kinds of module.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tools=$here/../.cache/node
if [ ! -x "$tools/node_modules/.bin/tsc" ]; then
    mkdir -p "$tools"
    npm install --silent --no-audit --no-fund --prefix "$tools" 'typescript@^5'
fi
sh "$here/build-dev.sh"
cd "$here"
node --test --test-reporter=tap test/*.test.mjs
"$tools/node_modules/.bin/tsc" --project test/types
