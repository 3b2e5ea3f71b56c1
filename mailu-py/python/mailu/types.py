"""The data that goes in and comes out. Keys are those of ``mailu --json``.

Written by ``generate.py`` from the library's schema.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict, Union

Config: TypeAlias = Union[str, Mapping[str, object]]
"""The text of ``mailu.toml``, or a mapping of the same keys. A key whose value is ``None`` is not set."""

StrPath: TypeAlias = Union[str, os.PathLike[str]]
"""A path."""

Value: TypeAlias = Union[str, int, bool, Sequence[Union[str, int, bool]]]
"""A value as it would be typed: ``"10GB"``, ``5``, ``True``, ``[25, 465]``."""

RecordType: TypeAlias = Literal["A", "AAAA", "CAA", "CNAME", "MX", "PTR", "SRV", "TLSA", "TXT"]
"""The type of a DNS record."""

AccountAction: TypeAlias = Literal["create", "change", "disable", "delete"]
"""What is done with an account.

``create``: It is made. ``change``: Some of it becomes something else. ``disable``: It may not log in any more.
``delete``: It is taken out of Mailu's database. Mail stays."""


class _AccountChangeRequired(TypedDict):
    action: AccountAction | None
    """What was done, or in a dry run would be; nothing if it is as it should be."""
    kind: AccountKind
    """What it is."""
    name: str
    """Its name."""
    password: bool
    """Whether its password was set."""
    performed: bool
    """Whether it was done."""


class AccountChange(_AccountChangeRequired, total=False):
    """What became of an account."""

    changes: list[Difference]
    """What became of it."""
    notes: list[str]
    """What else follows."""


AccountKind: TypeAlias = Literal["domain", "user", "alias", "relay"]
"""What an account is.

``domain``: An email domain. ``user``: A mailbox. ``alias``: An address whose mail goes to others. ``relay``: A
domain whose mail is handed on to another server."""


class _AccountStepRequired(TypedDict):
    action: AccountAction
    """What is done."""
    kind: AccountKind
    """With what."""
    name: str
    """Its name."""


class AccountStep(_AccountStepRequired, total=False):
    """What is done with one account."""

    changes: list[Difference]
    """What becomes of it."""
    note: str | None
    """What else follows."""
    password: bool
    """Whether its password is set."""


class _AccountsAppliedRequired(TypedDict):
    drawn: int
    """For how many users a password was drawn."""
    performed: bool
    """Whether it was performed."""
    plan: AccountsPlan
    """The plan."""


class AccountsApplied(_AccountsAppliedRequired, total=False):
    """What became of many accounts."""

    passwords_file: str | None
    """The file that those are in."""


class _AccountsPlanRequired(TypedDict):
    steps: list[AccountStep]
    """In this order."""
    unchanged: int
    """How many accounts are as they should be."""


class AccountsPlan(_AccountsPlanRequired, total=False):
    """What has to be done."""

    findings: list[Finding]
    """What is worth knowing."""
    left: list[str]
    """Accounts that are there and not named, in the sections that are; they stay."""


Action: TypeAlias = Literal[
    "create_directory",
    "set_mode",
    "journal",
    "store_secret",
    "create_key",
    "store_certificate",
    "create_file",
    "update_file",
    "keep_copy",
    "remove_file",
    "commit",
]
"""What a step does.

``create_directory``: Makes a directory. ``set_mode``: Puts permissions right. ``journal``: Notes what is about
to be written, so that an interrupted run can be told from an edit. ``store_secret``: Draws a secret, or stores
one that was given. ``create_key``: Makes a DKIM key. ``store_certificate``: Makes a self-signed certificate, or
copies yours. ``create_file``: Writes a new file. ``update_file``: Changes a file. ``keep_copy``: Keeps a copy
of an edited file that is about to be overwritten. ``remove_file``: Removes a file of ours that is no longer
needed. ``commit``: Makes the note the record of what was written."""


class AddressData(TypedDict):
    """RFC 1035 §3.4.1."""

    address: str
    """The address."""


class Addresses(TypedDict):
    """Where the server is reached."""

    admin: str | None
    """The admin interface, if it is served."""
    api: str | None
    """The API, if it is served."""
    webmail: str | None
    """The webmail, if it is served."""


class _AliasRequired(TypedDict):
    email: str
    """Its address."""


class Alias(_AliasRequired, total=False):
    """An alias."""

    comment: str | None
    """A note, 255 characters at most."""
    destination: list[str] | None
    """Where its mail goes."""
    wildcard: bool | None
    """Whether ``%`` in its address stands for any characters."""


Alignment: TypeAlias = Literal["strict", "relaxed"]
"""How closely the authenticated domain must match the ``From`` domain (RFC 9989 §4.7).

``strict``: Exactly. ``relaxed``: Same organisation."""


class AllAccounts(TypedDict):
    """All accounts of a deployment."""

    aliases: list[Alias]
    """Its aliases."""
    domains: list[Domain]
    """Its email domains."""
    relays: list[RelayedDomain]
    """Domains whose mail is handed on."""
    users: list[User]
    """Its users."""


class AppInfo(TypedDict):
    """An app, for a list."""

    aliases: list[str]
    """Other names for it."""
    formats: list[str]
    """The forms in which it can be told, the usual one first."""
    name: str
    """Its name on the command line."""
    notes: list[str]
    """What to restart, and what is a trap."""
    starttls: Starttls
    """What STARTTLS is worth in it."""
    title: str
    """Its name as people write it."""


class _AppSettingsRequired(TypedDict):
    about: str
    """Where it goes."""
    app: str
    """The app's name."""
    format: str
    """The form."""
    notes: list[str]
    """What to restart, and what is a trap."""
    text: str | None
    """The settings, where they were not written into a file. The password is hidden unless it was to be seen."""


class AppSettings(_AppSettingsRequired, total=False):
    """What an app is to be told."""

    file: str | None
    """The file that they are in instead."""


class AppText(TypedDict):
    """An app's settings as text. ``Debug`` hides it: it has the secret."""

    about: str
    """Where it goes."""
    app: str
    """The app's name; that of [``generic``] where no app of ours was meant."""
    format: str
    """The form."""
    notes: list[str]
    """What to restart, and what is a trap."""
    text: str
    """The settings."""


class AwaitEngineDependencyStep(TypedDict):
    """Waits until the engine answers."""

    action: Literal["await_engine"]


class AwaitTraefikDependencyStep(TypedDict):
    """Waits until Traefik is healthy."""

    action: Literal["await_traefik"]


class Backup(TypedDict):
    """``[backup]``"""

    directory: str | None
    """Where archives are written. Default: ``backups/mailu/…`` below the root."""
    keep_daily: int
    """For how many days the last archive of each is kept."""
    keep_last: int
    """How many of the newest archives are kept."""
    keep_monthly: int
    """For how many months."""
    keep_weekly: int
    """For how many weeks."""
    recipients: list[str]
    """Public keys of age (``age1…``): archives can be read only by whoever has one of the secret keys, which do
    not belong on this host."""


class BackupArchive(TypedDict):
    """An archive in a list."""

    created: str
    """When it was taken, RFC 3339 in UTC."""
    encrypted: bool
    """Whether it is encrypted."""
    error: str | None
    """Why it cannot be read."""
    file: str
    """The archive."""
    head: Head | None
    """Whose it is and what made it; absent where it is encrypted or cannot be read."""
    kept: list[str]
    """For which rules it is kept (``last``, ``daily``, ``weekly``, ``monthly``); none if the next backup gives it
    up."""
    size: int
    """Its size in bytes."""


class BackupTaken(TypedDict):
    """A backup that was taken."""

    encrypted: bool
    """Whether it is encrypted."""
    end: End
    """What is in it."""
    file: str
    """The archive."""
    findings: list[Finding]
    """Whatever needs an eye."""
    head: Head
    """Whose it is."""
    removed: list[str]
    """Older archives that were given up, as ``backup.keep_*`` says."""
    seconds: int
    """How long it took, in seconds."""
    size: int
    """Its size in bytes."""
    stood_still_ms: int | None
    """How long services stood still for it, in milliseconds; absent where nobody was asked."""
    verified: bool
    """Whether it was read again and found whole."""


class Backups(TypedDict):
    """The backups of a deployment."""

    age: int | None
    """How old that is, in seconds."""
    count: int
    """How many there are."""
    directory: str
    """Where they lie."""
    newest: str | None
    """The newest one."""


class Bimi(TypedDict):
    """``[bimi]``: the logo that mail programs show beside mail that passes DMARC
    (draft-brand-indicators-for-message-identification)."""

    certificate: str | None
    """Where the certificate for it lies (VMC or CMC, PEM). Gmail and Apple show no logo without one."""
    logo: str | None
    """Where it lies: a square SVG of the profile Tiny PS. Without it there is no record."""


