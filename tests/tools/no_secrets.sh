#!/usr/bin/env bash
# Runs a command whose tests note every secret that they drew and all that the program printed, and fails if one of the
# secrets is in that, or in what the command itself printed.
set -euo pipefail
kept=$(mktemp -d)
trap 'rm -rf "$kept"' EXIT
export MAILU_TEST_SECRETS=$kept/secrets MAILU_TEST_OUTPUT=$kept/runs
: >"$MAILU_TEST_SECRETS"
: >"$MAILU_TEST_OUTPUT"

code=0
"$@" 2>&1 | tee "$kept/output" || code=$?

cat "$kept/runs" >>"$kept/output"
# Two tests that end together may leave an empty line, which would be found everywhere.
sed -i '/^.\{0,7\}$/d' "$kept/secrets"
sort -u -o "$kept/secrets" "$kept/secrets"
count=$(wc -l <"$kept/secrets")
[ "$count" -ge "${MAILU_TEST_SECRETS_LEAST:-1}" ] || { echo "only $count secrets were noted" >&2; exit 1; }
# -c: what is found is a secret, and is not to be printed here either.
found=$(grep -acF -f "$kept/secrets" "$kept/output" || true)
echo "searched $(wc -l <"$kept/output") lines of output for $count secrets and lines of keys: in $found lines"
[ "$found" = 0 ] || exit 1
exit "$code"
