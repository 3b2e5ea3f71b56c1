#!/usr/bin/env python3
"""Dovecot's dict protocol in front of admin's HTTP answers: accounts, quota and the sieve script for everybody."""
import http.client
import json
import logging
import os
import socketserver
import urllib.parse

import standin

ESCAPES = {"0": "\0", "1": "\1", "t": "\t", "n": "\n", "r": "\r"}


def escape(text):
    for short, character in sorted(ESCAPES.items(), key=lambda pair: pair[1] != "\1"):
        text = text.replace(character, "\1" + short)
    return text


def unescape(text):
    head, *rest = text.split("\1")
    return head + "".join(ESCAPES.get(part[:1], part[:1]) + part[1:] for part in rest)


def ask_admin(method, path, value=None):
    """The answer, or KeyError where there is none."""
    connection = http.client.HTTPConnection(os.environ["ADMIN_ADDRESS"], 8080, timeout=30)
    try:
        body = None if method == "GET" else json.dumps(value)
        connection.request(method, "/internal/dovecot/" + urllib.parse.quote(path), body, {"Content-Type": "application/json"} if body else {})
        response = connection.getresponse()
        text = response.read()
    finally:
        connection.close()
    if response.status == 404:
        raise KeyError(path)
    if response.status != 200:
        raise RuntimeError(f"{path}: {response.status}")
    return json.loads(text)


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        logging.info("Connect %s", self.client_address)
        self.user = ""
        self.changes = {}
        for line in self.rfile:
            command, arguments = chr(line[0]), [unescape(part) for part in line[1:].rstrip(b"\n").decode().split("\t")]
            if not arguments[0]:
                continue
            action = {"H": self.hello, "L": self.lookup, "I": self.iterate, "B": self.begin, "S": self.set, "C": self.commit}.get(command)
            if action is None:
                logging.warning("Unknown command %s", command)
                return
            try:
                action(*arguments)
            except KeyError:
                self.reply("N")
            except Exception:
                logging.exception("Error when processing request")
                self.reply("F")

    def reply(self, command, *arguments):
        self.wfile.write((command + "\t".join(map(escape, arguments)) + "\n").encode())

    def path(self, key, user):
        kind, _, path = key.partition("/")
        return f"{path}/{user or self.user}" if kind == "priv" else path

    def hello(self, _major, _minor, _type, user, _name, *_):
        self.user = user

    def lookup(self, key, user=None, *_):
        self.reply("O", text_of(ask_admin("GET", self.path(key, user))))

    def iterate(self, flags, limit, key, user=None, *_):
        if flags != "0":
            raise ValueError("not implemented")
        names = ask_admin("GET", key.partition("/")[2])
        for name in names[:int(limit)] if int(limit) else names:
            self.reply("O", key + name, text_of(ask_admin("GET", self.path(key + name, user))))
        self.wfile.write(b"\n")

    def begin(self, number, user=None, *_):
        self.changes[number] = (user or self.user, [])

    def set(self, number, key, value, *_):
        self.changes[number][1].append((key, value))

    def commit(self, number, *_):
        user, changes = self.changes.pop(number)
        for key, value in changes:
            ask_admin("POST", self.path(key, user), json.loads(value))
        self.reply("O", number)


def text_of(value):
    return value if isinstance(value, str) else json.dumps(value)


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


def main():
    logging.basicConfig(level=os.environ.get("LOG_LEVEL", "WARNING"))
    standin.drop_privs_to("mail")
    path = "/tmp/podop.socket"
    if os.path.exists(path):
        os.unlink(path)
    server = Server(path, Handler)
    os.chmod(path, 0o666)
    server.serve_forever()


if __name__ == "__main__":
    main()
