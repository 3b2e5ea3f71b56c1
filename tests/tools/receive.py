"""What a receiver makes of a message that it got: reads it from the input, with the Received and Return-Path fields that its mail server put on top, and prints
an Authentication-Results value. SPF is judged by the client's address, its HELO name and the envelope sender; records come from DNS."""

import email
import re
import sys

import authheaders

raw = sys.stdin.buffer.read()
message = email.message_from_bytes(raw)
helo, address = re.match(r"from (\S+) \(\S+ \[([0-9.]+)\]\)", message["Received"]).groups()
sender = message["Return-Path"].strip("<> ")
field = authheaders.authenticate_message(raw, "receiver", spf=True, dkim=True, dmarc=True, ip=address, mail_from=sender, helo=helo)
print(" ".join(field.partition(":")[2].split()))
