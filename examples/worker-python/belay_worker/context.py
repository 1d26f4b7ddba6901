"""What a handler is given, and how it learns that it must stop."""

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, Protocol


class RetryableError(Exception):
    """Raised by a handler to say that another attempt may succeed."""


@dataclass(frozen=True)
class AbortReason:
    """Why the work must stop: `kind` is cancel, deadline, parent, lease-lost or shutdown."""

    kind: str
    text: str = ""
    requested_by: str = ""
    force: bool = False


class Aborted(Exception):
    """Raised by the context once the work must stop. Let it pass."""

    def __init__(self, reason: AbortReason):
        super().__init__(f"{reason.kind}: {reason.text}" if reason.text else reason.kind)
        self.reason = reason


class ChildFailed(Exception):
    """A child that failed or was cancelled; its name and its error are the message."""


class Reporter(Protocol):
    """What the attempt does for its handler."""

    def progress(self, percent: float, message: str) -> None: ...
    def checkpoint(self, state: dict[str, Any]) -> None: ...
    def enter(self, section: str) -> None: ...
    def leave(self) -> None: ...
    def start_child(self, **start: Any) -> "Child": ...


@dataclass(frozen=True)
class Child:
    """An operation that this one has started."""

    name: str
    # Returns its response; raises ChildFailed, or Aborted as soon as this operation must stop.
    wait: Callable[[], dict[str, Any]]


@dataclass
class OperationContext:
    """One attempt, as its handler sees it."""

    name: str
    type: str
    # 1 for the first.
    attempt: int
    created_by: str
    # What an earlier attempt left with `checkpoint`, or None.
    checkpointed: dict[str, Any] | None
    # The type's times, in seconds.
    critical_seconds: float
    cleanup_seconds: float
    reporter: Reporter
    reason: AbortReason | None = None
    aborted: threading.Event = field(default_factory=threading.Event)
    cleanups: list[Callable[[], None]] = field(default_factory=list)

    def raise_if_aborted(self) -> None:
        if self.reason is not None:
            raise Aborted(self.reason)

    def sleep(self, seconds: float) -> None:
        """Sleeps; raises Aborted as soon as the work must stop."""
        self.aborted.wait(seconds)
        self.raise_if_aborted()

    def progress(self, percent: float, message: str = "") -> None:
        """Shows how far the work is: 0-100. Of calls in quick succession the last one counts."""
        self.reporter.progress(min(100.0, max(0.0, percent)), message[:1024])

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Returns when the state is durable."""
        self.reporter.checkpoint(state)

    @contextmanager
    def critical(self, reason: str) -> Iterator[None]:
        """Holds an abort back while the block runs, for no longer than the type's `critical` time."""
        if not self.critical_seconds:
            raise ValueError(f"operation type {self.type} declares no `critical`, the longest time of a critical section")
        self.raise_if_aborted()
        self.reporter.enter(reason[:256])
        try:
            yield
        finally:
            # An abort that was held back has come when the block is left.
            self.reporter.leave()

    def on_cleanup(self, function: Callable[[], None]) -> None:
        """Called in reverse order if the handler raises, aborted or not, before its end is reported."""
        if not self.cleanup_seconds:
            raise ValueError(f"operation type {self.type} declares no `cleanup`, the time for its clean-up")
        self.cleanups.append(function)

    def start(self, type: str, payload: dict[str, Any], **options: Any) -> Child:
        """Starts a child: `policy` cancel, abandon or wait; `request_id` names it within this operation, in later attempts
        too; `time_left` (seconds, needed by wait), `shared`, `description`."""
        return self.reporter.start_child(type=type, payload=payload, **options)

    def abort(self, reason: AbortReason) -> None:
        if self.reason is None:
            self.reason = reason
            self.aborted.set()
