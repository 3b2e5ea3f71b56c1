#!/usr/bin/env python3
"""Starts everything in `front`. Only nginx is watched: it ends, the container ends. Nobody looks after Dovecot or the helpers."""
import os
import re
import subprocess
import time

import standin

standin.set_env(coerce=True)

# Most of the internet has no reverse name; that is not worth a line for each connection.
NO_REVERSE_NAME = re.compile(
    r"could not be resolved \(\d: [^)]+\) while in resolving client address, client: [^,]+, server: [^:]+:(25|110|143|587|465|993|995)$"
)

try:
    os.unlink("/var/run/nginx.pid")
except FileNotFoundError:
    pass

flavor = os.environ["TLS_FLAVOR"]
if flavor in ("letsencrypt", "mail-letsencrypt"):
    subprocess.Popen(["/letsencrypt.py"])
elif flavor in ("cert", "mail"):
    subprocess.Popen(["/certwatcher.py"])

# Neither result matters: without a configuration nginx runs with its default one, without a certificate Dovecot is not there.
subprocess.call(["/config.py"])
subprocess.call(["dovecot", "-c", "/etc/dovecot/proxy.conf"])

nginx = subprocess.Popen(["/usr/sbin/nginx", "-g", "daemon off;"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
pipes = [standin.copy_lines(pipe, lambda line: None if NO_REVERSE_NAME.search(line) else line) for pipe in (nginx.stdout, nginx.stderr)]
# Process 1 collects no orphans, as in Mailu: a Dovecot that died stays as a zombie, and its number answers `kill -0`.
while True:
    code = nginx.poll()
    if code is not None:
        for pipe in pipes:
            pipe.join(1)
        os._exit(code if code > 0 else 143)
    time.sleep(0.2)
