"""The sender rewriting scheme: SRS0=hash=day=domain=local@ours, and SRS1 for what others have rewritten before."""
import base64
import hashlib
import hmac

DAYS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
VALID_DAYS = 21


def mark(key, *parts):
    return base64.b64encode(hmac.digest(key, "".join(parts).lower().encode(), hashlib.sha1)).decode()[:4]


def day(now):
    number = int(now // 86400) % 1024
    return DAYS[number >> 5] + DAYS[number & 31]


def forward(key, sender, domain, now):
    local, _, host = sender.rpartition("@")
    start = local[:5].upper()
    if start == "SRS0=":
        return f"SRS1={mark(key, host, local[4:])}={host}={local[4:]}@{domain}"
    if start == "SRS1=":
        _, _, first, rest = local.split("=", 3)
        return f"SRS1={mark(key, first, rest)}={first}={rest}@{domain}"
    stamp = day(now)
    return f"SRS0={mark(key, stamp, host, local)}={stamp}={host}={local}@{domain}"


def reverse(key, address, now):
    """Where a rewritten address leads back to; None if it is none, is forged, or too old."""
    local = address.rpartition("@")[0]
    start = local[:5].upper()
    try:
        if start == "SRS0=":
            _, check, stamp, host, user = local.split("=", 4)
            fresh = any(stamp.upper() == day(now - back * 86400) for back in range(VALID_DAYS))
            return f"{user}@{host}" if fresh and check.lower() == mark(key, stamp, host, user).lower() else None
        if start == "SRS1=":
            _, check, host, rest = local.split("=", 3)
            return f"SRS0{rest}@{host}" if check.lower() == mark(key, host, rest).lower() else None
    except ValueError:
        pass
    return None
