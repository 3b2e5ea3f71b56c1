"""The settings of the admin service: their names, defaults and kinds, and how wrong values end the process."""
import ipaddress
import os

DEFAULTS = {
    "DOCKER_SOCKET": "unix:///var/run/docker.sock", "BABEL_DEFAULT_LOCALE": "en", "BABEL_DEFAULT_TIMEZONE": "UTC",
    "RATELIMIT_STORAGE_URL": "", "DEBUG": False, "DEBUG_PROFILER": False, "DEBUG_ASSETS": "", "DOMAIN_REGISTRATION": False,
    "TEMPLATES_AUTO_RELOAD": True, "MEMORY_SESSIONS": False, "FETCHMAIL_ENABLED": True, "MAILU_VERSION": "unknown",
    "DB_FLAVOR": None, "DB_USER": "mailu", "DB_PW": None, "DB_HOST": "database", "DB_NAME": "mailu",
    "SQLITE_DATABASE_FILE": "data/main.db", "SQLALCHEMY_DATABASE_URI": "sqlite:////data/main.db",
    "SQLALCHEMY_DATABASE_URI_ROUNDCUBE": "sqlite:////data/roundcube.db",
    "INSTANCE_ID_PATH": "/data/instance", "STATS_ENDPOINT": "202406.{}.stats.mailu.io", "DISABLE_STATISTICS": False,
    "SECRET_KEY": "changeMe", "DOMAIN": "mailu.io", "HOSTNAMES": "mail.mailu.io,alternative.mailu.io,yetanother.mailu.io",
    "POSTMASTER": "postmaster", "WILDCARD_SENDERS": "", "TLS_FLAVOR": "cert", "INBOUND_TLS_ENFORCE": False, "DEFER_ON_TLS_ERROR": True,
    "AUTH_RATELIMIT_IP": "5/hour", "AUTH_RATELIMIT_IP_V4_MASK": 24, "AUTH_RATELIMIT_IP_V6_MASK": 48, "AUTH_RATELIMIT_USER": "50/day",
    "AUTH_RATELIMIT_EXEMPTION": "", "AUTH_RATELIMIT_EXEMPTION_LENGTH": 86400,
    "DMARC_RUA": None, "DMARC_RUF": None, "WELCOME": False, "WELCOME_SUBJECT": "Dummy welcome topic", "WELCOME_BODY": "Dummy welcome body",
    "DKIM_SELECTOR": "dkim", "DKIM_PATH": "/dkim/{domain}.{selector}.key", "DEFAULT_QUOTA": 1000000000,
    "MESSAGE_RATELIMIT": "200/day", "MESSAGE_RATELIMIT_EXEMPTION": "", "RECIPIENT_DELIMITER": "",
    "SITENAME": "Mailu", "WEBSITE": "https://mailu.io", "ADMIN": "none", "WEB_ADMIN": "/admin", "WEB_WEBMAIL": "/webmail", "WEBMAIL": "none",
    "RECAPTCHA_PUBLIC_KEY": "", "RECAPTCHA_PRIVATE_KEY": "", "LOGO_URL": None, "LOGO_BACKGROUND": None,
    "AUTH_REQUIRE_TOKENS": False, "API": False, "WEB_API": "/api", "API_TOKEN": None,
    "FULL_TEXT_SEARCH": "en", "FULL_TEXT_SEARCH_ATTACHMENTS": False, "LOG_LEVEL": "INFO",
    "SESSION_KEY_BITS": 128, "SESSION_TIMEOUT": 3600, "PERMANENT_SESSION_LIFETIME": 30 * 24 * 3600, "SESSION_COOKIE_SECURE": None,
    "CREDENTIAL_ROUNDS": 12, "TLS_PERMISSIVE": True, "TZ": "Etc/UTC", "DEFAULT_SPAM_THRESHOLD": 80, "PORTS": "25,80,443,465,993,995,4190",
    "PROXY_AUTH_WHITELIST": "", "PROXY_AUTH_HEADER": "X-Auth-Email", "PROXY_AUTH_CREATE": False, "PROXY_AUTH_LOGOUT_URL": None,
    "SUBNET": "192.168.203.0/24", "SUBNET6": None,
}
INTEGERS = ("SESSION_TIMEOUT", "SESSION_KEY_BITS", "PERMANENT_SESSION_LIFETIME", "AUTH_RATELIMIT_IP_V4_MASK", "AUTH_RATELIMIT_IP_V6_MASK",
            "DEFAULT_SPAM_THRESHOLD")
NETWORKS = ("AUTH_RATELIMIT_EXEMPTION", "PROXY_AUTH_WHITELIST")
URIS = {
    "sqlite": "sqlite:////{SQLITE_DATABASE_FILE}",
    "postgresql": "postgresql://{DB_USER}:{DB_PW}@{DB_HOST}/{DB_NAME}",
    "mysql": "mysql+mysqlconnector://{DB_USER}:{DB_PW}@{DB_HOST}/{DB_NAME}",
}


def read(name, default):
    """NAME_FILE is stronger than NAME; yes/true and no/false become booleans, anything else stays text."""
    value = os.environ.get(name, default)
    if f"{name}_FILE" in os.environ:
        with open(os.environ[f"{name}_FILE"], encoding="utf-8") as file:
            value = file.read().strip()
    if isinstance(value, str) and value.lower() in ("true", "yes", "false", "no"):
        return value.lower() in ("true", "yes")
    return value


def words(text):
    return [word for word in (word.strip() for word in text.split(",")) if word]


def load():
    config = {name: value for name, value in os.environ.items() if name.endswith("_ADDRESS")}
    config.update({name: read(name, default) for name, default in DEFAULTS.items()})
    if config["DB_FLAVOR"]:
        config["SQLALCHEMY_DATABASE_URI"] = URIS[config["DB_FLAVOR"]].format(**config)
    config["RATELIMIT_STORAGE_URL"] = config["RATELIMIT_STORAGE_URL"] or f"redis://{config['REDIS_ADDRESS']}/2"
    config["SESSION_STORAGE_URL"] = f"redis://{config['REDIS_ADDRESS']}/3"
    config.update(SESSION_COOKIE_SAMESITE="Strict", SESSION_COOKIE_HTTPONLY=True, SESSION_PERMANENT=True)
    if config["SESSION_COOKIE_SECURE"] is None:
        config["SESSION_COOKIE_SECURE"] = config["TLS_FLAVOR"] != "notls"
    for name in INTEGERS:
        config[name] = int(config[name])
    for name in NETWORKS:
        config[name] = {ipaddress.ip_network(word, False) for word in words(config[name])}
    config["MESSAGE_RATELIMIT_EXEMPTION"] = set(words(config["MESSAGE_RATELIMIT_EXEMPTION"].lower().replace(" ", "")))
    hostnames = [name.strip() for name in config["HOSTNAMES"].split(",")]
    config.update(HOSTNAMES=",".join(hostnames), HOSTNAME=hostnames[0])
    if not 64 <= config["SESSION_KEY_BITS"] <= 256:
        raise ValueError("SESSION_KEY_BITS must be between 64 and 256!")
    for name in ("WEB_ADMIN", "WEB_API"):
        if not config[name].startswith("/"):
            raise ValueError(f"{name}: the path must start with a slash")
    if not config["SQLALCHEMY_DATABASE_URI"].startswith("sqlite:///"):
        raise ValueError(f"Could not parse SQLAlchemy URL from string '{config['SQLALCHEMY_DATABASE_URI']}'")
    try:
        with open("/version", encoding="utf-8") as file:
            config["MAILU_VERSION"] = file.read()
    except FileNotFoundError:
        pass
    return config
