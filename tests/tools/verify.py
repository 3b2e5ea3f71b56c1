"""Verifies the DKIM signature of a message: verify.py FILE PORT, where a name server listens on 127.0.0.1."""

import sys

import dkim
import dns.resolver

resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers = ["127.0.0.1"]
resolver.port = int(sys.argv[2])


def txt(name, timeout=5):
    name = name.decode() if isinstance(name, bytes) else name
    answer = resolver.resolve(name, "TXT", lifetime=timeout)
    return b"".join(next(iter(answer)).strings)


with open(sys.argv[1], "rb") as file:
    print("pass" if dkim.verify(file.read(), dnsfunc=txt) else "fail")
