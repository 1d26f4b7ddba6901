"""The session with the server: hello, heartbeats, reports that are sent until they are acknowledged, and coming back.

It knows nothing of handlers. The lease is counted on this machine's monotonic clock from the moment at which the last
answered heartbeat was SENT: the server counts from later, so this side always stops first.
"""

import itertools
import logging
import random
import threading
import time
from concurrent.futures import Future
from typing import Protocol

import grpc
from belay.v1 import workers_pb2 as pb

from .stream import Stream
from .wire import AttemptId, id_of, seconds_of

log = logging.getLogger("belay.connection")

_BACKOFF_MIN_SECONDS = 0.05
_BACKOFF_MAX_SECONDS = 2.0
_WELCOME_SECONDS = 10.0
_GOODBYE_SECONDS = 2.0
_RESEND_SECONDS = 0.2
_NEVER = float("inf")


class Listener(Protocol):
    """What the server tells, and what becomes of the lease. Called by the connection's threads: only the last may block."""

    def assigned(self, assignment: pb.Assignment) -> None: ...
    def cancelled(self, notice: pb.CancelNotice) -> None: ...
    def revoked(self, notice: pb.RevokeNotice) -> None: ...
    def lease_until(self, end: float) -> None: ...
    def lease_ends(self, end: float) -> None: ...
    def session_lost(self, why: str) -> None:
        """Returns when nothing of the session's work runs any more; then there is a new session."""


