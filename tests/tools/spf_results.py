"""What pyspf makes of SPF records: reads a JSON list of [RECORD, ADDRESS] from its input, prints a list of [RESULT, LOOKUPS].

The world: mail of example.com comes from 203.0.113.10, its web site is 192.0.2.80, and each of {a,b,c,x}.example lets one address send.
"""

import json
import sys

import spf

WORLD = {
    ("example.com", "MX"): [(10, "mail.example.com")],
    ("mail.example.com", "A"): ["203.0.113.10"],
    ("example.com", "A"): ["192.0.2.80"],
}
for number, name in enumerate(["a", "b", "c", "x"], 1):
    WORLD[f"{name}.example", "TXT"] = [[f"v=spf1 ip4:198.51.100.{number} -all".encode()]]
    WORLD[f"{name}.example", "A"] = [f"198.51.100.{number + 100}"]
    WORLD[f"{name}.example", "MX"] = [(10, "mail.example.com")]
# Without these, more than two answers would be empty.
for name in ["mail.example.com", "example.com", "a.example", "b.example", "c.example", "x.example"]:
    WORLD[name, "AAAA"] = ["2001:db8:ffff::1"]
for number in range(20):
    WORLD[f"s{number}.example.net", "TXT"] = [[b"v=spf1 ip4:198.51.100.200 -all"]]


def lookup(name, kind, strict=True, timeout=None):
    name = name.rstrip(".").lower()
    return [((name, kind), value) for value in WORLD.get((name, kind), [])]


spf.DNSLookup = lookup
results = []
for record, address in json.load(sys.stdin):
    query = spf.query(i=address, s="somebody@example.com", h="mail.example.com")
    result = query.check(spf=record)[0]
    results.append([result, query.lookups])
print(json.dumps(results))
