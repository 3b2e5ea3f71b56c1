#!/usr/bin/env python3
"""Fetches from other servers what admin lists, after FETCHMAIL_DELAY, and again and again."""
import os
import shutil
import subprocess
import tempfile
import time
import traceback

import requests
import standin


def quoted(text):
    return '"' + "".join(f"\\x{ord(character):02x}" for character in text) + '"'


def target(account, env):
    """By LMTP past the spam filter, or as SMTP through front, or by the public name where front wants a PROXY header."""
    if not account["scan"]:
        return f"{env['FRONT_ADDRESS']}/2525"
    return env["HOSTNAMES"].split(",")[0] if env.get("PROXY_PROTOCOL_25") else env["FRONT_ADDRESS"]


def rules(account, env):
    folders = ",".join(f'"{name}"' for name in account["folders"]) or '"INBOX"'
    return "\n".join([
        f"poll {quoted(account['host'])} proto {account['protocol']} port {account['port']}",
        f"user {quoted(account['username'])} password {quoted(account['password'])} is {quoted(account['user_email'])}",
        f'smtphost "{target(account, env)}"',
        "" if account["protocol"] == "pop3" else f"folders {folders}",
        "options antispam 501, 504, 550, 553, 554" + (" ssl" if account["tls"] else "") + (" keep" if account["keep"] else " fetchall"),
        "" if account["scan"] else "lmtp",
    ]) + "\n"


def fetch(account, env):
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(rules(account, env))
        file.flush()
        done = subprocess.run(
            ["fetchmail", "-N", "--idfile", "/data/fetchids", "--uidl", "--pidfile", "/dev/shm/fetchmail.pid", "--sslcertck", "--sslcertpath", "/etc/ssl/certs", "-f", file.name],
            stdout=subprocess.PIPE, text=True, errors="replace", check=False,
        )
    print(done.stdout, flush=True)
    return done.stdout if done.returncode else ""


def run(env):
    admin = f"http://{env['ADMIN_ADDRESS']}:8080/internal/fetch"
    try:
        for account in requests.get(admin, timeout=30).json():
            problem = fetch(account, env)
            requests.post(f"{admin}/{account['id']}", json=problem.split("\n")[0], timeout=30)
    except (requests.RequestException, OSError, KeyError, TypeError, ValueError):
        traceback.print_exc()


def main():
    with open("/data/fetchids", "a", encoding="utf-8"):
        pass
    for path in ("/data/fetchids", "/data/"):
        shutil.chown(path, "fetchmail")
    os.chmod("/data/fetchids", 0o700)
    standin.drop_privs_to("fetchmail")
    env = standin.set_env(coerce=True)
    while True:
        delay = int(env.get("FETCHMAIL_DELAY", 60))
        print(f"Sleeping for {delay} seconds", flush=True)
        time.sleep(delay)
        if env.get("FETCHMAIL_ENABLED", True):
            run(env)
        else:
            print("Fetchmail disabled, skipping...", flush=True)


if __name__ == "__main__":
    main()
