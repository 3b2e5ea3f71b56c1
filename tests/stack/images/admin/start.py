#!/usr/bin/python3
"""Starts the admin service in Mailu's order: owners, user mailu, database, first administrator, DNSSEC, platform, web server.

Whatever the commands answer, the start goes on; only DNS without validation (and a platform Mailu does not know) stop it, for good.
"""
import logging
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import dns.resolver
import standin


def own(path):
    """Gives a file to the user that serves, whatever came to it from a backup or from root."""
    shutil.chown(path, "mailu", "mailu")


def flask(*arguments):
    subprocess.call(["flask", *arguments])


def validates(server):
    """Asks as admin does: with DO and AD, for a name that is signed."""
    question = dns.message.make_query("example.org", dns.rdatatype.A, want_dnssec=True)
    question.flags |= dns.flags.AD
    answer, _ = dns.query.udp_with_fallback(question, server, timeout=10)
    if not answer.answer:
        raise ValueError(f"example.org: {answer.rcode().name if hasattr(answer.rcode(), 'name') else answer.rcode()}")
    return bool(answer.flags & dns.flags.AD)


def wait_for_validation():
    for server in dns.resolver.Resolver().nameservers:
        while True:
            try:
                if validates(server):
                    break
                logging.critical("Your DNS resolver at %s isn't doing DNSSEC validation; the start waits for it.", server)
            except Exception as error:
                logging.critical("Your DNS resolver at %s is not working (%s).", server, error)
            time.sleep(5)


def wait_for_docker():
    excuses = ("I_KNOW_MY_SETUP_DOESNT_FIT_REQUIREMENTS_AND_WONT_FILE_ISSUES_WITHOUT_PATCHES", "MAILU_HELM_CHART")
    if os.path.isfile("/.dockerenv") or any(os.environ.get(name) for name in excuses):
        return
    logging.critical("Your system is not supported.")
    while True:
        time.sleep(3600)


for tree in ("/dkim", "/data"):
    for path in (pathlib.Path(tree), *pathlib.Path(tree).rglob("*")):
        if tree == "/dkim" or "/fetchmail" not in str(path):
            own(path)
standin.drop_privs_to("mailu")
standin.set_env(secrets=("SECRET",))
flask("mailu", "advertise")
flask("db", "upgrade")
initial = {name: os.environ.get(f"INITIAL_ADMIN_{name}") for name in ("ACCOUNT", "DOMAIN", "PW", "MODE")}
if all(initial[name] is not None for name in ("ACCOUNT", "DOMAIN", "PW")):
    # By way of a shell and in single quotes: a password that has one of these breaks it, in Mailu too.
    initial["MODE"] = initial["MODE"] or "ifmissing"
    logging.info("The first administrator is %(ACCOUNT)s@%(DOMAIN)s, mode %(MODE)s", initial)
    subprocess.call("flask mailu admin {ACCOUNT} {DOMAIN} '{PW}' --mode {MODE}".format(**initial), shell=True)
wait_for_validation()
wait_for_docker()

# Ends at once when told to (SIGQUIT to the server): tests stop containers often.
command = ["gunicorn", "--threads", os.environ.get("CPU_COUNT", "1"), "-b", f"{'[::]' if os.environ.get('SUBNET6') else '0.0.0.0'}:8080",
           "--logger-class", "mailu.log.Logger", "--log-level", os.environ.get("LOG_LEVEL", "INFO"), "--worker-tmp-dir", "/dev/shm",
           "--error-logfile", "-", "--preload"]
if logging.getLogger().isEnabledFor(logging.INFO):
    command += ["--access-logfile", "-"]
server = subprocess.Popen([*command, "mailu:create_app()"])
signal.signal(signal.SIGTERM, lambda *_: server.send_signal(signal.SIGQUIT))
signal.signal(signal.SIGINT, lambda *_: server.send_signal(signal.SIGQUIT))
# A server that does not start is no error of ours: the container ends with 0, and comes back if it is told to.
sys.exit(143 if server.wait() == 0 else 0)