class CaaData(TypedDict):
    """RFC 8659."""

    flags: int
    """128 is critical."""
    tag: str
    """``issue``, ``issuewild``, ``iodef`` …"""
    value: str
    """What the tag says."""


class Carried(TypedDict):
    """Mail that was taken along from one tree into another."""

    mailboxes: list[str]
    """Mailboxes that got some."""
    messages: int
    """How many messages."""
    there: int
    """How many messages were there already."""
    whole: list[str]
    """Mailboxes that were taken over as a whole, because they were not there."""


class Cause(TypedDict):
    """Why a service is not well."""

    exit_code: int | None
    """How it last ended."""
    health_output: str | None
    """The last words of its health check."""
    last_lines: list[str]
    """The last lines that it wrote."""
    out_of_memory: bool
    """Whether the kernel ended it for want of memory."""
    why: str
    """In a sentence."""


class Certificate(TypedDict):
    """What a certificate says."""

    chain: int
    """How many certificates come with it, itself included."""
    chain_in_order: bool
    """Whether each of them is issued by the next."""
    days_left: int
    """Whole days until it ends; negative once it has."""
    fingerprint: str
    """SHA-256 of it, in hexadecimal."""
    issuer: str
    """Who issued it."""
    names: list[str]
    """The names it is for."""
    not_after: str
    """When it ends, RFC 3339 in UTC."""
    not_before: str
    """When it begins, RFC 3339 in UTC."""
    own_issuer: bool
    """Whether it is its own issuer."""
    self_signed: bool
    """Whether this program made it to start with."""
    too_early: bool
    """Whether it has not begun yet."""


class CertificateReport(TypedDict):
    """The certificates of a deployment."""

    directory: str
    """The deployment's directory."""
    findings: list[Finding]
    """What needs an eye, and what is worth knowing."""
    mail_host: str
    """The deployment's mail host."""
    mode: str
    """``tls.mode``."""
    needed: list[str]
    """The names that a certificate must be for."""
    pairs: list[Pair]
    """The pairs that front has."""
    served: list[Served]
    """What was found to be served."""
    source: Source | None
    """What they are taken from."""


class CertificateSync(TypedDict):
    """What was done about the certificate of a deployment."""

    changed: bool
    """Whether anything was."""
    front: FrontReload
    """What became of front."""
    plan: Plan
    """The steps that were done."""
    report: CertificateReport
    """How things are now."""


class Changes(TypedDict):
    """How the findings differ from those of the diagnosis before."""

    appeared: list[Finding]
    """What was not found then."""
    gone: list[Remembered]
    """What was found only then."""
    since: str | None
    """When the diagnosis before was made, RFC 3339 in UTC; absent where there is none."""


CheckOutcome: TypeAlias = Literal["passed", "warned", "failed", "skipped"]
"""How a check ended.

``passed``: Nothing stands against it. ``warned``: It will run; somebody should look at something. ``failed``:
It would not work. ``skipped``: It was not done: on request, or because something else has to be right first."""


class Checked(TypedDict):
    """A record, compared with what name servers say."""

    fqdn: str
    """Its owner name."""
    id: str
    """The record's identifier."""
    level: Level
    """How much depends on it."""
    seen: list[str]
    """What is there instead, or beside it."""
    state: RecordState
    """How it is."""
    type: str
    """Its type."""
    wanted: str | None
    """What it should say, in one piece and without quotes."""
    zone: str
    """Its zone."""


class CnameData(TypedDict):
    """RFC 1035 §3.3.1."""

    target: str
    """The canonical name."""


Compression: TypeAlias = Literal["none", "gz", "bz2", "zstd"]
"""How mail is compressed on disk.

``none``: Not. ``gz``: gzip. ``bz2``: bzip2. ``zstd``: Zstandard."""


class Configuration(TypedDict):
    """One deployment: everything that is not a secret."""

    admin_email: str
    """The first administrator. An address in one of the email domains."""
    backup: Backup
    """Backups: where they are written, who can read them, which are kept."""
    bimi: Bimi
    """The logo beside mail."""
    client: str | None
    """The tenant. None: the agency's own mail."""
    diagnose: Diagnose
    """What a diagnosis does not have to tell."""
    dmarc: Dmarc
    """The DMARC record."""
    dns: Dns
    """What the DNS records need to know."""
    email_domain: str
    """The part after the ``@``."""
    email_domains: list[str]
    """Further email domains."""
    env: dict[str, str]
    """Further variables for ``mailu.env``, by Mailu's names."""
    hostnames: list[str]
    """Further public names of the server."""
    images: Images
    """Where images come from."""
    limits: Limits
    """Sizes and rates."""
    logs: Logs
    """Logging."""
    mail: Mail
    """How mail is treated."""
    mail_host: str
    """The public name of the server."""
    mta_sts: MtaSts
    """The policy for verified TLS between servers."""
    network: Network
    """Docker networks."""
    ports: Ports
    """The mail ports and how they are reached."""
    postmaster: str | None
    """The postmaster's part before the ``@``. Default: the administrator's."""
    project: str | None
    """Compose project and prefix of container names. Default: ``mailu``, with a client ``mailu_CLIENT``."""
    relay: Relay
    """Another server that takes outgoing mail."""
    services: Services
    """What runs."""
    timezone: str
    """Time zone of the containers. UTC makes logs comparable with those of other servers."""
    tls: Tls
    """Who terminates TLS."""
    tls_rpt: TlsRpt
    """Reports about deliveries over TLS."""
    traefik: Traefik
    """Where Traefik lives."""
    version: str
    """Mailu's release."""
    web: Web
    """The web interfaces."""
    welcome: Welcome
    """A message to each new user."""


ContainerState: TypeAlias = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
"""What a container is doing, in Docker's words.

``created``: Made, and never started. ``running``: Running. ``paused``: Stopped for the time being.
``restarting``: It ended, and the engine is about to start it again. ``removing``: Being removed. ``exited``: It
ended. ``dead``: It could not be removed."""


DeliveryOutcome: TypeAlias = Literal["passed", "failed", "skipped", "unknown"]
"""How a stage or a negative test ended.

``passed``: As it should. ``failed``: Not as it should; what comes after was not tried. ``skipped``: There was
nothing to try, or no need. ``unknown``: It could not be found out."""


_DeliveryReportBase = TypedDict("_DeliveryReportBase", {"from": "str"})


class DeliveryReport(_DeliveryReportBase):
    """What came of a test message."""

    delivered: bool
    """Whether the message is known to have come through: to the mailbox, or to the other server."""
    exit_code: int
    """0: it came through, and what must be refused was; 1: something could not be found out, or needs an eye; from
    10 on, the first stage that failed ([``Stage::exit_code``]); 17: something was accepted that must not be."""
    findings: list[Finding]
    """What is wrong, why, and what to type."""
    mail_host: str
    """The mail host."""
    message_id: str
    """Its Message-ID."""
    negative: list[Negative]
    """What was tried that a server must refuse."""
    queue_ids: list[str]
    """Its names in Postfix's queue."""
    results: Results
    """What stands at the message's head."""
    schema: int
    """The form of this report; another number once it changes incompatibly."""
    stages: list[DeliveryStep]
    """The stages that were reached, in order."""
    subject: str
    """The subject."""
    to: str
    """The recipient."""


DeliveryStage: TypeAlias = Literal["connect", "login", "submit", "queue", "deliver", "arrive", "authenticate"]
"""A stage on the way of a message, in order.

``connect``: Connecting to a submission port, TLS included. ``login``: Logging in there. ``submit``: The server
accepts the message. ``queue``: It is in Postfix's queue. ``deliver``: Postfix hands it on: to the mailbox, or
to another server. ``arrive``: It can be read over IMAP. ``authenticate``: What receivers make of where it comes
from."""


class DeliveryStep(TypedDict):
    """What a stage gave."""

    detail: str
    """What was seen, mostly in a server's words."""
    milliseconds: int
    """How long it took."""
    outcome: DeliveryOutcome
    """How it ended."""
    stage: DeliveryStage
    """Which."""


class Dependencies(TypedDict):
    """What was done, or in a dry run would be done, before an installation."""

    findings: list[Finding]
    """Warnings and notices."""
    performed: bool
    """Whether they were performed."""
    steps: list[DependencyStep]
    """The steps."""


class DeploymentInfo(TypedDict):
    """A deployment in a list."""

    client: str | None
    """Its client."""
    directory: str
    """Its directory."""
    email_domains: list[str]
    """Its email domains, the main one first."""
    mail_host: str
    """Its mail host, by the name of its directory."""
    state: str
    """``installed``, ``incomplete``, ``uninstalled`` or ``invalid``."""
    tls: str | None
    """TLS mode."""
    version: str | None
    """Mailu's release."""


