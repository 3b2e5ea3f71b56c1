"""Export and import of domains, users, aliases and relays, with all that is sharp about Mailu's.

Import without --update empties the four tables first, whatever the input holds. With it, what is there stays: lists are united, `-name` takes an
item out, `-prune-` empties first, `-key: null` resets an attribute, `-email: x` deletes an object, `-email: null` deletes all that are not listed.
"""
import collections
import datetime
import json

import yaml
from cryptography.hazmat.primitives import serialization

from . import accounts
from .store import KEYS, TABLES, StatementError, email_in

ORDER = ("domain", "user", "alias", "relay")
HIDDEN = "<hidden>"
UNKNOWN, NULL, MISSING = "Unknown field.", "Field may not be null.", "Missing data for required field."
NONE = object()


class Invalid(Exception):
    """What is wrong with filters or input, ready to be shown."""


class Problem(Exception):
    """One error in the input: path below the section, and message."""

    def __init__(self, path, message):
        super().__init__(message)
        self.path, self.message = tuple(map(str, path)), message


class Key(str):
    """Text that is written in lines of its own."""


# -- fields --------------------------------------------------------------------------------------------------------------------------------

class Field:
    """`default`: left out of an export when it has this value. `hidden`, `dns`, `full`: shown only when asked for. `null`: may be null."""

    def __init__(self, kind, default=NONE, required=False, null=False, size=None, hidden=False, extra=None, load=True, dump=True, words=()):
        self.kind, self.default, self.required, self.null, self.size, self.words = kind, default, required, null, size, words
        self.hidden, self.extra, self.load, self.dump = hidden, extra, load, dump


def text(size=None, default=None, **more):
    return Field("string", default, size=size, **more)


def number(default):
    return Field("integer", default)


def flag(default):
    return Field("boolean", default)


NEEDED = {"required": True}
RECORD = {"load": False, "extra": "dns"}
HASH = {"hash_password": Field("boolean", dump=False)}
FIELDS = {
    "domain": {
        "name": text(80, **NEEDED), "alternatives": Field("names", []), "comment": text(default=""), "max_users": number(-1), "max_aliases": number(-1),
        "max_quota_bytes": number(0), "signup_enabled": flag(False), "dkim_key": Field("key", None, null=True, hidden=True),
        "dkim_publickey": text(**RECORD), "dns_mx": text(**RECORD), "dns_spf": text(**RECORD), "dns_dkim": text(**RECORD), "dns_dmarc": text(**RECORD)},
    "user": {
        "email": text(**NEEDED), "password": Field("password", None, required=True), **HASH, "comment": text(default=""), "quota_bytes": number(10 ** 9),
        "global_admin": flag(False), "enabled": flag(True), "change_pw_next_login": flag(False), "enable_imap": flag(True), "enable_pop": flag(True),
        "allow_spoofing": flag(False), "forward_enabled": flag(False), "forward_destination": Field("list", [], null=True), "forward_keep": flag(True),
        "reply_enabled": flag(False), "reply_subject": text(255, null=True), "reply_body": text(null=True), "reply_startdate": Field("date", "1900-01-01"),
        "reply_enddate": Field("date", "2999-12-31"), "displayed_name": text(160, ""), "spam_enabled": flag(True), "spam_mark_as_read": flag(True),
        "spam_threshold": Field("integer"), "manager_of": Field("names", []), "tokens": Field("nested", [], words="token"),
        "fetches": Field("nested", [], words="fetch")},
    "token": {"id": Field("integer", None), "password": Field("password", None, required=True), **HASH, "ip": Field("list", null=True), "comment": text(default="")},
    "fetch": {
        "id": Field("integer", None), "protocol": text(required=True, words=("imap", "pop3")), "host": text(255, **NEEDED), "port": Field("integer", None, required=True),
        "username": text(255, **NEEDED), "password": text(255, hidden=True, **NEEDED), "tls": flag(False), "keep": flag(False), "scan": flag(False),
        "folders": Field("list", null=True), "comment": text(default=""), "last_check": Field("datetime", None, null=True, extra="full"),
        "error": text(1023, null=True, extra="full")},
    "alias": {"email": text(**NEEDED), "destination": Field("commas", []), "wildcard": flag(False), "comment": text(default="")},
    "relay": {"name": text(80, **NEEDED), "smtp": text(80, null=True), "comment": text(default="")},
}


