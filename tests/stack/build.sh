#!/bin/sh
# Builds the images of the test stack, each only if its folder, its base or what is put into it has changed.
#   build.sh            on the engine that answers (DOCKER_HOST)
#   build.sh NAME …     only these, and what they stand on
#   build.sh --stale    succeeds if the engine of engine.sh lacks something, as far as the record of its last build says
#   build.sh --names    prints name and tag of each
# An image is a folder below images/. `FROM mailu-stack/NAME` is the image of another folder. A Dockerfile that says `stack/` gets
# what belongs to this machine's copy of the world: root.hints, root.key, ca.pem; `outside` the private keys too; `traefik` its binary.
set -eu
cd "$(dirname "$0")"
here=$PWD
cd ../..
cache=$PWD/.cache
world=$cache/world
record=$cache/engine/images
release=bookworm

default() { # KEY: the image that mailu-core names for it
    sed -n "s/^ *$1: ImageRef = parsed(\"\(.*\)\"),/\1/p" mailu-core/src/config/sections.rs | grep . ||
        { echo "mailu-core names no image for $1" >&2; exit 1; }
}
version=$(sed -n '0,/^ *Version => "\(.*\)",/s//\1/p' mailu-core/src/config/units.rs)
[ -n "$version" ] || { echo "mailu-core names no version of Mailu" >&2; exit 1; }
traefik=$(cat "$here/traefik/version")

tag() {
    case $1 in
        debian) echo "mailu-stack/debian:$release" ;;
        base | outside | browser) echo "mailu-stack/$1:latest" ;;
        redis | clamav | tika) default "$1" ;;
        traefik) echo "traefik:$traefik" ;;
        *) echo "ghcr.io/mailu/$1:$version" ;;
    esac
}