class Details(TypedDict):
    """What a person needs to know about a deployment."""

    admin_email: str
    """The first administrator's login."""
    admin_password_command: str
    """The command that prints it."""
    admin_password_file: str
    """The file with the first administrator's password."""
    admin_url: str | None
    """The admin interface, if it is served."""
    api_url: str | None
    """The API, if it is served."""
    config: Configuration
    """The configuration with every default."""
    directory: str
    """Its directory."""
    mail_host: str
    """Its mail host."""
    secrets: str
    """The directory of its secrets."""
    webmail_url: str | None
    """The webmail, if it is served."""


class Diagnose(TypedDict):
    """``[diagnose]``"""

    ignore: list[str]
    """Findings of ``mailu diagnose`` to live with: ``spf.all@example.com until 2027-01-31: the newsletter service
    is being moved``."""


class _DiagnosisRequired(TypedDict):
    at: str
    """When it was made, RFC 3339 in UTC."""
    checks: list[DiagnosisCheck]
    """The checks, in the order in which they were judged."""
    client: str | None
    """Its client."""
    findings: list[Finding]
    """What is wrong, worst first, causes only."""
    healthy: bool
    """Whether nothing was found that needs an eye."""
    ignored: list[Ignored]
    """What somebody has decided to live with."""
    mail_host: str
    """The deployment's mail host."""
    schema: int
    """Version of this format."""
    silenced: list[Silenced]
    """What follows from those."""
    unknown: list[Unknown]
    """What could not be found out."""


class Diagnosis(_DiagnosisRequired, total=False):
    """A diagnosis."""

    changes: Changes | None
    """What is new and what is gone; absent where nobody asked."""


class DiagnosisCheck(TypedDict):
    """A check and how it ended."""

    about: str
    """What it looks at."""
    id: str
    """The check's name."""
    outcome: DiagnosisOutcome
    """How it ended."""
    summary: str
    """What was seen, in a few words."""


DiagnosisOutcome: TypeAlias = Literal["passed", "warned", "failed", "unknown", "skipped"]
"""How a check ended.

``passed``: All is well. ``warned``: Somebody should look at something. ``failed``: Something does not work.
``unknown``: It could not be found out, at least not all of it. ``skipped``: It was not done."""


_DifferenceBase = TypedDict("_DifferenceBase", {"from": "Any"})


class Difference(_DifferenceBase):
    """An attribute that becomes something else."""

    field: str
    """Its name, as Mailu calls it."""
    to: Any
    """What it becomes."""


class Disk(TypedDict):
    """The disk on which a deployment's data lies."""

    counted: bool
    """Whether those two are complete: large directories are not counted to the end."""
    free: int
    """What is free of it, in bytes."""
    mail: int | None
    """What the mailboxes take, in bytes."""
    queue: int | None
    """What the mail queue takes, in bytes."""
    total: int
    """Its size in bytes."""


class Dmarc(TypedDict):
    """``[dmarc]``: the DMARC record."""

    dkim_alignment: Alignment
    """DKIM alignment: ``strict`` or ``relaxed``."""
    policy: DmarcPolicy
    """``none``, ``quarantine`` or ``reject``."""
    rua: str | None
    """Mailbox for aggregate reports, by its part before the ``@``, at the email domain."""
    ruf: str | None
    """Mailbox for failure reports."""
    spf_alignment: Alignment
    """SPF alignment: ``strict`` or ``relaxed``."""
    subdomain_policy: DmarcPolicy
    """The same for subdomains."""


DmarcPolicy: TypeAlias = Literal["none", "quarantine", "reject"]
"""What receivers are asked to do with mail that fails DMARC (RFC 9989 §4.7).

``none``: Nothing; only report. ``quarantine``: Treat as suspicious. ``reject``: Refuse."""


class Dns(TypedDict):
    """``[dns]``: what the DNS records need to know."""

    alternatives: list[str]
    """Domains whose mail is that of an email domain (Mailu's alternatives): ``example.net``, or
    ``example.net=example.org`` where it is not that of ``email_domain``. Only for their DNS records: Mailu's
    admin interface makes the alternative."""
    autoconfig: bool
    """Serve automatic client setup below ``autoconfig.`` and ``autodiscover.`` of each email domain."""
    caa: list[str]
    """Certificate authorities that may issue for the mail host, by their names in CAA records. Where Mailu gets
    the certificate itself (modes ``letsencrypt`` and ``passthrough``), Let's Encrypt is among them anyway. List
    every one that Traefik uses."""
    egress: list[str]
    """Addresses that mail leaves from, where they are not the mail host's: NAT, a second address. They come into
    SPF records."""
    ipv4: str | None
    """The server's public IPv4 address."""
    ipv6: str | None
    """The server's public IPv6 address. Only if mail works over it both ways."""
    nameservers: list[str]
    """Name servers for the SOA and NS lines of complete zone files."""
    parked: list[str]
    """Names that neither send nor receive mail: their records say so, and nobody can pretend to be them."""
    selector: str
    """DKIM selector."""
    spf: list[str]
    """More mechanisms for the SPF record, before ``all``: what else sends for these domains."""
    spf_all: SpfAll
    """``fail`` (``-all``) or ``softfail`` (``~all``)."""
    ttl: int
    """Seconds that resolvers may keep a record."""
    zones: list[str]
    """Zones that you have. Default: each name's registrable domain."""


class _DnsExportedRequired(TypedDict):
    files: list[str]
    """The files."""


class DnsExported(_DnsExportedRequired, total=False):
    """DNS records in files."""

    check: PublishedReport | None
    """How the records are published, if that was looked at."""


class DnsRecord(TypedDict):
    """As it is."""

    chunks: list[str]
    """The strings of a TXT record."""
    condition: str | None
    """What must hold for it, or what keeps it from being complete."""
    data: RecordData | None
    fqdn: str
    """The full owner name, without the final dot."""
    id: str
    """Stable: ``example.com/MX``."""
    level: Level
    name: str
    """Relative to the zone; ``@`` is the zone itself."""
    ttl: int
    """Seconds."""
    type: Literal["A", "AAAA", "CAA", "CNAME", "MX", "PTR", "SRV", "TLSA", "TXT"]
    value: str | None
    """The presentation form of zone files; nothing as long as it is not known."""
    why: str
    """Why it is there, and what it does."""
    zone: str
    """The zone it belongs to."""


class DnsReport(TypedDict):
    """All records of a deployment, by zone."""

    mail_host: str
    """The deployment."""
    schema: int
    """Version of this format."""
    zones: list[DnsZone]
    """One entry for each zone that somebody has to edit."""


class DnsText(TypedDict):
    """DNS records in a form for programs or people."""

    name: str
    """What a file with it is called: ``example.com.yaml``."""
    text: str
    """What is in it."""
    zone: str
    """Whose records they are; empty where they are those of all zones."""


class DnsZone(TypedDict):
    """The records of one zone."""

    records: list[DnsRecord]
    """Its records."""
    zone: str
    """The zone's name."""


class _DomainRequired(TypedDict):
    name: str
    """Its name."""


class Domain(_DomainRequired, total=False):
    """An email domain of the server."""

    alternatives: list[str] | None
    """Domains whose addresses are the same as this one's."""
    comment: str | None
    """A note, 255 characters at most."""
    managers: list[str] | None
    """Users who may manage it in the admin interface."""
    max_aliases: int | None
    """How many aliases it may have; -1: as many as you like."""
    max_quota_bytes: int | None
    """The largest quota of a user, in bytes; 0: any."""
    max_users: int | None
    """How many users it may have; -1: as many as you like."""
    signup_enabled: bool | None
    """Whether people may sign up themselves."""


Done: TypeAlias = Literal["unchanged", "started", "restarted", "created", "recreated"]
"""What became of a service.

``unchanged``: Its container was left alone. ``started``: Its container was started as it was. ``restarted``:
Its container was restarted. ``created``: It has a container for the first time. ``recreated``: Its container
was replaced."""


class Drawn(TypedDict):
    """One value that was drawn, to be written into ``mailu.toml``."""

    key: str
    """The key: ``network.subnet``."""
    value: str
    """The value."""


class End(TypedDict):
    """What an archive ends with."""

    bytes: int
    """The bytes in all files."""
    files: int
    """How many of them are files."""
    files_sha256: str
    """SHA-256 of the member [``FILES``]."""
    members: int
    """How many members there are between head and list."""
    messages: int
    """How many are messages."""


class EntryPoints(TypedDict):
    """``[traefik.entrypoints]``: the names of Traefik's entry points."""

    imap: str
    """Port 143."""
    imaps: str
    """Port 993."""
    pop3: str
    """Port 110."""
    pop3s: str
    """Port 995."""
    sieve: str
    """Port 4190."""
    smtp: str
    """Port 25."""
    submission: str
    """Port 587."""
    submissions: str
    """Port 465."""
    web: str
    """Port 80."""
    websecure: str
    """Port 443."""


