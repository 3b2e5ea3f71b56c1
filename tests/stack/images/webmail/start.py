#!/usr/bin/env python3
"""Configures Roundcube, its database, PHP and nginx on every start, and runs them.

Values are the raw text of mailu.env: `false` is not empty, so it means yes.
"""
import json
import os
import shutil
import subprocess
import sys

import standin

standin.set_env(secrets=("ROUNDCUBE", "SNUFFLEUPAGUS"))
env = os.environ
ROUNDCUBE = "/var/www/roundcube"

webmail = env.get("WEBMAIL", "")
if webmail == "snappymail":
    sys.exit("SnappyMail is not in Debian, so it is not in this image: tests have to use WEBMAIL=roundcube.")

size = int(env.get("MESSAGE_SIZE_LIMIT", "50000000"))
upload = int(size * 0.66 / 1048576)
front = env.get("FRONT_ADDRESS") or "front"
at = env.get("WEB_WEBMAIL", "")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


# ------------------------------------------------------------------------------------------------------- database
def database():
    flavor, uri = env.get("ROUNDCUBE_DB_FLAVOR"), env.get("SQLALCHEMY_DATABASE_URI_ROUNDCUBE", "sqlite:////data/roundcube.db")
    if flavor == "sqlite":
        return "sqlite:////data/roundcube.db"
    if flavor in ("mysql", "postgresql"):
        user, host, name = (env.get(f"ROUNDCUBE_DB_{key}", usual) for key, usual in (("USER", "roundcube"), ("HOST", "database"), ("NAME", "roundcube")))
        return f"{'mysql' if flavor == 'mysql' else 'pgsql'}://{user}:{env.get('ROUNDCUBE_DB_PW')}@{host}/{name}"
    if uri:
        return uri
    print(f"Unknown ROUNDCUBE_DB_FLAVOR: {flavor}", file=sys.stderr)
    sys.exit(1)


# ------------------------------------------------------------------------------------------------------ Roundcube
def plugins():
    """Those that are wished for and there, or the usual ones (without carddav and enigma, which Debian has not or not whole); Mailu's own in any case."""
    there = os.listdir(f"{ROUNDCUBE}/plugins")
    wished = [name for name in env.get("ROUNDCUBE_PLUGINS", "").replace(" ", "").split(",") if name in there]
    usual = ["archive", "zipdownload", "markasjunk", "managesieve"]
    names = wished or [name for name in usual if name in there]
    return list(dict.fromkeys([*names, "mailu"]))


def php(value):
    """As PHP writes it."""
    if isinstance(value, dict):
        return "[" + ", ".join(f"{php(key)} => {php(item)}" for key, item in value.items()) + "]"
    if isinstance(value, list):
        return "[" + ", ".join(map(php, value)) + "]"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return json.dumps(value)


def roundcube():
    # Front's certificate need not be for the name by which it is reached in here.
    anything = {"ssl": {"verify_peer": False, "verify_peer_name": False, "allow_self_signed": True}}
    button = bool(env.get("ADMIN") and env.get("WEB_ADMIN"))
    config = {
        "db_dsnw": database(),
        "des_key": env["ROUNDCUBE_KEY"],
        "cipher_method": "AES-256-CBC",
        "temp_dir": "/dev/shm/",
        "log_driver": "stdout",
        "product_name": "Mailu Webmail",
        "skin": "elastic",
        "plugins": plugins(),
        "request_path": at or "none",
        "trusted_host_patterns": env["HOSTNAMES"].split(","),
        "session_lifetime": int(int(env.get("PERMANENT_SESSION_LIFETIME", 10800)) / 3600),
        "imap_host": f"tls://{front}:10143",
        "imap_conn_options": anything,
        "smtp_host": f"tls://{front}:10025",
        "smtp_conn_options": anything,
        "smtp_user": "%u",
        "smtp_pass": "%p",
        "managesieve_host": f"tls://{front}:14190",
        "managesieve_conn_options": anything,
        "managesieve_mbox_encoding": "UTF8",
        "identities_level": 0,
        "reply_all_mode": 1,
        "mdn_use_from": True,
        "quota_zero_as_unlimited": True,
        "zipdownload_selection": True,
        "enigma_pgp_homedir": "/data/gpg",
        "sso_logout_url": "/sso/logout",
        "show_mailu_button": button,
    }
    if button:
        config["support_url"] = f"../..{env['WEB_ADMIN']}"
    if env.get("FULL_TEXT_SEARCH", "").lower() not in ("off", "false", "0"):
        fields = ("subject", "from", "to", "cc", "bcc", "replyto", "followupto", "body")
        config["search_mods"] = {"*": {field: 1 for field in fields}}
        config["search_scope"] = "sub"
    lines = ["<?php", "$config = [];", *(f"$config[{php(name)}] = {php(value)};" for name, value in config.items())]
    extra = sorted(os.listdir("/overrides")) if os.path.isdir("/overrides") else []
    lines += [f"include('/overrides/{name}');" for name in extra if name.endswith((".inc", ".inc.php"))]
    return "\n".join(lines) + "\n"


