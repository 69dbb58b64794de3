"""Prometheus histograms, classic and native, as windows of measurement. No network: what was scraped or queried in, windows out.

    before, after = prometheus.scraped(text_then, "http_request_duration_seconds"), prometheus.scraped(text_now, ...)
    seen = prometheus.between(before, after, started_at=..., ended_at=..., name="http_request_duration_seconds")

A histogram of Prometheus is a counter; a window is what it grew by between two looks, all of the later one after a reset. Counts made
by `rate` or `increase` are extrapolated, no numbers of requests, and refused. Times are in seconds, as Prometheus asks for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from math import log2
from typing import Any, Final

from opsledger.errors import BadInput
from opsledger.importers.histograms import SECOND_NS, Histogram, Seen, classic, exponential, grown, us, whole
from opsledger.policies.buckets import Ladder

__all__ = ["Labels", "between", "native", "queried", "scraped"]

Labels = tuple[tuple[str, str], ...]
"""Names and values in the order of names, without `le` and the name of the metric."""

_SAMPLE: Final = re.compile(r"^([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})?\s+(\S+)")
_LABEL: Final = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"')
_CUSTOM: Final = -53  # schema of native histograms with classic bounds
_SCHEMAS: Final = range(-4, 9)


def scraped(text: str, name: str) -> dict[Labels, Histogram]:
    """Return the classic histograms of a metric, by labels, from Prometheus' text format."""
    samples = []
    for line in text.splitlines():
        found = _SAMPLE.match(line)
        if found and found[1] in (f"{name}_bucket", f"{name}_sum", f"{name}_count"):
            labels = {label: re.sub(r"\\(.)", _unescaped, value) for label, value in _LABEL.findall(found[2] or "")}
            samples.append(({**labels, "__name__": found[1]}, found[3]))
    return _classics(samples, name)


def queried(result: Sequence[Mapping[str, Any]], name: str) -> dict[Labels, Histogram]:
    """Return the histograms of a metric from the result of an instant query: `data.result` of the HTTP API.

    Of native histograms the API gives the bounds of buckets and not the schema; it is recognised by their ratio.
    """
    samples = [(each["metric"], each["value"][1]) for each in result if "value" in each]
    found = _classics([(labels, value) for labels, value in samples if str(labels.get("__name__", "")).startswith(f"{name}_")], name)
    for each in result:
        if "histogram" in each and each["metric"].get("__name__") == name:
            found[_labels(each["metric"])] = _told(each["histogram"][1], name)
    return found


def native(message: Mapping[str, Any], name: str) -> Histogram:
    """Return a native histogram from the JSON form of Prometheus' protobuf message, with integer counts."""
    if any(whole(span.get("length", 0), name) for span in message.get("negativeSpan", ())):
        raise _negative(name)
    schema = int(message.get("schema", 0))
    counts = dict(_spans(message, name))
    sum_us = None if "sampleSum" not in message else max(0, round(us(message["sampleSum"], SECOND_NS)))
    if schema == _CUSTOM:
        bounds: list[Decimal | None] = [us(bound, SECOND_NS) for bound in message.get("customValues", ())]
        up_to = [sum(counts.get(place, 0) for place in range(last + 1)) for last in range(len(bounds) + 1)]
        return classic(list(zip([*bounds, None], up_to, strict=True)), sum_us, name)
    if schema not in _SCHEMAS:
        raise BadInput("prometheus.schema", f"{name} has the schema {schema}, which is none from -4 to 8; update the program.")
    threshold = us(message.get("zeroThreshold", 0), SECOND_NS)
    return exponential(Ladder(schema, SECOND_NS), whole(message.get("zeroCount", 0), name), counts, sum_us, zero_threshold_us=threshold)


