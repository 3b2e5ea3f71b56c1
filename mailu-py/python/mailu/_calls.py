"""How operations are called: logging, progress, results without end."""

from __future__ import annotations

import atexit
import logging
import os
import queue
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

from ._mailu import Stop, call, end, forked
from .types import Event, Progress

LOGGER = logging.getLogger("mailu")
"""Steps and stages are ``DEBUG``, what is waited for and why is ``INFO``."""
LOGGER.addHandler(logging.NullHandler())

T = TypeVar("T")

PATIENCE = 5.0
"""How long the interpreter's end waits for calls that other threads are in, in seconds."""


def _end() -> None:
    end(PATIENCE)


atexit.register(_end)
os.register_at_fork(after_in_child=forked)


def _log(event: Event) -> None:
    if event["kind"] == "step":
        LOGGER.debug("[%d/%d] %s", event["number"], event["total"], event["text"])
    elif event["kind"] == "stage":
        LOGGER.debug("[%s]", event["stage"])
    elif event["kind"] == "said":
        LOGGER.info("%s", event["line"])


def perform(root: str, operation: str, request: Mapping[str, object], progress: Progress | None) -> Any:
    """Performs an operation in this thread."""

    def hear(event: Event) -> None:
        _log(event)
        if progress is not None:
            progress(event)

    return call(root, operation, request, hear)


class Stream(Generic[T], Iterator[T]):
    """A result that comes piece by piece, perhaps without end: iterate over it.

    ``close`` ends it, and so does leaving a ``with`` block. What went wrong is raised by the iteration.
    """

    def __init__(self, root: str, operation: str, request: Mapping[str, object]) -> None:
        self._stop = Stop()
        # Whoever writes faster than anybody reads has to wait.
        self._queue: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=1000)
        self._ended = False
        arguments = (root, operation, request, self._stop, self._queue)
        # It must not keep the interpreter from ending, nor this object from going.
        self._thread = threading.Thread(target=_work, args=arguments, name=f"mailu {operation}", daemon=True)
        self._thread.start()

    def __iter__(self) -> Stream[T]:
        return self

    def __next__(self) -> T:
        if self._ended:
            raise StopIteration
        try:
            kind, value = self._queue.get()
        except BaseException:
            self.close()
            raise
        if kind == "item":
            return cast("T", value)
        self._ended = True
        self._thread.join()
        if kind == "error":
            raise value
        raise StopIteration

    def close(self) -> None:
        """Ends it. What was not read is lost."""
        self._stop.set()
        self._ended = True

    def __enter__(self) -> Stream[T]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self._stop.set()


def _work(
    root: str,
    operation: str,
    request: Mapping[str, object],
    stop: Stop,
    pieces: queue.Queue[tuple[str, Any]],
) -> None:
    def put(kind: str, value: object) -> None:
        while not stop.is_set():
            try:
                pieces.put((kind, value), timeout=0.1)
            except queue.Full:
                continue
            return

    def hear(event: Event) -> None:
        _log(event)
        if event["kind"] == "item":
            put("item", event["item"])

    try:
        call(root, operation, request, hear, stop)
    except BaseException as error:
        put("error", error)
    else:
        put("end", None)


__all__ = ["LOGGER", "Stream", "perform"]
