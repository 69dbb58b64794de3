"""mrr_part: to which plan and segment does what moved belong? And what is past due or paused, and who is a customer there?

Grain: one row per customer, instant, plan, segment and kind in which something changed. Amounts are reported ones. What a movement
gives is shared by the plans that moved its way, by largest remainder; `moved` is what went from one plan or segment to another, and
comes to nothing over all of them. So movements by plan and segment add up to the movements of the customer, exactly.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from opsledger.policies.money import allocate
from opsledger.policies.mrr import converted
from opsledger.projections.customers import customers
from opsledger.projections.revenue.lines import Held, Quote
from opsledger.projections.table import Row, Table, instant, integer, text

__all__ = ["ALL", "BESIDE", "MRR_PART", "NO_SEGMENT", "Part", "Parts"]

ALL: Final = "*"
NO_SEGMENT: Final = "none"
BESIDE: Final = ("past_due", "paused", "customers")
"""Kinds that are no revenue that counts: their rows added up to a time are how much or how many there were then."""

MRR_PART = Table(
    "mrr_part",
    "One row per customer, instant, plan, segment and kind: what of a movement of recurring revenue falls to them.",
    key=("customer_id", "part"),
    columns=(
        text("customer_id", "Opaque id of the customer."),
        integer("part", "Number of the row, from 1."),
        instant("occurred_at", "When it happened; the end of a discount may lie ahead."),
        text("month", "Month of the reporting zone, for example 2026-03."),
        text("plan_id", "Plan that the subscriptions were on; *, of customers: any."),
        text("segment", "Segment of the customer then; none: it was not registered then."),
        text("kind", "A movement_type; moved: to or from another plan or segment; past_due, paused or customers: that much more or less."),
        text("currency", "Currency of the report."),
        integer("amount_minor", "In minor units; of customers, how many."),
        integer("last_position", "Position of the newest fact of this change."),
    ),
    indexes=(("occurred_at",), ("month",)),
)

_Key = tuple[str, str]  # plan and segment


class Part(NamedTuple):
    """A row before its number. Microseconds."""

    at: int
    month: str
    plan_id: str
    segment: str
    kind: str
    currency: str
    amount: int
    position: int

    def row(self, customer_id: str, number: int) -> Row:
        """Return the row of a customer."""
        return (customer_id, number, *self)


class Parts:
    """How the revenue of one customer is spread over plans and segments, and what of it changed when."""

    def __init__(self, states: Mapping[str, Any], month: Callable[[int], str]) -> None:
        customer = next((each for each in states.values() if isinstance(each, customers.Told)), None)
        self._segments = [(each.at, each.said, each.position) for each in customer.segments] if customer is not None else []
        self._starts = [at for at, _, _ in self._segments]
        self._month = month
        self._levels: dict[tuple[str, str], dict[_Key, int]] = {}  # kind (mrr, or one beside it) and currency -> amounts
        self.found: list[Part] = []

    def turns(self) -> dict[int, int]:
        """Return when the customer came to a segment, with the position of the fact."""
        return {at: position for at, _, position in self._segments}

    def settle(self, at: int, kind: str, held: Mapping[str, Held], currency: str, reported: tuple[str, int], position: int) -> None:
        """Spread what is reported of a currency, (reporting currency, amount), and add what that changes: a movement of a kind."""
        segment, by_plan = self._segment(at), dict[_Key, int]()
        for each in held.values():
            if each.currency == currency and each.mrr_minor:
                by_plan[each.plan_id, segment] = by_plan.get((each.plan_id, segment), 0) + each.mrr_minor
        shares = allocate(reported[1], list(by_plan.values())) if by_plan else []
        moved = self._moved("mrr", currency, dict(zip(by_plan, shares, strict=True)))
        given = _given(moved)
        for key, amount in moved.items():
            self._add(at, key, kind, reported[0], given.get(key, 0), position)
            self._add(at, key, "moved", reported[0], amount - given.get(key, 0), position)

    def stand_beside(self, at: int, held: Mapping[str, Held], quoted: Callable[[str], Quote], position: int) -> None:
        """Add what changed of what is past due or paused, and of who is a customer on which plan."""
        segment, there = self._segment(at), dict[tuple[str, str], dict[_Key, int]]()
        for each in held.values():
            key = each.plan_id, segment
            for kind in ("past_due", "paused"):
                level = there.setdefault((kind, each.currency), {})
                level[key] = level.get(key, 0) + (each.full_minor if each.state == kind else 0)
            level = there.setdefault(("customers", each.currency), {})
            for plan in (each.plan_id, ALL):
                level[plan, segment] = max(level.get((plan, segment), 0), int(each.active))
        for kind, currency in sorted({*there, *(which for which in self._levels if which[0] in BESIDE)}):
            level, found = there.get((kind, currency), {}), quoted(currency)
            if kind != "customers":
                level = {key: converted(amount, found.rate, currency, found.currency) for key, amount in level.items()}
            for key, amount in self._moved(kind, currency, level).items():
                self._add(at, key, kind, found.currency, amount, position)

    def _moved(self, kind: str, currency: str, level: Mapping[_Key, int]) -> dict[_Key, int]:
        """Take what there is now for what there was; return by how much each has changed."""
        before = self._levels.get((kind, currency), {})
        self._levels[kind, currency] = {key: amount for key, amount in level.items() if amount}
        changed = {key: level.get(key, 0) - before.get(key, 0) for key in sorted({*before, *level})}
        return {key: amount for key, amount in changed.items() if amount}

    def _segment(self, at: int) -> str:
        place = bisect_right(self._starts, at) - 1
        return self._segments[place][1] if place >= 0 else NO_SEGMENT

    def _add(self, at: int, key: _Key, kind: str, currency: str, amount: int, position: int) -> None:
        if amount:
            self.found.append(Part(at, self._month(at), *key, kind, currency, amount, position))


def _given(moved: Mapping[_Key, int]) -> dict[_Key, int]:
    """Return how the sum of what moved is shared by those that moved its way."""
    total = sum(moved.values())
    same = {key: abs(amount) for key, amount in moved.items() if amount * total > 0}
    return dict(zip(same, allocate(total, list(same.values())), strict=True)) if same else {}
