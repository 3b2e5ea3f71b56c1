#!/usr/bin/env python3
"""Postfix as Mailu configures it. Variables are raw strings here: any text that is not empty is `on`."""
import fcntl
import glob
import os
import re
import shutil
import subprocess
import sys

import standin

MASTER = """\
smtp      inet  n       -       n       -       -       smtpd
10025     inet  n       -       n       -       -       smtpd
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_discard_ehlo_keywords=pipelining,silent-discard
  -o smtpd_client_restrictions=$check_ratelimit,reject_unlisted_sender,reject_authenticated_sender_login_mismatch,permit
  -o smtpd_reject_unlisted_recipient={unlisted}
  -o cleanup_service_name=outclean
outclean  unix  n       -       n       -       0       cleanup
  -o header_checks=pcre:/etc/postfix/outgoing_headers.pcre
  -o nested_header_checks=
polite    unix  -       -       n       -       -       smtp
  -o syslog_name=postfix-polite
turtle    unix  -       -       n       -       -       smtp
  -o syslog_name=postfix-turtle
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
smtpd     pass  -       -       n       -       -       smtpd
relay     unix  -       -       n       -       -       smtp
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
lmtp      unix  -       -       n       -       -       lmtp
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""

# polite and turtle: how many at once, seconds between, recipients for each, failures before giving up
PACES = {"polite": (3, 0, 20, 10), "turtle": (1, 5, 1, 1)}

# Our own maps' noise, and Docker's health check.
QUIET = re.compile(
    r"(dis)?connect from localhost\[(::1|127\.0\.0\.1)\]( quit=1 commands=1)?$"
    r"|haproxy read: short protocol header: QUIT$|discarding EHLO keywords: PIPELINING$"
)


def bracketed(network):
    """Postfix wants [brackets] around an IPv6 address, also when the mask follows."""
    return re.sub(r"([0-9a-fA-F]+:[0-9a-fA-F:]+)/", r"[\1]/", network)


def main_cf(env):
    subnet = env.get("SUBNET", "")
    subnet6 = bracketed(env["SUBNET6"].translate({91: None, 93: None})) if env.get("SUBNET6") else ""
    relaynets = bracketed(env.get("RELAYNETS", "")).split(",")
    settings = {
        "compatibility_level": "3.6",
        "default_database_type": "lmdb",
        "mydomain": env.get("DOMAIN", ""),
        "myhostname": env["HOSTNAMES"].split(",")[0],
        "myorigin": "$mydomain",
        "maillog_file": "/dev/stdout",
        "queue_directory": "/queue",
        "message_size_limit": env.get("MESSAGE_SIZE_LIMIT", ""),
        "mynetworks": " ".join(["127.0.0.1/32", subnet, *(["[::1]/128", subnet6] if subnet6 else []), *relaynets]).strip(),
        "mydestination": "",
        "alias_maps": "",
        "podop": "socketmap:unix:/tmp/podop.socket:",
        "postscreen_upstream_proxy_protocol": "haproxy",
        "smtpd_forbid_bare_newline": "yes",
        "smtpd_forbid_unauth_pipelining": "no",
        "recipient_delimiter": env.get("RECIPIENT_DELIMITER", ""),
        "delay_warning_time": "5m",
        "notify_classes": "resource, software, delay",
        # Out: DANE where the names are signed, else whatever the other side can do.
        "relayhost": env.get("RELAYHOST", ""),
        "tls_preempt_cipherlist": "yes",
        "tls_ssl_options": "NO_COMPRESSION, NO_TICKET",
        "smtp_tls_mandatory_protocols": "!SSLv2, !SSLv3",
        "smtp_tls_protocols": "!SSLv2, !SSLv3",
        "smtp_tls_security_level": env.get("OUTBOUND_TLS_LEVEL", "dane"),
        "smtp_tls_dane_insecure_mx_policy": "dane" if env.get("DEFER_ON_TLS_ERROR", "True") else "may",
        "smtp_tls_policy_maps": "lmdb:/etc/postfix/tls_policy.map, ${podop}dane, socketmap:unix:/tmp/mta-sts.socket:postfix",
        "smtp_tls_CApath": "/etc/ssl/certs",
        "smtp_tls_session_cache_database": "lmdb:/dev/shm/postfix/smtp_scache",
        "smtpd_tls_session_cache_database": "lmdb:/dev/shm/postfix/smtpd_scache",
        "smtp_tls_loglevel": "1",
        "smtp_host_lookup": "dns",
        "smtp_dns_support_level": "dnssec",
        # Who and what exists is admin's knowledge.
        "virtual_alias_domains": "",
        "virtual_alias_maps": "${podop}alias",
        "virtual_mailbox_domains": "${podop}domain",
        "virtual_mailbox_maps": "${podop}mailbox",
        "relay_domains": "${podop}transport",
        "transport_maps": "lmdb:/etc/postfix/transport.map, ${podop}transport",
        "virtual_transport": f"lmtp:inet:{env.get('FRONT_ADDRESS', '')}:2525",
        "lmtp_host_lookup": "native",
        "sender_canonical_maps": "${podop}sendermap",
        "sender_canonical_classes": "envelope_sender",
        "recipient_canonical_maps": "${podop}recipientmap",
        "recipient_canonical_classes": "envelope_recipient,header_recipient",
        # In: whoever is inside SUBNET is trusted, and believed when it says who the client is.
        "smtpd_delay_reject": "yes",
        "smtpd_helo_required": "yes",
        "smtpd_sender_login_maps": "${podop}senderlogin",
        "check_ratelimit": "check_sasl_access ${podop}senderrate",
        "smtpd_client_restrictions": "permit_mynetworks, reject_non_fqdn_sender, reject_unknown_sender_domain, reject_unknown_recipient_domain, permit",
        "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
        "unverified_recipient_reject_reason": "Address lookup failure",
        "smtpd_authorized_xclient_hosts": ",".join(filter(None, [subnet, subnet6])),
        "smtpd_milters": f"inet:{env.get('ANTISPAM_ADDRESS', '')}:11332",
        "milter_protocol": "6",
        "milter_mail_macros": "i {mail_addr} {client_addr} {client_name} {auth_authen}",
        "milter_default_action": "tempfail",
    }
    if env.get("RELAYUSER"):
        settings |= {
            "smtp_sasl_auth_enable": "yes",
            "smtp_sasl_password_maps": "lmdb:/etc/postfix/sasl_passwd",
            "smtp_sasl_security_options": "noanonymous, noplaintext",
            "smtp_sasl_tls_security_options": "noanonymous",
        }
    for name, (at_once, delay, recipients, failures) in PACES.items():
        settings |= {
            f"{name}_destination_concurrency_limit": at_once,
            f"{name}_destination_rate_delay": delay,
            f"{name}_destination_recipient_limit": recipients,
            f"{name}_destination_concurrency_failed_cohort_limit": failures,
        }
    return "".join(f"{name} = {value}\n" for name, value in settings.items())


def lines_of(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [line for line in file.read().strip().split("\n") if line and not line.startswith("#")]


def overrides():
    # Through a shell, as Mailu does: whoever writes `$` here has to escape it.
    for path, option in (("/overrides/postfix.cf", "-e"), ("/overrides/postfix.master", "-Me")):
        for line in lines_of(path):
            subprocess.run(f'postconf {option} "{line}"', shell=True, check=False)
    for source in glob.glob("/overrides/*.map"):
        table = os.path.join("/etc/postfix", os.path.basename(source))
        shutil.copyfile(source, table)
        subprocess.run(["postmap", table], check=False)
        os.remove(table)
    for name in ("tls_policy", "transport"):
        if not os.path.exists(f"/etc/postfix/{name}.map.lmdb"):
            write(f"/etc/postfix/{name}.map", "")
            subprocess.run(["postmap", f"/etc/postfix/{name}.map"], check=False)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def remove_stale_pid(path="/queue/pid/master.pid"):
    if os.path.exists(path):
        with open(path, "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return
            os.remove(path)


def main():
    env = standin.set_env()
    remove_stale_pid()
    write("/etc/postfix/main.cf", main_cf(env))
    write("/etc/postfix/master.cf", MASTER.format(unlisted=env.get("REJECT_UNLISTED_RECIPIENT") or "no"))
    overrides()
    if "RELAYUSER" in env:
        write("/etc/postfix/sasl_passwd", f"{env.get('RELAYHOST', '')} {env['RELAYUSER']}:{env.get('RELAYPASSWORD', '')}\n")
        subprocess.run(["postmap", "/etc/postfix/sasl_passwd"], check=False)
    subprocess.Popen([sys.executable, "/maps.py"])
    # The numbers of Postfix's user and group may be others than when the queue was written.
    subprocess.run(["/usr/libexec/postfix/post-install", "meta_directory=/etc/postfix", "create-missing"], check=False)
    subprocess.run(["postfix", "set-permissions"], check=False)
    postfix = subprocess.Popen(["postfix", "start-fg"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    standin.copy_lines(postfix.stdout, lambda line: None if QUIET.search(line) else line)
    standin.run(postfix)


if __name__ == "__main__":
    main()
