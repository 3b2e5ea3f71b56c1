from collections.abc import Callable, Mapping
from typing import Any, final

from .types import Config, DnsReport, ErrorKind, Event, Finding, RenderedFile, StrPath

__all__ = [
    "Stop",
    "__version__",
    "call",
    "check_config",
    "config_schema",
    "dns_records",
    "end",
    "error_kinds",
    "forked",
    "render",
    "schema",
]

__version__: str

@final
class Stop:
    def __new__(cls) -> Stop: ...
    def set(self) -> None: ...
    def is_set(self) -> bool: ...

def call(
    root: StrPath,
    operation: str,
    request: Mapping[str, object],
    hear: Callable[[Event], object] | None = None,
    stop: Stop | None = None,
) -> Any: ...
def schema() -> dict[str, Any]: ...
def end(seconds: float) -> bool: ...
def forked() -> None: ...
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
