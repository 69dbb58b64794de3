"""usage_period: what did each subscription use in each period, what was billed of it, and what came after?

Grain: one row per subscription, meter and period in which something was used or closed. A period is one that was closed, as it was
closed; else the billing period; and what lies in neither is counted by UTC months.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from opsledger.domain import subscription as s
from opsledger.domain import usage as u
from opsledger.domain.billing import Period
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import micros, moment
from opsledger.policies.intervals import Interval, union, without
from opsledger.policies.known import Known
from opsledger.policies.usage import Entry, counted, plain
from opsledger.projections.kinds import Gathered, Rows
from opsledger.projections.table import Row, Table, boolean, instant, integer, text

__all__ = ["PROJECTIONS", "USAGE_PERIOD", "Told", "fold", "rows", "start", "subjects"]

USAGE_PERIOD = Table(
    "usage_period",
    "One row per subscription, meter and period in which something was used or closed.",
    key=("subscription_id", "meter", "period_starts_at"),
    columns=(
        text("subscription_id", "Id of the subscription."),
        text("meter", "What is counted, by the host's name."),
        instant("period_starts_at", "Start of the period."),
        instant("period_ends_at", "End of it, not part of it."),
        text("customer_id", "Opaque id of the customer."),
        text("period_kind", "closed: as it was closed; billing: of the subscription; month: of the UTC calendar, as far as in neither."),
        text("quantity", "What was used, corrections counted, as an exact decimal."),
        integer("events", "Events that count."),
        integer("voided_events", "Events that were voided."),
        text("corrected_quantity", "Of the quantity, what corrections added; below 0: took away. Voided events are left out."),
        integer("conflicts", "Events of the period whose id had come before with other content; they are not counted."),
        instant("closed_at", "When it was closed last; null: it is not."),
        instant("knowledge_cutoff_at", "What was recorded at this time or later was not counted in the close."),
        text("closed_quantity", "The quantity that the close says; null: it is not closed."),
        boolean("closed_agrees", "Whether that is what counts by the cut-off, counted again; null: it is not closed."),
        integer("late_events", "Events recorded at the cut-off or later; 0 while it is not closed."),
        text("restated_quantity", "quantity - closed_quantity: what is still to be billed or given back; null: it is not closed."),
        integer("last_position", "Position of the newest fact used."),
    ),
)


class _Event(NamedTuple):
    used_at: int
    recorded_at: int
    meter: str
    quantity: Decimal
    customer_id: str


class _Change(NamedTuple):
    """A correction of an event, by what it adds; None: the event is voided."""

    event: int
    recorded_at: int
    delta: Decimal | None


class _Conflict(NamedTuple):
    meter: str
    used_at: int
    position: int
    customer_id: str


class _Close(NamedTuple):
    meter: str
    span: Interval
    cutoff: int
    quantity: Decimal
    closed_at: int
    position: int
    customer_id: str


@dataclass(slots=True)
class Told:
    """What one stream says: the events of a month with their corrections, or the billing periods of a subscription."""

    subscription_id: str
    events: dict[int, _Event] = field(default_factory=dict)  # by position
    changes: dict[int, _Change] = field(default_factory=dict)
    conflicts: list[_Conflict] = field(default_factory=list)
    closes: list[_Close] = field(default_factory=list)
    periods: dict[int, tuple[int, int, bool]] = field(default_factory=dict)  # start, stop, whether periods are counted anew with it
    retracted: set[int] = field(default_factory=set)
    periods_position: int = 0  # newest fact that says when billing periods are


def start(stream: str) -> Told:
    """Return what a stream says before its first fact; `stream` is `usage:S-1/2026-03` or `subscription:S-1`."""
    concept, _, id = stream.partition(":")
    return Told(id.rpartition("/")[0] if concept == "usage" else id)


def fold(told: Told, recorded: Recorded) -> Told:
    """Return what it says after one more fact. An event counts when it says that it was used, whichever came first."""
    event, position = recorded.fact, recorded.position
    match event:
        case u.Used():
            told.events[position] = _Event(micros(event.used_at), recorded.recorded_at, event.meter, event.quantity, event.customer_id)
        case u.Corrected():
            told.changes[position] = _Change(event.corrects, recorded.recorded_at, event.quantity_delta)
        case u.Voided():
            told.changes[position] = _Change(event.voids, recorded.recorded_at, None)
        case u.ConflictFound():
            told.conflicts.append(_Conflict(event.meter, micros(event.used_at), position, event.customer_id))
        case u.PeriodClosed():
            span = micros(event.starts_at), micros(event.ends_at)
            cutoff, closed_at = micros(event.knowledge_cutoff_at), micros(event.closed_at)
            told.closes.append(_Close(event.meter, span, cutoff, event.quantity, closed_at, position, event.customer_id))
        case s.Retracted():
            told.retracted.add(event.retracts)
            told.periods_position = max(told.periods_position, position)
        case s.TimeCorrected():
            told.periods_position = max(told.periods_position, position)
        case s.Activated() | s.TrialConverted() | s.Reactivated():
            _period(told, position, event.period, anew=True)
        case s.PlanChanged() | s.Resumed() if event.period is not None:
            _period(told, position, event.period, anew=True)
        case s.Renewed():
            _period(told, position, event.period, anew=False)
        case _:
            pass  # says nothing of usage or of periods
    return told


def subjects(told: Told) -> Collection[str]:
    """Return the subscription of which the stream speaks."""
    return (told.subscription_id,)


def rows(subscription_id: str, states: Mapping[str, Told], known: Known) -> Rows:
    """Return the rows of one subscription."""
    tolds = states.values()
    billed = _billed(tolds)
    meters = {each.meter for told in tolds for some in (told.events.values(), told.conflicts, told.closes) for each in some}
    return {"usage_period": [row for meter in sorted(meters) for row in _of_meter(subscription_id, meter, list(tolds), billed)]}


def _of_meter(subscription_id: str, meter: str, tolds: list[Told], billed: list[Interval]) -> list[Row]:
    events = {position: event for told in tolds for position, event in told.events.items() if event.meter == meter}
    conflicts = [each for told in tolds for each in told.conflicts if each.meter == meter]
    closes = sorted((each for told in tolds for each in told.closes if each.meter == meter), key=lambda each: each.position)
    used = [*(event.used_at for event in events.values()), *(each.used_at for each in conflicts)]
    spans = _spans([each.span for each in closes], billed, used)
    starts = [span[0] for span, _ in spans]
    told_periods = max(told.periods_position for told in tolds)
    held = [_Held(span, kind, 0 if kind == "closed" else told_periods) for span, kind in spans]
    for position, event in events.items():
        held[bisect_right(starts, event.used_at) - 1].events[position] = event
    for told in tolds:
        for position, change in told.changes.items():
            if change.event in events:
                held[bisect_right(starts, events[change.event].used_at) - 1].changes[position] = change
    for conflict in conflicts:
        held[bisect_right(starts, conflict.used_at) - 1].conflicts.append(conflict)
    for close in closes:
        held[bisect_right(starts, close.span[0]) - 1].closes.append(close)
    return [each.row(subscription_id, meter) for each in held if each.events or each.conflicts or each.closes]


@dataclass(slots=True)
class _Held:
    """A period with what belongs to it."""

    span: Interval
    kind: str
    position: int  # of the newest fact by which the period is as it is
    events: dict[int, _Event] = field(default_factory=dict)
    changes: dict[int, _Change] = field(default_factory=dict)
    conflicts: list[_Conflict] = field(default_factory=list)
    closes: list[_Close] = field(default_factory=list)

    def row(self, subscription_id: str, meter: str) -> Row:
        entries = [Entry(event.used_at, event.recorded_at, event.quantity) for event in self.events.values()]
        standing = {position: event.quantity for position, event in self.events.items()}
        corrected, voided = dict.fromkeys(self.events, Decimal(0)), set[int]()
        for _, change in sorted(self.changes.items()):
            delta = -standing[change.event] if change.delta is None else change.delta
            standing[change.event] += delta
            entries.append(Entry(self.events[change.event].used_at, change.recorded_at, delta))
            if change.delta is None:
                voided.add(change.event)
            else:
                corrected[change.event] += delta
        quantity = counted(entries, self.span[1])
        close = self.closes[-1] if self.closes else None
        customers = [each.customer_id for some in (self.events.values(), self.conflicts, self.closes) for each in some]
        newest = [self.position, *self.events, *self.changes, *(each.position for some in (self.conflicts, self.closes) for each in some)]
        return (
            subscription_id,
            meter,
            *self.span,
            customers[0],
            self.kind,
            plain(quantity),
            len(self.events) - len(voided),
            len(voided),
            plain(sum((delta for position, delta in corrected.items() if position not in voided), Decimal(0))),
            len(self.conflicts),
            *(self._closed(entries, close, quantity) if close is not None else (None, None, None, None, 0, None)),
            max(newest),
        )

    def _closed(self, entries: list[Entry], close: _Close, quantity: Decimal) -> Row:
        by_then = counted(entries, self.span[1], close.cutoff)
        late = sum(event.recorded_at >= close.cutoff for event in self.events.values())
        return close.closed_at, close.cutoff, plain(close.quantity), by_then == close.quantity, late, plain(quantity - close.quantity)


def _period(told: Told, position: int, period: Period, *, anew: bool) -> None:
    told.periods_position = max(told.periods_position, position)
    told.periods[position] = (micros(period.starts_at), micros(period.ends_at), anew)


def _billed(tolds: Iterable[Told]) -> list[Interval]:
    """Return billing periods in order and free of overlap: one that is counted anew cuts those before it short."""
    told = [told.periods[position] for told in tolds for position in told.periods if position not in told.retracted]
    found: list[Interval] = []
    for low, high, anew in told:
        if anew:
            found = [(begin, min(end, low)) for begin, end in found if begin < low]
        found += without([(low, high)], union(found))
    return sorted(found)


def _spans(closed: list[Interval], billed: list[Interval], used: list[int]) -> list[tuple[Interval, str]]:
    """Return the periods of a meter in order: as closed, then as billed, then months for what was used in neither."""
    found: list[tuple[Interval, str]] = []
    for spans, kind in ((closed, "closed"), (billed, "billing"), ([_month(at) for at in used], "month")):
        for span in spans:
            found += [(piece, kind) for piece in without([span], union(taken for taken, _ in found))]
    return sorted(found)


def _month(at: int) -> Interval:
    day = moment(at).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=day.tzinfo)
    return micros(day), micros(following)


PROJECTIONS = (
    Gathered(
        "usage_period",
        1,
        concepts=("usage", "subscription"),
        tables=(USAGE_PERIOD,),
        start=start,
        fold=fold,
        subjects=subjects,
        rows=rows,
    ),
)
