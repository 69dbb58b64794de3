"""OTLP metrics in: histograms and exponential histograms, delta and cumulative, with what is refused and why."""

from __future__ import annotations

from typing import Any

import pytest

from opsledger.app import OpsLedger
from opsledger.errors import BadInput
from opsledger.importers import otlp
from opsledger.importers.histograms import Histogram, Naming, Seen, combined, windows
from opsledger.policies.buckets import Ladder
from opsledger.testing import at
from opsledger.testing.plugin import Clock

TEN = 1_773_482_400_000_000_000  # 2026-03-14T10:00:00Z in nanoseconds
MINUTE = 60_000_000_000
SECONDS = 1_000_000_000


def payload(*metrics: dict[str, Any]) -> dict[str, Any]:
    host = {"attributes": [{"key": "host.name", "value": {"stringValue": "host-1"}}]}
    return {"resourceMetrics": [{"resource": host, "scopeMetrics": [{"scope": {"name": "http"}, "metrics": list(metrics)}]}]}


def point(start: int, end: int, status: str = "200", **held: Any) -> dict[str, Any]:
    attributes = [{"key": "http.response.status_code", "value": {"intValue": status}}]
    return {"attributes": attributes, "startTimeUnixNano": str(start), "timeUnixNano": str(end), **held}


def classic(*points: dict[str, Any], temporality: Any = 1, unit: str = "s") -> dict[str, Any]:
    return {
        "name": "http.server.request.duration",
        "unit": unit,
        "histogram": {"aggregationTemporality": temporality, "dataPoints": list(points)},
    }


def exponential(*points: dict[str, Any], temporality: Any = 1, unit: str = "s") -> dict[str, Any]:
    held = {"aggregationTemporality": temporality, "dataPoints": list(points)}
    return {"name": "http.server.request.duration", "unit": unit, "exponentialHistogram": held}


BOUNDS = {"explicitBounds": [0.1, 0.149999, 0.5]}
FINE = {"scale": 5, "zeroCount": "1", "positive": {"offset": -101, "bucketCounts": ["2", "3", "0", "0", "0", "3"]}, "sum": 2.5}


def named(seen: Seen) -> Naming:
    return Naming("api-requests", "api", "api", seen.labels["host.name"], failed=seen.labels["http.response.status_code"] >= "500")


def test_a_delta_point_is_a_window() -> None:
    made = point(TEN, TEN + MINUTE, bucketCounts=["2", "4", "2", "2"], sum=3.25, min=0.0000015, max=0.9, **BOUNDS)
    (seen,) = otlp.read(payload(classic(made))).seen
    assert (seen.started_at, seen.ended_at) == (at("2026-03-14T10:00:00Z"), at("2026-03-14T10:01:00Z"))
    assert seen.labels == {"host.name": "host-1", "http.response.status_code": "200"}
    edges = ((100_000, 2), (149_999, 6), (500_000, 8))
    assert seen.histogram == Histogram(10, 3_250_000, edges, min_us=1, max_us=900_000)


def test_of_cumulative_points_two_make_a_window_and_the_first_one_since_its_start() -> None:
    first = point(TEN, TEN + MINUTE, bucketCounts=["1", "0", "0", "0"], sum=0.05, **BOUNDS)
    second = point(TEN, TEN + 2 * MINUTE, bucketCounts=["3", "1", "0", "0"], sum=0.25, **BOUNDS)
    again = point(TEN + 3 * MINUTE, TEN + 4 * MINUTE, bucketCounts=["1", "0", "0", "0"], sum=0.05, **BOUNDS)
    told = otlp.read(payload(classic(first, temporality=2)), payload(classic(again, second, second, temporality=2)))
    assert [(seen.started_at.minute, seen.ended_at.minute, seen.histogram.count) for seen in told.seen] == [(0, 1, 1), (1, 2, 3), (3, 4, 1)]
    assert told.seen[1].histogram.sum_us == 200_000


def test_an_exponential_histogram_keeps_its_buckets_which_we_number_one_higher() -> None:
    (seen,) = otlp.read(payload(exponential(point(TEN, TEN + MINUTE, **FINE)))).seen
    assert seen.histogram == Histogram(9, 2_500_000, (), Ladder(5, SECONDS), 1, ((-100, 2), (-99, 3), (-95, 3)))


