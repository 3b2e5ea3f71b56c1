#!/usr/bin/env python3
"""GET /tika greets; PUT /tika gives back whatever in the body is plain text."""
import http.server
import signal
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200 if self.path.rstrip("/") == "/tika" else 404, b"This is Tika Server (Apache Tika 3.2.3). Please PUT\n")

    def do_PUT(self):
        body = self.chunks() if "chunked" in self.headers.get("Transfer-Encoding", "") else self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            self.answer(200, body.decode("utf-8").encode())
        except UnicodeDecodeError:
            self.answer(204, b"")

    def chunks(self):
        body = b""
        while length := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(length)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return body

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
http.server.ThreadingHTTPServer(("", 9998), Handler).serve_forever()
