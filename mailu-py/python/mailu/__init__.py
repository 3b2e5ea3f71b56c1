"""Configuration, generated files and DNS records of a Mailu mail server.

Every function takes the configuration as the text of ``mailu.toml`` or as a mapping of the same keys, and returns plain
data, the same that ``mailu --json`` prints. Nothing here touches files, the network or Docker.
"""

from ._mailu import (
    __version__,
    check_config,
    config_schema,
    dns_records,
    error_kinds,
    render,
)
from .errors import (
    ConflictError,
    CorruptError,
    DockerError,
    InternalError,
    InvalidInputError,
    MailuError,
    MailuIOError,
    NotFoundError,
)
from .types import (
    Config,
    DnsRecord,
    DnsReport,
    DnsZone,
    ErrorKind,
    Finding,
    Level,
    RecordType,
    RenderedFile,
    Severity,
)

__all__ = [
    "Config",
    "ConflictError",
    "CorruptError",
    "DnsRecord",
    "DnsReport",
    "DnsZone",
    "DockerError",
    "ErrorKind",
    "Finding",
    "InternalError",
    "InvalidInputError",
    "Level",
    "MailuError",
    "MailuIOError",
    "NotFoundError",
    "RecordType",
    "RenderedFile",
    "Severity",
    "__version__",
    "check_config",
    "config_schema",
    "dns_records",
    "error_kinds",
    "render",
]
