"""Who folds: this process, or several beside it. The rows come out the same, and so does the first error.

    Serial       this process; what hosts get unless they ask for more
    Processes    worker processes of this machine, each folding one part of the streams after the other

A worker (`opsledger.replay.worker`; `opsledger.replay.pipes` says how it is asked) opens the log itself, reads up to the position
of the cut, and so the same log as all the others; it answers with packed rows. Answers are taken in the order of the parts, a few
ahead, so memory stays flat. How the integrity of the log is looked at by several is in `opsledger.replay.beside`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import metadata
from queue import SimpleQueue
from typing import Any, Final, Protocol

from opsledger.audit.looking import Looked, Stretch, look_at_all
from opsledger.domain.concept import concepts
from opsledger.domain.fact import fact_types
from opsledger.errors import BadInput
from opsledger.ledger.store import Store
from opsledger.ledger.url import LedgerUrl
from opsledger.projections.catalog import projections
from opsledger.projections.kinds import fingerprint
from opsledger.replay.beside import look_beside
from opsledger.replay.build import Cut, Part, Progress, build, parted
from opsledger.replay.knowledge import timeline
from opsledger.replay.pieces import IMAGES
from opsledger.replay.pipes import Worker
from opsledger.replay.shadow import Shadow

__all__ = ["SERIAL", "Executor", "Job", "Processes", "Serial", "declared", "executor", "fitting"]

_PAYS: Final = 100_000  # facts; to start two workers costs what it costs to fold some 40,000
_MOST: Final = 8  # workers that nobody asked for: each is some 100 MB and a connection
_PART: Final = 5000  # facts in a part
_PROGRAM: Final = "opsledger.replay.worker"


class Executor(Protocol):
    """Folds the log into new rows."""

    def build(self, store: Store, new: Shadow, cut: Cut, progress: Progress | None) -> None:
        """Fold every stream up to a cut through the projections of `new`, and put there all rows, and what is to be joined."""

    def look(self, store: Store, origin: str, stretches: Iterable[Stretch]) -> Iterator[Looked]:
        """Look at stretches of the log for the check of its integrity, and yield what was found, in their order."""


class Serial:
    """Folds in this process."""

    def build(self, store: Store, new: Shadow, cut: Cut, progress: Progress | None) -> None:
        """Fold one stream after the other."""
        build(store, new.chosen, timeline(store, cut.position), cut, new.take, new.gathering.take, progress)

    def look(self, store: Store, origin: str, stretches: Iterable[Stretch]) -> Iterator[Looked]:
        """Look at one stretch after the other."""
        return look_at_all(store, origin, stretches)


SERIAL: Final = Serial()


@dataclass(frozen=True, slots=True)
class Processes:
    """Folds in worker processes. `part` is about how many facts one folds at a time."""

    workers: int
    part: int = _PART

    def build(self, store: Store, new: Shadow, cut: Cut, progress: Progress | None) -> None:
        """Have the parts folded side by side, and take their rows in order. Raises what a worker raised, the first in order."""
        names = tuple(projection.name for projection in new.chosen)
        job = Job(store.where, store.meta().get("ledger_id", ""), names, new.dialect, cut, declared())
        parts = parted(store, cut.position, self.part)
        count, done = min(self.workers, len(parts)), 0
        with ThreadPoolExecutor(count) as threads, ExitStack() as stack:
            crew = [stack.enter_context(Worker(_PROGRAM)) for _ in range(count)]
            list(threads.map(lambda worker: worker.ask(job), crew))  # until all are ready, or one refuses
            for facts, piece, folded in _answers(threads, crew, parts):
                new.add(piece)
                new.gathering.take(folded)
                done += facts
                if progress is not None:
                    progress(done, cut.position)

    def look(self, store: Store, origin: str, stretches: Iterable[Stretch]) -> Iterator[Looked]:
        """Look at stretches with as many processes, of which this is one."""
        return look_beside(self.workers, store, origin, stretches)


def executor(workers: int) -> Executor:
    """Return the executor with so many processes; one is this process itself."""
    if workers < 1:
        raise BadInput("workers.number", f"{workers} workers cannot fold anything; give 1 for this process alone, or more.")
    return SERIAL if workers == 1 else Processes(workers)


def fitting(facts: int) -> int:
    """Return how many workers to take for so many facts where nobody says: one for few, else as many as there are cores to use."""
    if facts < _PAYS or not IMAGES:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST)


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is told before its first part. It answers with None when it is ready."""

    where: LedgerUrl
    ledger_id: str
    projections: Sequence[str]
    dialect: str  # of the tables
    cut: Cut
    declared: Mapping[str, str]


def declared() -> dict[str, str]:
    """Return all that this process can fold, each with what must be equal in a process that folds the same."""
    known = {"the program opsledger": metadata.version("opsledger")}
    known |= {f"the concept {name}": name for name in concepts()}
    known |= {f"the fact {topic}": str(kind.revision) for topic, kind in fact_types().items()}
    known |= {f"the projection {each.name}": fingerprint(each) for each in projections()}
    return known


def _answers(threads: ThreadPoolExecutor, crew: Sequence[Worker], parts: Sequence[Part]) -> Iterator[tuple[int, Any, Any]]:
    """Yield the answers for parts in order. Each worker has one in hand and one waiting, so memory stays flat."""
    free: SimpleQueue[Worker] = SimpleQueue()
    for worker in crew:
        free.put(worker)

    def folded(part: Part) -> tuple[int, Any, Any]:
        worker = free.get()
        try:
            return worker.ask(part)  # type: ignore[no-any-return]  # what the worker's program answers to a part
        finally:
            free.put(worker)

    ahead: deque[Future[tuple[int, Any, Any]]] = deque()
    for part in parts:
        ahead.append(threads.submit(folded, part))
        if len(ahead) > 2 * len(crew):
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()
