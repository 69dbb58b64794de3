"""Prometheus histograms in: classic ones as scraped or queried, native ones from the protobuf form and from a query."""

from __future__ import annotations

from typing import Any

import pytest

from opsledger.app import OpsLedger
from opsledger.errors import BadInput
from opsledger.importers import prometheus
from opsledger.importers.histograms import Histogram, Naming, Seen, windows
from opsledger.policies.buckets import Ladder
from opsledger.testing import at
from opsledger.testing.plugin import Clock

NAME = "http_request_duration_seconds"
THEN = """
# HELP http_request_duration_seconds How long requests took.
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{code="200",path="/a\\"b",le="0.1"} 10
http_request_duration_seconds_bucket{code="200",path="/a\\"b",le="0.149999"} 14
http_request_duration_seconds_bucket{code="200",path="/a\\"b",le="0.5"} 15
http_request_duration_seconds_bucket{code="200",path="/a\\"b",le="+Inf"} 15
http_request_duration_seconds_sum{code="200",path="/a\\"b"} 1.5
http_request_duration_seconds_count{code="200",path="/a\\"b"} 15
http_request_duration_seconds_bucket{code="500",path="/",le="0.1"} 1
http_request_duration_seconds_bucket{code="500",path="/",le="0.149999"} 1
http_request_duration_seconds_bucket{code="500",path="/",le="0.5"} 1
http_request_duration_seconds_bucket{code="500",path="/",le="+Inf"} 1
http_request_duration_seconds_sum{code="500",path="/"} 0.05
other_bucket{le="+Inf"} 99
"""
NOW = (
    THEN.replace('le="0.1"} 10', 'le="0.1"} 12')
    .replace('le="0.149999"} 14', 'le="0.149999"} 20')
    .replace('le="0.5"} 15', 'le="0.5"} 23')
    .replace('le="+Inf"} 15', 'le="+Inf"} 25')
    .replace("} 1.5", "} 4.75")
)
OK, FAILED = (("code", "200"), ("path", '/a"b')), (("code", "500"), ("path", "/"))
FROM, TO = at("2026-03-14T10:00:00Z"), at("2026-03-14T10:01:00Z")


def named(seen: Seen) -> Naming:
    return Naming("api-requests", "api", "api", "prometheus-1", failed=seen.labels["code"] == "500")


def between(then: str, now: str) -> list[Seen]:
    looks = (prometheus.scraped(text, NAME) for text in (then, now))
    return prometheus.between(*looks, name=NAME, started_at=FROM, ended_at=TO)


def test_a_classic_histogram_is_read_with_its_bounds_in_whole_microseconds() -> None:
    found = prometheus.scraped(THEN, NAME)
    assert found[OK] == Histogram(15, 1_500_000, ((100_000, 10), (149_999, 14), (500_000, 15)))
    assert found.keys() == {OK, FAILED}


def test_a_window_is_what_a_counter_grew_by() -> None:
    ok, failed = between(THEN, NOW)
    assert ok.histogram == Histogram(10, 3_250_000, ((100_000, 2), (149_999, 6), (500_000, 8)))
    assert failed.histogram.count == 0


def test_after_a_reset_all_of_the_later_look_is_new() -> None:
    ok, _ = between(NOW, THEN)
    assert ok.histogram == prometheus.scraped(THEN, NAME)[OK]


def test_a_series_that_was_not_there_is_taken_from_its_beginning() -> None:
    assert [seen.histogram.count for seen in between("", THEN)] == [15, 1]


