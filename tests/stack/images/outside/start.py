#!/usr/bin/python3
"""Everything on the world's Internet but the host: name servers, a validating resolver, a mail server, ACME. Ends if one of them ends."""

import base64
import hashlib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.request

import dnstree

RESOLVER = "198.51.100.53"
MX = "198.51.100.10"
WEB = "198.51.100.11"
OTHERS = [dnstree.NSD, WEB, "198.51.100.20", RESOLVER, "198.51.100.254"]
READY = "/run/ready"


def sh(text):
    subprocess.run(["sh", "-ec", text], check=True, stdout=subprocess.DEVNULL)


def certificate(name, *others):
    """From the world's authority."""
    if not os.path.exists(f"/tls/{name}.pem"):
        names = ",".join(f"DNS:{n}" for n in (name, *others))
        sh(f"""
            cd /tls
            openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name} 2>/dev/null
            printf 'subjectAltName={names}\\nextendedKeyUsage=serverAuth' >{name}.ext
            openssl x509 -req -in {name}.csr -CA /world/ca.pem -CAkey /world/ca.key -days 90 -extfile {name}.ext -out {name}.pem 2>/dev/null
        """)


def addresses():
    for address in OTHERS:
        subprocess.run(["ip", "address", "add", f"{address}/24", "dev", "eth0"], stderr=subprocess.DEVNULL)
    for address in dnstree.ROOTS:
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], stderr=subprocess.DEVNULL)
    # Nobody else is there: whoever tries learns it at once.
    sh("ip route replace unreachable default; sysctl -qw net.ipv4.ip_forward=1 2>/dev/null || true")
    with open("/etc/resolv.conf", "w") as file:
        file.write("nameserver 127.0.0.1\noptions edns0 trust-ad\n")


def own_records():
    """The keys of outside.test."""
    os.makedirs(f"{dnstree.STATE}/more", exist_ok=True)
    if not os.path.exists("/tls/dkim.key"):
        sh("openssl genrsa -out /tls/dkim.key 2048 2>/dev/null")
    public = subprocess.run(
        ["openssl", "rsa", "-in", "/tls/dkim.key", "-pubout", "-outform", "DER"], capture_output=True, check=True
    ).stdout
    text = "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()
    spki = subprocess.run(
        ["sh", "-c", "openssl x509 -in /tls/mx.outside.test.pem -noout -pubkey | openssl pkey -pubin -outform DER"],
        capture_output=True,
        check=True,
    ).stdout
    with open(f"{dnstree.STATE}/more/outside.test", "w") as file:
        file.write(f's1._domainkey TXT "{text[:200]}" "{text[200:]}"\n')
        file.write(f"_25._tcp.mx TLSA 3 1 1 {hashlib.sha256(spki).hexdigest()}\n")


def unbound():
    with open("/run/unbound.conf", "w") as file:
        file.write(f"""server:
  directory: /run
  username: ""
  chroot: ""
  use-syslog: no
  logfile: ""
  do-daemonize: no
  pidfile: /run/unbound.pid
  interface: {RESOLVER}
  interface: 127.0.0.1
  access-control: 0.0.0.0/0 allow
  do-ip6: no
  root-hints: /world/root.hints
  trust-anchor-file: /world/root.key
  module-config: "validator iterator"
  cache-max-ttl: {dnstree.LONGEST}
  cache-max-negative-ttl: 1
  infra-host-ttl: 1
  local-zone: test. nodefault
  local-zone: 100.51.198.in-addr.arpa. nodefault
  num-threads: 1
remote-control:
  control-enable: yes
  control-interface: /run/unbound.ctl
  control-use-cert: no
""")


def postfix():
    settings = {
        "myhostname": "mx.outside.test",
        "myorigin": "outside.test",
        "mydestination": "",
        "mynetworks": "127.0.0.0/8",
        "inet_protocols": "ipv4",
        "maillog_file": "/dev/stdout",
        "virtual_mailbox_domains": "outside.test stranger.test",
        # Anybody there; `inbox` tells them apart by Delivered-To.
        "virtual_mailbox_maps": "static:all/",
        "virtual_mailbox_base": "/mail",
        "virtual_minimum_uid": "1",
        "virtual_uid_maps": "static:8",
        "virtual_gid_maps": "static:8",
        "smtpd_recipient_restrictions": "check_recipient_access inline:{{reject@outside.test=550 5.1.1 nobody here},"
        "{later@outside.test=450 4.2.1 not now}}, permit_mynetworks, reject_unauth_destination",
        "smtpd_tls_security_level": "may",
        "smtpd_tls_cert_file": "",
        "smtpd_tls_key_file": "",
        "smtpd_tls_chain_files": "/tls/mx.outside.test.key, /tls/mx.outside.test.pem",
        "smtp_tls_security_level": "dane",
        "smtp_dns_support_level": "dnssec",
        "smtp_bind_address": MX,
        "smtp_tls_loglevel": "1",
        "message_size_limit": "0",
        "mailbox_size_limit": "0",
        "virtual_mailbox_limit": "0",
        # Greylisting is waited out.
        "minimal_backoff_time": "3s",
        "maximal_backoff_time": "10s",
        "queue_run_delay": "3s",
        "smtp_host_lookup": "dns",
        "compatibility_level": "3.6",
    }
    subprocess.run(["postconf", "-e", *[f"{k}={v}" for k, v in settings.items()]], check=True)
    subprocess.run(["postconf", "-F", "*/*/chroot=n"], check=True)
    os.makedirs("/mail", exist_ok=True)
    os.chown("/mail", 8, 8)
    sh("rm -f /var/spool/postfix/pid/master.pid; postfix set-permissions 2>/dev/null || true")


