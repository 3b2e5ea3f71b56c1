#!/usr/bin/python3
"""Starts the admin service in Mailu's order: owners, user mailu, database, first administrator, DNSSEC, platform, web server.

Whatever the commands answer, the start goes on; only DNS without validation (and a platform Mailu does not know) stop it, for good.
"""
import logging as log
import os
import signal
import subprocess
import sys
import time

import dns.flags
import dns.resolver
import standin

HELP = "https://mailu.io/master/faq.html#the-admin-container-won-t-start-and-its-log-says-critical-your-dns-resolver-isn-t-doing-dnssec-validation"

os.system("chown mailu:mailu -R /dkim")
os.system("find /data | grep -v /fetchmail | xargs -n50 chown mailu:mailu")
standin.drop_privs_to("mailu")
standin.set_env(secrets=("SECRET",))

os.system("flask mailu advertise")
os.system("flask db upgrade")

account, domain, password = (os.environ.get(f"INITIAL_ADMIN_{name}") for name in ("ACCOUNT", "DOMAIN", "PW"))
if None not in (account, domain, password):
    mode = os.environ.get("INITIAL_ADMIN_MODE", "ifmissing")
    log.info("Creating initial admin account %s@%s with mode %s", account, domain, mode)
    # Through a shell, in single quotes, as Mailu does: a password with a single quote breaks it.
    os.system(f"flask mailu admin {account} {domain} '{password}' --mode {mode}")

resolver = dns.resolver.Resolver()
resolver.use_edns(0, dns.flags.DO, 1232)
resolver.flags = dns.flags.AD | dns.flags.RD
for server in list(resolver.nameservers):
    resolver.nameservers = [server]
    while True:
        try:
            if resolver.resolve("example.org", "A", lifetime=10).response.flags & dns.flags.AD:
                break
            log.critical("Your DNS resolver at %s isn't doing DNSSEC validation; Please see %s.", server, HELP)
        except Exception as error:
            log.critical("Your DNS resolver at %s is not working (%s). Please see %s", server, error, HELP)
        time.sleep(5)

excuses = ("I_KNOW_MY_SETUP_DOESNT_FIT_REQUIREMENTS_AND_WONT_FILE_ISSUES_WITHOUT_PATCHES", "MAILU_HELM_CHART")
if not os.path.isfile("/.dockerenv") and not any(os.environ.get(name) for name in excuses):
    log.critical("Your system is not supported. Please start by reading the documentation.")
    while True:
        time.sleep(5)

# Ends at once when told to (SIGQUIT to the server): tests stop containers often.
command = ["gunicorn", "--threads", os.environ.get("CPU_COUNT", "1"), "-b", f"{'[::]' if os.environ.get('SUBNET6') else '0.0.0.0'}:8080",
           "--logger-class", "mailu.log.Logger", "--log-level", os.environ.get("LOG_LEVEL", "INFO"), "--worker-tmp-dir", "/dev/shm",
           "--error-logfile", "-", "--preload"]
if log.root.level <= log.INFO:
    command += ["--access-logfile", "-"]
server = subprocess.Popen([*command, "mailu:create_app()"])
signal.signal(signal.SIGTERM, lambda *_: server.send_signal(signal.SIGQUIT))
signal.signal(signal.SIGINT, lambda *_: server.send_signal(signal.SIGQUIT))
# A server that does not start is no error of ours: the container ends with 0, and comes back if it is told to.
sys.exit(143 if server.wait() == 0 else 0)
