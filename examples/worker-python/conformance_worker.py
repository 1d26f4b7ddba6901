#!/usr/bin/env python3
"""The worker that the conformance tests run (tests/conformance/workers); typescript-worker.ts there behaves exactly alike.

Each handler tells what it does in the file `log` of its operation's folder. Usage: conformance_worker.py SERVER NAME SLOTS
LEASE_SECONDS PREFIX; the types are PREFIX.echo and so on.
"""

import logging
import os
import sys
import time
from typing import Any

from belay_worker import Aborted, Handler, OperationContext, RetryableError, Worker

Payload = dict[str, Any]


def tell(payload: Payload, line: str) -> None:
    with open(os.path.join(payload["folder"], "log"), "a", encoding="utf-8") as log:
        log.write(line + "\n")


def hold(context: OperationContext, payload: Payload) -> Payload:
    """Runs until it is aborted, and stops because of that."""
    tell(payload, f"begun {context.attempt}")
    try:
        while True:
            context.sleep(60)
    except Aborted as aborted:
        reason = aborted.reason
        tell(payload, f"aborted {reason.kind} {reason.text}|{reason.requested_by}")
        raise


def partial(context: OperationContext, payload: Payload) -> Payload:
    """Shows progress and keeps a checkpoint before it is aborted."""
    context.progress(40, "forty")
    context.checkpoint({"done": 412, "of": 1000})
    return hold(context, payload)


def deaf(context: OperationContext, payload: Payload) -> Payload:
    """Does not heed the abort: runs until the file `release` is there."""
    tell(payload, f"begun {context.attempt}")
    while not os.path.exists(os.path.join(payload["folder"], "release")):
        time.sleep(0.02)
    tell(payload, "released")
    return {}


def finish(context: OperationContext, payload: Payload) -> Payload:
    """Finishes its work when it is aborted."""
    tell(payload, f"begun {context.attempt}")
    context.aborted.wait()
    return {"finished": True}


def fail(context: OperationContext, payload: Payload) -> Payload:
    tell(payload, f"begun {context.attempt}")
    raise (RetryableError if payload.get("retryable") else ValueError)(payload["message"])


def resume(context: OperationContext, payload: Payload) -> Payload:
    """The second attempt finds what the first one kept."""
    if context.attempt == 1:
        context.checkpoint({"step": 7})
        raise RetryableError("once more")
    return {"resumedAt": context.checkpointed["step"]}


def section(context: OperationContext, payload: Payload) -> Payload:
    """Holds the abort back until the file `go` is there."""
    with context.critical("writing the index"):
        tell(payload, "section entered")
        while not os.path.exists(os.path.join(payload["folder"], "go")) and context.reason is None:
            time.sleep(0.02)
        tell(payload, "section cut" if context.reason is not None else "section left")
    return hold(context, payload)


def cleanup(context: OperationContext, payload: Payload) -> Payload:
    context.on_cleanup(lambda: tell(payload, "cleaned first"))
    context.on_cleanup(lambda: tell(payload, "cleaned second"))
    return hold(context, payload)


def stubborn(payload: Payload) -> list[str]:
    return ["bash", os.path.join(os.path.dirname(os.path.abspath(__file__)), "stubborn.sh"), payload["folder"]]


def parent(context: OperationContext, payload: Payload) -> Payload:
    """Starts a child of the given type, and waits for it."""
    child_payload = {"folder": payload["childFolder"]}
    child = context.start(payload["child"], child_payload, policy=payload["policy"], request_id="child")
    tell(payload, f"child {child.name}")
    return {"child": child.name, "response": child.wait()}


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    server, name, slots, lease_seconds, prefix = sys.argv[1:6]
    worker = Worker(server=server, name=name, slots=int(slots), lease_seconds=float(lease_seconds), build="conformance")
    quick = {"grace": 0.4, "kill": 1}
    again = {"max_attempts": 3, "backoff": 0}
    handlers: list[tuple[str, Handler, dict[str, Any]]] = [
        ("echo", lambda _, payload: {"echo": payload.get("value")}, {}),
        ("hold", hold, {}),
        ("again", hold, again),
        ("partial", partial, {}),
        ("deaf", deaf, {}),
        ("finish", finish, {}),
        ("fail", fail, {**again, "max_attempts": 2}),
        ("resume", resume, {**again, "max_attempts": 2}),
        ("section", section, {"critical": 5}),
        ("cut", section, {"critical": 0.3}),
        ("cleanup", cleanup, {"cleanup": 2}),
        ("parent", parent, {}),
    ]
    for kind, handler, policy in handlers:
        worker.operation(f"{prefix}.{kind}", **quick, **policy)(handler)
    worker.command(f"{prefix}.command", stubborn, **quick)
    worker.command(f"{prefix}.command-again", stubborn, **quick, **again)
    worker.run(drain_seconds=3)


if __name__ == "__main__":
    main()