def test_what_is_finer_is_added_together_and_what_is_coarser_stays() -> None:
    finer, coarser = ({**FINE, "scale": scale} for scale in (6, 3))
    told = otlp.read(payload(exponential(point(TEN, TEN + MINUTE, **finer))), payload(exponential(point(TEN, TEN + MINUTE, **coarser))))
    assert [(seen.histogram.ladder, seen.histogram.buckets) for seen in told.seen] == [
        (Ladder(5, SECONDS), ((-50, 2), (-49, 3), (-47, 3))),
        (Ladder(3, SECONDS), ((-100, 2), (-99, 3), (-95, 3))),
    ]


def test_a_cumulative_exponential_histogram_that_lowered_its_scale_goes_on() -> None:
    later = {"scale": 4, "zeroCount": "1", "positive": {"offset": -51, "bucketCounts": ["3", "4", "0", "3"]}, "sum": 3.0}
    points = [point(TEN, TEN + MINUTE, **FINE), point(TEN, TEN + 2 * MINUTE, **later)]
    _, grown = otlp.read(payload(exponential(*points, temporality="AGGREGATION_TEMPORALITY_CUMULATIVE"))).seen
    assert grown.histogram == Histogram(2, 500_000, (), Ladder(4, SECONDS), 0, ((-50, 1), (-49, 1)))


def test_points_of_one_series_and_time_are_one_window_on_the_coarser_scale() -> None:
    one = Histogram(3, 10, (), Ladder(5, SECONDS), 0, ((1, 2), (2, 1)), 5, 6)
    other = Histogram(2, None, (), Ladder(4, SECONDS), 1, ((1, 1),), 4, 9)
    assert combined([one, other]) == combined([other, one]) == Histogram(5, None, (), Ladder(4, SECONDS), 1, ((1, 4),), 4, 9)


def test_kinds_that_have_no_sum_are_refused() -> None:
    with pytest.raises(BadInput, match="have no sum"):
        combined([Histogram(1, 1, ((5, 1),)), Histogram(1, 1, (), Ladder(5, SECONDS), 0, ((1, 1),))])


def test_windows_reach_the_tables_with_their_errors(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-03-14T12:00:00Z")
    failed = {"scale": 5, "zeroCount": 0, "positive": {"offset": -101, "bucketCounts": ["1"]}, "sum": 0.1}
    points = [point(TEN, TEN + MINUTE, **FINE), point(TEN, TEN + MINUTE, "503", **failed)]
    by_source = windows(otlp.read(payload(exponential(*points))).seen, named)
    assert list(by_source) == ["host-1"]
    opsledger_sqlite.by("host-1").observe(by_source["host-1"], source="host-1")
    (month,) = opsledger_sqlite.tables.select("request_sli_month", at_least=opsledger_sqlite.store.head().position)
    assert (month["total"], month["errors"], month["sum_us"]) == (10, 1, 2_600_000)
    # Bucket -95 of scale 5 holds 0.125 to 0.1277 s: 2**(-96/32) to 2**(-95/32).
    assert (month["p99_lower_us"], month["p99_upper_us"]) == (125_001, 127_738)


def test_a_series_without_a_name_is_left_out() -> None:
    seen = otlp.read(payload(exponential(point(TEN, TEN + MINUTE, **FINE)))).seen
    assert windows(seen, lambda _: None) == {}


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        ({"name": "up", "unit": "1", "gauge": {}}, "up: it is no histogram"),
        (classic(unit="By"), "its unit is 'By', which is no time"),
        (classic(temporality=0), "its temporality is 0"),
        (classic(point(TEN, TEN + MINUTE, bucketCounts=["1"], **BOUNDS)), "1 buckets between 3 bounds"),
        (exponential(point(TEN, TEN + MINUTE, **FINE, negative={"bucketCounts": ["1"]})), "times below 0"),
        (exponential(point(TEN, TEN + MINUTE, **{**FINE, "zeroThreshold": 0.01})), "too coarse"),
    ],
)
def test_a_metric_that_cannot_be_taken_is_listed_with_the_reason(metric: dict[str, Any], sentence: str) -> None:
    told = otlp.read(payload(metric, exponential(point(TEN, TEN + MINUTE, **FINE))))
    assert [sentence in each for each in told.refused] == [True]
    assert len(told.seen) == 1