def test_what_failed_counts_as_an_error_of_the_same_window(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-03-14T12:00:00Z")
    (records,) = windows(between("", THEN), named).values()
    assert len(records) == 1
    assert opsledger_sqlite.by("prometheus-1").observe(records, source="prometheus-1").new == 1
    assert opsledger_sqlite.by("prometheus-1").observe(records, source="prometheus-1").known == 1
    (month,) = opsledger_sqlite.tables.select("request_sli_month", at_least=opsledger_sqlite.store.head().position)
    assert (month["total"], month["errors"], month["timed"], month["sum_us"]) == (16, 1, 16, 1_550_000)
    assert month["within_by_edge"] == '{"100000":11,"149999":15,"500000":16}'
    assert (month["p50_lower_us"], month["p50_upper_us"]) == (0, 100_000)
    promises = {row["promise"]: row["met"] for row in opsledger_sqlite.tables.select("request_promise_month")}
    assert (promises["below_150000_us"], promises["below_500000_us"]) == (False, None)  # 15 of 16; 499.999 ms is no edge


def test_an_instant_query_gives_the_same_as_a_scrape() -> None:
    result: list[dict[str, Any]] = [
        {"metric": {"__name__": f"{NAME}_bucket", "le": le, "code": "500", "path": "/"}, "value": [1773482400, "1"]}
        for le in ("+Inf", "0.5", "0.1", "0.149999")
    ]
    result.append({"metric": {"__name__": f"{NAME}_sum", "code": "500", "path": "/"}, "value": [1773482400, "0.05"]})
    assert prometheus.queried(result, NAME) == {FAILED: prometheus.scraped(THEN, NAME)[FAILED]}


def test_counts_that_were_extrapolated_are_refused() -> None:
    with pytest.raises(BadInput, match=r"counts 14\.2, which is no number of requests"):
        prometheus.scraped(THEN.replace("} 14", "} 14.2"), NAME)


def test_a_histogram_without_its_last_bucket_is_refused() -> None:
    with pytest.raises(BadInput, match="do not rise up to one without bound"):
        prometheus.scraped('x_bucket{le="0.1"} 4', "x")


NATIVE: dict[str, Any] = {
    "sampleCount": "9",
    "sampleSum": 2.5,
    "schema": 5,
    "zeroThreshold": 2.938735877055719e-39,
    "zeroCount": "1",
    "positiveSpan": [{"offset": -100, "length": 2}, {"offset": 3, "length": 1}],
    "positiveDelta": ["2", "1", "0"],
}


def test_a_native_histogram_keeps_its_buckets_in_seconds() -> None:
    found = prometheus.native(NATIVE, NAME)
    assert found == Histogram(9, 2_500_000, (), Ladder(5, 1_000_000_000), 1, ((-100, 2), (-99, 3), (-95, 3)))


def test_a_finer_native_histogram_is_added_together_exactly() -> None:
    found = prometheus.native({**NATIVE, "schema": 6}, NAME)
    assert (found.ladder, found.buckets, found.count) == (Ladder(5, 1_000_000_000), ((-50, 2), (-49, 3), (-47, 3)), 9)


def test_a_native_histogram_with_bounds_of_its_own_is_a_classic_one() -> None:
    custom = {
        "sampleSum": 1.0,
        "schema": -53,
        "customValues": [0.1, 0.5],
        "positiveSpan": [{"offset": 0, "length": 3}],
        "positiveDelta": [4, -1, -1],
    }
    assert prometheus.native(custom, NAME) == Histogram(9, 1_000_000, ((100_000, 4), (500_000, 7)))


def test_a_query_of_a_native_histogram_is_recognised_by_its_bounds() -> None:
    def bound(index: int) -> str:
        return repr(2 ** (index / 32))

    buckets = [[3, "-2.938735877055719e-39", "2.938735877055719e-39", "1"]]
    buckets += [[0, bound(index - 1), bound(index), str(count)] for index, count in ((-100, 2), (-99, 3), (-95, 3))]
    result = [{"metric": {"__name__": NAME, "job": "api"}, "histogram": [1773482400, {"count": "9", "sum": "2.5", "buckets": buckets}]}]
    assert prometheus.queried(result, NAME) == {(("job", "api"),): prometheus.native(NATIVE, NAME)}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"negativeSpan": [{"offset": 0, "length": 1}]}, "times below 0"),
        ({"positiveCount": [1.5]}, "counts with fractions"),
        ({"schema": 12}, "none from -4 to 8"),
        ({"zeroThreshold": 0.001}, "which is too coarse"),
    ],
)
def test_a_native_histogram_that_cannot_be_taken_exactly_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        prometheus.native({**NATIVE, **changes}, NAME)


def test_bounds_of_no_schema_are_refused() -> None:
    odd = [{"metric": {"__name__": NAME}, "histogram": [0, {"sum": "1", "buckets": [[0, "0.1", "0.13", "4"]]}]}]
    with pytest.raises(BadInput, match="those of no schema"):
        prometheus.queried(odd, NAME)
