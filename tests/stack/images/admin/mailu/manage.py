"""`flask mailu …` and `flask db …`. The exit codes are Mailu's, also where they lie."""
import os
import socket
import sys
import uuid

import click
from flask.cli import with_appcontext

from . import accounts, transfer
from .accounts import config
from .store import HEAD, store


class Group(click.Group):
    def get_help(self, context):
        """Mailu's group of commands prints its help and dies of a mistake right after."""
        click.echo(super().get_help(context))
        raise AssertionError


@click.group(cls=Group, context_settings={"help_option_names": ["-?", "-h", "--help"]})
def mailu():
    """Mailu command line"""


def command(function):
    return mailu.command()(with_appcontext(function))


def need_domain(name, **limits):
    return store().get("domain", name) or store().add("domain", name=name, **limits)


@command
def advertise():
    """Advertise this server against statistic services."""
    path = config("INSTANCE_ID_PATH")
    if os.path.isfile(path):
        with open(path, encoding="utf-8") as file:
            instance = file.read()
    else:
        instance = str(uuid.uuid4())
        with open(path, "w", encoding="utf-8") as file:
            file.write(instance)
    if not config("DISABLE_STATISTICS"):
        try:
            socket.gethostbyname(config("STATS_ENDPOINT").format(instance))
        except OSError:
            pass


@command
@click.argument("localpart")
@click.argument("domain_name")
@click.argument("password")
@click.option("-m", "--mode", default="create", metavar="MODE", help="create (default), ifmissing or update")
def admin(localpart, domain_name, password, mode):
    """Create an admin user"""
    if mode not in ("create", "update", "ifmissing"):
        raise click.ClickException(f"invalid mode: {mode!r}")
    need_domain(domain_name)
    email = f"{localpart}@{domain_name}"
    user = store().get("user", email)
    if user and mode == "ifmissing":
        print(f"user {email!r} exists, not updating")
        return
    if user and mode == "create":
        raise click.ClickException(f"user {email!r} exists, not created")
    if user:
        accounts.set_password(user, password)
        store().commit()
        print("updated admin password")
    else:
        store().add_mailbox("user", localpart, domain_name, global_admin=True, password=accounts.hashed(password))
        store().commit()
        print("created admin user")


@command
@click.argument("localpart")
@click.argument("domain_name")
@click.argument("password")
def user(localpart, domain_name, password):
    """Create a user"""
    need_domain(domain_name)
    store().add_mailbox("user", localpart, domain_name, password=accounts.hashed(password), change_pw_next_login=True)
    store().commit()


@command
@click.argument("localpart")
@click.argument("domain_name")
@click.argument("password_hash")
def user_import(localpart, domain_name, password_hash):
    """Import a user along with password hash"""
    need_domain(domain_name)
    store().add_mailbox("user", localpart, domain_name, password=password_hash)
    store().commit()


@command
@click.argument("localpart")
@click.argument("domain_name")
@click.argument("password")
def password(localpart, domain_name, password):
    """Change the password of an user"""
    email = f"{localpart}@{domain_name}"
    found = store().get("user", email)
    if found:
        accounts.set_password(found, password, change_pw_next_login=True)
        store().commit()
    else:
        print(f"User {email} not found.")


@command
@click.argument("email")
@click.option("-r", "--really", is_flag=True)
def user_delete(email, really):
    """disable or delete user"""
    found = store().get("user", email)
    if found and really:
        store().delete(found)
    elif found:
        store().change(found, enabled=False)
    store().commit()


@command
@click.argument("domain_name")
@click.option("-u", "--max-users")
@click.option("-a", "--max-aliases")
@click.option("-q", "--max-quota-bytes")
def domain(domain_name, max_users, max_aliases, max_quota_bytes):
    """Create a domain"""
    limits = {"max_users": max_users, "max_aliases": max_aliases, "max_quota_bytes": max_quota_bytes}
    need_domain(domain_name, **{name: value for name, value in limits.items() if value is not None})
    store().commit()


@command
@click.argument("localpart")
@click.argument("domain_name")
@click.argument("destination")
@click.option("-w", "--wildcard", is_flag=True)
def alias(localpart, domain_name, destination, wildcard):
    """Create an alias"""
    need_domain(domain_name)
    store().add_mailbox("alias", localpart.lower(), domain_name, destination=destination.split(","), wildcard=wildcard)
    store().commit()


@command
@click.argument("email")
def alias_delete(email):
    """delete alias"""
    found = store().get("alias", email)
    if found:
        store().delete(found)
        store().commit()


