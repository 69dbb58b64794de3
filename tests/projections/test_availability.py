"""The rows of a service's months: what probes, incidents and maintenance make of them, and what restates them; on both databases."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from availability_acts import LOCATIONS, act, fail, intervals, live_is_rebuilt, maintain, months, promise, reclassify, run, seconds, see

from opsledger.app import OpsLedger
from opsledger.domain import incident, maintenance, monitor, policy, probe, service, slo
from opsledger.policies import documents
from opsledger.policies.operating_model import OperatingModel, default_model
from opsledger.testing import at
from opsledger.testing.plugin import Clock

MINUTE, HOUR, DAY = 60, 3600, 86_400
MARCH = 31 * DAY


@pytest.fixture(params=["sqlite", "pg"])
def ledger(request: pytest.FixtureRequest, opsledger_clock: Clock) -> OpsLedger:
    """A ledger in which March is over."""
    made: OpsLedger = request.getfixturevalue(f"opsledger_{request.param}")
    opsledger_clock.set("2026-04-01T00:00:00Z")
    return made


@pytest.fixture
def march(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> OpsLedger:
    """A ledger in which March is over and the last day closed; the platform was up all the time."""
    opsledger_clock.set("2026-04-01T00:00:00Z")
    run(opsledger_sqlite)
    opsledger_sqlite.tick()
    return opsledger_sqlite


def model(ledger: OpsLedger, **changes: Any) -> None:
    """Publish an operating model whose section on availability says otherwise, from the first of March on."""
    document = default_model().model_dump(mode="json", by_alias=True)
    document["availability"].update(changes)
    text = documents.canonical(documents.restored(OperatingModel, json.dumps(document)))
    given = {"document": text, "effective_from": at("2026-03-01T00:00:00Z"), "reason": "A test", "proposed_by": "u-1", "approved_by": "u-2"}
    ledger.by("u-1", role="lead").record(policy.publish, policy.NAME, **given)


# One month, all of it.


def test_an_outage_that_two_of_three_locations_saw_is_downtime_while_both_did(ledger: OpsLedger) -> None:
    run(ledger)
    fail(ledger, "2026-03-10T10:00:00Z", "2026-03-10T10:20:00Z", "us")
    fail(ledger, "2026-03-10T10:05:00Z", "2026-03-10T10:30:00Z", "eu")
    fail(ledger, "2026-03-10T10:25:00Z", "2026-03-10T10:40:00Z", "ap")
    ledger.tick()
    found = [(row["from_at"], row["to_at"], row["state"]) for row in intervals(ledger)]
    ten = "2026-03-10T10"
    assert found == [
        (at("2026-03-01"), at(f"{ten}:05:00Z"), "up"),
        (at(f"{ten}:05:00Z"), at(f"{ten}:20:00Z"), "down"),
        (at(f"{ten}:20:00Z"), at(f"{ten}:25:00Z"), "up"),
        (at(f"{ten}:25:00Z"), at(f"{ten}:30:00Z"), "down"),
        (at(f"{ten}:30:00Z"), at("2026-04-01"), "up"),
    ]
    month = months(ledger)["2026-03"]
    assert seconds(month, "period", "measured", "down_unscheduled", "up", "unknown") == (MARCH, MARCH, 20 * MINUTE, MARCH - 20 * MINUTE, 0)
    assert (month["met"], month["complete"], month["target"], month["zone"]) == (True, True, "99.9", "UTC")
    assert seconds(month, "budget", "budget_remaining") == (2678.4, 2678.4 - 20 * MINUTE)
    live_is_rebuilt(ledger)


def test_a_stretch_names_its_cause_and_the_vote(march: OpsLedger) -> None:
    fail(march, "2026-03-10T10:00:00Z", "2026-03-10T10:20:00Z", "eu", "us")
    down = next(row for row in intervals(march) if row["state"] == "down")
    assert (down["vote"], down["cause"]) == ("down: eu, us; up: ap", "probe:platform@us/2026-03")
    (fact,) = (each for each in march.history(down["cause"]) if each.position == down["cause_position"])
    assert fact.fact.state == "down"


@pytest.mark.parametrize(("until", "met"), [("2026-03-10T10:44:38.400000Z", True), ("2026-03-10T10:44:38.400001Z", False)])
def test_exactly_on_the_budget_is_met_and_one_microsecond_more_is_missed(march: OpsLedger, until: str, met: bool) -> None:
    fail(march, "2026-03-10T10:00:00Z", until)
    month = months(march)["2026-03"]
    assert month["met"] is met
    assert month["budget_remaining_us"] == (0 if met else -1)


def test_an_outage_over_the_end_of_the_month_is_cut_there(march: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-04-02T00:00:00Z")
    march.tick()
    fail(march, "2026-03-31T23:30:00Z", "2026-04-01T00:45:00Z")
    found = months(march)
    assert [seconds(found[name], "down_unscheduled") for name in ("2026-03", "2026-04")] == [(30 * MINUTE,), (45 * MINUTE,)]
    assert (found["2026-03"]["complete"], found["2026-04"]["complete"]) == (True, False)
    assert seconds(found["2026-04"], "period") == (DAY,)


def test_months_are_those_of_the_objectives_zone(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-04-02T00:00:00Z")
    run(opsledger_sqlite, zone="America/New_York", since="2026-03-01T05:00:00Z")
    opsledger_sqlite.tick()
    found = months(opsledger_sqlite)
    assert seconds(found["2026-03"], "period") == (743 * HOUR,)  # the clocks went forward
    assert (found["2026-03"]["to_at"], found["2026-04"]["from_at"]) == (at("2026-04-01T04:00:00Z"), at("2026-04-01T04:00:00Z"))


# What is not known.


def test_silence_is_unknown_and_leaves_both_numbers(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    ledger = opsledger_sqlite
    opsledger_clock.set("2026-04-01T00:00:00Z")
    run(ledger, silent_after_s=HOUR)
    for location in LOCATIONS:
        told = {"service_id": "platform", "location": location, "covered_from": at("2026-03-01T00:00:00Z")}
        act(ledger, "2026-03-21T00:00:00Z", probe.cover, f"platform@{location}/2026-03", **told)
    ledger.tick()
    month = months(ledger)["2026-03"]
    assert seconds(month, "period", "known", "unknown", "measured") == (MARCH, 20 * DAY + HOUR, 11 * DAY - HOUR, 20 * DAY + HOUR)
    assert (month["met"], month["null_reason"]) == (True, None)
    assert [row["state"] for row in intervals(ledger)] == ["up", "unknown"]
    live_is_rebuilt(ledger)


def test_a_month_of_which_nobody_knows_anything_is_neither_met_nor_missed(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-04-01T00:00:00Z")
    run(opsledger_sqlite, since="2026-02-01T00:00:00Z")
    february = months(opsledger_sqlite)["2026-02"]
    assert (february["met"], february["null_reason"], february["measured_us"]) == (None, "nothing was measured", 0)
    assert seconds(february, "unknown") == (28 * DAY,)


@pytest.mark.parametrize(("rule", "measured", "met"), [("up", MARCH, True), ("down", MARCH, False)])
def test_an_objective_may_say_what_unknown_time_counts_as(
    opsledger_sqlite: OpsLedger, opsledger_clock: Clock, rule: slo.UnknownTime, measured: int, met: bool
) -> None:
    opsledger_clock.set("2026-04-01T00:00:00Z")
    run(opsledger_sqlite, silent_after_s=20 * DAY, unknown_time=rule)
    opsledger_sqlite.tick()
    month = months(opsledger_sqlite)["2026-03"]
    assert seconds(month, "measured", "unknown") == (measured, 11 * DAY)
    assert (month["met"], month["unknown_time"]) == (met, rule)


def test_a_location_that_is_no_longer_watched_has_no_voice(march: OpsLedger) -> None:
    fail(march, "2026-03-10T10:00:00Z", "2026-03-10T12:00:00Z", "us")
    assert seconds(months(march)["2026-03"], "down_unscheduled") == (0,)
    told: dict[str, Any] = {"category": "infrastructure", "tool": "Blackbox", "check": "http", "services": ("platform",)}
    act(march, "2026-03-10T11:00:00Z", monitor.reconfigure, "outside", locations=("us",), **told)
    assert seconds(months(march)["2026-03"], "down_unscheduled") == (HOUR,)
    live_is_rebuilt(march)


# Maintenance.

SUNDAY = ("2026-03-15T06:00:00Z", "2026-03-15T10:00:00Z")  # 02:00 to 06:00 in New York, in summer time


def test_planned_maintenance_is_taken_out_of_one_denominator_and_counts_as_up_in_the_other(ledger: OpsLedger) -> None:
    run(ledger)
    ledger.tick()
    maintain(ledger, *SUNDAY, told="2026-03-12T06:00:00Z")
    fail(ledger, *SUNDAY)
    fail(ledger, "2026-03-20T00:00:00Z", "2026-03-20T00:44:30Z")
    month = months(ledger)["2026-03"]
    assert seconds(month, "down_scheduled", "down_unscheduled", "maintenance_excluded") == (4 * HOUR, 2670, 4 * HOUR)
    assert seconds(month, "removed_measured", "counted_measured") == (MARCH - 4 * HOUR, MARCH)
    assert (month["removed_met"], month["counted_met"], month["met"]) == (False, True, False)
    assert month["maintenance_leaves"] == "numerator_and_denominator"
    taken = next(row for row in intervals(ledger) if row["excluded"])
    assert (taken["window_id"], taken["reason"], taken["state"]) == ("M-1", "planned maintenance", "down")
    live_is_rebuilt(ledger)


@pytest.mark.parametrize(("told", "counted"), [("2026-03-12T06:00:00Z", 0), ("2026-03-12T06:00:01Z", 4 * HOUR), (None, 4 * HOUR)])
def test_notice_that_comes_too_late_turns_maintenance_into_downtime(march: OpsLedger, told: str | None, counted: int) -> None:
    maintain(march, *SUNDAY, told=told)
    fail(march, *SUNDAY)
    month = months(march)["2026-03"]
    assert seconds(month, "down_unscheduled", "maintenance_counted") == (counted, counted)
    reasons = {row["reason"] for row in intervals(march) if row["window_id"] == "M-1"}
    assert reasons == ({"maintenance that counts, by the rules on notice"} if counted else {"planned maintenance"})


def test_an_overrun_counts(march: OpsLedger) -> None:
    maintain(march, *SUNDAY, told="2026-03-10T00:00:00Z", ended="2026-03-15T11:00:00Z")
    fail(march, SUNDAY[0], "2026-03-15T11:00:00Z")
    month = months(march)["2026-03"]
    assert seconds(month, "down_scheduled", "down_unscheduled", "maintenance_counted") == (4 * HOUR, HOUR, HOUR)


def test_an_objective_may_say_that_maintenance_is_not_taken_out(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-04-01T00:00:00Z")
    run(opsledger_sqlite, excludes_maintenance=False)
    maintain(opsledger_sqlite, *SUNDAY, told="2026-03-10T00:00:00Z")
    fail(opsledger_sqlite, *SUNDAY)
    month = months(opsledger_sqlite)["2026-03"]
    assert seconds(month, "down_scheduled", "down_unscheduled") == (0, 4 * HOUR)
    assert {row["reason"] for row in intervals(opsledger_sqlite) if row["window_id"]} == {
        "planned maintenance, which this objective does not take out"
    }


# Incidents.


def declare(ledger: OpsLedger, when: str, impact: str, severity: incident.Severity = "critical") -> None:
    given: dict[str, Any] = {"detection_source": "monitoring", "severity": severity, "title": "It is down", "services": ("platform",)}
    act(ledger, when, incident.declare, "INC-1", impact_started_at=at(impact), **given)


@pytest.mark.parametrize(("measured_by", "down"), [("probes", 10 * MINUTE), ("incidents", 75 * MINUTE), ("both", 85 * MINUTE)])
def test_an_objective_says_whether_probes_or_incidents_tell_that_it_is_down(
    opsledger_sqlite: OpsLedger, opsledger_clock: Clock, measured_by: slo.MeasuredBy, down: int
) -> None:
    ledger = opsledger_sqlite
    opsledger_clock.set("2026-04-01T00:00:00Z")
    run(ledger, measured_by=measured_by)
    fail(ledger, "2026-03-20T00:00:00Z", "2026-03-20T00:10:00Z")
    declare(ledger, "2026-03-10T10:20:00Z", impact="2026-03-10T10:00:00Z")
    act(ledger, "2026-03-10T11:00:00Z", incident.resolve, "INC-1")
    act(ledger, "2026-03-10T11:30:00Z", incident.reopen, "INC-1")
    act(ledger, "2026-03-10T11:45:00Z", incident.restore_service, "INC-1", service_id="platform")
    act(ledger, "2026-03-10T12:00:00Z", incident.resolve, "INC-1")
    ledger.tick()
    assert seconds(months(ledger)["2026-03"], "down_unscheduled", "period") == (down, MARCH)
    live_is_rebuilt(ledger)


def test_the_severity_of_the_time_says_in_which_state_a_service_is(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    ledger = opsledger_sqlite
    opsledger_clock.set("2026-04-01T00:00:00Z")
    run(ledger, measured_by="incidents")
    declare(ledger, "2026-03-10T10:20:00Z", impact="2026-03-10T10:00:00Z", severity="high")
    act(ledger, "2026-03-10T10:30:00Z", incident.change_severity, "INC-1", severity="medium")
    act(ledger, "2026-03-10T10:50:00Z", incident.change_severity, "INC-1", severity="low")
    ledger.tick()
    found = [(row["state"], row["to_at"]) for row in intervals(ledger)][1:3]
    assert found == [("down", at("2026-03-10T10:30:00Z")), ("degraded", at("2026-03-10T10:50:00Z"))]
    assert seconds(months(ledger)["2026-03"], "down_unscheduled", "degraded") == (30 * MINUTE, 20 * MINUTE)


def test_a_milestone_corrected_later_restates_the_month(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    ledger = opsledger_sqlite
    opsledger_clock.set("2026-04-01T00:00:00Z")
    run(ledger, measured_by="incidents")
    declare(ledger, "2026-03-10T10:20:00Z", impact="2026-03-10T10:00:00Z")
    position = act(ledger, "2026-03-10T11:00:00Z", incident.resolve, "INC-1").position
    assert seconds(months(ledger)["2026-03"], "down_unscheduled") == (HOUR,)
    people = {"requested_by": "u-7", "approved_by": "u-8", "reason": "The log says so"}
    which = {"corrects": position, "milestone": "resolved", "was": at("2026-03-10T11:00:00Z"), "to": at("2026-03-10T10:40:00Z")}
    act(ledger, "2026-03-31T00:00:00Z", incident.correct_milestone, "INC-1", **which, **people)
    assert seconds(months(ledger)["2026-03"], "down_unscheduled") == (40 * MINUTE,)
    live_is_rebuilt(ledger)


# What comes late restates the month, and live equals rebuild.


def test_a_late_probe_restates_the_month(ledger: OpsLedger) -> None:
    run(ledger)
    ledger.tick()
    before = months(ledger)["2026-03"]
    fail(ledger, "2026-03-02T00:00:00Z", "2026-03-02T01:00:00Z", "eu")
    assert months(ledger)["2026-03"]["up_us"] == before["up_us"]
    fail(ledger, "2026-03-02T00:30:00Z", "2026-03-02T01:30:00Z", "us")
    after = months(ledger)["2026-03"]
    assert (before["met"], after["met"]) == (True, True)
    assert seconds(after, "down_unscheduled") == (30 * MINUTE,)
    assert after["last_position"] == ledger.store.head().position
    live_is_rebuilt(ledger)


def test_a_reclassified_outage_restates_the_month(ledger: OpsLedger) -> None:
    run(ledger)
    fail(ledger, "2026-03-10T10:00:00Z", "2026-03-10T12:00:00Z")
    ledger.tick()
    assert months(ledger)["2026-03"]["met"] is False
    reclassify(ledger, "2026-03-10T10:30:00Z", "2026-03-10T12:00:00Z", "down", "excluded")
    month = months(ledger)["2026-03"]
    assert seconds(month, "down_unscheduled", "down_scheduled", "maintenance_excluded") == (30 * MINUTE, 90 * MINUTE, 90 * MINUTE)
    assert month["met"] is True
    reclassify(ledger, "2026-03-10T10:30:00Z", "2026-03-10T10:40:00Z", "excluded", "up")
    month = months(ledger)["2026-03"]
    assert seconds(month, "down_unscheduled", "down_scheduled") == (30 * MINUTE, 80 * MINUTE)
    said = [(row["state"], row["excluded"], row["reason"]) for row in intervals(ledger)][2:4]
    assert said == [("up", False, "reclassified from excluded to up"), ("down", True, "reclassified from down to excluded")]
    live_is_rebuilt(ledger)


def test_a_late_notice_restates_the_month(ledger: OpsLedger) -> None:
    run(ledger)
    maintain(ledger, *SUNDAY, told=None)
    fail(ledger, *SUNDAY)
    ledger.tick()
    assert months(ledger)["2026-03"]["met"] is False
    act(ledger, "2026-03-12T05:59:59Z", maintenance.notify, "M-1", audience="customers", channel="email")  # typed in afterwards
    month = months(ledger)["2026-03"]
    assert (month["met"], seconds(month, "down_scheduled", "down_unscheduled")) == (True, (4 * HOUR, 0))
    live_is_rebuilt(ledger)


def test_a_false_alarm_that_was_corrected_is_no_outage(march: OpsLedger) -> None:
    fail(march, "2026-03-10T10:00:00Z", "2026-03-10T12:00:00Z", "eu", "us")
    stream = "probe:platform@us/2026-03"
    position = next(each.position for each in march.history(stream) if each.fact.state == "down")
    assert seconds(months(march)["2026-03"], "down_unscheduled") == (2 * HOUR,)
    people = {"requested_by": "u-7", "approved_by": "u-8", "reason": "Its own network was down"}
    act(march, "2026-03-31T00:00:00Z", probe.correct_state, "platform@us/2026-03", corrects=position, was="down", to="up", **people)
    assert seconds(months(march)["2026-03"], "down_unscheduled") == (0,)
    live_is_rebuilt(march)


# Versions, withdrawals, rolling days, policies.


def test_a_month_keeps_the_version_that_is_in_force_when_it_begins(march: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-05-01T00:00:00Z")
    march.tick()
    promise(march, since="2026-03-15T00:00:00Z", target_pct=Decimal("99.99"))
    found = months(march)
    assert [(name, row["slo_version"], row["target"]) for name, row in sorted(found.items())] == [
        ("2026-03", 1, "99.9"),
        ("2026-04", 2, "99.99"),
    ]


def test_an_objective_begins_in_the_middle_of_a_month_and_ends_with_its_withdrawal(march: OpsLedger) -> None:
    promise(march, id="half", since="2026-03-10T00:00:00Z", target_pct=Decimal(99))
    people = {"proposed_by": "u-1", "approved_by": "u-2", "reason": "The contract ended"}
    act(march, "2026-03-20T00:00:00Z", slo.withdraw, "half", **people)
    row = months(march, "half")["2026-03"]
    assert (row["from_at"], row["to_at"], row["complete"]) == (at("2026-03-10"), at("2026-03-20"), True)
    live_is_rebuilt(march)


def test_the_months_of_a_retired_service_end(march: OpsLedger) -> None:
    act(march, "2026-03-11T00:00:00Z", service.retire, "platform")
    row = months(march)["2026-03"]
    assert (row["to_at"], row["complete"]) == (at("2026-03-11"), True)


def test_a_rolling_objective_counts_the_days_before_the_end_of_the_month(march: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-04-11T00:00:00Z")
    march.tick()
    promise(march, id="rolling", window="rolling", rolling_days=28)
    fail(march, "2026-03-10T00:00:00Z", "2026-03-10T01:00:00Z")
    fail(march, "2026-03-20T00:00:00Z", "2026-03-20T02:00:00Z")
    found = months(march, "rolling")
    assert (found["2026-03"]["from_at"], found["2026-03"]["to_at"]) == (at("2026-03-04"), at("2026-04-01"))
    assert (found["2026-04"]["from_at"], found["2026-04"]["to_at"]) == (at("2026-03-14"), at("2026-04-11"))
    assert [seconds(found[name], "down_unscheduled") for name in ("2026-03", "2026-04")] == [(3 * HOUR,), (2 * HOUR,)]


def test_the_operating_model_in_force_when_the_month_begins_names_the_rules(march: OpsLedger) -> None:
    fail(march, "2026-03-10T10:00:00Z", "2026-03-10T10:04:59Z")
    fail(march, "2026-03-11T10:00:00Z", "2026-03-11T10:05:30Z", "eu")
    model(march, minimum_outage=300, quorum=1, downtime_counts="whole_minutes", maintenance_leaves="numerator")
    month = months(march)["2026-03"]
    assert seconds(month, "down_unscheduled", "forgiven") == (300, 299 + 30)
    assert month["maintenance_leaves"] == "numerator"
    assert [row["reason"] for row in intervals(march) if row["reason"]] == ["shorter than the least outage of 300 s", "no whole minute"]
    live_is_rebuilt(march)


def test_degraded_time_counts_by_its_weight(march: OpsLedger) -> None:
    see(march, *((location, "2026-03-10T10:00:00Z", "degraded") for location in LOCATIONS))
    see(march, *((location, "2026-03-10T12:00:00Z", "up") for location in LOCATIONS))
    assert months(march)["2026-03"]["met"] is True
    model(march, degraded_weight_pct="30")
    month = months(march)["2026-03"]
    assert seconds(month, "weighted_down", "degraded", "down_unscheduled", "up_unscheduled") == (2160, 2 * HOUR, 0, MARCH)
    assert (month["met"], seconds(month, "up")) == (True, (MARCH - 2160,))
    model(march, degraded_weight_pct="50")
    assert months(march)["2026-03"]["met"] is False


def test_an_objective_that_counts_requests_has_no_time_of_its_own(march: OpsLedger) -> None:
    promise(march, id="requests", objective="requests", series_id="api")
    assert months(march, "requests") == {}


# The other tables.


def test_services_objectives_and_monitors_are_listed(march: OpsLedger) -> None:
    act(march, "2026-03-20T00:00:00Z", service.revise, "platform", name="Platform", kind="platform", owner_id="t-2", depends_on=("db",))
    promise(march, since="2026-03-15T00:00:00Z", target_pct=Decimal("99.99"))
    people = {"proposed_by": "u-1", "approved_by": "u-2", "reason": "The contract ended"}
    act(march, "2026-03-25T00:00:00Z", slo.withdraw, "platform-uptime", **people)
    act(march, "2026-03-26T00:00:00Z", monitor.retire, "outside")
    (row,) = march.tables.select("service", at_least=march.store.head().position)
    assert (row["owner_id"], row["depends_on"], row["registered_at"]) == ("t-2", '["db"]', at("2026-03-01"))
    first, second = march.tables.select("slo")
    assert (first["target"], first["withdrawn_at"], second["target"]) == ("99.9", None, "99.99")
    assert second["withdrawn_at"] == at("2026-03-25")
    (row,) = march.tables.select("monitor")
    assert (row["locations"], row["retired_at"]) == ('["ap", "eu", "us"]', at("2026-03-26"))
    live_is_rebuilt(march)
