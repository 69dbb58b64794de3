"""A small discrete-event simulation: time jumps from one happening to the next, and every life is a generator that waits.

    def life(desk):
        desk.record("u-1", "support", ticket.register, "T-1", ...)
        yield 600          # ten minutes later
        desk.record("u-1", "support", ticket.respond, "T-1")

What happens is recorded by decisions, in one transaction for each simulated day. All chance comes from one seed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any, ParamSpec

from opsledger.app import OpsLedger, Receipt
from opsledger.app.ledger import BatchHandle
from opsledger.app.recording import Decision
from opsledger.domain import sla
from opsledger.domain.concept import SYSTEM, clocks_of, concept_of, observer_of
from opsledger.errors import Refused
from opsledger.policies.instants import micros, moment

__all__ = ["Clock", "Desk", "Life"]

P = ParamSpec("P")
Life = Generator[float, None, None]
"""What happens to one thing; yields the seconds until the next step."""


class Clock:
    """The time of a simulated ledger. Never falls."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


class Desk:
    """Where simulated people record what they do."""

    def __init__(self, ledger: OpsLedger, clock: Clock, seed: int) -> None:
        self.ledger = ledger
        self.clock = clock
        self.seed = seed
        self.random = Random(seed)  # noqa: S311  # chance for a story, not for a secret
        self._waiting: list[tuple[datetime, int, Callable[[], object]]] = []
        self._order = count()
        self._batch: BatchHandle | None = None
        self._watched: dict[str, datetime] = {}
        self.outages: list[tuple[str, datetime, datetime]] = []  # which service could not answer, from when until when

    @property
    def now(self) -> datetime:
        """The present instant of the simulation."""
        return self.clock.now

    def begin(self, at: datetime, life: Life) -> None:
        """Let a life begin at an instant."""
        self.schedule(at, lambda: self._step(life))

    def schedule(self, at: datetime, act: Callable[[], object]) -> None:
        """Let something happen at an instant; what is due at one instant happens in the order of scheduling."""
        heapq.heappush(self._waiting, (at, next(self._order), act))

    def run(self, until: datetime, each_day: Callable[[datetime], None]) -> None:
        """Let everything happen that is due before `until`; `each_day` is called after each simulated day."""
        day_ends = self.now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        while day_ends <= until:
            while self._waiting and self._waiting[0][0] < day_ends:
                at, _, act = heapq.heappop(self._waiting)
                self.clock.now = max(self.clock.now, at)
                act()
            self.clock.now = max(self.clock.now, day_ends)
            each_day(day_ends)
            self.commit()
            day_ends += timedelta(days=1)

    def record(self, actor: str, role: str, decision: Decision[P], id: str, /, *args: P.args, **kwargs: P.kwargs) -> Receipt:
        """Record what an actor does now."""
        return self.record_late(actor, role, self.now, decision, id, *args, **kwargs)

    def record_late(
        self, actor: str, role: str, happened: datetime, decision: Decision[P], id: str, /, *args: P.args, **kwargs: P.kwargs
    ) -> Receipt:
        """Record now what happened earlier. What the decision refuses did not happen in this story."""
        if self._batch is None:
            self._batch = self.ledger.batch()
        try:
            receipt = self._batch.by(actor, role=role, at=happened).record(decision, id, *args, **kwargs)
        except Refused:
            return Receipt((), 0, None)
        self._watch(decision, id)
        return receipt

    def alone(self, actor: str, role: str, decision: Decision[P], id: str, /, *args: P.args, **kwargs: P.kwargs) -> Receipt:
        """Record in a transaction of its own, as policies and calendars are."""
        self.commit()
        return self.ledger.by(actor, role=role, at=self.now).record(decision, id, *args, **kwargs)

    def history(self, stream: str) -> Any:
        """Return the facts of a stream, those of this day included."""
        return self._batch.history(stream) if self._batch is not None else tuple(self.ledger.history(stream))

    def commit(self) -> None:
        """Write what was recorded since the last time."""
        if self._batch is not None:
            self._batch.commit()
            self._batch = None

    def _step(self, life: Life) -> None:
        try:
            pause = next(life)
        except StopIteration:
            return
        self.schedule(self.now + timedelta(seconds=round(pause)), lambda: self._step(life))

    def _watch(self, decision: Callable[..., Any], id: str) -> None:
        """Have the next deadline of a ticket observed soon after it passes, as a running watcher would."""
        concept = concept_of(decision)
        if concept.signals is None:
            return
        stream = f"{concept.name}:{id}"
        clocks = clocks_of(self.history(stream), self.ledger.governing.known)
        coming = [each.passes_at for each in sla.deadlines(clocks) if each.open and each.passes_at > micros(self.now)]
        if not coming:
            self._watched.pop(stream, None)
            return
        look = moment(min(coming)) + timedelta(seconds=self.random.randrange(1, 60))
        self._watched[stream] = look

        def observe() -> None:
            if self._watched.get(stream) == look:
                del self._watched[stream]
                self.record(SYSTEM, "system", observer_of(concept.name), id)

        self.schedule(look, observe)
