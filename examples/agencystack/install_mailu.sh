#!/usr/bin/env bash
# AgencyStack's scripts/components/install_mailu.sh, with the arguments that it always had: calls `mailu`.
#
# It is idempotent: what is already installed (.installed_ok) is left as it is, unless --force is given.
# MAILU names the program; without it, what PATH finds.
set -euo pipefail

usage() {
	cat <<'TEXT'
install_mailu.sh --domain MAIL_HOST [--email-domain DOMAIN] [--admin-email ADDRESS] [--client-id CLIENT]
                 [--admin-password PASSWORD] [--force] [--with-deps] [--verbose]
                 [--status-only | --logs-only | --restart-only | --test-only]
TEXT
}

domain="" email_domain="" admin_email="" client_id="" verb=install
password=${ADMIN_PASSWORD:-}
flags=() global=()

# The value of an option, or the complaint that there is none.
value() {
	if [ $# -lt 2 ]; then
		echo "error: $1 needs a value" >&2
		exit 2
	fi
	printf '%s' "$2"
}

while [ $# -gt 0 ]; do
	option=$1 joined=""
	case $option in
	--*=*)
		joined=yes
		set -- "${option%%=*}" "${option#*=}" "${@:2}"
		option=$1
		;;
	esac
	case $option in
	--domain) domain=$(value "$@"); shift ;;
	--email-domain) email_domain=$(value "$@"); shift ;;
	--admin-email) admin_email=$(value "$@"); shift ;;
	--client-id) client_id=$(value "$@"); shift ;;
	--admin-password) password=$(value "$@"); shift ;;
	--force) flags+=(--force) ;;
	--with-deps) flags+=(--with-deps) ;;
	--no-start) flags+=(--no-start) ;;
	--verbose) global+=(--verbose) ;;
	--status-only) verb=status ;;
	--logs-only) verb=logs ;;
	--restart-only) verb=restart ;;
	--test-only) verb=diagnose ;;
	--help | -h)
		usage
		exit 0
		;;
	--enable-cloud | --enable-openai | --use-github | --enable-tls) ;;
	*)
		# AgencyStack hands every component what others may need.
		echo "note: $option means nothing to Mailu" >&2
		if [ -z "$joined" ] && [ $# -gt 1 ] && [ "${2#-}" = "$2" ]; then
			shift
		fi
		;;
	esac
	if [ -n "$joined" ] && [ "$1" = "$option" ] && [ $# -gt 1 ]; then
		shift
	fi
	shift
done

if [ -z "$domain" ]; then
	echo "error: --domain is missing" >&2
	usage >&2
	exit 2
fi
which=(--domain "$domain")
if [ -n "$client_id" ]; then
	which+=(--client-id "$client_id")
fi
if [ "$verb" != install ]; then
	exec "${MAILU:-mailu}" "${global[@]}" "$verb" "${which[@]}"
fi

# The old script knew the mail host alone.
root=${AGENCY_STACK_ROOT:-/opt/agency_stack}
directory=$root/mailu/${client_id:+clients/$client_id/}$domain
if [ ! -e "$directory/mailu.toml" ]; then
	if [ -z "$email_domain" ]; then
		email_domain=${domain#*.}
		echo "note: no --email-domain; mail will be for @$email_domain" >&2
	fi
	if [ -z "$admin_email" ]; then
		admin_email=admin@$email_domain
		echo "note: no --admin-email; the first administrator is $admin_email" >&2
	fi
fi
if [ -n "$email_domain" ]; then
	which+=(--email-domain "$email_domain")
fi
if [ -n "$admin_email" ]; then
	which+=(--admin-email "$admin_email")
fi
if [ -n "$password" ]; then
	# Through the environment: arguments can be read by every user of the host.
	export MAILU_ADMIN_PASSWORD=$password
fi
exec "${MAILU:-mailu}" "${global[@]}" install "${which[@]}" "${flags[@]}"
