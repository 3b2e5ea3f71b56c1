#!/bin/sh
# real_listmonk.sh SOURCE: builds real Listmonks from a git repository of github.com/knadh/listmonk, starts them with a PostgreSQL of their own,
# and runs the tests of the API against them, too. Nothing is sent anywhere but to a server of the test's own. Needs root, Go 1.26 and psql.
# The module proxy does not have Listmonk by commit everywhere, so that its source is given; what it is made of comes from there.
set -eu
[ -d "${1:-}" ] || { echo "usage: $0 /path/to/listmonk.git" >&2; exit 2; }
source=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
command -v go >/dev/null || { echo "error: Go is needed; https://go.dev/dl has it" >&2; exit 2; }
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
work=$(mktemp -d)
pids=""
# shellcheck disable=SC2086
trap 'kill $pids 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

chown 65534:65534 "$work"
as_nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
(cd "$work" && $as_nobody "$bin/initdb" -U listmonk -A trust -E UTF8 -N -D "$work/data" >/dev/null)
(cd "$work" && exec $as_nobody "$bin/postgres" -D "$work/data" -k "$work" -c listen_addresses=127.0.0.1 -c port=54398 >"$work/postgres.log" 2>&1) &
pids=$!
until psql -q -h "$work" -p 54398 -U listmonk -d postgres -c 'SELECT 1' >/dev/null 2>&1; do sleep 0.2; done

printf '127.0.0.1 localhost mail.example.com other.example.com\n' >"$work/hosts"
MAILU_LISTMONKS=""
start() { # VERSION TAG PORT
    kept=$PWD/.cache/tools/listmonk-$2
    mkdir -p "$work/$2" "$PWD/.cache/tools"
    git -C "$source" archive "$2" | tar -x -C "$work/$2"
    [ -x "$kept" ] || (cd "$work/$2" && nice -n 19 go build -mod=mod -ldflags "-s -w -X main.buildString=$2 -X main.versionString=$2" -o "$kept" ./cmd)
    mkdir -p "$work/$2/frontend/dist/static"
    echo '<html></html>' >"$work/$2/frontend/dist/index.html"
    psql -q -h "$work" -p 54398 -U listmonk -d postgres -c "CREATE DATABASE \"$2\""
    cat >"$work/$2.toml" <<TOML
[app]
address = "127.0.0.1:$3"
admin_username = "admin"
admin_password = "adminpassword"
[db]
host = "127.0.0.1"
port = 54398
user = "listmonk"
password = "none"
database = "$2"
ssl_mode = "disable"
max_open = 5
max_idle = 5
max_lifetime = "300s"
TOML
    (
        cd "$work/$2"
        LISTMONK_ADMIN_USER=admin LISTMONK_ADMIN_PASSWORD=adminpassword LISTMONK_ADMIN_API_USER=mailu \
            "$kept" --config "$work/$2.toml" --install --yes >"$work/$2.install" 2>&1
    )
    # It would ask its makers for news.
    psql -q -h "$work" -p 54398 -U listmonk -d "$2" -c "UPDATE settings SET value = 'false' WHERE key = 'app.check_updates'"
    (
        cd "$work/$2"
        SSL_CERT_FILE=$work/ca.pem exec unshare -m sh -c "mount --bind '$work/hosts' /etc/hosts; exec '$kept' --config '$work/$2.toml'" >"$work/$2.log" 2>&1
    ) &
    pids="$pids $!"
    token=$(sed -n 's/.*API_TOKEN="\(.*\)".*/\1/p' "$work/$2.install")
    user=mailu
    [ -n "$token" ] || { user=admin; token=adminpassword; }
    MAILU_LISTMONKS="$MAILU_LISTMONKS$1 http://127.0.0.1:$3 $user $token postgresql:///$2?host=$work&port=54398&user=listmonk $work/ca.pem
"
}
start v3 v2.5.1 19025
start v3 v3.0.0 19030
start v6.2 v6.2.0 19062
export MAILU_LISTMONKS
sleep 3
nice -n 19 cargo test -p mailu-tests --test it -- listmonk::api || { tail -n 30 "$work"/*.log; exit 1; }
