from collections.abc import Mapping
from typing import Any

from .types import Config, DnsReport, ErrorKind, Finding, RenderedFile

__all__ = [
    "__version__",
    "check_config",
    "config_schema",
    "dns_records",
    "error_kinds",
    "render",
]

__version__: str

def check_config(config: Config) -> list[Finding]: ...
def render(
    config: Config,
    *,
    secrets: Mapping[str, str] | None = None,
    dkim_keys: Mapping[str, str] | None = None,
) -> list[RenderedFile]: ...
def dns_records(
    config: Config,
    *,
    dkim_keys: Mapping[str, str] | None = None,
) -> DnsReport: ...
def config_schema() -> dict[str, Any]: ...
def error_kinds() -> list[ErrorKind]: ...
