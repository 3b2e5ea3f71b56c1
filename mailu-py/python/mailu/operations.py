"""Every operation of the library. Written by ``generate.py`` from its schema."""

from __future__ import annotations

import builtins
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from ._calls import Stream, perform
from .types import (
    AccountChange,
    AccountsApplied,
    Alias,
    AllAccounts,
    AppInfo,
    AppSettings,
    AppText,
    BackupArchive,
    BackupTaken,
    BackupTakenOrFailure,
    CertificateReport,
    CertificateReportOrFailure,
    CertificateSync,
    CertificateSyncOrFailure,
    Config,
    DeliveryReport,
    DeploymentInfo,
    Details,
    Diagnosis,
    DnsExported,
    DnsReport,
    DnsText,
    Domain,
    Executed,
    Exported,
    FieldInfo,
    Finding,
    Fleet,
    IgnoreRules,
    Installed,
    Integrated,
    LogEntry,
    Operated,
    Outcome,
    PreflightReport,
    Progress,
    Pruned,
    PublishedReport,
    RelayedDomain,
    Restored,
    Secret,
    StatusReport,
    StrPath,
    TimerState,
    Token,
    TokenDeleted,
    TokenMade,
    Uninstalled,
    Updated,
    User,
    UserChanged,
    Value,
    Verified,
)

ROOT = "/opt/agency_stack"
"""Where AgencyStack lives, if nothing else is said."""


