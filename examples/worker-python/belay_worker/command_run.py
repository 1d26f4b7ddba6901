"""A command as the worker sees it: starts its supervisor, passes on signals and notes, and knows when nothing of it is left."""

import json
import os
import subprocess
import sys
import uuid
from dataclasses import dataclass
from typing import Any, Callable

from .process_group import ProcessGroup

_SUPERVISOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "supervisor.py")


@dataclass(frozen=True)
class CommandEnd:
    """How the command ended: an exit code, or else the number of a signal, or neither if its supervisor was lost."""

    code: int | None
    signal: int | None
    # The last 64 KiB of its output.
    tail: str = ""


class CommandRun:
    """Its supervisor has a session of its own: no signal of a terminal reaches the command past the worker."""

    def __init__(self, command: list[str], lease_path: str):
        self._marker = uuid.uuid4().hex
        self._pgid: int | None = None
        self._supervisor = subprocess.Popen(
            [sys.executable, _SUPERVISOR, lease_path, self._marker, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def signal(self, name: str) -> None:
        """`term` or `kill`, to its whole group."""
        try:
            self._supervisor.stdin.write(json.dumps({"signal": name}) + "\n")
            self._supervisor.stdin.flush()
        except OSError:
            pass  # it has ended

    def wait(self, noted: Callable[[dict[str, Any]], None]) -> CommandEnd:
        """Returns when not one process of the command is left."""
        end: CommandEnd | None = None
        for line in self._supervisor.stdout:
            message = json.loads(line)
            if "started" in message:
                self._pgid = message["started"]
            if "note" in message:
                noted(message["note"])
            if "exited" in message:
                end = CommandEnd(message["exited"], message["signal"], message["tail"])
        self._supervisor.wait()
        if end is not None:
            return end
        # Nobody watches over the command any more but this worker.
        ProcessGroup(self._pgid or -1, self._marker).kill_until_gone()
        return CommandEnd(None, None)
