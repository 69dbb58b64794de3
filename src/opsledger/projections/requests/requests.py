"""request_sli_day, request_sli_month: how many requests, how many failed, how quick were they? request_promise_month: as promised?

Grain: one row per series and UTC day; per series and month of the reports' zone; per series, month and promise of the operating model.
Times are merged from the buckets of the windows, never averaged, and each percentile has its bounds beside it. Whether a promise was
kept is counted at the edges of the windows; where the promised bound is no edge of theirs, it is said within which counts the answer
lies, and whether it was kept only if both say the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from opsledger.policies.known import Known
from opsledger.policies.months import Month
from opsledger.policies.operating_model import OperatingModel
from opsledger.policies.percentiles import share_met
from opsledger.policies.tally import Within
from opsledger.policies.throughput import KEPT
from opsledger.projections.capacity.gauges import CAPACITY_MONTH, Capacity, capacity_of, capacity_row
from opsledger.projections.kinds import Gathered, Rows
from opsledger.projections.requests.measured import Day, Period, Stream, days_of, fold, start
from opsledger.projections.requests.windows import SHARES_PCT, edges_json, quantile_columns, quantile_values
from opsledger.projections.table import Column, Row, Table, boolean, integer, text

__all__ = ["DAY", "MONTH", "PROJECTIONS", "PROMISE", "rows", "subjects"]

_OWNER = text("series_month", "Series and UTC month, as in api-requests/2026-03: what a row is made of and replaced with.")
_SERIES = text("series_id", "What is measured: api-requests.")
_SERVICE = text("service_id", "Service that was asked, as the newest window says.")
_KIND = text("kind", "Whose promises it is held to: api, web, documents, ai, or another word.")

_SUMS: tuple[Column, ...] = (
    integer("windows", "Windows that count."),
    integer("measured_us", "Microseconds in which any source measured."),
    integer("period_us", "Microseconds of the whole period, measured or not."),
    integer("total", "Requests that came in."),
    integer("errors", "Of them, those that failed; the error rate is errors / total."),
    integer("rejected", "Of them, those that were turned away; the share served is (total - rejected) / total."),
    integer("timed", "Of them, those of which it is known how long they took; the mean time is sum_us / timed."),
    integer("sum_us", "Sum of those times; null: a window does not know."),
    integer("min_us", "The shortest; null: a window does not know, or there are no times."),
    integer("max_us", "The longest; null: a window does not know, or there are no times."),
    text("within_by_edge", "How many took at most so many microseconds, at the edges that all windows have, in JSON."),
    *quantile_columns(),
    integer("peak_per_minute", "Most requests a minute of any window, all sources together, cut to whole ones; null: no window."),
    integer("peak_served_per_minute", "Most requests a minute that were served, cut to whole ones; null: no window."),
    integer("concurrent_peak", "Most users or requests at once in any window, of sources together their sum; null: not known."),
    text("null_reason", "Why there are no times; null when there are."),
    integer("last_position", "Position of the newest fact used."),
)

DAY = Table(
    "request_sli_day",
    "One row per series and UTC day with windows that start on it.",
    key=("series_month", "day"),
    columns=(_OWNER, text("day", "UTC day."), _SERIES, _SERVICE, _KIND, *_SUMS),
    indexes=(("series_id", "day"),),
)

MONTH = Table(
    "request_sli_month",
    "One row per series and month, of the zone of the reports, with windows that start in it.",
    key=("series_month",),
    columns=(_OWNER, _SERIES, text("month", "Month of the reports' zone, for example 2026-03."), _SERVICE, _KIND, *_SUMS),
    indexes=(("series_id", "month"),),
)

PROMISE = Table(
    "request_promise_month",
    "One row per series, month and promise that the operating model in force at the month's beginning makes of its kind.",
    key=("series_month", "promise"),
    columns=(
        _OWNER,
        text(
            "promise", "below_150000_us: strictly quicker; errors: strictly fewer; capacity: a window or hour served as much as promised."
        ),
        _SERIES,
        text("month", "Month of the reports' zone."),
        _SERVICE,
        integer("good_fewest", "Requests, or windows, that kept it for certain."),
        integer("good_most", "Those that may have kept it; equal to good_fewest where it is known."),
        integer("total", "All of them, also those of which nobody knows how long they took."),
        integer("promised_ppm", "The share that was promised, in millionths; of capacity all."),
        boolean("met", "Whether the promise was kept; null: nobody knows, or there is nothing to judge."),
        text("null_reason", "Why it is not known; null when it is."),
        integer("last_position", "Position of the newest fact used."),
    ),
)


def subjects(stream: Stream) -> Collection[str]:
    """Return each series with each UTC month to which windows of its days may belong in any zone."""
    return {f"{day.series_id}/{day.date + timedelta(days=off):%Y-%m}" for day in stream.days.values() for off in (-1, 0, 1)}


def rows(subject: str, states: Mapping[str, Stream], known: Known) -> Rows:
    """Return the rows of one series and month."""
    series_id, _, name = subject.rpartition("/")
    days = days_of(series_id, states.values())
    daily = [_day_row(subject, day) for day in days if f"{day.date:%Y-%m}" == name and day.within(day.begin, day.end).windows]
    months = max(known.models(), key=lambda model: model.position).months
    month = months.named(name)
    found = Period()
    for day in days:
        if day.begin < month.stop and month.start < day.end:
            found.merge(day.within(month.start, month.stop))
    if not found.windows:
        return {DAY.name: daily, MONTH.name: [], PROMISE.name: [], CAPACITY_MONTH.name: []}
    _, service_id, kind = max(day.said for day in days if day.begin < month.stop)
    row = (subject, series_id, name, service_id, kind, *_sums(found, month.stop - month.start))
    model = known.in_force(_judged_at(month, known)).model
    promises = [
        (subject, promise, series_id, name, service_id, *told, found.last_position)
        for promise, *told in _promises(found, service_id, kind, model)
    ]
    capacity = capacity_of(found, kind, model)
    held = [] if capacity is None else [capacity_row(subject, name, service_id, found, capacity)]
    return {DAY.name: daily, MONTH.name: [row], PROMISE.name: promises, CAPACITY_MONTH.name: held}


def _judged_at(month: Month, known: Known) -> int:
    """Return the month's beginning, or when the first model took effect where that was later."""
    return max(month.start, known.models()[0].effective_from)