ErrorKind: TypeAlias = Literal["invalid_input", "not_found", "conflict", "io", "corrupt", "docker", "internal"]
"""What an [``Error``] is about, for callers that branch.

``invalid_input``: Something that was given is wrong; the findings say what. ``not_found``: There is no such
deployment, file or key. ``conflict``: What is there and what is wanted exclude each other; nothing was changed.
``io``: Reading or writing a file failed. ``corrupt``: A file of ours is damaged. ``docker``: Docker or Compose
is missing or refused. ``internal``: A mistake in this program."""


class Executed(TypedDict):
    """How a program in a container ended."""

    exit_code: int
    """Its exit code."""
    service: str
    """The service."""
    stderr: str
    """What it wrote to its error output; empty where that went through."""
    stdout: str
    """What it wrote to its output; empty where that went through."""


class Exported(TypedDict, total=False):
    """Accounts written down."""

    file: str | None
    """The file that it is in instead."""
    text: str | None
    """The text, where it was not written into a file."""


class Fact(TypedDict):
    """Something that was seen to work."""

    id: str
    """Stable: ``relay_refused``."""
    message: str
    """What was seen, and where."""


class FailedDeployment(TypedDict):
    """It failed."""

    directory: str
    """The deployment."""
    error: Failure
    """Why."""


class Failure(TypedDict):
    """An [``Error``] as plain data."""

    cause: str | None
    """Why it failed, if something else made it fail."""
    code: str
    """Stable, dotted: ``config.invalid``."""
    findings: list[Finding]
    """Everything that is wrong, where that is a list."""
    hints: list[str]
    """What to type next."""
    kind: ErrorKind
    """What it is about."""
    message: str
    """What was attempted on what."""


class FieldInfo(TypedDict):
    """An attribute, as it is told to other languages."""

    doc: str
    """What it is."""
    example: str
    """How a value of it is written in ``accounts.toml``."""
    name: str
    """Mailu's name for it, also in JSON."""


class _FileConflictRequired(TypedDict):
    file: str
    """The file, relative to the deployment's directory."""
    hints: list[str]
    """What to type."""


class FileConflict(_FileConflictRequired, total=False):
    """A disagreement about a file."""

    base: str | None
    """What we wrote last; absent if we never set it, or if that is not known. Secrets as ``***``."""
    key: str | None
    """The key of ``mailu.toml`` that sets the variable, if one does."""
    name: str
    """The variable."""
    ours: str | None
    """What we want now. Secrets as ``***``."""
    reason: str
    """Why it cannot stay as it is."""
    theirs: str | None
    """What stands there. Secrets as ``***``."""


class _FileOverrideRequired(TypedDict):
    file: str
    """The file, relative to the deployment's directory."""


class FileOverride(_FileOverrideRequired, total=False):
    """An edit of a file that stays."""

    name: str
    """The variable."""
    ours: str | None
    """What we would write; absent if we would not set it. Secrets as ``***``."""
    theirs: str | None
    """What stands there; absent if it was removed. Secrets as ``***``."""


class _FindingRequired(TypedDict):
    id: str
    """Stable, dotted: ``config.unknown_key``, ``network.overlap``."""
    message: str
    """The rule, and why it exists."""
    severity: Severity
    """How much it matters."""
    subject: str
    """What it is about: a key of ``mailu.toml`` (``tls.mode``), a variable (``mailu.env: LOG_LEVEL``) or a file."""


class Finding(_FindingRequired, total=False):
    """One judged fact about a configuration, a plan or a running deployment."""

    hints: list[str]
    """What to type or change, most useful first."""
    value: str | None
    """The value found, as written; absent where there is none or where it is a secret."""


class Fleet(TypedDict):
    """How all deployments below a root are."""

    deployments: list[StatusReport]
    """Each."""
    healthy: bool
    """Whether all of them are healthy."""


FrontReload: TypeAlias = Literal["not_needed", "not_running", "serving", "restarted", "unseen", "failed"]
"""What became of front when a certificate was looked after.

``not_needed``: Nothing was new, and front is as it was. ``not_running``: It does not run, and reads the
certificate when it starts. ``serving``: It serves the certificate in place. ``restarted``: It was restarted,
and serves the certificate in place. ``unseen``: What it serves could not be seen. ``failed``: It does not serve
the certificate in place."""


class Head(TypedDict):
    """Whose backup it is, and what made it."""

    client: str | None
    """The client."""
    consistent: bool
    """Whether mail, queue and calendars are known to be of one moment: the engine said that the services that
    write them stood still or did not run."""
    created: str
    """When it was begun, RFC 3339 in UTC."""
    email_domains: list[str]
    """The email domains, the main one first."""
    format: int
    """[``FORMAT``] of its writer."""
    images: dict[str, str]
    """The images that the services had."""
    mail_host: str
    """The mail host."""
    mailu_version: str
    """Mailu's release."""
    program: str
    """The program that wrote it, with its version."""
    schema_head: str | None
    """Alembic's revision of Mailu's database; absent where there is no database yet."""


Health: TypeAlias = Literal["none", "starting", "healthy", "unhealthy"]
"""What a container's health check says.

``none``: It has none. ``starting``: It did not succeed yet, and may still take its time. ``healthy``: It
succeeds. ``unhealthy``: It failed several times in a row."""


class IgnoreRules(TypedDict):
    """What a diagnosis lives with."""

    ignore: list[str]
    """The rules, as they stand in ``mailu.toml``."""


class Ignored(TypedDict):
    """A finding that somebody has decided to live with."""

    finding: Finding
    """The finding."""
    reason: str
    """Why."""
    until: str | None
    """The last day, ``YYYY-MM-DD``."""


class Images(TypedDict):
    """``[images]``: where images come from."""

    clamav: str
    """ClamAV."""
    prefix: str
    """Text before each of their names."""
    redis: str
    """Redis."""
    registry: str
    """Registry and organisation of Mailu's images."""
    tika: str
    """Apache Tika."""
    traefik: str
    """Traefik, where ``install --with-deps`` installs one."""


class InstallPackagesDependencyStep(TypedDict):
    """Installs packages; none where the lists have to be fetched before it is known which."""

    action: Literal["install_packages"]
    packages: list[str]
    """Their names."""


class _InstalledRequired(TypedDict):
    details: Details
    """The deployment."""
    dns: DnsReport
    """The DNS records to publish."""
    next: list[NextStep]
    """What to do next, in this order."""
    performed: bool
    """Whether it was performed."""
    plan: Plan
    """The plan."""


class Installed(_InstalledRequired, total=False):
    """What an installation did, or in a dry run would do."""

    containers: list[ServiceRun]
    """Which containers would be touched, where that was only planned; what only Compose can tell is not among
    them."""
    dependencies: Dependencies | None
    """What was installed before; absent where that was not asked for."""
    preflight: PreflightReport | None
    """What was found on this host before; absent where it was not to be started."""
    run: Run | None
    """What bringing it up did and found; absent where that was not asked for."""
    timers: list[Finding]
    """What is worth knowing of the timers."""


_IntegratedBase = TypedDict("_IntegratedBase", {"from": "str"})


class _IntegratedRequired(_IntegratedBase):
    app: str
    """The app."""
    changed: bool
    """Whether anything differed from what it should be."""
    findings: list[Finding]
    """What needs an eye. With an error among them, the app does not send."""
    login: str
    """Who logs in."""
    notes: list[str]
    """What to do, and what to know."""
    parts: list[Part]
    """Everything it needs, with what happens to each."""
    performed: bool
    """Whether it was done."""
    proof: Proof
    """How far it was shown that it sends."""


class Integrated(_IntegratedRequired, total=False):
    """What became of an app."""

    site: str | None
    """Which of several."""
    version: str | None
    """The app's version, where it is known."""


class ItemEvent(TypedDict):
    """A piece of the result."""

    item: Any
    """It; its type is the operation's."""
    kind: Literal["item"]


class KeptArchive(TypedDict):
    """A backup, and why it is kept."""

    name: str
    """Its name."""
    rules: list[str]
    """For which rules it is kept: ``last``, ``daily``, ``weekly``, ``monthly``; none if it goes."""


class KeptPlace(TypedDict):
    """Something that stays."""

    place: str
    """Where it is."""
    what: str
    """What it is."""


KeyFit: TypeAlias = Literal["matches", "other", "unreadable", "missing"]
"""Whether a key belongs to its certificate.

``matches``: It does. ``other``: It is another certificate's. ``unreadable``: It is no private key that can be
read. ``missing``: There is none."""


