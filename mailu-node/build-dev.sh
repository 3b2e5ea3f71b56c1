#!/bin/sh
# Builds the addon, unoptimised, into the source tree. Honours CARGO_TARGET_DIR.
set -eu
exec node "$(dirname "$0")/build.js" "$@"