def _day_row(subject: str, day: Day) -> Row:
    if day.row is None:
        _, service_id, kind = day.said
        sums = _sums(day.within(day.begin, day.end), day.end - day.begin)
        day.row = (subject, day.date.isoformat(), day.series_id, service_id, kind, *sums)
    return day.row


def _sums(period: Period, length: int) -> Row:
    tally = period.tally
    ranged = tally.timed and tally.ranged == tally.timed
    reason = None if tally.timed else ("no requests" if not period.total else "no times were measured")
    return (
        period.windows,
        period.measured_us,
        length,
        period.total,
        period.errors,
        period.rejected,
        tally.timed,
        period.sum_us,
        tally.min_us if ranged else None,
        tally.max_us if ranged else None,
        edges_json(tally.by_edge().items()),
        *quantile_values(tally.quantiles(*SHARES_PCT)),
        None if period.peak is None else int(period.peak),
        None if period.peak_served is None else int(period.peak_served),
        period.concurrent_peak,
        reason,
        period.last_position,
    )


Told = tuple[str, int, int, int, int, bool | None, str | None]
"""promise, good_fewest, good_most, total, promised_ppm, met, null_reason."""


def _promises(period: Period, service_id: str, kind: str, model: OperatingModel) -> Iterator[Told]:
    """Yield what was promised and how it was kept."""
    for bound in model.performance.bounds(kind):
        yield _times(period, bound.below_ms * 1000, bound.share_pct)
    service = model.availability.services.get(service_id)
    if service is not None and service.error_rate_below_pct is not None:
        limit, good = service.error_rate_below_pct, period.total - period.errors
        met = 100 * period.errors < limit * period.total if period.total else None
        yield "errors", good, good, period.total, _ppm(100 - limit), met, None if period.total else "no requests"
    capacity = capacity_of(period, kind, model)
    if capacity is not None:
        yield _capacity(capacity)


def _times(period: Period, below_us: int, share_pct: Decimal) -> Told:
    """Judge a bound. A request that got no answer was not within it; where no request has a time nobody knows."""
    within = period.tally.within(below_us - 1) if period.tally.timed else Within(0, period.total)
    for_certain, perhaps = (share_met(count, period.total, share_pct) for count in within)
    reason = None
    if not period.total:
        reason = "no requests"
    elif not period.tally.timed:
        reason = "no times were measured"
    elif for_certain != perhaps:
        reason = f"{below_us - 1} us is no edge of all windows"
    return f"below_{below_us}_us", *within, period.total, _ppm(share_pct), for_certain if reason is None else None, reason


def _capacity(found: Capacity) -> Told:
    """Judge each window, of documents each hour, by what it left undone."""
    counted = Counter(KEPT[stand] for stand in found.stands.elements())
    good, unknown = counted[True], counted[None]
    return "capacity", good, good + unknown, counted.total(), 1_000_000, found.met, found.null_reason


def _ppm(share_pct: Decimal) -> int:
    return int(Fraction(share_pct) * 10_000)


PROJECTIONS = (
    Gathered(
        "requests",
        2,
        concepts=("measurement",),
        tables=(DAY, MONTH, PROMISE, CAPACITY_MONTH),
        start=start,
        fold=fold,
        subjects=subjects,
        rows=rows,
    ),
)
