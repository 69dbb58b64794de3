"""change, change_conflict, change_approval_overdue and change_kpi_month, live and rebuilt, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from change_acts import HEAD, act, do, hold, on, plan, ready, rebuilt_as_it_stood, request, row, select

from opsledger.app import OpsLedger
from opsledger.app.changes import schedule_change
from opsledger.domain import change, freeze
from opsledger.errors import Refused
from opsledger.testing import at
from opsledger.testing.plugin import Clock


@pytest.fixture(params=["sqlite", "pg"])
def ledger(request: pytest.FixtureRequest, opsledger_clock: Clock) -> OpsLedger:
    made: OpsLedger = request.getfixturevalue(f"opsledger_{request.param}")
    opsledger_clock.set(HEAD)
    return made


def test_a_change_from_its_request_to_its_closure(ledger: OpsLedger) -> None:
    ready(ledger)
    plan(ledger, "09:30", "03T08:00", "03T10:00", assignee_id="u-3")
    act(ledger, "09:40", "u-1", change.communicate, audience="customers")
    do(ledger, "03T08:00", "03T09:00")
    act(ledger, "03T09:30", "u-4", change.verify, holds=True)
    act(ledger, "03T11:00", "u-5", change.review, achieved=True)
    act(ledger, "03T12:00", "u-1", change.close)
    found = row(ledger)
    assert (found["status"], found["category"], found["itil_type"]) == ("closed", "standard", "normal")
    assert (found["requested_by"], found["approved_by"], found["implementer_id"], found["verified_by"]) == ("u-1", "u-2", "u-3", "u-4")
    assert (found["approvals_needed"], found["approvals"], found["authorised_at"]) == (1, 1, on("09:20"))
    assert (found["approval_before_start"], found["approval_due_at"], found["sod_ok"]) == (True, None, True)
    assert (found["outcome"], found["achieved"], found["review_due_at"]) == ("successful", True, None)
    assert found["last_position"] == ledger.store.head().position
    assert select(ledger, "control_finding", "control") == []
    assert rebuilt_as_it_stood(ledger)


def test_an_approval_typed_in_late_counts_from_when_it_was_given(ledger: OpsLedger) -> None:
    request(ledger, "09:00", category="emergency")
    act(ledger, "10:00", "u-3", change.start, already_happened=True)
    assert row(ledger)["approval_before_start"] is False
    act(ledger, "09:50", "u-2", change.approve, acting_as="cto")
    assert (row(ledger)["approval_before_start"], row(ledger)["approval_due_at"], row(ledger)["authorised_at"]) == (True, None, on("09:50"))
    assert select(ledger, "change_approval", "word", "role", "counts", "before_start") == [("approved", "cto", True, True)]
    assert rebuilt_as_it_stood(ledger)


def test_a_corrected_start_moves_what_is_due_with_it(ledger: OpsLedger) -> None:
    request(ledger, "09:00", category="emergency")
    began = act(ledger, "10:00", "u-3", change.start, already_happened=True).position
    assert row(ledger)["approval_due_at"] == on("05T10:00")
    said: dict[str, Any] = {"was": on("10:00"), "to": on("09:30"), "reason": "The log", "requested_by": "u-3", "approved_by": "u-4"}
    act(ledger, "12:00", "u-4", change.correct_time, corrects=began, **said)
    assert (row(ledger)["started_at"], row(ledger)["approval_due_at"]) == (on("09:30"), on("05T09:30"))
    assert rebuilt_as_it_stood(ledger)


def test_a_rejection_takes_the_authority_away_and_a_new_approval_gives_it_back(ledger: OpsLedger) -> None:
    ready(ledger)
    act(ledger, "09:30", "u-5", change.reject, reason="Not now")
    assert (row(ledger)["status"], row(ledger)["approvals"], row(ledger)["authorised_at"]) == ("rejected", 0, None)
    act(ledger, "09:40", "u-2", change.approve)
    assert (row(ledger)["status"], row(ledger)["approvals"], row(ledger)["authorised_at"]) == ("approved", 1, on("09:40"))
    words = select(ledger, "change_approval", "word", "counts")
    assert words == [("approved", False), ("rejected", True), ("approved", True)]


# Conflicts.


def conflicts(ledger: OpsLedger) -> list[tuple[object, ...]]:
    return select(ledger, "change_conflict", "change_id", "kind", "other_id", "from_at", "to_at")


def test_two_windows_on_one_item_collide_in_the_stretch_that_they_share(ledger: OpsLedger) -> None:
    for id, start, end in (("CHG-1", "03T08:00", "03T10:00"), ("CHG-2", "03T09:00", "03T11:00")):
        ready(ledger, id)
        plan(ledger, "09:30", start, end, id)
    shared = (on("03T09:00"), on("03T10:00"))
    kind = "ci_already_scheduled"
    assert conflicts(ledger) == [("CHG-1", kind, "CHG-2", *shared), ("CHG-2", kind, "CHG-1", *shared)]
    plan(ledger, "09:40", "03T10:00", "03T11:00", "CHG-2")  # it begins when the other ends
    assert conflicts(ledger) == []
    plan(ledger, "09:50", "03T10:00", "03T11:01", "CHG-1")
    assert len(conflicts(ledger)) == 2
    act(ledger, "09:55", "u-1", change.cancel, "CHG-2")
    assert conflicts(ledger) == []


def test_one_person_is_not_in_two_places(ledger: OpsLedger) -> None:
    ready(ledger, "CHG-1", ci_ids=("api",))
    ready(ledger, "CHG-2", ci_ids=("web",))
    plan(ledger, "09:30", "03T08:00", "03T10:00", "CHG-1", assignee_id="bob")
    plan(ledger, "09:30", "03T09:30", "03T09:40", "CHG-2", assignee_id="bob")
    assert [each[1] for each in conflicts(ledger)] == ["assignee_already_scheduled"] * 2


def test_a_freeze_declared_after_the_plan_shows_as_a_conflict_until_it_is_lifted(ledger: OpsLedger) -> None:
    ready(ledger)
    plan(ledger, "09:30", "10T08:00", "10T10:00")
    hold(ledger, "09:40", "10T09:00", "12T00:00", ci_ids=("api", "web"))
    hold(ledger, "09:40", "10T09:00", "12T00:00", "F-2", ci_ids=("web",))
    hold(ledger, "09:40", "10T10:00", "12T00:00", "F-3")
    assert conflicts(ledger) == [("CHG-1", "in_freeze", "F-1", on("10T09:00"), on("10T10:00"))]
    act(ledger, "09:50", "u-8", freeze.lift, "F-1", reason="No need", requested_by="u-8", approved_by="u-9")
    assert conflicts(ledger) == []
    assert rebuilt_as_it_stood(ledger)


def test_outside_its_maintenance_window_is_kept_as_it_was_found(ledger: OpsLedger) -> None:
    ready(ledger)
    plan(ledger, "09:30", "03T08:00", "03T10:00", maintenance=())
    assert [each[1:3] for each in conflicts(ledger)] == [("not_in_maintenance_window", "")]
    assert (row(ledger)["in_maintenance_window"], row(ledger)["conflicts_when_planned"]) == (False, "not_in_maintenance_window")
    plan(ledger, "09:40", "03T08:00", "03T11:00")
    assert (conflicts(ledger), row(ledger)["in_maintenance_window"], row(ledger)["reschedule_count"]) == ([], None, 1)


def test_the_ledger_itself_knows_what_a_window_collides_with(ledger: OpsLedger) -> None:
    for id in ("CHG-1", "CHG-2"):
        ready(ledger, id)
    window: dict[str, Any] = {"starts_at": on("03T08:00"), "ends_at": on("03T10:00"), "at": on("09:30")}
    assert schedule_change(ledger, "CHG-1", by="u-1", **window).facts[0].conflicts == ()
    found = schedule_change(ledger, "CHG-2", by="u-1", **window).facts[0].conflicts
    assert [(each.kind, each.other_id) for each in found] == [("ci_already_scheduled", "CHG-1")]
    hold(ledger, "09:40", "10T00:00", "12T00:00")
    with pytest.raises(Refused, match="lies in the freeze F-1"):
        schedule_change(ledger, "CHG-2", by="u-1", starts_at=on("11T23:00"), ends_at=on("12T01:00"), at=on("09:50"))
    schedule_change(ledger, "CHG-2", by="u-1", starts_at=on("12T00:00"), ends_at=on("12T01:00"), at=on("09:50"))
    assert row(ledger, "CHG-2")["planned_start_at"] == on("12T00:00")


# Approval that is due.


def test_an_approval_that_may_follow_is_overdue_after_its_last_instant(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-03-05T10:00:00Z")
    request(ledger, "09:00", category="emergency")
    act(ledger, "10:00", "u-3", change.start, already_happened=True)
    request(ledger, "05T10:00", "CHG-2")
    assert select(ledger, "change_approval_overdue", "change_id") == []
    opsledger_clock.set("2026-03-05T10:00:01Z")
    act(ledger, "2026-03-05T10:00:01Z", "u-1", change.request, "CHG-3", category="normal", title="It")
    assert select(ledger, "change_approval_overdue", "change_id", "overdue_s") == [("CHG-1", 1)]
    act(ledger, "2026-03-05T10:00:01Z", "u-2", change.approve, acting_as="cto")
    assert select(ledger, "change_approval_overdue", "change_id") == []


# Figures.


def test_success_is_counted_by_month_category_and_itil_type(ledger: OpsLedger) -> None:
    for id, outcome in (("CHG-1", "successful"), ("CHG-2", "failed"), ("CHG-3", "successful"), ("CHG-4", "partially")):
        ready(ledger, id)
        do(ledger, "03T08:00", "03T09:00", outcome, id)
    act(ledger, "03T10:00", "u-3", change.back_out, "CHG-3")
    request(ledger, "09:00", "CHG-5", "emergency")
    do(ledger, "31T23:00", "2026-04-01T00:00:00Z", "successful", "CHG-5", already_happened=True)
    request(ledger, "09:00", "CHG-6", "normal")
    act(ledger, "09:05", "u-1", change.cancel, "CHG-6")
    columns = ("requested", "implemented", "successful", "partially", "failed", "backed_out", "unapproved_at_start", "success_bp")
    found = {tuple(each[:3]): each[3:] for each in select(ledger, "change_kpi_month", "month", "category", "itil_type", *columns)}
    assert found["2026-03", "*", "*"] == (6, 4, 1, 1, 1, 1, 0, 2500)
    assert found["2026-03", "standard", "normal"] == (4, 4, 1, 1, 1, 1, 0, 2500)
    assert found["2026-03", "normal", "standard"] == (1, 0, 0, 0, 0, 0, 0, None)
    assert found["2026-04", "emergency", "emergency"] == (0, 1, 1, 0, 0, 0, 1, 10_000)
    assert found["2026-05", "*", "*"] == (0, 0, 0, 0, 0, 0, 0, None)
    assert len(found) == 3 * 4
    reasons = select(ledger, "change_kpi_month", "null_reason", month="2026-05", category="*")
    assert reasons == [("none was implemented in the month",)]


def test_before_the_first_change_there_is_no_month(ledger: OpsLedger) -> None:
    assert select(ledger, "change_kpi_month", "month") == []


def test_a_month_is_explained_by_the_changes_that_it_counts(ledger: OpsLedger) -> None:
    from opsledger.replay.explain import explain

    ready(ledger)
    do(ledger, "03T08:00", "03T09:00")
    request(ledger, "09:00", "CHG-2", "normal")
    ledger.catch_up()
    every, standard = (
        explain(ledger.store, ledger.tables.tables, "change_kpi_month", ["2026-03", *which])
        for which in (("*", "*"), ("standard", "normal"))
    )
    assert [each.key for each in every.counted] == [("CHG-1",), ("CHG-2",)]
    assert [each.key for each in standard.counted] == [("CHG-1",)]
    assert at("2026-03-03T09:00:00Z") == row(ledger)["completed_at"]