# Bases first.
base_of() { sed -n 's#^FROM mailu-stack/\([a-z]*\).*#\1#p' "$here/images/$1/Dockerfile" | head -n 1; }
order=""
add() {
    case " $order " in *" $1 "*) return ;; esac
    if [ "$1" != debian ]; then
        [ -f "$here/images/$1/Dockerfile" ] || { echo "there is no image $1" >&2; exit 1; }
        add_base=$(base_of "$1")
        # The name is a variable of all levels: it is put back.
        [ -z "$add_base" ] || { set -- "$1" "$add_base"; add "$2"; }
    fi
    order="$order $1"
}
all() {
    for file in "$here"/images/*/Dockerfile; do
        basename "$(dirname "$file")"
    done
}

files_hash() { # DIRECTORY: of names, modes and contents
    (cd "$1" && {
        find . -name __pycache__ -prune -o -printf '%p %m %l\n' | sort
        find . -name __pycache__ -prune -o -type f -print0 | sort -z | xargs -0 sha256sum
    }) | sha256sum | cut -c1-32
}
public="root.hints root.key ca.pem"
has_material() { grep -q '^COPY.* stack/' "$here/images/$1/Dockerfile"; }
hash_of() { # NAME, whose base has been asked for before
    if [ "$1" = debian ]; then
        echo "debootstrap $release minbase"
        return
    fi
    {
        files_hash "$here/images/$1"
        ! has_material "$1" || case $1 in
            traefik) files_hash "$here/traefik" ;;
            outside) files_hash "$world" ;;
            *) (cd "$world" && cat $public) ;;
        esac
        eval "echo \"\${hash_$(base_of "$1"):-}\""
    } | sha256sum | cut -c1-32
}

# The root of the domain name system and the one certificate authority of the world in which the tests run. Nothing of it is
# known anywhere else; it is made once for a clone.
make_world() {
    [ ! -e "$world/ca.pem" ] || return 0
    . tests/tools/packages.sh
    want dnssec-keygen bind9-utils
    want openssl openssl
    install_wanted
    rm -rf "$world" "$world.new"
    mkdir -p "$world.new"
    (
        cd "$world.new"
        dnssec-keygen -q -a ECDSAP256SHA256 -f KSK -n ZONE . >name
        mv "$(cat name).key" root.key && mv "$(cat name).private" root.private && rm -f name K*
        printf '. 3600 IN NS a.root-servers.net.\na.root-servers.net. 3600 IN A 198.51.100.2\n' >root.hints
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -days 3650 \
            -subj "/CN=Authority of the test world" -addext basicConstraints=critical,CA:TRUE \
            -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
    )
    mv "$world.new" "$world"
}

wanted() {
    for name in $order; do
        hash=$(hash_of "$name")
        eval "hash_$name=\$hash"
        echo "$name $(tag "$name") $hash"
    done
}

case ${1:-} in
    --names) for name in $(all); do echo "$name $(tag "$name")"; done; exit ;;
    --stale)
        [ -e "$world/ca.pem" ] || exit 0
        for name in $(all); do add "$name"; done
        if wanted | cmp -s - "$record"; then exit 1; else exit 0; fi ;;
    -*) sed -n '2,7s/^# *//p' "$0" >&2; exit 2 ;;
esac
if [ $# -eq 0 ]; then
    for name in $(all); do add "$name"; done
else
    for name; do add "$name"; done
fi

make_world
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
label=mailu-stack.hash
# What the engine has: tag and hash of each.
docker image ls -q --filter "label=$label" | sort -u | xargs -r docker image inspect \
    --format "{{\$h := index .Config.Labels \"$label\"}}{{range .RepoTags}}{{.}} {{\$h}}{{println}}{{end}}" | sed /^$/d >"$work/there"

debian() {
    . tests/tools/packages.sh
    want debootstrap debootstrap
    install_wanted
    # From where the machine's own packages come, if it is this release.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $release" "Created-By: Packages" 2>/dev/null | grep -m 1 '^http.*debian/*$' || true)
    debootstrap --variant=minbase --include=ca-certificates "$release" "$work/debian" ${mirror:+"$mirror"} >"$work/log" 2>&1 ||
        { tail -n 20 "$work/log" >&2; exit 1; }
    rm -rf "$work"/debian/var/cache/apt/archives/*.deb "$work"/debian/var/lib/apt/lists/*
    tar -C "$work/debian" -c . | docker import --change "LABEL \"$label\"=\"$1\"" - "$(tag debian)" >/dev/null
    rm -rf "$work/debian"
}

image() { # NAME HASH TAG
    context=$work/context
    rm -rf "$context"
    cp -a "$here/images/$1" "$context"
    if has_material "$1"; then
        mkdir "$context/stack"
        case $1 in
            traefik) "$here/traefik/build.sh" "$context/stack/traefik" ;;
            outside) cp -a "$world/." "$context/stack/" ;;
            *) (cd "$world" && cp $public "$context/stack/") ;;
        esac
    fi
    # The classic builder is everywhere. The host's network: the engine that builds need not have one of its own.
    DOCKER_BUILDKIT=0 docker build -q --force-rm --network host --label "$label=$2" -t "$3" "$context" >"$work/log" 2>&1 || {
        echo "the image $1 cannot be built:" >&2
        DOCKER_BUILDKIT=0 docker build --force-rm --network host -t "$3" "$context" 2>&1 | tail -n 40 >&2
        exit 1
    }
}

wanted >"$work/wanted"
while read -r name tag hash <&3; do
    if grep -qxF "$tag $hash" "$work/there"; then continue; fi
    echo "building $tag" >&2
    if [ "$name" = debian ]; then debian "$hash"; else image "$name" "$hash" "$tag"; fi
done 3<"$work/wanted"

# What earlier contents left.
docker image prune -f --filter "label=$label" >/dev/null
if [ $# -eq 0 ]; then
    while read -r tag _ <&3; do
        grep -q " $tag " "$work/wanted" || docker image rm "$tag" >/dev/null
    done 3<"$work/there"
    [ -z "${MAILU_STACK_RECORD:-}" ] || cp "$work/wanted" "$MAILU_STACK_RECORD"
fi
