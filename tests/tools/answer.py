"""Runs a program in a terminal of its own and answers its questions: answer.py 'ANSWER|ANSWER|…' PROGRAM ARGUMENT …"""

import os
import pty
import select
import sys
import time

answers = sys.argv[1].split("|")
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[2], sys.argv[2:])

seen = b""
quiet_since = time.monotonic()
deadline = time.monotonic() + 120
while time.monotonic() < deadline:
    readable, _, _ = select.select([terminal], [], [], 0.05)
    if readable:
        try:
            data = os.read(terminal, 4096)
        except OSError:
            break
        if not data:
            break
        seen += data
        quiet_since = time.monotonic()
    # A question ends in a colon and waits.
    elif answers and seen.rstrip().endswith(b":") and time.monotonic() - quiet_since > 0.2:
        os.write(terminal, answers.pop(0).encode() + b"\r")
        quiet_since = time.monotonic()

_, status = os.waitpid(pid, 0)
sys.stdout.write(seen.decode(errors="replace"))
sys.exit(os.waitstatus_to_exitcode(status))
