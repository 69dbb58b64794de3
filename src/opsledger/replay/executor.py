"""Who folds: this process, or several beside it. The rows come out the same, and so does the first error.

    Serial       this process; what hosts get unless they ask for more
    Processes    worker processes of this machine, each folding one part of the streams after the other

A worker is a program of its own (`opsledger.replay.worker`), so a host's script needs no guard. It is told on its standard
input what to do, where nobody sees the password of a database; it opens the log itself, reads up to the position of the cut,
and so the same log as all the others; it answers with packed rows. Answers are taken in the order of the parts, a few ahead,
so memory stays flat. A worker whose input is closed ends: none outlives the call, nor the process that called.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Final, Protocol

from opsledger.domain.concept import concepts
from opsledger.domain.fact import fact_types
from opsledger.errors import BadInput, Unavailable
from opsledger.ledger.store import Store
from opsledger.ledger.url import LedgerUrl
from opsledger.projections.catalog import projections
from opsledger.projections.kinds import fingerprint
from opsledger.replay.build import Cut, Part, Progress, build, parted
from opsledger.replay.knowledge import timeline
from opsledger.replay.pieces import IMAGES
from opsledger.replay.shadow import Shadow

__all__ = ["SERIAL", "Executor", "Job", "Processes", "Serial", "declared", "executor", "fitting"]

_PAYS: Final = 100_000  # facts; to start two workers costs what it costs to fold some 40,000
_MOST: Final = 8  # workers that nobody asked for: each is some 100 MB and a connection
_PART: Final = 5000  # facts in a part
_PATIENCE_S: Final = 5.0


class Executor(Protocol):
    """Folds the log into new rows."""

    def build(self, store: Store, new: Shadow, cut: Cut, progress: Progress | None) -> None:
        """Fold every stream up to a cut through the projections of `new`, and put there all rows, and what is to be joined."""


class Serial:
    """Folds in this process."""

    def build(self, store: Store, new: Shadow, cut: Cut, progress: Progress | None) -> None:
        """Fold one stream after the other."""
        build(store, new.chosen, timeline(store, cut.position), cut, new.take, new.gathering.take, progress)


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
            crew = [stack.enter_context(_Worker()) for _ in range(count)]
            list(threads.map(lambda worker: worker.ask(job), crew))  # until all are ready, or one refuses
            for facts, piece, folded in _answers(threads, crew, parts):
                new.add(piece)
                new.gathering.take(folded)
                done += facts
                if progress is not None:
                    progress(done, cut.position)


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


def _answers(threads: ThreadPoolExecutor, crew: Sequence[_Worker], parts: Sequence[Part]) -> Iterator[tuple[int, Any, Any]]:
    """Yield the answers for parts in order. Each worker has one in hand and one waiting, so memory stays flat."""
    free: SimpleQueue[_Worker] = SimpleQueue()
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


class _Worker:
    """A worker process, asked by one thread at a time."""

    def __init__(self) -> None:
        # Modules are found where this process finds them, also those of a host that runs from anywhere.
        paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "opsledger.replay.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": paths},
                process_group=0,  # an interrupt from the keyboard is for this process, which then ends its workers
            )
        except OSError as error:
            why = error.strerror or error
            raise Unavailable("workers.unstarted", f"No worker process can be started here ({why}); go on with one worker.") from None

    def ask(self, question: Job | Part) -> Any:
        """Return what the worker answers. Raises what it met, or Unavailable when it ended before."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            pickle.dump(question, self._process.stdin)
            self._process.stdin.flush()
            answer = pickle.load(self._process.stdout)  # noqa: S301  # it comes from our own program, over a pipe of its own
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            raise self._ended() from None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def __enter__(self) -> _Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Wait for the process to end, which it does when its input is closed; after an error end it at once."""
        if error is not None:
            self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ended(self) -> Unavailable:
        self._process.kill()
        code = self._process.wait()
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return Unavailable(
            "workers.ended",
            f"A worker process {how} before its work was done, and nothing was changed; repeat, with fewer workers if memory is short.",
        )
