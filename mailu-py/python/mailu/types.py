"""The data that goes in and comes out. Keys are those of ``mailu --json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, TypedDict, Union

Config: TypeAlias = Union[str, Mapping[str, object]]
"""The text of ``mailu.toml``, or a mapping of the same keys. A key whose value is ``None`` is not set."""

Severity: TypeAlias = Literal["notice", "warning", "error"]
"""How much a finding matters. Nothing is written while there is an ``error``."""

Level: TypeAlias = Literal["required", "recommended", "optional"]
"""How much depends on a DNS record."""

RecordType: TypeAlias = Literal["A", "AAAA", "CAA", "CNAME", "MX", "PTR", "SRV", "TLSA", "TXT"]
"""The type of a DNS record."""

ErrorKind: TypeAlias = Literal[
    "invalid_input",
    "not_found",
    "conflict",
    "io",
    "corrupt",
    "docker",
    "internal",
]
"""What an error is about."""


class _FindingRequired(TypedDict):
    id: str
    severity: Severity
    subject: str
    message: str


class Finding(_FindingRequired, total=False):
    """One judged fact: what is wrong (or worth knowing), where, why, and what to do about it.

    ``id`` is stable and dotted (``config.unknown_key``), ``subject`` the key it is about (``tls.mode``). ``value`` is what
    was found; it is absent where there is nothing or a secret. ``hints`` say what to type, most useful first; absent if
    there are none.
    """

    value: str
    hints: list[str]


class RenderedFile(TypedDict):
    """A generated file: ``path`` relative to the deployment's directory, ``mode`` the permission bits.

    The ``text`` of ``mailu.env`` holds secrets if they were given.
    """

    path: str
    mode: int
    text: str


class AddressData(TypedDict):
    """Of an A or AAAA record."""

    address: str


class CnameData(TypedDict):
    """Of a CNAME or PTR record."""

    target: str


class MxData(TypedDict):
    """Of an MX record."""

    preference: int
    exchange: str


class SrvData(TypedDict):
    """Of an SRV record. Port 0 with target ``.`` says that there is no such service."""

    priority: int
    weight: int
    port: int
    target: str


class CaaData(TypedDict):
    """Of a CAA record (RFC 8659)."""

    flags: int
    tag: str
    value: str


class TlsaData(TypedDict):
    """Of a TLSA record (RFC 6698); ``association`` is hexadecimal."""

    usage: int
    selector: int
    matching: int
    association: str


class TxtData(TypedDict):
    """Of a TXT record: the whole text, in one piece."""

    text: str


class DnsRecord(TypedDict):
    """One record that a deployment needs.

    ``name`` is relative to the zone (``@`` is the zone itself), ``fqdn`` the full name without the final dot. ``value`` is
    the presentation form of zone files, ``chunks`` the strings of a TXT record. ``data`` and ``value`` are ``None`` as long
    as they are not known; ``condition`` then says what is missing.
    """

    id: str
    zone: str
    name: str
    fqdn: str
    type: RecordType
    ttl: int
    data: AddressData | CaaData | CnameData | MxData | SrvData | TlsaData | TxtData | None
    value: str | None
    chunks: list[str]
    level: Level
    why: str
    condition: str | None


class DnsZone(TypedDict):
    """The records of one zone."""

    zone: str
    records: list[DnsRecord]


class DnsReport(TypedDict):
    """All records of a deployment, one entry for each zone that somebody has to edit. ``schema`` counts changes of this format."""

    schema: int
    mail_host: str
    zones: list[DnsZone]
