"""A worker that looks at stretches of the log, for the check of its integrity.

It is told where the log is, answers that it is ready, and then answers each stretch with what it found there. It knows no fact and no
table, and so it starts in half the time of one that folds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from opsledger.audit.leaf import LeafWriter
from opsledger.audit.looking import look
from opsledger.replay.beside import LookingJob
from opsledger.replay.pipes import asked_of, same_ledger, serve

__all__ = ["main"]


def main() -> None:
    """Answer all that is asked on the standard input."""
    serve(_answers)


def _answers(asked: BinaryIO) -> Iterator[Any]:
    job: LookingJob = asked_of(asked)
    store, writer = same_ledger(job.where, job.ledger_id), LeafWriter(job.origin)
    yield None
    while (stretch := asked_of(asked)) is not None:
        yield look(store, writer, stretch)
    store.close()


if __name__ == "__main__":
    main()