@command
@click.argument("domain_name")
@click.argument("max_users")
@click.argument("max_aliases")
@click.argument("max_quota_bytes")
def setlimits(domain_name, max_users, max_aliases, max_quota_bytes):
    """Set domain limits"""
    found = store().get("domain", domain_name)
    if found is None:
        raise AttributeError("'NoneType' object has no attribute 'max_users'")
    store().change(found, max_users=max_users, max_aliases=max_aliases, max_quota_bytes=max_quota_bytes)
    store().commit()


@command
@click.argument("domain_name")
@click.argument("user_name")
def setmanager(domain_name, user_name):
    """Make a user manager of a domain"""
    found = store().get("domain", domain_name)
    if found is None:
        raise AttributeError("'NoneType' object has no attribute 'managers'")
    manager = store().get("user", f"{user_name}@{domain_name}")
    if manager is None:
        raise AttributeError("'NoneType' object has no attribute '_sa_instance_state'")
    store().add_manager(found.name, manager.email)
    store().commit()


@command
@click.option("-f", "--full", is_flag=True, help="Include attributes with default value.")
@click.option("-s", "--secrets", is_flag=True, help="Include secret attributes (dkim-key, passwords).")
@click.option("-d", "--dns", is_flag=True, help="Include dns records.")
@click.option("-c", "--color", is_flag=True, help="Force colorized output.")
@click.option("-o", "--output-file", "output", default="-", type=click.File(mode="w"), help="Save configuration to file.")
@click.option("-j", "--json", "as_json", is_flag=True, help="Export configuration in json format.")
@click.argument("only", metavar="[FILTER]...", nargs=-1)
def config_export(full, secrets, dns, color, output, as_json, only):
    """Export configuration as YAML or JSON to stdout or file"""
    old = os.umask(0o077)
    try:
        text = transfer.dump(store(), only, full=full, secrets=secrets, dns=dns, as_json=as_json)
        print(text, file=output)
    except transfer.Invalid as error:
        raise click.ClickException(str(error)) from error
    finally:
        os.umask(old)


@command
@click.option("-v", "--verbose", count=True, help="Increase verbosity.")
@click.option("-s", "--secrets", is_flag=True, help="Show secret attributes in messages.")
@click.option("-d", "--debug", is_flag=True, help="Enable debug output.")
@click.option("-q", "--quiet", is_flag=True, help="Quiet mode - only show errors.")
@click.option("-c", "--color", is_flag=True, help="Force colorized output.")
@click.option("-u", "--update", is_flag=True, help="Update mode - merge input with existing config.")
@click.option("-n", "--dry-run", is_flag=True, help="Perform a trial run with no changes made.")
@click.argument("source", metavar="[FILENAME|-]", type=click.File(mode="r"), default="-")
def config_import(verbose, secrets, debug, quiet, color, update, dry_run, source):
    """Import configuration as YAML or JSON from stdin or file"""
    work = transfer.Import(store(), update=update, verbose=0 if quiet else verbose, secrets=secrets)
    try:
        work.load(source)
    except transfer.Invalid as error:
        raise click.ClickException(str(error)) from error
    except Exception as error:
        if debug:
            raise
        raise click.ClickException(f"[{type(error).__name__}] {' '.join(str(error).split())}") from error
    if dry_run:
        store().rollback()
    if not quiet:
        print("Dry run. Not committing changes." if dry_run else "Committing changes.", work.summary())
    if not dry_run:
        store().commit()
        work.write_keys()


@mailu.group()
def db():
    """Perform database migrations."""


def alembic(line):
    print(f"INFO  [alembic.runtime.migration] {line}", file=sys.stderr)


@db.command()
@with_appcontext
def upgrade():
    """Upgrade to a later version"""
    old = store().revision()
    alembic("Context impl SQLiteImpl.")
    alembic("Will assume non-transactional DDL.")
    if not store().upgrade():
        print(f"ERROR [flask_migrate] Error: Can't locate revision identified by '{old}'", file=sys.stderr)
        sys.exit(1)
    if old != HEAD:
        alembic(f"Running upgrade {old or ''} -> {HEAD}")


@db.command()
@with_appcontext
def current():
    """Display the current revision for each database."""
    revision = store().revision()
    if revision:
        print(f"{revision}{' (head)' if revision == HEAD else ''}")


@db.command()
@with_appcontext
def heads():
    """Show current available heads in the script directory"""
    print(f"{HEAD} (head)")
