#!/usr/bin/env python3
"""The sharp edges of `resolver`: it validates from the root down, and answers nobody outside SUBNET."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import checks

ROOT = "10.98.7.40"

# A root with one signed name below it, and one whose signature does not fit.
ZONES = f"""
mkdir -p /z && cd /z
cat >zone <<'END'
. 3600 SOA ns.root. admin.root. 1 7200 3600 1209600 300
. 3600 NS ns.root.
ns.root. 3600 A {ROOT}
good.org. 3600 A 192.0.2.1
bad.org. 3600 A 192.0.2.2
END
name=$(ldns-keygen -a ECDSAP256SHA256 -k .)
ldns-signzone -o . -f signed zone $name
sed -i 's/^bad.org.\\(.*\\)192.0.2.2/bad.org.\\1192.0.2.66/' signed
mv $name.key root.key && echo '. 3600 NS ns.root.' >root.hints && echo 'ns.root. 3600 A {ROOT}' >>root.hints
chmod 644 *
cat >nsd.conf <<'END'
server:
  ip-address: 0.0.0.0
  zonesdir: /z
  username: ""
  pidfile: ""
  zonelistfile: /z/list
  xfrdfile: /z/xfrd
remote-control:
  control-enable: no
zone:
  name: .
  zonefile: signed
END
touch ready
exec nsd -d -c nsd.conf
"""


def main():
    with checks.Stack() as stack:
        stack.run("root", "base", "sh", "-c", ZONES, options=["--ip", ROOT])
        stack.until("there is a root", lambda: stack.exec("root", "cat", "/z/ready") == "")
        hints, key = (stack.exec("root", "cat", f"/z/root.{name}") for name in ("hints", "key"))
        start = f"printf '%s\\n' '{hints}' >/etc/unbound/stack/root.hints; printf '%s\\n' '{key}' >/etc/unbound/stack/root.key; exec python3 /start.py"
        stack.run("resolver", "unbound", "sh", "-c", start)
        stack.run("client", "base", "sleep", "600")
        stack.run("token", "unbound", PROXY_PROTOCOL="25;465")
        checks.docker("network", "connect", "--alias", "resolver", stack.outside, f"{checks.PREFIX}-resolver")
        stack.run("foreign", "base", "sleep", "600", network=stack.outside)
        stack.healthy("resolver")
        stack.until("an unknown word in PROXY_PROTOCOL ends it", lambda: stack.state("token")["ExitCode"] == 1 and not stack.state("token")["Running"])

        def ask(name, who="client"):
            return stack.exec(who, "sh", "-c", f"dig +tries=1 +time=5 +adflag @resolver {name} A", check=False)

        stack.expect("what is signed well is marked", ask("good.org"), "status: NOERROR", "flags: qr rd ra ad;", "192.0.2.1")
        stack.expect("what is signed badly is not given", ask("bad.org"), "status: SERVFAIL")
        stack.expect("what does not exist is proved not to", ask("nothing.org"), "status: NXDOMAIN", "flags: qr rd ra ad;")
        stack.expect("outside SUBNET nobody is answered", ask("good.org", "foreign"), "status: REFUSED")


if __name__ == "__main__":
    main()
