#!/usr/bin/env python3
"""Serves two operation types: python.words counts the words below a folder, python.command runs a program.

Usage: handlers.py SERVER, for instance 127.0.0.1:8080. A server that wants credentials: BELAY_WORKER_TOKEN.
"""

import collections
import logging
import os
import re
import sys
from typing import Any

from belay_worker import OperationContext, Worker

WORD = re.compile(r"\w+")
# A checkpoint holds the most frequent words only: it may have 10,000 keys.
KEPT_WORDS = 1000


def count_words(context: OperationContext, payload: dict[str, Any]) -> dict[str, Any]:
    """Counts the words in the files below `folder`; a cancel leaves what was counted as the checkpoint, and the next attempt
    goes on from there."""
    names = sorted(os.path.join(root, name) for root, _, files in os.walk(payload["folder"]) for name in files)
    kept = context.checkpointed or {"files": 0, "words": {}}
    words = collections.Counter({word: int(count) for word, count in kept["words"].items()})
    for done in range(int(kept["files"]), len(names)):
        if context.reason is not None:
            context.checkpoint({"files": done, "words": dict(words.most_common(KEPT_WORDS))})
            context.raise_if_aborted()
        with open(names[done], encoding="utf-8", errors="replace") as text:
            for line in text:
                words.update(word.lower() for word in WORD.findall(line))
        context.progress(100 * (done + 1) / len(names), names[done])
    return {"files": len(names), "words": words.total(), "most": dict(words.most_common(10))}


def command(payload: dict[str, Any]) -> list[str]:
    """Whoever may start operations may run any program as this worker's user: leave it out where that is not wanted."""
    return [str(part) for part in payload["command"]]


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    token = os.environ.get("BELAY_WORKER_TOKEN")
    worker = Worker(server=sys.argv[1], token=token, slots=4, build="example")
    worker.operation("python.words", grace=5, max_attempts=3)(count_words)
    worker.command("python.command", command, grace=2)
    worker.run()


if __name__ == "__main__":
    main()
