"""What can go wrong, as exceptions: one class for each kind."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TypedDict

from .types import ErrorKind, Finding


class MailuError(Exception):
    """A failed operation. ``str(error)`` says what was attempted on what.

    Tracebacks show findings and hints too, from Python 3.11 on.
    """

    kind: ErrorKind = "internal"
    """What it is about; each kind has a class of its own."""
    code: str
    """Stable and dotted, to branch on: ``config.invalid``."""
    cause: str | None
    """Why it failed, if something else made it fail."""
    hints: list[str]
    """What to do next."""
    findings: list[Finding]
    """Everything that is wrong, where that is a list."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        cause: str | None = None,
        hints: Iterable[str] = (),
        findings: Iterable[Finding] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.cause = cause
        self.hints = list(hints)
        self.findings = list(findings)
        if sys.version_info >= (3, 11):
            for line in self._details():
                self.add_note(line)

    def _details(self) -> Iterable[str]:
        if self.cause is not None:
            yield f"caused by: {self.cause}"
        for finding in self.findings:
            value = f" = `{finding['value']}`" if "value" in finding else ""
            yield (
                f"{finding['severity']}: `{finding['subject']}`{value}: {finding['message']}"
            )
            for hint in finding.get("hints", []):
                yield f"  hint: {hint}"
        for hint in self.hints:
            yield f"hint: {hint}"


class InvalidInputError(MailuError):
    """Something that was given is wrong; ``findings`` say what."""

    kind = "invalid_input"


class NotFoundError(MailuError):
    """There is no such deployment, file or key."""

    kind = "not_found"


class ConflictError(MailuError):
    """What is there and what is wanted exclude each other; nothing was changed."""

    kind = "conflict"


class MailuIOError(MailuError):
    """Reading or writing a file failed."""

    kind = "io"


class CorruptError(MailuError):
    """A file of ours is damaged."""

    kind = "corrupt"


class DockerError(MailuError):
    """Docker or Compose is missing or refused."""

    kind = "docker"


class InternalError(MailuError):
    """A mistake in mailu."""

    kind = "internal"


class _ErrorData(TypedDict):
    kind: ErrorKind
    code: str
    message: str
    cause: str | None
    hints: list[str]
    findings: list[Finding]


_CLASSES: dict[ErrorKind, type[MailuError]] = {
    cls.kind: cls
    for cls in (
        InvalidInputError,
        NotFoundError,
        ConflictError,
        MailuIOError,
        CorruptError,
        DockerError,
        InternalError,
    )
}


def from_core(data: _ErrorData) -> MailuError:
    """The exception for an error of the extension module, which calls this."""
    return _CLASSES[data["kind"]](
        data["message"],
        code=data["code"],
        cause=data["cause"],
        hints=data["hints"],
        findings=data["findings"],
    )
