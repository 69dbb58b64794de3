"""OTLP metrics in JSON: histograms and exponential histograms as windows of measurement. No network: a payload in, windows out.

    told = otlp.read(payload)
    by_source = histograms.windows(told.seen, lambda seen: Naming("api-requests", "api", "api", source=seen.labels["host.name"]))

Points of delta temporality are windows as they are; of cumulative points two that follow each other make one. What cannot be taken is
listed with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, NamedTuple

from opsledger.errors import BadInput
from opsledger.importers.histograms import UNITS_NS, Histogram, Seen, classic, exponential, grown, us, whole
from opsledger.policies.buckets import Ladder
from opsledger.policies.instants import moment

__all__ = ["Told", "read"]

_DELTA: Final = (1, "AGGREGATION_TEMPORALITY_DELTA")
_CUMULATIVE: Final = (2, "AGGREGATION_TEMPORALITY_CUMULATIVE")


@dataclass(slots=True)
class Told:
    """What a payload says: histograms, and metrics that were not taken, each with the reason."""

    seen: list[Seen] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class _Point(NamedTuple):
    labels: tuple[tuple[str, str], ...]
    start: int  # nanoseconds since the epoch
    end: int
    histogram: Histogram


def read(*payloads: Mapping[str, Any]) -> Told:
    """Return the histograms of payloads in OTLP's JSON form. Counters that go on from one payload to the next are followed."""
    told = Told()
    cumulative: dict[tuple[str, tuple[tuple[str, str], ...]], list[_Point]] = {}
    for resource, metric in (each for payload in payloads for each in _metrics(payload)):
        name = str(metric.get("name", ""))
        try:
            temporality, points = _points(resource, metric, name)
        except BadInput as error:
            told.refused.append(f"{name}: {error.sentence}")
            continue
        if temporality in _DELTA:
            told.seen += [_seen(name, point.labels, point.start, point.end, point.histogram) for point in points]
        else:
            for point in points:
                cumulative.setdefault((name, point.labels), []).append(point)
    for (name, labels), points in cumulative.items():
        told.seen += list(_followed(name, labels, sorted(points, key=lambda point: point.end)))
    told.seen.sort(key=lambda seen: (seen.started_at, seen.name, sorted(seen.labels.items())))
    return told


def _metrics(payload: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for resource in payload.get("resourceMetrics", ()):
        for scope in resource.get("scopeMetrics", ()):
            for metric in scope.get("metrics", ()):
                yield resource.get("resource", {}), metric


def _points(resource: Mapping[str, Any], metric: Mapping[str, Any], name: str) -> tuple[Any, list[_Point]]:
    if "histogram" in metric:
        held, make = metric["histogram"], _classic
    elif "exponentialHistogram" in metric:
        held, make = metric["exponentialHistogram"], _exponential
    else:
        raise BadInput("otlp.kind", "it is no histogram, so it has no times of requests.")
    unit = metric.get("unit", "")
    if unit not in UNITS_NS:
        raise BadInput("otlp.unit", f"its unit is '{unit}', which is no time; times come in {', '.join(UNITS_NS)}.")
    temporality = held.get("aggregationTemporality")
    if temporality not in (*_DELTA, *_CUMULATIVE):
        raise BadInput("otlp.temporality", f"its temporality is {temporality}; give delta or cumulative points.")
    points = []
    for point in held.get("dataPoints", ()):
        labels = tuple(sorted({**_labels(resource.get("attributes", ())), **_labels(point.get("attributes", ()))}.items()))
        histogram = _ranged(make(point, UNITS_NS[unit], name), point, UNITS_NS[unit])
        points.append(_Point(labels, int(point["startTimeUnixNano"]), int(point["timeUnixNano"]), histogram))
    return temporality, points


def _classic(point: Mapping[str, Any], unit_ns: int, name: str) -> Histogram:
    counts = [whole(count, name) for count in point.get("bucketCounts", ())] or [whole(point.get("count", 0), name)]
    bounds: list[Decimal | None] = [us(bound, unit_ns) for bound in point.get("explicitBounds", ())]
    if len(counts) != len(bounds) + 1:
        raise BadInput("otlp.buckets", f"it has {len(counts)} buckets between {len(bounds)} bounds; there is one bucket more than bounds.")
    up_to = [sum(counts[: place + 1]) for place in range(len(counts))]
    return classic(list(zip([*bounds, None], up_to, strict=True)), _sum(point, unit_ns), name)


def _exponential(point: Mapping[str, Any], unit_ns: int, name: str) -> Histogram:
    if any(whole(count, name) for count in point.get("negative", {}).get("bucketCounts", ())):
        raise BadInput("otlp.negative", "it holds times below 0; a request cannot take less than nothing.")
    positive = point.get("positive", {})
    # Their bucket i begins where ours of the same number ends.
    first = int(positive.get("offset", 0)) + 1
    counts = {first + place: whole(count, name) for place, count in enumerate(positive.get("bucketCounts", ()))}
    return exponential(
        Ladder(int(point.get("scale", 0)), unit_ns),
        whole(point.get("zeroCount", 0), name),
        counts,
        _sum(point, unit_ns),
        zero_threshold_us=us(point.get("zeroThreshold", 0), unit_ns),
    )


def _ranged(histogram: Histogram, point: Mapping[str, Any], unit_ns: int) -> Histogram:
    if "min" not in point or "max" not in point:
        return histogram
    low, high = us(point["min"], unit_ns), us(point["max"], unit_ns)
    return replace(histogram, min_us=max(0, low.__floor__()), max_us=high.__ceil__())


def _followed(name: str, labels: tuple[tuple[str, str], ...], points: Sequence[_Point]) -> Iterator[Seen]:
    """Yield what a counter grew by from each point to the next, and since its start up to the first point of each start."""
    if points:
        yield _seen(name, labels, points[0].start, points[0].end, points[0].histogram)
    for before, after in pairwise(points):
        if after.end == before.end:
            continue  # the same look twice
        if after.start == before.start:
            yield _seen(name, labels, before.end, after.end, grown(before.histogram, after.histogram))
        else:
            yield _seen(name, labels, after.start, after.end, after.histogram)


def _seen(name: str, labels: tuple[tuple[str, str], ...], start: int, end: int, histogram: Histogram) -> Seen:
    return Seen(name, dict(labels), moment(start // 1000), moment(end // 1000), histogram)


def _sum(point: Mapping[str, Any], unit_ns: int) -> int | None:
    return None if "sum" not in point else max(0, round(us(point["sum"], unit_ns)))


def _labels(attributes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {str(each["key"]): str(next(iter(each.get("value", {"": ""}).values()), "")) for each in attributes}
