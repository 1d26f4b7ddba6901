"""When an abort that a critical section holds back is cut, and when force comes. It knows nothing of what they do."""

import threading
import time
from typing import Callable

_NEVER = float("inf")
# A grace that is told again is what was left of it when it was sent; less than this it is not shorter.
_JITTER_SECONDS = 0.05


class StopLadder:
    """`cut` and `escalate` are called once each at most, by a thread of the ladder."""

    def __init__(self, cut: Callable[[], None], escalate: Callable[[], None]):
        self._cut = cut
        self._escalate = escalate
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_over = False
        self._is_held = False
        self._was_held = False
        self._is_cleaning = False
        self._has_escalated = False
        self._from = _NEVER
        self._grace = _NEVER
        self._cut_at = _NEVER
        self._escalate_at = _NEVER
        self._force_at = _NEVER

    def climb(self, *, grace: float, critical: float, force_in: float) -> None:
        """The work is to stop; all in seconds from now. Called again, it can only shorten."""
        with self._changed:
            now = time.monotonic()
            self._from = min(self._from, now)
            self._cut_at = min(self._cut_at, now + critical)
            self._force_at = min(self._force_at, now + force_in)
            # What is told again is what is left, without the time that a critical section took from it: taken at its word,
            # it would end a grace that has only begun.
            whole = now - self._from + grace
            is_shorter = whole < self._grace - _JITTER_SECONDS
            self._grace = min(self._grace, whole)
            if not self._is_held and not self._is_cleaning and (is_shorter or not self._was_held):
                self._escalate_at = min(self._escalate_at, now + grace)
            self._look()

    def held(self) -> None:
        """A critical section holds the abort back: the grace has not begun."""
        with self._changed:
            self._is_held = self._was_held = True
            self._escalate_at = _NEVER
            self._look()

    def begun(self) -> None:
        """The section is over, or was cut: the grace begins."""
        with self._changed:
            if self._is_held:
                self._is_held = False
                self._escalate_at = time.monotonic() + self._grace
                self._look()

    def cleaning(self, seconds: float) -> None:
        """The handler has stopped, and its clean-up begins: what is left of the grace counts no more."""
        with self._changed:
            self._is_cleaning = True
            self._escalate_at = time.monotonic() + seconds
            self._look()

    def over(self) -> None:
        """The work has stopped."""
        with self._changed:
            self._is_over = True
            self._look()

    def _look(self) -> None:
        if self._thread is None and not self._is_over and self._from != _NEVER:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        self._changed.notify()

    def _run(self) -> None:
        while step := self._next():
            step()

    def _next(self) -> Callable[[], None] | None:
        """The step that is due, once it is; None when the work is over or no step is left."""
        with self._changed:
            while not self._is_over and not self._has_escalated:
                now = time.monotonic()
                if self._is_held and now >= min(self._cut_at, self._force_at):
                    self._is_held = False
                    self._escalate_at = now + self._grace
                    return self._cut
                due = min(self._escalate_at, self._force_at)
                if now >= due:
                    self._has_escalated = True
                    return self._escalate
                due = min(due, self._cut_at if self._is_held else _NEVER)
                self._changed.wait(None if due == _NEVER else due - now)
            return None
