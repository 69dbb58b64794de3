"""Decisions from the detection of an incident to the people at work."""

from __future__ import annotations

import pytest

from opsledger.domain import incident
from opsledger.testing import Spec, at

INC = "incident:INC-7"
spec = Spec(INC)
TEN = at("2026-03-02T10:00:00Z")
FOUR_PAST = at("2026-03-02T10:04:00Z")
FIVE_PAST = at("2026-03-02T10:05:00Z")
QUARTER = at("2026-03-02T10:15:00Z")
HALF_PAST = at("2026-03-02T10:30:00Z")
ELEVEN = at("2026-03-02T11:00:00Z")
NOON = at("2026-03-02T12:00:00Z")
DECLARED = incident.Declared(
    declared_at=FIVE_PAST,
    detection_source="monitoring",
    severity="high",
    detected_at=FOUR_PAST,
    impact_started_at=TEN,
    services=("api",),
    subject_id=INC,
    title="The API answers nothing",
)
IMPACT_UNKNOWN = incident.Declared(
    declared_at=FIVE_PAST, detection_source="customer", severity="low", detected_at=FIVE_PAST, subject_id=INC, title="Slow"
)
RESOLVED = incident.Resolved(resolved_at=ELEVEN, subject_id=INC)
CLOSED = incident.Closed(closed_at=NOON)


# Declaration and the start of the impact.


def test_an_incident_is_declared_with_what_is_known() -> None:
    spec.when(
        incident.declare,
        at=FIVE_PAST,
        detection_source="monitoring",
        severity="high",
        title="The API answers nothing",
        detected_at=FOUR_PAST,
        impact_started_at=TEN,
        services=("api", "api"),
    ).then(DECLARED)


def test_an_incident_is_detected_when_it_is_declared_unless_it_was_before() -> None:
    spec.when(incident.declare, at=FIVE_PAST, detection_source="customer", severity="low", title="Slow").then(IMPACT_UNKNOWN)


def test_an_incident_is_declared_once() -> None:
    spec.given(DECLARED).when(incident.declare, at=TEN, detection_source="customer", severity="low", title="Slow").then_refused(
        "another id"
    )


@pytest.mark.parametrize("named", ["detected_at", "impact_started_at"])
def test_what_has_not_come_yet_was_neither_detected_nor_felt(named: str) -> None:
    asked = {"detection_source": "customer", "severity": "low", "title": "Slow", named: FIVE_PAST}
    spec.when(incident.declare, at=FOUR_PAST, **asked).then_refused("has not come yet")
    assert len(spec.when(incident.declare, at=FIVE_PAST, **asked).facts) == 1


def test_an_incident_may_be_detected_before_its_impact_starts() -> None:
    outcome = spec.when(
        incident.declare,
        at=FIVE_PAST,
        detection_source="proactive",
        severity="low",
        title="The disk fills",
        detected_at=TEN,
        impact_started_at=FOUR_PAST,
    )
    assert outcome.facts[0].detected_at == TEN


def test_nothing_is_recorded_of_an_incident_that_was_not_declared() -> None:
    spec.when(incident.acknowledge, at=TEN).then_refused("stream.unknown")


def test_the_start_of_the_impact_is_stated_later() -> None:
    stated = incident.ImpactStartStated(stated_at=ELEVEN, impact_started_at=TEN)
    spec.given(IMPACT_UNKNOWN).when(incident.state_impact, at=ELEVEN, impact_started_at=TEN).then(stated)


def test_the_start_of_the_impact_that_is_known_already_adds_nothing() -> None:
    spec.given(DECLARED).when(incident.state_impact, at=ELEVEN, impact_started_at=TEN).then_nothing()


def test_another_start_of_the_impact_needs_a_correction() -> None:
    spec.given(DECLARED).when(incident.state_impact, at=ELEVEN, impact_started_at=FOUR_PAST).then_refused("correct that milestone")


def test_the_start_of_the_impact_does_not_lie_ahead() -> None:
    spec.given(IMPACT_UNKNOWN).when(incident.state_impact, at=TEN, impact_started_at=ELEVEN).then_refused("has not come yet")


def test_the_start_of_the_impact_is_stated_also_of_a_closed_incident() -> None:
    stated = incident.ImpactStartStated(stated_at=NOON, impact_started_at=TEN)
    spec.given(IMPACT_UNKNOWN, RESOLVED, CLOSED).when(incident.state_impact, at=NOON, impact_started_at=TEN).then(stated)


# Acknowledgement, triage, severity.


