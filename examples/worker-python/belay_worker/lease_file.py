"""The lease's end in shared memory: the worker writes it, the guard and the supervisors read it.

They read it with their own eyes, by CLOCK_MONOTONIC, which is one clock for all processes of a machine: a worker that was
stopped (SIGSTOP) can tell nobody anything, and its commands must end all the same.
"""

import mmap
import os
import struct
import tempfile

_LAYOUT = struct.Struct("=dq")


class LeaseFile:
    """Sixteen bytes: when the lease ends (seconds, monotonic), and how much work is running."""

    def __init__(self, path: str | None = None):
        if path is None:
            handle, path = tempfile.mkstemp(prefix="belay-lease-")
            os.write(handle, _LAYOUT.pack(float("inf"), 0))
            self._owner = True
        else:
            handle = os.open(path, os.O_RDWR)
            self._owner = False
        self.path = path
        self._memory = mmap.mmap(handle, _LAYOUT.size)
        os.close(handle)

    @property
    def end(self) -> float:
        return struct.unpack_from("=d", self._memory, 0)[0]

    @end.setter
    def end(self, seconds: float) -> None:
        struct.pack_into("=d", self._memory, 0, seconds)

    @property
    def running(self) -> int:
        return struct.unpack_from("=q", self._memory, 8)[0]

    @running.setter
    def running(self, count: int) -> None:
        struct.pack_into("=q", self._memory, 8, count)

    def remove(self) -> None:
        if self._owner:
            os.unlink(self.path)
