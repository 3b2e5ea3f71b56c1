"""Reads DNS records in a format with somebody else's reader, and prints them in one form for all formats.

Arguments: the format, then files. Prints {file: [[owner, ttl, type, data], …]}; texts and CAA values are in hexadecimal,
so that nothing is quoted. With html, {file: {"records": […], "loads": […], "allowed": […], "there": […]}}; with report, which
is no format of records but a page too, the same with "tags", "articles" and "text" in place of records.
"""

import base64
import csv
import hashlib
import json
import os
import re
import sys
import warnings
from html.parser import HTMLParser

try:
    import dns.rdata
    import dns.zone
    from markdown_it import MarkdownIt
    from octodns.provider.yaml import YamlProvider
    from octodns.zone import Zone
except ImportError as error:
    sys.exit(f"{error}: run `make tools`, which installs what the tests need")


def wire(rdata):
    """Data as dnspython has it."""
    kind = dns.rdatatype.to_text(rdata.rdtype)
    if kind == "TXT":
        assert all(len(string) <= 255 for string in rdata.strings)
        return b"".join(rdata.strings).hex()
    if kind == "CAA":
        return f"{rdata.flags} {rdata.tag.decode()} {rdata.value.hex()}"
    if kind == "TLSA":
        return f"{rdata.usage} {rdata.selector} {rdata.mtype} {rdata.cert.hex()}"
    return rdata.to_text()


def presented(kind, text):
    return wire(dns.rdata.from_text("IN", kind, text, relativize=False))


def dotted(name):
    return name if name.endswith(".") else name + "."


def host_fits(host, full):
    assert host == "@" or full.startswith(host + "."), (host, full)


def zone_text(path):
    """A zone as BIND prints it."""
    with open(path) as file:
        text = file.read()
    origin = re.search(r"^(\S+)\s+\d+\s+IN\s+SOA\s", text, re.M).group(1)
    zone = dns.zone.from_text(text, origin, relativize=False, check_origin=False)
    return [
        [name.to_text(), ttl, dns.rdatatype.to_text(rdata.rdtype), wire(rdata)]
        for name, ttl, rdata in zone.iterate_rdatas()
        if rdata.rdtype not in (dns.rdatatype.SOA, dns.rdatatype.NS)
    ]


def octodns(path):
    name = os.path.basename(path).removesuffix("yaml")
    provider = YamlProvider("test", os.path.dirname(path), escaped_semicolons=True)
    zone = Zone(name, [])
    provider.populate(zone)
    rows = []
    for record in zone.records:
        values = [record.value] if hasattr(record, "value") else record.values
        for value in values:
            kind = record._type
            if kind == "TXT":
                data = value.to_raw_text().encode().hex()
                assert not value.isascii() or presented(kind, value.to_rdata_text()) == data
            elif kind == "CAA":
                data = f"{value.flags} {value.tag} {value.value.encode().hex()}"
            elif kind == "TLSA":
                data = (
                    f"{value.certificate_usage} {value.selector} {value.matching_type} "
                    f"{value.certificate_association_data}"
                )
            elif kind == "MX":
                data = f"{value.preference} {value.exchange}"
            elif kind == "SRV":
                data = f"{value.priority} {value.weight} {value.port} {value.target}"
            else:
                data = str(value)
            rows.append([record.fqdn, record.ttl, kind, data])
    return rows


def resources(path, kind):
    with open(path) as file:
        return json.load(file).get("resource", {}).get(kind, {}).values()


def cloudflare(path):
    rows = []
    for record in resources(path, "cloudflare_dns_record"):
        kind, data = record["type"], record.get("data")
        if kind == "SRV":
            assert record["priority"] == data["priority"]
            text = f"{data['priority']} {data['weight']} {data['port']} {dotted(data['target'])}"
        elif kind == "CAA":
            text = f"{data['flags']} {data['tag']} {data['value'].encode().hex()}"
        elif kind == "TLSA":
            text = f"{data['usage']} {data['selector']} {data['matching_type']} {data['certificate']}"
        elif kind == "MX":
            text = f"{record['priority']} {dotted(record['content'])}"
        elif kind == "TXT":
            text = presented(kind, record["content"])
        elif kind in ("CNAME", "PTR"):
            text = dotted(record["content"])
        else:
            text = record["content"]
        assert (kind in ("A", "AAAA", "CNAME")) == (record.get("proxied") is False)
        rows.append([dotted(record["name"]), record["ttl"], kind, text])
    return rows


def octal(text):
    return re.sub(
        rb'\\([0-7]{3}|")',
        lambda m: bytes([int(m[1], 8)]) if len(m[1]) == 3 else m[1],
        text.encode("ascii"),
    )