def ordered(table):
    """The key first, everything else by name."""
    return sorted(FIELDS[table], key=lambda name: (name != KEYS[table], name))


# -- export --------------------------------------------------------------------------------------------------------------------------------

def value_of(store, record, name, field, options):
    if name == "alternatives":
        return [entry.name for entry in store.find("alternative", domain_name=record.name)]
    if name == "manager_of":
        return store.manager_of(record.email)
    if name in ("tokens", "fetches"):
        children = store.find(field.words, user_email=record.email)
        return [dump_record(store, child, options["only"].get(name) if options["only"] else None, **options["flags"]) for child in children]
    if name == "dkim_key":
        return Key((accounts.read_key(record.name) or b"").decode())
    if name == "dkim_publickey":
        return accounts.public_key(record.name)
    if field.extra == "dns":
        return accounts.records(record)[name]
    value = record[name]
    if field.kind == "password":
        return accounts.strip_prefix(value)
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    if isinstance(value, datetime.date):
        return value.isoformat()
    return (value or "") if name == "comment" else value


def dump_record(store, record, only=None, full=False, secrets=False, dns=False, importing=False):
    """`only`: names asked for, with what is asked for below them; such fields are neither left out nor hidden."""
    flags = {"full": full, "secrets": secrets, "dns": dns, "importing": importing}
    result = {}
    for name in ordered(record.table):
        field = FIELDS[record.table][name]
        asked = bool(only) and name in only
        if not field.dump or (only and not asked):
            continue
        if field.extra and not asked and not (dns if field.extra == "dns" else full or importing):
            continue
        value = value_of(store, record, name, field, {"only": only, "flags": flags})
        if not full and not asked and value == field.default and isinstance(value, type(field.default)):
            continue
        result[name] = HIDDEN if field.hidden and not secrets and not asked else value
    return result


def parse_filters(words):
    """{"user": {"email": {}}} for `user.email`."""
    tree, wrong = {}, []
    for word in words or ORDER:
        fields, place, parts = dict.fromkeys(ORDER), tree, word.split(".")
        for at, part in enumerate(parts):
            if part not in fields:
                wrong.append(".".join(parts[:at + 1]))
                break
            place = place.setdefault(part, {})
            table = part if at == 0 else FIELDS[table][part].words if FIELDS[table][part].kind == "nested" else None
            fields = FIELDS.get(table, {})
    if wrong:
        raise Invalid(f"Invalid filter: {', '.join(wrong)}")
    return tree


class Dumper(yaml.SafeDumper):
    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow)


Dumper.add_representer(Key, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style="|" if text else None))


def dump(store, words, full=False, secrets=False, dns=False, as_json=False):
    tree = parse_filters(words)
    data = {table: [dump_record(store, record, tree[table], full, secrets, dns) for record in store.find(table)] for table in ORDER if table in tree}
    if as_json:
        return json.dumps(data, separators=(",", ":"))
    options = {"Dumper": Dumper, "default_flow_style": False, "allow_unicode": True, "sort_keys": False}
    return "\n".join(yaml.dump({table: items}, **options) for table, items in data.items())


# -- import --------------------------------------------------------------------------------------------------------------------------------

TRUE, FALSE = {"t", "true", "on", "y", "yes", "1"}, {"f", "false", "off", "n", "no", "0"}


def read_key(value):
    """PEM from PEM, bare base64, or lines of it; None: no key."""
    if isinstance(value, list):
        value = "".join(value)
    if not isinstance(value, str):
        raise Problem((), "Not a valid string or list.")
    value = value.strip()
    if value.lower() == "-generate-":
        return accounts.new_key()
    if not value or value == HIDDEN:
        return None
    parts = value.split("-----")
    label, body = ("PRIVATE KEY", value) if len(parts) == 1 else (parts[1].removeprefix("BEGIN "), parts[2]) if len(parts) > 2 else ("", "")
    body = "".join(body.split())
    lines = [body[at:at + 64] for at in range(0, len(body), 64)]
    pem = "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])
    try:
        serialization.load_pem_private_key(pem.encode("ascii"), password=None)
    except (ValueError, TypeError) as error:
        shown = f"{body[:25]}...{body[-10:]}" if len(body) > 40 else body
        raise Problem((), f"invalid dkim key {shown!r}") from error
    return pem.encode("ascii")


