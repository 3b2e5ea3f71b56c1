#!/bin/sh
# Builds the extension module into the source tree, so that python/ can be imported as it is. Honours CARGO_TARGET_DIR.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cargo build --manifest-path "$here/Cargo.toml" "$@"
target=${CARGO_TARGET_DIR:-$here/../target}
# Renaming leaves processes alone that have the old file mapped.
cp "$target/debug/lib_mailu.so" "$here/python/mailu/_mailu.new.so"
mv "$here/python/mailu/_mailu.new.so" "$here/python/mailu/_mailu.abi3.so"