def route53(path):
    rows, sets = [], set()
    for record in resources(path, "aws_route53_record"):
        kind = record["type"]
        assert (record["name"], kind) not in sets
        sets.add((record["name"], kind))
        for text in record["records"]:
            if kind == "TXT":
                # As the provider sends it.
                text = f'"{text}"'
                strings = re.findall(r'"((?:[^"\\]|\\.)*)"', text)
                assert "".join(f'"{string}"' for string in strings) == text
                parts = [octal(string) for string in strings]
                assert all(len(part) <= 255 for part in parts)
                text = b"".join(parts).hex()
            elif kind == "CAA":
                flags, tag, value = text.split(" ", 2)
                text = f"{flags} {tag} {octal(value[1:-1]).hex()}"
            rows.append([dotted(record["name"]), record["ttl"], kind, text])
    return rows


def fields(kind, value, priority, weight, port):
    if kind == "TXT":
        return value.encode().hex()
    return presented(kind, " ".join(part for part in (priority, weight, port, value) if part))


def table(path):
    with open(path, newline="") as file:
        return [
            [dotted(row["fqdn"]), int(row["ttl"]), row["type"]]
            + [fields(row["type"], row["value"], row["priority"], row["weight"], row["port"])]
            for row in csv.DictReader(file, strict=True)
            if row["value"]
        ]


def markdown(path):
    with open(path) as file:
        tokens = MarkdownIt("commonmark").enable("table").parse(file.read())
    rows, cells = [], []
    for before, token in zip(tokens, tokens[1:]):
        if before.type == "td_open":
            code = [child.content for child in token.children or [] if child.type == "code_inline"]
            cells.append((token.content, code))
        elif before.type == "tr_close" and cells:
            assert len(cells) == 8, cells
            (_, kind, host, name, priority, value, ttl, _), cells = cells, []
            if value[1]:
                rows.append(
                    [dotted(name[1][0]), int(ttl[0]), kind[0]]
                    + [fields(kind[0], value[1][0], priority[0], "", "")]
                )
                host_fits(host[1][0], name[1][0])
    return rows


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.records, self.loads, self.allowed, self.there = [], [], [], []
        self.field, self.inside = None, None
        self.tags, self.text = set(), ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        attrs = dict(attrs)
        for name, value in attrs.items():
            # A place on the page itself is nothing that is loaded.
            if name == "href" and value.startswith("#"):
                continue
            if name in ("src", "href", "srcset", "action", "data", "poster", "background", "style"):
                self.loads.append(value)
            assert not name.startswith("on"), name
        if attrs.get("http-equiv") == "Content-Security-Policy":
            self.allowed = attrs["content"].split("; ")
        if tag == "article":
            self.records.append((attrs, {}))
        if tag == "code" and "data-field" in attrs:
            self.field = attrs["data-field"]
            self.records[-1][1][self.field] = ""
        if tag in ("style", "script"):
            self.inside = tag

    def handle_endtag(self, tag):
        self.field = None if tag == "code" else self.field
        self.inside = None if tag in ("style", "script") else self.inside

    def handle_data(self, data):
        if not self.inside:
            self.text += data
        if self.field:
            self.records[-1][1][self.field] += data
        if self.inside:
            digest = base64.b64encode(hashlib.sha256(data.encode()).digest()).decode()
            self.there.append(f"{self.inside}-src 'sha256-{digest}'")
            self.loads.extend(re.findall(r"url\([^)]*\)|@import[^;]*|https?:[^\s'\"]*", data))


def parsed(path):
    page = Page()
    with open(path, newline="") as file:
        page.feed(file.read())
    page.close()
    return page


def facts(page):
    return {"loads": page.loads, "allowed": page.allowed, "there": page.there, "tags": sorted(page.tags), "text": page.text}


def report(path):
    page = parsed(path)
    return {"articles": [attrs for attrs, _ in page.records], **facts(page)}


def html(path):
    page = parsed(path)
    rows = []
    for attrs, found in page.records:
        kind, value = attrs["data-type"], found.get("value")
        assert found["type"] == kind
        if "host" in found:
            host_fits(found["host"], attrs["data-fqdn"])
        else:
            assert kind == "PTR"
        if value is None:
            continue
        assert found.get("ttl") in (attrs["data-ttl"], None)
        if kind == "TXT":
            data = value.encode().hex()
            assert ("split" in found) == (len(value.encode()) > 255)
            assert "split" not in found or presented(kind, found["split"]) == data
        elif kind == "CAA":
            data = f"{found['flags']} {found['tag']} {value.encode().hex()}"
        elif kind == "TLSA":
            data = f"{found['usage']} {found['selector']} {found['matching']} {value}"
        else:
            data = fields(kind, value, *(found.get(name) for name in ("priority", "weight", "port")))
        rows.append([dotted(attrs["data-fqdn"]), int(attrs["data-ttl"]), kind, data])
    return {"records": rows, **facts(page)}


READERS = {
    "zone": zone_text,
    "octodns": octodns,
    "terraform-cloudflare": cloudflare,
    "terraform-route53": route53,
    "csv": table,
    "markdown": markdown,
    "html": html,
    "report": report,
}

warnings.simplefilter("ignore")
reader = READERS[sys.argv[1]]
json.dump({path: reader(path) for path in sys.argv[2:]}, sys.stdout)
