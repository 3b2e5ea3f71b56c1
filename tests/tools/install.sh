#!/bin/sh
# Installs what the tests compare with: Debian packages, readers of DNS formats into .cache/python, what apps read their settings with
# into .cache/python, .cache/node and .cache/tools, and Docker Compose v2 into .cache/tools.
# Does nothing where everything is there. Needs root and apt for what is missing.
set -eu
cd "$(dirname "$0")/../.."
mkdir -p .cache/tools

need=""
want() { # PROGRAM PACKAGE
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || need="$need $2"
}
want named-checkzone bind9-utils
want nsd-checkzone nsd
want openssl openssl
want nginx nginx-light
want strace strace
want age age
want zstd zstd
want python3 python3
want dig bind9-dnsutils
want nsupdate bind9-dnsutils
want named bind9
want unbound unbound
want ldns-signzone ldnsutils
want opendkim-testkey opendkim-tools
want ip iproute2
want psql postgresql
# Pages are opened in it, in a letter that has their signs.
want chromium chromium
want chromedriver chromium-driver
[ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] || need="$need fonts-dejavu-core"
# For the bindings. A version that is there is not replaced.
want node nodejs
want npm npm
python3 -c 'import ensurepip, venv' 2>/dev/null || need="$need python3-venv"
command -v docker-compose >/dev/null 2>&1 || need="$need docker-compose"
/usr/bin/python3 -c 'import dotenv' 2>/dev/null || need="$need python3-dotenv"
/usr/bin/python3 -c 'import dkim' 2>/dev/null || need="$need python3-dkim"
/usr/bin/python3 -c 'import dns' 2>/dev/null || need="$need python3-dnspython"
/usr/bin/python3 -c 'import authheaders' 2>/dev/null || need="$need python3-authheaders"
/usr/bin/python3 -c 'import spf' 2>/dev/null || need="$need python3-spf"
/usr/bin/python3 -c 'import yaml' 2>/dev/null || need="$need python3-yaml"
# The stand-in for Mailu's admin, without containers.
want redis-server redis-server
/usr/bin/python3 -c 'import gunicorn' 2>/dev/null || need="$need gunicorn"
for package in flask bcrypt passlib redis cryptography; do
    /usr/bin/python3 -c "import $package" 2>/dev/null || need="$need python3-$package"
done
perl -MMail::DKIM -e1 2>/dev/null || need="$need libmail-dkim-perl"
# What apps read their settings with, and send with.
want bash bash
want dash dash
want php php-cli
want ruby ruby
want go golang-go
ruby -e 'require "action_mailer"' 2>/dev/null || need="$need ruby-mail ruby-actionmailer"

# A site that sends mail.
want php php-cli
want mariadbd mariadb-server
[ -e /usr/share/wordpress/wp-load.php ] || need="$need wordpress"
php -r 'exit(extension_loaded("mysqli") ? 0 : 1);' 2>/dev/null || need="$need php-mysql"
/usr/bin/python3 -c 'import aiosmtpd' 2>/dev/null || need="$need python3-aiosmtpd"

if [ -n "$need" ]; then
    echo "installing:$need" >&2
    [ "$(id -u)" = 0 ] || { echo "run as root: apt-get install$need" >&2; exit 1; }
    # Packages that bring a server must not start it.
    policy=/usr/sbin/policy-rc.d
    made=""
    [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy; made=1; }
    trap '[ -z "$made" ] || rm -f $policy' EXIT
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q
    # shellcheck disable=SC2086
    apt-get install -y -q --no-install-recommends $need
fi

sh tests/tools/python.sh 'import dns, markdown_it, octodns' 'dnspython>=2.6,<3' 'markdown-it-py>=3,<5' 'octodns>=1.22,<2'
sh tests/tools/python.sh 'import checkdmarc' 'checkdmarc>=6,<7'
sh tests/tools/python.sh 'import javaproperties' 'javaproperties>=0.8,<1'

# Ghost's configuration and mailer.
mkdir -p .cache/node
[ -e .cache/node/package.json ] || echo '{"private": true}' >.cache/node/package.json
(cd .cache/node && node -e 'for (const one of ["nconf", "nodemailer", "@tryghost/nodemailer"]) require(one)') 2>/dev/null ||
    npm install --prefix .cache/node --no-audit --no-fund --silent nconf@0.13 nodemailer@10 @tryghost/nodemailer@2

if [ ! -x .cache/tools/read-ini ]; then
    (cd tests/tools/ini && CGO_ENABLED=0 go build -trimpath -o ../../../.cache/tools/read-ini .)
fi

# The package of pyspf has a test suite for RFC 7208 among its documentation, which some systems leave out.
suite=usr/share/doc/python3-spf/rfc7208-tests.yml.gz
if [ ! -e /$suite ] && [ ! -e .cache/tools/python3-spf/$suite ]; then
    work=$(mktemp -d)
    chmod 755 "$work"
    (cd "$work" && { apt-get download -q python3-spf || { apt-get update -q && apt-get download -q python3-spf; }; } >&2)
    dpkg-deb -x "$work"/python3-spf_*.deb .cache/tools/python3-spf
    rm -rf "$work"
fi

# Compose v2 is a static program in the next Debian release. Its package is taken from there, by the installed source
# list with the release replaced, and unpacked; nothing else of that release is touched.
if [ ! -x .cache/tools/compose-v2 ]; then
    work=$(mktemp -d)
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    . /etc/os-release
    next=trixie
    for list in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list.d/*.list; do
        [ -f "$list" ] || continue
        case $list in *.sources) suffix=.sources ;; *) suffix=.list ;; esac
        grep -q "${VERSION_CODENAME:-bookworm}" "$list" || continue
        sed "s/${VERSION_CODENAME:-bookworm}/$next/g" "$list" >"$work/next$suffix"
    done
    source=$(ls "$work"/next.* | head -n 1)
    mv "$source" "$work/sources.${source##*.}"
    set -- -o "Dir::Etc::sourcelist=$work/sources.${source##*.}" -o Dir::Etc::sourceparts=- \
        -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root
    apt-get "$@" update -q >&2
    (cd "$work" && apt-get "$@" download -q docker-compose >&2 && dpkg-deb -x docker-compose_*.deb unpacked)
    mv "$work/unpacked/usr/libexec/docker/cli-plugins/docker-compose" .cache/tools/compose-v2
    rm -rf "$work"
    case "$(.cache/tools/compose-v2 version --short)" in
        2.*) ;;
        *) rm -f .cache/tools/compose-v2; echo "what was unpacked is not Compose v2" >&2; exit 1 ;;
    esac
fi
