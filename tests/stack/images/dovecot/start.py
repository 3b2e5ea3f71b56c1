#!/usr/bin/env python3
"""Dovecot as Mailu configures it for `imap`. Variables are raw strings here: any text that is not empty is `on`.

Left out: full text search (Debian 12 has no flatcurve plugin).
"""
import glob
import os
import re
import shutil
import subprocess
import sys

import standin

QUIET = re.compile(r"SSL context initialization failed, disabling SSL: Can't load SSL certificate \(ssl_cert setting\): The certificate is empty$")

CONFIG = """\
log_path = /dev/stderr
protocols = imap pop3 lmtp sieve
postmaster_address = {POSTMASTER}@{DOMAIN}
hostname = {hostname}
submission_host = {submission_host}
listen = {listen}
default_internal_user = dovecot
default_internal_group = dovecot
default_login_user = mail
login_trusted_networks = {SUBNET} {SUBNET6}

first_valid_uid = 8
first_valid_gid = 8
mail_uid = mail
mail_gid = mail
mail_privileged_group = mail
mail_access_groups = mail
mail_home = /mail/%u
mail_location = maildir:/mail/%u
maildir_stat_dirs = yes
mailbox_list_index = yes
mail_vsize_bg_after_count = 100
mail_plugins = $mail_plugins quota quota_clone{zlib}
default_vsz_limit = 2GB
recipient_delimiter = {RECIPIENT_DELIMITER}

namespace inbox {{
  inbox = yes
{mailboxes}}}

auth_username_chars =
auth_mechanisms = plain login
disable_plaintext_auth = no
passdb {{
  driver = dict
  args = /etc/dovecot/auth.conf
}}
userdb {{
  driver = dict
  args = /etc/dovecot/auth.conf
}}
service auth {{
  unix_listener auth-userdb {{
  }}
}}
service auth-worker {{
  unix_listener auth-worker {{
  }}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}

protocol imap {{
  mail_plugins = $mail_plugins imap_quota imap_sieve
  mail_max_userip_connections = 20
  imap_idle_notify_interval = 29mins
}}
protocol lmtp {{
  mail_plugins = $mail_plugins sieve
}}
protocol sieve {{
  ssl = no
}}
service lmtp {{
  inet_listener lmtp {{
    port = 2525
  }}
}}
service managesieve {{
  process_limit = 1024
}}
{logins}
plugin {{
  quota = count:User quota
  quota_vsizes = yes
  quota_clone_dict = proxy:/tmp/podop.socket:quota
{compression}
  sieve = file:~/sieve;active=~/.dovecot.sieve
  sieve_before = dict:proxy:/tmp/podop.socket:sieve
  sieve_plugins = sieve_imapsieve sieve_extprograms
  sieve_extensions = +spamtest +spamtestplus +editheader
  sieve_global_extensions = +vnd.dovecot.execute
  sieve_execute_bin_dir = /conf/bin
  sieve_vacation_dont_check_recipient = yes
  sieve_vacation_send_from_recipient = yes
  sieve_vacation_to_header_ignore_envelope = yes
  sieve_spamtest_status_type = strlen
  sieve_spamtest_status_header = X-Spam-Level
  sieve_spamtest_max_value = 15
  imapsieve_mailbox1_name = Junk
  imapsieve_mailbox1_causes = COPY APPEND
  imapsieve_mailbox1_before = file:/conf/report-spam.sieve
  imapsieve_mailbox2_name = *
  imapsieve_mailbox2_from = Junk
  imapsieve_mailbox2_causes = COPY
  imapsieve_mailbox2_before = file:/conf/report-ham.sieve
}}
!include_try /overrides/dovecot.conf
"""

LOGIN = """\
service {name}-login {{
  inet_listener {listener} {{
    port = {port}
  }}
  service_count = 0
  client_limit = 25000
  process_min_avail = {cpus}
  process_limit = {cpus}
  vsz_limit = 256M
}}
"""

AUTH = """\
uri = proxy:/tmp/podop.socket:auth
iterate_disable = yes
iterate_prefix = 'userdb/'
default_pass_scheme = plain
password_key = passdb/%u
user_key = userdb/%u
"""


def config(env):
    compression = []
    if env.get("COMPRESSION") in ("gz", "bz2", "lz4", "zstd"):
        compression.append(f"  zlib_save = {env['COMPRESSION']}")
    if env.get("COMPRESSION_LEVEL"):
        compression.append(f"  zlib_save_level = {env['COMPRESSION_LEVEL']}")
    hostname = env["HOSTNAMES"].split(",")[0]
    text = {name: env.get(name, "") for name in ("POSTMASTER", "DOMAIN", "SUBNET", "SUBNET6", "RECIPIENT_DELIMITER")}
    return CONFIG.format(
        **text,
        hostname=hostname,
        # Behind a proxy front wants a PROXY header on port 25, which nobody sends for a vacation notice: it goes around, by the public name.
        submission_host=hostname if env.get("PROXY_PROTOCOL_25") else env.get("FRONT_ADDRESS", ""),
        listen="*,::" if env.get("SUBNET6") else "*",
        zlib=" zlib" if env.get("COMPRESSION") else "",
        compression="\n".join(compression),
        mailboxes="".join(f"  mailbox {name} {{\n    auto = subscribe\n    special_use = \\{name}\n  }}\n" for name in ("Trash", "Drafts", "Sent", "Junk")),
        logins="".join(
            LOGIN.format(name=name, listener=listener, port=port, cpus=env["CPU_COUNT"])
            for name, listener, port in (("imap", "imap", 143), ("pop3", "pop3", 110), ("managesieve", "sieve", 4190))
        ),
    )


def main():
    env = standin.set_env()
    for path, text in (("/etc/dovecot/dovecot.conf", config(env)), ("/etc/dovecot/auth.conf", AUTH)):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    os.makedirs("/conf/bin", exist_ok=True)
    for source in glob.glob("/conf/*.script"):
        target = "/conf/bin/" + os.path.basename(source).removesuffix(".script")
        with open(source, encoding="utf-8") as script, open(target, "w", encoding="utf-8") as file:
            file.write(script.read().replace("@ANTISPAM_ADDRESS@", env.get("ANTISPAM_ADDRESS", "")))
        os.chmod(target, 0o555)
    # Not what is below it: mail that was restored with another owner stays unreadable, as with Mailu.
    shutil.chown("/mail", "mail", "mail")
    subprocess.run(["chown", "-R", "mail:mail", "/var/lib/dovecot", "/conf"], check=False)
    subprocess.Popen([sys.executable, "/dicts.py"])
    dovecot = subprocess.Popen(["dovecot", "-c", "/etc/dovecot/dovecot.conf", "-F"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    standin.copy_lines(dovecot.stdout, lambda line: None if QUIET.search(line) else line)
    standin.run(dovecot)


if __name__ == "__main__":
    main()
