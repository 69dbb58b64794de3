"""Every objective's month in one place, and what explain shows behind it, behind a budget and behind an alert; on both databases."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import availability_acts as availability
import pytest
from measurement_acts import SERIES, observe, promise, told, window

from opsledger.app import OpsLedger
from opsledger.domain import error_budget, slo
from opsledger.replay.explain import Explanation, explain
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


def months(ledger: OpsLedger) -> dict[tuple[str, str], tuple[Any, ...]]:
    names = ("objective", "unit", "good", "total", "measures", "measures_missed", "met", "null_reason")
    return {(row["slo_id"], row["month"]): tuple(row[name] for name in names) for row in told(ledger, "slo_month")}


def shown(ledger: OpsLedger, table: str, *key: str) -> Explanation:
    ledger.catch_up()
    return explain(ledger.store, ledger.tables.tables, table, key)


def test_objectives_of_time_and_of_requests_stand_below_each_other(ledger: OpsLedger) -> None:
    availability.run(ledger)
    availability.fail(ledger, "2026-03-14T10:00:00Z", "2026-03-14T11:00:00Z")
    promise(ledger)
    observe(ledger, window("2026-03-14T10:00:00Z", [1000] * 4000, errors=4))
    found = {id: said for (id, month), said in months(ledger).items() if month == "2026-03"}
    hours = 31 * 24
    assert found == {
        "platform-uptime": ("availability", "us", (hours - 1) * 3_600_000_000, hours * 3_600_000_000, 1, 1, False, None),
        "api-requests": ("requests", "events", 3996, 4000, 1, 0, True, None),
    }


def test_an_objective_of_requests_is_met_when_each_of_its_measures_is(ledger: OpsLedger) -> None:
    promise(ledger, latency=(FAST,))
    observe(ledger, window("2026-03-14T10:00:00Z", [149_999] * 95 + [150_000] * 5))
    assert months(ledger)["api-requests", "2026-03"][4:] == (2, 0, True, None)
    observe(ledger, window("2026-03-14T10:01:00Z", [150_000]))
    assert months(ledger)["api-requests", "2026-03"][4:] == (2, 1, False, None)


def test_a_measure_of_which_nobody_knows_leaves_no_verdict_unless_another_one_was_missed(one: OpsLedger) -> None:
    promise(one, latency=(FAST,))
    observe(one, window("2026-03-14T10:00:00Z", [1000] * 2000, edges=()))
    assert months(one)["api-requests", "2026-03"][4:] == (2, 0, None, "no window has the bound as an edge")
    observe(one, window("2026-03-14T10:01:00Z", [1000] * 2, errors=2, edges=()), window("2026-03-14T10:02:00Z", [1000], errors=1, edges=()))
    assert months(one)["api-requests", "2026-03"][4:] == (2, 1, False, None)


def test_the_rate_promised_beside_the_target_is_part_of_the_verdict(one: OpsLedger) -> None:
    promise(one, target_pct=Decimal(99), error_rate_below_pct=Decimal("0.1"))
    observe(one, window("2026-03-14T10:00:00Z", [1000] * 1000, errors=1))  # exactly the rate is not below it
    assert months(one)["api-requests", "2026-03"][5:7] == (1, False)


# Explained.


def test_a_month_shows_the_rows_of_its_measures(one: OpsLedger) -> None:
    promise(one, latency=(FAST,))
    observe(one, window("2026-03-14T10:00:00Z", [150_000] * 10))
    assert shown(one, "slo_month", "api-requests", "2026-03").counted == [
        ("request_error_budget", ("api", "api-requests", "2026-03", "below_150000_us"), "missed"),
        ("request_error_budget", ("api", "api-requests", "2026-03", "errors"), "met"),
    ]


def test_a_budget_of_requests_is_told_day_by_day_with_its_worst_windows(ledger: OpsLedger) -> None:
    promise(ledger)
    observe(ledger, *(window(f"2026-03-14T10:0{minute}:00Z", [1000] * 9, errors=minute) for minute in range(5)))
    observe(ledger, window("2026-03-15T10:00:00Z", [1000] * 7))
    found = shown(ledger, "error_budget", "api", "api-requests", "2026-03", "errors")
    assert found.story == [
        "api-requests version 1: at least 99.9 % without a failure, of the series api-requests.",
        "2026-03-14: 10 bad of 45 in 5 windows, the worst window at 10:04 UTC.",
        "1 other day: 0 bad of 7 in 1 window.",
        "Together 10 bad of 52: of a budget of 0 there remain -10.",
    ]
    assert [fact.topic for fact in found.facts] == ["slo.published", *["measurement.window_recorded"] * 3]


def test_a_budget_that_was_adjusted_shows_what_was_given_back(ledger: OpsLedger) -> None:
    promise(ledger)
    observe(ledger, window("2026-03-14T10:00:00Z", [1000] * 9, errors=2))
    people = {"reason": "A load test", "requested_by": "u-1", "approved_by": "u-2"}
    given: dict[str, Any] = {"unit": "events", "applies_at": at("2026-03-14T10:00:30Z"), "given_back": 2, **people}
    position = ledger.by("u-1").record(error_budget.adjust, "api-requests", **given).position
    assert shown(ledger, "error_budget", "api", "api-requests", "2026-03", "errors").counted == [
        ("request_error_budget", ("api", "api-requests", "2026-03", "errors"), None),
        ("error_budget_adjustment", ("api-requests", position), "2 events given back"),
    ]


def test_a_budget_of_time_goes_on_with_the_month(ledger: OpsLedger) -> None:
    availability.run(ledger)
    found = shown(ledger, "error_budget", "platform", "platform-uptime", "2026-03", "availability")
    assert found.counted == [("sla_month", ("platform", "platform-uptime", "2026-03"), None)]


def test_an_alert_of_requests_is_told_by_the_windows_that_opened_it(ledger: OpsLedger) -> None:
    promise(ledger)
    observe(ledger, *(window(f"2026-03-14T10:0{minute}:00Z", [1000] * 9, errors=minute) for minute in range(5)))
    row = next(each for each in told(ledger, "burn_alert") if each["rule"] == "page_3600_300")
    found = shown(ledger, "burn_alert", "api", "api-requests", "errors", "page_3600_300", row["opened_at"].isoformat())
    assert found.story[1:] == [
        "In the 3600 s before: 1 bad of 18 requests; the rule page_3600_300 allows 14.4 times the budget's rate.",
        "In the 300 s before: 1 bad of 18 requests; the rule page_3600_300 allows 14.4 times the budget's rate.",
        "2026-03-14T10:01:00.000000Z to 2026-03-14T10:02:00.000000Z: 1 bad of 9.",
    ]
    assert [fact.topic for fact in found.facts] == ["slo.published", "measurement.window_recorded"]
    assert shown(ledger, "error_budget_burn", "api", SERIES, "errors", "page_3600_300").story[0] == found.story[0]


def test_an_alert_of_time_is_told_by_what_was_not_up(ledger: OpsLedger) -> None:
    availability.run(ledger)
    availability.fail(ledger, "2026-03-14T10:00:00Z", "2026-03-14T11:00:00Z")
    row = next(each for each in told(ledger, "burn_alert") if each["rule"] == "page_3600_300")
    found = shown(ledger, "burn_alert", "platform", "platform-uptime", "availability", "page_3600_300", row["opened_at"].isoformat())
    assert found.story[0] == "platform-uptime version 1: at least 99.9 %."
    assert found.story[-1].startswith("2026-03-14T10:00:00Z to 2026-03-14T11:00:00Z, 01:00:00: down; when that began the locations said ")
    assert "probe.state_changed" in [fact.topic for fact in found.facts]
    assert shown(ledger, "error_budget_burn", "platform-uptime", "page_3600_300").story[0] == found.story[0]
