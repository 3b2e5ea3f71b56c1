#!/usr/bin/env python3
"""clamd with the one signature that every scanner has. Not listening before its signatures are loaded: that takes
STANDIN_CLAMAV_SECONDS, or the number in /var/lib/clamav/standin-seconds, or 1 second."""
import os
import signal
import socketserver
import struct
import sys
import time

# Not as one text, or this file would be found.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}" + b"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
LARGEST = 100 << 20


class Handler(socketserver.StreamRequestHandler):
    timeout = 120

    def handle(self):
        while command := self.command():
            name = command.lstrip(b"nz").rstrip(b"\n\0\r")
            end = {b"n": b"\n", b"z": b"\0"}.get(command[:1], b"\n")
            if name == b"PING":
                answer = b"PONG"
            elif name == b"VERSION":
                answer = b"ClamAV 1.4.6/27000/" + time.strftime("%a %b %e %H:%M:%S %Y").encode()
            elif name == b"INSTREAM":
                answer = self.scan()
            elif name in (b"IDSESSION", b"END"):
                continue
            else:
                answer = b"UNKNOWN COMMAND"
            self.wfile.write(answer + end)
            # Only an IDSESSION would stay open; rspamd opens one connection for each command.
            return

    def command(self):
        data = b""
        while byte := self.rfile.read(1):
            data += byte
            if byte in b"\n\0" or len(data) > 1024:
                break
        return data

    def scan(self):
        data = b""
        while (length := struct.unpack(">I", self.rfile.read(4))[0]):
            data += self.rfile.read(length)
            if len(data) > LARGEST:
                return b"INSTREAM size limit exceeded. ERROR"
        virus = EICAR in data
        print(time.strftime("%a %b %e %H:%M:%S %Y"), "-> instream(%s): %s" % (self.client_address[0], "Eicar-Test-Signature FOUND" if virus else "OK"), flush=True)
        return b"stream: Eicar-Test-Signature FOUND" if virus else b"stream: OK"


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    seconds = os.environ.get("STANDIN_CLAMAV_SECONDS", "1")
    path = "/var/lib/clamav/standin-seconds"
    if os.path.exists(path):
        with open(path, encoding="ascii") as file:
            seconds = file.read()
    time.sleep(float(seconds))
    print("socket found, clamd started.", flush=True)
    Server(("", 3310), Handler).serve_forever()


if __name__ == "__main__":
    main()
