"""pyspf (Debian's) on worlds of its own; each world is {"zone": {NAME: [[TYPE, VALUE], …]}, "cases": [{"sender", "greeting", "address"}, …]}.

Usage: spf_verdicts.py suite FILE   the test suite of openspf.org for RFC 7208 as worlds, each case with the "results" that it allows
       spf_verdicts.py judge        worlds from standard input, each case with pyspf's "verdict" and "why"

A value is a string, for MX [PREFERENCE, NAME], for TXT a list of strings in Latin-1. ["TIMEOUT", ""] and [TYPE, "TIMEOUT"] do not answer.
"""

import gzip
import json
import socket
import sys

import spf


def records(entries):
    """SPF records stand for TXT records where there are none (see testspf.py)."""
    out, generated, generate = [], [], True
    for entry in entries:
        if entry == "TIMEOUT":
            out.append(["TIMEOUT", ""])
            continue
        for kind, value in entry.items():
            if kind in ("TXT", "SPF") and isinstance(value, str):
                value = [value]
            if kind in ("TXT", "SPF") and value != ["TIMEOUT"]:
                value = [text.encode().decode("latin-1") for text in value]
            elif value == ["TIMEOUT"]:
                value = "TIMEOUT"
            generate = generate and kind != "TXT"
            if kind == "SPF":
                generated.append(["TXT", value])
            elif value != ["NONE"]:
                out.append([kind, value])
    return out + (generated if generate else [])


def suite(path):
    import yaml

    with gzip.open(path) as file:
        for scenario in yaml.safe_load_all(file):
            cases = []
            for name, case in scenario["tests"].items():
                result = case["result"]
                cases.append({
                    "id": name, "sender": case["mailfrom"], "greeting": case["helo"], "address": case["host"],
                    "results": result if isinstance(result, list) else [result],
                })
            yield {"zone": {name.lower(): records(entries) for name, entries in scenario["zonedata"].items()}, "cases": cases}


def look_up_in(zone):
    def look_up(name, kind, strict=True, timeout=None, depth=0):
        name = name.rstrip(".").lower()
        if any(len(label) > 63 for label in name.split(".")):
            raise spf.TempError("DNS label too long")
        if name not in zone and name.startswith("error."):
            raise spf.TempError("DNS timeout")
        found = False
        for there, value in zone.get(name, []):
            if there == "TIMEOUT":
                if not found:
                    raise spf.TempError("DNS timeout")
                return
            if value == "TIMEOUT":
                if there == kind:
                    raise spf.TempError("DNS timeout")
                continue
            found = found or there == kind
            if there == "TXT":
                value = tuple(text.encode("latin-1") for text in value)
            elif there == "AAAA":
                value = socket.inet_pton(socket.AF_INET6, value)
            elif there == "MX":
                value = tuple(value)
            yield (name, there), value
            if there == "CNAME" and not depth:
                yield from look_up(value, kind, strict, timeout, 1)

    return look_up


def judge(worlds):
    for world in worlds:
        spf.DNSLookup = look_up_in(world["zone"])
        for case in world["cases"]:
            query = spf.query(i=case["address"], s=case["sender"], h=case["greeting"])
            verdict, _, why = query.check()
            case.update(verdict=verdict, why=why)
        yield world


done = suite(sys.argv[2]) if sys.argv[1] == "suite" else judge(json.load(sys.stdin))
print(json.dumps(list(done)))