Level: TypeAlias = Literal["required", "recommended", "optional"]
"""How much depends on a record.

``required``: Mail does not work, or is refused by large receivers, without it. ``recommended``: Large receivers
or mail programs profit from it. ``optional``: For those who want it."""


class Limits(TypedDict):
    """``[limits]``"""

    auth_per_ip: str
    """Failed logins by unknown accounts from one network (/24, IPv6 /48)."""
    auth_per_user: str
    """Failed logins of one account."""
    exempt: list[str]
    """Users for whom ``messages`` does not count: those by which newsletters go out. ``mailu integrate APP
    --exempt`` adds an app's."""
    message_size: BytesSchema
    """Largest message, encoded. Attachments can be about a third smaller."""
    messages: str
    """Recipients that one user may write to."""
    quota: BytesSchema
    """Quota of a new mailbox. ``0`` is unlimited."""


LogDriver: TypeAlias = Literal["json-file", "local", "journald"]
"""Docker's log driver. ``docker logs`` reads all three.

``json-file``: Files beside the container, rotated at 10 MB, five kept. ``local``: Docker's compact files,
rotated. ``journald``: systemd's journal; the host must have one."""


class LogEntry(TypedDict):
    """A line that a service wrote."""

    at: str
    """When, RFC 3339 in UTC."""
    container: str
    """Its container."""
    service: str
    """The service."""
    text: str
    """The line."""


LogLevel: TypeAlias = Literal["critical", "error", "warning", "info", "debug"]
"""Threshold of Mailu's own log lines.

``critical``: Only what stops a service. ``error``: Failures. ``warning``: Doubtful things. ``info``: Logins and
deliveries too. Monitoring needs it. ``debug``: Everything."""


class Logs(TypedDict):
    """``[logs]``"""

    driver: LogDriver
    """Docker's log driver: ``json-file``, ``local`` or ``journald``."""
    level: LogLevel
    """Mailu's threshold: ``critical``, ``error``, ``warning``, ``info`` or ``debug``."""


class Mail(TypedDict):
    """``[mail]``: how mail is treated."""

    compression: Compression
    """Compression of stored mail: ``none``, ``gz``, ``bz2`` or ``zstd``."""
    compression_level: int | None
    """Its level, 1 to 9."""
    fetchmail_delay: int
    """Seconds between two fetches from other servers."""
    recipient_delimiter: str
    """Characters that separate a mailbox from a tag: ``jane+shop@example.com``."""
    reject_unlisted_recipient: bool
    """Refuse unknown local recipients of authenticated senders at once instead of bouncing."""
    search_languages: list[str]
    """Languages for full-text search."""
    spam_threshold: int
    """Score in percent from which mail counts as spam for a new user."""


class MakeDirectoryDependencyStep(TypedDict):
    """Makes Traefik's directory."""

    action: Literal["make_directory"]
    path: str
    """Which."""


class MakeNetworkDependencyStep(TypedDict):
    """Makes the network that Traefik and the fronts share."""

    action: Literal["make_network"]
    command: str
    """The command that does the same."""
    name: str
    """Its name."""


class MendPackagesDependencyStep(TypedDict):
    """Completes an interrupted installation of packages."""

    action: Literal["mend_packages"]


class MtaSts(TypedDict):
    """``[mta_sts]``: the policy by which other servers deliver here over verified TLS only (RFC 8461)."""

    max_age: int
    """Seconds that other servers keep the policy, at most 31557600. Short ones protect little: use weeks with
    ``enforce``."""
    mode: MtaStsMode
    """``off``, ``testing`` (failures are only reported, see ``tls_rpt.rua``), ``enforce`` (other servers keep mail
    back unless the certificate on port 25 is valid) or ``none`` (withdraws a policy: keep it for the old
    ``max_age`` before ``off``). Front serves the policy as ``https://mta-sts.`` and each email domain, so those
    names must lead here. Off by default: a wrong policy keeps mail away for as long as ``max_age``, so begin
    with ``testing``."""


MtaStsMode: TypeAlias = Literal["off", "testing", "enforce", "none"]
"""What other servers do that cannot deliver here over verified TLS (RFC 8461 §5).

``off``: No policy is published. ``testing``: They deliver, and report. ``enforce``: They do not deliver.
``none``: The policy is withdrawn (RFC 8461 §8.3)."""


class MxData(TypedDict):
    """RFC 1035 §3.3.9."""

    exchange: str
    """The mail host."""
    preference: int
    """Lower is tried first."""


class Negative(TypedDict):
    """Something that a server must refuse."""

    detail: str
    """What was seen, mostly in the server's words."""
    milliseconds: int
    """How long it took."""
    name: str
    """``relay``, ``auth_on_25`` or ``forged_sender``."""
    outcome: DeliveryOutcome
    """``passed``: it was refused."""


class Network(TypedDict):
    """``[network]``: Docker networks. Drawn once from the pool, then kept."""

    access: str | None
    """The network through which published ports enter."""
    clamav: str | None
    """The virus scanner's network."""
    fts_attachments: str | None
    """The attachment reader's network."""
    ipv6: bool
    """Give the main network IPv6."""
    oletools: str | None
    """The macro scanner's network."""
    pool: list[str]
    """Where subnets are drawn from: one /24 for each deployment, the last one for Traefik's network."""
    radicale: str | None
    """The WebDAV server's network."""
    subnet: str | None
    """The main network: Mailu's SUBNET. Whatever has an address in it may relay."""
    subnet6: str | None
    """Its IPv6 subnet: Mailu's SUBNET6. Default: a unique local one derived from the mail host."""
    webmail: str | None
    """The webmail's network."""


class NextStep(TypedDict):
    """Something that is left to a person."""

    command: str
    """What to type."""
    why: str
    """What it is for."""


class Operated(TypedDict):
    """What came of it."""

    action: Power
    """What was done."""
    done: bool
    """Whether the services are as they should be now."""
    findings: list[Finding]
    """Whatever needs an eye."""
    mail_host: str
    """The mail host."""
    seconds: int
    """How long that took, in seconds."""
    services: list[Service]
    """The services."""


Origin: TypeAlias = Literal[
    "self_signed",
    "traefik",
    "files",
    "lets_encrypt",
    "by_hand",
    "interrupted",
    "missing",
]
"""Where the pair that front has comes from.

``self_signed``: Made here, to keep front alive until there is a real one. ``traefik``: Taken from Traefik's
store. ``files``: Copied from ``tls.certificate`` and ``tls.key``. ``lets_encrypt``: Mailu's own, from Let's
Encrypt. ``by_hand``: Somebody put it there. ``interrupted``: Of two different pairs: a run was interrupted
between the two files. ``missing``: There is none."""


class _OutcomeRequired(TypedDict):
    details: Details
    """The deployment."""
    dns: DnsReport
    """The DNS records to publish."""
    next: list[NextStep]
    """What to do next, in this order."""
    performed: bool
    """Whether it was performed."""
    plan: Plan
    """The plan."""


class Outcome(_OutcomeRequired, total=False):
    """What an operation did, or in a dry run would do."""

    containers: list[ServiceRun]
    """Which containers would be touched, where that was only planned; what only Compose can tell is not among
    them."""
    preflight: PreflightReport | None
    """What was found on this host before; absent where it was not to be started."""
    run: Run | None
    """What bringing it up did and found; absent where that was not asked for."""


class Pair(TypedDict):
    """A certificate and its key, as files."""

    certificate: Certificate | None
    """The certificate, if it can be read."""
    key: KeyFit
    """Whether the key is its own."""
    key_path: str
    """The key's file."""
    origin: Origin
    """Where they come from."""
    path: str
    """The chain's file, relative to the deployment's directory."""


class _PartRequired(TypedDict):
    action: PartAction
    """What happens to it."""
    kind: str
    """``mailbox``, ``alias``, ``token``, ``route``, ``exemption``, ``settings`` or ``record``."""
    name: str
    """Which."""


class Part(_PartRequired, total=False):
    """A part of what an app needs."""

    details: list[str]
    """More of it, without secrets."""


PartAction: TypeAlias = Literal["keep", "create", "change", "remove"]
"""What happens to a part.

``keep``: It is as it should be. ``create``: It is made. ``change``: It is changed. ``remove``: It is taken
away."""


class Plan(TypedDict):
    """What has to be done, in order."""

    conflicts: list[FileConflict]
    """Disagreements. While there is one, nothing is performed."""
    directory: str
    """The deployment's directory."""
    drawn: list[Drawn]
    """Values that were drawn and are kept in ``mailu.toml``."""
    findings: list[Finding]
    """Warnings and notices."""
    mail_host: str
    """The deployment's mail host."""
    overrides: list[FileOverride]
    """Edits that stay."""
    steps: list[Step]
    """The steps. None: nothing to do."""