# -------------------------------------------------------------------------------------------------- PHP and nginx
PHP_INI = f"""expose_php = Off
date.timezone = {env.get("TZ", "Etc/UTC")}
upload_max_filesize = {upload}M
post_max_size = {upload}M
file_uploads = On
session.auto_start = Off
zlib.output_compression = Off
error_reporting = E_ALL & ~E_DEPRECATED & ~E_STRICT & ~E_NOTICE
display_errors = Off
log_errors = On
error_log = /dev/fd/2
"""

FPM = """[global]
pid = /run/php/php-fpm.pid
error_log = /dev/stderr
log_level = warning

[webmail]
user = mailu
group = mailu
listen = /run/php/php-fpm.sock
listen.owner = www-data
listen.group = www-data
listen.mode = 0660
pm = ondemand
pm.max_children = 5
pm.process_idle_timeout = 10s
pm.max_requests = 200
ping.path = /ping
catch_workers_output = yes
decorate_workers_output = no
"""


def nginx():
    with open("/etc/resolv.conf") as file:
        words = file.read().split()
    resolver = words[words.index("nameserver") + 1]
    resolver = f"[{resolver}]" if ":" in resolver else resolver
    return f"""user www-data;
worker_processes auto;
pid /run/nginx.pid;
error_log /dev/stderr notice;
events {{
  worker_connections 1024;
}}
http {{
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  server_tokens off;
  access_log off;
  resolver {resolver} valid=30s;

  server {{
    listen 80 default_server;
    {"listen [::]:80 default_server;" if env.get("SUBNET6") else ""}
    root /var/www/{webmail}{"/public_html" if webmail == "roundcube" else ""};
    index index.php;
    client_max_body_size {size + 8 * 1024 * 1024};

    # Only front may say who the client is.
    real_ip_header X-Real-IP;
    set_real_ip_from {front};

    add_header X-Robots-Tag "none" always;
    add_header X-Download-Options "noopen" always;
    add_header X-Permitted-Cross-Domain-Policies "none" always;
    add_header Referrer-Policy "no-referrer" always;
    fastcgi_hide_header X-Powered-By;

    location / {{
      try_files $uri $uri/ /index.php$args;
    }}
    location ~ [^/]\\.php(/|$) {{
      fastcgi_split_path_info ^(.+?\\.php)(/.*)$;
      if (!-f $document_root$fastcgi_script_name) {{
        return 404;
      }}
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
      fastcgi_param SCRIPT_NAME {"" if at == "/" else at + "/"}$fastcgi_script_name;
      fastcgi_param PATH_INFO $fastcgi_path_info;
      fastcgi_buffers 16 32k;
      fastcgi_buffer_size 64k;
      fastcgi_busy_buffers_size 64k;
      fastcgi_intercept_errors on;
      fastcgi_pass unix:/run/php/php-fpm.sock;
    }}
    location ~* \\.(?:css|js)$ {{
      expires 7d;
    }}
    location ~ (^|/)\\. {{
      deny all;
    }}
    location ~* /(config|temp|logs|data) {{
      deny all;
    }}
    location = /ping {{
      allow 127.0.0.1;
      allow ::1;
      deny all;
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
      fastcgi_pass unix:/run/php/php-fpm.sock;
    }}
  }}
}}
"""


# ------------------------------------------------------------------------------------------------------------ all
def as_mailu(*command, failing):
    """Runs it as the user `mailu`; ends the container with code `failing` if it fails. Returns what it said."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=standin.drop_privs_to)
    if done.returncode and not ("already exists" in done.stdout and failing == 3):
        print(done.stdout, flush=True)
        sys.exit(failing)
    return done.stdout


write(f"{ROUNDCUBE}/config/config.inc.php", roundcube())
os.makedirs("/data/gpg", exist_ok=True)
shutil.rmtree("/data/_data_/_default_/domains", ignore_errors=True)
for folder in ("domains", "configs"):
    os.makedirs(f"/data/_data_/_default_/{folder}", exist_ok=True)
write("/etc/php/8.2/fpm/conf.d/99-webmail.ini", PHP_INI)
write("/etc/php/8.2/fpm/php-fpm.conf", FPM)
subprocess.call(["chown", "-R", "mailu:mailu", "/data"])

print("Initializing database", flush=True)
said = as_mailu("php", "/initdb.php", failing=3)
print("Already initialized" if "already exists" in said else said, flush=True)
print("Upgrading database", flush=True)
as_mailu("/usr/share/roundcube/bin/updatedb.sh", "--package=roundcube", f"--dir={ROUNDCUBE}/SQL", failing=4)
print("Cleaning database", flush=True)
as_mailu("/usr/share/roundcube/bin/cleandb.sh", failing=5)

write("/etc/nginx/nginx.conf", nginx())
# PHP need not know the keys; they are in its configuration.
for name in [name for name in env if name.endswith("_KEY")]:
    del env[name]
subprocess.call(["php-fpm8.2"])
os.execv("/usr/sbin/nginx", ["nginx", "-g", "daemon off;"])
