"""Measurements: what a source counted of the requests of a series in a window of time. One fact a window, never one a request.

    window recorded ──> window recorded ──> ...      one stream per series and UTC day, `measurement:api-requests/2026-03-14`
        └─ withdrawn: it was measured wrongly and counts no more

A window is known by its series, its start and its source. Of several with the same identity the one with the highest revision
counts; so data that come late supersede, whatever the order in which they are recorded. Times are whole microseconds, rounded up, so
that "below 150 ms" is the edge 149,999. Windows enter by `ledger.by(...).observe`; see `opsledger.app.measuring`.
Source: Operating Model, "Performance SLAs".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, assert_never

from pydantic import Field

from opsledger.domain.concept import Moment, another, concept
from opsledger.domain.fact import At, Personal, Subject, fact, part
from opsledger.errors import BadInput, Refused
from opsledger.policies.buckets import LIMIT, SCALE, Ladder
from opsledger.policies.instants import iso, micros
from opsledger.policies.tally import Times

__all__ = [
    "Buckets",
    "Edge",
    "Fact",
    "Measurement",
    "WindowRecorded",
    "WindowWithdrawn",
    "checked",
    "evolve",
    "gauge",
    "identity",
    "stream_of",
    "times_of",
    "withdraw",
]

Count = Annotated[int, Field(ge=0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}$")]


@part
class Edge:
    """How many requests took at most so many microseconds. Strictly below 150 ms is at most 149999."""

    at_most_us: Count
    count: Count


@part
class Buckets:
    """Times by exponential bucket, those that hold something. Bucket i holds (b**(i-1), b**i] units with b = 2**(2**-scale)."""

    scale: Annotated[int, Field(ge=-10, le=SCALE)]
    unit_ns: Annotated[int, Field(ge=1)]  # 1000: microseconds
    zero: Count  # times of 0
    steps: tuple[int, ...]  # the first index, then from each to the next
    counts: tuple[int, ...]


@fact("measurement.window_recorded", at="ended_at")
class WindowRecorded:
    """A source counted the requests of a series from `started_at` to `ended_at`, which is not part of the window."""

    started_at: At
    ended_at: At
    series_id: Name
    service_id: str
    kind: str  # whose bounds of the operating model it is held to: api, web, documents, ai, or a word of one's own
    source: str
    revision: Count = 0
    total: Count  # requests that came in
    errors: Count  # of them, those that failed
    rejected: Count  # of them, those that were turned away, for want of capacity for example
    timed: Count  # of them, those of which it is known how long they took
    sum_us: Count | None  # of the times; null: not known, as the two below
    min_us: Count | None
    max_us: Count | None
    edges: tuple[Edge, ...]
    buckets: Buckets | None  # null: times are known by the edges alone
    backlog: Count | None = None  # what still waited at the end; null: not known
    concurrent_peak: Count | None = None  # most users or requests at once; null: not known


@fact("measurement.window_withdrawn", at="withdrawn_at", corrects=lambda _: None)
class WindowWithdrawn:
    """A window was measured wrongly: it counts no more, and an earlier revision of it does not come back."""

    withdrawn_at: At
    withdraws: int  # position of the window
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = WindowRecorded | WindowWithdrawn


@dataclass(frozen=True, slots=True)
class Measurement:
    """How many windows were recorded, and which positions were withdrawn."""

    windows: int = 0
    withdrawn: frozenset[int] = frozenset()


@concept("measurement", observed=True)
def evolve(measurement: Measurement | None, event: Fact) -> Measurement:
    """Return the measurements after `event`."""
    known = measurement or Measurement()
    match event:
        case WindowRecorded():
            return replace(known, windows=known.windows + 1)
        case WindowWithdrawn():
            return replace(known, withdrawn=known.withdrawn | {event.withdraws})
        case _:
            assert_never(event)


def withdraw(
    measurement: Measurement, now: Moment, /, *, withdraws: int, reason: str, requested_by: str, approved_by: str
) -> tuple[Fact, ...]:
    """Record that the window at position `withdraws` was measured wrongly. Another person approves. Record the right one beside it."""
    another(approved_by, requested_by, "this withdrawal")
    if not isinstance(now.recorded(withdraws).fact, WindowRecorded):
        raise Refused("correction.not_a_window", f"Position {withdraws} is no window; name the one that was measured wrongly.")
    if not reason.strip():
        raise Refused("measurement.no_reason", "A withdrawal changes what is reported; say why.")
    if withdraws in measurement.withdrawn:
        return ()
    withdrawn = WindowWithdrawn(
        withdrawn_at=now.at, withdraws=withdraws, requested_by=requested_by, approved_by=approved_by, subject_id=now.stream, reason=reason
    )
    return (withdrawn,)


def gauge(
    series_id: str,
    *,
    service_id: str,
    kind: str,
    source: str,
    started_at: datetime,
    ended_at: datetime,
    concurrent_peak: int | None = None,
    backlog: int | None = None,
    revision: int = 0,
) -> WindowRecorded:
    """Return a window of which only gauges are known: the most at once in it, what waited at its end. No request is counted."""
    return WindowRecorded(
        started_at=started_at,
        ended_at=ended_at,
        series_id=series_id,
        service_id=service_id,
        kind=kind,
        source=source,
        revision=revision,
        total=0,
        errors=0,
        rejected=0,
        timed=0,
        sum_us=0,
        min_us=None,
        max_us=None,
        edges=(),
        buckets=None,
        backlog=backlog,
        concurrent_peak=concurrent_peak,
    )


def stream_of(series_id: str, started_at: datetime) -> str:
    """Return the stream of a series' windows that start on the UTC day of an instant, for example measurement:api/2026-03-14."""
    return f"measurement:{series_id}/{started_at.astimezone(UTC):%Y-%m-%d}"


