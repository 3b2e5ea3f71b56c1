"""What checkdmarc makes of domains. Usage: lab_checkdmarc.py RESOLVER DOMAIN…; prints its result for each as JSON."""

import json
import sys

import checkdmarc
import dns.resolver

resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers = [sys.argv[1]]
# Its policy fetch asks the system.
dns.resolver.override_system_resolver(resolver)
results = {}
for domain in sys.argv[2:]:
    results[domain] = checkdmarc.check_domains([domain], nameservers=[sys.argv[1]], parked=domain.startswith("parked."))
print(json.dumps(results, default=str))
