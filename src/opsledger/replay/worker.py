"""A worker: a process that folds parts of the log for another one, which starts it and asks it (`opsledger.replay.pipes`).

It is told a job, answers that it is ready, and then answers each part with its number of facts and its rows, packed. What it
meets instead, it answers with that error, and ends. It ends too when its input is closed, or when nobody takes its answers.
Nothing is written by it but those.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any, BinaryIO

from opsledger.domain.plugins import load_concepts
from opsledger.errors import BadInput
from opsledger.projections.catalog import projections
from opsledger.replay.build import Part, build
from opsledger.replay.executor import Job, declared
from opsledger.replay.gathering import Folded
from opsledger.replay.knowledge import timeline
from opsledger.replay.pieces import packing
from opsledger.replay.pipes import asked_of, same_ledger, serve

__all__ = ["main"]


def main() -> None:
    """Answer all that is asked on the standard input."""
    serve(_answers)


def _answers(asked: BinaryIO) -> Iterator[Any]:
    job: Job = asked_of(asked)
    load_concepts()
    _check(job)
    store = same_ledger(job.where, job.ledger_id)
    chosen = [projection for projection in projections() if projection.name in job.projections]
    known = timeline(store, job.cut.position)
    gc.freeze()  # what is loaded by now stays
    yield None
    while (part := asked_of(asked)) is not None:
        piece, folded = packing(job.dialect, chosen), list[Folded]()
        facts = build(store, chosen, known, job.cut, piece.take, folded.extend, part=Part(*part))
        yield facts, piece.packed(), folded
    store.close()


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
