"""The database: SQLite in Mailu's shape (tables, columns, revision), reached with plain SQL. Foreign keys are not enforced, as there."""
import datetime
import sqlite3

import flask
import idna

HEAD = "0ba45693748d"
# What `flask db upgrade` knows the way from: the last revisions of 1.9 and 2.0, and our own.
KNOWN = ("3b7eee912b41", "7ac252f2bbbf", HEAD)


class StatementError(Exception):
    """A value that cannot be put into a statement. Named and worded as the ORM's, because that is what people see."""


class IntegrityError(StatementError):
    pass


for _error in (StatementError, IntegrityError):
    _error.__module__ = "sqlalchemy.exc"


def name_in(value):
    return idna.encode(value.lower()).decode("ascii")


def email_in(value):
    if "@" not in value:
        raise ValueError('an address without "@"')
    local, domain = value.lower().rsplit("@", 1)
    if "@" in local:
        raise ValueError('"@" before the last "@"')
    return f"{local}@{name_in(domain)}"


def email_out(value):
    local, domain = value.rsplit("@", 1)
    return f"{local}@{idna.decode(domain)}"


def list_in(value):
    if not isinstance(value, (list, tuple, set)):
        raise TypeError("Must be a list of strings")
    if any("," in item for item in value):
        raise ValueError('"," within an item')
    return ",".join(sorted(set(value)))


def list_out(value):
    return [item.strip() for item in (value or "").split(",") if item.strip()]


def flag_in(value):
    if value is not None and value not in (True, False):
        raise TypeError(f"Not a boolean value: {value!r}")
    return value if value is None else int(value)


def flag_out(value):
    return value if value is None else bool(value)


def date_in(value):
    if value is not None and not isinstance(value, datetime.date):
        raise TypeError("SQLite Date type only accepts Python date objects as input.")
    return value if value is None else f"{value:%Y-%m-%d}"


def date_out(value):
    return value if value is None else datetime.date.fromisoformat(value[:10])


def time_in(value):
    return value if value is None else value.strftime("%Y-%m-%d %H:%M:%S.%f")


def time_out(value):
    return value if value is None else datetime.datetime.fromisoformat(value)


def same(value):
    return value


NAME, EMAIL, LIST, FLAG, DATE, TIME, PLAIN = (
    (name_in, idna.decode), (email_in, email_out), (list_in, list_out), (flag_in, flag_out), (date_in, date_out), (time_in, time_out), (same, same))
NEEDED = object()


class Column:
    """`default` may be a function; NEEDED: there is none and NULL is not allowed; None: NULL is."""

    def __init__(self, name, kind, codec=PLAIN, default=None, null=None):
        self.name, self.kind, self.default = name, kind, default
        self.into, self.out = codec
        self.null = null if null is not None else default is None

    def initial(self):
        return self.default() if callable(self.default) else self.default


def threshold():
    return int(flask.current_app.config["DEFAULT_SPAM_THRESHOLD"])


BASE = (Column("created_at", "DATE", DATE, datetime.date.today), Column("updated_at", "DATE", DATE), Column("comment", "VARCHAR(255)", default="", null=True))


def flag(name, default):
    return Column(name, "BOOLEAN", FLAG, default)