def test_the_actor_acknowledges_unless_somebody_else_did() -> None:
    spec.given(DECLARED).when(incident.acknowledge, at=QUARTER).then(incident.Acknowledged(acknowledged_at=QUARTER, responder_id="u-7"))
    named = incident.Acknowledged(acknowledged_at=QUARTER, responder_id="u-9")
    spec.given(DECLARED).when(incident.acknowledge, at=QUARTER, responder_id="u-9").then(named)


def test_the_same_acknowledgement_again_adds_nothing() -> None:
    first = incident.Acknowledged(acknowledged_at=QUARTER, responder_id="u-7")
    second = incident.Acknowledged(acknowledged_at=HALF_PAST, responder_id="u-7")
    spec.given(DECLARED, first, second).when(incident.acknowledge, at=QUARTER).then_nothing()


def test_a_later_acknowledgement_is_kept() -> None:
    first = incident.Acknowledged(acknowledged_at=QUARTER, responder_id="u-7")
    second = incident.Acknowledged(acknowledged_at=HALF_PAST, responder_id="u-7")
    spec.given(DECLARED, first).when(incident.acknowledge, at=HALF_PAST).then(second)


def test_a_resolved_incident_takes_no_acknowledgement_from_that_instant_on() -> None:
    spec.given(DECLARED, RESOLVED).when(incident.acknowledge, at=ELEVEN).then_refused("reopen it first")


def test_an_acknowledgement_from_before_the_declaration_is_taken_also_after_the_resolution() -> None:
    early = incident.Acknowledged(acknowledged_at=FOUR_PAST, responder_id="u-7")
    spec.given(DECLARED, RESOLVED).when(incident.acknowledge, at=FOUR_PAST).then(early)


def test_an_acknowledgement_is_given_back_once_for_an_instant() -> None:
    taken_on = incident.Acknowledged(acknowledged_at=QUARTER, responder_id="u-7")
    lapsed = incident.Unacknowledged(unacknowledged_at=HALF_PAST, cause="timeout")
    spec.given(DECLARED, taken_on).when(incident.unacknowledge, at=HALF_PAST, cause="timeout").then(lapsed)
    spec.given(DECLARED, taken_on, lapsed).when(incident.unacknowledge, at=HALF_PAST).then_nothing()


def test_what_nobody_had_on_by_then_is_not_given_back() -> None:
    taken_on = incident.Acknowledged(acknowledged_at=HALF_PAST, responder_id="u-7")
    spec.given(DECLARED, taken_on).when(incident.unacknowledge, at=QUARTER).then_refused("Nobody had taken this incident on")
    spec.given(DECLARED, taken_on, RESOLVED).when(incident.unacknowledge, at=ELEVEN).then_refused("reopen it first")


def test_triage_is_recorded_once_for_an_instant() -> None:
    triaged = incident.Triaged(triaged_at=QUARTER, category="capacity", subject_id=INC, assessment="All workers are busy")
    asked = {"category": "capacity", "assessment": "All workers are busy"}
    spec.given(DECLARED).when(incident.triage, at=QUARTER, **asked).then(triaged)
    spec.given(DECLARED, triaged).when(incident.triage, at=QUARTER, **asked).then_nothing()


def test_triage_comes_late_but_not_after_the_resolution() -> None:
    spec.given(DECLARED, RESOLVED).when(incident.triage, at=ELEVEN).then_refused("reopen it first")
    spec.given(DECLARED, RESOLVED).when(incident.triage, at=QUARTER).then(incident.Triaged(triaged_at=QUARTER, subject_id=INC))


def test_another_severity_names_the_one_before() -> None:
    worse = incident.SeverityChanged(changed_at=QUARTER, was="high", severity="critical", subject_id=INC, reason="Nobody can log in")
    spec.given(DECLARED).when(incident.change_severity, at=QUARTER, severity="critical", reason="Nobody can log in").then(worse)


def test_the_severity_that_holds_adds_nothing() -> None:
    spec.given(DECLARED).when(incident.change_severity, at=FIVE_PAST, severity="high").then_nothing()


def test_a_severity_that_held_earlier_is_recorded_late_and_does_not_undo_the_later_one() -> None:
    later = incident.SeverityChanged(changed_at=HALF_PAST, was="high", severity="medium", subject_id=INC)
    early = incident.SeverityChanged(changed_at=QUARTER, was="medium", severity="critical", subject_id=INC)
    spec.given(DECLARED, later).when(incident.change_severity, at=QUARTER, severity="critical").then(early)
    spec.given(DECLARED, later, early).when(incident.change_severity, at=HALF_PAST, severity="medium").then_nothing()