class Mailu:
    """The deployments of mail servers on this host, below a root.

    A method blocks until it is done. Other threads run meanwhile; Ctrl-C stops it where the same call continues.
    """

    def __init__(self, root: StrPath = ROOT) -> None:
        """Takes the directory where AgencyStack lives: deployments are below ``mailu`` there. Nothing is read yet."""
        self.root: str = os.fspath(root)

    def __repr__(self) -> str:
        return f"Mailu(root={self.root!r})"

    def accounts_apply(
        self,
        *,
        client: str | None = None,
        csv: bool = False,
        delete_users: bool = False,
        dry_run: bool = False,
        file: StrPath | None = None,
        mail_host: str | None = None,
        passwords_out: StrPath | None = None,
        prune: bool = False,
        reset_passwords: bool = False,
        text: str | None = None,
        yes: bool = False,
        progress: Progress | None = None,
    ) -> AccountsApplied:
        """Brings the accounts to what is said: all of it, or nothing.

        Args:
            client: Client of the deployment.
            csv: It is a table of users.
            delete_users: With ``prune``: delete such users, and domains without any address left. Their mail
                stays on disk.
            dry_run: Only say what would be done.
            file: An ``accounts.toml``; or a table of users, if its name ends with ``.csv``.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            passwords_out: Draw passwords for new users without one, and write them into this file, which only
                its owner can read.
            prune: In the sections that it has: disable users that it does not name, and delete such aliases and
                relayed domains.
            reset_passwords: Set the passwords of users that exist, too.
            text: What would stand in such a file. It may have passwords.
            yes: Whoever is disabled or deleted.
        """
        request: dict[str, object] = {
            "client": client,
            "csv": csv,
            "delete_users": delete_users,
            "dry_run": dry_run,
            "file": file,
            "mail_host": mail_host,
            "passwords_out": passwords_out,
            "prune": prune,
            "reset_passwords": reset_passwords,
            "text": text,
            "yes": yes,
        }
        return cast("AccountsApplied", perform(self.root, "accounts_apply", request, progress))

    def accounts_export(
        self,
        *,
        client: str | None = None,
        csv: bool = False,
        hashes: bool = False,
        mail_host: str | None = None,
        out: StrPath | None = None,
        progress: Progress | None = None,
    ) -> Exported:
        """Writes down what accounts there are, as an ``accounts.toml``, or as a table of the users.

        Args:
            client: Client of the deployment.
            csv: The users alone, as a table.
            hashes: With the hashes of passwords, for another server. Whoever has them can find weak passwords.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            out: Into this file, which only its owner can read.
        """
        request: dict[str, object] = {
            "client": client,
            "csv": csv,
            "hashes": hashes,
            "mail_host": mail_host,
            "out": out,
        }
        return cast("Exported", perform(self.root, "accounts_export", request, progress))

    def accounts_list(
        self,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> AllAccounts:
        """All accounts of a deployment.

        Args:
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "client": client,
            "mail_host": mail_host,
        }
        return cast("AllAccounts", perform(self.root, "accounts_list", request, progress))

    def accounts_plan(
        self,
        *,
        client: str | None = None,
        csv: bool = False,
        delete_users: bool = False,
        file: StrPath | None = None,
        mail_host: str | None = None,
        passwords_out: StrPath | None = None,
        prune: bool = False,
        reset_passwords: bool = False,
        text: str | None = None,
        progress: Progress | None = None,
    ) -> AccountsApplied:
        """Compares what accounts are to be there with those that are, and says what ``accounts_apply`` would do.

        Args:
            client: Client of the deployment.
            csv: It is a table of users.
            delete_users: With ``prune``: delete such users, and domains without any address left. Their mail
                stays on disk.
            file: An ``accounts.toml``; or a table of users, if its name ends with ``.csv``.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            passwords_out: Draw passwords for new users without one, and write them into this file, which only
                its owner can read.
            prune: In the sections that it has: disable users that it does not name, and delete such aliases and
                relayed domains.
            reset_passwords: Set the passwords of users that exist, too.
            text: What would stand in such a file. It may have passwords.
        """
        request: dict[str, object] = {
            "client": client,
            "csv": csv,
            "delete_users": delete_users,
            "file": file,
            "mail_host": mail_host,
            "passwords_out": passwords_out,
            "prune": prune,
            "reset_passwords": reset_passwords,
            "text": text,
        }
        return cast("AccountsApplied", perform(self.root, "accounts_plan", request, progress))

    def alias_add(
        self,
        email: str,
        *,
        client: str | None = None,
        dry_run: bool = False,
        mail_host: str | None = None,
        settings: Mapping[str, Value] | None = None,
        progress: Progress | None = None,
    ) -> AccountChange:
        """Makes one alias. One that is there has to be so already.

        Args:
            email: Its name.
            client: Client of the deployment.
            dry_run: Only say what would be done.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            settings: What is said of it; ``accounts_schema`` has every key.
        """
        request: dict[str, object] = {
            "email": email,
            "client": client,
            "dry_run": dry_run,
            "mail_host": mail_host,
            "settings": settings,
        }
        return cast("AccountChange", perform(self.root, "alias_add", request, progress))

    def alias_delete(
        self,
        email: str,
        *,
        client: str | None = None,
        dry_run: bool = False,
        mail_host: str | None = None,
        yes: bool = False,
        progress: Progress | None = None,
    ) -> AccountChange:
        """Deletes one alias. Mail stays on disk.

        Args:
            email: Its name.
            client: Client of the deployment.
            dry_run: Only say what would be done.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            yes: Whatever goes with it.
        """
        request: dict[str, object] = {
            "email": email,
            "client": client,
            "dry_run": dry_run,
            "mail_host": mail_host,
            "yes": yes,
        }
        return cast("AccountChange", perform(self.root, "alias_delete", request, progress))

    def alias_list(
        self,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> builtins.list[Alias]:
        """All aliass.

        Args:
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "client": client,
            "mail_host": mail_host,
        }
        return cast("builtins.list[Alias]", perform(self.root, "alias_list", request, progress))

    def alias_set(
        self,
        email: str,
        *,
        client: str | None = None,
        dry_run: bool = False,
        mail_host: str | None = None,
        settings: Mapping[str, Value] | None = None,
        progress: Progress | None = None,
    ) -> AccountChange:
        """Changes one alias.

        Args:
            email: Its name.
            client: Client of the deployment.
            dry_run: Only say what would be done.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            settings: What is said of it; ``accounts_schema`` has every key.
        """
        request: dict[str, object] = {
            "email": email,
            "client": client,
            "dry_run": dry_run,
            "mail_host": mail_host,
            "settings": settings,
        }
        return cast("AccountChange", perform(self.root, "alias_set", request, progress))

    def alias_show(
        self,
        email: str,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> Alias:
        """One alias.

        Args:
            email: Its name.
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "email": email,
            "client": client,
            "mail_host": mail_host,
        }
        return cast("Alias", perform(self.root, "alias_show", request, progress))

    def app_settings(
        self,
        app: str,
        login: str,
        *,
        client: str | None = None,
        envelope_from: str | None = None,
        format: str | None = None,
        from_address: str | None = None,
        from_name: str | None = None,
        helo: str | None = None,
        incoming: bool = False,
        into: StrPath | None = None,
        mail_host: str | None = None,
        out: StrPath | None = None,
        password: str | None = None,
        reveal: bool = False,
        tls: Literal["implicit", "starttls"] | None = None,
        progress: Progress | None = None,
    ) -> AppSettings:
        """What an app is to be told to send through a deployment, in the app's own format.

        Args:
            app: The app, as ``app_list`` names it; any other one gets ``SMTP_…`` variables, if ``format`` is
                one for variables.
            login: The account with which the app logs in.
            client: Client of the deployment.
            envelope_from: The envelope sender, if it is another one, for apps that can tell them apart.
            format: The format. Without it, the app's usual one.
            from_address: The address that mail comes from, if it is not the login: an alias that leads to it.
            from_name: The name beside that address.
            helo: What the app calls itself in EHLO: the name of its site.
            incoming: The app reads the account's mail, too.
            into: Put them into what this file has already. The file itself is not changed.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            out: Write them, with the password, into a new file that only its owner can read.
            password: The account's token or password. Without it, stars stand in its place.
            reveal: The password is seen.
            tls: How the connection is encrypted. Without it, TLS from the first byte.
        """
        request: dict[str, object] = {
            "app": app,
            "login": login,
            "client": client,
            "envelope_from": envelope_from,
            "format": format,
            "from_address": from_address,
            "from_name": from_name,
            "helo": helo,
            "incoming": incoming,
            "into": into,
            "mail_host": mail_host,
            "out": out,
            "password": password,
            "reveal": reveal,
            "tls": tls,
        }
        return cast("AppSettings", perform(self.root, "app_settings", request, progress))

    def apply(
        self,
        *,
        adopt: Sequence[str] = (),
        client: str | None = None,
        dry_run: bool = False,
        force: bool = False,
        mail_host: str | None = None,
        new_dkim_key: Sequence[str] = (),
        reset: Sequence[str] = (),
        wait: int | None = None,
        progress: Progress | None = None,
    ) -> Outcome:
        """Brings a deployment's files to what its ``mailu.toml`` says, and its containers, if it has some.

        Args:
            adopt: Variables whose edited value is kept, and written into ``mailu.toml``.
            client: Client of the deployment.
            dry_run: Only say what would be done.
            force: Overwrite edited files, keeping a copy of each in ``.mailu/replaced``. Secrets and keys are
                never drawn again.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            new_dkim_key: Email domains whose lost DKIM key is given up for a new one.
            reset: Variables and files that get our value whatever was edited there.
            wait: How many seconds each service may take to become ready. Without it, as long as is usual for
                each.
        """
        request: dict[str, object] = {
            "adopt": adopt,
            "client": client,
            "dry_run": dry_run,
            "force": force,
            "mail_host": mail_host,
            "new_dkim_key": new_dkim_key,
            "reset": reset,
            "wait": wait,
        }
        return cast("Outcome", perform(self.root, "apply", request, progress))

    def backup(
        self,
        *,
        age_recipient: Sequence[str] = (),
        client: str | None = None,
        cold: bool = False,
        keep_all: bool = False,
        mail_host: str | None = None,
        output: StrPath | None = None,
        passphrase_file: StrPath | None = None,
        verify: bool = False,
        without_database: bool = False,
        progress: Progress | None = None,
    ) -> BackupTaken:
        """Backs a deployment up while it runs: mail, accounts, keys, configuration, secrets, in one archive.

        Args:
            age_recipient: Public keys of age (``age1…``) to encrypt it for, instead of ``backup.recipients``.
            client: Client of the deployment.
            cold: Ask no engine: nothing of the deployment runs.
            keep_all: Keep the older archives that ``backup.keep_*`` would give up.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            output: The archive: its name ends with ``.tar.zst`` or ``.tar.gz``, and with ``.age`` behind that
                if it is encrypted. Without it, one with the time in its name, where ``backup.directory`` says.
            passphrase_file: A file whose first line is the passphrase to encrypt it with.
            verify: Read it once it is written.
            without_database: Where accounts are in another database than Mailu's own file: back up without
                them.
        """
        request: dict[str, object] = {
            "age_recipient": age_recipient,
            "client": client,
            "cold": cold,
            "keep_all": keep_all,
            "mail_host": mail_host,
            "output": output,
            "passphrase_file": passphrase_file,
            "verify": verify,
            "without_database": without_database,
        }
        return cast("BackupTaken", perform(self.root, "backup", request, progress))

    def backup_all(
        self,
        *,
        age_recipient: Sequence[str] = (),
        cold: bool = False,
        keep_all: bool = False,
        passphrase_file: StrPath | None = None,
        verify: bool = False,
        without_database: bool = False,
        progress: Progress | None = None,
    ) -> builtins.list[BackupTakenOrFailure]:
        """Backs every deployment up.

        Args:
            age_recipient: Public keys of age (``age1…``) to encrypt it for, instead of ``backup.recipients``.
            cold: Ask no engine: nothing of the deployment runs.
            keep_all: Keep the older archives that ``backup.keep_*`` would give up.
            passphrase_file: A file whose first line is the passphrase to encrypt it with.
            verify: Read it once it is written.
            without_database: Where accounts are in another database than Mailu's own file: back up without
                them.
        """
        request: dict[str, object] = {
            "age_recipient": age_recipient,
            "cold": cold,
            "keep_all": keep_all,
            "passphrase_file": passphrase_file,
            "verify": verify,
            "without_database": without_database,
        }
        return cast("builtins.list[BackupTakenOrFailure]", perform(self.root, "backup_all", request, progress))

    def backup_list(
        self,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> builtins.list[BackupArchive]:
        """The archives there are, and which of them are kept for what.

        Args:
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "client": client,
            "mail_host": mail_host,
        }
        return cast("builtins.list[BackupArchive]", perform(self.root, "backup_list", request, progress))

    def backup_prune(
        self,
        *,
        client: str | None = None,
        dry_run: bool = False,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> Pruned:
        """Gives up the archives that ``backup.keep_*`` does not keep.

        Args:
            client: Client of the deployment.
            dry_run: Only say which would go.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "client": client,
            "dry_run": dry_run,
            "mail_host": mail_host,
        }
        return cast("Pruned", perform(self.root, "backup_prune", request, progress))

    def backup_timer(
        self,
        *,
        action: Literal["show", "install", "remove"] | None = None,
        progress: Progress | None = None,
    ) -> TimerState:
        """The systemd timer that backs every deployment up every night.

        Args:
            action: What is done with it.
        """
        request: dict[str, object] = {
            "action": action,
        }
        return cast("TimerState", perform(self.root, "backup_timer", request, progress))

    def backup_verify(
        self,
        file: StrPath,
        *,
        age_identity: StrPath | None = None,
        passphrase_file: StrPath | None = None,
        progress: Progress | None = None,
    ) -> Verified:
        """Reads an archive from its beginning to its end, and says whether everything in it is as it was written.

        Args:
            file: The archive.
            age_identity: A file with the secret key of age, where the archive is encrypted for one.
            passphrase_file: A file whose first line is the passphrase, where it is encrypted with one.
        """
        request: dict[str, object] = {
            "file": file,
            "age_identity": age_identity,
            "passphrase_file": passphrase_file,
        }
        return cast("Verified", perform(self.root, "backup_verify", request, progress))

    def certs(
        self,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        no_probe: bool = False,
        progress: Progress | None = None,
    ) -> CertificateReport:
        """Certificates: where they come from, how long they last, what front serves.

        Args:
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            no_probe: Ask no port what it serves.
        """
        request: dict[str, object] = {
            "client": client,
            "mail_host": mail_host,
            "no_probe": no_probe,
        }
        return cast("CertificateReport", perform(self.root, "certs", request, progress))

    def certs_all(
        self,
        *,
        no_probe: bool = False,
        progress: Progress | None = None,
    ) -> builtins.list[CertificateReportOrFailure]:
        """The certificates of every deployment.

        Args:
            no_probe: Ask no port what it serves.
        """
        request: dict[str, object] = {
            "no_probe": no_probe,
        }
        return cast("builtins.list[CertificateReportOrFailure]", perform(self.root, "certs_all", request, progress))

    def certs_sync(
        self,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> CertificateSync:
        """Takes over a renewed certificate, and sees to it that front serves it.

        Args:
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "client": client,
            "mail_host": mail_host,
        }
        return cast("CertificateSync", perform(self.root, "certs_sync", request, progress))

    def certs_sync_all(
        self,
        *,
        progress: Progress | None = None,
    ) -> builtins.list[CertificateSyncOrFailure]:
        """Takes over renewed certificates of every deployment."""
        request: dict[str, object] = {}
        return cast("builtins.list[CertificateSyncOrFailure]", perform(self.root, "certs_sync_all", request, progress))

    def certs_timer(
        self,
        *,
        action: Literal["show", "install", "remove"] | None = None,
        progress: Progress | None = None,
    ) -> TimerState:
        """The systemd timer that takes renewed certificates over every hour.

        Args:
            action: What is done with it.
        """
        request: dict[str, object] = {
            "action": action,
        }
        return cast("TimerState", perform(self.root, "certs_timer", request, progress))

    def check(
        self,
        *,
        client: str | None = None,
        config: Config | None = None,
        mail_host: str | None = None,
        outbound_to: Sequence[str] = (),
        resolver: str | None = None,
        root_server: Sequence[str] = (),
        settings: Mapping[str, Value] | None = None,
        skip_check: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> PreflightReport:
        """Whether this host can run a deployment, before or after its installation: engine, ports, names, room,
        the way out, Traefik.

        Args:
            client: Client of the deployment.
            config: Check for this ``mailu.toml``, which is not installed yet: its text, or its keys.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            outbound_to: Mail servers to try port 25 with, ``HOST`` or ``HOST:PORT``. Without any, those of
                large mail domains.
            resolver: DNS server to ask for names, ``ADDRESS`` or ``ADDRESS:PORT``. Without it, the host's.
            root_server: Root servers of the DNS to try, in networks with a root of their own.
            settings: As if these keys of ``mailu.toml`` were set.
            skip_check: Checks to leave out, such as ``preflight.outbound``.
        """
        request: dict[str, object] = {
            "client": client,
            "config": config,
            "mail_host": mail_host,
            "outbound_to": outbound_to,
            "resolver": resolver,
            "root_server": root_server,
            "settings": settings,
            "skip_check": skip_check,
        }
        return cast("PreflightReport", perform(self.root, "check", request, progress))

    def config_check(
        self,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> builtins.list[Finding]:
        """What is worth knowing about a deployment's ``mailu.toml``. What is wrong with it is the error.

        Args:
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "client": client,
            "mail_host": mail_host,
        }
        return cast("builtins.list[Finding]", perform(self.root, "config_check", request, progress))

    def config_get(
        self,
        *,
        client: str | None = None,
        key: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> Any:
        """The value of a key, or all of them, defaults included.

        Args:
            client: Client of the deployment.
            key: The key: ``limits.quota``.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "client": client,
            "key": key,
            "mail_host": mail_host,
        }
        return perform(self.root, "config_get", request, progress)

    def config_set(
        self,
        settings: Mapping[str, Value],
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> builtins.list[Finding]:
        """Sets keys of ``mailu.toml``; ``apply`` does the rest. What is worth knowing about the result.

        Args:
            settings: Values by key: ``{"limits.quota": "10GB"}``.
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "settings": settings,
            "client": client,
            "mail_host": mail_host,
        }
        return cast("builtins.list[Finding]", perform(self.root, "config_set", request, progress))

    def config_unset(
        self,
        keys: Sequence[str],
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> builtins.list[Finding]:
        """Removes keys from ``mailu.toml``, so that their defaults count. What is worth knowing about the result.

        Args:
            keys: The keys.
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "keys": keys,
            "client": client,
            "mail_host": mail_host,
        }
        return cast("builtins.list[Finding]", perform(self.root, "config_unset", request, progress))

    def diagnose(
        self,
        *,
        agency: str | None = None,
        changes: bool = False,
        client: str | None = None,
        html: StrPath | None = None,
        logo: StrPath | None = None,
        mail_host: str | None = None,
        nameserver: Sequence[str] = (),
        only: Sequence[str] = (),
        outbound_to: Sequence[str] = (),
        resolver: str | None = None,
        skip: Sequence[str] = (),
        time_server: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> Diagnosis:
        """What is wrong, from the containers to what DNS and reputation lists say, and what to type next.

        Args:
            agency: With ``html``: the name that stands on the page, usually your agency's.
            changes: Only what is new since the last whole diagnosis, and what is gone.
            client: Client of the deployment.
            html: Write the report as a page into this file.
            logo: With ``html``: a file with a logo for the page, PNG, JPEG or SVG.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            nameserver: Servers to ask about every zone, instead of those that it is delegated to.
            only: Only these checks (``dns``, ``ports``, ``queue`` …), or only findings of these names
                (``spf.all``, ``spf``).
            outbound_to: Mail servers to try port 25 with, ``HOST`` or ``HOST:PORT``. Without any, those of
                large mail domains.
            resolver: DNS server that finds name servers, ``ADDRESS`` or ``ADDRESS:PORT``. Without it, the
                host's.
            skip: Leave out these checks, or findings of these names.
            time_server: Servers of the time (NTP) to compare the clock with. Without any, those of the NTP
                pool.
        """
        request: dict[str, object] = {
            "agency": agency,
            "changes": changes,
            "client": client,
            "html": html,
            "logo": logo,
            "mail_host": mail_host,
            "nameserver": nameserver,
            "only": only,
            "outbound_to": outbound_to,
            "resolver": resolver,
            "skip": skip,
            "time_server": time_server,
        }
        return cast("Diagnosis", perform(self.root, "diagnose", request, progress))

    def diagnose_ignore(
        self,
        id: str,
        reason: str,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        subject: str | None = None,
        until: str | None = None,
        progress: Progress | None = None,
    ) -> IgnoreRules:
        """Lives with findings of a name from now on; a rule for that goes into ``mailu.toml``.

        Args:
            id: The finding's name.
            reason: Why.
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            subject: Only where it is about this, such as ``example.com`` or ``port 25``.
            until: Until this day, ``YYYY-MM-DD``.
        """
        request: dict[str, object] = {
            "id": id,
            "reason": reason,
            "client": client,
            "mail_host": mail_host,
            "subject": subject,
            "until": until,
        }
        return cast("IgnoreRules", perform(self.root, "diagnose_ignore", request, progress))

    def diagnose_unignore(
        self,
        id: str,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> IgnoreRules:
        """Takes the rules for findings of a name out of ``mailu.toml``.

        Args:
            id: The finding's name.
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "id": id,
            "client": client,
            "mail_host": mail_host,
        }
        return cast("IgnoreRules", perform(self.root, "diagnose_unignore", request, progress))

    def disconnect(
        self,
        app: str,
        *,
        api_account: int | None = None,
        api_token: str | None = None,
        api_token_file: StrPath | None = None,
        api_url: str | None = None,
        api_user: str | None = None,
        ca: StrPath | None = None,
        client: str | None = None,
        container: str | None = None,
        dry_run: bool = False,
        exempt: bool = False,
        format: str | None = None,
        from_address: str | None = None,
        from_name: str | None = None,
        incoming: bool = False,
        interrupt: bool = False,
        login: str | None = None,
        mail_host: str | None = None,
        only: bool = False,
        path: StrPath | None = None,
        restart: str | None = None,
        site: str | None = None,
        tls: Literal["implicit", "starttls"] | None = None,
        progress: Progress | None = None,
    ) -> Integrated:
        """Takes back what ``integrate`` has done: the app's settings, its token, the record. Its mailbox stays.

        Args:
            app: The app: ``wordpress``, ``listmonk``, ``ghost``, ``chatwoot``, ``gitea`` … (``app_list``), or
                ``generic``.
            api_account: Chatwoot: the number of the account, as in /app/accounts/NUMBER.
            api_token: The token. Chatwoot: an administrator's access token. ``ERPNext``: API key and secret,
                with a colon between.
            api_token_file: A file that has the token; its path is remembered.
            api_url: The address of its site, for its API. Listmonk: without it, its database is changed.
                Chatwoot: an inbox is connected. ``ERPNext``: without it, the site's container does it.
            api_user: Listmonk: the API user. ``ERPNext``: the API key, where the token is the API secret alone.
            ca: A file with authorities (PEM) that the app does not know by itself.
            client: Client of the deployment.
            container: The container that runs the app, where it cannot be found.
            dry_run: Only say what would be done.
            exempt: Mailu's limit of messages does not count for the login; false takes that back.
            format: The form of the settings, where an app has several.
            from_address: What stands in ``From:``. Without it, the login.
            from_name: The name beside it.
            incoming: The app reads the mailbox by IMAP, too.
            interrupt: Listmonk: restart it though it is sending a campaign, which goes on by itself then.
            login: Who logs in. A mailbox that is not there is made. Without it, the app's name at the email
                domain.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            only: Listmonk: switch its other servers off, which would get a share of the mail.
            path: WordPress: the site's directory. Other apps: the file that has their settings, and gets ours.
            restart: Restart this container when its settings have changed.
            site: Which of several: the name of the WordPress or ``ERPNext`` site, or the client whose Listmonk
                it is.
            tls: How mail is handed in.
        """
        request: dict[str, object] = {
            "app": app,
            "api_account": api_account,
            "api_token": api_token,
            "api_token_file": api_token_file,
            "api_url": api_url,
            "api_user": api_user,
            "ca": ca,
            "client": client,
            "container": container,
            "dry_run": dry_run,
            "exempt": exempt,
            "format": format,
            "from_address": from_address,
            "from_name": from_name,
            "incoming": incoming,
            "interrupt": interrupt,
            "login": login,
            "mail_host": mail_host,
            "only": only,
            "path": path,
            "restart": restart,
            "site": site,
            "tls": tls,
        }
        return cast("Integrated", perform(self.root, "disconnect", request, progress))

    def dns(
        self,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        zone: str | None = None,
        progress: Progress | None = None,
    ) -> DnsReport:
        """The DNS records of a deployment, by zone.

        Args:
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            zone: Only this zone.
        """
        request: dict[str, object] = {
            "client": client,
            "mail_host": mail_host,
            "zone": zone,
        }
        return cast("DnsReport", perform(self.root, "dns", request, progress))

    def dns_check(
        self,
        *,
        ca: StrPath | None = None,
        client: str | None = None,
        mail_host: str | None = None,
        nameserver: Sequence[str] = (),
        resolver: str | None = None,
        zone: str | None = None,
        progress: Progress | None = None,
    ) -> PublishedReport:
        """How the DNS records of a deployment are published, according to all name servers.

        Args:
            ca: A file with certificates (PEM) of authorities to trust for MTA-STS policies, beside those that
                browsers do.
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            nameserver: Servers to ask for every zone, instead of those that it is delegated to.
            resolver: DNS server that finds name servers, ``ADDRESS`` or ``ADDRESS:PORT``. Without it, the
                host's.
            zone: Only this zone.
        """
        request: dict[str, object] = {
            "ca": ca,
            "client": client,
            "mail_host": mail_host,
            "nameserver": nameserver,
            "resolver": resolver,
            "zone": zone,
        }
        return cast("PublishedReport", perform(self.root, "dns_check", request, progress))

    def dns_export(
        self,
        out: StrPath,
        format: str,
        *,
        agency: str | None = None,
        ca: StrPath | None = None,
        check: bool = False,
        client: str | None = None,
        logo: StrPath | None = None,
        mail_host: str | None = None,
        nameserver: Sequence[str] = (),
        resolver: str | None = None,
        zone: str | None = None,
        progress: Progress | None = None,
    ) -> DnsExported:
        """Writes the DNS records of a deployment into files, one for each zone or one for all. A file that did not
        come from here is never replaced.

        Args:
            out: The directory.
            format: As ``dns_text`` has it.
            agency: The name that stands on a page, usually your agency's.
            ca: With ``check``: a file with certificates (PEM) of authorities to trust for MTA-STS policies,
                beside those that browsers do.
            check: Say on the pages how each record is published.
            client: Client of the deployment.
            logo: A file with a logo for a page, PNG, JPEG or SVG. It becomes part of the page.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            nameserver: With ``check``: servers to ask for every zone, instead of those that it is delegated to.
            resolver: With ``check``: DNS server that finds name servers, ``ADDRESS`` or ``ADDRESS:PORT``.
                Without it, the host's.
            zone: Only this zone.
        """
        request: dict[str, object] = {
            "out": out,
            "format": format,
            "agency": agency,
            "ca": ca,
            "check": check,
            "client": client,
            "logo": logo,
            "mail_host": mail_host,
            "nameserver": nameserver,
            "resolver": resolver,
            "zone": zone,
        }
        return cast("DnsExported", perform(self.root, "dns_export", request, progress))

    def dns_text(
        self,
        format: str,
        *,
        agency: str | None = None,
        client: str | None = None,
        logo: StrPath | None = None,
        mail_host: str | None = None,
        zone: str | None = None,
        progress: Progress | None = None,
    ) -> builtins.list[DnsText]:
        """The DNS records of a deployment in a form for programs or people, a text for each zone or one for all.

        Args:
            format: ``records``, ``zone``, ``json``, ``octodns``, ``terraform-cloudflare``,
                ``terraform-route53``, ``nsupdate``, ``csv``, ``markdown``, or ``html``: a page for whoever owns
                the domain.
            agency: The name that stands on a page, usually your agency's.
            client: Client of the deployment.
            logo: A file with a logo for a page, PNG, JPEG or SVG. It becomes part of the page.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            zone: Only this zone.
        """
        request: dict[str, object] = {
            "format": format,
            "agency": agency,
            "client": client,
            "logo": logo,
            "mail_host": mail_host,
            "zone": zone,
        }
        return cast("builtins.list[DnsText]", perform(self.root, "dns_text", request, progress))

    def domain_add(
        self,
        name: str,
        *,
        client: str | None = None,
        dry_run: bool = False,
        mail_host: str | None = None,
        settings: Mapping[str, Value] | None = None,
        progress: Progress | None = None,
    ) -> AccountChange:
        """Makes one email domain. One that is there has to be so already.

        Args:
            name: Its name.
            client: Client of the deployment.
            dry_run: Only say what would be done.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            settings: What is said of it; ``accounts_schema`` has every key.
        """
        request: dict[str, object] = {
            "name": name,
            "client": client,
            "dry_run": dry_run,
            "mail_host": mail_host,
            "settings": settings,
        }
        return cast("AccountChange", perform(self.root, "domain_add", request, progress))

    def domain_delete(
        self,
        name: str,
        *,
        client: str | None = None,
        dry_run: bool = False,
        mail_host: str | None = None,
        yes: bool = False,
        progress: Progress | None = None,
    ) -> AccountChange:
        """Deletes one email domain. Mail stays on disk.

        Args:
            name: Its name.
            client: Client of the deployment.
            dry_run: Only say what would be done.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            yes: Whatever goes with it.
        """
        request: dict[str, object] = {
            "name": name,
            "client": client,
            "dry_run": dry_run,
            "mail_host": mail_host,
            "yes": yes,
        }
        return cast("AccountChange", perform(self.root, "domain_delete", request, progress))

    def domain_list(
        self,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> builtins.list[Domain]:
        """All email domains.

        Args:
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "client": client,
            "mail_host": mail_host,
        }
        return cast("builtins.list[Domain]", perform(self.root, "domain_list", request, progress))

    def domain_set(
        self,
        name: str,
        *,
        client: str | None = None,
        dry_run: bool = False,
        mail_host: str | None = None,
        settings: Mapping[str, Value] | None = None,
        progress: Progress | None = None,
    ) -> AccountChange:
        """Changes one email domain.

        Args:
            name: Its name.
            client: Client of the deployment.
            dry_run: Only say what would be done.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            settings: What is said of it; ``accounts_schema`` has every key.
        """
        request: dict[str, object] = {
            "name": name,
            "client": client,
            "dry_run": dry_run,
            "mail_host": mail_host,
            "settings": settings,
        }
        return cast("AccountChange", perform(self.root, "domain_set", request, progress))

    def domain_show(
        self,
        name: str,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> Domain:
        """One email domain.

        Args:
            name: Its name.
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "name": name,
            "client": client,
            "mail_host": mail_host,
        }
        return cast("Domain", perform(self.root, "domain_show", request, progress))

    def exec(
        self,
        service: str,
        command: Sequence[str],
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> Executed:
        """Runs a program in a service's container, and gives what it writes.

        Args:
            service: The service.
            command: The program and its arguments.
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "service": service,
            "command": command,
            "client": client,
            "mail_host": mail_host,
        }
        return cast("Executed", perform(self.root, "exec", request, progress))

    def install(
        self,
        *,
        admin_email: str | None = None,
        admin_password: str | None = None,
        adopt: Sequence[str] = (),
        client: str | None = None,
        config: Config | None = None,
        dry_run: bool = False,
        email_domain: str | None = None,
        force: bool = False,
        mail_host: str | None = None,
        new_dkim_key: Sequence[str] = (),
        no_start: bool = False,
        no_timer: bool = False,
        outbound_to: Sequence[str] = (),
        relay_password: str | None = None,
        reset: Sequence[str] = (),
        resolver: str | None = None,
        root_server: Sequence[str] = (),
        settings: Mapping[str, Value] | None = None,
        skip_check: Sequence[str] = (),
        wait: int | None = None,
        with_deps: bool = False,
        progress: Progress | None = None,
    ) -> Installed:
        """Makes a deployment, or brings an existing one to what is asked for, and starts it.

        Args:
            admin_email: Address of the first administrator, in an email domain of this server.
            admin_password: The administrator's password. Without it, one is drawn.
            adopt: Variables whose edited value is kept, and written into ``mailu.toml``.
            client: Client of the deployment.
            config: Start from this ``mailu.toml``: its text, or its keys.
            dry_run: Only say what would be done.
            email_domain: The part after the @.
            force: Overwrite edited files, keeping a copy of each in ``.mailu/replaced``. Secrets and keys are
                never drawn again.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            new_dkim_key: Email domains whose lost DKIM key is given up for a new one.
            no_start: Write everything, and leave the mail server as it is. Works without Docker.
            no_timer: Install no timer for renewed certificates.
            outbound_to: Mail servers to try port 25 with, ``HOST`` or ``HOST:PORT``. Without any, those of
                large mail domains.
            relay_password: The password at the relay (``relay.user``).
            reset: Variables and files that get our value whatever was edited there.
            resolver: DNS server to ask for names, ``ADDRESS`` or ``ADDRESS:PORT``. Without it, the host's.
            root_server: Root servers of the DNS to try, in networks with a root of their own.
            settings: Keys of ``mailu.toml`` to set: ``{"limits.quota": "10GB"}``.
            skip_check: Checks to leave out, such as ``preflight.outbound``. They are noted in the deployment.
            wait: How many seconds each service may take to become ready. Without it, as long as is usual for
                each.
            with_deps: Install Docker, Compose and Traefik first.
        """
        request: dict[str, object] = {
            "admin_email": admin_email,
            "admin_password": admin_password,
            "adopt": adopt,
            "client": client,
            "config": config,
            "dry_run": dry_run,
            "email_domain": email_domain,
            "force": force,
            "mail_host": mail_host,
            "new_dkim_key": new_dkim_key,
            "no_start": no_start,
            "no_timer": no_timer,
            "outbound_to": outbound_to,
            "relay_password": relay_password,
            "reset": reset,
            "resolver": resolver,
            "root_server": root_server,
            "settings": settings,
            "skip_check": skip_check,
            "wait": wait,
            "with_deps": with_deps,
        }
        return cast("Installed", perform(self.root, "install", request, progress))

    def integrate(
        self,
        app: str,
        *,
        api_account: int | None = None,
        api_token: str | None = None,
        api_token_file: StrPath | None = None,
        api_url: str | None = None,
        api_user: str | None = None,
        ca: StrPath | None = None,
        client: str | None = None,
        container: str | None = None,
        dry_run: bool = False,
        exempt: bool = False,
        format: str | None = None,
        from_address: str | None = None,
        from_name: str | None = None,
        incoming: bool = False,
        interrupt: bool = False,
        login: str | None = None,
        mail_host: str | None = None,
        only: bool = False,
        path: StrPath | None = None,
        restart: str | None = None,
        rotate: bool = False,
        site: str | None = None,
        tls: Literal["implicit", "starttls"] | None = None,
        progress: Progress | None = None,
    ) -> Integrated:
        """Has an app send through a deployment: its own mailbox and token, its settings, a test message. What is
        not said stays as it was chosen the last time.

        Args:
            app: The app: ``wordpress``, ``listmonk``, ``ghost``, ``chatwoot``, ``gitea`` … (``app_list``), or
                ``generic``.
            api_account: Chatwoot: the number of the account, as in /app/accounts/NUMBER.
            api_token: The token. Chatwoot: an administrator's access token. ``ERPNext``: API key and secret,
                with a colon between.
            api_token_file: A file that has the token; its path is remembered.
            api_url: The address of its site, for its API. Listmonk: without it, its database is changed.
                Chatwoot: an inbox is connected. ``ERPNext``: without it, the site's container does it.
            api_user: Listmonk: the API user. ``ERPNext``: the API key, where the token is the API secret alone.
            ca: A file with authorities (PEM) that the app does not know by itself.
            client: Client of the deployment.
            container: The container that runs the app, where it cannot be found.
            dry_run: Only say what would be done.
            exempt: Mailu's limit of messages does not count for the login; false takes that back.
            format: The form of the settings, where an app has several.
            from_address: What stands in ``From:``. Without it, the login.
            from_name: The name beside it.
            incoming: The app reads the mailbox by IMAP, too.
            interrupt: Listmonk: restart it though it is sending a campaign, which goes on by itself then.
            login: Who logs in. A mailbox that is not there is made. Without it, the app's name at the email
                domain.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            only: Listmonk: switch its other servers off, which would get a share of the mail.
            path: WordPress: the site's directory. Other apps: the file that has their settings, and gets ours.
            restart: Restart this container when its settings have changed.
            rotate: Make a new token; the old one goes once the app works with the new.
            site: Which of several: the name of the WordPress or ``ERPNext`` site, or the client whose Listmonk
                it is.
            tls: How mail is handed in.
        """
        request: dict[str, object] = {
            "app": app,
            "api_account": api_account,
            "api_token": api_token,
            "api_token_file": api_token_file,
            "api_url": api_url,
            "api_user": api_user,
            "ca": ca,
            "client": client,
            "container": container,
            "dry_run": dry_run,
            "exempt": exempt,
            "format": format,
            "from_address": from_address,
            "from_name": from_name,
            "incoming": incoming,
            "interrupt": interrupt,
            "login": login,
            "mail_host": mail_host,
            "only": only,
            "path": path,
            "restart": restart,
            "rotate": rotate,
            "site": site,
            "tls": tls,
        }
        return cast("Integrated", perform(self.root, "integrate", request, progress))

    def list(
        self,
        *,
        progress: Progress | None = None,
    ) -> builtins.list[DeploymentInfo]:
        """The deployments of this host."""
        request: dict[str, object] = {}
        return cast("builtins.list[DeploymentInfo]", perform(self.root, "list", request, progress))

    def logs(
        self,
        *,
        client: str | None = None,
        follow: bool = False,
        mail_host: str | None = None,
        services: Sequence[str] = (),
        since: str | None = None,
        tail: int | None = None,
    ) -> Stream[LogEntry]:
        """What services wrote, in order of time, line by line.

        Args:
            client: Client of the deployment.
            follow: Go on with what is written from now on, until it is told to stop.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            services: The services: ``front``, ``smtp``, ``imap``, ``admin``, ``antispam`` … Without any, all of
                them.
            since: Only lines since then: how long ago (``10m``, ``2h``, ``3d``), or a time
                (``2026-11-22T10:00:00Z``).
            tail: Only the last so many lines, of all services together.
        """
        request: dict[str, object] = {
            "client": client,
            "follow": follow,
            "mail_host": mail_host,
            "services": services,
            "since": since,
            "tail": tail,
        }
        return Stream(self.root, "logs", request)

    def plan(
        self,
        *,
        adopt: Sequence[str] = (),
        client: str | None = None,
        force: bool = False,
        mail_host: str | None = None,
        new_dkim_key: Sequence[str] = (),
        reset: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> Outcome:
        """What ``apply`` would do.

        Args:
            adopt: Variables whose edited value is kept, and written into ``mailu.toml``.
            client: Client of the deployment.
            force: Overwrite edited files, keeping a copy of each in ``.mailu/replaced``. Secrets and keys are
                never drawn again.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            new_dkim_key: Email domains whose lost DKIM key is given up for a new one.
            reset: Variables and files that get our value whatever was edited there.
        """
        request: dict[str, object] = {
            "adopt": adopt,
            "client": client,
            "force": force,
            "mail_host": mail_host,
            "new_dkim_key": new_dkim_key,
            "reset": reset,
        }
        return cast("Outcome", perform(self.root, "plan", request, progress))

    def relay_add(
        self,
        name: str,
        *,
        client: str | None = None,
        dry_run: bool = False,
        mail_host: str | None = None,
        settings: Mapping[str, Value] | None = None,
        progress: Progress | None = None,
    ) -> AccountChange:
        """Makes one domain whose mail is handed on. One that is there has to be so already.

        Args:
            name: Its name.
            client: Client of the deployment.
            dry_run: Only say what would be done.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            settings: What is said of it; ``accounts_schema`` has every key.
        """
        request: dict[str, object] = {
            "name": name,
            "client": client,
            "dry_run": dry_run,
            "mail_host": mail_host,
            "settings": settings,
        }
        return cast("AccountChange", perform(self.root, "relay_add", request, progress))

    def relay_delete(
        self,
        name: str,
        *,
        client: str | None = None,
        dry_run: bool = False,
        mail_host: str | None = None,
        yes: bool = False,
        progress: Progress | None = None,
    ) -> AccountChange:
        """Deletes one domain whose mail is handed on. Mail stays on disk.

        Args:
            name: Its name.
            client: Client of the deployment.
            dry_run: Only say what would be done.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            yes: Whatever goes with it.
        """
        request: dict[str, object] = {
            "name": name,
            "client": client,
            "dry_run": dry_run,
            "mail_host": mail_host,
            "yes": yes,
        }
        return cast("AccountChange", perform(self.root, "relay_delete", request, progress))

    def relay_list(
        self,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> builtins.list[RelayedDomain]:
        """All domain whose mail is handed ons.

        Args:
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "client": client,
            "mail_host": mail_host,
        }
        return cast("builtins.list[RelayedDomain]", perform(self.root, "relay_list", request, progress))

    def relay_set(
        self,
        name: str,
        *,
        client: str | None = None,
        dry_run: bool = False,
        mail_host: str | None = None,
        settings: Mapping[str, Value] | None = None,
        progress: Progress | None = None,
    ) -> AccountChange:
        """Changes one domain whose mail is handed on.

        Args:
            name: Its name.
            client: Client of the deployment.
            dry_run: Only say what would be done.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            settings: What is said of it; ``accounts_schema`` has every key.
        """
        request: dict[str, object] = {
            "name": name,
            "client": client,
            "dry_run": dry_run,
            "mail_host": mail_host,
            "settings": settings,
        }
        return cast("AccountChange", perform(self.root, "relay_set", request, progress))

    def relay_show(
        self,
        name: str,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> RelayedDomain:
        """One domain whose mail is handed on.

        Args:
            name: Its name.
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "name": name,
            "client": client,
            "mail_host": mail_host,
        }
        return cast("RelayedDomain", perform(self.root, "relay_show", request, progress))

    def restart(
        self,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        services: Sequence[str] = (),
        wait: int | None = None,
        progress: Progress | None = None,
    ) -> Operated:
        """Restarts services, and waits until they are ready.

        Args:
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            services: The services. Without any, all of them.
            wait: How many seconds each service may take to become ready. Without it, as long as is usual for
                each; 0 waits for nothing.
        """
        request: dict[str, object] = {
            "client": client,
            "mail_host": mail_host,
            "services": services,
            "wait": wait,
        }
        return cast("Operated", perform(self.root, "restart", request, progress))

    def restore(
        self,
        *,
        age_identity: StrPath | None = None,
        client: str | None = None,
        config_only: bool = False,
        dry_run: bool = False,
        exact: bool = False,
        file: StrPath | None = None,
        into: str | None = None,
        mail_host: str | None = None,
        mailbox: str | None = None,
        no_start: bool = False,
        passphrase_file: StrPath | None = None,
        undo: bool = False,
        wait: int | None = None,
        progress: Progress | None = None,
    ) -> Restored:
        """Restores a backup: read whole first, unpacked beside what is there, kept only if it works. Mail that has
        arrived since stays.

        Args:
            age_identity: A file with the age key that opens an encrypted archive.
            client: Client of the deployment.
            config_only: Restore configuration, secrets, keys and certificates; mail, accounts and other data
                stay as they are.
            dry_run: Read the archive, and only say what would be done.
            exact: Leave out mail that has arrived since the backup, and take its queue instead of the one that
                is there.
            file: The archive. Without it, a restore that was interrupted is finished.
            into: With ``mailbox``: add its messages to this mailbox.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            mailbox: Restore one mailbox, beside the running server: messages that it does not have are added,
                and nothing else is changed.
            no_start: Leave the server stopped. Works without Docker.
            passphrase_file: A file whose first line is the passphrase of an encrypted archive.
            undo: Of a restore that was interrupted: go back to what was there before, instead of going on.
            wait: How many seconds each service may take to become ready. Without it, as long as is usual for
                each.
        """
        request: dict[str, object] = {
            "age_identity": age_identity,
            "client": client,
            "config_only": config_only,
            "dry_run": dry_run,
            "exact": exact,
            "file": file,
            "into": into,
            "mail_host": mail_host,
            "mailbox": mailbox,
            "no_start": no_start,
            "passphrase_file": passphrase_file,
            "undo": undo,
            "wait": wait,
        }
        return cast("Restored", perform(self.root, "restore", request, progress))

    def secret(
        self,
        name: str,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> Secret:
        """One secret of a deployment.

        Args:
            name: ``admin_password``, ``api_token``, ``secret_key``, ``relay_password``, or ``first_account``
                for Mailu's config-import.
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "name": name,
            "client": client,
            "mail_host": mail_host,
        }
        return cast("Secret", perform(self.root, "secret", request, progress))

    def show(
        self,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> Details:
        """What a person needs to know about a deployment: addresses, where its files and secrets are, its
        configuration.

        Args:
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "client": client,
            "mail_host": mail_host,
        }
        return cast("Details", perform(self.root, "show", request, progress))

    def start(
        self,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        services: Sequence[str] = (),
        wait: int | None = None,
        progress: Progress | None = None,
    ) -> Operated:
        """Starts services that do not run, and waits until they are ready.

        Args:
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            services: The services. Without any, all of them.
            wait: How many seconds each service may take to become ready. Without it, as long as is usual for
                each; 0 waits for nothing.
        """
        request: dict[str, object] = {
            "client": client,
            "mail_host": mail_host,
            "services": services,
            "wait": wait,
        }
        return cast("Operated", perform(self.root, "start", request, progress))

    def status(
        self,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> StatusReport:
        """How a deployment is: services, certificate, mail queue, disk, backups.

        Args:
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "client": client,
            "mail_host": mail_host,
        }
        return cast("StatusReport", perform(self.root, "status", request, progress))

    def status_all(
        self,
        *,
        progress: Progress | None = None,
    ) -> Fleet:
        """How every deployment of this host is."""
        request: dict[str, object] = {}
        return cast("Fleet", perform(self.root, "status_all", request, progress))

    def status_all_watch(
        self,
        *,
        seconds: int | None = None,
    ) -> Stream[Fleet]:
        """How every deployment is, again and again, until it is told to stop.

        Args:
            seconds: How long to wait in between. Without it, two seconds.
        """
        request: dict[str, object] = {
            "seconds": seconds,
        }
        return Stream(self.root, "status_all_watch", request)

    def status_watch(
        self,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        seconds: int | None = None,
    ) -> Stream[StatusReport]:
        """How a deployment is, again and again, until it is told to stop.

        Args:
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            seconds: How long to wait in between. Without it, two seconds.
        """
        request: dict[str, object] = {
            "client": client,
            "mail_host": mail_host,
            "seconds": seconds,
        }
        return Stream(self.root, "status_watch", request)

    def stop(
        self,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        services: Sequence[str] = (),
        wait: int | None = None,
        progress: Progress | None = None,
    ) -> Operated:
        """Stops services.

        Args:
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            services: The services. Without any, all of them.
            wait: How many seconds each service may take to become ready. Without it, as long as is usual for
                each; 0 waits for nothing.
        """
        request: dict[str, object] = {
            "client": client,
            "mail_host": mail_host,
            "services": services,
            "wait": wait,
        }
        return cast("Operated", perform(self.root, "stop", request, progress))

    def test_email(
        self,
        *,
        body: str | None = None,
        client: str | None = None,
        from_address: str | None = None,
        keep: bool = False,
        mail_host: str | None = None,
        no_negative: bool = False,
        password: str | None = None,
        subject: str | None = None,
        timeout: int | None = None,
        to: str | None = None,
        progress: Progress | None = None,
    ) -> DeliveryReport:
        """Sends a message as a mail program does, and follows it: log-in, queue, delivery, mailbox, SPF, DKIM and
        DMARC.

        Args:
            body: The text.
            client: Client of the deployment.
            from_address: The account that sends, with ``password``. Without it, the first administrator.
            keep: Leave the message in the mailbox.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            no_negative: Do not try what the server must refuse: relaying for strangers, log-ins on port 25, a
                forged sender.
            password: The sender's password. Not needed for the first administrator.
            subject: The subject.
            timeout: How many seconds the message may take, 1 to 86,400. Without it, 120.
            to: The recipient. Without it, the sender: the message comes back, and is deleted once it was read.
        """
        request: dict[str, object] = {
            "body": body,
            "client": client,
            "from_address": from_address,
            "keep": keep,
            "mail_host": mail_host,
            "no_negative": no_negative,
            "password": password,
            "subject": subject,
            "timeout": timeout,
            "to": to,
        }
        return cast("DeliveryReport", perform(self.root, "test_email", request, progress))

    def token_add(
        self,
        email: str,
        *,
        authorized: Sequence[str] = (),
        client: str | None = None,
        comment: str | None = None,
        mail_host: str | None = None,
        out: StrPath | None = None,
        replace: bool = False,
        progress: Progress | None = None,
    ) -> TokenMade:
        """Has a token drawn for a user, and tells it once. It is a password for SMTP, IMAP and POP3.

        Args:
            email: Whose.
            authorized: Only for who comes from these addresses or networks.
            client: Client of the deployment.
            comment: What it is for.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            out: Write it into this file, which only its owner can read, instead of telling it.
            replace: Delete those of the same comment once the new one is there.
        """
        request: dict[str, object] = {
            "email": email,
            "authorized": authorized,
            "client": client,
            "comment": comment,
            "mail_host": mail_host,
            "out": out,
            "replace": replace,
        }
        return cast("TokenMade", perform(self.root, "token_add", request, progress))

    def token_delete(
        self,
        id: int,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> TokenDeleted:
        """Deletes a token. Whoever uses it is refused from then on.

        Args:
            id: Its number.
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "id": id,
            "client": client,
            "mail_host": mail_host,
        }
        return cast("TokenDeleted", perform(self.root, "token_delete", request, progress))

    def token_list(
        self,
        *,
        client: str | None = None,
        email: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> builtins.list[Token]:
        """All tokens, or those of a user. What they are, nobody can say again.

        Args:
            client: Client of the deployment.
            email: Whose.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "client": client,
            "email": email,
            "mail_host": mail_host,
        }
        return cast("builtins.list[Token]", perform(self.root, "token_list", request, progress))

    def uninstall(
        self,
        *,
        client: str | None = None,
        delete_data: bool = False,
        mail_host: str | None = None,
        yes_delete: str | None = None,
        progress: Progress | None = None,
    ) -> Uninstalled | None:
        """Takes a deployment's containers and networks down. Data, configuration and secrets stay unless told
        otherwise. Nothing is the result where there was nothing left of it.

        Args:
            client: Client of the deployment.
            delete_data: Delete mail, accounts, configuration, keys and secrets too. Nothing brings them back
                but a backup.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            yes_delete: Confirms ``delete_data`` by the mail host's name.
        """
        request: dict[str, object] = {
            "client": client,
            "delete_data": delete_data,
            "mail_host": mail_host,
            "yes_delete": yes_delete,
        }
        return cast("Uninstalled | None", perform(self.root, "uninstall", request, progress))

    def update(
        self,
        *,
        client: str | None = None,
        dry_run: bool = False,
        mail_host: str | None = None,
        settings: Mapping[str, Value] | None = None,
        skip_check: Sequence[str] = (),
        to: str | None = None,
        undo: bool = False,
        wait: int | None = None,
        without_database: bool = False,
        progress: Progress | None = None,
    ) -> Updated:
        """Goes to another release of Mailu: backup first, and back to what was there if anything does not work
        that worked before.

        Args:
            client: Client of the deployment.
            dry_run: Only say what would be done, and what speaks against it.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            settings: Of a deployment that AgencyStack's old installer made: keys of ``mailu.toml`` to set.
            skip_check: Of such a deployment: checks to leave out, such as ``preflight.open_relay``.
            to: The release to go to. Without it, the newest that this library knows.
            undo: Of an update that was interrupted: go back to what was there before, instead of going on.
            wait: How many seconds each service may take to become ready. Without it, as long as is usual for
                each.
            without_database: Update though accounts are in another database, which is not in the backup and
                does not go back with the rest.
        """
        request: dict[str, object] = {
            "client": client,
            "dry_run": dry_run,
            "mail_host": mail_host,
            "settings": settings,
            "skip_check": skip_check,
            "to": to,
            "undo": undo,
            "wait": wait,
            "without_database": without_database,
        }
        return cast("Updated", perform(self.root, "update", request, progress))

    def user_add(
        self,
        email: str,
        *,
        client: str | None = None,
        dry_run: bool = False,
        generate: bool = False,
        mail_host: str | None = None,
        no_password: bool = False,
        password: str | None = None,
        password_out: StrPath | None = None,
        settings: Mapping[str, Value] | None = None,
        progress: Progress | None = None,
    ) -> UserChanged:
        """Makes a user. One of ``password``, ``generate`` and ``no_password`` says which password it gets.

        Args:
            email: Its address.
            client: Client of the deployment.
            dry_run: Only say what would be done.
            generate: Draw its password, and tell it once.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            no_password: Give it one that nobody knows: tokens, or ``user_passwd``, let it in.
            password: Its password.
            password_out: With ``generate``: write it into this file, which only its owner can read, instead.
            settings: What is said of it; ``accounts_schema`` has every key.
        """
        request: dict[str, object] = {
            "email": email,
            "client": client,
            "dry_run": dry_run,
            "generate": generate,
            "mail_host": mail_host,
            "no_password": no_password,
            "password": password,
            "password_out": password_out,
            "settings": settings,
        }
        return cast("UserChanged", perform(self.root, "user_add", request, progress))

    def user_delete(
        self,
        email: str,
        *,
        client: str | None = None,
        dry_run: bool = False,
        mail_host: str | None = None,
        yes: bool = False,
        progress: Progress | None = None,
    ) -> AccountChange:
        """Deletes one user. Mail stays on disk.

        Args:
            email: Its name.
            client: Client of the deployment.
            dry_run: Only say what would be done.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            yes: Whatever goes with it.
        """
        request: dict[str, object] = {
            "email": email,
            "client": client,
            "dry_run": dry_run,
            "mail_host": mail_host,
            "yes": yes,
        }
        return cast("AccountChange", perform(self.root, "user_delete", request, progress))

    def user_disable(
        self,
        email: str,
        *,
        client: str | None = None,
        dry_run: bool = False,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> AccountChange:
        """Lets a user in no more, anywhere. Mail still arrives.

        Args:
            email: Its address.
            client: Client of the deployment.
            dry_run: Only say what would be done.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "email": email,
            "client": client,
            "dry_run": dry_run,
            "mail_host": mail_host,
        }
        return cast("AccountChange", perform(self.root, "user_disable", request, progress))

    def user_enable(
        self,
        email: str,
        *,
        client: str | None = None,
        dry_run: bool = False,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> AccountChange:
        """Lets a user in again.

        Args:
            email: Its address.
            client: Client of the deployment.
            dry_run: Only say what would be done.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "email": email,
            "client": client,
            "dry_run": dry_run,
            "mail_host": mail_host,
        }
        return cast("AccountChange", perform(self.root, "user_enable", request, progress))

    def user_list(
        self,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> builtins.list[User]:
        """All users.

        Args:
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "client": client,
            "mail_host": mail_host,
        }
        return cast("builtins.list[User]", perform(self.root, "user_list", request, progress))

    def user_passwd(
        self,
        email: str,
        *,
        client: str | None = None,
        generate: bool = False,
        mail_host: str | None = None,
        password: str | None = None,
        password_out: StrPath | None = None,
        progress: Progress | None = None,
    ) -> UserChanged:
        """Gives a user another password: ``password``, or with ``generate`` one that is drawn.

        Args:
            email: Its address.
            client: Client of the deployment.
            generate: Draw it, and tell it once.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            password: The password.
            password_out: With ``generate``: write it into this file, which only its owner can read, instead.
        """
        request: dict[str, object] = {
            "email": email,
            "client": client,
            "generate": generate,
            "mail_host": mail_host,
            "password": password,
            "password_out": password_out,
        }
        return cast("UserChanged", perform(self.root, "user_passwd", request, progress))

    def user_set(
        self,
        email: str,
        *,
        client: str | None = None,
        dry_run: bool = False,
        mail_host: str | None = None,
        settings: Mapping[str, Value] | None = None,
        progress: Progress | None = None,
    ) -> AccountChange:
        """Changes one user.

        Args:
            email: Its name.
            client: Client of the deployment.
            dry_run: Only say what would be done.
            mail_host: Mail host of the deployment. Not needed where there is only one.
            settings: What is said of it; ``accounts_schema`` has every key.
        """
        request: dict[str, object] = {
            "email": email,
            "client": client,
            "dry_run": dry_run,
            "mail_host": mail_host,
            "settings": settings,
        }
        return cast("AccountChange", perform(self.root, "user_set", request, progress))

    def user_show(
        self,
        email: str,
        *,
        client: str | None = None,
        mail_host: str | None = None,
        progress: Progress | None = None,
    ) -> User:
        """One user.

        Args:
            email: Its name.
            client: Client of the deployment.
            mail_host: Mail host of the deployment. Not needed where there is only one.
        """
        request: dict[str, object] = {
            "email": email,
            "client": client,
            "mail_host": mail_host,
        }
        return cast("User", perform(self.root, "user_show", request, progress))


def accounts_schema() -> dict[str, dict[str, FieldInfo]]:
    """Every attribute of accounts: by kind, then by its name in ``accounts.toml``."""
    request: dict[str, object] = {}
    return cast("dict[str, dict[str, FieldInfo]]", perform("/", "accounts_schema", request, None))


def app_list() -> builtins.list[AppInfo]:
    """The apps that can be told how to send through a server: names, formats, what STARTTLS is worth in each,
    notes for people."""
    request: dict[str, object] = {}
    return cast("builtins.list[AppInfo]", perform("/", "app_list", request, None))


def settings_of_app(
    app: str,
    profile: Mapping[str, object],
    *,
    format: str | None = None,
) -> AppText:
    """What an app is to be told of any server: the settings, with the secret in them.

    Args:
        app: The app.
        profile: ``host``, ``login`` and ``secret``, and perhaps ``tls``, ``port``, ``from``, ``from_name``,
            ``helo``, ``envelope_from`` and ``incoming``.
        format: The format. Without it, the app's usual one.
    """
    request: dict[str, object] = {
        "app": app,
        "profile": profile,
        "format": format,
    }
    return cast("AppText", perform("/", "settings_of_app", request, None))
