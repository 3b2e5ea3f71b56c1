#!/usr/bin/env python3
"""Writes the configuration of nginx and of Dovecot, then tells those of them that run to read it.

Values are what mailu.env says, with yes and no as booleans; what is missing counts as empty, except where Mailu needs it.
"""
import hashlib
import logging
import os
import subprocess
import sys

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import standin

env = standin.set_env(coerce=True)
logging.basicConfig(stream=sys.stderr, level=env.get("LOG_LEVEL", "WARNING"))


def get(name):
    return env.get(name, "")


# ------------------------------------------------------------------------------------------------ what is asked for
LETSENCRYPT = ("letsencrypt", "mail-letsencrypt")
# For a proxy in front that takes HTTPS off: the site is on port 80, certificate or not.
BEHIND_PROXY = ("mail", "mail-letsencrypt")
FLAVOR = env["TLS_FLAVOR"]

OWN_PAIR = [f"/certs/{env.get('TLS_CERT_FILENAME', 'cert.pem')}", f"/certs/{env.get('TLS_KEYPAIR_FILENAME', 'key.pem')}"]
LIVE = "/certs/letsencrypt/live"
ISSUED = [f"{LIVE}/{name}/{file}" for name in ("mailu", "mailu-ecdsa") for file in ("nginx-chain.pem", "privkey.pem")]
TLS = {"cert": OWN_PAIR, "mail": OWN_PAIR, "letsencrypt": ISSUED, "mail-letsencrypt": ISSUED, "notls": []}[FLAVOR]

SUBNET6 = bool(get("SUBNET6"))
PROXIES = get("REAL_IP_FROM").split(",") if get("REAL_IP_FROM") else []
PERMISSIVE = get("TLS_PERMISSIVE") is not False


def size(value):
    try:
        return int(value)
    except ValueError:
        return 0


def first_nameserver():
    with open("/etc/resolv.conf") as file:
        words = file.read().split()
    address = words[words.index("nameserver") + 1]
    return f"[{address}]" if ":" in address else address


# --------------------------------------------------------------------------------------------------- certificates
ISRG_ROOTS = {
    "0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3": "ISRG Root X1",
    "762195c225586ee6c0237456e2107dc54f1efc21f61a792ebd515913cce68332": "ISRG Root X2",
}


def pem_blocks(path):
    with open(path) as file:
        text = file.read()
    end = "-----END CERTIFICATE-----"
    return [block[block.index("-----BEGIN") :] + end + "\n" for block in text.split(end) if "-----BEGIN" in block]


