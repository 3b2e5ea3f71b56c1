#!/bin/sh
# build.sh FILE: puts Traefik, built from its Go module, there. The program is kept in .cache/tools by version and by this script.
# Two things differ from the released one: the DNS providers of its ACME client are left out (a gigabyte of clients for clouds; no
# test uses dns-01), and basic authentication comes from an older revision of its fork, because the newer one is not to be had
# everywhere. The dashboard's files are not in the module.
set -eu
out=$1
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../../.."
version=$(cat "$here/version")
kept=.cache/tools/traefik-$version-$(cat "$here/version" "$here/build.sh" "$here"/*.go | sha256sum | cut -c1-12)

if [ ! -x "$kept" ]; then
    command -v go >/dev/null || { echo "error: Go is needed to build Traefik $version; https://go.dev/dl has it" >&2; exit 2; }
    echo "compiling Traefik $version, once" >&2
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    module=github.com/traefik/traefik/v3
    # Its sum is checked by the go command against the public database of sums.
    from=$(cd "$work" && go mod download -json "$module@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    cp -r "$from" "$work/src"
    chmod -R u+w "$work/src"
    # A module within the module, which its archive therefore lacks: two empty types.
    mkdir -p "$work/src/pkg/config/dynamic/ext" "$work/src/pkg/provider/acme/dns"
    cp "$here/ext.go" "$work/src/pkg/config/dynamic/ext/"
    cp "$here/dns.go" "$work/src/pkg/provider/acme/dns/"
    (
        cd "$work/src"
        printf 'module github.com/traefik/traefik/dynamic/ext\n\ngo 1.24\n' >pkg/config/dynamic/ext/go.mod
        sed -i "s#\"github.com/go-acme/lego/v5/providers/dns\"#\"$module/pkg/provider/acme/dns\"#" pkg/provider/acme/provider.go
        go mod edit -replace github.com/abbot/go-http-auth=github.com/containous/go-http-auth@v0.4.1-0.20200324110947-a37a7636d23e
        CGO_ENABLED=0 go build -mod=mod -trimpath -ldflags "-s -w -X $module/pkg/version.Version=${version#v}" -o "$work/traefik" ./cmd/traefik
    )
    mkdir -p .cache/tools
    rm -f .cache/tools/traefik-*
    mv "$work/traefik" "$kept"
fi
cp "$kept" "$out"
