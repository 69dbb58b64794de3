"""Batch runs, windows and months, and load tests: told by what is known, restated by what comes late; on both databases."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measurement_acts import live_is_rebuilt, told

from opsledger.app import OpsLedger
from opsledger.domain import batch, ledger, load_test
from opsledger.domain.concept import Moment
from opsledger.policies.instants import micros
from opsledger.policies.known import InForce, Known
from opsledger.projections.capacity import batches
from opsledger.replay.explain import explain
from opsledger.testing import at
from opsledger.testing.plugin import Clock
from opsledger.testing.spec import default_known, recorded

PEOPLE = {"proposed_by": "u-1", "approved_by": "u-2"}
NIGHTLY: dict[str, Any] = {
    "service_id": "api",
    "zone": "America/New_York",
    "weekdays": ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
    "opens": "22:00",
    "closes": "02:00",
    **PEOPLE,
}


@pytest.fixture(params=["sqlite", "pg"])
def made(request: pytest.FixtureRequest, opsledger_clock: Clock) -> OpsLedger:
    found: OpsLedger = request.getfixturevalue(f"opsledger_{request.param}")
    opsledger_clock.set("2026-04-01T12:00:00Z")
    return found


@pytest.fixture
def one(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> OpsLedger:
    opsledger_clock.set("2026-04-01T12:00:00Z")
    return opsledger_sqlite


def act(on: OpsLedger, when: str, decision: Any, id: str = "index", **arguments: Any) -> int:
    return on.by("u-7", role="sre", at=at(when)).record(decision, id, **arguments).position or 0


def define(on: OpsLedger, since: str = "2026-03-06T00:00:00Z", **terms: Any) -> None:
    act(on, since, batch.define, **{**NIGHTLY, **terms})


def run(on: OpsLedger, id: str, started: str, completed: str, **given: Any) -> int:
    return act(on, completed, batch.complete, run_id=id, started_at=at(started), **given)


def windows(on: OpsLedger) -> dict[str, tuple[Any, ...]]:
    return {row["window_day"]: (row["verdict"], row["runs"], row["late_s"]) for row in told(on, "batch_window")}


def test_each_window_says_what_became_of_its_work(made: OpsLedger) -> None:
    define(made)
    run(made, "R-1", "2026-03-06T03:00:00Z", "2026-03-06T07:00:00Z")  # exactly at the close
    run(made, "R-2", "2026-03-07T03:00:00Z", "2026-03-07T06:00:00Z", outcome="failed")
    run(made, "R-3", "2026-03-07T06:30:00Z", "2026-03-07T07:00:01Z")
    run(made, "R-4", "2026-03-08T02:59:59Z", "2026-03-08T04:00:00Z")  # a second before it opens
    run(made, "R-5", "2026-03-10T05:00:00Z", "2026-03-10T05:30:00Z")  # the clocks have jumped: EDT
    assert windows(made) == {
        "2026-03-05": ("on_time", 1, 0),
        "2026-03-06": ("late", 2, 1),
        "2026-03-07": ("outside", 1, -10_800),  # it closes as the clocks jump, at 07:00 UTC
        "2026-03-08": ("missed", 0, None),
        "2026-03-09": ("on_time", 1, -1800),
    }
    verdicts = {row["run_id"]: row["verdict"] for row in told(made, "batch_run")}
    assert verdicts == {"R-1": "on_time", "R-2": "failed", "R-3": "late", "R-4": "outside", "R-5": "on_time"}
    (month,) = told(made, "batch_month")
    counts = {name: month[name] for name in ("windows", "on_time", "late", "outside", "missed", "runs_failed", "promised_ppm", "met")}
    assert counts == {
        "windows": 5,
        "on_time": 2,
        "late": 1,
        "outside": 1,
        "missed": 1,
        "runs_failed": 1,
        "promised_ppm": 1_000_000,
        "met": False,
    }
    figures = {row["kpi"]: (row["numerator"], row["denominator"]) for row in told(made, "kpi", scope="batch:index")}
    assert figures == {"batch_on_time": (2, 5)}
    live_is_rebuilt(made)


def test_nothing_is_missed_before_a_window_is_known_to_be_over(one: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-03-06T00:00:00Z")
    define(one)
    assert windows(one) == {}
    opsledger_clock.set("2026-03-06T04:00:00Z")
    run(one, "R-1", "2026-03-06T03:00:00Z", "2026-03-06T04:00:00Z", outcome="failed")
    assert windows(one) == {"2026-03-05": (None, 1, None)}
    assert [(row["windows"], row["met"], row["null_reason"]) for row in told(one, "batch_month")] == [(0, None, "no window is over")]
    opsledger_clock.set("2026-03-07T00:00:01Z")
    act(one, "2026-03-07T00:00:01Z", ledger.close_day, "self")
    assert windows(one) == {"2026-03-05": ("missed", 1, None)}
    live_is_rebuilt(one)
    run(one, "R-2", "2026-03-06T07:00:00Z", "2026-03-06T08:00:00Z")
    assert windows(one) == {"2026-03-05": ("late", 2, 3600)}
    live_is_rebuilt(one)


def test_a_run_that_is_taken_back_counts_no_more_and_one_of_a_job_without_a_window_has_no_verdict(one: OpsLedger) -> None:
    define(one)
    position = run(one, "R-1", "2026-03-06T03:00:00Z", "2026-03-06T04:00:00Z")
    taken_back = {"withdraws": position, "reason": "Another job's", "requested_by": "u-1", "approved_by": "u-2"}
    act(one, "2026-03-06T09:00:00Z", batch.withdraw, **taken_back)
    assert (windows(one), told(one, "batch_run")) == ({"2026-03-05": ("missed", 0, None)}, [])
    run(one, "R-1", "2026-03-06T03:00:00Z", "2026-03-06T05:00:00Z")
    assert windows(one) == {"2026-03-05": ("on_time", 1, -7200)}
    act(one, "2026-03-06T05:00:00Z", batch.complete, "other", run_id="R-1", started_at=at("2026-03-06T03:00:00Z"))
    (other,) = told(one, "batch_run", batch_id="other")
    assert (other["verdict"], other["window_day"], other["late_s"]) == (None, None, None)
    live_is_rebuilt(one)


def test_a_new_version_holds_from_its_own_start_and_a_retired_job_has_no_windows(one: OpsLedger) -> None:
    define(one)
    define(one, "2026-03-07T12:00:00Z", zone="UTC", opens="01:00", closes="02:00")
    run(one, "R-1", "2026-03-09T01:00:00Z", "2026-03-09T01:30:00Z")
    act(one, "2026-03-09T20:00:00Z", batch.retire)
    run(one, "R-2", "2026-03-12T01:00:00Z", "2026-03-12T01:30:00Z")
    found = {row["window_day"]: (row["opens_at"].hour, row["zone"]) for row in told(one, "batch_window")}
    assert found == {
        "2026-03-05": (3, "America/New_York"),
        "2026-03-06": (3, "America/New_York"),
        "2026-03-08": (1, "UTC"),
        "2026-03-09": (1, "UTC"),
    }
    live_is_rebuilt(one)


def test_a_window_is_explained_by_its_definition_and_its_runs(one: OpsLedger) -> None:
    define(one)
    run(one, "R-1", "2026-03-06T03:00:00Z", "2026-03-06T07:00:01Z")
    (row,) = told(one, "batch_window")
    found = explain(one.store, one.tables.tables, "batch_window", ["index", row["opens_at"].isoformat()])
    assert found.story == [
        "Window of 2026-03-05, 2026-03-06T03:00:00.000000Z to 2026-03-06T07:00:00.000000Z (America/New_York): late.",
        "  R-1 from 2026-03-06T03:00:00.000000Z to 2026-03-06T07:00:01.000000Z: late.",
    ]
    assert [fact.topic for fact in found.facts] == ["batch.window_defined", "batch.run_completed"]


TIMES = st.integers(0, 96).map(lambda hours: micros(at("2026-03-06T00:00:00Z")) + hours * 3_600_000_000)


def moments(pair: tuple[int, int]) -> tuple[datetime, datetime]:
    low, high = (datetime.fromtimestamp(each / 1_000_000, at("2026-03-06T00:00:00Z").tzinfo) for each in sorted(pair))
    return low, high


@given(st.lists(st.tuples(st.tuples(TIMES, TIMES).map(moments), st.sampled_from(["succeeded", "failed"])), max_size=6))
@settings(max_examples=20)
def test_the_windows_of_a_month_add_up_whatever_the_runs_and_their_order(runs: list[tuple[tuple[datetime, datetime], Any]]) -> None:
    known: Known = default_known()
    defined = batch.define(None, moment_at("2026-03-06T00:00:00Z"), **NIGHTLY)[0]
    facts = [
        batch.RunCompleted(completed_at=high, started_at=low, run_id=f"R-{n}", outcome=said) for n, ((low, high), said) in enumerate(runs)
    ]

    def rows(order: list[Any]) -> dict[str, Any]:
        job = batches.start("batch:index")
        for version, fact in enumerate([defined, *order], 1):
            job = batches.fold(job, recorded(fact, "batch:index", version, 10 + version))
        return {name: [row[:-1] for row in each] for name, each in batches.rows("index", {"batch:index": job}, known).items()}

    found = rows(facts)
    assert found == rows(facts[::-1])
    assert len(found["batch_run"]) == len(runs)
    assert all(sum(row[4:8]) == row[3] for row in found["batch_month"])


def moment_at(when: str) -> Moment:
    return Moment(at(when), "u-7", "sre", "batch:index", InForce(default_known(), at(when)))


# Load tests.


def test_a_load_test_has_a_verdict_by_the_target_of_its_time(made: OpsLedger) -> None:
    tried = {"service_id": "api", "quantity": "requests_per_minute", "started_at": at("2026-03-06T00:00:00Z")}
    for id, offered, served in (("LT-1", 60_000, 50_000), ("LT-2", 60_000, 49_999), ("LT-3", 40_000, 40_000), ("LT-4", 60_000, 60_000)):
        act(made, "2026-03-06T01:00:00Z", load_test.complete, id, offered=offered, served=served, **tried)
    act(made, "2026-03-07T01:00:00Z", load_test.withdraw, "LT-4", reason="Another's", requested_by="u-1", approved_by="u-2")
    found = {row["load_test_id"]: (row["target"], row["met"], row["null_reason"]) for row in told(made, "load_test")}
    assert found == {
        "LT-1": (50_000, True, None),
        "LT-2": (50_000, False, None),
        "LT-3": (50_000, None, "all was served of less than the target"),
        "LT-4": (50_000, None, "it was recorded wrongly"),
    }
    live_is_rebuilt(made)
