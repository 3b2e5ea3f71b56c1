"""The deployment of the DNSSEC lab as others see it: HTTPS on port 443 and SMTP with STARTTLS on port 25.

Usage: lab_server.py ADDRESS DIRECTORY

In DIRECTORY, right.pem and other.pem hold a certificate chain and its key; other.pem has the wrong names. state.json is read anew for
each connection: {"smtp": "right", "web": {"mta-sts.example.com": {"status": 200, "type": "text/plain", "body": "…", "certificate": "right"}}}.
"""

import http.server
import json
import pathlib
import socketserver
import ssl
import sys
import threading

address, directory = sys.argv[1], pathlib.Path(sys.argv[2])
contexts = {}
for name in ("right", "other"):
    contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    contexts[name].load_cert_chain(directory / f"{name}.pem")


def state():
    return json.loads((directory / "state.json").read_text())


def choose(socket, name, _):
    socket.context = contexts[state()["web"].get(name, {}).get("certificate", "right")]


class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        page = state()["web"].get(self.headers.get("Host"))
        if page is None or self.path != "/.well-known/mta-sts.txt":
            self.send_error(404)
            return
        self.send_response(page.get("status", 200))
        body = page["body"].encode()
        self.send_header("Content-Type", page.get("type", "text/plain"))
        self.send_header("Content-Length", str(len(body)))
        if "location" in page:
            self.send_header("Location", page["location"])
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Https(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def finish_request(self, request, client):
        request.settimeout(10)
        try:
            with server_context.wrap_socket(request, server_side=True) as tls:
                super().finish_request(tls, client)
        except OSError:
            pass


class Smtp(socketserver.StreamRequestHandler):
    def handle(self):
        self.request.settimeout(10)
        self.wfile.write(b"220 mail.example.com ESMTP\r\n")
        try:
            while line := self.rfile.readline():
                if line.upper().startswith(b"EHLO"):
                    self.wfile.write(b"250-mail.example.com\r\n250 STARTTLS\r\n")
                elif line.upper().startswith(b"STARTTLS"):
                    self.wfile.write(b"220 go\r\n")
                    contexts[state()["smtp"]].wrap_socket(self.request, server_side=True).close()
                    return
                else:
                    self.wfile.write(b"500 what\r\n")
        except OSError:
            pass


class Mail(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server_context.load_cert_chain(directory / "right.pem")
server_context.sni_callback = choose
mail = Mail((address, 25), Smtp)
threading.Thread(target=mail.serve_forever, daemon=True).start()
web = Https((address, 443), Web)
print("ready", flush=True)
web.serve_forever()
