# shellcheck shell=sh
# Sourced. `want PROGRAM PACKAGE` notes what this machine lacks; `install_wanted` gets it from apt, as root.
need=""
# Debian keeps some of it where only root looks.
PATH=$PATH:/usr/sbin:/sbin

want() {
    command -v "$1" >/dev/null 2>&1 || need="$need $2"
}

install_wanted() {
    [ -n "$need" ] || return 0
    echo "installing:$need" >&2
    [ "$(id -u)" = 0 ] || { echo "run as root: apt-get install$need" >&2; exit 1; }
    # Packages that bring a server must not start it.
    policy=/usr/sbin/policy-rc.d
    made=""
    [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy; made=1; }
    # shellcheck disable=SC2086
    if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $need >&2; then ok=1; else ok=""; fi
    [ -z "$made" ] || rm -f $policy
    [ -n "$ok" ] || exit 1
    need=""
}
