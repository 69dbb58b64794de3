"""The rows of a series' requests: merged from windows, restated by what comes late, judged by counts; on both databases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from measurement_acts import SERIES, live_is_rebuilt, observe, told, window

from opsledger.app import OpsLedger
from opsledger.domain import measurement
from opsledger.domain.measurement import WindowRecorded, stream_of
from opsledger.policies import documents
from opsledger.policies.operating_model import OperatingModel, default_model
from opsledger.projections.requests import measured, requests, spending
from opsledger.testing import at
from opsledger.testing.plugin import Clock
from opsledger.testing.spec import default_known, known_with, recorded

TEN = "2026-03-14T10:00:00Z"


@pytest.fixture(params=["sqlite", "pg"])
def ledger(request: pytest.FixtureRequest, opsledger_clock: Clock) -> OpsLedger:
    made: OpsLedger = request.getfixturevalue(f"opsledger_{request.param}")
    opsledger_clock.set("2026-04-01T12:00:00Z")
    return made


@pytest.fixture
def one(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> OpsLedger:
    opsledger_clock.set("2026-04-01T12:00:00Z")
    return opsledger_sqlite


def promises(ledger: OpsLedger) -> dict[str, tuple[Any, ...]]:
    """Each promise of the month with its counts and its verdict."""
    names = ("good_fewest", "good_most", "total", "promised_ppm", "met", "null_reason")
    return {row["promise"]: tuple(row[name] for name in names) for row in told(ledger, "request_promise_month")}


# What windows come to.


def test_a_month_is_merged_from_the_windows_of_all_sources_and_never_averaged(ledger: OpsLedger) -> None:
    observe(ledger, window(TEN, [100_000] * 1000), window(TEN, [1_000_000] * 10, source="host-2"), window("2026-03-20T10:00:00Z", []))
    (month,) = told(ledger, "request_sli_month")
    assert (month["series_month"], month["month"], month["windows"], month["total"]) == ("api-requests/2026-03", "2026-03", 3, 1010)
    assert month["p95_lower_us"] == 100_000 <= month["p95_us"] <= month["p95_upper_us"] <= 102_200
    assert month["p99_upper_us"] <= 102_200  # the mean of the percentiles of both windows would be 550 ms
    assert (month["min_us"], month["max_us"], month["sum_us"]) == (100_000, 1_000_000, 110_000_000)
    assert json.loads(month["within_by_edge"]) == {"149999": 1000, "499999": 1000}
    assert (month["peak_per_minute"], month["measured_us"]) == (1010, 120_000_000)
    days = told(ledger, "request_sli_day")
    assert [(day["day"], day["total"], day["null_reason"]) for day in days] == [
        ("2026-03-14", 1010, None),
        ("2026-03-20", 0, "no requests"),
    ]
    live_is_rebuilt(ledger)


def test_a_window_has_its_own_percentiles_with_their_bounds(ledger: OpsLedger) -> None:
    observe(ledger, window(TEN, [100_000] * 95 + [300_000] * 5))
    (row,) = told(ledger, "request_sli_window")
    assert (row["started_at"], row["ended_at"], row["total"]) == (at(TEN), at("2026-03-14T10:01:00Z"), 100)
    assert row["p95_lower_us"] <= 100_000 <= row["p95_upper_us"]
    assert row["p99_lower_us"] <= 300_000 <= row["p99_upper_us"]
    assert row["last_position"] == ledger.store.head().position


def test_a_higher_revision_supersedes_and_a_lower_one_that_comes_later_changes_nothing(ledger: OpsLedger) -> None:
    observe(ledger, window(TEN, [100_000], revision=1))
    observe(ledger, window(TEN, [100_000] * 9, revision=3))
    observe(ledger, window(TEN, [100_000] * 4, revision=2))
    assert [row["total"] for row in told(ledger, "request_sli_month")] == [9]
    assert [(row["total"], row["revision"]) for row in told(ledger, "request_sli_window")] == [(9, 3)]
    assert [row["revision"] for row in told(ledger, "request_window_recorded")] == [1, 3, 2]
    live_is_rebuilt(ledger)


def test_a_withdrawn_window_counts_no_more_and_a_right_one_beside_it_does(ledger: OpsLedger) -> None:
    observe(ledger, window(TEN, [100_000] * 5), window("2026-03-14T10:01:00Z", [100_000] * 2))
    wrong = ledger.history("measurement:api-requests/2026-03-14")[0].position
    people = {"requested_by": "u-1", "approved_by": "u-2"}
    ledger.by("u-1").record(measurement.withdraw, "api-requests/2026-03-14", withdraws=wrong, reason="A wrong clock", **people)
    assert [row["total"] for row in told(ledger, "request_sli_month")] == [2]
    assert [row["total"] for row in told(ledger, "request_sli_window")] == [2]
    observe(ledger, window(TEN, [100_000] * 3, revision=1))
    assert [row["total"] for row in told(ledger, "request_sli_day")] == [5]
    live_is_rebuilt(ledger)


def test_a_late_window_restates_its_month(ledger: OpsLedger) -> None:
    observe(ledger, window("2026-03-20T10:00:00Z", [1000]))
    assert [row["total"] for row in told(ledger, "request_sli_month")] == [1]
    observe(ledger, window("2026-03-02T10:00:00Z", [1000, 2000]), window("2026-02-28T23:59:00Z", [1000]))
    assert [(row["month"], row["total"]) for row in told(ledger, "request_sli_month")] == [("2026-02", 1), ("2026-03", 3)]
    live_is_rebuilt(ledger)


# Promises: counted, not estimated.


def test_a_promise_about_times_is_kept_by_the_share_strictly_below_the_bound(one: OpsLedger) -> None:
    observe(one, window(TEN, [149_999] * 95 + [150_000] * 5))
    assert promises(one)["below_150000_us"] == (95, 95, 100, 950_000, True, None)
    observe(one, window("2026-03-14T10:01:00Z", [150_000]))
    assert promises(one)["below_150000_us"] == (95, 95, 101, 950_000, False, None)


def test_a_request_without_an_answer_was_not_quick(one: OpsLedger) -> None:
    observe(one, window(TEN, [1000] * 94, rejected=6, errors=6))
    assert promises(one)["below_150000_us"] == (94, 94, 100, 950_000, False, None)


def test_an_error_rate_of_exactly_the_limit_is_not_below_it(one: OpsLedger) -> None:
    observe(one, window(TEN, [1000] * 1000, errors=1))
    assert promises(one)["errors"] == (999, 999, 1000, 999_000, False, None)
    observe(one, window("2026-03-14T10:01:00Z", [1000]))
    assert promises(one)["errors"] == (1000, 1000, 1001, 999_000, True, None)


def test_where_the_bound_is_no_edge_the_answer_lies_between_two_counts_and_may_be_known_all_the_same(one: OpsLedger) -> None:
    observe(one, window(TEN, [100_000] * 90 + [150_000] * 10, edges=()))
    assert promises(one)["below_150000_us"] == (90, 100, 100, 950_000, None, "149999 us is no edge of all windows")
    assert promises(one)["below_500000_us"] == (100, 100, 100, 990_000, True, None)


def test_of_times_that_nobody_measured_nothing_is_said(one: OpsLedger) -> None:
    observe(one, window(TEN, [], rejected=10))
    assert promises(one)["below_150000_us"] == (0, 10, 10, 950_000, None, "no times were measured")
    (month,) = told(one, "request_sli_month")
    assert (month["null_reason"], month["p95_us"]) == ("no times were measured", None)


def test_a_series_of_another_kind_is_held_to_the_promises_of_its_own(one: OpsLedger) -> None:
    observe(one, window(TEN, [1_999_999] * 19 + [6_000_000], kind="web", edges=(1_999_999, 4_999_999)))
    assert promises(one) == {
        "below_2000000_us": (19, 19, 20, 950_000, True, None),
        "below_5000000_us": (19, 19, 20, 990_000, False, None),
        "errors": (20, 20, 20, 999_000, True, None),
        "capacity": (1, 1, 1, 1_000_000, True, None),
    }


def test_below_the_promised_capacity_with_nobody_turned_away_is_little_demand(one: OpsLedger) -> None:
    observe(one, window(TEN, [1000] * 5))
    assert promises(one)["capacity"] == (1, 1, 1, 1_000_000, True, None)
    observe(one, window("2026-03-14T10:01:00Z", [1000] * 5, rejected=1, errors=1))
    assert promises(one)["capacity"] == (1, 1, 2, 1_000_000, False, None)


def test_web_pages_that_turned_somebody_away_are_judged_by_how_many_were_there_at_once(one: OpsLedger) -> None:
    def busy(start: str, at_once: int | None) -> WindowRecorded:
        return window(start, [1000], kind="web", rejected=1, errors=1, concurrent_peak=at_once)

    observe(one, busy(TEN, 10_000))
    assert promises(one)["capacity"] == (1, 1, 1, 1_000_000, True, None)
    observe(one, busy("2026-03-14T10:01:00Z", None))
    assert promises(one)["capacity"] == (1, 2, 2, 1_000_000, None, "how many were there at once is not known")
    observe(one, busy("2026-03-14T10:02:00Z", 9999))
    assert promises(one)["capacity"] == (1, 2, 3, 1_000_000, False, None)


def test_an_api_that_turned_requests_away_beyond_what_was_promised_kept_its_capacity(one: OpsLedger) -> None:
    full = window(TEN, [], rejected=5, errors=5)
    observe(one, replace(full, total=50_005), replace(full, total=50_004, started_at=full.ended_at, ended_at=at("2026-03-14T10:02:00Z")))
    assert promises(one)["capacity"] == (1, 1, 2, 1_000_000, False, None)


def test_documents_are_judged_by_the_hour_and_by_what_still_waited(one: OpsLedger) -> None:
    def hour(start: str, count: int, backlog: int | None) -> WindowRecorded:
        return window(start, [5_000_000] * count, kind="documents", minutes=30, backlog=backlog, edges=(9_999_999,))

    observe(one, hour("2026-03-14T10:00:00Z", 500, 40), hour("2026-03-14T10:30:00Z", 499, 0))
    assert promises(one)["capacity"] == (1, 1, 1, 1_000_000, True, None)
    observe(one, hour("2026-03-14T11:00:00Z", 999, None))
    assert promises(one)["capacity"] == (1, 2, 2, 1_000_000, None, "a backlog is not known")
    observe(one, hour("2026-03-14T12:00:00Z", 999, 40), hour("2026-03-14T13:00:00Z", 1000, 40))
    assert promises(one)["capacity"] == (2, 3, 4, 1_000_000, False, None)


def test_peaks_are_of_all_sources_together(one: OpsLedger) -> None:
    both = (window(TEN, [1000] * 30, concurrent_peak=7), window(TEN, [1000] * 20, source="host-2", rejected=5, concurrent_peak=4))
    observe(one, *both, window("2026-03-14T10:01:00Z", [1000] * 200, minutes=5, concurrent_peak=10))
    (month,) = told(one, "request_sli_month")
    assert (month["peak_per_minute"], month["peak_served_per_minute"], month["concurrent_peak"]) == (55, 50, 11)


def test_key_figures_are_those_of_the_month(one: OpsLedger) -> None:
    observe(one, window(TEN, [100_000] * 3 + [200_000], errors=1))
    found = {row["kpi"]: (row["numerator"], row["denominator"]) for row in told(one, "kpi", period="month", scope=f"series:{SERIES}")}
    (month,) = told(one, "request_sli_month")
    assert found == {
        "error_rate": (1, 4),
        "response_time_mean": (500_000, 4),
        "response_time_p95": (month["p95_us"], 1),
        "response_time_p95_lower": (month["p95_lower_us"], 1),
        "response_time_p95_upper": (month["p95_upper_us"], 1),
        "requests_per_minute_peak": (4, 1),
        "served_share": (4, 4),
        "throughput": (4_000_000, 60_000_000),
    }


# Months of the reports' zone.


def test_a_month_of_another_zone_begins_and_ends_with_its_midnight() -> None:
    document = default_model().model_dump(mode="json", by_alias=True)
    document["reporting"]["month_zone"] = "America/New_York"
    known = known_with(documents.restored(OperatingModel, json.dumps(document)))
    windows = [window(start, [1000]) for start in ("2026-04-01T03:59:00Z", "2026-04-01T04:00:00Z", "2026-03-01T04:59:00Z")]
    states = folded(windows)
    for month, count in (("2026-02", 1), ("2026-03", 1), ("2026-04", 1)):
        made = requests.rows(f"{SERIES}/{month}", of_month(states, f"{SERIES}/{month}"), known)
        assert [row[1:3] for row in made["request_sli_month"]] == [(SERIES, month)]
        total = [column.name for column in requests.MONTH.columns].index("total")
        assert [row[total] for row in made["request_sli_month"]] == [count]


# Any order.

WINDOWS = st.lists(
    st.builds(
        window,
        st.sampled_from(
            ["2026-03-14T10:00:00Z", "2026-03-14T10:01:00Z", "2026-03-14T23:59:00Z", "2026-03-31T23:59:00Z", "2026-04-01T00:00:00Z"]
        ),
        st.lists(st.integers(0, 2_000_000), max_size=8),
        errors=st.just(0),
        rejected=st.integers(0, 3),
        source=st.sampled_from(["host-1", "host-2"]),
        revision=st.integers(0, 3),
        edges=st.sampled_from([(149_999, 499_999), (149_999,), ()]),
        fine=st.booleans(),
    ),
    min_size=1,
    max_size=10,
    unique_by=lambda each: (each.started_at, each.source, each.revision),
)


def folded(windows: Sequence[WindowRecorded], module: Any = measured) -> dict[str, Any]:
    """The states of the streams of windows, recorded in this order."""
    states: dict[str, Any] = {}
    for position, each in enumerate(windows, 1):
        stream = stream_of(each.series_id, each.started_at)
        states[stream] = module.fold(states.get(stream) or module.start(stream), recorded(each, stream, position, position))
    return dict(sorted(states.items()))


def of_month(states: dict[str, measured.Stream], subject: str) -> dict[str, measured.Stream]:
    return {stream: state for stream, state in states.items() if subject in requests.subjects(state)}


def all_rows(windows: Sequence[WindowRecorded]) -> dict[str, list[Any]]:
    """Every row of day, month and promises, without the position of the newest fact, which the order decides."""
    return rows_of(folded(windows))


def rows_of(states: dict[str, Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for subject in sorted({subject for state in states.values() for subject in requests.subjects(state)}):
        for name, made in requests.rows(subject, of_month(states, subject), default_known()).items():
            found.setdefault(name, []).extend(row[:-1] for row in made)
    return found


@given(WINDOWS, st.data())
def test_any_order_of_windows_gives_identical_tables(windows: list[WindowRecorded], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(windows))
    assert all_rows(shuffled) == all_rows(windows)
    days = [spending.days_of(folded(each, spending).values()) for each in (windows, shuffled)]
    for one, other in zip(*days, strict=True):
        for measure in (None, 149_999):
            assert one.points(measure) == other.points(measure)
            assert one.spent(measure, one.begin, one.end) == other.spent(measure, one.begin, one.end)


@given(WINDOWS, st.data())
def test_windows_that_stand_in_other_streams_than_they_should_are_counted_all_the_same(
    windows: list[WindowRecorded], data: st.DataObject
) -> None:
    astray = [data.draw(st.sampled_from(["", "/else", "/2026-03-14-0"])) for _ in windows]
    states: dict[str, Any] = {}
    spent: dict[str, Any] = {}
    for position, (each, place) in enumerate(zip(windows, astray, strict=True), 1):
        stream = stream_of(each.series_id, each.started_at) + place
        told_by = recorded(each, stream, position, position)
        states[stream] = measured.fold(states.get(stream) or measured.start(stream), told_by)
        spent[stream] = spending.fold(spent.get(stream) or spending.start(stream), told_by)
    assert rows_of(states) == all_rows(windows)
    right, wrong = (spending.days_of(each.values()) for each in (folded(windows, spending), spent))
    assert [day.points(None) for day in wrong] == [day.points(None) for day in right]


@given(WINDOWS)
def test_a_month_has_the_requests_of_its_windows_each_once(windows: list[WindowRecorded]) -> None:
    newest: dict[Any, WindowRecorded] = {}
    for each in windows:
        known = newest.get((each.started_at, each.source))
        if known is None or known.revision < each.revision:
            newest[each.started_at, each.source] = each
    places = {column.name: place for place, column in enumerate(requests.MONTH.columns)}
    made = all_rows(windows)["request_sli_month"]
    for name in ("total", "rejected", "timed", "sum_us"):
        assert sum(row[places[name]] for row in made) == sum(getattr(each, name) for each in newest.values())


def test_two_orders_in_the_ledger_give_the_same_tables(
    opsledger_sqlite: OpsLedger, opsledger_pg: OpsLedger, opsledger_clock: Clock
) -> None:
    opsledger_clock.set("2026-04-01T12:00:00Z")
    windows = [window(f"2026-03-14T10:{minute:02d}:00Z", [1000 * minute + 7] * 3, errors=1) for minute in range(10)]
    windows += [window("2026-03-14T10:03:00Z", [5] * 9, revision=1), window("2026-03-15T00:00:00Z", [])]
    observe(opsledger_sqlite, *windows)
    observe(opsledger_pg, *reversed(windows))
    for name in ("request_sli_window", "request_sli_day", "request_sli_month", "request_promise_month"):
        one, other = ([{**row, "last_position": 0} for row in told(ledger, name)] for ledger in (opsledger_sqlite, opsledger_pg))
        assert one == other
