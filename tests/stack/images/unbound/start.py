#!/usr/bin/env python3
"""Unbound as Mailu configures it: from the root, validating, for SUBNET only. Raw strings."""
import os
import shutil

import standin

CONFIG = """\
server:
  verbosity: 1
  interface: 0.0.0.0
{interface6}  logfile: ""
  use-syslog: no
  chroot: ""
  pidfile: ""
  do-ip4: yes
  do-ip6: {ip6}
  do-udp: yes
  do-tcp: yes
  do-daemonize: no
  access-control: {subnet} allow
{access6}  directory: "/etc/unbound"
  username: unbound
  auto-trust-anchor-file: "/etc/unbound/trusted-key.key"
  root-hints: "/etc/unbound/stack/root.hints"
  hide-identity: yes
  hide-version: yes
  cache-min-ttl: 300
{world}"""

# Names that Unbound knows by heart not to exist. The tests' Internet has them.
WORLD = "".join(f"  local-zone: {name} nodefault\n" for name in ("test.", "invalid.", "2.0.192.in-addr.arpa.", "100.51.198.in-addr.arpa.", "113.0.203.in-addr.arpa."))


def main():
    env = standin.set_env()
    subnet6 = env.get("SUBNET6")
    with open("/etc/unbound/unbound.conf", "w", encoding="utf-8") as file:
        file.write(CONFIG.format(
            world=WORLD,
            subnet=env.get("SUBNET", ""),
            ip6="yes" if subnet6 else "no",
            interface6="  interface: ::0\n" if subnet6 else "",
            access6=f"  access-control: {subnet6} allow\n" if subnet6 else "",
        ))
    # Unbound writes to its anchor, and to the directory around it.
    shutil.copyfile("/etc/unbound/stack/root.key", "/etc/unbound/trusted-key.key")
    for path in ("/etc/unbound", "/etc/unbound/trusted-key.key"):
        shutil.chown(path, "unbound", "unbound")
    standin.run(["unbound", "-c", "/etc/unbound/unbound.conf"])


if __name__ == "__main__":
    main()
