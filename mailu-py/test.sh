#!/bin/sh
# Builds the extension module, tests it, and checks that the declared types are true.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tools=$here/../.cache/python
sh "$here/../tests/tools/python.sh" 'import pytest, mypy, pyright' 'pytest>=8,<10' 'mypy>=1.15,<3' 'pyright>=1.1.400'
sh "$here/build-dev.sh" --quiet
cd "$here"
"$tools/bin/python" -m pytest -q -p no:cacheprovider
"$tools/bin/python" -m mypy --cache-dir "$tools/mypy"
PYTHONPATH=python "$tools/bin/python" -m mypy.stubtest mailu._mailu
PYRIGHT_PYTHON_IGNORE_WARNINGS=1 "$tools/bin/python" -m pyright --pythonpath "$tools/bin/python"
