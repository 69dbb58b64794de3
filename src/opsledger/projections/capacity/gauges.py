"""capacity_month: how much was asked of a series, how much of it was served, and was that as much as is promised?

Grain: one row per series of an API, of web pages or of documents, and month with windows that start in it. A window, of documents a UTC
hour, stands to the capacity in one of four ways, which add up to all of them: it served as much as promised; less, and nothing was left
undone; less, though more was asked for; nobody knows. Only the third breaks the promise. Made with request_sli_month.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from opsledger.policies.instants import SECOND
from opsledger.policies.operating_model import OperatingModel
from opsledger.policies.throughput import KEPT, QUANTITIES, Quantity, Stand, per_minute, stood
from opsledger.projections.kinds import Kpi, Sql
from opsledger.projections.requests.measured import Period, Slot
from opsledger.projections.table import Row, Table, boolean, instant, integer, text

__all__ = ["CAPACITY_MONTH", "KPIS", "Capacity", "capacity_of", "capacity_row"]

_HOUR = 3600 * SECOND

CAPACITY_MONTH = Table(
    "capacity_month",
    "One row per series whose kind the operating model promises a capacity of, and month, of the zone of the reports.",
    key=("series_month",),
    columns=(
        text("series_month", "Series and UTC month, as in api-requests/2026-03: what a row is made of and replaced with."),
        text("series_id", "What is measured: api-requests."),
        text("month", "Month of the reports' zone, for example 2026-03."),
        text("service_id", "Service that was asked, as the newest window says."),
        text("quantity", "requests_per_minute, concurrent_users or documents_per_hour: what the operating model promises of the kind."),
        integer("asked", "Requests or documents that came in."),
        integer("served", "Of them, those that were not turned away: served / asked is the share served."),
        integer("mean_numerator", "The mean of the quantity over the time measured is mean_numerator / mean_denominator; null: not known."),
        integer("mean_denominator", "Microseconds measured, of users those in which it is known how many there were; null: none."),
        integer("peak_numerator", "The most of any window, all sources together, is peak_numerator / peak_denominator; null: not known."),
        integer("peak_denominator", "What that is divided by, 1 for whole numbers; null: not known."),
        instant("peak_at", "Start of the first window with that much; null: not known."),
        integer("peak_served_numerator", "The most that was served in one, likewise; null: not known."),
        integer("peak_served_denominator", "What that is divided by; null: not known."),
        integer("promised", "The capacity, by the operating model in force at the month's beginning."),
        integer("windows", "Windows, of documents UTC hours: the sum of the next four."),
        integer("full_windows", "Those that served as much as promised, or more."),
        integer("little_demand_windows", "Those that served less, and left nothing undone."),
        integer("short_windows", "Those that served less, though requests were turned away or still waited."),
        integer("unknown_windows", "Those of which nobody knows how much was served, or left undone."),
        boolean("met", "Whether no window fell short; null: nobody knows."),
        text("null_reason", "Why it is not known; null when it is."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("month",),),
)


class Capacity(NamedTuple):
    """How the windows of a period stood to what is promised of them."""

    quantity: Quantity
    promised: int
    stands: Counter[Stand]

    @property
    def met(self) -> bool | None:
        """Whether no window fell short; None: nobody knows."""
        verdicts = {KEPT[stand] for stand in self.stands}
        return False if False in verdicts else None if None in verdicts else True

    @property
    def null_reason(self) -> str | None:
        """Why nobody knows."""
        return _UNKNOWN[self.quantity] if self.met is None else None


_UNKNOWN: dict[Quantity, str | None] = {
    "concurrent_users": "how many were there at once is not known",
    "documents_per_hour": "a backlog is not known",
    "requests_per_minute": None,
}


class _Told(NamedTuple):
    """A window, or an hour, as it stands to a capacity. Fractions of the quantity; None: not known."""

    started: int
    asked: Fraction | None
    served: Fraction | None
    undone: int | None


def capacity_of(period: Period, kind: str, model: OperatingModel) -> Capacity | None:
    """Return how windows of a kind stood to the capacity that a model promises of it; None where it promises none."""
    quantity = QUANTITIES.get(kind)
    if quantity is None:
        return None
    promised = model.performance.promised(quantity)
    return Capacity(quantity, promised, Counter(stood(each.served, promised, each.undone) for each in _told(period, quantity)))


def capacity_row(subject: str, month: str, service_id: str, period: Period, found: Capacity) -> Row:
    """Return the row of a series and month."""
    told = list(_told(period, found.quantity))
    peak, peak_at = max(((each.asked, -each.started) for each in told if each.asked is not None), default=(None, None))
    served = max((each.served for each in told if each.served is not None), default=None)
    return (
        subject,
        subject.rpartition("/")[0],
        month,
        service_id,
        found.quantity,
        period.total,
        period.total - period.rejected,
        *_mean(period, found.quantity),
        *_two(peak),
        None if peak_at is None else -peak_at,
        *_two(served),
        found.promised,
        len(told),
        *(found.stands[stand] for stand in KEPT),
        found.met,
        found.null_reason,
        period.last_position,
    )


def _two(exact: Fraction | None) -> tuple[int | None, int | None]:
    return (None, None) if exact is None else exact.as_integer_ratio()


def _told(period: Period, quantity: Quantity) -> Iterator[_Told]:
    match quantity:
        case "requests_per_minute":
            for slot in period.slots:
                length = slot.ended - slot.started
                served = per_minute(slot.total - slot.rejected, length)
                yield _Told(slot.started, per_minute(slot.total, length), served, slot.rejected)
        case "concurrent_users":
            for slot in period.slots:
                users = None if slot.concurrent_peak is None else Fraction(slot.concurrent_peak)
                yield _Told(slot.started, users, users, slot.rejected)
        case "documents_per_hour":
            yield from _hours(period.slots)


def _hours(slots: list[Slot]) -> Iterator[_Told]:
    """Yield each UTC hour, by the start of its windows: what was turned away in it, else what waited at its end, was left undone."""
    hours: dict[int, list[Slot]] = {}
    for slot in slots:
        hours.setdefault(slot.started // _HOUR, []).append(slot)
    for hour, within in hours.items():
        asked, rejected = sum(slot.total for slot in within), sum(slot.rejected for slot in within)
        yield _Told(hour * _HOUR, Fraction(asked), Fraction(asked - rejected), rejected or within[-1].backlog)


def _mean(period: Period, quantity: Quantity) -> tuple[int | None, int | None]:
    """Return the mean of what was asked for, as two integers."""
    if quantity != "concurrent_users":
        unit = 60 * SECOND if quantity == "requests_per_minute" else _HOUR
        return (unit * period.total, period.measured_us) if period.measured_us else (None, None)
    known = [(slot.concurrent_peak, slot.ended - slot.started) for slot in period.slots if slot.concurrent_peak is not None]
    return (sum(users * length for users, length in known), sum(length for _, length in known)) if known else (None, None)


def _figure(numerator: str, denominator: str, where: str, why: str) -> str:
    there = f"{denominator} > 0 AND {numerator} IS NOT NULL"
    return f"""
        SELECT 'series:' || series_id AS scope, 'month' AS period, month AS period_start,
            CASE WHEN {there} THEN {numerator} END AS numerator, CASE WHEN {there} THEN {denominator} END AS denominator,
            windows AS n, CASE WHEN {there} THEN NULL ELSE '{why}' END AS null_reason, last_position
        FROM capacity_month WHERE {where}
    """


def _peak(quantity: Quantity) -> str:
    return _figure("peak_numerator", "coalesce(peak_denominator, 0)", f"quantity = '{quantity}'", "not measured")


def _served(sql: Sql) -> str:
    return _figure("served", "asked", "asked > 0 OR quantity <> 'concurrent_users'", "nothing was asked for")


KPIS = (
    Kpi("served_share", "Requests or documents that were not turned away, of all: capacity_month.served / asked.", "share", _served),
    Kpi(
        "requests_per_minute_peak",
        "Most requests a minute in any window: capacity_month.peak_numerator / peak_denominator.",
        "1/min",
        lambda sql: _peak("requests_per_minute"),
    ),
    Kpi(
        "concurrent_users_peak",
        "Most users at once in any window: capacity_month.peak_numerator / peak_denominator.",
        "users",
        lambda sql: _peak("concurrent_users"),
    ),
    Kpi(
        "documents_per_hour_peak",
        "Most documents in an hour: capacity_month.peak_numerator / peak_denominator.",
        "1/h",
        lambda sql: _peak("documents_per_hour"),
    ),
)
