"""Back-tests of health scores: what each customer scored at past times, by what was recorded then, and whether they left afterwards.

    recorded by a time  ── fold ──> the newest closed day's score
    recorded by now     ── fold ──> whether the customer left within the horizon after that time

Nothing that was recorded after a time enters its scores: not an answer typed in late, not a correction, not a day closed since. The
model alone may be younger; that is what is asked about. Who left is told by what is known today.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from opsledger.domain import ledger as l
from opsledger.domain.recorded import Recorded
from opsledger.errors import BadInput, Refused
from opsledger.ledger.codec import read_all
from opsledger.ledger.store import Store
from opsledger.policies.health import Band
from opsledger.policies.health_backtest import Backtest, Outcome, backtest
from opsledger.policies.instants import DAY_S, SECOND
from opsledger.projections.health import scores as health
from opsledger.projections.health.measures import History, midnight
from opsledger.projections.health.scores import Version
from opsledger.projections.health.sources import Subscriptions
from opsledger.replay.folding import fold_stream_of
from opsledger.replay.tables import Tables

__all__ = ["Book", "Scored", "published", "score_the_past"]

_DAY: Final = DAY_S * SECOND
_EPOCH: Final = 719_163  # ordinal of 1970-01-01
_HEALTH: Final = health.PROJECTIONS[0]


class Scored(NamedTuple):
    """A customer as scored at a time by what was recorded by then, and whether they left within the horizon after it."""

    customer_id: str
    known_at: int  # microseconds
    day: int  # that was scored, counted from 1970-01-01; the newest that was closed by then
    score_x10: int | None
    band: Band
    churned: bool


class Book(NamedTuple):
    """All that was scored. `agreed`: how many were not, since their end was agreed on by then and is no prediction."""

    horizon_days: int
    times: tuple[int, ...]  # microseconds
    scored: tuple[Scored, ...]
    agreed: int

    def result(self) -> Backtest:
        """Return how well the scores told who would leave."""
        return backtest(Outcome(each.score_x10, each.band, each.churned) for each in self.scored)


class _Time(NamedTuple):
    at: int
    position: int  # of the newest fact recorded by then
    closed: int  # newest day closed by then


def published(store: Store, name: str | None = None) -> tuple[Version, int]:
    """Return a published version of the health model with the time of its publication: the one named, or the only one that there is."""
    names = sorted(stream.partition(":")[2] for stream in store.heads_within("health_model:"))
    if name is None and len(names) > 1:
        raise BadInput("backtest.which", f"There are several health models ({', '.join(names)}); say which is meant.")
    if not names or (name is not None and name not in names):
        known = f"there are {', '.join(names)}" if names else "none was ever published; publish one, or give a file with its document"
        raise BadInput("backtest.no_model", f"No health model{f' {name}' if name else ''} is published; {known}.")
    stream = f"health_model:{name or names[0]}"
    facts = list(read_all(store.stream(stream)))
    version: Version = fold_stream_of(_HEALTH, stream, facts).told.version
    return version, facts[0].recorded_at


def score_the_past(
    store: Store,
    tables: Tables,
    version: Version,
    *,
    horizon_days: int = 90,
    every_days: int = 30,
    since: int | None = None,
    until: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Book:
    """Return what customers who were paid for scored at past times, the newest a horizon before the last closed day.

    Times lie `every_days` apart, back to `since` (default: the first closed day), none after `until`. Tables say which streams speak
    of whom; they may be behind the ledger, and what they do not show does not count.
    """
    shown = tables.as_of().position
    times = _times(store, shown, horizon_days, every_days, since, until)
    if not times:
        raise Refused(
            "backtest.no_times",
            f"No time lies {horizon_days} days or more before the last closed day and within what was asked for; "
            "ask for a shorter horizon or other times.",
        )
    customers = tables.subjects(_HEALTH)
    scored: list[Scored] = []
    agreed = 0
    for number, customer_id in enumerate(customers):
        for each in _Customer(store, tables, customer_id, shown).scored(version, times, horizon_days):
            agreed += each is None
            scored += [each] if each is not None else []
        if progress is not None:
            progress(number + 1, len(customers))
    return Book(horizon_days, tuple(each.at for each in times), tuple(scored), agreed)


def _times(store: Store, shown: int, horizon_days: int, every_days: int, since: int | None, until: int | None) -> list[_Time]:
    """Return the times at which is scored, the first one first."""
    closings = [
        (recorded.position, recorded.recorded_at, recorded.fact.day.toordinal() - _EPOCH)
        for recorded in read_all(store.stream("ledger:self"))
        if isinstance(recorded.fact, l.DayClosed) and recorded.position <= shown
    ]
    if not closings:
        raise Refused("backtest.no_days", "No day of this ledger was closed, so nothing was ever scored; let `opsledger watch` run.")
    last = midnight(max(day for _, _, day in closings)) - horizon_days * _DAY
    at, found = last if until is None else min(last, until), []
    while at >= max(closings[0][1], since or 0):
        position = min(shown, store.position_at(at))
        found.append(_Time(at, position, max(day for closing, _, day in closings if closing <= position)))
        at -= every_days * _DAY
    return found[::-1]


class _Customer:
    """All streams that speak of a customer, to be folded as far as they were known at some time."""

    def __init__(self, store: Store, tables: Tables, customer_id: str, shown: int) -> None:
        self._id = customer_id
        self._facts: dict[str, list[Recorded]] = {}
        for stream in tables.streams_of(_HEALTH, [customer_id])[customer_id]:
            self._facts[stream] = [each for each in read_all(store.stream(stream)) if each.position <= shown]
        self._positions = {stream: [each.position for each in facts] for stream, facts in self._facts.items()}
        self._folded: dict[str, tuple[int, Any]] = {}

    def scored(self, version: Version, times: Sequence[_Time], horizon_days: int) -> Iterator[Scored | None]:
        """Yield what the customer scored at each time at which they were one; None where their end was agreed on."""
        today = _contracts(self._known(max((facts[-1].position for facts in self._facts.values() if facts), default=0)))
        for time in times:
            states = self._known(time.position)
            then = _contracts(states)
            if not (then.paid(time.at) and today.paid(time.at)):
                continue
            if then.at(time.at + 1).cancelled:
                yield None
                continue
            history = History(states)
            score: int | None = None
            band: Band = "unknown"
            if history.first_day is not None and history.first_day <= time.closed:
                judged = next(health.judge(history, time.closed, [version])).score
                score, band = judged.score_x10, judged.band
            churned = today.lost(time.at, time.at + horizon_days * _DAY)
            yield Scored(self._id, time.at, time.closed, score, band, churned)

    def _known(self, position: int) -> dict[str, Any]:
        """Return the states of the streams that spoke of the customer by a position, as known there."""
        states: dict[str, Any] = {}
        for stream, facts in self._facts.items():
            count = bisect_right(self._positions[stream], position)
            if count:
                kept = self._folded.get(stream)
                if kept is None or kept[0] != count:
                    kept = self._folded[stream] = count, fold_stream_of(_HEALTH, stream, facts[:count])
                if self._id in health.subjects(kept[1]):
                    states[stream] = kept[1].told
        return states


def _contracts(states: Mapping[str, Any]) -> Subscriptions:
    return Subscriptions([state for state in states.values() if isinstance(state, Subscriptions.TOLD)])
