#!/usr/bin/env python3
"""What Postfix asks by socketmap: admin's tables, and MTA-STS policies.

A table that cannot be had is TEMP, never "not found": mail waits until admin is back.
"""
import http.client
import json
import logging
import os
import socketserver
import threading
import time
import urllib.parse
import urllib.request

import dns.exception
import dns.resolver
import standin

TABLES = {
    "transport": "transport/", "alias": "alias/", "dane": "dane/", "domain": "domain/", "mailbox": "mailbox/",
    "recipientmap": "recipient/map/", "sendermap": "sender/map/", "senderlogin": "sender/login/", "senderrate": "sender/rate/",
}


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, path, lookup):
        if os.path.exists(path):
            os.unlink(path)
        self.lookup = lookup
        super().__init__(path, Handler)


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        logging.info("Connect %s", self.client_address)
        while (request := self.netstring()) is not None:
            name, _, key = request.decode().partition(" ")
            try:
                value = self.server.lookup(name, key)
                answer = "NOTFOUND " if value is None else f"OK {value}"
            except Exception:
                logging.exception("Error when processing request")
                answer = "TEMP unknown error"
            data = answer.encode()
            self.wfile.write(b"%d:%s," % (len(data), data))

    def netstring(self):
        length = b""
        while (byte := self.rfile.read(1)) != b":":
            if not byte.isdigit() or len(length) > 5:
                return None
            length += byte
        data = self.rfile.read(int(length))
        return data if self.rfile.read(1) == b"," else None


def ask_admin(name, key):
    path = "/internal/postfix/" + TABLES[name] + urllib.parse.quote(key)
    connection = http.client.HTTPConnection(os.environ["ADMIN_ADDRESS"], 8080, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status == 404:
        return None
    if response.status != 200:
        raise RuntimeError(f"{path}: {response.status}")
    return json.loads(body)


class Policies:
    """MTA-STS (RFC 8461): the policy of a domain that publishes one, as an entry for smtp_tls_policy_maps."""

    def __init__(self):
        self.known = {}

    def __call__(self, _, domain):
        if domain.startswith(("[", ".")):
            return None
        version = self.version(domain)
        if version is None:
            return None
        end, known, value = self.known.get(domain, (0, None, None))
        if known != version or end < time.monotonic():
            try:
                age, value = self.fetch(domain)
            except (OSError, ValueError) as error:
                logging.warning("MTA-STS policy of %s: %s", domain, error)
                return value
            self.known[domain] = (time.monotonic() + age, version, value)
        return value

    @staticmethod
    def version(domain):
        try:
            answer = dns.resolver.resolve(f"_mta-sts.{domain}", "TXT", lifetime=5)
        except dns.exception.DNSException:
            return None
        texts = [b"".join(record.strings).decode("ascii", "replace") for record in answer]
        texts = [text for text in texts if text.startswith("v=STSv1;")]
        return texts[0] if len(texts) == 1 else None

    @staticmethod
    def fetch(domain):
        with urllib.request.urlopen(f"https://mta-sts.{domain}/.well-known/mta-sts.txt", timeout=5) as response:
            lines = response.read(65536).decode("ascii").splitlines()
        pairs = [[part.strip() for part in line.split(":", 1)] for line in lines if ":" in line]
        policy = dict(pairs)
        hosts = [value for key, value in pairs if key == "mx"]
        if policy.get("version") != "STSv1" or policy.get("mode") != "enforce":
            return int(policy.get("max_age", 60)), None
        match = ":".join(host[1:] if host.startswith("*.") else host for host in hosts)
        return int(policy.get("max_age", 60)), f"secure match={match} servername=hostname"


def main():
    logging.basicConfig(level=os.environ.get("LOG_LEVEL", "WARNING"))
    standin.drop_privs_to("postfix")
    os.makedirs("/dev/shm/postfix", mode=0o700, exist_ok=True)
    threading.Thread(target=Server("/tmp/mta-sts.socket", Policies()).serve_forever, daemon=True).start()
    Server("/tmp/podop.socket", ask_admin).serve_forever()


if __name__ == "__main__":
    main()
