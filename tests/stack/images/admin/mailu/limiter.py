"""Rate limits, counted in redis (database 2) with a moving window; the exemptions from them; device cookies."""
import base64
import hashlib
import hmac
import ipaddress
import re
import secrets
import time

import flask
import redis

from .accounts import config

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "month": 2592000, "year": 31104000}
LIMIT = re.compile(r"\s*([0-9]+)\s*(?:/|\s*per\s*)\s*([0-9]+)?\s*(hour|minute|second|day|month|year)s?\s*", re.IGNORECASE)
PREFIX = "LIMITS:"
# KEYS: the window. ARGV: now, length of the window, how many fit. Answers 1 and counts, or 0.
TAKE = """
local oldest = redis.call('lindex', KEYS[1], tonumber(ARGV[3]) - 1)
if oldest and tonumber(oldest) >= tonumber(ARGV[1]) - tonumber(ARGV[2]) then return 0 end
redis.call('lpush', KEYS[1], ARGV[1])
redis.call('ltrim', KEYS[1], 0, tonumber(ARGV[3]) - 1)
redis.call('expire', KEYS[1], ARGV[2])
return 1
"""


def parse(text):
    """The first of `N/period` entries; anything else is an error, and so is the request that needed it."""
    entries = [LIMIT.fullmatch(part) for part in re.split(r"[,;|]", text)] if isinstance(text, str) else [None]
    if not all(entries):
        raise ValueError(f"couldn't parse rate limit string '{text}'")
    amount, multiple, period = entries[0].groups()
    return int(amount), int(multiple or 1), period.lower()


class Window:
    def __init__(self, storage, limit, *names):
        self.storage = storage
        self.amount, multiple, period = parse(limit)
        self.seconds = SECONDS[period] * multiple
        self.key = "/".join([f"{PREFIX}LIMITER", *(str(name) for name in names), str(self.amount), str(multiple), period])

    def test(self):
        now = time.time()
        return sum(float(entry) >= now - self.seconds for entry in self.storage.lrange(self.key, 0, self.amount)) < self.amount

    def hit(self):
        if self.amount < 1:
            return False
        return bool(self.storage.eval(TAKE, 1, self.key, repr(time.time()), self.seconds, self.amount))


class Limiter:
    def setup(self, app):
        self.storage = redis.Redis.from_url(app.config["RATELIMIT_STORAGE_URL"], decode_responses=True)

    def window(self, limit, *names):
        return Window(self.storage, limit, *names)

    def count(self, name):
        return int(self.storage.get(PREFIX + name) or 0)

    def increase(self, name, seconds):
        self.storage.incr(PREFIX + name)
        self.storage.expire(PREFIX + name, int(seconds))

    @staticmethod
    def network(ip):
        network = ipaddress.ip_network(ip)
        mask = config("AUTH_RATELIMIT_IP_V4_MASK" if network.version == 4 else "AUTH_RATELIMIT_IP_V6_MASK")
        return str(network.supernet(prefixlen_diff=network.max_prefixlen - mask).network_address)

    def applies_to(self, ip):
        address = ipaddress.ip_address(ip)
        return not any(address in network for network in config("AUTH_RATELIMIT_EXEMPTION")) and self.count(f"exempt-{ip}") == 0

    def exempt(self, ip):
        self.increase(f"exempt-{ip}", config("AUTH_RATELIMIT_EXEMPTION_LENGTH"))

    def ip_blocked(self, ip):
        window = self.window(config("AUTH_RATELIMIT_IP"), "auth-ip", self.network(ip))
        blocked = self.applies_to(ip) and not window.test()
        if blocked:
            flask.current_app.logger.warning(f"Authentication attempt from {ip} has been rate-limited.")
        return blocked

    def hit_ip(self, ip, username=None):
        """Each user name counts once for a network and period."""
        limit, network = config("AUTH_RATELIMIT_IP"), self.network(ip)
        window = self.window(limit, "auth-ip", network)
        if self.applies_to(ip):
            seen = f"dedup-{network}-{username}"
            if username and self.count(seen):
                return
            self.increase(seen, SECONDS[parse(limit)[2]])
            window.hit()

    def user_blocked(self, username, ip, device=None, device_user=None):
        window = self.window(config("AUTH_RATELIMIT_USER"), "auth-user", device if device_user == username else username)
        blocked = self.applies_to(ip) and not window.test()
        if blocked:
            flask.current_app.logger.warning(f"Authentication attempt from {ip} for {username} has been rate-limited.")
        return blocked

    def hit_user(self, username, ip, device=None, device_user=None, password=""):
        """Each wrong password counts once for a user and period."""
        limit = config("AUTH_RATELIMIT_USER")
        window = self.window(limit, "auth-user", device if device_user == username else username)
        if self.applies_to(ip):
            seen = f"dedup2-{username}-{hmac.digest(username.encode(), password.encode(), hashlib.sha256).hex()[-6:]}"
            if password and self.count(seen):
                return
            self.increase(seen, SECONDS[parse(limit)[2]])
            window.hit()
            self.hit_ip(ip, username)

    @staticmethod
    def device_cookie(username, nonce=None):
        nonce = nonce or secrets.token_urlsafe(9)
        mark = hmac.digest(flask.current_app.keys["DEVICE_COOKIE_KEY"], f"device_cookie|{username}|{nonce}".encode(), hashlib.sha256)[20:]
        return f"{username}${nonce}${base64.urlsafe_b64encode(mark).decode()}"

    def device(self, cookie):
        """(nonce, user) of a cookie that we made."""
        parts = (cookie or "").split("$")
        if len(parts) == 3 and hmac.compare_digest(cookie.encode(), self.device_cookie(*parts[:2]).encode()):
            return parts[1], parts[0]
        return None, None


limiter = Limiter()