TABLES = {
    "config": (*BASE, Column("name", "VARCHAR(255)", default=NEEDED), Column("value", "VARCHAR(255)")),
    "domain": (*BASE, Column("name", "VARCHAR(80)", NAME, NEEDED), Column("max_users", "INTEGER", default=-1), Column("max_aliases", "INTEGER", default=-1),
               Column("max_quota_bytes", "BIGINT", default=0), flag("signup_enabled", False)),
    "alternative": (*BASE, Column("name", "VARCHAR(80)", NAME, NEEDED), Column("domain_name", "VARCHAR(80)", NAME)),
    "relay": (*BASE, Column("name", "VARCHAR(80)", NAME, NEEDED), Column("smtp", "VARCHAR(80)")),
    "user": (*BASE, Column("localpart", "VARCHAR(80)", default=NEEDED), Column("password", "VARCHAR(255)", default=NEEDED),
             Column("quota_bytes", "BIGINT", default=10 ** 9), flag("global_admin", False), flag("enable_imap", True), flag("enable_pop", True),
             flag("forward_enabled", False), Column("forward_destination", "VARCHAR(255)", LIST, list, null=True), flag("reply_enabled", False),
             Column("reply_subject", "VARCHAR(255)"), Column("reply_body", "TEXT"), Column("displayed_name", "VARCHAR(160)", default=""),
             flag("spam_enabled", True), Column("spam_threshold", "INTEGER", default=threshold), Column("domain_name", "VARCHAR(80)", NAME, NEEDED),
             Column("email", "VARCHAR(255)", EMAIL, NEEDED), flag("forward_keep", True), flag("enabled", True),
             Column("reply_enddate", "DATE", DATE, lambda: datetime.date(2999, 12, 31)), Column("quota_bytes_used", "BIGINT", default=0),
             Column("reply_startdate", "DATE", DATE, lambda: datetime.date(1900, 1, 1)), flag("spam_mark_as_read", True), flag("allow_spoofing", False),
             flag("change_pw_next_login", False)),
    "alias": (*BASE, Column("localpart", "VARCHAR(80)", default=NEEDED), Column("destination", "VARCHAR(1023)", LIST, list),
              Column("domain_name", "VARCHAR(80)", NAME, NEEDED), Column("email", "VARCHAR(255)", EMAIL, NEEDED), flag("wildcard", False)),
    "token": (*BASE, Column("id", "INTEGER"), Column("user_email", "VARCHAR(255)", default=NEEDED), Column("password", "VARCHAR(255)", default=NEEDED),
              Column("ip", "VARCHAR(4096)", LIST, list, null=True)),
    "fetch": (*BASE, Column("id", "INTEGER"), Column("user_email", "VARCHAR(255)", default=NEEDED), Column("protocol", "VARCHAR(4)", default=NEEDED),
              Column("host", "VARCHAR(255)", default=NEEDED), Column("port", "INTEGER", default=NEEDED), flag("tls", False),
              Column("username", "VARCHAR(255)", default=NEEDED), Column("password", "VARCHAR(255)", default=NEEDED), flag("keep", False),
              Column("last_check", "DATETIME", TIME), Column("error", "VARCHAR(1023)"), flag("scan", False),
              Column("folders", "VARCHAR(4096)", LIST, list, null=True)),
}
KEYS = {"config": "name", "domain": "name", "alternative": "name", "relay": "name", "user": "email", "alias": "email", "token": "id", "fetch": "id"}


class Record(dict):
    """One row, decoded; the columns are attributes too. Written only through the store."""
    __getattr__ = dict.__getitem__
    __hash__ = object.__hash__

    def __init__(self, table, values):
        super().__init__(values)
        self.__dict__["table"] = table

    @property
    def key(self):
        return self[KEYS[self.table]]

    def __str__(self):
        return str(self.key)


def schema():
    yield "CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    for table, columns in TABLES.items():
        parts = [f"{column.name} {column.kind}{'' if column.null and column.name != KEYS[table] else ' NOT NULL'}" for column in columns]
        parts.append(f"CONSTRAINT {table}_pkey PRIMARY KEY ({KEYS[table]})")
        names = [column.name for column in columns]
        if "domain_name" in names:
            parts.append(f"CONSTRAINT {table}_domain_name_fkey FOREIGN KEY(domain_name) REFERENCES domain (name)")
        if "user_email" in names:
            parts.append(f"CONSTRAINT {table}_user_email_fkey FOREIGN KEY(user_email) REFERENCES user (email)")
        yield f'CREATE TABLE IF NOT EXISTS "{table}" ({", ".join(parts)})'
    yield ("CREATE TABLE IF NOT EXISTS manager (domain_name VARCHAR(80), user_email VARCHAR(255), "
           "FOREIGN KEY(domain_name) REFERENCES domain (name), FOREIGN KEY(user_email) REFERENCES user (email))")


