"""Onboarding as tables: due dates follow go-live, what is late is late, and the time to value counts the unfinished too."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from subscription_acts import subscribe

from opsledger.app import OpsLedger
from opsledger.domain import onboarding as o
from opsledger.policies.instants import at
from opsledger.policies.survival import MEDIAN, estimate
from opsledger.testing.plugin import Clock

# The ledgers of these tests begin on 2026-03-02 at 09:00 UTC; go-live is planned for 2026-03-16.
GO_LIVE = date(2026, 3, 16)
SIGNED = at("2026-02-20T00:00:00Z")


@pytest.fixture(params=["opsledger_sqlite", "opsledger_pg"])
def ledger(request: pytest.FixtureRequest) -> OpsLedger:
    made: OpsLedger = request.getfixturevalue(request.param)
    return made


def plan(ledger: OpsLedger, id: str = "O-1", **asked: Any) -> None:
    given = {"customer_id": f"C-{id}", "go_live_on": GO_LIVE, "contract_signed_at": SIGNED, **asked}
    ledger.by("u-7").record(o.create, id, **given)


def do(ledger: OpsLedger, activity: str, when: str, id: str = "O-1") -> int:
    return ledger.by("u-7", at=at(when)).record(o.complete_activity, id, activity=activity).position


def one(ledger: OpsLedger, table: str, **equal: Any) -> dict[str, Any]:
    (row,) = ledger.tables.select(table, at_least=ledger.store.head().position, **equal)
    return row


def rebuilt(ledger: OpsLedger) -> list[str]:
    return [each.table for each in ledger.tables.rebuild() if each.rows]


def test_a_plan_has_sixteen_activities_due_at_the_ends_of_their_phases(ledger: OpsLedger) -> None:
    plan(ledger)
    rows = ledger.tables.select("onboarding_activity", at_least=ledger.store.head().position)
    due = {row["phase"]: (row["due_on"], row["due_at"]) for row in rows}
    assert len(rows) == 16
    assert due == {
        "pre_onboarding": ("2026-03-15", at("2026-03-16")),
        "initial_setup": ("2026-03-22", at("2026-03-23")),
        "adoption": ("2026-04-12", at("2026-04-13")),
        "optimization": ("2026-05-10", at("2026-05-11")),
    }
    assert one(ledger, "onboarding_phase", phase="adoption")["starts_on"] == "2026-03-23"


def test_due_dates_follow_go_live_and_the_first_ones_stay_known(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    plan(ledger)
    opsledger_clock.forward(days=1)
    ledger.by("u-7").record(o.change_go_live, "O-1", go_live_on=date(2026, 3, 30), reason="Data is late")
    welcome = one(ledger, "onboarding_activity", activity="welcome_call")
    assert (welcome["due_on"], welcome["original_due_on"]) == ("2026-03-29", "2026-03-15")
    row = one(ledger, "onboarding_plan")
    assert (row["go_live_on"], row["original_go_live_on"]) == ("2026-03-30", "2026-03-16")
    assert (row["go_live_moves"], row["go_live_moved_days"]) == (1, 14)
    phase = one(ledger, "onboarding_phase", phase="pre_onboarding")
    assert (phase["due_at"], phase["original_due_at"]) == (at("2026-03-30"), at("2026-03-16"))
    assert rebuilt(ledger) == []


def test_what_is_done_on_its_last_day_is_in_time_and_at_its_end_is_late(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    plan(ledger)
    opsledger_clock.set("2026-03-20T09:00:00Z")
    do(ledger, "welcome_call", "2026-03-15T23:59:59.999999Z")
    do(ledger, "integration_planning", "2026-03-16T00:00:00Z")
    do(ledger, "training_schedule", "2026-03-17T00:00:00Z")
    late = {row["activity"]: row["days_late"] for row in ledger.tables.select("onboarding_activity", at_least=ledger.store.head().position)}
    assert (late["welcome_call"], late["integration_planning"], late["training_schedule"]) == (0, 1, 2)
    assert late["technical_requirements_review"] is None


def test_a_phase_is_on_time_where_all_of_it_is(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    plan(ledger)
    opsledger_clock.set("2026-03-20T09:00:00Z")
    for activity in ("welcome_call", "technical_requirements_review", "integration_planning"):
        do(ledger, activity, "2026-03-10T09:00:00Z")
    assert one(ledger, "onboarding_phase", phase="pre_onboarding")["on_time"] is None
    ledger.by("u-7", at=at("2026-03-12")).record(o.skip_activity, "O-1", activity="training_schedule", reason="done_elsewhere")
    phase = one(ledger, "onboarding_phase", phase="pre_onboarding")
    assert (phase["done"], phase["skipped"], phase["completed_at"], phase["on_time"]) == (3, 1, at("2026-03-12"), True)
    row = one(ledger, "onboarding_plan")
    assert (row["open_phase"], row["progress_bp"]) == ("initial_setup", 2000)
    ledger.by("u-7", at=at("2026-03-18")).record(o.reopen_activity, "O-1", activity="welcome_call", reason="Nobody came")
    assert one(ledger, "onboarding_phase", phase="pre_onboarding")["on_time"] is None
    do(ledger, "welcome_call", "2026-03-19T09:00:00Z")
    assert one(ledger, "onboarding_phase", phase="pre_onboarding")["on_time"] is False
    assert one(ledger, "onboarding_activity", activity="welcome_call")["reopen_count"] == 1
    assert rebuilt(ledger) == []


def test_a_corrected_time_changes_the_verdict(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    plan(ledger)
    opsledger_clock.set("2026-03-20T09:00:00Z")
    position = do(ledger, "welcome_call", "2026-03-17T09:00:00Z")
    asked = {"corrects": position, "was": at("2026-03-17T09:00:00Z"), "to": at("2026-03-15T09:00:00Z"), "reason": "The calendar says so"}
    ledger.by("u-7").record(o.correct_time, "O-1", requested_by="u-7", approved_by="u-8", **asked)
    row = one(ledger, "onboarding_activity", activity="welcome_call")
    assert (row["completed_at"], row["days_late"]) == (at("2026-03-15T09:00:00Z"), 0)
    assert rebuilt(ledger) == []


def test_what_is_overdue_is_told_by_the_present(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    plan(ledger)
    opsledger_clock.set("2026-03-15T23:59:59Z")
    ledger.by("u-7").record(o.stall, "O-1", waits_for="customer")
    row = one(ledger, "onboarding_progress")
    assert (row["overdue"], row["days_late"], row["planned_phase"], row["status"]) == (0, 0, "pre_onboarding", "stalled")
    opsledger_clock.set("2026-03-18T00:00:00Z")
    ledger.by("u-7").record(o.resume, "O-1")
    row = one(ledger, "onboarding_progress")
    assert (row["overdue"], row["days_late"], row["planned_phase"], row["open_phase"]) == (4, 3, "initial_setup", "pre_onboarding")
    assert row["stalled_s"] == 2 * 86_400 + 1
    ledger.by("u-7").record(o.abandon, "O-1", reason="They left")
    row = one(ledger, "onboarding_progress")
    assert (row["overdue"], row["days_late"], row["status"]) == (0, 0, "abandoned")


def test_where_all_is_skipped_there_is_no_progress_and_a_reason(ledger: OpsLedger) -> None:
    plan(ledger)
    for row in ledger.tables.select("onboarding_activity", at_least=ledger.store.head().position):
        ledger.by("u-7").record(o.skip_activity, "O-1", activity=row["activity"], reason="not_needed")
    row = one(ledger, "onboarding_progress")
    assert (row["progress_bp"], row["null_reason"], row["open_phase"]) == (None, "all are skipped", None)
    ledger.by("u-7").record(o.complete, "O-1")
    assert one(ledger, "onboarding_plan")["status"] == "completed"


def test_the_time_to_value_counts_those_who_have_none_yet(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    for id in ("O-1", "O-2", "O-3"):
        plan(ledger, id)
    for id, when in (("O-1", "2026-03-22T00:00:00Z"), ("O-2", "2026-03-30T00:00:00Z")):
        opsledger_clock.set(when)
        do(ledger, "first_case_setup", when, id)
        ledger.by("u-7").record(o.reach_first_value, id, case_id="K-1")
    opsledger_clock.set("2026-04-01T00:00:00Z")
    ledger.by("u-7").record(o.stall, "O-3", waits_for="customer")
    rows = ledger.tables.select("time_to_value", at_least=ledger.store.head().position)
    assert [(row["plan_id"], row["measured_from"], row["observed_days"], row["censored"]) for row in rows] == [
        ("O-1", "contract", 30, False),
        ("O-2", "contract", 38, False),
        ("O-3", "contract", 40, True),
    ]
    found = estimate((row["observed_s"], row["censored"]) for row in rows)
    assert found.quantile(MEDIAN) == timedelta(days=38).total_seconds()


def test_of_an_abandoned_plan_it_is_known_that_it_took_longer_than_until_its_end(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    plan(ledger)
    opsledger_clock.set("2026-03-22T00:00:00Z")
    ledger.by("u-7").record(o.abandon, "O-1", reason="They left")
    opsledger_clock.set("2026-06-01T00:00:00Z")
    plan(ledger, "O-2")
    row = one(ledger, "time_to_value", plan_id="O-1")
    assert (row["observed_days"], row["censored"], row["until_at"]) == (30, True, at("2026-03-22"))


def test_from_activation_it_is_the_first_one_of_the_subscription_named_or_of_the_customer(
    ledger: OpsLedger, opsledger_clock: Clock
) -> None:
    plan(ledger, "O-1", customer_id="C-1", subscription_id="S-2")
    plan(ledger, "O-2", customer_id="C-1")
    plan(ledger, "O-3", customer_id="C-2")
    opsledger_clock.set("2026-04-10T00:00:00Z")
    subscribe(ledger, "03-05", "S-1")
    subscribe(ledger, "03-10", "S-2")
    for id in ("O-1", "O-2"):
        do(ledger, "first_case_setup", "2026-03-20T00:00:00Z", id)
        ledger.by("u-7", at=at("2026-03-25T12:00:00Z")).record(o.reach_first_value, id)
    found = {row["plan_id"]: row["ttv_days"] for row in ledger.tables.select("onboarding_progress", at_least=ledger.store.head().position)}
    assert found == {"O-1": 15, "O-2": 20, "O-3": None}
    measured = [(row["plan_id"], row["measured_from"]) for row in ledger.tables.select("time_to_value")]
    assert ("O-3", "activation") not in measured
    assert ("O-1", "activation") in measured


def test_a_first_value_during_the_trial_took_no_time(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    plan(ledger, customer_id="C-1")
    opsledger_clock.set("2026-04-10T00:00:00Z")
    do(ledger, "first_case_setup", "2026-03-10T00:00:00Z")
    ledger.by("u-7", at=at("2026-03-10T00:00:00Z")).record(o.reach_first_value, "O-1")
    subscribe(ledger, "03-15")
    assert one(ledger, "onboarding_progress")["ttv_days"] == 0
    row = one(ledger, "time_to_value", measured_from="activation")
    assert (row["observed_s"], row["censored"]) == (0, False)
