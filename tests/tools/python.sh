#!/bin/sh
# Usage: python.sh STATEMENT REQUIREMENT…
# Makes the virtual environment .cache/python, and has pip install the requirements unless the statement (an import) works there.
set -eu
tools=$(cd "$(dirname "$0")/../.." && pwd)/.cache/python
statement=$1
shift
# A virtual environment does not survive being moved, or its Python being removed.
if ! "$tools/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$tools"
    python3 -m venv "$tools"
fi
"$tools/bin/python" -c "$statement" 2>/dev/null || "$tools/bin/python" -m pip install --quiet "$@"
