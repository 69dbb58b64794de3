"""Integrity by several processes: this one and workers beside it look at stretches of the log, each at the next that nobody has.

This process looks too, from the beginning, while the others start, and whenever they have enough to do: one stretch in hand and one
waiting. What is found is yielded in the order of the stretches, and little is kept ahead of it, so memory stays flat.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain, islice
from types import TracebackType
from typing import Any, Final, NamedTuple

from opsledger.audit.leaf import LeafWriter
from opsledger.audit.looking import Looked, Stretch, look
from opsledger.ledger.store import Store
from opsledger.ledger.url import LedgerUrl
from opsledger.replay.pipes import Worker

__all__ = ["LookingJob", "look_beside"]

_PROGRAM: Final = "opsledger.replay.looker"
_IN_HAND: Final = 2


class LookingJob(NamedTuple):
    """What a worker is told before its first stretch. It answers with None when it is ready."""

    where: LedgerUrl
    ledger_id: str
    origin: str


def look_beside(workers: int, store: Store, origin: str, stretches: Iterable[Stretch]) -> Iterator[Looked]:
    """Look at stretches with so many processes, of which this is one, and yield what was found. Raises what a worker met."""
    left, writer = iter(stretches), LeafWriter(origin)
    first = list(islice(left, workers))
    job = LookingJob(store.where, store.meta().get("ledger_id", ""), origin)

    def here(stretch: Stretch) -> Future[Looked]:
        found: Future[Looked] = Future()
        found.set_result(look(store, writer, stretch))
        return found

    with ExitStack() as stack:
        helpers = [stack.enter_context(_Helper(job)) for _ in first[1:]]
        ahead: deque[tuple[Stretch, Future[Looked]]] = deque()
        for stretch in chain(first, left):
            helper = next((each for each in helpers if each.has_room()), None)
            ahead.append((stretch, here(stretch) if helper is None else helper.ask(stretch)))
            while ahead and ahead[0][1].done():
                yield ahead.popleft()[1].result()
        while ahead:
            waiting = next((i for i in reversed(range(len(ahead))) if ahead[i][1].cancel()), None)
            if waiting is not None:  # nobody has begun with it
                ahead[waiting] = (ahead[waiting][0], here(ahead[waiting][0]))
            else:
                yield ahead.popleft()[1].result()


class _Helper:
    """A worker, and the thread that asks it."""

    def __init__(self, job: LookingJob) -> None:
        self._worker = Worker(_PROGRAM)
        self._thread = ThreadPoolExecutor(1)
        self._ready: Future[Any] = self._thread.submit(self._worker.ask, job)
        self._asked: list[Future[Looked]] = []

    def has_room(self) -> bool:
        """Return whether it can be asked for one stretch more. Raises what it met instead of getting ready."""
        if not self._ready.done():
            return False
        self._ready.result()
        self._asked = [each for each in self._asked if not each.done()]
        return len(self._asked) < _IN_HAND

    def ask(self, stretch: Stretch) -> Future[Looked]:
        """Ask for a stretch, after those that it was asked for before."""
        asked: Future[Looked] = self._thread.submit(self._worker.ask, stretch)
        self._asked.append(asked)
        return asked

    def __enter__(self) -> _Helper:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the worker; at once where it is of no use any more, or was not ready before all was done."""
        self._worker.end(at_once=error is not None or not self._ready.done())
        self._thread.shutdown(cancel_futures=True)
