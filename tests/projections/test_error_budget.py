"""Budgets and burn alerts of requests and of time: what is left, what was given back, when it burned too fast; on both databases."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import availability_acts as availability
import pytest
from measurement_acts import live_is_rebuilt, observe, promise, told, window

from opsledger.app import OpsLedger
from opsledger.domain import error_budget, slo
from opsledger.domain.measurement import WindowRecorded
from opsledger.testing import at
from opsledger.testing.plugin import Clock

FAST = slo.LatencyBound(share_pct=Decimal(95), below_us=150_000)


@pytest.fixture(params=["sqlite", "pg"])
def ledger(request: pytest.FixtureRequest, opsledger_clock: Clock) -> OpsLedger:
    made: OpsLedger = request.getfixturevalue(f"opsledger_{request.param}")
    opsledger_clock.set("2026-04-01T12:00:00Z")
    return made


@pytest.fixture
def one(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> OpsLedger:
    opsledger_clock.set("2026-04-01T12:00:00Z")
    return opsledger_sqlite


def budgets(ledger: OpsLedger, *names: str, **where: Any) -> dict[tuple[str, str], tuple[Any, ...]]:
    """What is said of each month and measure."""
    return {(row["month"], row["measure"]): tuple(row[name] for name in names) for row in told(ledger, "error_budget", **where)}


def give_back(ledger: OpsLedger, count: int, applies_at: str, slo_id: str = "api-requests", unit: error_budget.Unit = "events") -> None:
    people = {"reason": "A load test", "requested_by": "u-1", "approved_by": "u-2"}
    ledger.by("u-1").record(error_budget.adjust, slo_id, applies_at=at(applies_at), unit=unit, given_back=count, **people)


def hour(start: str, bad: dict[int, int], *, requests: int = 1000) -> list[WindowRecorded]:
    """An hour of windows of a minute, in some of which requests fail."""
    begin = at(start)
    return [window((begin + timedelta(minutes=minute)).isoformat(), [1000] * requests, errors=bad.get(minute, 0)) for minute in range(60)]


# What is left.


def test_the_budget_of_a_month_is_what_the_target_leaves_of_its_requests(ledger: OpsLedger) -> None:
    promise(ledger)
    observe(ledger, window("2026-03-14T10:00:00Z", [1000] * 4000, errors=3), window("2026-04-01T00:00:00Z", [1000] * 500, errors=1))
    found = budgets(ledger, "unit", "total", "bad", "budget", "remaining", "met", "complete")
    assert found == {
        ("2026-03", "errors"): ("events", 4000, 3, 4, 1, True, True),
        ("2026-04", "errors"): ("events", 500, 1, 0, -1, False, False),  # half a request is no whole one
    }
    live_is_rebuilt(ledger)


def test_exactly_the_budget_is_met_and_one_request_more_is_not(one: OpsLedger) -> None:
    promise(one)
    observe(one, window("2026-03-14T10:00:00Z", [1000] * 4000, errors=4))
    assert budgets(one, "remaining", "met") == {("2026-03", "errors"): (0, True)}
    observe(one, window("2026-03-14T10:01:00Z", [1000], errors=1))
    assert budgets(one, "remaining", "met") == {("2026-03", "errors"): (-1, False)}


def test_each_bound_of_an_objective_has_a_budget_of_its_own(one: OpsLedger) -> None:
    promise(one, latency=(FAST,), error_rate_below_pct=Decimal("0.1"))
    observe(one, window("2026-03-14T10:00:00Z", [149_999] * 95 + [150_000] * 5))
    assert budgets(one, "target", "bad", "budget", "remaining", "met") == {
        ("2026-03", "errors"): ("99.9", 0, 0, 0, True),
        ("2026-03", "below_150000_us"): ("95", 5, 5, 0, True),
    }
    assert [row["error_rate_met"] for row in told(one, "request_error_budget")] == [None, True]


def test_requests_of_windows_without_the_bound_as_an_edge_are_not_judged(one: OpsLedger) -> None:
    promise(one, latency=(FAST,))
    observe(one, window("2026-03-14T10:00:00Z", [1000] * 7, edges=()))
    names = ("total", "unjudged", "met", "null_reason")
    assert budgets(one, *names, measure="below_150000_us") == {
        ("2026-03", "below_150000_us"): (0, 7, None, "no window has the bound as an edge")
    }


def test_what_is_given_back_stands_apart_from_what_was_measured(ledger: OpsLedger) -> None:
    promise(ledger, latency=(FAST,))
    observe(ledger, window("2026-03-14T10:00:00Z", [1000] * 4000, errors=7))
    give_back(ledger, 5, "2026-03-14T10:00:30Z")
    give_back(ledger, -1, "2026-03-15T00:00:00Z")
    give_back(ledger, 100, "2026-04-01T00:00:00Z")  # of another month
    found = budgets(ledger, "bad", "given_back", "remaining", "met")
    assert found["2026-03", "errors"] == (7, 4, 1, True)
    assert found["2026-03", "below_150000_us"] == (0, 0, 200, True)
    live_is_rebuilt(ledger)


def test_a_rolling_budget_looks_back_from_the_end_of_what_is_measured(one: OpsLedger) -> None:
    promise(one, window="rolling", rolling_days=7)
    observe(one, window("2026-03-02T10:00:00Z", [1000] * 100, errors=1), window("2026-03-30T10:00:00Z", [1000] * 50))
    one.tick()
    assert budgets(one, "from_at", "to_at", "total", "bad")["2026-03", "errors"] == (at("2026-03-25"), at("2026-04-01"), 50, 0)


def test_a_month_keeps_the_version_that_is_in_force_when_it_begins(one: OpsLedger) -> None:
    promise(one)
    promise(one, since="2026-03-20T00:00:00Z", target_pct=Decimal(90))
    observe(one, window("2026-03-25T10:00:00Z", [1000] * 100, errors=9), window("2026-04-01T10:00:00Z", [1000] * 100, errors=9))
    assert budgets(one, "slo_version", "target", "met") == {
        ("2026-03", "errors"): (1, "99.9", False),
        ("2026-04", "errors"): (2, "90", True),
    }


def test_a_late_window_and_a_higher_revision_restate_the_budget(one: OpsLedger) -> None:
    promise(one)
    observe(one, window("2026-03-14T10:00:00Z", [1000] * 1000, errors=1))
    assert budgets(one, "met") == {("2026-03", "errors"): (True,)}
    observe(one, window("2026-03-14T10:00:00Z", [1000] * 1000, errors=2, revision=1), window("2026-03-02T10:00:00Z", [1000]))
    assert budgets(one, "total", "bad", "met") == {("2026-03", "errors"): (1001, 2, False)}
    live_is_rebuilt(one)


# Burning too fast.


def alerts(ledger: OpsLedger, **where: Any) -> list[tuple[Any, ...]]:
    rows = told(ledger, "burn_alert", **where)
    return [(row["measure"], row["severity"], row["long_s"], row["opened_at"], row["closed_at"]) for row in rows]


def test_an_alert_opens_when_both_windows_burn_faster_than_the_rule_and_closes_when_one_does_not(ledger: OpsLedger) -> None:
    promise(ledger)
    observe(ledger, *hour("2026-03-14T10:00:00Z", {30: 500, 31: 500}), *hour("2026-03-14T11:00:00Z", {}))
    opened, short_over = at("2026-03-14T10:31:00Z"), at("2026-03-14T10:37:00Z")
    assert alerts(ledger, rule="page_3600_300") == [("errors", "page", 3600, opened, short_over)]
    (row,) = told(ledger, "burn_alert", rule="page_3600_300")
    assert (row["factor"], row["long_bad"], row["long_total"], row["short_bad"], row["short_total"]) == ("14.4", 500, 31_000, 500, 5000)
    live_is_rebuilt(ledger)


def test_exactly_the_factor_does_not_page(one: OpsLedger) -> None:
    promise(one)
    observe(one, *hour("2026-03-14T10:00:00Z", dict.fromkeys(range(60), 0)))
    observe(one, window("2026-03-14T11:00:00Z", [1000] * 2000, errors=72))  # 72 of 5,000 in 5 minutes: 14.4 times 0.1 percent
    burn = {row["rule"]: row for row in told(one, "error_budget_burn")}["page_3600_300"]
    assert (burn["short_bad"], burn["short_total"], burn["long_bad"], burn["long_total"]) == (72, 6000, 72, 61_000)
    assert not burn["fires"]
    few = [window(f"2026-03-20T10:0{minute}:00Z", [1000] * 1000, errors=errors) for minute, errors in enumerate((72, 0, 0, 0, 0))]
    observe(one, *few)
    found = alerts(one, rule="page_3600_300")
    assert [opened for *_, opened, _ in found] == [at("2026-03-20T10:01:00Z")]
    assert [closed for *_, closed in found] == [at("2026-03-20T10:05:00Z")]  # exactly 72 of 5,000: no longer faster


def test_an_alert_that_goes_on_is_open_and_has_no_end(one: OpsLedger) -> None:
    promise(one)
    observe(one, *hour("2026-03-14T10:00:00Z", {59: 1000}))
    assert alerts(one, rule="page_3600_300") == [("errors", "page", 3600, at("2026-03-14T11:00:00Z"), None)]
    assert {row["rule"]: row["fires"] for row in told(one, "error_budget_burn")}["page_3600_300"] is True


def test_an_alert_over_midnight_and_over_the_end_of_a_month_is_one(one: OpsLedger) -> None:
    promise(one)
    observe(one, *hour("2026-03-31T23:00:00Z", {59: 900}), *hour("2026-04-01T00:00:00Z", {0: 900, 1: 900}))
    assert alerts(one, rule="page_3600_300") == [("errors", "page", 3600, at("2026-04-01T00:00:00Z"), at("2026-04-01T00:07:00Z"))]


def test_an_objective_that_is_withdrawn_alerts_no_more(one: OpsLedger) -> None:
    promise(one)
    observe(one, *hour("2026-03-14T10:00:00Z", {59: 1000}))
    people = {"proposed_by": "u-1", "approved_by": "u-2"}
    one.by("u-1", at=at("2026-03-14T11:30:00Z")).record(slo.withdraw, "api-requests", reason="Sold", **people)
    observe(one, *hour("2026-03-14T11:00:00Z", dict.fromkeys(range(60), 900)))
    assert alerts(one, rule="page_3600_300") == [("errors", "page", 3600, at("2026-03-14T11:00:00Z"), at("2026-03-14T11:30:00Z"))]


def test_downtime_burns_the_budget_of_time_and_alerts_at_the_instant(ledger: OpsLedger) -> None:
    availability.run(ledger)
    availability.fail(ledger, "2026-03-10T10:00:00Z", "2026-03-10T10:05:00Z")
    ledger.tick()
    month = budgets(ledger, "unit", "bad", "remaining", "met")["2026-03", "availability"]
    assert month == ("us", 300_000_000, 2_378_400_000, True)
    # 14.4 times 0.1 percent of an hour are 51.84 s; the alert opens with the first microsecond more.
    opened = at("2026-03-10T10:00:51.840001Z")
    # In the five minutes before 10:09:55.68 there were 4.32 s of it, exactly 14.4 times what is allowed.
    closed = at("2026-03-10T10:09:55.680000Z")
    assert alerts(ledger, rule="page_3600_300") == [("availability", "page", 3600, opened, closed)]
    live_is_rebuilt(ledger)


def test_downtime_that_is_given_back_stands_beside_what_was_measured(one: OpsLedger) -> None:
    availability.run(one)
    availability.fail(one, "2026-03-10T10:00:00Z", "2026-03-10T11:00:00Z")
    give_back(one, 1_000_000_000, "2026-03-10T10:30:00Z", availability.SLO, "us")
    one.tick()
    month = budgets(one, "bad", "given_back", "remaining", "met")["2026-03", "availability"]
    assert month == (3_600_000_000, 1_000_000_000, 78_400_000, True)


def test_planned_maintenance_burns_nothing(one: OpsLedger) -> None:
    availability.run(one)
    availability.maintain(one, "2026-03-15T06:00:00Z", "2026-03-15T08:00:00Z", told="2026-03-10T00:00:00Z")
    availability.fail(one, "2026-03-15T06:10:00Z", "2026-03-15T07:50:00Z")
    one.tick()
    assert alerts(one) == []


def test_without_windows_there_is_neither_budget_nor_alert(one: OpsLedger) -> None:
    promise(one)
    assert (told(one, "error_budget"), told(one, "burn_alert"), told(one, "error_budget_burn")) == ([], [], [])
