"""A worker: a process that folds parts of the log for another one, which starts it and talks to it over its standard streams.

It is told a job, answers that it is ready, and then answers each part with its number of facts and its rows, packed. What it
meets instead, it answers with that error, and ends. It ends too when its input is closed, or when nobody takes its answers.
Nothing is written by it but those.
"""

from __future__ import annotations

import gc
import os
import pickle
import sys
import traceback
from collections.abc import Iterator
from typing import Any, BinaryIO

from opsledger.domain.plugins import load_concepts
from opsledger.errors import BadInput, NoLedger
from opsledger.ledger.application import open_store
from opsledger.projections.catalog import projections
from opsledger.replay.build import Part, build
from opsledger.replay.executor import Job, declared
from opsledger.replay.gathering import Folded
from opsledger.replay.knowledge import timeline
from opsledger.replay.pieces import packing

__all__ = ["main"]


def main() -> None:
    """Answer all that is asked on the standard input."""
    asked, told = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a host's module prints is no answer
    try:
        for answer in _answers(asked):
            pickle.dump(answer, told)
            told.flush()
    except BrokenPipeError:
        os._exit(0)  # whoever asked is gone
    except Exception as error:  # goes to the process that asked, which raises it
        error.add_note(f"In a worker process:\n{traceback.format_exc()}")
        pickle.dump(error, told)
        told.flush()


def _answers(asked: BinaryIO) -> Iterator[Any]:
    job: Job = _next(asked)
    load_concepts()
    _check(job)
    store = open_store(job.where)
    if store.meta().get("ledger_id", "") != job.ledger_id:
        raise NoLedger("workers.other_ledger", f"At {job.where.shown} a worker process found another ledger; open the ledger again.")
    chosen = [projection for projection in projections() if projection.name in job.projections]
    known = timeline(store, job.cut.position)
    gc.freeze()  # what is loaded by now stays
    yield None
    while (part := _next(asked)) is not None:
        piece, folded = packing(job.dialect, chosen), list[Folded]()
        facts = build(store, chosen, known, job.cut, piece.take, folded.extend, part=Part(*part))
        yield facts, piece.packed(), folded
    store.close()


def _next(asked: BinaryIO) -> Any:
    """Return the next thing that is asked; None at the end."""
    try:
        return pickle.load(asked)  # noqa: S301  # it comes from the process that started this one, over a pipe of its own
    except EOFError:
        return None


def _check(job: Job) -> None:
    """Refuse a job of a process that folds something else than this one would."""
    known = declared()
    other = [what for what, version in job.declared.items() if known.get(what) != version]
    if other:
        raise BadInput(
            "workers.not_found",
            f"Worker processes do not find {', '.join(other[:5])} as declared here; add what is yours by entry points of the groups "
            "opsledger.concepts and opsledger.projections, or rebuild with one worker.",
        )


if __name__ == "__main__":
    main()
