"""control_finding: what was not kept, by which facts, from which instant on; live and rebuilt, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from change_acts import HEAD, JUDGED, act, do, findings, hold, on, plan, ready, rebuilt_as_it_stood, request, select

from opsledger.app import OpsLedger
from opsledger.domain import change, freeze, incident, maintenance
from opsledger.domain.recorded import Recorded
from opsledger.projections.changes import changes
from opsledger.projections.changes.controls import change_watches
from opsledger.testing.plugin import Clock
from opsledger.testing.spec import Spec, default_known, recorded


@pytest.fixture(params=["sqlite", "pg"])
def ledger(request: pytest.FixtureRequest, opsledger_clock: Clock) -> OpsLedger:
    made: OpsLedger = request.getfixturevalue(f"opsledger_{request.param}")
    opsledger_clock.set(HEAD)
    return made


# Changes.


def test_work_without_approval_is_found_with_the_facts_that_show_it(ledger: OpsLedger) -> None:
    request(ledger, "09:00")
    began = act(ledger, "10:00", "u-3", change.start, already_happened=True).position
    asked = 1 if began is None else began - 1
    assert findings(ledger) == [("unauthorised_change", on("10:00"), None)]
    assert select(ledger, "control_finding", "severity", "evidence", "last_position") == [("high", f"{asked},{began}", began)]
    act(ledger, "11:00", "u-2", change.assess, **JUDGED)
    act(ledger, "11:30", "u-2", change.approve)
    assert findings(ledger) == [("unauthorised_change", on("10:00"), None)]  # afterwards is too late for a standard change
    assert rebuilt_as_it_stood(ledger)


def test_work_without_approval_that_turns_out_to_have_had_it_is_no_finding(ledger: OpsLedger) -> None:
    request(ledger, "09:00", category="emergency")
    act(ledger, "10:00", "u-3", change.start, already_happened=True)
    act(ledger, "09:59", "u-2", change.approve, acting_as="cto")
    assert findings(ledger) == []
    assert select(ledger, "control_watch", "control") == []


@pytest.mark.parametrize(("approved", "found"), [("05T10:00", False), ("2026-03-05T10:00:00.000001Z", True)])
def test_an_emergency_is_approved_within_72_hours_after_its_start(ledger: OpsLedger, approved: str, found: bool) -> None:
    request(ledger, "09:00", category="emergency")
    act(ledger, "10:00", "u-3", change.start, already_happened=True)
    act(ledger, approved, "u-2", change.approve, acting_as="cto")
    expected = [("retroactive_approval_late", on("05T10:00"), on(approved))]
    assert findings(ledger) == (expected if found else [])


def test_an_approval_that_has_not_come_is_found_once_its_time_is_over(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-03-05T10:00:00Z")
    request(ledger, "09:00", category="emergency")
    act(ledger, "10:00", "u-3", change.start, already_happened=True)
    request(ledger, "05T10:00", "CHG-2")
    assert findings(ledger) == []
    assert select(ledger, "control_watch", "control", "found_at", "awaited") == [("retroactive_approval_late", on("05T10:00"), True)]
    opsledger_clock.set("2026-03-05T10:00:01Z")
    act(ledger, "2026-03-05T10:00:01Z", "u-1", change.communicate, "CHG-2", audience="internal")
    assert findings(ledger) == [("retroactive_approval_late", on("05T10:00"), None)]


def test_duties_that_one_person_had_together_are_found(ledger: OpsLedger) -> None:
    ready(ledger)
    act(ledger, "10:00", "u-2", change.start)
    act(ledger, "11:00", "u-2", change.verify, holds=True)
    assert findings(ledger) == [("approver_implemented", on("10:00"), None), ("implementer_verified", on("11:00"), None)]
    assert select(ledger, "change", "sod_ok") == [(False,)]


def test_a_self_approval_that_came_in_from_elsewhere_is_found_and_does_not_count() -> None:
    spec = Spec("change:CHG-1")
    (asked,) = spec.when(change.request, at=on("09:00"), by="u-1", category="emergency", title="It").facts
    given = change.Approved(approved_at=on("09:30"), approved_by="u-1", role="cto", subject_id="change:CHG-1")
    began = change.Started(started_at=on("10:00"), implementer_id="u-3", authorised=True, subject_id="change:CHG-1")
    state = changes.start("CHG-1")
    for position, fact in enumerate((asked, given, began), 1):
        state = changes.fold(state, told(fact, position))
    found = [(watch.control, watch.severity, watch.evidence) for watch in change_watches(state, {}, default_known())]
    assert found == [("unauthorised_change", "high", "1,3"), ("self_approval", "high", "1,2")]
    assert changes.rows(state)["change_approval"][0][6] is False  # it does not count


def told(fact: Any, position: int) -> Recorded:
    return recorded(fact, "change:CHG-1", position, position)


def test_a_review_that_is_asked_for_is_found_late(ledger: OpsLedger) -> None:
    ready(ledger)
    do(ledger, "10:00", "11:00", "failed")
    assert findings(ledger) == [("change_review_late", on("07T11:00"), None)]
    act(ledger, "08T09:00", "u-5", change.review)
    assert findings(ledger) == [("change_review_late", on("07T11:00"), on("08T09:00"))]
    act(ledger, "07T11:00", "u-5", change.review)  # an earlier one, typed in late
    assert findings(ledger) == []
    assert rebuilt_as_it_stood(ledger)


@pytest.mark.parametrize(("start", "found"), [("03T07:59", True), ("03T08:00", False), ("03T09:59", False), ("03T10:00", True)])
def test_planned_work_begins_within_its_window(ledger: OpsLedger, start: str, found: bool) -> None:
    ready(ledger)
    plan(ledger, "09:30", "03T08:00", "03T10:00")
    act(ledger, start, "u-3", change.start)
    assert findings(ledger) == ([("outside_planned_window", on(start), None)] if found else [])


@pytest.mark.parametrize(("start", "found"), [("09T23:59", False), ("10T00:00", True), ("11T23:59", True), ("12T00:00", False)])
def test_work_begun_in_a_freeze_is_found(ledger: OpsLedger, start: str, found: bool) -> None:
    ready(ledger)
    hold(ledger, "09:40", "10T00:00", "12T00:00")
    act(ledger, start, "u-3", change.start)
    assert findings(ledger) == ([("started_in_freeze", on(start), None)] if found else [])
    assert rebuilt_as_it_stood(ledger)


def test_a_freeze_forbids_what_people_could_know_that_it_forbade(ledger: OpsLedger) -> None:
    ready(ledger)
    act(ledger, "10T08:00", "u-3", change.start)
    hold(ledger, "10T09:00", "10T00:00", "12T00:00")  # declared after the work had begun
    assert findings(ledger) == []
    ready(ledger, "CHG-2")
    act(ledger, "10T10:00", "u-3", change.start, "CHG-2")
    act(ledger, "10T11:00", "u-8", freeze.lift, "F-1", reason="No need", requested_by="u-8", approved_by="u-9")
    assert findings(ledger, "change:CHG-2") == [("started_in_freeze", on("10T10:00"), None)]


def test_an_emergency_may_begin_in_a_freeze(ledger: OpsLedger) -> None:
    hold(ledger, "08:00", "02T00:00", "12T00:00")
    request(ledger, "09:00", category="emergency")
    act(ledger, "09:30", "u-2", change.approve, acting_as="cto")
    act(ledger, "10:00", "u-3", change.start)
    assert findings(ledger) == []


# Incidents.


def declare(ledger: OpsLedger, time: str, id: str = "INC-1", severity: incident.Severity = "critical", **given: Any) -> None:
    asked: dict[str, Any] = {"detection_source": "monitoring", "title": "The API is down", **given}
    act(ledger, time, "u-7", incident.declare, id, severity=severity, **asked)


def of_incident(ledger: OpsLedger, *controls: str) -> list[tuple[Any, ...]]:
    return [each for each in findings(ledger, "incident:INC-1") if not controls or each[0] in controls]


def speak(ledger: OpsLedger, *times: str) -> None:
    for time in times:
        act(ledger, time, "u-7", incident.publish_status, "INC-1", audience="customers", phase="investigating")


TOGETHER = ("no_commander", "no_war_room")


def test_a_critical_incident_without_commander_or_war_room_is_found_after_half_an_hour(ledger: OpsLedger) -> None:
    declare(ledger, "10:00")
    assert of_incident(ledger, *TOGETHER) == [(control, on("10:30"), None) for control in TOGETHER]
    act(ledger, "10:45", "u-7", incident.assign_role, "INC-1", role="commander", person_id="p-1")
    act(ledger, "10:30", "u-7", incident.open_war_room, "INC-1")  # just in time
    assert of_incident(ledger, *TOGETHER) == [("no_commander", on("10:30"), on("10:45"))]
    assert rebuilt_as_it_stood(ledger)


def test_one_that_was_over_by_then_or_less_bad_needs_neither(ledger: OpsLedger) -> None:
    declare(ledger, "10:00")
    act(ledger, "10:30", "u-7", incident.resolve, "INC-1")
    assert of_incident(ledger, *TOGETHER) == []
    declare(ledger, "12:00", "INC-2", "high")
    assert [each[0] for each in findings(ledger, "incident:INC-2") if each[0] in TOGETHER] == []


def test_one_that_becomes_critical_needs_them_from_then_on(ledger: OpsLedger) -> None:
    declare(ledger, "10:00", severity="low")
    act(ledger, "11:00", "u-7", incident.change_severity, "INC-1", severity="critical")
    assert of_incident(ledger, *TOGETHER) == [(control, on("11:30"), None) for control in TOGETHER]


def test_silence_of_more_than_an_hour_while_it_is_critical_is_found(ledger: OpsLedger) -> None:
    declare(ledger, "10:00")
    speak(ledger, "10:00", "10:55", "11:58", "12:58")
    act(ledger, "13:30", "u-7", incident.resolve, "INC-1")
    assert of_incident(ledger, "status_update_late") == [("status_update_late", on("11:55"), on("11:58"))]


def test_words_among_ourselves_are_no_words_to_customers(ledger: OpsLedger) -> None:
    declare(ledger, "10:00")
    act(ledger, "10:30", "u-7", incident.publish_status, "INC-1", audience="internal", phase="investigating")
    act(ledger, "11:01", "u-7", incident.resolve, "INC-1")
    assert of_incident(ledger, "status_update_late") == [("status_update_late", on("11:00"), on("11:01"))]


def test_a_review_after_more_than_five_days_is_late(ledger: OpsLedger) -> None:
    declare(ledger, "10:00", severity="high")
    act(ledger, "11:00", "u-7", incident.resolve, "INC-1")
    assert of_incident(ledger, "incident_review_late") == [("incident_review_late", on("07T11:00"), None)]
    act(ledger, "07T11:00", "u-7", incident.hold_review, "INC-1")
    assert of_incident(ledger, "incident_review_late") == []


def test_a_change_that_an_incident_names_and_nobody_recorded_is_found_until_it_is(ledger: OpsLedger) -> None:
    declare(ledger, "10:00", severity="low")
    named = act(ledger, "11:00", "u-7", incident.identify_root_cause, "INC-1", cause="A bad index", change_id="CHG-1").position
    assert findings(ledger) == [("unrecorded_change", on("11:00"), None)]
    assert select(ledger, "control_finding", "evidence", subject="change:CHG-1") == [(str(named),)]
    request(ledger, "12:00")
    assert findings(ledger) == []
    assert rebuilt_as_it_stood(ledger)


# Maintenance.


PLATFORM: dict[str, Any] = {"services": ("platform",), "title": "New disks"}
SLOT: dict[str, Any] = {
    "start_at": on("08T06:00"),
    "end_at": on("08T08:00"),
}  # Sunday, from one in New York: an hour before the hours allowed
GOOD: dict[str, Any] = {"start_at": on("08T07:00"), "end_at": on("08T09:00")}


def maintain(ledger: OpsLedger, time: str, decision: Any, who: str = "u-7", acting_as: str = "sre", **arguments: Any) -> None:
    act(ledger, time, who, decision, "M-1", acting_as, **arguments)


def of_maintenance(ledger: OpsLedger) -> list[tuple[Any, ...]]:
    return findings(ledger, "maintenance:M-1")


@pytest.mark.parametrize(("told", "found"), [("05T07:00", False), ("05T07:01", True)])
def test_maintenance_is_announced_72_hours_before(ledger: OpsLedger, told: str, found: bool) -> None:
    maintain(ledger, "09:00", maintenance.schedule, **PLATFORM, **GOOD)
    assert of_maintenance(ledger) == [("maintenance_notice_late", on("05T07:00"), None)]
    maintain(ledger, told, maintenance.notify, audience="customers", channel="email")
    assert of_maintenance(ledger) == ([("maintenance_notice_late", on("05T07:00"), on(told))] if found else [])
    assert rebuilt_as_it_stood(ledger)


def test_maintenance_called_off_needs_no_notice(ledger: OpsLedger) -> None:
    maintain(ledger, "09:00", maintenance.schedule, **PLATFORM, **GOOD)
    maintain(ledger, "10:00", maintenance.cancel)
    assert of_maintenance(ledger) == []


def test_work_outside_the_hours_allowed_is_found_when_it_begins(ledger: OpsLedger) -> None:
    maintain(ledger, "09:00", maintenance.schedule, **PLATFORM, **SLOT)
    maintain(ledger, "09:10", maintenance.notify, audience="customers", channel="email")
    assert of_maintenance(ledger) == []
    maintain(ledger, "08T06:00", maintenance.start)
    assert of_maintenance(ledger) == [("maintenance_slot", on("08T06:00"), None)]


@pytest.mark.parametrize(("approved", "found"), [("09:20", False), ("09:31", True), (None, True)])
def test_emergency_maintenance_begins_with_the_ctos_approval(ledger: OpsLedger, approved: str | None, found: bool) -> None:
    window: dict[str, Any] = {"start_at": on("09:30"), "end_at": on("10:30"), "kind": "emergency"}
    maintain(ledger, "09:00", maintenance.schedule, **PLATFORM, **window)
    maintain(ledger, "09:30", maintenance.start)
    if approved is not None:
        maintain(ledger, approved, maintenance.approve_emergency, "u-9", "cto")
    assert of_maintenance(ledger) == ([("maintenance_unapproved", on("09:30"), None)] if found else [])


def test_every_finding_is_explained(ledger: OpsLedger) -> None:
    from opsledger.replay.explain import explain

    request(ledger, "09:00")
    act(ledger, "10:00", "u-3", change.start, already_happened=True)
    ledger.catch_up()
    told = explain(ledger.store, ledger.tables.tables, "control_finding", ["change:CHG-1", "unauthorised_change", "2026-03-02T10:00:00Z"])
    assert [each.table for each in told.counted] == ["control_watch"]
    watch = explain(ledger.store, ledger.tables.tables, "control_watch", ["change:CHG-1", "unauthorised_change", "2026-03-02T10:00:00Z"])
    assert watch.story == [told.row["rule"]]
    assert [each.topic for each in watch.facts] == ["change.requested", "change.started"]
    assert told.row["rule"].startswith("Work begins only on a change")
    assert told.row["found_at"] == on("09:00") + timedelta(hours=1)