class Ports(TypedDict):
    """``[ports]``: the mail ports and how they are reached."""

    address: str
    """The host's IPv4 address on which Docker publishes ports."""
    address6: str | None
    """The host's IPv6 address on which Docker publishes ports. Needs ``network.ipv6``."""
    mail: list[Literal["25", "465", "587", "143", "993", "110", "995", "4190"]]
    """Mail ports to offer, out of 25 110 143 465 587 993 995 4190."""
    via: Via | None
    """``traefik`` or ``published``. Default: as web traffic."""


Power: TypeAlias = Literal["start", "stop", "restart"]
"""What is to be done with services.

``start``: Start those that do not run; make the container of one that has none. ``stop``: Stop them.
``restart``: Stop and start them."""


class PreflightCheck(TypedDict):
    """A check that was done, or skipped."""

    id: str
    """Its identifier."""
    outcome: CheckOutcome
    """How it ended."""
    summary: str
    """What was seen."""


class PreflightReport(TypedDict):
    """What all checks found."""

    checks: list[PreflightCheck]
    """Every check."""
    findings: list[Finding]
    """Everything that was found, errors first."""
    mail_host: str
    """The deployment's mail host."""
    ready: bool
    """Whether nothing keeps the deployment from running."""
    skipped: list[str]
    """The checks that were left out on request."""


Proof: TypeAlias = Literal["none", "server", "sent", "arrived"]
"""How far it was shown that the app sends.

``none``: Not at all: it was not tried. ``server``: The server takes mail with this login and these addresses.
The app itself has not sent. ``sent``: The server has taken a message that the app itself has sent. ``arrived``:
A message that the app itself has sent has arrived."""


class Pruned(TypedDict):
    """What was given up."""

    archives: list[KeptArchive]
    """Every archive, the newest first, with the rules that keep it."""
    dry_run: bool
    """Whether it was only asked what would go."""
    removed: list[str]
    """Those that went, or would go."""


class PublishedReport(TypedDict):
    """The result of a check."""

    complete: bool
    """Whether every required record is there and right."""
    findings: list[Finding]
    """What is wrong, worst first, each with what to change."""
    mail_host: str
    """The deployment."""
    records: list[Checked]
    """The records, in the order of the generator."""
    schema: int
    """Version of this format."""
    uncertain: bool
    """Whether something could not be found out."""


class Queue(TypedDict):
    """What waits in Postfix's queue."""

    bytes: int
    """How many bytes."""
    messages: int
    """How many messages."""
    oldest: int | None
    """When the oldest arrived, in seconds since 1970."""
    queues: dict[str, int]
    """How many messages in each of Postfix's queues: ``active``, ``deferred``, ``hold``, ``incoming``."""
    reasons: list[QueueReason]
    """Why recipients wait, most frequent first."""


class QueueReason(TypedDict):
    """Why recipients wait."""

    reason: str
    """In Postfix's or the other server's words."""
    recipients: int
    """How many recipients."""


RecordState: TypeAlias = Literal["right", "accepted", "partial", "missing", "wrong", "unknown", "open"]
"""How a record is.

``right``: It is there, at every name server, and says what it should. ``accepted``: It is there, and says
something else that does no harm. ``partial``: It is at some name servers only. ``missing``: It is not there.
``wrong``: What is there is wrong. ``unknown``: It could not be found out. ``open``: It is not known yet what it
should say."""


class Relay(TypedDict):
    """``[relay]``: another server that takes outgoing mail, and networks that may send without a password."""

    host: str | None
    """``[host]:port``. Empty: deliver directly."""
    networks: list[str]
    """Networks whose hosts may send without a password."""
    user: str | None
    """User at that server. The password is a secret: ``mailu install --relay-password-file FILE``."""


class _RelayedDomainRequired(TypedDict):
    name: str
    """Its name."""


class RelayedDomain(_RelayedDomainRequired, total=False):
    """A relayed domain."""

    comment: str | None
    """A note, 255 characters at most."""
    smtp: str | None
    """The server that its mail goes to, ``HOST`` or ``HOST:PORT``; empty: DNS says."""


class Remembered(TypedDict):
    """A finding of an earlier diagnosis."""

    id: str
    """Its identifier."""
    message: str
    """What it said."""
    subject: str
    """What it was about."""


class RenderedFile(TypedDict):
    """A generated file. ``Debug`` leaves out its text."""

    mode: int
    """Permission bits."""
    path: str
    """Relative to the deployment's directory."""
    text: str
    """The text. ``mailu.env`` holds secrets if they were given."""


class RestoreStep(TypedDict):
    """One thing that restoring does."""

    action: str
    """A word for it: ``verify``, ``stage``, ``hold``, ``carry``, ``swap``, ``start``, ``keep``; for one mailbox
    ``merge``."""
    detail: str
    """What it does to what."""


class _RestoredRequired(TypedDict):
    carried: Carried
    """Mail that had arrived since the backup and is still there; for one mailbox, what was added to it."""
    client: str | None
    """Its client."""
    directory: str
    """The deployment's directory."""
    findings: list[Finding]
    """Whatever needs an eye."""
    mail_host: str
    """The mail host."""
    performed: bool
    """Whether it was done."""
    steps: list[RestoreStep]
    """What is done, in order."""


class Restored(_RestoredRequired, total=False):
    """What came of restoring."""

    archive: RestoredArchive | None
    """The archive; absent where an interrupted run was finished without it."""
    kept: str | None
    """What was there before, kept."""
    recovered: str | None
    """What was found of an interrupted run, and what was done about it."""
    remove_command: str | None
    """The command that removes it."""
    run: Run | None
    """What bringing it up did and found; absent where nothing was started."""


class RestoredArchive(TypedDict):
    """The archive, as it was found."""

    bytes: int
    """Their bytes."""
    created: str | None
    """When it was made; absent where it was made by hand."""
    file: str
    """The file."""
    files: int
    """How many files it has."""
    mailu_version: str | None
    """Mailu's release."""
    messages: int
    """How many of them are messages."""


class Results(TypedDict):
    """What the server that took the message in wrote at its head, each as RFC 8601 names it (``pass``, ``fail``,
    ``none`` …), and absent where it said nothing. Of a message that was handed in with a login, servers say
    little: it comes from nowhere else."""

    auth: str | None
    """The login with which it was handed in."""
    dkim: str | None
    """DKIM."""
    dmarc: str | None
    """DMARC."""
    signed: str | None
    """The domain and selector with which it is signed, as they stand in DNS."""
    spf: str | None
    """SPF."""


class Run(TypedDict):
    """What bringing a deployment up did, and what the running server showed."""

    changes: list[str]
    """What was changed beside containers: images, networks, accounts."""
    findings: list[Finding]
    """What does not work, and what could not be tried."""
    installed: bool
    """Whether the deployment counts as installed now."""
    services: list[ServiceRun]
    """The services, in the order in which they start."""
    stages: list[Stage]
    """The stages that were passed."""
    verified: list[Fact]
    """What was seen to work."""


class SaidEvent(TypedDict):
    """What is being done, or waited for and why."""

    kind: Literal["said"]
    line: str
    """A sentence."""


class Secret(TypedDict):
    """One secret, because somebody asked for it."""

    name: str
    """Its name."""
    value: str
    """What it is."""


class Served(TypedDict):
    """What a port was found to serve."""

    address: str
    """The address that was asked."""
    certificate: Certificate | None
    """The certificate that it showed."""
    error: str | None
    """Why it showed none."""
    expected: bool | None
    """Whether it is one that it should show; nothing where that is not known."""
    port: int
    """The port."""


class Service(TypedDict):
    """A service of a deployment."""

    cause: Cause | None
    """Why it is not well."""
    container: str
    """Its container's name."""
    digests: list[str]
    """The image's digests in registries; none for an image that was made here."""
    drift: list[str]
    """How its container differs from what the files say, in words; it stays so until it is made anew."""
    health: Health | None
    """What its health check says."""
    image: str
    """The image that it should have."""
    image_id: str | None
    """The identifier of the image that it has."""
    level: ServiceLevel
    """How it is."""
    name: str
    """Its name."""
    restarts: int
    """How often the engine has started it again by itself."""
    since: str | None
    """Since when it runs, or does not: RFC 3339."""
    state: ContainerState | None
    """What the container is doing; absent without one."""
    usage: Usage | None
    """What it uses."""


ServiceLevel: TypeAlias = Literal["well", "starting", "failing", "looping", "stopped", "absent", "unknown"]
"""How a service is.

``well``: It runs, and its health check, if it has one, succeeds. ``starting``: It runs, and its health check
did not succeed yet. ``failing``: It runs, and does not do its work. ``looping``: It ends again and again.
``stopped``: It does not run. ``absent``: It has no container. ``unknown``: Nobody knows: the engine does not
answer."""


