"""The watchdog: a process of its own that kills the worker when work runs on past the lease.

A thread would not do: a handler in C code may hold the interpreter's lock for minutes, and a stopped process stops with
all of its threads. Usage: lease_guard.py LEASE_FILE, with a pipe from the worker as standard input.
"""

import os
import select
import signal
import sys
import time

from lease_file import LeaseFile

_LOOK_EVERY_SECONDS = 0.05


def guard(lease_path: str) -> None:
    worker = os.getppid()
    lease = LeaseFile(lease_path)
    while True:
        # The pipe ends with the worker: then there is nothing to guard any more.
        readable, _, _ = select.select([sys.stdin], [], [], _LOOK_EVERY_SECONDS)
        if readable and not os.read(0, 1):
            return
        # Another parent: the worker is gone, and its number may be somebody else's.
        if os.getppid() != worker:
            return
        if lease.running > 0 and time.monotonic() >= lease.end:
            os.kill(worker, signal.SIGKILL)
            return


if __name__ == "__main__":
    guard(sys.argv[1])
