"""A Belay worker in Python: takes operations from a server, runs them, and really stops them."""

import os
import sys

# The stubs import each other as `belay.v1...`, from the folder that set-up.sh fills.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "generated"))

from .attempt import Handler  # noqa: E402
from .context import Aborted, ChildFailed, OperationContext, RetryableError  # noqa: E402
from .worker import Worker  # noqa: E402

__all__ = ["Aborted", "ChildFailed", "Handler", "OperationContext", "RetryableError", "Worker"]