def read_value(field, value, item):
    """The value as it is stored, or a Problem."""
    if value is None:
        if not field.null:
            raise Problem((), NULL)
        return None
    if field.kind == "string":
        if not isinstance(value, str):
            raise Problem((), "Not a valid string.")
        if field.size and len(value) > field.size:
            raise Problem((), f"Longer than maximum length {field.size}.")
        if field.words and value not in field.words:
            raise Problem((), f"Must be one of: {', '.join(field.words)}.")
    elif field.kind == "integer":
        try:
            if isinstance(value, bool):
                raise ValueError
            return int(value)
        except (ValueError, TypeError) as error:
            raise Problem((), "Not a valid integer.") from error
    elif field.kind == "boolean":
        word = str(value).lower()
        if word not in TRUE | FALSE:
            raise Problem((), "Not a valid boolean.")
        return word in TRUE
    elif field.kind in ("date", "datetime"):
        kind = getattr(datetime, field.kind)
        try:
            # YAML's own dates are not text, and refused.
            return kind.fromisoformat(value.replace("Z", "+00:00"))
        except (ValueError, AttributeError) as error:
            raise Problem((), f"Not a valid {field.kind}.") from error
    elif field.kind == "commas":
        if not isinstance(value, (str, list)):
            if not value:
                return []
            raise Problem((), "Not a valid string or list.")
        return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value
    elif field.kind in ("names", "nested"):
        if not isinstance(value, list):
            raise Problem((), "Not a valid list." if field.kind == "names" else "Invalid type.")
    elif field.kind == "key":
        return read_key(value)
    elif field.kind == "password":
        # Whatever does not look like a hash is stored all the same: nobody can log in with it.
        return accounts.strip_prefix(accounts.hashed(value) if item.get("hash_password") in (True, "true", "yes", 1) else value)
    return value


