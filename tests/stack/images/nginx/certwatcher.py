#!/usr/bin/env python3
"""Looks at the two files of the certificate every second (flavors `cert` and `mail`).

A file written in place: nginx and Dovecot read it again. A file that came, went or was replaced: config.py, which tells running
processes and starts none. config.py also removes the pid files of both, so after it a file written in place changes nothing any more.
"""
import os
import subprocess
import time

CERT = os.path.join("/certs/", os.environ.get("TLS_CERT_FILENAME", "cert.pem"))
KEY = os.path.join("/certs/", os.environ.get("TLS_KEYPAIR_FILENAME", "key.pem"))


def look(folder):
    """Each entry of `folder`, with what tells whether it is another file, and whether it has another content."""
    entries = {}
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        try:
            state = os.stat(path)
        except OSError:
            continue
        entries[path] = ((state.st_ino, state.st_dev), (state.st_mtime, state.st_size))
    return entries


def reload():
    if os.path.exists("/var/run/nginx.pid"):
        print("Reloading a running nginx", flush=True)
        subprocess.call(["nginx", "-s", "reload"])
    if os.path.exists("/run/dovecot/master.pid"):
        print("Reloading a running dovecot", flush=True)
        subprocess.call(["doveadm", "reload"])


def reconfigure():
    print("Reconfiguring system", flush=True)
    subprocess.call(["/config.py"])


def compare(before, after):
    """What happened between two looks: deletions, then writes, then new files, for the files that matter."""
    paths = [path for path in (CERT, KEY) if path in before or path in after]
    gone = [path for path in paths if path in before and (path not in after or before[path][0] != after[path][0])]
    written = [path for path in paths if path in before and path in after and before[path][0] == after[path][0] and before[path][1] != after[path][1]]
    come = [path for path in paths if path in after and (path not in before or before[path][0] != after[path][0])]
    for _ in gone:
        reconfigure()
    for _ in written:
        reload()
    for _ in come:
        reconfigure()


# A folder that is not there ends the watcher here, and one that goes away ends it later.
seen = {folder: look(folder) for folder in {os.path.dirname(CERT), os.path.dirname(KEY)}}
while seen:
    time.sleep(1)
    for folder, before in list(seen.items()):
        try:
            after = look(folder)
        except OSError:
            del seen[folder]
            continue
        seen[folder] = after
        compare(before, after)
