"""The names of the test world: zones as text in, signed zones under NSD out, each with its DS in the parent.

Every TTL is cut to a few seconds, and negative answers live for one: tests change zones, and wait for no cache.
"""

import os
import re
import subprocess
import time

import dns.name
import dns.rdatatype
import dns.resolver
import dns.zone

GIVEN = "/world/zones"
STATE = "/var/lib/tree"
LOADED = STATE + "/loaded"
KEYS = STATE + "/keys"
SIGNED = STATE + "/signed"
NSD = "198.51.100.2"
# Addresses that root servers k, l and m have in the real world: the pre-flight check of an installation asks them.
ROOTS = ["193.0.14.129", "199.7.83.42", "202.12.27.33"]
LONGEST = 3
CONTROL = ["-c", "/run/nsd.conf"]


def run(*args, **kwargs):
    return subprocess.run(args, check=True, text=True, capture_output=True, **kwargs).stdout


def fqdn(name):
    return name if name == "." else name + "."


def filename(zone):
    """A file cannot be called `.`."""
    return "root" if zone == "." else zone


def zones():
    """Names of all zones, `.` among them, and the file that each is read from."""
    found = {}
    for directory in (GIVEN, LOADED):
        for file in os.listdir(directory):
            found["." if file == "root" else file] = os.path.join(directory, file)
    return found


def parent(zone, all_zones):
    if zone == ".":
        return None
    labels = zone.split(".")
    above = [".".join(labels[i:]) for i in range(1, len(labels))]
    return next((name for name in above if name in all_zones), ".")


def signed_is_wanted(zone):
    return not os.path.exists(f"{STATE}/unsigned/{filename(zone)}")


def key(zone):
    """The base name of the zone's key, made at the first call. One key signs everything."""
    if zone == ".":
        return "/world/root"
    place = f"{KEYS}/{zone}"
    if not os.path.exists(place):
        base = run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone, cwd=KEYS).strip()
        with open(place, "w") as file:
            file.write(f"{KEYS}/{base}")
    with open(place) as file:
        return file.read()


def more(zone):
    """Records that exist only at run time: one file of them for each zone."""
    try:
        with open(f"{STATE}/more/{filename(zone)}") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def read(zone, path):
    with open(path) as file:
        text = file.read() + "\n" + more(zone)
    # What the operator is told to put in place of it.
    text = text.replace("ns.invalid.", "ns.outside.test.")
    parsed = dns.zone.from_text(
        f"$TTL {LONGEST}\n" + text, origin=fqdn(zone), relativize=False, check_origin=False, allow_include=False
    )
    return parsed


def text_of(zone, all_zones):
    """The zone, unsigned, with what its children need in it."""
    parsed = read(zone, all_zones[zone])
    lines = []
    serial = int(time.time() * 10) % 2**32
    apex = dns.name.from_text(fqdn(zone))
    lines.append(f"{fqdn(zone)} {LONGEST} IN SOA ns.outside.test. hostmaster.outside.test. {serial} 60 60 86400 1")
    if not parsed.get_rdataset(apex, "NS"):
        lines.append(f"{fqdn(zone)} {LONGEST} IN NS ns.outside.test.")
    for name, ttl, rdata in parsed.iterate_rdatas():
        if rdata.rdtype != dns.rdatatype.SOA:
            kind = dns.rdatatype.to_text(rdata.rdtype)
            lines.append(f"{name} {min(ttl, LONGEST)} IN {kind} {rdata.to_text()}")
    for child in all_zones:
        if child == zone or parent(child, all_zones) != zone:
            continue
        servers = read(child, all_zones[child]).get_rdataset(fqdn(child), "NS")
        for server in [r.target.to_text() for r in servers or []] or ["ns.outside.test."]:
            lines.append(f"{fqdn(child)} {LONGEST} IN NS {server}")
            if server.endswith("." + fqdn(child)):
                lines.append(f"{server} {LONGEST} IN A {NSD}")
        if signed_is_wanted(child):
            # Of another name, this key would be of another zone.
            digest = run("ldns-key2ds", "-n", "-2", key(child) + ".key")
            lines.append(re.sub(r"\s\d+\sIN\s", f" {LONGEST} IN ", digest.strip(), count=1))
    return serial, "\n".join(dict.fromkeys(lines)) + "\n"


def sign(zone, all_zones):
    serial, text = text_of(zone, all_zones)
    plain = f"{STATE}/plain"
    target = f"{SIGNED}/{filename(zone)}"
    with open(plain, "w") as file:
        file.write(text)
    if signed_is_wanted(zone):
        day = lambda offset: time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + offset * 86400))
        run("ldns-signzone", "-o", fqdn(zone), "-i", day(-2), "-e", day(60), "-f", target + ".new", plain, key(zone))
    else:
        os.rename(plain, target + ".new")
    os.rename(target + ".new", target)
    return serial


def configure(all_zones):
    with open("/run/nsd.conf.new", "w") as file:
        file.write(
            "server:\n"
            + "".join(f"  ip-address: {address}\n" for address in (NSD, *ROOTS))
            + f"  username: root\n  chroot: \"\"\n  zonesdir: {SIGNED}\n  database: \"\"\n"
            "  pidfile: /run/nsd.pid\n  server-count: 1\n  rrl-ratelimit: 0\n  xfrdfile: /run/xfrd.state\n  zonelistfile: /run/zone.list\n"
            "remote-control:\n  control-enable: yes\n  control-interface: /run/nsd.ctl\n"
        )
        for zone in sorted(all_zones):
            file.write(f"zone:\n  name: \"{fqdn(zone)}\"\n  zonefile: {filename(zone)}\n")
    os.rename("/run/nsd.conf.new", "/run/nsd.conf")


def sign_all():
    for directory in (LOADED, KEYS, SIGNED, f"{STATE}/more", f"{STATE}/unsigned"):
        os.makedirs(directory, exist_ok=True)
    for zone in zones():
        sign(zone, zones())
    configure(zones())


def publish(zone):
    """After a change of one zone: it and its parent are served anew when this returns."""
    now = zones()
    serials = {name: sign(name, now) for name in (zone, parent(zone, now)) if name in now}
    configure(now)
    run("nsd-control", *CONTROL, "reconfig")
    run("nsd-control", *CONTROL, "reload")
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [NSD]
    deadline = time.time() + 20
    for name, serial in serials.items():
        while True:
            try:
                if resolver.resolve(fqdn(name), "SOA", lifetime=2)[0].serial == serial:
                    break
            except (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN, dns.resolver.NoNameservers, dns.resolver.LifetimeTimeout):
                pass
            if time.time() > deadline:
                raise SystemExit(f"NSD does not serve {name} with the serial {serial}")
            time.sleep(0.05)
    run("unbound-control", "-c", "/run/unbound.conf", "flush_zone", fqdn(zone))