def pebble():
    with open("/run/pebble.json", "w") as file:
        json.dump(
            {
                "pebble": {
                    "listenAddress": "127.0.0.1:14000",
                    "managementListenAddress": "127.0.0.1:15000",
                    "certificate": "/tls/acme-v02.api.letsencrypt.org.pem",
                    "privateKey": "/tls/acme-v02.api.letsencrypt.org.key",
                    "httpPort": 80,
                    "tlsPort": 443,
                    "ocspResponderURL": "",
                    "externalAccountBindingRequired": False,
                }
            },
            file,
        )
    # Pebble knows its directory by another name than Let's Encrypt does.
    with open("/run/nginx.conf", "w") as file:
        file.write(f"""daemon off; pid /run/nginx.pid; error_log stderr;
events {{}}
http {{
  access_log off;
  server {{
    listen {WEB}:443 ssl;
    server_name acme-v02.api.letsencrypt.org;
    ssl_certificate /tls/acme-v02.api.letsencrypt.org.pem;
    ssl_certificate_key /tls/acme-v02.api.letsencrypt.org.key;
    location = /directory {{ proxy_pass https://127.0.0.1:14000/dir; proxy_set_header Host $host; }}
    location / {{ proxy_pass https://127.0.0.1:14000; proxy_set_header Host $host; }}
  }}
  server {{ listen {WEB}:80; return 200 "outside\\n"; }}
}}
""")


def wait_for(what, check):
    deadline = time.time() + 60
    while True:
        try:
            if check():
                return
        except (OSError, subprocess.CalledProcessError):
            pass
        if time.time() > deadline:
            sys.exit(f"{what}: not within a minute")
        time.sleep(0.1)


def validated():
    answer = subprocess.run(["dig", "+dnssec", "+time=1", "+tries=1", "@" + RESOLVER, "example.org", "A"], capture_output=True, text=True)
    return " ad" in answer.stdout and WEB in answer.stdout


def acme_root():
    """The root that Pebble has drawn, and that clients of its certificates are to trust."""
    trusting = ssl.create_default_context(cafile="/world/ca.pem")
    trusting.check_hostname = False
    with urllib.request.urlopen("https://127.0.0.1:15000/roots/0", context=trusting) as answer:
        text = answer.read()
    with urllib.request.urlopen("https://127.0.0.1:14000/dir", context=trusting) as answer:
        answer.read()
    with open("/run/acme-root.pem.new", "wb") as file:
        file.write(text)
    os.rename("/run/acme-root.pem.new", "/run/acme-root.pem")
    return True


def main():
    for path in (READY, "/run/acme-root.pem"):
        if os.path.exists(path):
            os.remove(path)
    os.makedirs("/tls", exist_ok=True)
    addresses()
    certificate("mx.outside.test")
    certificate("acme-v02.api.letsencrypt.org")
    own_records()
    dnstree.sign_all()
    unbound()
    postfix()
    pebble()
    quick = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
    processes = [
        subprocess.Popen(args, env=quick)
        for args in (
            ["nsd", "-d", "-c", "/run/nsd.conf"],
            ["unbound", "-d", "-c", "/run/unbound.conf"],
            ["postfix", "start-fg"],
            ["pebble", "-config", "/run/pebble.json", "-dnsserver", "127.0.0.1:53"],
            ["nginx", "-c", "/run/nginx.conf"],
        )
    ]

    def end(*_):
        for process in processes:
            process.terminate()
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    wait_for("a validated answer", validated)
    wait_for("Pebble", acme_root)
    wait_for("Postfix", lambda: subprocess.run(["nc", "-z", MX, "25"]).returncode == 0)
    open(READY, "w").close()
    print("the world is ready", flush=True)
    ended, status = os.wait()
    sys.exit(f"process {ended} has ended with {status}")


main()