class Import:
    def __init__(self, store, update=False, verbose=0, secrets=False):
        self.store, self.update, self.verbose, self.secrets = store, update, verbose, secrets
        self.counts = collections.Counter()
        self.keys = {}
        self.plain = {}
        store.observer = self.seen

    # what happened

    def seen(self, action, record):
        if record.table not in FIELDS:
            return
        self.counts[action, record.table] += 1
        if self.verbose:
            self.say(action, record.table, dump_record(self.store, record, secrets=self.secrets))

    @staticmethod
    def say(action, table, message):
        print(f"{action} {table}: {message}")

    def summary(self):
        """Changes of single objects are only known to whoever asked for details."""
        parts = []
        for action in sorted({action for action, _ in self.counts}):
            parts.append(" ".join([f"{action}:", *(f"{table}({count})" for (what, table), count in sorted(self.counts.items()) if what == action)]))
        return " / ".join(parts) or "No changes."

    def modified(self, record, before):
        changes = {name: (before[name], record[name]) for name in before
                   if name in FIELDS[record.table] and before[name] != record[name] and not (name == "comment" and not before[name] and not record[name])}
        if not changes or not self.verbose:
            return
        self.counts["Modified", record.table] += 1
        shown = dump_record(self.store, record, full=True, secrets=self.secrets)
        for name, (old, _) in changes.items():
            new = shown.get(name)
            old = set(old) if isinstance(old, list) else old
            self.say("Modified", record.table, f"{str(record)!r} {name}: {HIDDEN if new == HIDDEN else repr(old)} -> {HIDDEN if new == HIDDEN else repr(new)}")

    # the whole

    def load(self, source):
        data = yaml.safe_load(source)
        if not self.update:
            for table in ORDER:
                self.store.run(f'DELETE FROM "{table}"')
        problems = []
        if not isinstance(data, dict):
            problems.append((("_schema",), "Invalid input type."))
            data = {}
        for table in ORDER:
            if table in data:
                try:
                    if data[table] is None:
                        raise Problem((), NULL)
                    if not isinstance(data[table], list):
                        raise Problem((), "Invalid type.")
                    problems += [((table, *path), message) for path, message in self.section(table, data[table])]
                except Problem as problem:
                    problems.append(((table, *problem.path), problem.message))
        problems += [((str(name),), UNKNOWN) for name in data if name not in ORDER]
        if problems:
            problems.sort(key=lambda problem: [(not word.isdigit(), int(word) if word.isdigit() else 0, word) for word in problem[0]])
            lines = [(".".join(path), message) for path, message in problems]
            width = max(len(path) for path, _ in lines)
            raise Invalid("\n".join([f"[ValidationError] {len(lines)} error{'s' if len(lines) != 1 else ''} occurred during input validation",
                                     *(f"     - {path.ljust(width)} : {message}" for path, message in lines)]))
        used = set()
        for table in ("domain", "alternative", "relay"):
            for record in self.store.find(table):
                if record.name in used:
                    raise ValueError(f"Duplicate domain name: {(record.name,)}")
                used.add(record.name)

    def section(self, table, items):
        """Looks everything up, checks everything, and only then writes. Returns the errors."""
        work, prune = self.prepare(table, items)
        errors = [error for at, values, record in work for error in self.check(table, at, values, record)]
        if errors:
            return errors
        listed = set()
        for _, values, record in work:
            listed.add(self.apply(table, values, record).key)
        if prune:
            for record in self.store.find(table):
                if record.key not in listed:
                    self.store.delete(record)
        return []

    def prepare(self, table, items, owner=None):
        """[(position, values, stored record or None)], without what was to be deleted; and whether the others are to go."""
        key, work, prune = KEYS[table], [], False
        for at, item in enumerate(items):
            if not isinstance(item, dict):
                if self.update:
                    raise Problem((f"{item!r}",), f"Invalid item. {table.title()} needs to be an object.")
                work.append((at, item, None))
                continue
            if self.verbose > 1:
                hidden = {name: HIDDEN if FIELDS[table].get(name, Field("")).hidden and not self.secrets else value for name, value in item.items()}
                if "hash_password" in item and not self.secrets:
                    hidden["password"] = HIDDEN
                self.say("Handling", table, hidden)
            if not self.update:
                # Only numbered rows can have survived the emptying.
                record = self.store.get(table, item["id"]) if key == "id" and item.get("id") is not None else None
                work.append((at, dict(item), record))
                continue
            if "__delete__" in item:
                raise Problem((at, "__delete__"), UNKNOWN)
            if "hash_password" in item and "password" not in item:
                raise Problem((at, "hash_password"), 'Nothing to hash. Field "password" is missing.')
            if f"-{key}" in item:
                wanted = item[f"-{key}"]
                if wanted is None:
                    prune = True
                    continue
                record = self.lookup(table, wanted)
                if record is None:
                    raise Problem((at, key), f"Item to delete not found: {wanted!r}.")
                self.store.delete(record)
                continue
            values = dict(self.reset(table, at, name, value) if isinstance(name, str) and name.startswith("-") else (name, value) for name, value in item.items())
            if owner and key not in values:
                for child in self.store.find(table, user_email=owner.email):
                    same = dump_record(self.store, child, importing=True)
                    number = same.pop(key)
                    if same == values:
                        values[key] = number
                        break
            record = self.lookup(table, values[key]) if values.get(key) is not None else None
            if record:
                self.merge(table, values, record)
                for name, field in FIELDS[table].items():
                    if field.required and name not in values:
                        values[name] = record[name]
            work.append((at, values, record))
        return work, prune

    def lookup(self, table, key):
        try:
            return self.store.get(table, key)
        except StatementError as error:
            if KEYS[table] == "email":
                raise Problem((key,), f"Invalid email: {key!r}") from error
            raise

    @staticmethod
    def reset(table, at, name, value):
        name = name[1:]
        column = next((column for column in TABLES[table] if column.name == name), None)
        if column is None:
            return name, None
        if value is not None:
            raise Problem((at, name), 'Value must be "null" when resetting to default.')
        if column.default is None or not isinstance(column.default, (str, int)):
            raise Problem((at, name), "Field has no default value.")
        return name, column.default

    def merge(self, table, values, record):
        """Lists that are given as lists are united with what is stored."""
        for name, value in values.items():
            field = FIELDS[table].get(name)
            if field is None or field.kind not in ("names", "list", "commas") or not isinstance(value, list):
                continue
            before = value_of(self.store, record, name, field, {}) or []
            union = set(value) | (set() if "-prune-" in value else set(map(str, before)))
            union.discard("-prune-")
            for word in value:
                if word.startswith("-") and word != "-prune-":
                    union.discard(word)
                    if word[1:] not in union:
                        raise Problem(("?", name), f"Item to delete not found: {word[1:]!r}.")
                    union.discard(word[1:])
            values[name] = sorted(union)
            if field.kind == "names" and set(before) != union:
                self.say("Modified", table, f"{str(record)!r} {name}: {set(before)!r} -> {union!r}")

    def check(self, table, at, values, record):
        """Replaces the values by what is to be stored; tokens and fetches by what `prepare` makes of them. Returns the errors."""
        if not isinstance(values, dict):
            return [((str(at), "_schema"), "Invalid input type.")]
        errors, original = [], dict(values)
        for name, value in original.items():
            field = FIELDS[table].get(name)
            if field is None or not field.load:
                errors.append(((str(at), str(name)), UNKNOWN))
                continue
            try:
                values[name] = read_value(field, value, original)
                if field.kind == "nested":
                    values[name] = self.prepare(field.words, value, owner=record)
                    errors += [((str(at), name, *path), message) for child in values[name][0]
                               for path, message in self.check(field.words, *child)]
            except Problem as problem:
                errors.append(((str(at), name, *problem.path), problem.message))
        errors += [((str(at), name), MISSING) for name, field in FIELDS[table].items() if field.required and name not in values]
        if "hash_password" in original and isinstance(original.get("password"), str):
            values["_plain"] = original["password"]
        return errors

    def apply(self, table, values, record):
        existed = record is not None
        own = {name: value for name, value in values.items() if name in {column.name for column in TABLES[table]}}
        if table in ("user", "alias"):
            own["email"] = values["email"].lower()
            try:
                email_in(own["email"])
            except (ValueError, UnicodeError) as error:
                raise Problem((values["email"],), f"Invalid email: {values['email']!r}") from error
            own["localpart"], own["domain_name"] = own["email"].rsplit("@", 1)
        if record:
            if self.update and "_plain" in values and table == "user":
                try:
                    if accounts.context().verify(values["_plain"], accounts.strip_prefix(record.password)):
                        own["password"] = record.password
                except ValueError:
                    pass
            before = dict(record)
            changed = {name: value for name, value in own.items() if record[name] != value and not (isinstance(value, list) and set(value) == set(record[name]))}
            if changed:
                self.store.change(record, **changed)
                self.modified(record, before)
        else:
            record = self.store.add(table, **own)
        if "dkim_key" in values:
            self.keys[record.name] = values["dkim_key"]
            if existed and values["dkim_key"] != accounts.read_key(record.name):
                self.counts["Modified", table] += 1
                if self.verbose:
                    old, new = accounts.read_key(record.name), values["dkim_key"]
                    self.say("Modified", table, f"{str(record)!r} dkim_key: {HIDDEN if old else repr('')} -> {HIDDEN if new else repr('')}")
        if "alternatives" in values:
            self.set_alternatives(record, values["alternatives"])
        if "manager_of" in values:
            self.set_managed(record, values["manager_of"])
        for name in ("tokens", "fetches"):
            if name in values and table == "user":
                self.children(FIELDS["user"][name].words, record, *values[name])
        return record

    def set_alternatives(self, domain, names):
        if self.update:
            for entry in self.store.find("alternative", domain_name=domain.name):
                if entry.name not in names:
                    self.store.delete(entry)
        for name in names:
            entry = self.store.get("alternative", name)
            if entry is None:
                self.store.add("alternative", name=name, domain_name=domain.name)
            elif entry.domain_name != domain.name:
                self.store.change(entry, domain_name=domain.name)

    def set_managed(self, user, names):
        """A domain that does not exist comes into being. Without --update the old rows are still there, and get company."""
        before = self.store.manager_of(user.email) if self.update else []
        for name in names:
            if self.store.get("domain", name) is None:
                self.store.add("domain", name=name)
            if name not in before:
                self.store.add_manager(name, user.email)
        for name in before:
            if name not in names:
                self.store.remove_manager(name, user.email)

    def children(self, table, user, work, prune):
        """Tokens and fetches: the ones without a number are new, unless they look exactly like one that is there."""
        listed = {self.apply(table, {**values, "user_email": user.email}, record).key for _, values, record in work}
        if prune:
            for record in self.store.find(table, user_email=user.email):
                if record.key not in listed:
                    self.store.delete(record)

    def write_keys(self):
        """After the commit: key files are written, and removed for domains whose key came as nothing or as <hidden>."""
        for domain, key in self.keys.items():
            if key != accounts.read_key(domain):
                accounts.write_key(domain, key)
