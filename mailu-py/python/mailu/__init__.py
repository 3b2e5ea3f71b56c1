"""Installs and runs the Mailu mail server.

:class:`Mailu` has the operations on this host, the functions of this module need none. All of them return plain data, the same that
``mailu --json`` prints; what fails raises a :class:`MailuError`. The logger ``mailu`` hears what is going on.
"""

from ._calls import Stream
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
from .operations import (
    ROOT,
    Mailu,
    accounts_schema,
    app_list,
    settings_of_app,
)
from .types import (
    Config,
    DnsRecord,
    DnsReport,
    DnsZone,
    ErrorKind,
    Event,
    Finding,
    Level,
    Progress,
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
    "Event",
    "Finding",
    "InternalError",
    "InvalidInputError",
    "Level",
    "Mailu",
    "MailuError",
    "MailuIOError",
    "NotFoundError",
    "Progress",
    "ROOT",
    "RecordType",
    "RenderedFile",
    "Severity",
    "Stream",
    "__version__",
    "accounts_schema",
    "app_list",
    "check_config",
    "config_schema",
    "dns_records",
    "error_kinds",
    "render",
    "settings_of_app",
]
