#!/usr/bin/env python3
"""Gets and renews the two certificates of the flavors `letsencrypt` and `mail-letsencrypt`, once a day."""
import logging
import os
import subprocess
import sys
import time

import requests

logging.basicConfig(stream=sys.stderr, level="WARNING")

DAY = 86400
names = os.environ["HOSTNAMES"].split(",")
proof = f"http://{names[0]}/.well-known/acme-challenge/testing"


def certbot(cert_name, key_type):
    command = ["certbot", "certonly", "-n", "--agree-tos", "-m", f"{os.environ['POSTMASTER']}@{os.environ['DOMAIN']}"]
    command += ["--standalone", "--preferred-challenges", "http", "--http-01-port", "8008"]
    command += ["-d", ",".join(sorted({name.strip() for name in names})), "--expand", "--allow-subset-of-names", "--renew-with-new-domains"]
    command += ["--cert-name", cert_name, "--key-type", key_type, "--keep-until-expiring"]
    command += ["--config-dir", "/certs/letsencrypt", "--post-hook", "/config.py"]
    environment = dict(os.environ)
    # The tests' own authority instead of Let's Encrypt (see Dockerfile).
    if environment.get("MAILU_STANDIN_ACME"):
        command += ["--server", environment["MAILU_STANDIN_ACME"]]
        if environment.get("MAILU_STANDIN_ACME_CA"):
            environment["REQUESTS_CA_BUNDLE"] = environment["MAILU_STANDIN_ACME_CA"]
    subprocess.call(command, env=environment)


def reachable():
    """Whether our own nginx answers under our public name, over HTTP; if not, waits a while."""
    try:
        status = requests.get(proof).status_code
    except Exception as error:
        logging.error("Exception while fetching %s!", proof, exc_info=error)
        time.sleep(15)
        return False
    if status == 204:
        return True
    logging.critical("Can't reach %s!, please ensure it's fixed or change the TLS_FLAVOR.", proof)
    time.sleep(5)
    return False


time.sleep(5)  # nginx starts meanwhile
while True:
    while not reachable():
        pass
    certbot("mailu", "rsa")
    certbot("mailu-ecdsa", "ecdsa")
    time.sleep(DAY)