def write_chains(name):
    """Next to certbot's fullchain.pem: the chain for port 25 (everything, for DANE) and for the rest (without a root, if so wished)."""
    source = f"{LIVE}/{name}/fullchain.pem"
    if not os.path.exists(source):
        return
    logging.info("The certificate chain looks as follows for %s:", source)
    everything, short, pinned = [], [], False
    for depth, block in enumerate(pem_blocks(source), 1):
        cert = x509.load_pem_x509_certificate(block.encode())
        key = hashlib.sha256(cert.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
        logging.info("%s%s %s", "  " * depth, cert.subject.rfc4514_string(), key)
        pinned = pinned or key in ISRG_ROOTS
        everything.append(block)
        if key not in ISRG_ROOTS:
            short.append(block)
    if not pinned:
        logging.error("Neither ISRG X1 nor ISRG X2 have been found in the certificate chain. Please check your DANE records.")
    for file, blocks in (("nginx-chain.pem", short if get("LETSENCRYPT_SHORTCHAIN") else everything), ("DANE-chain.pem", everything)):
        with open(f"{LIVE}/{name}/{file}", "w") as output:
            output.writelines(blocks)


if FLAVOR in LETSENCRYPT:
    write_chains("mailu")
    write_chains("mailu-ecdsa")

BROKEN = bool(TLS) and not all(map(os.path.exists, TLS))
if BROKEN:
    print("Missing cert or key file, disabling TLS", flush=True)
SECURE = bool(TLS) and not BROKEN


# ---------------------------------------------------------------------------------------------------------- nginx
class Block:
    def __init__(self, head, *body):
        self.head, self.body = head, body

    def lines(self, indent=""):
        yield f"{indent}{self.head} {{"
        yield from flat(self.body, indent + "  ")
        yield indent + "}"


def flat(items, indent=""):
    """Directives (strings), blocks, and lists of both; None and False are left out."""
    for item in items:
        if isinstance(item, Block):
            yield from item.lines(indent)
        elif isinstance(item, str):
            yield indent + item
        elif item:
            yield from flat(item, indent)


def when(condition, *items):
    return items if condition else None


def listen(port, words=""):
    """On all addresses, IPv6 too where the network has it, with the PROXY protocol where it is asked for."""
    words += " proxy_protocol" if get(f"PROXY_PROTOCOL_{port}") else ""
    return [f"listen {port}{words};", when(SUBNET6, f"listen [::]:{port}{words};")]


def write(path, *items):
    with open(path, "w") as file:
        file.writelines(line + "\n" for line in flat(items))


def tls_conf():
    """The pairs, and Mozilla's intermediate settings."""
    for cert, key in zip(TLS[::2], TLS[1::2]):
        yield f"ssl_certificate {cert};"
        yield f"ssl_certificate_key {key};"
    yield "ssl_dhparam /conf/dhparam.pem;"
    yield "ssl_protocols TLSv1.2 TLSv1.3;"
    yield f"ssl_ciphers {':'.join(MODERN + DHE)};"
    yield "ssl_prefer_server_ciphers off;"
    yield "ssl_session_timeout 1d;"
    yield "ssl_session_tickets off;"


MODERN = [
    f"ECDHE-{key}-{cipher}" for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305") for key in ("ECDSA", "RSA")
]
DHE = ["DHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES256-GCM-SHA384"]
# Port 25 takes whatever encryption the other side can do: better than none.
ANCIENT = (
    MODERN
    + DHE
    + ["DHE-RSA-CHACHA20-POLY1305"]
    + [f"ECDHE-{key}-{cipher}" for cipher in ("AES128-SHA256", "AES128-SHA", "AES256-SHA384", "AES256-SHA") for key in ("ECDSA", "RSA")]
    + ["DHE-RSA-AES128-SHA256", "DHE-RSA-AES256-SHA256", "AES128-GCM-SHA256", "AES256-GCM-SHA384"]
    + ["AES128-SHA256", "AES256-SHA256", "AES128-SHA", "AES256-SHA", "DES-CBC3-SHA"]
)


def proxy_conf():
    """What the services behind are told about the client, and what they may not tell it."""
    yield "proxy_http_version 1.1;"
    yield "proxy_set_header Host $http_host;"
    yield "proxy_set_header X-Real-IP $remote_addr;"
    yield "proxy_set_header X-Real-Port $remote_port;"
    yield "proxy_set_header X-Forwarded-Proto $scheme_of_client;"
    if PROXIES and (get("REAL_IP_HEADER") or get("PROXY_PROTOCOL_80") or get("PROXY_PROTOCOL_443")):
        yield "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
        yield "proxy_set_header X-Forwarded-By $realip_remote_addr;"
    else:
        yield "proxy_set_header X-Forwarded-For $remote_addr;"
        yield "proxy_set_header X-Forwarded-By $remote_addr;"
    for header in ("Forwarded", "X-Forwarded-Host", "X-Forwarded-Server", "X-Original-URL", "X-Rewrite-URL", "X-Remote-User", "X-Script-Name"):
        yield f"proxy_hide_header {header};"


HEALTH = Block("location /health", "return 204;")
TO_PROXY = "include /etc/nginx/proxy.conf;"
TO_ADMIN = [TO_PROXY, "proxy_pass http://$admin;"]
ACME = [
    Block("location ^~ /.well-known/acme-challenge/testing", "return 204;"),
    Block("location ^~ /.well-known/acme-challenge/", "proxy_pass http://127.0.0.1:8008;"),
]
LOGIN = "error_page 403 @sso_login;"


def redirecting_server():
    """Port 80 of the flavors that do HTTPS themselves."""
    everything = Block("location /", "return 301 https://$host$request_uri;")
    return Block("server", listen(80), when(FLAVOR in LETSENCRYPT, *ACME), everything, HEALTH)


def autoconfig():
    """How mail programs find out about us."""
    for match, answer in (
        (r"~ ^/(\.well\-known/autoconfig/)?mail/config\-v1\.1\.xml", "mozilla"),
        ("~* ^/Autodiscover/Autodiscover.json", "microsoft.json"),
        ("~* ^/Autodiscover/Autodiscover.xml", "microsoft"),
        (r"~ ^/(apple\.)?mobileconfig", "apple"),
    ):
        yield Block(f"location {match}", f"rewrite ^ /internal/autoconfig/{answer} break;", TO_ADMIN)


def webmail(at):
    """The webmail is for those who are logged in; /sso.php alone is told who they are."""
    inside = when(at != "/", f"rewrite ^({at})$ $1/ permanent;", f"rewrite ^{at}/(.*) /$1 break;")
    asking = [inside, TO_PROXY, "auth_request /internal/auth/user;"]
    to = [LOGIN, "proxy_pass http://$webmail;"]
    who = [
        "auth_request_set $user $upstream_http_x_user;",
        "auth_request_set $token $upstream_http_x_user_token;",
        "proxy_set_header X-Remote-User $user;",
        "proxy_set_header X-Remote-User-Token $token;",
    ]
    return [Block(f"location {at}", asking, to), Block(f"location {'' if at == '/' else at}/sso.php", asking, who, to)]


def admin(at):
    """The administration, and rspamd's pages for administrators; rspamd must not learn addresses, it trusts some of them."""
    nobody = [f'proxy_set_header {header} "";' for header in ("X-Real-IP", "X-Forwarded-For", "X-Forwarded-By")]
    antispam = [f"rewrite ^{at}/antispam/(.*) /$1 break;", "auth_request /internal/auth/admin;", nobody, "proxy_pass http://$antispam;", LOGIN]
    return [Block(f"location {at}", TO_ADMIN, "expires $age;"), Block(f"location {at}/antispam", antispam)]


def webdav():
    yield Block(
        "location /webdav",
        "rewrite ^/webdav/(.*) /$1 break;",
        "auth_request /internal/auth/basic;",
        "auth_request_set $user $upstream_http_x_user;",
        TO_PROXY,
        "proxy_set_header X-Remote-User $user;",
        "proxy_set_header X-Script-Name /webdav;",
        "proxy_pass http://$webdav;",
    )
    yield Block("location ~ ^/.well-known/(carddav|caldav)", "return 301 /webdav/;")


def site():
    """What is behind the main server's paths; an unset WEBMAIL is not `none`, and leaves a location without a path, as in Mailu."""
    yield "include /overrides/*.conf;"
    if get("ADMIN") or get("WEBMAIL") != "none":
        yield Block("location ~ ^/(sso|static)/", TO_ADMIN)
    yield Block("location @sso_login", "return 302 /sso/login?url=$request_uri;")
    if get("WEB_WEBMAIL") != "/" and get("WEBROOT_REDIRECT") != "none":
        otherwise = f"{get('WEBROOT_REDIRECT')}?homepage" if get("WEBROOT_REDIRECT") else "=404"
        yield Block("location /", "expires $age;", f"try_files $uri {otherwise};")
    if get("WEBMAIL") != "none":
        yield webmail(get("WEB_WEBMAIL"))
    if get("ADMIN"):
        yield admin(get("WEB_ADMIN"))
    if get("WEBDAV") != "none":
        yield list(webdav())


def main_server():
    https = bool(get("TLS_443")) and not BROKEN
    return Block(
        "server",
        when(FLAVOR in BEHIND_PROXY or FLAVOR == "notls", listen(80)),
        when(
            https,
            listen(443, " ssl http2"),
            "include /etc/nginx/tls.conf;",
            "ssl_session_cache shared:SSLHTTP:3m;",
            "add_header Strict-Transport-Security 'max-age=31536000';",
            when(FLAVOR not in BEHIND_PROXY, Block("if ($scheme_of_client = http)", "return 301 https://$host$request_uri;")),
        ),
        "root /static;",
        f"client_max_body_size {size(get('MESSAGE_SIZE_LIMIT')) + 8 * 1024 * 1024};",
        f"set $admin {get('ADMIN_ADDRESS')}:8080;",
        f"set $antispam {get('ANTISPAM_ADDRESS')}:11334;",
        when(get("WEBMAIL_ADDRESS"), f"set $webmail {get('WEBMAIL_ADDRESS')};"),
        when(get("WEBDAV_ADDRESS"), f"set $webdav {get('WEBDAV_ADDRESS')}:5232;"),
        "proxy_hide_header X-XSS-Protection;",
        "proxy_hide_header X-Powered-By;",
        "add_header X-Frame-Options 'SAMEORIGIN';",
        "add_header X-Content-Type-Options 'nosniff';",
        "add_header X-Permitted-Cross-Domain-Policies 'none';",
        "add_header Referrer-Policy 'same-origin';",
        list(autoconfig()),
        when(FLAVOR in LETSENCRYPT, *ACME),
        # Without its certificate a site that does its own HTTPS shows nothing.
        Block("location /", "return 403;") if BROKEN and FLAVOR not in BEHIND_PROXY else list(site()),
        # A regular expression without an anchor: it matches anywhere in a path.
        when(get("API"), Block(f"location ~ {get('WEB_API') or '/api'}", TO_ADMIN)),
        Block(
            "location /internal",
            "internal;",
            "proxy_set_header X-Real-IP $remote_addr;",
            "proxy_set_header Authorization $http_authorization;",
            "proxy_pass_header Authorization;",
            "proxy_pass_request_body off;",
            'proxy_set_header Content-Length "";',
            "proxy_pass http://$admin;",
        ),
        HEALTH,
    )


def http():
    trusted = [f"set_real_ip_from {proxy};" for proxy in PROXIES]
    if get("REAL_IP_HEADER"):
        real_ip = f"real_ip_header {get('REAL_IP_HEADER')};"
    elif PROXIES and (get("PROXY_PROTOCOL_80") or get("PROXY_PROTOCOL_443")):
        real_ip = "real_ip_header proxy_protocol;"
    else:
        real_ip = None
    return Block(
        "http",
        "include /etc/nginx/mime.types;",
        "default_type application/octet-stream;",
        "sendfile on;",
        "keepalive_timeout 65;",
        "server_tokens off;",
        "absolute_redirect off;",
        f"resolver {RESOLVER} valid=30s;",
        real_ip,
        when(PROXIES, "real_ip_recursive on;", trusted),
        Block("map $http_x_forwarded_proto $scheme_of_client", "default $http_x_forwarded_proto;", "'' $scheme;"),
        Block("map $uri $age", "default off;", r"~*\.(ico|css|js|gif|jpeg|jpg|png|woff2?|ttf|otf|svg|tiff|eot|webp)$ 97d;"),
        Block("map $request_uri $worth_a_line", "default 1;", "/health 0;", "/auth/email 0;"),
        "access_log /dev/stdout combined if=$worth_a_line;",
        "gzip on;",
        "gzip_types text/plain text/css application/xml application/javascript;",
        "gzip_min_length 1024;",
        when(get("PORT_80") and FLAVOR in ("cert", "letsencrypt"), redirecting_server()),
        main_server(),
        # The mail half of nginx can speak to an address only, not to a name.
        Block(
            "server",
            "listen 127.0.0.1:8000;",
            f"set $admin {get('ADMIN_ADDRESS')}:8080;",
            Block("location /", "proxy_pass http://$admin/internal$request_uri;"),
        ),
        Block("server", "listen 127.0.0.1:10204;", HEALTH),
        "include /etc/nginx/conf.d/*.conf;",
    )


def mail():
    """Port 25 of everybody: always there, so that no mail is lost while a certificate is missing."""
    if FLAVOR in LETSENCRYPT:
        pairs = [f"ssl_certificate {LIVE}/{name}/DANE-chain.pem;" for name in ("mailu", "mailu-ecdsa")]
    else:
        pairs = None
    permissive = ["ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;", f"ssl_ciphers {':'.join(ANCIENT)};", "ssl_prefer_server_ciphers on;"]
    return Block(
        "mail",
        f"server_name {env['HOSTNAMES'].split(',')[0]};",
        "auth_http http://127.0.0.1:8000/auth/email;",
        "proxy_pass_error_message on;",
        f"resolver {RESOLVER} valid=30s;",
        "error_log /dev/stderr info;",
        when(SECURE, "include /etc/nginx/tls.conf;", "ssl_session_cache shared:SSLMAIL:3m;"),
        when(get("PROXY_PROTOCOL_25"), [f"set_real_ip_from {proxy};" for proxy in PROXIES]),
        f"smtp_capabilities PIPELINING \"SIZE {get('MESSAGE_SIZE_LIMIT')}\" ETRN ENHANCEDSTATUSCODES 8BITMIME DSN;",
        Block(
            "server",
            listen(25),
            when(SECURE, pairs, when(PERMISSIVE, permissive), "starttls on;"),
            "protocol smtp;",
            "smtp_auth none;",
            "auth_http_header Auth-Port 25;",
            # A literal in nginx's mail half, not the number: so it is in Mailu.
            "auth_http_header Client-Port $remote_port;",
        ),
    )


# -------------------------------------------------------------------------------------------------------- Dovecot
LUA = """
-- Every login, and every address that mail is delivered to, is decided on by the admin service, which also says where to.
local admin = dovecot.http.client { timeout = 2000; max_attempts = 3; }

function script_init()
  return 0
end

function script_deinit()
end

local function quoted(text)
  return (text:gsub("[^%%w_.~-]", function(char) return string.format("%%%%%%02X", char:byte()) end))
end

function auth_passdb_lookup(login)
  local question = admin:request { url = "http://%s:8080/internal/auth/email"; }
  question:add_header("Auth-Protocol", login.service)
  question:add_header("Auth-Method", login.mechanism)
  question:add_header("Auth-SSL", login.secured)
  question:add_header("Auth-User", quoted(login.user))
  if login.password ~= nil then
    question:add_header("Auth-Pass", quoted(login.password))
  end
  question:add_header("Auth-Port", login.local_port)
  question:add_header("Client-Ip", quoted(login.remote_ip))
  question:add_header("Client-Port", login.remote_port)
  local answer = question:submit()
  if answer:status() ~= 200 then
    return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE, ""
  end
  if answer:header("Auth-Status") ~= "OK" then
    return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH, ""
  end
  local where = "host=" .. answer:header("Auth-Server") .. " port=" .. answer:header("Auth-Port")
  return dovecot.auth.PASSDB_RESULT_OK, "proxy=y " .. where .. " nopassword=y proxy_noauth=y"
end
"""


def port(number):
    """A listener for people; 0 is Dovecot's way of saying that there is none."""
    wanted = get(f"PORT_{number}")
    return [f"port = {number if wanted else 0}", when(get(f"PROXY_PROTOCOL_{number}"), "haproxy = yes")]


def implicit_tls(name, number):
    return Block(f"inet_listener {name}", f"port = {number}", "ssl = yes", when(get(f"PROXY_PROTOCOL_{number}"), "haproxy = yes"))


def login_service(name, *listeners):
    processes = get("CPU_COUNT")
    sizes = ["service_count = 0", "client_limit = 25000", f"process_min_avail = {processes}", f"process_limit = {processes}", "vsz_limit = 256M"]
    return Block(f"service {name}-login", listeners, sizes)


def dovecot():
    yield from ["log_path = /dev/stderr", "auth_verbose = yes", "mail_debug = yes"]
    yield "login_log_format_elements = user=<%u> method=%m rip=%r rport=%b lip=%l lport=%a mpid=%e %c"
    yield "protocols = sieve imap pop3 lmtp submission"
    yield f"listen = {'*,::' if SUBNET6 else '*'}"
    yield f"postmaster_address = {get('POSTMASTER')}@{get('DOMAIN')}"
    yield f"hostname = {env['HOSTNAMES'].split(',')[0]}"
    yield f"recipient_delimiter = {get('RECIPIENT_DELIMITER')}"
    yield from ["default_internal_user = dovecot", "default_internal_group = dovecot", "default_login_user = mail"]
    # Empty: then nobody is believed, and ports with the PROXY protocol refuse everybody.
    yield f"haproxy_trusted_networks = {' '.join(PROXIES)}"

    if TLS:
        # Whether the files exist or not: without them Dovecot does not start.
        yield "ssl = required"
        yield from [f"ssl_cert = <{TLS[0]}", f"ssl_key = <{TLS[1]}"]
        if FLAVOR in LETSENCRYPT:
            yield from [f"ssl_alt_cert = <{TLS[2]}", f"ssl_alt_key = <{TLS[3]}"]
        yield from ["ssl_min_protocol = TLSv1.2", f"ssl_cipher_list = {':'.join(MODERN)}"]
        yield from ["ssl_prefer_server_ciphers = no", "ssl_options = no_compression no_ticket"]
    else:
        yield from ["ssl = no", "disable_plaintext_auth = no"]

    yield from ["auth_mechanisms = plain login", "auth_username_chars ="]
    yield Block("passdb", "driver = lua", "args = file=/etc/dovecot/login.lua blocking=yes")
    yield Block("service auth-worker", "user = dovenull", "group = dovenull", Block("unix_listener auth-worker"))
    # The admin service has its own rate limit; Dovecot's slowing down of failures is off.
    yield Block("service anvil", Block("unix_listener anvil-auth-penalty", "mode = 0"))

    # As the webmail speaks to these, it is not behind a proxy there.
    if get("PORT_4190"):
        yield login_service("managesieve", Block("inet_listener sieve", port(4190)), Block("inet_listener sieve-webmail", "port = 14190"))
    yield login_service(
        "imap",
        Block("inet_listener imap", port(143)),
        when(get("TLS_993"), implicit_tls("imaps", 993)),
        Block("inet_listener imap-webmail", "port = 10143"),
    )
    yield login_service("pop3", Block("inet_listener pop3", port(110)), when(get("TLS_995") and get("PORT_995"), implicit_tls("pop3s", 995)))
    yield login_service(
        "submission",
        Block("inet_listener submission", port(587)),
        when(get("TLS_465"), implicit_tls("submissions", 465)),
        Block("inet_listener submission-webmail", "port = 10025"),
    )
    yield Block("service lmtp", "user = $default_internal_user", Block("inet_listener lmtp", "port = 2525"))
    yield from ["lmtp_proxy = yes", "lmtp_client_workarounds = whitespace-before-path mailbox-for-path"]

    yield Block("protocol imap", "mail_max_userip_connections = 20", "imap_idle_notify_interval = 29mins")
    yield "imap_urlauth_host ="
    yield from [f"submission_host = {get('SMTP_ADDRESS')}", f"submission_relay_host = {get('SMTP_ADDRESS')}", "submission_relay_port = 10025"]
    yield from ["submission_relay_trusted = yes", "submission_relay_ssl = no", f"submission_max_mail_size = {get('MESSAGE_SIZE_LIMIT')}"]
    yield "submission_backend_capabilities = 8BITMIME DSN VRFY"
    yield "submission_client_workarounds = mailbox-for-path whitespace-before-path"
    yield "!include_try /overrides/dovecot/proxy.conf"


# ------------------------------------------------------------------------------------------------------------ all
RESOLVER = first_nameserver()
write("/etc/nginx/tls.conf", list(tls_conf()))
write("/etc/nginx/proxy.conf", list(proxy_conf()))
write(
    "/etc/nginx/nginx.conf",
    "load_module /usr/lib/nginx/modules/ngx_mail_module.so;",
    "user www-data;",
    "worker_processes auto;",
    "pcre_jit on;",
    "pid /var/run/nginx.pid;",
    "error_log /dev/stderr notice;",
    Block("events", "worker_connections 1024;"),
    http(),
    mail(),
)
write("/etc/dovecot/login.lua", LUA % get("ADMIN_ADDRESS"))
write("/etc/dovecot/proxy.conf", list(dovecot()))
# Whoever runs reads the new files. A Dovecot that is not there stays away.
subprocess.call(["killall", "-q", "-HUP", "nginx", "dovecot"])