class _ServiceRunRequired(TypedDict):
    container: str
    """Its container's name."""
    done: Done
    """What became of it."""
    ready: bool
    """Whether it does its work."""
    service: str
    """Its name."""


class ServiceRun(_ServiceRunRequired, total=False):
    """A service after a run."""

    why: list[str]
    """Why it was made anew or restarted."""


class Services(TypedDict):
    """``[services]``: what runs."""

    admin: bool
    """Serve the admin interface."""
    antispam: bool
    """Rspamd. Always on: it also signs DKIM, and Postfix defers mail without it."""
    antivirus: bool
    """ClamAV. Needs 3 GB of memory in all."""
    api: bool
    """Serve the REST API to the outside. Inside, it always runs."""
    fetchmail: bool
    """Let users fetch mail from other servers."""
    macro_scan: bool
    """Refuse documents with dangerous macros (oletools)."""
    resolver: bool
    """A DNSSEC-validating resolver (unbound). Mailu's admin does not start without one."""
    search: bool
    """Full-text search over IMAP."""
    search_attachments: bool
    """Search inside attachments (Apache Tika). Needs 1 to 2 GB of memory more."""
    statistics: bool
    """Let Mailu count this installation by a DNS query."""
    webdav: bool
    """Calendars and contacts (Radicale)."""
    webmail: Webmail
    """``roundcube``, ``snappymail`` or ``none``. ``rainloop`` is read as ``snappymail``."""


Severity: TypeAlias = Literal["notice", "warning", "error"]
"""How much a [``Finding``] matters.

``notice``: Worth knowing; nothing has to be done. ``warning``: Works, but somebody should look at it.
``error``: Nothing is written while it stands."""


class Silenced(TypedDict):
    """A finding that is there only because of another."""

    cause: str
    """The identifier of its cause."""
    cause_subject: str
    """The subject of its cause."""
    finding: Finding
    """The finding."""


class Source(TypedDict):
    """What the pair in ``data/certs`` is taken from."""

    certificate: Certificate | None
    """What it has for this server, if anything."""
    in_place: bool
    """Whether that is what front has."""
    path: str
    """Traefik's store, or the file that ``tls.certificate`` names."""


SpfAll: TypeAlias = Literal["fail", "softfail"]
"""What the SPF record says about everybody else (RFC 7208 §5.1).

``fail``: ``-all``: refuse. ``softfail``: ``~all``: accept, with suspicion."""


class SrvData(TypedDict):
    """RFC 2782."""

    port: int
    """0 with target ``.`` says that there is no such service."""
    priority: int
    """Lower is tried first."""
    target: str
    """The host, or ``.``."""
    weight: int
    """Share among equals."""


Stage: TypeAlias = Literal["look", "images", "networks", "services", "accounts", "verify", "finish"]
"""A part of a run.

``look``: Looking at what is there. ``images``: The images. ``networks``: The network shared with Traefik, and
old networks. ``services``: The containers. ``accounts``: Email domains and the first administrator. ``verify``:
Trying the running server. ``finish``: Noting that it is installed."""


class StageEvent(TypedDict):
    """A part of bringing a deployment up begins."""

    kind: Literal["stage"]
    stage: str
    """Its name."""


class StartEngineDependencyStep(TypedDict):
    """Starts the engine, now and at every start of the host."""

    action: Literal["start_engine"]


class StartTraefikDependencyStep(TypedDict):
    """Starts Traefik, or brings it to what its files say."""

    action: Literal["start_traefik"]
    directory: str
    """Its directory."""


Starttls: TypeAlias = Literal["required", "opportunistic", "unverified", "impossible"]
"""What STARTTLS is worth in an app.

``required``: The app sends nothing without it. ``opportunistic``: The app goes on without encryption where
somebody on the way hides the offer. ``unverified``: The app encrypts for whoever is there, without looking at
the certificate. ``impossible``: The app cannot do it."""


class StatusReport(TypedDict):
    """How a deployment is, with everything that was seen."""

    backups: Backups
    """The backups."""
    certificates: list[Pair]
    """The pairs of certificate and key that front has."""
    client: str | None
    """Its client."""
    directory: str
    """Its directory."""
    disk: Disk | None
    """The disk."""
    engine: str | None
    """The engine's version; absent where it does not answer."""
    findings: list[Finding]
    """Whatever needs an eye, worst first."""
    healthy: bool
    """Whether nothing has to be done."""
    mail_host: str
    """Its mail host."""
    queue: Queue | None
    """The mail queue; absent where smtp does not run or does not tell."""
    services: list[Service]
    """Its services, in the order in which they start."""
    urls: Addresses
    """Where it is reached."""
    verdict: Verdict
    """How it is."""
    version: str | None
    """The release of Mailu that ``mailu.toml`` names."""


class _StepRequired(TypedDict):
    action: Action
    """What it does."""
    path: str
    """To which file or directory."""


class Step(_StepRequired, total=False):
    """One step of a plan."""

    detail: list[str]
    """What changes, line by line. Never a secret."""
    mode: str | None
    """Permission bits, in octal: ``0600``."""
    owner: list[int] | None
    """Numeric owner and group, where they matter."""


class StepEvent(TypedDict):
    """A step of a plan is about to be done."""

    kind: Literal["step"]
    number: int
    """Which, from 1."""
    text: str
    """It, in words."""
    total: int
    """Of how many."""


class TimerState(TypedDict):
    """The timer, and what was done about it."""

    changed: bool
    """Whether anything was changed."""
    cron: str
    """A line for cron that does the same."""
    findings: list[Finding]
    """What is worth knowing."""
    installed: bool
    """Whether the units are in place."""
    systemd: bool
    """Whether this host runs systemd."""
    units: list[list[str]]
    """Its units and their text."""


class Tls(TypedDict):
    """``[tls]``"""

    certificate: str | None
    """Mode ``cert``: the certificate chain, PEM. Copied into the deployment at every ``apply``."""
    key: str | None
    """Mode ``cert``: the private key, PEM."""
    mode: TlsMode
    """Who terminates TLS: ``traefik``, ``passthrough``, ``letsencrypt``, ``cert`` or ``none``."""


TlsMode: TypeAlias = Literal["traefik", "passthrough", "letsencrypt", "cert", "none"]
"""Who terminates TLS, and where the certificate comes from.

``traefik``: Traefik terminates HTTPS and obtains the certificate; mail ports get a copy of it. ``passthrough``:
Traefik passes TLS through by server name; Mailu obtains its own certificate from Let's Encrypt.
``letsencrypt``: No proxy: Mailu holds ports 80 and 443 and obtains its own certificate from Let's Encrypt.
``cert``: No proxy: the certificate comes from files of yours. ``none``: No encryption at all. For tests."""


class TlsRpt(TypedDict):
    """``[tls_rpt]``: reports about deliveries over TLS that failed (RFC 8460)."""

    rua: list[str]
    """Where other servers send them, once a day: mail addresses or https addresses. Empty: no reports."""


class TlsaData(TypedDict):
    """RFC 6698."""

    association: str
    """In hexadecimal, lower case."""
    matching: int
    """0 for all of it, 1 for SHA-256, 2 for SHA-512."""
    selector: int
    """0 for the certificate, 1 for its public key."""
    usage: int
    """2 (DANE-TA) or 3 (DANE-EE): others are not for mail (RFC 7672 §3.1.3)."""


class _TokenRequired(TypedDict):
    authorized: list[IpNet]
    """Where it may be used from; empty: anywhere."""
    comment: str
    """What it is for."""
    email: str
    """Whose it is."""
    id: int
    """Its number."""


class Token(_TokenRequired, total=False):
    """A password that Mailu has drawn for one program of a user's. What it is, is told once, when it is made:
    [``NewToken``]."""

    created: str | None
    """The day on which it was made, ``YYYY-MM-DD``."""


class TokenDeleted(TypedDict):
    """What became of a token that was to go."""

    deleted: bool
    """Whether there was one."""
    id: int
    """Its number."""


class _TokenMadeRequired(TypedDict):
    authorized: list[IpNet]
    """Where it may be used from; empty: anywhere."""
    comment: str
    """What it is for."""
    email: str
    """Whose it is."""
    id: int
    """Its number."""


class TokenMade(_TokenMadeRequired, total=False):
    """A token that was made. ``Debug`` hides what it is."""

    created: str | None
    """The day on which it was made, ``YYYY-MM-DD``."""
    file: str | None
    """The file that it is in instead."""
    token: str | None
    """The token itself, which is told this once."""


