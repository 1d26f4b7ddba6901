"""The worker: declares its types, takes assignments, starts attempts, and ends them all when it stops."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Callable

from belay.v1 import workers_pb2 as pb

from .attempt import Attempt, Handler
from .connection import Connection
from .lease_file import LeaseFile
from .type_policy import kill_seconds_of, operation_type
from .wire import AttemptId, id_of, seconds_of, set_seconds

log = logging.getLogger("belay.worker")

_GUARD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lease_guard.py")
# What a lost guard ends the worker with: sysexits.h calls it EX_SOFTWARE.
_GUARD_LOST = 70
# The guard strikes this much before the lease ends: a kill takes its time, too.
_STRIKE_AHEAD_SECONDS = 0.02


@dataclass
class _Declared:
    policy: dict[str, Any]
    handler: Handler | None = None
    command: Callable[[dict[str, Any]], list[str]] | None = None


@dataclass
class Worker:
    """Runs handlers for one server: `host:port`, or `https://host:port`. Durations are seconds, policies belay.v1.TypePolicy."""

    server: str
    slots: int = 10
    name: str = field(default_factory=lambda: os.uname().nodename)
    build: str = ""
    token: str | None = None
    lease_seconds: float = 15.0

    def __post_init__(self) -> None:
        self._declared: dict[str, _Declared] = {}
        self._attempts: dict[AttemptId, Attempt] = {}
        self._changed = threading.Condition()
        self._is_draining = False
        self._lease_file = LeaseFile()
        self._connection: Connection | None = None

    def operation(self, type: str, **policy: Any) -> Callable[[Handler], Handler]:
        """Declares a function as the handler of an operation type."""

        def declare(handler: Handler) -> Handler:
            self._declared[type] = _Declared(policy, handler=handler)
            return handler

        return declare

    def command(self, type: str, make: Callable[[dict[str, Any]], list[str]], **policy: Any) -> None:
        """Declares a command, made of the input, as the work of an operation type."""
        self._declared[type] = _Declared(policy, command=make)

    def run(self, drain_seconds: float = 10.0) -> None:
        """Works until SIGTERM or SIGINT, then drains: no new work, running work ends or goes back. Ends the process."""
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        self.start()
        # In slices: a wait without a timeout would not see the signal while it is blocked.
        while not stopping.wait(0.1):
            pass
        self.stop(drain_seconds)

    def start(self) -> None:
        """Connects, and comes back whenever the connection breaks; work comes from then on."""
        self._start_guard()
        hello = pb.Hello(
            worker=self.name,
            build_id=self.build,
            types=[operation_type(type, declared.policy) for type, declared in self._declared.items()],
            slots=self.slots,
            guarded=True,
            boot_id=_boot_id(),
        )
        set_seconds(hello.lease, self.lease_seconds)
        kill = max(kill_seconds_of(declared.policy) for declared in self._declared.values())
        self._connection = Connection(self.server, hello, self, self.token, kill)
        self._connection.start()

    def stop(self, drain_seconds: float) -> None:
        """Lets running work end for so long, then aborts what is left, and ends the process."""
        self._is_draining = True
        self._connection.drain()
        if not self._all_over(drain_seconds):
            longest = [attempt.shut_down() for attempt in self._running()]
            self._all_over(max(longest, default=0.0))
        if self._running():
            # A goodbye would say that its work has stopped. The session ends with its lease instead.
            log.error("work runs on that cannot be stopped; it ends with this process")
        else:
            self._connection.goodbye()
        self._lease_file.remove()
        logging.shutdown()
        # Handlers that run on would keep the process alive.
        os._exit(0)

    # -- what the connection tells (connection.Listener)

    def assigned(self, assignment: pb.Assignment) -> None:
        key = id_of(assignment.attempt)
        if self._is_draining:
            returned = pb.Report(attempt=assignment.attempt, returned=pb.Report.Returned())
            self._connection.report(returned).add_done_callback(lambda _: self._connection.free(assignment.attempt))
            return
        attempt = Attempt(assignment, self._connection, self._lease_file.path, lambda: self._count(-1))
        with self._changed:
            self._attempts[key] = attempt
        threading.Thread(target=self._run_attempt, args=(key, attempt), daemon=True).start()

    def cancelled(self, notice: pb.CancelNotice) -> None:
        if attempt := self._attempts.get(id_of(notice.attempt)):
            attempt.cancel(notice)

    def revoked(self, notice: pb.RevokeNotice) -> None:
        if attempt := self._attempts.get(id_of(notice.attempt)):
            attempt.revoke(seconds_of(notice.kill))

    def lease_until(self, end: float) -> None:
        self._lease_file.end = end - _STRIKE_AHEAD_SECONDS

    def lease_ends(self, end: float) -> None:
        running = self._running()
        if running:
            log.error("the lease ends and was not renewed: %d attempts are stopped", len(running))
        for attempt in running:
            attempt.lease_ends(max(0.0, end - time.monotonic()))

    def session_lost(self, why: str) -> None:
        """The old lease guards what still runs: what does not stop by its end is killed, and this process with it."""
        log.error("the session is lost, and its work is stopped: %s", why)
        for attempt in self._running():
            attempt.revoke(min(attempt.kill_seconds, max(0.0, self._lease_file.end - time.monotonic()) / 2))
        self._all_over(float("inf"))

    # -- attempts

    def _run_attempt(self, key: AttemptId, attempt: Attempt) -> None:
        try:
            ack = self._connection.report(pb.Report(attempt=attempt.key, started=pb.Report.Started())).result()
            # Only now: a cancel that was committed before has made this LEASE_LOST or ALREADY_DONE, and nothing runs.
            if ack is None or ack.outcome != pb.Ack.ACCEPTED:
                return
            self._count(1)
            self._run_begun(attempt)
        except Exception:
            log.exception("attempt at %s", attempt.key.name)
        finally:
            self._connection.free(attempt.key)
            with self._changed:
                self._attempts.pop(key, None)
                self._changed.notify_all()

    def _run_begun(self, attempt: Attempt) -> None:
        declared = self._declared[attempt.assignment.type]
        # After its lease it is not this worker's to begin, whatever the server knew when it answered.
        if time.monotonic() >= self._lease_file.end:
            attempt.lease_ends(0.0)
            attempt.run(lambda context, _: context.raise_if_aborted())
        elif declared.command is None:
            attempt.run(declared.handler)
        else:
            attempt.run_command(declared.command)

    def _count(self, change: int) -> None:
        with self._changed:
            self._lease_file.running += change

    def _running(self) -> list[Attempt]:
        with self._changed:
            return list(self._attempts.values())

    def _all_over(self, seconds: float) -> bool:
        with self._changed:
            timeout = None if seconds == float("inf") else seconds
            return self._changed.wait_for(lambda: not self._attempts, timeout)

    def _start_guard(self) -> None:
        """A worker that lost its guard could outlive its lease: it ends at once."""
        words = [sys.executable, _GUARD, self._lease_file.path]
        # A session of its own: Ctrl-C in a terminal ends the worker in order, not its guard.
        guard = subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True)

        def watch() -> None:
            guard.wait()
            log.error("the guard is gone")
            os._exit(_GUARD_LOST)

        threading.Thread(target=watch, daemon=True).start()


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