def test_a_review_may_find_another_severity_after_the_end() -> None:
    found = incident.SeverityChanged(changed_at=NOON, was="high", severity="critical", subject_id=INC)
    spec.given(DECLARED, RESOLVED, CLOSED).when(incident.change_severity, at=NOON, severity="critical").then(found)


# Roles.


def assigned(person: str, when: str, role: incident.Role = "commander") -> incident.RoleAssigned:
    return incident.RoleAssigned(assigned_at=at(when), role=role, person_id=person)


def test_a_commander_is_assigned_once() -> None:
    first = assigned("p-1", "2026-03-02T10:15:00Z")
    spec.given(DECLARED).when(incident.assign_role, at=QUARTER, role="commander", person_id="p-1").then(first)
    spec.given(DECLARED, first).when(incident.assign_role, at=HALF_PAST, role="commander", person_id="p-1").then_nothing()


def test_a_commander_who_was_relieved_may_take_over_again() -> None:
    first, second = assigned("p-1", "2026-03-02T10:15:00Z"), assigned("p-2", "2026-03-02T10:20:00Z")
    again = assigned("p-1", "2026-03-02T10:30:00Z")
    spec.given(DECLARED, first, second).when(incident.assign_role, at=HALF_PAST, role="commander", person_id="p-1").then(again)


def test_there_may_be_many_responders() -> None:
    one, other = assigned("p-1", "2026-03-02T10:15:00Z", "responder"), assigned("p-2", "2026-03-02T10:30:00Z", "responder")
    spec.given(DECLARED, one).when(incident.assign_role, at=HALF_PAST, role="responder", person_id="p-2").then(other)
    spec.given(DECLARED, one, other).when(incident.assign_role, at=HALF_PAST, role="responder", person_id="p-1").then_nothing()


def test_an_assignment_that_comes_late_leaves_the_later_holder_in_the_role() -> None:
    later, late = assigned("p-2", "2026-03-02T10:30:00Z"), assigned("p-1", "2026-03-02T10:15:00Z")
    spec.given(DECLARED, later).when(incident.assign_role, at=QUARTER, role="commander", person_id="p-1").then(late)
    spec.given(DECLARED, later, late).when(incident.assign_role, at=HALF_PAST, role="commander", person_id="p-2").then_nothing()


def test_a_closed_incident_takes_no_role_but_a_resolved_one_does() -> None:
    scribe = assigned("p-1", "2026-03-02T12:00:00Z", "scribe")
    spec.given(DECLARED, RESOLVED).when(incident.assign_role, at=NOON, role="scribe", person_id="p-1").then(scribe)
    spec.given(DECLARED, RESOLVED, CLOSED).when(incident.assign_role, at=NOON, role="scribe", person_id="p-1").then_refused("reopen")


def test_a_role_is_given_up_once_and_only_by_who_has_it() -> None:
    first = assigned("p-1", "2026-03-02T10:15:00Z")
    released = incident.RoleReleased(released_at=HALF_PAST, role="commander", person_id="p-1")
    asked = {"role": "commander", "person_id": "p-1"}
    spec.given(DECLARED, first).when(incident.release_role, at=HALF_PAST, **asked).then(released)
    spec.given(DECLARED, first, released).when(incident.release_role, at=ELEVEN, **asked).then_nothing()
    relieved = assigned("p-2", "2026-03-02T10:20:00Z")
    spec.given(DECLARED, first, relieved).when(incident.release_role, at=HALF_PAST, **asked).then_nothing()


def test_a_release_by_somebody_who_was_relieved_before_leaves_the_holder_in_the_role() -> None:
    first, second = assigned("p-1", "2026-03-02T10:15:00Z"), assigned("p-2", "2026-03-02T10:20:00Z")
    taken_in = incident.RoleReleased(released_at=HALF_PAST, role="commander", person_id="p-1")  # as another system may say
    spec.given(DECLARED, first, second, taken_in).when(incident.assign_role, at=ELEVEN, role="commander", person_id="p-2").then_nothing()


def test_a_role_that_nobody_had_is_not_given_up() -> None:
    spec.given(DECLARED).when(incident.release_role, at=TEN, role="liaison", person_id="p-1").then_refused("record the assignment first")


def test_a_release_from_before_the_present_holder_is_recorded_late() -> None:
    early, present = assigned("p-1", "2026-03-02T10:15:00Z"), assigned("p-2", "2026-03-02T11:00:00Z")
    late = incident.RoleReleased(released_at=HALF_PAST, role="commander", person_id="p-1")
    spec.given(DECLARED, early, present).when(incident.release_role, at=HALF_PAST, role="commander", person_id="p-1").then(late)


