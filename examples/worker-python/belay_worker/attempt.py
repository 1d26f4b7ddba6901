"""One attempt: runs its handler or command, holds an abort back or passes it on, and climbs the ladder when it must stop.

How its end is told is in attempt_end.py.
"""

import logging
import threading
import time
import uuid
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Callable

from belay.v1 import workers_pb2 as pb

from .attempt_end import AttemptEnd, report_end
from .command_run import CommandEnd, CommandRun
from .connection import Connection
from .context import Aborted, AbortReason, Child, ChildFailed, OperationContext, RetryableError
from .stop_ladder import StopLadder
from .wire import input_of, json_of, seconds_of, set_seconds, struct_of

log = logging.getLogger("belay.attempt")

Handler = Callable[[OperationContext, dict[str, Any]], dict[str, Any] | None]

_Phase = pb.Report.CancelPhase
_KINDS = {pb.CancelNotice.DEADLINE: "deadline", pb.CancelNotice.PARENT: "parent"}
_POLICIES = {"cancel": 1, "abandon": 2, "wait": 3}
_WAIT_CHILD_SECONDS = 30.0
# What sysexits.h calls EX_TEMPFAIL: the command may run again.
_TEMPORARY_FAILURE = 75


class Attempt:
    """From its assignment to its end."""

    def __init__(
        self, assignment: pb.Assignment, connection: Connection, lease_path: str, stopped: Callable[[], None]
    ):
        """`stopped` is called when nothing of its work runs any more, which is before the server knows."""
        self.assignment = assignment
        self.key = assignment.attempt
        self.kill_seconds = seconds_of(assignment.kill)
        self._connection = connection
        self._lease_path = lease_path
        self._stopped = stopped
        self._lock = threading.RLock()
        self._sections: list[str] = []
        self._pending: AbortReason | None = None
        self._aborted: Future[None] = Future()
        self._abort_since = 0.0
        self._is_cancelled = False
        self._is_deferral_told = False
        self._is_revoked = False
        self._is_over = False
        self._mechanism = pb.NONE
        self._command: CommandRun | None = None
        self._progress: pb.Report.Progress | None = None
        self._is_progress_sent = False
        self._ladder = StopLadder(lambda: self._cut(f"after {seconds_of(assignment.critical):g} s"), self._escalate)
        self.context = OperationContext(
            name=self.key.name,
            type=assignment.type,
            attempt=assignment.attempt_number,
            created_by=assignment.created_by,
            checkpointed=json_of(assignment.checkpoint) if assignment.HasField("checkpoint") else None,
            critical_seconds=seconds_of(assignment.critical),
            cleanup_seconds=seconds_of(assignment.cleanup),
            reporter=self,
        )

    # -- what stops it

    def cancel(self, notice: pb.CancelNotice) -> None:
        """May come again; a later one can only be stricter."""
        reason = AbortReason(_KINDS.get(notice.cause, "cancel"), notice.reason, notice.requested_by, notice.force)
        last = max(0.0, seconds_of(notice.deadline) - self.kill_seconds)
        with self._lock:
            if self._is_over or self._is_revoked:
                return
            is_first = not self._is_cancelled
            self._is_cancelled = True
            if is_first:
                self._phase(_Phase.DELIVERED)
                if self.context.reason is not None:
                    self._phase(_Phase.ACKNOWLEDGED)
            grace = 0.0 if notice.force else seconds_of(notice.grace)
            self._abort(reason, grace, seconds_of(self.assignment.critical), 0.0 if notice.force else last)
            if notice.force:
                self._cut("by force")

    def revoke(self, kill_seconds: float) -> None:
        """It is not this worker's any more: nothing of it counts but that it stopped."""
        with self._lock:
            if self._is_over or self._is_revoked:
                return
            self._is_revoked = True
            self._abort_at_once(AbortReason("lease-lost"), kill_seconds)

    def lease_ends(self, left: float) -> None:
        """Half of the time that is left is the handler's, the other half is for force."""
        with self._lock:
            self._abort_at_once(AbortReason("lease-lost"), left / 2)

    def shut_down(self) -> float:
        """The worker stops. Answers how long that may take."""
        critical, cleanup = self.context.critical_seconds, self.context.cleanup_seconds
        force_in = critical + self.kill_seconds + cleanup
        with self._lock:
            self._abort(AbortReason("shutdown"), self.kill_seconds, critical, force_in)
        return force_in + self.kill_seconds

    def _abort_at_once(self, reason: AbortReason, grace: float) -> None:
        self._abort(reason, grace, 0.0, grace)
        self._cut("because the lease is lost")

    def _abort(self, reason: AbortReason, grace: float, critical: float, force_in: float) -> None:
        if self._is_over:
            return
        self._ladder.climb(grace=grace, critical=critical, force_in=force_in)
        self._abort_since = self._abort_since or time.monotonic()
        if self.context.reason is not None:
            return
        self._pending = reason
        if not self._sections:
            self._fire()
            return
        self._ladder.held()
        if self._is_cancelled and not self._is_deferral_told:
            self._is_deferral_told = True
            self._phase(_Phase.DEFERRED, self._sections[-1])

    def _cut(self, why: str) -> None:
        with self._lock:
            if self._pending is not None and self.context.reason is None:
                self._phase(_Phase.CUT, f"{self._sections[-1]}: cut {why}")
                self._fire()

    def _fire(self) -> None:
        self._ladder.begun()
        self._mechanism = pb.SIGNAL
        self.context.abort(self._pending)
        self._aborted.set_result(None)
        self._phase(_Phase.ACKNOWLEDGED)
        if self._command is not None:
            self._mechanism = pb.SIGTERM
            self._command.signal("term")

    def _escalate(self) -> None:
        with self._lock:
            if self._is_over:
                return
            how = f"ignoring the signal for {time.monotonic() - self._abort_since:.1f} s"
            if self._command is None:
                self._phase(_Phase.ESCALATED, f"{how}: a Python function cannot be stopped by force")
                return
            self._mechanism = pb.SIGKILL
            self._phase(_Phase.ESCALATED, f"{how}: SIGKILL is sent to the process group")
            self._command.signal("kill")

    def _phase(self, phase: int, detail: str = "") -> None:
        """Phases are those of a cancel; another abort has none."""
        if self._is_cancelled and not self._is_revoked:
            self._report(cancel_phase=_Phase(phase=phase, detail=detail[:1024]))

    # -- what the handler asks (context.Reporter)

    def progress(self, percent: float, message: str) -> None:
        with self._lock:
            self._progress = pb.Report.Progress(percent=percent, message=message)
            if not self._is_progress_sent:
                self._send_progress()

    def _send_progress(self) -> None:
        """One at a time: what comes meanwhile waits, and only the newest is sent."""
        if self._progress is None or self._is_revoked or self._is_over:
            return
        sent = self._report(progress=self._progress)
        self._progress = None
        self._is_progress_sent = True
        sent.add_done_callback(self._progress_stored)

    def _progress_stored(self, _: Future) -> None:
        with self._lock:
            self._is_progress_sent = False
            self._send_progress()

    def checkpoint(self, state: dict[str, Any]) -> None:
        ack = self._report(checkpoint=struct_of(state)).result()
        if ack is None or ack.outcome != pb.Ack.ACCEPTED:
            raise RuntimeError(f"the checkpoint was not stored: {_outcome(ack)}")

    def enter(self, section: str) -> None:
        with self._lock:
            self.context.raise_if_aborted()
            self._sections.append(section)

    def leave(self) -> None:
        with self._lock:
            self._sections.pop()
            if not self._sections and self._pending is not None and self.context.reason is None:
                self._fire()

    def start_child(
        self,
        *,
        type: str,
        payload: dict[str, Any],
        policy: str = "cancel",
        request_id: str | None = None,
        shared: bool = False,
        description: str = "",
        time_left: float | None = None,
    ) -> Child:
        start = pb.StartChild(parent=self.key, type=type, payload=struct_of(payload), policy=_POLICIES[policy])
        start.request_id = request_id or uuid.uuid4().hex
        start.shared = shared
        start.description = description
        if time_left is not None:
            set_seconds(start.time_left, time_left)
        name = self._child_answer(self._connection.start_child(start)).name
        return Child(name, lambda: self._wait_child(name))

    def _wait_child(self, name: str) -> dict[str, Any]:
        while True:
            ask = pb.WaitChild(parent=self.key, name=name)
            set_seconds(ask.timeout, _WAIT_CHILD_SECONDS)
            answer = self._child_answer(self._connection.wait_child(ask))
            if not answer.done:
                continue
            if answer.WhichOneof("result") == "error":
                raise ChildFailed(f"{name}: {answer.error.message}")
            return input_of(answer.response)

    def _child_answer(self, asked: Future) -> pb.ChildAnswer:
        wait([asked, self._aborted], return_when=FIRST_COMPLETED)
        self.context.raise_if_aborted()
        answer = asked.result()
        if answer is None:
            raise Aborted(AbortReason("lease-lost"))
        if answer.HasField("refused"):
            raise RuntimeError(answer.refused.message)
        return answer

    # -- the run

    def run(self, handler: Handler) -> None:
        """In a thread of its own; returns when the work has stopped and its end is reported."""
        response, failure = None, None
        try:
            response = handler(self.context, input_of(self.assignment.request))
        except BaseException as error:
            failure = error
            self._clean_up()
        self._ended(AttemptEnd(pb.HANDLER_STOPPED, response, failure))

    def run_command(self, make: Callable[[dict[str, Any]], list[str]]) -> None:
        """Like `run`, with a command that `make` makes of the input."""
        try:
            words = make(input_of(self.assignment.request))
            with self._lock:
                self.context.raise_if_aborted()
                self._command = CommandRun(words, self._lease_path)
        except Exception as error:
            # Nothing was started.
            self._ended(AttemptEnd(pb.HANDLER_STOPPED, None, error))
            return
        end = self._command.wait(self._noted)
        self._ended(self._command_end(end))

    def _command_end(self, end: CommandEnd) -> AttemptEnd:
        """An exit after SIGTERM counts as stopped, whatever its code."""
        if self.context.reason is not None:
            return AttemptEnd(pb.PROCESS_EXITED, None, Aborted(self.context.reason))
        if end.code == 0:
            return AttemptEnd(pb.PROCESS_EXITED, {"exitCode": 0, "output": end.tail}, None)
        if end.code is None and end.signal is None:
            return AttemptEnd(pb.PROCESS_EXITED, None, RetryableError("the supervisor of the command was lost"))
        last = (end.tail.strip().splitlines() or [""])[-1][:200]
        how = f"exited with code {end.code}" if end.signal is None else f"was ended by signal {end.signal}"
        error = RetryableError if end.code == _TEMPORARY_FAILURE else RuntimeError
        return AttemptEnd(pb.PROCESS_EXITED, None, error(f"the command {how}: {last}" if last else f"the command {how}"))

    def _noted(self, note: dict[str, Any]) -> None:
        """A line that the command wrote to descriptor 3."""
        if isinstance(note.get("percent"), (int, float)):
            self.context.progress(float(note["percent"]), str(note.get("message", "")))
        if isinstance(note.get("checkpoint"), dict):
            self._report(checkpoint=struct_of(note["checkpoint"]))
        if "critical" in note:
            with self._lock:
                if self._sections:
                    self.leave()
                if isinstance(note["critical"], str) and self.context.critical_seconds and self.context.reason is None:
                    self.enter(note["critical"][:256])

    def _clean_up(self) -> None:
        def steps() -> None:
            for function in reversed(self.context.cleanups):
                try:
                    function()
                except Exception:
                    log.exception("a clean-up of %s failed", self.key.name)

        if self.context.cleanups:
            self._ladder.cleaning(self.context.cleanup_seconds)
            cleaner = threading.Thread(target=steps, daemon=True)
            cleaner.start()
            # A clean-up that takes longer still runs: the end is told when it is over.
            cleaner.join()

    def _ended(self, end: AttemptEnd) -> None:
        with self._lock:
            if not self._is_revoked:
                self._send_progress()
            self._is_over = True
            self._ladder.over()
            mechanism, reason, revoked = self._mechanism, self.context.reason, self._is_revoked
        self._stopped()
        report_end(
            end.by(mechanism),
            report=lambda **report: self._report(**report).result(),
            aborted_by=reason.kind if reason is not None else None,
            is_cancelled=self._is_cancelled,
            is_revoked=revoked,
        )

    def _report(self, **report: Any) -> Future:
        """An answer that says "not yours any more" stops the work."""

        def answered(answer: Future) -> None:
            ack = answer.result()
            if ack is not None and ack.outcome == pb.Ack.LEASE_LOST:
                self.revoke(self.kill_seconds)
            elif ack is not None and ack.outcome == pb.Ack.ALREADY_DONE and not self._is_cancelled:
                self.revoke(self.kill_seconds)

        sent = self._connection.report(pb.Report(attempt=self.key, **report))
        sent.add_done_callback(answered)
        return sent


def _outcome(ack: pb.Ack | None) -> str:
    return "the session is over" if ack is None else f"{pb.Ack.Outcome.Name(ack.outcome)} {ack.error.message}".strip()
