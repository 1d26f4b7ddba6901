"""How the end of an attempt is told.

| end     | revoked | not aborted | shut down, lease ends | cancelled                         |
|---------|---------|-------------|-----------------------|-----------------------------------|
| returns | stopped | completed   | completed             | completed: finished work wins     |
| Aborted | stopped | -           | released              | stopped                           |
| raises  | stopped | failed      | failed                | failed                            |
"""

from dataclasses import dataclass, replace
from typing import Any, Callable

from belay.v1 import workers_pb2 as pb
from google.rpc import code_pb2, status_pb2

from .context import Aborted, RetryableError
from .wire import struct_of

# Longer ones are cut.
_MESSAGE_MAX = 2000
_CAUSES_MAX = 16


@dataclass(frozen=True)
class AttemptEnd:
    """How the work has stopped: with a response, or with what it raised."""

    evidence: int
    response: dict[str, Any] | None
    failure: BaseException | None
    mechanism: int = pb.NONE

    def by(self, mechanism: int) -> "AttemptEnd":
        return replace(self, mechanism=mechanism)


def report_end(
    end: AttemptEnd,
    *,
    report: Callable[..., pb.Ack | None],
    aborted_by: str | None,
    is_cancelled: bool,
    is_revoked: bool,
) -> None:
    """Returns when the end is answered. `report` sends a report and waits for its Ack: None when the session is over."""
    stopped = {"stopped": pb.Report.Stopped(evidence=end.evidence, mechanism=end.mechanism)}
    if is_revoked:
        report(**stopped)
        return
    is_abort = aborted_by is not None and _is_caused_by_abort(end.failure)
    if end.failure is None:
        ack = _complete(end, report)
    elif not is_abort:
        ack = report(failed=_failed(end, end.failure))
    elif is_cancelled:
        ack = report(**stopped)
    else:
        ack = _release(end, report, aborted_by, stopped)
    # It ended unconfirmed before this: how its work ended is still worth knowing.
    if ack is not None and ack.outcome == pb.Ack.ALREADY_DONE and is_cancelled:
        report(**stopped)


def _complete(end: AttemptEnd, report: Callable[..., pb.Ack | None]) -> pb.Ack | None:
    completed = pb.Report.Completed()
    try:
        if end.response is not None:
            completed.response.Pack(struct_of(end.response))
        ack = report(completed=completed)
        problem = ack.error.message if ack is not None and ack.outcome == pb.Ack.REFUSED else None
    except (TypeError, ValueError) as error:
        problem = f"it is no JSON object: {error}"
    if problem is None:
        return ack
    # It cannot be stored: the operation fails, rather than stay open for ever.
    failure = RuntimeError(f"the response was refused: {problem}")
    return report(failed=_failed(end, failure, code_pb2.INTERNAL))


def _release(
    end: AttemptEnd, report: Callable[..., pb.Ack | None], aborted_by: str | None, stopped: dict[str, Any]
) -> pb.Ack | None:
    """It goes back, if it may run again; a cancelled one never does."""
    ack = report(released=pb.Report.Released())
    if ack is not None and ack.outcome == pb.Ack.CANCEL_PENDING:
        return report(**stopped)
    if ack is not None and ack.outcome == pb.Ack.NOT_RETRYABLE:
        why = "lost its connection to the server" if aborted_by == "lease-lost" else "shut down"
        failure = RuntimeError(f"the worker {why}, and the operation may not run again")
        return report(failed=_failed(end, failure, code_pb2.ABORTED))
    return ack


def _failed(end: AttemptEnd, failure: BaseException, code: int = code_pb2.UNKNOWN) -> pb.Report.Failed:
    return pb.Report.Failed(
        error=status_pb2.Status(code=code, message=(str(failure) or type(failure).__name__)[:_MESSAGE_MAX]),
        retryable=isinstance(failure, RetryableError),
        evidence=end.evidence,
        mechanism=end.mechanism,
    )


def _is_caused_by_abort(error: BaseException | None) -> bool:
    """An abort that was wrapped (`raise X from aborted`) is still the abort."""
    for _ in range(_CAUSES_MAX):
        if isinstance(error, Aborted):
            return True
        if error is None:
            return False
        error = error.__cause__
    return False