def between(
    before: Mapping[Labels, Histogram], after: Mapping[Labels, Histogram], *, name: str, started_at: datetime, ended_at: datetime
) -> list[Seen]:
    """Return what each histogram grew by from one look to the next; one that was not there before is taken from its beginning."""
    return [
        Seen(name, dict(labels), started_at, ended_at, grown(before[labels], now) if labels in before else now)
        for labels, now in sorted(after.items())
    ]


def _classics(samples: Sequence[tuple[Mapping[str, str], Any]], name: str) -> dict[Labels, Histogram]:
    buckets: dict[Labels, list[tuple[Decimal | None, int]]] = {}
    sums: dict[Labels, int] = {}
    for labels, value in samples:
        own = _labels(labels)
        if labels["__name__"] == f"{name}_bucket":
            bound = None if labels["le"] == "+Inf" else us(labels["le"], SECOND_NS)
            buckets.setdefault(own, []).append((bound, whole(value, name)))
        elif labels["__name__"] == f"{name}_sum" and value not in ("NaN", "+Inf", "-Inf"):
            sums[own] = max(0, round(us(value, SECOND_NS)))
    return {own: classic(sorted(held, key=_rising), sums.get(own), name) for own, held in buckets.items()}


def _rising(bucket: tuple[Decimal | None, int]) -> tuple[bool, Decimal]:
    return bucket[0] is None, bucket[0] or Decimal(0)


def _spans(message: Mapping[str, Any], name: str) -> Iterator[tuple[int, int]]:
    """Yield the buckets of a message: spans of neighbours, and counts as steps from one to the next."""
    if message.get("positiveCount"):
        raise BadInput("prometheus.floats", f"{name} has counts with fractions, as rules make them; give the histogram as it was scraped.")
    deltas = iter(message.get("positiveDelta", ()))
    index = count = 0
    for span in message.get("positiveSpan", ()):
        index += int(span.get("offset", 0))
        for _ in range(int(span.get("length", 0))):
            count += int(next(deltas))
            yield index, whole(count, name)
            index += 1


def _told(histogram: Mapping[str, Any], name: str) -> Histogram:
    """Return a native histogram as the HTTP API tells it: (rule, lower, upper, count) for each bucket."""
    zero, threshold = 0, Decimal(0)
    schema: int | None = None
    counts: dict[int, int] = {}
    for _, lower, upper, count in histogram.get("buckets", ()):
        low, high = _number(lower, name), _number(upper, name)
        if low <= 0 <= high:
            zero, threshold = whole(count, name), us(high, SECOND_NS)
            continue
        if high < 0:
            raise _negative(name)
        schema = _schema(low, high, name) if schema is None else schema
        index = round(log2(high) * 2.0**schema)
        if abs(log2(high) * 2.0**schema - index) > 1e-6:
            raise _unknown(name)
        counts[index] = whole(count, name)
    sum_us = max(0, round(us(histogram["sum"], SECOND_NS))) if "sum" in histogram else None
    return exponential(Ladder(schema or 0, SECOND_NS), zero, counts, sum_us, zero_threshold_us=threshold)


def _schema(low: Decimal, high: Decimal, name: str) -> int:
    """Return the schema whose buckets have this ratio. A logarithm is enough: neighbouring schemas differ by a factor of two."""
    growth = log2(high) - log2(low)
    for schema in _SCHEMAS:
        if abs(growth * 2.0**schema - 1) < 1e-6:
            return schema
    raise _unknown(name)


def _number(text: str, name: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise BadInput("prometheus.bound", f"A bucket of {name} has the bound '{text}', which is no number.") from None


def _labels(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted((label, value) for label, value in labels.items() if label not in ("__name__", "le")))


def _unescaped(found: re.Match[str]) -> str:
    return "\n" if found[1] == "n" else found[1]


def _negative(name: str) -> BadInput:
    return BadInput("histogram.negative", f"{name} holds times below 0; a request cannot take less than nothing.")


def _unknown(name: str) -> BadInput:
    return BadInput("prometheus.schema", f"The buckets of {name} are those of no schema from -4 to 8; scrape it in protobuf form.")
