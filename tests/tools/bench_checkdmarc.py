"""Has checkdmarc check domains one after the other. Usage: bench_checkdmarc.py PORT DOMAIN…; the name server is on 127.0.0.1."""

import sys

import checkdmarc
import dns.nameserver

server = dns.nameserver.Do53Nameserver("127.0.0.1", int(sys.argv[1]))
results = checkdmarc.check_domains(sys.argv[2:], nameservers=[server])
results = results if isinstance(results, list) else [results]
assert all(one["spf"]["valid"] and one["dmarc"]["valid"] for one in results), results