def identity(window: WindowRecorded) -> str:
    """Return the id of a window at its source: series, start and revision."""
    return f"{window.series_id}/{iso(micros(window.started_at))}/{window.revision}"


def times_of(window: WindowRecorded) -> Times:
    """Return what a window says of times, as policies count them."""
    edges = tuple((edge.at_most_us, edge.count) for edge in window.edges)
    held = window.buckets
    if held is None:
        return Times(window.timed, edges, min_us=window.min_us, max_us=window.max_us)
    ladder = Ladder(held.scale, held.unit_ns)
    return Times(window.timed, edges, ladder, held.zero, held.steps, held.counts, window.min_us, window.max_us)


def checked(window: WindowRecorded) -> WindowRecorded:
    """Return a window whose counts agree with each other. Raises BadInput, naming what does not, for any other."""
    where = f"The window of {window.series_id} from {iso(micros(window.started_at))}"
    if window.ended_at <= window.started_at:
        raise BadInput("measurement.empty", f"{where} ends before it has begun; give a later end.")
    for name in ("errors", "rejected", "timed"):
        if (count := getattr(window, name)) > window.total:
            raise BadInput("measurement.counts", f"{where} has {count} {name} among {window.total} requests; count them again.")
    _check_edges(where, window)
    _check_buckets(where, window)
    if window.min_us is not None and window.max_us is not None and window.min_us > window.max_us:
        raise BadInput("measurement.range", f"{where} has a shortest time above its longest; give them the other way round.")
    return window


def _check_edges(where: str, window: WindowRecorded) -> None:
    bounds = [edge.at_most_us for edge in window.edges]
    counts = [edge.count for edge in window.edges]
    if bounds != sorted(set(bounds)) or counts != sorted(counts) or counts[-1:] > [window.timed]:
        raise BadInput("measurement.edges", f"{where} has edges or counts at them that do not rise up to {window.timed}; sum them up.")


def _check_buckets(where: str, window: WindowRecorded) -> None:
    held = window.buckets
    if held is None:
        return
    if len(held.steps) != len(held.counts) or min(held.counts, default=1) < 1 or min(held.steps[1:], default=1) < 1:
        raise BadInput("measurement.buckets", f"{where} has buckets that do not rise or hold nothing; list each with its count once.")
    if held.zero + sum(held.counts) != window.timed:
        raise BadInput("measurement.buckets", f"{where} has {window.timed} times and other counts in its buckets; count them again.")
    if held.steps and not -LIMIT <= held.steps[0] <= sum(held.steps) <= LIMIT:
        raise BadInput("measurement.buckets", f"{where} has buckets beyond 2**64 of their unit; measure in another unit.")