class Traefik(TypedDict):
    """``[traefik]``: where Traefik lives."""

    acme_ca: str | None
    """Where a Traefik that ``install --with-deps`` installs gets certificates: an ACME directory. Default: Let's
    Encrypt."""
    acme_store: str | None
    """Traefik's ACME store on the host, from which the certificate for the mail ports is taken."""
    address: str | None
    """Front's fixed address in that network. Drawn from the upper half of ``subnet``."""
    entrypoints: EntryPoints
    """The names of Traefik's entry points."""
    network: str
    """The Docker network that Traefik and front share. Nothing else belongs in it."""
    resolver: str
    """Traefik's certificate resolver."""
    subnet: str | None
    """The subnet of that network. Drawn from the pool for the default network; its second quarter is for Traefik."""
    trusted: list[str]
    """Whose word about client addresses front believes. Default: Traefik's part of ``subnet``. Set it for a
    network that you made."""


class TxtData(TypedDict):
    """RFC 1035 §3.3.14. The text is what the strings make together, without a space between them."""

    text: str
    """The whole text."""


class Uninstalled(TypedDict):
    """What came of taking a deployment down."""

    containers: list[str]
    """The containers that were removed."""
    deleted: list[str]
    """The directories that were deleted."""
    kept: list[KeptPlace]
    """What stays, and where."""
    mail_host: str
    """The mail host."""
    networks: list[str]
    """The networks that were removed."""


class Unknown(TypedDict):
    """Something that could not be found out."""

    check: str
    """The check."""
    subject: str
    """What about."""
    why: str
    """Why not."""


class UpdateListsDependencyStep(TypedDict):
    """Fetches the lists of packages."""

    action: Literal["update_lists"]


_UpdatedBase = TypedDict("_UpdatedBase", {"from": "str"})


class _UpdatedRequired(_UpdatedBase):
    client: str | None
    """Its client."""
    directory: str
    """The deployment's directory."""
    findings: list[Finding]
    """Whatever needs an eye."""
    mail_host: str
    """The mail host."""
    performed: bool
    """Whether it was done."""
    steps: list[RestoreStep]
    """What is done, in order; nothing where there is nothing to do."""
    to: str
    """The release that runs now, or would."""


class Updated(_UpdatedRequired, total=False):
    """What came of it."""

    backup: str | None
    """The backup that was taken for it."""
    kept: str | None
    """What was there before, kept: of a deployment that ``AgencyStack``'s old installer had made."""
    recovered: str | None
    """What was found of an interrupted run, and what was done about it."""
    remove_command: str | None
    """The command that removes it."""
    run: Run | None
    """What bringing it up did and found; absent where nothing was started."""
    stood_still_seconds: int | None
    """How long services stood still, in seconds: from the first that was stopped until all were ready."""


class Usage(TypedDict):
    """What a container uses at the moment."""

    cpu_percent: float | None
    """Share of one processor, in percent; more than 100 with several."""
    memory: int | None
    """Memory in bytes, without the page cache."""
    memory_limit: int | None
    """How much memory it may have, in bytes."""


class _UserRequired(TypedDict):
    email: str
    """Its address, which is its login."""


class User(_UserRequired, total=False):
    """A mailbox. Its password is nowhere here."""

    allow_spoofing: bool | None
    """Whether it may send as anybody in its domain."""
    change_pw_next_login: bool | None
    """Whether it has to choose a password at its next log-in on the web."""
    comment: str | None
    """A note, 255 characters at most."""
    displayed_name: str | None
    """The name beside the address, 160 characters at most."""
    enable_imap: bool | None
    """Whether mail may be read by IMAP."""
    enable_pop: bool | None
    """Whether mail may be read by POP3."""
    enabled: bool | None
    """Whether it may log in. Mail is delivered either way."""
    forward_destination: list[str] | None
    """Where to."""
    forward_enabled: bool | None
    """Whether mail is forwarded."""
    forward_keep: bool | None
    """Whether forwarded mail is kept too."""
    global_admin: bool | None
    """Whether it may do anything in the admin interface."""
    quota_bytes: int | None
    """How much mail there may be, in bytes; 0: any."""
    quota_bytes_used: int | None
    """How much mail there is, in bytes; nothing where Mailu was not asked."""
    reply_body: str | None
    """With which text."""
    reply_enabled: bool | None
    """Whether mail is answered automatically."""
    reply_enddate: str | None
    """Until this day, ``YYYY-MM-DD``."""
    reply_startdate: str | None
    """From this day on, ``YYYY-MM-DD``."""
    reply_subject: str | None
    """With which subject."""
    spam_enabled: bool | None
    """Whether spam goes into its folder."""
    spam_mark_as_read: bool | None
    """Whether it is marked as read there."""
    spam_threshold: int | None
    """How sure of that Rspamd has to be, in percent of what rejects."""


class _UserChangedRequired(TypedDict):
    action: AccountAction | None
    """What was done, or in a dry run would be; nothing if it is as it should be."""
    kind: AccountKind
    """What it is."""
    name: str
    """Its name."""
    password: bool
    """Whether its password was set."""
    performed: bool
    """Whether it was done."""


class UserChanged(_UserChangedRequired, total=False):
    """What became of a user, and of a password that was drawn for it."""

    changes: list[Difference]
    """What became of it."""
    drawn_password: str | None
    """The password that was drawn, which is told this once."""
    notes: list[str]
    """What else follows."""
    password_file: str | None
    """The file that it is in instead."""


Verdict: TypeAlias = Literal["healthy", "starting", "degraded", "stopped", "absent", "unknown", "invalid"]
"""How a deployment is.

``healthy``: Every service does its work. ``starting``: Services have just been started and did not say yet that
they are well. ``degraded``: A service does not do its work, or something else is wrong that keeps mail from
working. ``stopped``: Its containers do not run. ``absent``: It has no containers. ``unknown``: Nobody knows:
the engine does not answer. ``invalid``: Its ``mailu.toml`` cannot be used."""


class Verified(TypedDict):
    """An archive that was read to its end, and is as it was written."""

    encrypted: bool
    """Whether it is encrypted."""
    end: End
    """What it ends with."""
    file: str
    """The archive."""
    head: Head
    """What it begins with."""
    size: int
    """Its size in bytes."""


Via: TypeAlias = Literal["traefik", "published"]
"""How the mail ports are reached from outside.

``traefik``: Through Traefik's TCP entry points, with PROXY protocol. ``published``: Published by Docker on an
address of the host."""


class Web(TypedDict):
    """``[web]``: the web interfaces."""

    admin_path: str
    """Path of the admin interface."""
    api_path: str
    """Path of the REST API. Front takes it for every address that contains it."""
    root_redirect: str | None
    """Where ``/`` leads. Default: the webmail, else the admin interface."""
    site_name: str
    """Name shown in the interfaces."""
    webmail_path: str
    """Path of the webmail."""
    website: str | None
    """Link shown in the interfaces. Default: ``https://`` and the email domain."""


Webmail: TypeAlias = Literal["roundcube", "snappymail", "none"]
"""The webmail that is served below ``web.webmail_path``.

``roundcube``: Roundcube. ``snappymail``: SnappyMail, the successor of RainLoop. ``none``: None."""


class Welcome(TypedDict):
    """``[welcome]``: a message to each new user."""

    body: str
    """Its text."""
    enabled: bool
    """Send it. Only users made in the web interface get it."""
    subject: str
    """Its subject."""


class WriteFileDependencyStep(TypedDict):
    """Writes a file of Traefik's project."""

    action: Literal["write_file"]
    path: str
    """Which."""


BytesSchema: TypeAlias = int | str
"""``Bytes`` as a file may write it."""


RecordData: TypeAlias = AddressData | CnameData | MxData | SrvData | CaaData | TlsaData | TxtData
"""What a record says. Names are A-labels without the final dot; ``.`` is the root (no service)."""


BackupTakenOrFailure: TypeAlias = BackupTaken | FailedDeployment
"""What came of one deployment of several: what fails for one does not keep the others from it."""


CertificateReportOrFailure: TypeAlias = CertificateReport | FailedDeployment
"""What came of one deployment of several: what fails for one does not keep the others from it."""


CertificateSyncOrFailure: TypeAlias = CertificateSync | FailedDeployment
"""What came of one deployment of several: what fails for one does not keep the others from it."""


DependencyStep: TypeAlias = MendPackagesDependencyStep | UpdateListsDependencyStep | InstallPackagesDependencyStep | StartEngineDependencyStep | AwaitEngineDependencyStep | MakeNetworkDependencyStep | MakeDirectoryDependencyStep | WriteFileDependencyStep | StartTraefikDependencyStep | AwaitTraefikDependencyStep
"""What a step does."""


IpNet: TypeAlias = str
"""An IPv4 or IPv6 address with prefix length"""


Event: TypeAlias = StepEvent | StageEvent | SaidEvent | ItemEvent
"""Something that is heard while an operation runs."""

Progress: TypeAlias = Callable[[Event], object]
"""Hears what happens while an operation runs, in the thread that called it. What it raises stops the operation."""
