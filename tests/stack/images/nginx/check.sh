#!/bin/sh
# Checks the built image: `check.sh [IMAGE]`.
set -eu
here=$(dirname "$(readlink -f "$0")")
docker run --rm -i --network none --entrypoint python3 "${1:-ghcr.io/mailu/nginx:2024.06.57}" - <"$here/check.py"