# War room, status updates, services.


def test_a_war_room_is_opened_once_and_closed_once() -> None:
    opened, closed = incident.WarRoomOpened(opened_at=QUARTER), incident.WarRoomClosed(closed_at=HALF_PAST)
    spec.given(DECLARED).when(incident.open_war_room, at=QUARTER).then(opened)
    spec.given(DECLARED, opened).when(incident.open_war_room, at=HALF_PAST).then_nothing()
    spec.given(DECLARED, opened).when(incident.close_war_room, at=HALF_PAST).then(closed)
    spec.given(DECLARED, opened, closed).when(incident.close_war_room, at=ELEVEN).then_nothing()
    spec.given(DECLARED, opened, closed).when(incident.open_war_room, at=ELEVEN).then(incident.WarRoomOpened(opened_at=ELEVEN))


def test_no_war_room_is_closed_where_none_was_or_opened_after_the_end() -> None:
    spec.given(DECLARED).when(incident.close_war_room, at=TEN).then_refused("record its opening first")
    spec.given(DECLARED, RESOLVED).when(incident.open_war_room, at=ELEVEN).then_refused("reopen it first")


def test_an_earlier_opening_and_closing_of_the_war_room_are_recorded_late() -> None:
    opened = incident.WarRoomOpened(opened_at=HALF_PAST)
    spec.given(DECLARED, opened, RESOLVED).when(incident.open_war_room, at=FIVE_PAST).then(incident.WarRoomOpened(opened_at=FIVE_PAST))
    spec.given(DECLARED, opened).when(incident.close_war_room, at=QUARTER).then(incident.WarRoomClosed(closed_at=QUARTER))


def test_an_audience_is_told_how_it_stands_also_late_and_after_the_end() -> None:
    told = incident.StatusPublished(published_at=NOON, audience="public", phase="resolved", subject_id=INC, message="It works")
    asked = {"audience": "public", "phase": "resolved", "message": "It works"}
    spec.given(DECLARED, RESOLVED, CLOSED).when(incident.publish_status, at=NOON, **asked).then(told)
    spec.given(DECLARED, told).when(incident.publish_status, at=NOON, **asked).then_nothing()
    late = incident.StatusPublished(published_at=QUARTER, audience="customers", phase="investigating", subject_id=INC)
    spec.given(DECLARED, told).when(incident.publish_status, at=QUARTER, audience="customers", phase="investigating").then(late)


def test_a_service_is_drawn_in_and_works_again() -> None:
    drawn, restored = (
        incident.ServiceAffected(affected_at=QUARTER, service_id="web"),
        incident.ServiceRestored(restored_at=HALF_PAST, service_id="web"),
    )
    spec.given(DECLARED).when(incident.affect_service, at=QUARTER, service_id="web").then(drawn)
    spec.given(DECLARED, drawn).when(incident.affect_service, at=HALF_PAST, service_id="web").then_nothing()
    spec.given(DECLARED, drawn).when(incident.restore_service, at=HALF_PAST, service_id="web").then(restored)
    spec.given(DECLARED, drawn, restored).when(incident.restore_service, at=ELEVEN, service_id="web").then_nothing()


def test_a_service_named_at_the_declaration_is_affected_from_the_beginning() -> None:
    spec.given(DECLARED).when(incident.affect_service, at=TEN, service_id="api").then_nothing()
    restored = incident.ServiceRestored(restored_at=NOON, service_id="api")
    spec.given(DECLARED, RESOLVED).when(incident.restore_service, at=NOON, service_id="api").then(restored)


def test_a_service_that_was_never_affected_is_not_restored_and_none_is_drawn_in_after_the_end() -> None:
    spec.given(DECLARED).when(incident.restore_service, at=QUARTER, service_id="web").then_refused("record that first")
    spec.given(DECLARED, RESOLVED).when(incident.affect_service, at=ELEVEN, service_id="web").then_refused("reopen it first")


def test_what_befell_a_service_earlier_is_recorded_late() -> None:
    drawn = incident.ServiceAffected(affected_at=HALF_PAST, service_id="web")
    early = incident.ServiceAffected(affected_at=FIVE_PAST, service_id="web")
    between = incident.ServiceRestored(restored_at=QUARTER, service_id="web")
    spec.given(DECLARED, drawn, RESOLVED).when(incident.affect_service, at=FIVE_PAST, service_id="web").then(early)
    spec.given(DECLARED, drawn, early).when(incident.restore_service, at=QUARTER, service_id="web").then(between)
