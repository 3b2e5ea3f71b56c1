#!/bin/sh
# `engine.sh run COMMAND …` runs a command on a machine of its own, as far as network, processes and mounts go: a Docker engine with
# the images of tests/stack, one public address, and an Internet that consists of the container `world_outside` (world.sh).
# An engine that the machine has is not used: the tests need ports, addresses, DNS and image names to themselves, and nothing
# they do may reach another host. When the command ends, or this script is killed, all of it is gone; images stay in .cache/engine.
# `engine.sh build` only builds the images.
set -eu
self=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
cd "$(dirname "$0")/../.."
base=$PWD/.cache/engine
stack=$PWD/tests/stack
PATH=$PATH:/usr/sbin:/sbin

# --- inside: process 1 of the new namespaces ---------------------------------------------------------------------------------

engine=""
command=""

end_all() {
    trap '' INT TERM HUP
    [ -z "$command" ] || kill "$command" 2>/dev/null || true
    if [ -n "$engine" ]; then
        rm -f /run/engine-wanted
        docker ps -aq 2>/dev/null | xargs -r docker rm -f >/dev/null 2>&1 || true
        kill "$(cat /run/docker.pid)" 2>/dev/null || true
        wait "$engine" 2>/dev/null || true
    fi
    # Whatever else there is ends with process 1.
}

# An engine that a test has ended comes back, as systemd would have it.
supervise() {
    while [ -e /run/engine-wanted ]; do
        dockerd --data-root "$base/data" --pidfile /run/docker.pid --cgroup-parent /mailu-e2e "$@" >>"$base/log" 2>&1 || true
        rm -f /run/docker.pid
    done
}

start_engine() { # OPTIONS of dockerd
    : >"$base/log"
    : >/run/engine-wanted
    supervise "$@" &
    engine=$!
    tries=0
    # `docker info` is content with less.
    until docker ps -q >/dev/null 2>&1; do
        tries=$((tries + 1))
        if [ $tries -gt 300 ]; then
            echo "the Docker engine did not start; its last words:" >&2
            tail -n 20 "$base/log" >&2
            exit 1
        fi
        sleep 0.2
    done
}

# What a run that was killed has left: containers would start again, with networks of theirs.
forget() {
    data=$base/data
    for layer in "$data"/image/overlay2/layerdb/mounts/*; do
        [ -e "$layer/mount-id" ] || continue
        for id in mount-id init-id; do
            [ ! -s "$layer/$id" ] || rm -rf "$data/overlay2/$(cat "$layer/$id")"
        done
        rm -rf "$layer"
    done
    rm -rf "$data/containers" "$data/network" "$data/volumes" "$data/containerd" "$data/runtimes"
}

if [ "${1:-}" = inside ]; then
    what=$2
    shift 2
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/lock
    unset DOCKER_HOST DOCKER_CONTEXT DOCKER_TLS_VERIFY
    trap end_all EXIT
    trap 'exit 130' INT TERM HUP
    mkdir -p "$base/data"
    forget
    if [ "$what" = build ]; then
        # In the network of the machine, without touching it: builds use that network as it is.
        start_engine --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false
        MAILU_STACK_RECORD=$base/images "$stack/build.sh"
        exit
    fi
    # Compose v2 as a plug-in, as Docker's own packages have it.
    export DOCKER_CONFIG=/run/docker-config
    mkdir -p $DOCKER_CONFIG/cli-plugins
    [ ! -x .cache/tools/compose-v2 ] || ln -s "$PWD/.cache/tools/compose-v2" $DOCKER_CONFIG/cli-plugins/docker-compose
    "$stack/world.sh" network
    start_engine
    "$stack/world.sh" up
    # Whom `mailu check` asks in this world.
    export MAILU_ROOT_SERVER=198.51.100.2 MAILU_OUTBOUND_TO=mx.outside.test
    # A command in the background ignores interrupts, and so would the programs that the tests interrupt.
    env --default-signal=INT,QUIT "$@" <&3 3<&- &
    command=$!
    status=0
    wait "$command" || status=$?
    command=""
    exit "$status"
fi

# --- outside -----------------------------------------------------------------------------------------------------------------

case ${1:-} in
    run) [ $# -ge 2 ] || { echo "usage: engine.sh run COMMAND …" >&2; exit 2; } ;;
    build) ;;
    *) echo "usage: engine.sh run COMMAND … | engine.sh build" >&2; exit 2 ;;
esac
[ "$(id -u)" = 0 ] || { echo "only root can start a Docker engine" >&2; exit 1; }
. tests/tools/packages.sh
want dockerd docker.io
want docker docker.io
want iptables iptables
want ip iproute2
want unshare util-linux
want mkfs.ext4 e2fsprogs
want busybox busybox-static
install_wanted

mkdir -p "$base"
exec 8>"$base/lock"
flock -n 8 || { echo "waiting for another run of engine.sh in this clone" >&2; flock 8; }

# A command in the background would have no input of its own.
exec 3<&0

child=""
clean_up() {
    trap '' INT TERM HUP
    if [ -n "$child" ] && kill -0 "$child" 2>/dev/null; then
        # Process 1 of the namespaces ends everything in order. unshare itself ignores these signals.
        kill -TERM $(cat "/proc/$child/task/$child/children") 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
    find /sys/fs/cgroup -depth -type d -path '*/mailu-e2e*' -exec rmdir {} + 2>/dev/null || true
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

apart() { # NAMESPACES … -- ARGUMENTS: all of it is killed if this script is
    options=""
    while [ "$1" != -- ]; do options="$options $1"; shift; done
    shift
    # shellcheck disable=SC2086
    setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc $options "$self" inside "$@" 8>&- &
    child=$!
    status=0
    wait "$child" || status=$?
    child=""
    return "$status"
}

if "$stack/build.sh" --stale; then apart -- build; fi
[ "$1" = run ] || exit 0
shift
apart --net --uts --ipc -- run "$@"
