"""Runs one command in a process group of its own, and outlives the worker just long enough to end it.

It ends the group when the worker says so, when the pipe from the worker breaks, and when the lease passes. Told by JSON
lines on standard input: {"signal": "term"} or {"signal": "kill"}. Tells on standard output: {"started": pgid}, the
command's own lines from descriptor 3 as {"note": {...}}, and at last {"exited": code, "signal": n, "tail": "..."}, once
not one process of the group is left. A program of its own, which loads nothing of gRPC. Usage: supervisor.py LEASE_FILE
MARKER COMMAND...
"""

import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any

from lease_file import LeaseFile
from process_group import MARKER, ProcessGroup

_LOOK_EVERY_SECONDS = 0.05
_TAIL_BYTES = 65536
_KILL_AFTER_SECONDS = 1.0


class Supervised:
    """A command that runs."""

    def __init__(self, lease: LeaseFile, marker: str, command: list[str]):
        self._lease = lease
        self._tail = b""
        note_read, note_write = os.pipe()
        output_read, output_write = os.pipe()
        environment = {**os.environ, MARKER: marker}
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", f'exec 3>&{note_write}; exec "$@"', "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=output_write,
            stderr=output_write,
            pass_fds=[note_write],
            env=environment,
            start_new_session=True,
        )
        os.close(note_write)
        os.close(output_write)
        self._group = ProcessGroup(self._process.pid, marker)
        self._sources = {0: self._control, note_read: self._notes, output_read: self._output}
        self._buffers = {0: b"", note_read: b""}
        _tell({"started": self._process.pid})

    def run(self) -> None:
        while self._process.poll() is None:
            self._look()
        # What the command left behind in its group is asked to go, and then made to.
        self._group.signal(signal.SIGTERM)
        deadline = time.monotonic() + _KILL_AFTER_SECONDS
        while self._group.living():
            if time.monotonic() >= deadline:
                self._group.signal(signal.SIGKILL)
            self._look()
        self._look()
        code = self._process.returncode
        ended = {"exited": code, "signal": None} if code >= 0 else {"exited": None, "signal": -code}
        _tell({**ended, "tail": self._tail.decode("utf-8", "replace")})

    def _look(self) -> None:
        readable, _, _ = select.select(list(self._sources), [], [], _LOOK_EVERY_SECONDS)
        for source in readable:
            data = os.read(source, 65536)
            if data:
                self._sources[source](source, data)
                continue
            del self._sources[source]
            if source == 0:
                self._group.signal(signal.SIGKILL)  # the worker is gone
        # Asked again as long as something lives: what was forked just now is killed in the next round.
        if 0 not in self._sources or time.monotonic() >= self._lease.end:
            self._group.signal(signal.SIGKILL)

    def _control(self, source: int, data: bytes) -> None:
        for message in self._lines(source, data):
            self._group.signal(signal.SIGKILL if message.get("signal") == "kill" else signal.SIGTERM)

    def _notes(self, source: int, data: bytes) -> None:
        for note in self._lines(source, data):
            _tell({"note": note})

    def _output(self, _source: int, data: bytes) -> None:
        self._tail = (self._tail + data)[-_TAIL_BYTES:]

    def _lines(self, source: int, data: bytes) -> list[dict[str, Any]]:
        *lines, self._buffers[source] = (self._buffers[source] + data).split(b"\n")
        found = []
        for line in lines:
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                found.append(value)
        return found


def _tell(message: dict[str, Any]) -> None:
    try:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        pass  # the worker is gone; the group still has to end


if __name__ == "__main__":
    # Ctrl-C reaches every process of the terminal: the worker stops first, and says what becomes of the command.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lease_path, attempt_marker, *words = sys.argv[1:]
    Supervised(LeaseFile(lease_path), attempt_marker, words).run()