class Store:
    def __init__(self, uri):
        self.connection = sqlite3.connect(uri.removeprefix("sqlite:///"), timeout=5)
        self.observer = lambda action, record: None
        self.commit, self.rollback, self.close = self.connection.commit, self.connection.rollback, self.connection.close

    def run(self, sql, *values):
        try:
            return self.connection.execute(sql, values)
        except sqlite3.IntegrityError as error:
            raise IntegrityError(f"(sqlite3.IntegrityError) {error}\n[SQL: {sql}]\n(Background on this error at: https://sqlalche.me/e/20/gkpj)") from error

    def revision(self):
        try:
            row = self.connection.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError:
            return None
        return row and row[0]

    def upgrade(self):
        """Creates or completes the tables; False when the database is newer than we are (or of an unknown age)."""
        old = self.revision()
        if old is not None and old not in KNOWN:
            return False
        for statement in schema():
            self.run(statement)
        for table, columns in TABLES.items():
            present = {row[1] for row in self.run(f'PRAGMA table_info("{table}")')}
            for column in columns:
                if column.name not in present:
                    value = column.initial() if not isinstance(column.initial(), list) else ""
                    default = "NULL" if value is None or value is NEEDED else repr(column.into(value) if not isinstance(value, str) else value)
                    self.run(f'ALTER TABLE "{table}" ADD COLUMN {column.name} {column.kind}{"" if column.null else f" NOT NULL DEFAULT {default}"}')
        self.run("DELETE FROM alembic_version")
        self.run("INSERT INTO alembic_version (version_num) VALUES (?)", HEAD)
        self.commit()
        return True

    @staticmethod
    def encode(table, name, value, sql):
        column = next(column for column in TABLES[table] if column.name == name)
        if value is None:
            return None
        try:
            return column.into(value)
        except (ValueError, TypeError, AttributeError, UnicodeError) as error:
            kind = f"{type(error).__module__}.{type(error).__name__}"
            raise StatementError(f"({kind}) {error}\n[SQL: {sql}]\n(Background on this error at: https://sqlalche.me/e/20/9h9h)") from error

    def find(self, table, **equal):
        sql = f'SELECT * FROM "{table}"' + (" WHERE " + " AND ".join(f"{name} = ?" for name in equal) if equal else "")
        cursor = self.run(sql, *(self.encode(table, name, value, sql) for name, value in equal.items()))
        names = [entry[0] for entry in cursor.description]
        codecs = {column.name: column.out for column in TABLES[table]}
        return [Record(table, {name: value if value is None and codecs[name] is not list_out else codecs[name](value)
                               for name, value in zip(names, row) if name in codecs}) for row in cursor]

    def get(self, table, key):
        return next(iter(self.find(table, **{KEYS[table]: key})), None)

    def add(self, table, **values):
        values = {column.name: values.get(column.name, None if column.default is NEEDED else column.initial()) for column in TABLES[table]}
        sql = f'INSERT INTO "{table}" ({", ".join(values)}) VALUES ({", ".join("?" * len(values))})'
        cursor = self.run(sql, *(self.encode(table, name, value, sql) for name, value in values.items()))
        key = values[KEYS[table]]
        record = self.get(table, cursor.lastrowid if key is None else key)
        self.observer("Created", record)
        return record

    def add_mailbox(self, table, localpart, domain_name, **values):
        return self.add(table, localpart=localpart, domain_name=domain_name, email=f"{localpart}@{domain_name}", **values)

    def change(self, record, keep_date=False, **values):
        old = record.key
        if not keep_date:
            values["updated_at"] = datetime.date.today()
        sql = f'UPDATE "{record.table}" SET {", ".join(f"{name} = ?" for name in values)} WHERE {KEYS[record.table]} = ?'
        self.run(sql, *(self.encode(record.table, name, value, sql) for name, value in values.items()),
                 self.encode(record.table, KEYS[record.table], old, sql))
        record.update(values)

    def delete(self, record):
        """With whatever hangs on the record, as the object mapper would."""
        self.observer("Deleted", record)
        if record.table == "domain":
            for table in ("user", "alias", "alternative"):
                for child in self.find(table, domain_name=record.name):
                    self.delete(child)
            self.run("DELETE FROM manager WHERE domain_name = ?", name_in(record.name))
        elif record.table == "user":
            for table in ("token", "fetch"):
                for child in self.find(table, user_email=record.email):
                    self.delete(child)
            self.run("DELETE FROM manager WHERE user_email = ?", email_in(record.email))
        key = KEYS[record.table]
        self.run(f'DELETE FROM "{record.table}" WHERE {key} = ?', self.encode(record.table, key, record.key, ""))

    def managers(self, domain):
        emails = [email_out(row[0]) for row in self.run("SELECT user_email FROM manager WHERE domain_name = ?", name_in(domain))]
        return [email for email in emails if self.get("user", email)]

    def manager_of(self, email):
        names = [idna.decode(row[0]) for row in self.run("SELECT domain_name FROM manager WHERE user_email = ?", email_in(email))]
        return [name for name in dict.fromkeys(names) if self.get("domain", name)]

    def add_manager(self, domain, email):
        self.run("INSERT INTO manager (domain_name, user_email) VALUES (?, ?)", name_in(domain), email_in(email))

    def remove_manager(self, domain, email):
        self.run("DELETE FROM manager WHERE domain_name = ? AND user_email = ?", name_in(domain), email_in(email))

    def name_in_use(self, name):
        return any(self.get(table, name) for table in ("domain", "alternative", "relay"))


def store():
    """The store of this request or command."""
    if "store" not in flask.g:
        flask.g.store = Store(flask.current_app.config["SQLALCHEMY_DATABASE_URI"])
    return flask.g.store


def close(_error=None):
    if "store" in flask.g:
        flask.g.pop("store").close()


