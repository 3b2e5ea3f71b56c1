"""What a receiver makes of mail: pyspf and dkimpy (Debian's), through a resolver of ours.

Usage: lab_receiver.py RESOLVER SELECTOR, with JSON on standard input: {"spf": [[ADDRESS, SENDER, GREETING], …], "dkim": {DOMAIN: KEYFILE}}.
Prints {"spf": [RESULT, …], "dkim": {DOMAIN: BOOLEAN}}.
"""

import json
import sys

import dkim
import dns.resolver
import spf

resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers = [sys.argv[1]]
dns.resolver.default_resolver = resolver
selector = sys.argv[2].encode()
work = json.load(sys.stdin)


def txt(name, timeout=5):
    try:
        answer = resolver.resolve(name.decode().rstrip("."), "TXT")
    except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN):
        return None
    return b"".join(answer[0].strings)


out = {"spf": [], "dkim": {}}
for address, sender, greeting in work["spf"]:
    out["spf"].append(spf.check2(i=address, s=sender, h=greeting)[0])
for domain, path in work["dkim"].items():
    message = f"From: somebody@{domain}\r\nTo: other@example.edu\r\nSubject: lab\r\n\r\nHello\r\n".encode()
    with open(path, "rb") as key:
        signature = dkim.sign(message, selector, domain.encode(), key.read(), include_headers=[b"from", b"subject"])
    out["dkim"][domain] = dkim.verify(signature + message, dnsfunc=txt)
print(json.dumps(out))