class Connection:
    """One worker's session after the other, each over as many streams as it takes."""

    def __init__(self, server: str, hello: pb.Hello, listener: Listener, token: str | None, kill_seconds: float):
        self.welcomed = threading.Event()
        self._server = server
        self._hello = hello
        self._listener = listener
        self._metadata = [("authorization", f"Bearer {token}")] if token else []
        # How long stopping may take, of whatever may run.
        self._kill_seconds = kill_seconds
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        # Reports and child calls that have no answer yet, in the order of their sending.
        self._open: dict[int, tuple[pb.WorkerMessage, Future]] = {}
        # What this worker has in hand: each assignment whose slot it has not freed.
        self._in_hand: dict[AttemptId, pb.AttemptKey] = {}
        self._stream: Stream | None = None
        self._session = ""
        self._is_draining = False
        self._lease_seconds = 15.0
        self._heartbeat_seconds = 5.0
        self._lease_end = _NEVER
        self._is_ending = False
        self._lost_because = ""
        self._closing = threading.Event()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=target, daemon=True) for target in (self._run, self._watch)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    # -- what the worker says

    def report(self, report: pb.Report) -> Future:
        """Sends a report until it is acknowledged; resolves with the Ack, or with None when the session is over."""
        number = report.report_id = next(self._numbers)
        return self._ask(number, pb.WorkerMessage(report=report))

    def start_child(self, start: pb.StartChild) -> Future:
        number = start.request_number = next(self._numbers)
        return self._ask(number, pb.WorkerMessage(start_child=start))

    def wait_child(self, wait: pb.WaitChild) -> Future:
        number = wait.request_number = next(self._numbers)
        return self._ask(number, pb.WorkerMessage(wait_child=wait))

    def free(self, attempt: pb.AttemptKey) -> None:
        """The work occupies its slot no more. A hello that does not name it says so, too: it is never said twice."""
        with self._lock:
            key = id_of(attempt)
            if self._in_hand.pop(key, None) is None or self._stream is None:
                return
            if self._stream.is_ready:
                self._stream.send(pb.WorkerMessage(slots_freed=pb.SlotsFreed(count=1)))
            elif key in self._stream.named:
                self._stream.freed += 1

    def drain(self) -> None:
        with self._lock:
            self._is_draining = True
            self._tell(pb.WorkerMessage(drain=pb.Drain()))

    def goodbye(self) -> None:
        """Everything has stopped: the session need not wait for its lease."""
        self._closing.set()
        with self._lock:
            is_told = self._tell(pb.WorkerMessage(goodbye=pb.Goodbye()))
        if is_told:
            self._ended.wait(_GOODBYE_SECONDS)

    def _ask(self, number: int, message: pb.WorkerMessage) -> Future:
        answer: Future = Future()
        with self._lock:
            if self._session:
                self._open[number] = (message, answer)
                self._tell(message)
                return answer
        answer.set_result(None)
        return answer

    def _tell(self, message: pb.WorkerMessage) -> bool:
        """With the lock held. False while there is no stream that was welcomed."""
        if self._stream is None or not self._stream.is_ready:
            return False
        self._stream.send(message)
        return True

    # -- the streams

    def _run(self) -> None:
        failures = 0
        while not self._closing.is_set():
            stream = self._open_stream()
            try:
                for message in stream.messages():
                    if self._heard(stream, message):
                        break
            except grpc.RpcError as error:
                log.warning("the stream broke: %s", error.details() if isinstance(error, grpc.Call) else error)
            with self._lock:
                self._stream = None
                failures = 0 if stream.is_ready else failures + 1
                if self._session and time.monotonic() >= self._lease_end:
                    self._lost_because = self._lost_because or "its lease has passed"
            stream.release()
            if self._lost_because and not self._closing.is_set():
                self._lose(self._lost_because)
            # Full jitter: workers that lost one server do not all come back at once.
            longest = min(_BACKOFF_MAX_SECONDS, _BACKOFF_MIN_SECONDS * 2 ** min(failures, 10))
            self._closing.wait(random.uniform(0, longest))

    def _open_stream(self) -> Stream:
        hello = pb.Hello()
        hello.CopyFrom(self._hello)
        with self._lock:
            stream = Stream(self._server, self._metadata, set(self._in_hand))
            if self._session:
                hello.session = self._session
                hello.attempts.extend(self._in_hand.values())
            stream.send(pb.WorkerMessage(hello=hello))
            self._stream = stream
        return stream

    def _heard(self, stream: Stream, message: pb.ServerMessage) -> bool:
        """True if the stream is over."""
        match message.WhichOneof("message"):
            case "welcome":
                self._greeted(stream, message.welcome)
            case "heartbeat_reply":
                self._beaten(stream, message.heartbeat_reply)
            case "ack":
                self._answered(message.ack.report_id, message.ack, message.ack.outcome == pb.Ack.UNAVAILABLE)
            case "child":
                self._answered(message.child.request_number, message.child, False)
            case "assignment":
                self._assigned(message.assignment)
            case "cancel":
                self._listener.cancelled(message.cancel)
            case "revoked":
                self._listener.revoked(message.revoked)
            case "drain":
                log.info("the server is about to stop; the session goes on at the one that comes after it")
            case "session_ended":
                cause = message.session_ended.cause
                self._ended.set()
                if cause != pb.SessionEnded.REPLACED:
                    self._lost_because = f"the server ended it: {pb.SessionEnded.Cause.Name(cause)}"
                return True
        return False

    def _greeted(self, stream: Stream, welcome: pb.Welcome) -> None:
        with self._lock:
            self._session = welcome.session
            self._lease_seconds = seconds_of(welcome.lease)
            self._heartbeat_seconds = seconds_of(welcome.heartbeat_interval)
            stream.is_ready = True
            if not welcome.resumed:
                self._renew(stream.opened)
            # One that goes on has the lease that it had, and one that took long to begin has little left.
            stream.beat()
            for message, _ in self._open.values():
                stream.send(message)
            if stream.freed:
                stream.send(pb.WorkerMessage(slots_freed=pb.SlotsFreed(count=stream.freed)))
            if self._is_draining:
                self._tell(pb.WorkerMessage(drain=pb.Drain()))
        log.info("session %s %s", welcome.session, "goes on" if welcome.resumed else "begins")
        for attempt in welcome.lost:
            self._listener.revoked(pb.RevokeNotice(attempt=attempt, cause=pb.RevokeNotice.LEASE_LOST))
        self.welcomed.set()

    def _assigned(self, assignment: pb.Assignment) -> None:
        key = id_of(assignment.attempt)
        with self._lock:
            if key in self._in_hand:
                return  # sent again
            self._in_hand[key] = assignment.attempt
        self._listener.assigned(assignment)

    def _answered(self, number: int, answer, again: bool) -> None:
        with self._lock:
            known = self._open.get(number)
            if known is None:
                return
            if not again:
                del self._open[number]
        message, future = known
        if again:
            threading.Timer(_RESEND_SECONDS, self._tell_again, [number, message]).start()
        else:
            future.set_result(answer)

    def _tell_again(self, number: int, message: pb.WorkerMessage) -> None:
        with self._lock:
            if number in self._open:
                self._tell(message)

    # -- the lease

    def _beaten(self, stream: Stream, reply: pb.HeartbeatReply) -> None:
        with self._lock:
            sent = stream.beats.get(reply.sequence)
            # Earlier heartbeats are answered with it.
            stream.beats = {sequence: at for sequence, at in stream.beats.items() if sequence > reply.sequence}
            if sent is not None:
                self._renew(sent)
        for notice in reply.cancels:
            self._listener.cancelled(notice)

    def _renew(self, sent: float) -> None:
        self._lease_end = sent + self._lease_seconds
        self._is_ending = False
        self._listener.lease_until(self._lease_end)

    def _watch(self) -> None:
        """Sends the heartbeats, and sees in time that nobody answers them."""
        while True:
            time.sleep(min(self._heartbeat_seconds, 0.5) / 10)
            now = time.monotonic()
            with self._lock:
                self._look_at_stream(now)
                window = min(self._kill_seconds, self._lease_seconds / 3)
                ends = bool(self._session) and not self._is_ending and now >= self._lease_end - window
                self._is_ending = self._is_ending or ends
            if ends:
                self._listener.lease_ends(self._lease_end)

    def _look_at_stream(self, now: float) -> None:
        stream = self._stream
        if stream is None:
            return
        if not stream.is_ready:
            if now - stream.opened >= _WELCOME_SECONDS or (self._session and now >= self._lease_end):
                stream.close()
        elif stream.is_silent_for(self._heartbeat_seconds) or now >= self._lease_end:
            log.warning("the server answers no heartbeats")
            stream.close()
        elif now >= stream.last_beat + self._heartbeat_seconds:
            stream.beat()

    def _lose(self, why: str) -> None:
        """Everything of the session is lost to others: nothing of it is reported any more."""
        with self._lock:
            forgotten, self._open = list(self._open.values()), {}
            self._session = self._lost_because = ""
            self._in_hand = {}
        for _, future in forgotten:
            future.set_result(None)
        self._listener.session_lost(why)
