"""One command's processes: its group, and the descendants that left it. They carry the attempt's mark in their environment."""

import os
import signal
import time

MARKER = "BELAY_ATTEMPT"
_LOOK_EVERY_SECONDS = 0.02


class ProcessGroup:
    def __init__(self, pgid: int, marker: str):
        self._pgid = pgid
        self._mark = f"{MARKER}={marker}".encode()

    def living(self) -> list[int]:
        """What runs of it; a zombie that nobody has reaped yet runs nothing."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self._is_member(pid)]

    def signal(self, number: int) -> None:
        for pid in self.living():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def kill_until_gone(self) -> None:
        """One look may miss what a process forks at that moment: it is looked at again until nothing is left."""
        while self.living():
            self.signal(signal.SIGKILL)
            time.sleep(_LOOK_EVERY_SECONDS)

    def _is_member(self, pid: int) -> bool:
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                state, _, group = stat.read().rpartition(")")[2].split()[:3]
            if state in "ZX" or pid == os.getpid():
                return False
            if int(group) == self._pgid:
                return True
            with open(f"/proc/{pid}/environ", "rb") as environment:
                return self._mark in environment.read().split(b"\0")
        except OSError:
            return False  # it has ended, or is somebody else's
