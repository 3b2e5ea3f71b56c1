"""What every image that plays a service of Mailu does first, and how it runs its daemons.

Deliberately as unforgiving as Mailu: an unknown log level and an unknown word in PROXY_PROTOCOL end the process.
"""
import contextlib
import hashlib
import hmac
import logging
import os
import pwd
import random
import signal
import socket
import subprocess
import sys
import threading
import time

MAIL_PORTS = ("25", "110", "995", "143", "993", "587", "465", "4190")
PROXY_WORDS = {"": (), "mail": MAIL_PORTS, "all-but-http": MAIL_PORTS + ("443",), "all": MAIL_PORTS + ("443", "80")}
IMPLICIT_TLS = ("443", "465", "993", "995")
USUAL_PORTS = "25,80,443,465,993,995,4190"


def coerce(value):
    """`true`/`yes` and `false`/`no` become booleans; whatever else stays a string, and is true if it is not empty."""
    return {"true": True, "yes": True, "false": False, "no": False}.get(value.lower(), value) if isinstance(value, str) else value


def secret_key():
    path = os.environ.get("SECRET_KEY_FILE")
    if path is None:
        return os.environ.get("SECRET_KEY")
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def set_env(required_secret=False, coerce=False, secrets=()):
    """Checks and normalises os.environ as Mailu's images do, and returns a copy of it.

    `secrets`: names for which `NAME_KEY` is derived from SECRET_KEY; with them, or with `required_secret`, it has to be there.
    """
    logging.basicConfig(stream=sys.stderr, level=os.environ.get("LOG_LEVEL", "WARNING"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    # The hardened allocator is not in these images; the loader would complain in every process.
    if not os.path.exists(os.environ.get("LD_PRELOAD") or "/"):
        del os.environ["LD_PRELOAD"]

    key = secret_key()
    for name in [name for name in os.environ if name.endswith("_KEY")]:
        del os.environ[name]
    if key is None and (required_secret or secrets):
        raise TypeError("SECRET_KEY is not set")
    for name in secrets:
        os.environ[f"{name}_KEY"] = hmac.new(key.encode(), name.encode(), hashlib.sha256).hexdigest()

    for word in os.environ.get("PROXY_PROTOCOL", "").split(","):
        if word.isdigit():
            ports = (word,)
        elif word in PROXY_WORDS:
            ports = PROXY_WORDS[word]
        else:
            # Mailu means to print a message here and dies of a mistake in it, with this very text.
            raise NameError("name 'args' is not defined")
        for port in ports:
            os.environ[f"PROXY_PROTOCOL_{port}"] = "True"

    plain = os.environ.get("TLS_FLAVOR", "") == "notls"
    for port in os.environ.get("PORTS", USUAL_PORTS).split(","):
        if not (plain and port in IMPLICIT_TLS):
            os.environ[f"PORT_{port}"] = "True"
    if not plain:
        for port in os.environ.get("TLS", USUAL_PORTS).split(","):
            if port in IMPLICIT_TLS:
                os.environ[f"TLS_{port}"] = "True"
    os.environ.setdefault("CPU_COUNT", str(os.cpu_count()))

    for folder, _, files in os.walk("/run"):
        for name in files:
            if name.endswith(".pid"):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(folder, name))

    return {name: globals()["coerce"](value) for name, value in os.environ.items()} if coerce else dict(os.environ)


def drop_privs_to(user="mailu"):
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.environ["HOME"] = entry.pw_dir


def resolve_hostname(name):
    """The first address of `name`, IPv4 before IPv6; waits for minutes until there is one."""
    for attempt in range(100):
        try:
            found = socket.getaddrinfo(name, None, socket.AF_UNSPEC, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)
            return sorted(found, key=lambda entry: entry[0])[0][4][0]
        except OSError as error:
            logging.warning("Unable to lookup '%s': %s", name, error)
            if attempt == 99:
                raise
        time.sleep(random.uniform(2, 5))


def copy_lines(source, change):
    """Lines from `source` to our standard output, in a thread; `change(line)` returns the line, or None to leave it out."""
    def copy():
        for line in source:
            line = change(line)
            if line is not None:
                sys.stdout.write(line)
                sys.stdout.flush()
    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    return thread


def run(*commands, patience=3.0):
    """Runs daemons in the foreground until one of them ends or SIGTERM comes; then none is left. As process 1 it reaps orphans too."""
    children = {}
    stopping = []

    def stop(*_):
        stopping.append(143)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for command in commands:
        child = command if isinstance(command, subprocess.Popen) else subprocess.Popen(command)
        children[child.pid] = child
    code = None
    while code is None:
        if stopping:
            code = stopping[0]
            break
        signal.sigtimedwait({signal.SIGUSR2}, 0.2)
        code = reap(children)
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + patience
    while children and time.monotonic() < end:
        reap(children)
        time.sleep(0.02)
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    sys.stdout.flush()
    os._exit(code)


def reap(children):
    """Collects whoever has ended; the exit code of one of `children`, if it was one (which is then removed)."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 1 if children else None
        if pid == 0:
            return None
        if children.pop(pid, None) is not None:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
