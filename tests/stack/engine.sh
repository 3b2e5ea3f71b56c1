#!/bin/sh
# A Docker engine for the tests: `engine.sh run COMMAND …` runs a command with one and ends it afterwards.
# An engine that answers already is used as it is, and left running.
set -eu
cd "$(dirname "$0")/../.."
base=$PWD/.cache/engine

need=""
want() { # PROGRAM PACKAGE
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || need="$need $2"
}
want dockerd docker.io
want iptables iptables
[ -x /bin/busybox ] && ! ldd /bin/busybox >/dev/null 2>&1 || need="$need busybox-static"
if [ -n "$need" ]; then
    [ "$(id -u)" = 0 ] || { echo "run as root: apt-get install$need" >&2; exit 1; }
    policy=/usr/sbin/policy-rc.d
    made=""
    [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy; made=1; }
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    # shellcheck disable=SC2086
    apt-get install -y -q --no-install-recommends $need
    [ -z "$made" ] || rm -f $policy
fi

[ "${1:-}" = run ] || { echo "usage: engine.sh run COMMAND …" >&2; exit 2; }
shift

if docker info >/dev/null 2>&1; then
    exec "$@"
fi
[ "$(id -u)" = 0 ] || { echo "no Docker engine answers, and only root can start one" >&2; exit 1; }

mkdir -p "$base"
export DOCKER_HOST="unix://$base/docker.sock"
# Debian keeps it where root finds it.
PATH=$PATH:/usr/sbin:/sbin
dockerd --data-root "$base/data" --exec-root "$base/exec" --pidfile "$base/pid" \
    -H "$DOCKER_HOST" >"$base/log" 2>&1 &
engine=$!
stop() {
    kill "$engine" 2>/dev/null || true
    wait "$engine" 2>/dev/null || true
}
trap stop EXIT
trap 'exit 130' INT TERM

tries=0
until docker info >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ $tries -gt 120 ] || ! kill -0 "$engine" 2>/dev/null; then
        echo "the Docker engine did not start; its last words:" >&2
        tail -n 20 "$base/log" >&2
        exit 1
    fi
    sleep 0.5
done
"$@"
