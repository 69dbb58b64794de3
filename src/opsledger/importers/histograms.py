"""Histograms of other tools, as windows of measurement: what Prometheus and OpenTelemetry have in common.

    payload ──> Histogram ──> differences of counters ──> combined by series ──> WindowRecorded

Exponential buckets keep their bounds, in the unit in which they were measured; finer ones than ours are added together, exactly. Bounds
of classic histograms that are whole microseconds become edges; between others counts are added together. Nothing is interpolated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from opsledger.app.measuring import taken
from opsledger.app.taking import Taken
from opsledger.domain.measurement import Buckets, Edge, WindowRecorded
from opsledger.errors import BadInput
from opsledger.policies.buckets import SCALE, Ladder, downscaled, packed

__all__ = ["SECOND_NS", "UNITS_NS", "Histogram", "Naming", "Seen", "classic", "combined", "exponential", "grown", "us", "whole", "windows"]

SECOND_NS: Final = 1_000_000_000
UNITS_NS: Final[Mapping[str, int]] = {"ns": 1, "us": 1000, "ms": 1_000_000, "s": SECOND_NS, "min": 60 * SECOND_NS}


@dataclass(frozen=True, slots=True)
class Histogram:
    """Times as a tool counted them. `edges` are (at most so many microseconds, how many), rising."""

    count: int
    sum_us: int | None
    edges: tuple[tuple[int, int], ...] = ()
    ladder: Ladder | None = None
    zero: int = 0
    buckets: tuple[tuple[int, int], ...] = ()  # (index, how many), rising
    min_us: int | None = None
    max_us: int | None = None


class Naming(NamedTuple):
    """Which series a histogram belongs to, and whether its requests failed."""

    series_id: str
    service_id: str
    kind: str
    source: str
    failed: bool = False


class Seen(NamedTuple):
    """A histogram of requests between two instants, with the name and the labels under which the tool keeps it."""

    name: str
    labels: Mapping[str, str]
    started_at: datetime
    ended_at: datetime
    histogram: Histogram


def us(value: float | str | Decimal, unit_ns: int) -> Decimal:
    """Return a time of a unit in microseconds, as exactly as the tool wrote it."""
    return Decimal(str(value)) * unit_ns / 1000


def whole(value: object, what: str) -> int:
    """Return a count. Raises BadInput for one that is not whole, as `increase()` extrapolates them."""
    number = Decimal(str(value))
    if number != number.to_integral_value() or number < 0:
        raise BadInput("histogram.count", f"{what} counts {value}, which is no number of requests; give counters as they were scraped.")
    return int(number)


def classic(buckets: Sequence[tuple[Decimal | None, int]], sum_us: int | None, name: str) -> Histogram:
    """Return a classic histogram from (upper bound in microseconds, how many are not above it), rising, the last without bound."""
    counts = [count for _, count in buckets]
    if not buckets or buckets[-1][0] is not None or counts != sorted(counts):
        raise BadInput("histogram.classic", f"The buckets of {name} do not rise up to one without bound; give all of them, cumulated.")
    bounds = [(bound, count) for bound, count in buckets if bound is not None]
    if bounds and bounds[0][0] < 0 < bounds[0][1]:
        raise BadInput("histogram.negative", f"{name} holds times below 0; a request cannot take less than nothing.")
    edges = tuple((int(bound), count) for bound, count in bounds if bound >= 0 and bound == bound.to_integral_value())
    return Histogram(counts[-1], sum_us, edges)


def exponential(ladder: Ladder, zero: int, counts: Mapping[int, int], sum_us: int | None, *, zero_threshold_us: Decimal) -> Histogram:
    """Return a histogram of exponential buckets, by our indexes; finer ones than ours are added together."""
    if zero_threshold_us > 1:
        raise BadInput("histogram.zero", f"Times up to {zero_threshold_us} us are counted as 0, which is too coarse; lower the threshold.")
    held = dict(counts)
    if ladder.scale > SCALE:
        held = downscaled(held, ladder.scale - SCALE)
        ladder = Ladder(SCALE, ladder.unit_ns)
    buckets = tuple(sorted((index, count) for index, count in held.items() if count))
    return Histogram(zero + sum(held.values()), sum_us, (), ladder, zero, buckets)


def grown(earlier: Histogram, later: Histogram) -> Histogram:
    """Return what was counted between two looks at a counter; all of the later one where it was reset in between."""
    before, after = _lowered(earlier, later)
    if before is None or after is None or after.count < before.count:
        return later
    known, old = dict(after.buckets), dict(before.buckets)
    edges, at_before = dict(after.edges), dict(before.edges)
    grew = {index: known.get(index, 0) - old.get(index, 0) for index in known.keys() | old.keys()}
    common = [(edge, edges[edge] - at_before[edge]) for edge in sorted(edges.keys() & at_before.keys())]
    if min(grew.values(), default=0) < 0 or after.zero < before.zero or any(count < 0 for _, count in common):
        return later
    sums = None if before.sum_us is None or after.sum_us is None else max(0, after.sum_us - before.sum_us)
    buckets = tuple(sorted((index, count) for index, count in grew.items() if count))
    return Histogram(after.count - before.count, sums, tuple(common), after.ladder, after.zero - before.zero, buckets)


def combined(histograms: Sequence[Histogram]) -> Histogram:
    """Return histograms as one: on the coarsest of their scales, at the edges that all of them have, in any order the same."""
    first, *others = histograms
    for other in others:
        one, two = _lowered(first, other)
        if one is None or two is None:
            raise BadInput("histogram.mixed", "Histograms of different kinds or units have no sum; give each kind a series of its own.")
        counts = dict(one.buckets)
        for index, count in two.buckets:
            counts[index] = counts.get(index, 0) + count
        edges, more = dict(one.edges), dict(two.edges)
        sums = None if one.sum_us is None or two.sum_us is None else one.sum_us + two.sum_us
        ranged = None not in (one.min_us, two.min_us, one.max_us, two.max_us)
        first = Histogram(
            count=one.count + two.count,
            sum_us=sums,
            edges=tuple((edge, edges[edge] + more[edge]) for edge in sorted(edges.keys() & more.keys())),
            ladder=one.ladder,
            zero=one.zero + two.zero,
            buckets=tuple(sorted(counts.items())),
            min_us=min(one.min_us or 0, two.min_us or 0) if ranged else None,
            max_us=max(one.max_us or 0, two.max_us or 0) if ranged else None,
        )
    return first


def windows(seen: Iterable[Seen], naming: Callable[[Seen], Naming | None], *, revision: int = 0) -> dict[str, list[Taken]]:
    """Return windows by source, as `ledger.by(...).observe(..., source=...)` takes them; what `naming` gives no series is left out.

    Histograms of one series, source and time are one window, those that failed counted as errors.
    """
    together: dict[tuple[str, str, str, str, datetime, datetime], list[tuple[bool, Histogram]]] = {}
    for each in seen:
        named = naming(each)
        if named is not None:
            key = (*named[:4], each.started_at, each.ended_at)
            together.setdefault(key, []).append((named.failed, each.histogram))
    found: dict[str, list[Taken]] = {}
    for key, told in sorted(together.items(), key=lambda each: each[0]):
        window = _window(*key, told, revision)
        found.setdefault(window.source, []).append(taken(window))
    return found


def _window(
    series_id: str,
    service_id: str,
    kind: str,
    source: str,
    started_at: datetime,
    ended_at: datetime,
    told: Sequence[tuple[bool, Histogram]],
    revision: int,
) -> WindowRecorded:
    found = combined([histogram for _, histogram in told])
    buckets = None
    if found.ladder is not None:
        steps, counts = packed(dict(found.buckets))
        buckets = Buckets(scale=found.ladder.scale, unit_ns=found.ladder.unit_ns, zero=found.zero, steps=steps, counts=counts)
    return WindowRecorded(
        started_at=started_at,
        ended_at=ended_at,
        series_id=series_id,
        service_id=service_id,
        kind=kind,
        source=source,
        revision=revision,
        total=found.count,
        errors=sum(histogram.count for failed, histogram in told if failed),
        rejected=0,
        timed=found.count,
        sum_us=found.sum_us,
        min_us=found.min_us if found.count else None,
        max_us=found.max_us if found.count else None,
        edges=tuple(Edge(at_most_us=at_most, count=count) for at_most, count in found.edges),
        buckets=buckets,
    )


def _lowered(one: Histogram, other: Histogram) -> tuple[Histogram | None, Histogram | None]:
    """Return both on the lower of their scales; None where they have none in common."""
    if one.ladder == other.ladder:
        return one, other
    if one.ladder is None or other.ladder is None or one.ladder.unit_ns != other.ladder.unit_ns:
        return None, None
    scale = min(one.ladder.scale, other.ladder.scale)
    return _at(one, one.ladder, scale), _at(other, other.ladder, scale)


def _at(histogram: Histogram, ladder: Ladder, scale: int) -> Histogram:
    counts = downscaled(dict(histogram.buckets), ladder.scale - scale)
    return Histogram(
        histogram.count,
        histogram.sum_us,
        histogram.edges,
        Ladder(scale, ladder.unit_ns),
        histogram.zero,
        tuple(sorted(counts.items())),
        histogram.min_us,
        histogram.max_us,
    )
