"""mrr_movements: how did recurring revenue move, and why? subscription_mrr: what does each subscription bring?

Grain: mrr_movements, one row per customer, instant and currency in which its revenue or its being a customer changed;
subscription_mrr, one row per subscription and time in which what it brings stood still; mrr_part, see `revenue_parts`. All by the
choices of the newest operating model's section `revenue`, for all of the past. The end of a discount that is known stands here also
before it comes: views count to the as-of time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from opsledger.policies.instants import SECOND, iso, micros
from opsledger.policies.known import Known
from opsledger.policies.money import shown
from opsledger.policies.months import Month, Months
from opsledger.policies.mrr import Kind, Revenue, converted, kind
from opsledger.projections.kinds import Gathered, Line, Rows
from opsledger.projections.revenue.lines import Held, Quote, Rates, fold, lines, quote, start, subjects
from opsledger.projections.revenue.parts import MRR_PART, Part, Parts
from opsledger.projections.revenue.subscriptions import Told
from opsledger.projections.table import Row, Table, instant, integer, text

__all__ = ["MRR_MOVEMENTS", "PROJECTIONS", "SUBSCRIPTION_MRR", "rows"]

MRR_MOVEMENTS = Table(
    "mrr_movements",
    "One row per customer and movement of its recurring revenue, in order; those of a customer add up to what it brings.",
    key=("customer_id", "seq"),
    columns=(
        text("customer_id", "Opaque id of the customer."),
        integer("seq", "Number of the movement, from 1."),
        instant("occurred_at", "When it happened; the end of a discount may lie ahead."),
        text("month", "Month of the reporting zone, for example 2026-03."),
        text("movement_type", "new, expansion, contraction, churn, reactivation, or fx: another rate holds from the month on."),
        integer("customer_change", "1: it became a customer with this row; -1: it ceased to be one; 0: neither."),
        text("subscription_id", "The subscription that changed; null: several did at once, or none."),
        text("reason", "What happened, as the fact's word, for an end its reason; several: not one thing; rate: another rate."),
        text("currency", "Currency of the subscription."),
        integer("amount_minor", "By how much the customer's monthly revenue in that currency changed, in minor units; of fx 0."),
        integer("mrr_before_minor", "Monthly revenue of the customer in that currency before."),
        integer("mrr_after_minor", "And after."),
        text("reporting_currency", "Currency of the report; that of the subscription where no other is chosen or no rate is published."),
        text("rate", "Units of it for one of the currency, of the month's beginning or else the earliest known; 1: the same currency."),
        integer("amount_reporting_minor", "By how much the revenue as reported changed, in minor units of the reporting currency."),
        integer("mrr_before_reporting_minor", "What was reported of the customer in that currency before."),
        integer("mrr_after_reporting_minor", "And after."),
        integer("last_position", "Position of the newest fact of this movement."),
    ),
    indexes=(("occurred_at",), ("month",)),
)

SUBSCRIPTION_MRR = Table(
    "subscription_mrr",
    "One row per subscription and time in which its monthly revenue, and what is uncertain of it, stood still.",
    key=("customer_id", "subscription_id", "seq"),
    columns=(
        text("customer_id", "Opaque id of the customer."),
        text("subscription_id", "Id of the subscription."),
        integer("seq", "Number of the row, from 1."),
        instant("valid_from_at", "From when."),
        instant("valid_to_at", "Until when, not part of it; null: it lasts."),
        text("plan_id", "Plan that it is on."),
        text("state", "State of the subscription then."),
        text("currency", "Currency of the amounts."),
        integer("mrr_minor", "Monthly revenue that counts, in minor units."),
        integer("past_due_minor", "Monthly revenue for which a payment is late, counted or not."),
        integer("paused_minor", "What it would bring if it were not paused."),
        integer("leaving_minor", "Of mrr_minor, what ends by agreement."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("subscription_id",),),
)


class _Movement(NamedTuple):
    at: int
    month: str
    kind: Kind
    customer_change: int
    subscription_id: str | None
    reason: str
    currency: str
    before: int
    after: int
    reporting: str
    rate: str
    reported_before: int
    reported_after: int
    position: int

    def row(self, customer_id: str, seq: int) -> Row:
        change, reported = self.after - self.before, self.reported_after - self.reported_before
        amounts = (change, self.before, self.after, self.reporting, self.rate, reported, self.reported_before, self.reported_after)
        return (customer_id, seq, *self[:7], *amounts, self.position)


@dataclass(slots=True)
class _Book:
    """What a customer brings while its history is told: by subscription, and as reported by currency."""

    states: Mapping[str, Any]
    rule: Revenue
    months: Months
    held: dict[str, Held] = field(default_factory=dict)
    reported: dict[str, int] = field(default_factory=dict)
    left_at: int | None = None  # when it ceased to be a customer last
    movements: list[_Movement] = field(default_factory=list)
    parts: Parts = field(init=False)

    def __post_init__(self) -> None:
        self.parts = Parts(self.states, lambda at: self._month(at).name)

    def change(self, at: int, changes: Sequence[tuple[str, Held]]) -> None:
        """Take what changed at an instant, and add the movements that it comes to."""
        before, was = self._sums(), self._active()
        touched: dict[str, str] = {}
        for stream, held in changes:
            old = self.held.get(stream)
            if held.counted != (old.counted if old is not None else (False, 0, held.currency)):
                touched[stream] = held.reason
            self.held[stream] = held
        after, now, position = self._sums(), self._active(), max(held.position for _, held in changes)
        moved = [each for each in sorted({*before, *after}) if before.get(each, 0) != after.get(each, 0)]
        if was == now and not moved:
            self._spread(at, position)
            return
        reasons = set(touched.values())
        reason = reasons.pop() if len(reasons) == 1 else "several"
        subscription_id = next(iter(touched)).partition(":")[2] if len(touched) == 1 else None
        away = None if self.left_at is None else at - self.left_at
        # Who comes or goes without revenue moves nothing, but does come or go.
        for i, currency in enumerate(moved or [changes[-1][1].currency]):
            one, other = before.get(currency, 0), after.get(currency, 0)
            called = kind(other - one, before=was, after=now, away=away, rule=self.rule)
            turned = now - was if i == 0 else 0
            self._add(at, called, turned, subscription_id, reason, currency, (one, other), position)
        self._spread(at, position)
        if was and not now:
            self.left_at = at

    def revalue(self, at: int) -> None:
        """Report what there is by the rates of the month that begins, and add what that changes."""
        for currency, amount in sorted(self._sums().items()):
            found = self._quote(currency, at)
            if converted(amount, found.rate, currency, found.currency) != self.reported.get(currency, 0):
                self._add(at, "fx", 0, None, "rate", currency, (amount, amount), found.position)
        newest = max((self._quote(held.currency, at).position for held in self.held.values()), default=0)
        self.parts.stand_beside(at, self.held, lambda currency: self._quote(currency, at), newest)

    def turn(self, at: int, position: int) -> None:
        """Count the customer to the segment that holds from then on."""
        self._spread(at, position)

    def _spread(self, at: int, position: int) -> None:
        """Settle what changed of plans and segments without any movement, and of what stands beside the revenue."""
        for currency, reported in sorted(self.reported.items()):
            self.parts.settle(at, "moved", self.held, currency, (self._quote(currency, at).currency, reported), position)
        self.parts.stand_beside(at, self.held, lambda currency: self._quote(currency, at), position)

    def _add(
        self,
        at: int,
        called: Kind,
        turned: int,
        subscription_id: str | None,
        reason: str,
        currency: str,
        amounts: tuple[int, int],
        position: int,
    ) -> None:
        found = self._quote(currency, at)
        before, after = self.reported.get(currency, 0), converted(amounts[1], found.rate, currency, found.currency)
        self.reported[currency] = after
        said = (at, self._month(at).name, called, turned, subscription_id, reason, currency, *amounts)
        newest = max(position, found.position)
        self.movements.append(_Movement(*said, found.currency, found.shown, before, after, newest))
        self.parts.settle(at, called, self.held, currency, (found.currency, after), newest)

    def _sums(self) -> dict[str, int]:
        sums: dict[str, int] = {}
        for held in self.held.values():
            sums[held.currency] = sums.get(held.currency, 0) + held.mrr_minor
        return sums

    def _active(self) -> bool:
        return any(held.active for held in self.held.values())

    def _month(self, at: int) -> Month:
        return next(self.months.between(at, at + 1))

    def _quote(self, currency: str, at: int) -> Quote:
        return quote(self.states, currency, self.rule.reporting_currency or currency, self._month(at).start)


def rows(customer_id: str, states: Mapping[str, Any], known: Known) -> Rows:
    """Return the movements of a customer and what each of its subscriptions brings."""
    newest = known.models()[-1]
    held = _held(states, newest.model.revenue, newest.months)
    movements, parts = _movements(states, held, newest.model.revenue, newest.months)
    return {
        "mrr_movements": [movement.row(customer_id, seq) for seq, movement in enumerate(movements, 1)],
        "mrr_part": [part.row(customer_id, seq) for seq, part in enumerate(parts, 1)],
        "subscription_mrr": [row for stream, each in held.items() for row in _spans(customer_id, stream.partition(":")[2], each)],
    }


def tell(table: str, row: Mapping[str, Any], states: Mapping[str, Any], known: Known) -> list[Line]:
    """Return what a movement comes from: what each subscription brings by then, and the rate by which it is reported."""
    newest = known.models()[-1]
    until = micros(row["valid_from_at" if table == "subscription_mrr" else "occurred_at"])
    told = [] if table == "subscription_mrr" else [_told(table, row)]
    for stream, each in _held(states, newest.model.revenue, newest.months).items():
        id = stream.partition(":")[2]
        passed = [held for held in each if held.at <= until]
        if not passed or (table == "subscription_mrr" and id != row["subscription_id"]):
            continue
        last = passed[-1]
        brings = f"{shown(last.mrr_minor, last.currency)} {last.currency}"
        told.append(Line(f"{id} brings {brings} a month since {iso(last.at)}: {last.reason}", (last.position,)))
    if table == "mrr_movements" and row["rate"] != "1":
        begins = next(newest.months.between(until, until + 1)).start
        found = quote(states, row["currency"], row["reporting_currency"], begins)
        told.append(Line(f"one {row['currency']} is reported as {found.shown} {found.currency}", (found.position,)))
    return told


def _told(table: str, row: Mapping[str, Any]) -> Line:
    """Return what a row says, with its amounts as people write them."""
    if table == "mrr_part":
        amount = row["amount_minor"] if row["kind"] == "customers" else f"{shown(row['amount_minor'], row['currency'])} {row['currency']}"
        return Line(f"{row['kind']} {amount}, plan {row['plan_id']}, segment {row['segment']}", (row["last_position"],))
    change, before, after = (shown(row[f"{name}_minor"], row["currency"]) for name in ("amount", "mrr_before", "mrr_after"))
    said = f"{row['movement_type']} of {change} {row['currency']} a month, from {before} to {after}: {row['reason']}"
    if row["reporting_currency"] != row["currency"]:
        said += f"; reported as {shown(row['amount_reporting_minor'], row['reporting_currency'])} {row['reporting_currency']}"
    return Line(said, (row["last_position"],))


def _held(states: Mapping[str, Any], rule: Revenue, months: Months) -> dict[str, list[Held]]:
    """Return what each subscription brings, of one instant what holds after all that happened then."""
    end = months.starts[-1] * SECOND
    found = {}
    for stream, told in states.items():
        if isinstance(told, Told):
            last = {held.at: held for held in _changes(lines(told, rule)) if held.at < end}
            found[stream] = list(_changes(iter(last.values())))
    return found


def _changes(told: Iterator[Held]) -> Iterator[Held]:
    """Yield those that say something else than the one before: a reminder brings nothing."""
    last: Held | None = None
    for held in told:
        if last is None or held[3:] != last[3:]:
            yield held
        last = held


def _movements(
    states: Mapping[str, Any], held: Mapping[str, list[Held]], rule: Revenue, months: Months
) -> tuple[list[_Movement], list[Part]]:
    book = _Book(states, rule, months)
    changes = sorted(((each.at, stream, each) for stream, several in held.items() for each in several), key=itemgetter(0, 1))
    by_instant = {at: [(stream, each) for _, stream, each in group] for at, group in groupby(changes, itemgetter(0))}
    turns, segments = _turns(states, rule, months), book.parts.turns()
    for at in sorted({*by_instant, *turns, *(at for at in segments if at < months.starts[-1] * SECOND)}):
        if at in segments:
            book.turn(at, segments[at])
        if at in turns:
            book.revalue(at)
        if at in by_instant:
            book.change(at, by_instant[at])
    return _without_short_stays(book.movements, book.parts.found) if rule.same_month == "neither" else (book.movements, book.parts.found)


def _turns(states: Mapping[str, Any], rule: Revenue, months: Months) -> set[int]:
    """Return the beginnings of the months from which on another rate may hold."""
    if rule.reporting_currency is None:
        return set()
    found = set()
    for rates in states.values():
        if isinstance(rates, Rates) and rule.reporting_currency in (rates.base, rates.quote):
            for since in rates.known:
                month = next(months.between(since, since + 1), None)
                if month is not None:
                    found.add(since if since == month.start else month.stop)
    return {at for at in found if at < months.starts[-1] * SECOND}


def _without_short_stays(movements: list[_Movement], parts: list[Part]) -> tuple[list[_Movement], list[Part]]:
    """Leave out what happened between coming and going within one month; together it comes to nothing."""
    kept: list[_Movement] = []
    came: int | None = None
    for movement, following in zip(movements, [*movements[1:], None], strict=False):
        kept.append(movement)
        if movement.customer_change == 1:
            came = len(kept) - 1
        gone = movement.kind == "churn" and (following is None or following.at > movement.at)
        if gone and came is not None:
            if kept[came].month == movement.month:
                parts = [part for part in parts if not kept[came].at <= part.at <= movement.at]
                del kept[came:]
            came = None
    return kept, parts


def _spans(customer_id: str, subscription_id: str, several: list[Held]) -> Iterator[Row]:
    for seq, (held, following) in enumerate(zip(several, [*several[1:], None], strict=False), 1):
        late, rests = (held.full_minor if held.state == state else 0 for state in ("past_due", "paused"))
        ends = following.at if following is not None else None
        amounts = (held.mrr_minor, late, rests, held.mrr_minor if held.leaving else 0)
        said = (held.plan_id, held.state, held.currency)
        yield (customer_id, subscription_id, seq, held.at, ends, *said, *amounts, held.position)


PROJECTIONS = (
    Gathered(
        "revenue",
        1,
        concepts=("customer", "subscription"),
        tables=(MRR_MOVEMENTS, MRR_PART, SUBSCRIPTION_MRR),
        start=start,
        fold=fold,
        subjects=subjects,
        rows=rows,
        everywhere=("fx",),
        tell=tell,
    ),
)
