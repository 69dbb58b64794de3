"""Decisions on a ticket's way in and through the desk."""

from __future__ import annotations

import pytest
from desk import (
    ASKED,
    CRITICAL,
    REGISTERED,
    cancelled,
    closed,
    escalated,
    merged,
    on,
    paused,
    prioritized,
    registered,
    reopened,
    resolved,
    resumed,
    spam,
    spec,
    state,
)

from opsledger.domain import ticket
from opsledger.policies.support import Priority

HIGH, CRITICAL_PRIORITY, MEDIUM, LOW = Priority.HIGH, Priority.CRITICAL, Priority.MEDIUM, Priority.LOW

# Register.


def test_a_request_is_registered_with_its_promises() -> None:
    spec.when(ticket.register, at=on("09:00"), priority=HIGH, **ASKED).then(REGISTERED)


def test_a_general_question_is_promised_in_business_days_and_escalates_by_nobodys_clock() -> None:
    """Five business days from the opening at nine in New York, two in the afternoon here, are full on Friday at closing."""
    outcome = spec.when(ticket.register, at=on("09:00"), priority=LOW, **ASKED)
    outcome.then(registered(LOW, respond_by=on("09:00", "03"), resolve_by=on("22:00", "06")))


def test_a_critical_request_is_registered_and_goes_to_engineering_at_once() -> None:
    outcome = spec.when(ticket.register, at=on("09:00"), priority=CRITICAL_PRIORITY, **ASKED)
    outcome.then(CRITICAL, escalated("09:00", "l1", "engineering", "tier", due_at=on("09:00"), escalate_by=on("17:00")))


def test_a_request_is_not_registered_twice() -> None:
    spec.given(REGISTERED).when(ticket.register, at=on("09:01"), priority=HIGH, **ASKED).then_refused("registered already")


def test_a_request_by_a_channel_that_the_model_does_not_have_is_refused() -> None:
    fax = {**ASKED, "channel": "fax"}
    spec.when(ticket.register, at=on("09:00"), priority=HIGH, **fax).then_refused("has no channel 'fax'; it has best_practice, chat")


def test_a_request_typed_in_late_is_promised_from_when_it_came_in() -> None:
    """Typed in at noon: the decision is told when it happened, and never looks at a clock."""
    spec.when(ticket.register, at=on("09:00"), by="u-9", priority=HIGH, **ASKED).then(REGISTERED)


def test_before_any_model_was_in_force_nothing_can_be_promised() -> None:
    spec.when(ticket.register, at=on("09:00").replace(year=1999), priority=HIGH, **ASKED).then_refused("No operating model is in force")


# Acknowledge.


def test_an_acknowledgement_is_recorded_and_says_who_gave_it() -> None:
    outcome = spec.given(REGISTERED).when(ticket.acknowledge, at=on("09:01"), automatic=True)
    outcome.then(ticket.Acknowledged(acknowledged_at=on("09:01"), automatic=True))


def test_an_ended_ticket_takes_no_acknowledgement() -> None:
    spec.given(REGISTERED, cancelled("09:30")).when(ticket.acknowledge, at=on("09:30")).then_refused(
        "A cancelled ticket takes no acknowledgement; register a new one"
    )


def test_the_same_acknowledgement_again_adds_nothing() -> None:
    said = ticket.Acknowledged(acknowledged_at=on("09:01"), automatic=True)
    spec.given(REGISTERED, said).when(ticket.acknowledge, at=on("09:01"), automatic=True).then_nothing()


def test_an_acknowledgement_before_the_end_is_taken_late() -> None:
    outcome = spec.given(REGISTERED, cancelled("09:30")).when(ticket.acknowledge, at=on("09:29"))
    outcome.then(ticket.Acknowledged(acknowledged_at=on("09:29"), automatic=False))


# Classify.


def classified(wall: str, category: str) -> ticket.Classified:
    return ticket.Classified(classified_at=on(wall), category=category, subcategory="empty", service_id="reports")


WHAT = {"subcategory": "empty", "service_id": "reports"}


def test_what_a_request_is_about_is_recorded() -> None:
    spec.given(REGISTERED).when(ticket.classify, at=on("09:05"), category="report", **WHAT).then(classified("09:05", "report"))


def test_what_an_ended_ticket_was_about_may_still_be_said() -> None:
    spec.given(REGISTERED, closed("10:00")).when(ticket.classify, at=on("10:30"), category="report", **WHAT).then(
        classified("10:30", "report")
    )


def test_the_same_class_again_adds_nothing() -> None:
    given = spec.given(REGISTERED, classified("09:05", "report"))
    given.when(ticket.classify, at=on("09:20"), category="report", **WHAT).then_nothing()


def test_an_earlier_class_is_taken_late_also_when_it_is_the_present_one() -> None:
    given = spec.given(REGISTERED, classified("09:05", "login"), classified("09:20", "report"))
    given.when(ticket.classify, at=on("09:02"), category="report", **WHAT).then(classified("09:02", "report"))
    given.when(ticket.classify, at=on("09:10"), category="login", **WHAT).then_nothing()


# Prioritize.


def test_another_priority_is_recorded_with_the_dues_that_it_moves() -> None:
    outcome = spec.given(REGISTERED).when(ticket.prioritize, at=on("09:30"), priority=MEDIUM)
    outcome.then(prioritized("09:30", HIGH, MEDIUM, respond_by=on("13:00"), resolve_by=on("09:00", "03"), escalate_by=on("17:00")))


def test_a_priority_that_becomes_critical_goes_to_engineering_at_once() -> None:
    outcome = spec.given(REGISTERED).when(ticket.prioritize, at=on("09:30"), priority=CRITICAL_PRIORITY)
    outcome.then(
        prioritized("09:30", HIGH, CRITICAL_PRIORITY, respond_by=on("09:15"), resolve_by=on("13:00"), escalate_by=on("09:00")),
        escalated("09:30", "l1", "engineering", "tier", due_at=on("09:30"), escalate_by=on("17:30")),
    )


def test_a_critical_ticket_that_is_with_engineering_already_stays_there() -> None:
    given = spec.given(REGISTERED, escalated("09:20", "l1", "engineering"))
    outcome = given.when(ticket.prioritize, at=on("09:30"), priority=CRITICAL_PRIORITY)
    outcome.then(prioritized("09:30", HIGH, CRITICAL_PRIORITY, respond_by=on("09:15"), resolve_by=on("13:00"), escalate_by=on("17:20")))


def test_an_ended_ticket_takes_no_change_of_priority() -> None:
    given = spec.given(REGISTERED, resolved("10:00"))
    given.when(ticket.prioritize, at=on("10:00"), priority=LOW).then_refused("takes no change of priority; reopen it first")


def test_the_same_priority_again_adds_nothing() -> None:
    spec.given(REGISTERED).when(ticket.prioritize, at=on("09:30"), priority=HIGH).then_nothing()


def test_an_earlier_change_of_priority_is_taken_late_and_says_what_it_was_then() -> None:
    """At ten it became critical; that it was so at half past nine already is told afterwards."""
    raised = prioritized("10:00", MEDIUM, CRITICAL_PRIORITY)
    given = spec.given(REGISTERED, prioritized("09:20", HIGH, MEDIUM), raised)
    (late, *_) = given.when(ticket.prioritize, at=on("09:30"), priority=CRITICAL_PRIORITY).facts
    assert isinstance(late, ticket.PriorityChanged)
    assert (late.was, late.priority, late.changed_at) == (MEDIUM, CRITICAL_PRIORITY, on("09:30"))
    given.when(ticket.prioritize, at=on("09:25"), priority=MEDIUM).then_nothing()


# Assign.


def assigned(wall: str, group: str, assignee: str | None = None) -> ticket.Assigned:
    return ticket.Assigned(assigned_at=on(wall), group=group, assignee_id=assignee)


def test_who_works_on_it_is_recorded() -> None:
    spec.given(REGISTERED).when(ticket.assign, at=on("09:05"), group="desk", assignee_id="u-7").then(assigned("09:05", "desk", "u-7"))


def test_an_ended_ticket_takes_no_assignment() -> None:
    spec.given(REGISTERED, closed("10:00")).when(ticket.assign, at=on("10:00"), group="desk").then_refused("reopen it first")


def test_the_same_assignment_again_adds_nothing() -> None:
    spec.given(REGISTERED, assigned("09:05", "desk")).when(ticket.assign, at=on("09:30"), group="desk").then_nothing()


def test_an_earlier_assignment_is_taken_late_also_when_it_is_the_present_one() -> None:
    given = spec.given(REGISTERED, assigned("09:05", "data"), assigned("09:30", "desk"))
    given.when(ticket.assign, at=on("09:02"), group="desk").then(assigned("09:02", "desk"))
    given.when(ticket.assign, at=on("09:10"), group="data").then_nothing()


# Escalate.


def test_a_person_moves_a_ticket_up_and_the_next_levels_clock_starts() -> None:
    outcome = spec.given(REGISTERED).when(ticket.escalate, at=on("09:30"), level="l2")
    outcome.then(escalated("09:30", "l1", "l2", escalate_by=on("13:30")))


def test_a_person_moves_a_ticket_back_down() -> None:
    given = spec.given(REGISTERED, escalated("09:30", "l1", "engineering"))
    given.when(ticket.escalate, at=on("10:00"), level="l2").then(escalated("10:00", "engineering", "l2", escalate_by=on("14:00")))


def test_an_ended_ticket_takes_no_escalation() -> None:
    spec.given(REGISTERED, spam("10:00")).when(ticket.escalate, at=on("10:00"), level="l2").then_refused(
        "A spam ticket takes no escalation"
    )


def test_an_escalation_to_the_level_where_it_is_adds_nothing() -> None:
    spec.given(REGISTERED).when(ticket.escalate, at=on("09:30"), level="l1").then_nothing()


def test_an_earlier_escalation_is_taken_late_and_says_where_the_ticket_was_then() -> None:
    given = spec.given(REGISTERED, escalated("10:30", "l1", "engineering"))
    (late,) = given.when(ticket.escalate, at=on("09:30"), level="l2").facts
    assert isinstance(late, ticket.Escalated)
    assert (late.was, late.level, late.escalated_at) == ("l1", "l2", on("09:30"))


# Pause.


def test_waiting_for_somebody_is_recorded_with_the_reason() -> None:
    spec.given(REGISTERED).when(ticket.pause, at=on("09:30"), reason="awaiting_customer").then(paused("09:30"))


def test_an_ended_ticket_takes_no_pause() -> None:
    spec.given(REGISTERED, resolved("10:00")).when(ticket.pause, at=on("10:00"), reason="on_hold").then_refused("takes no pause")


def test_the_same_pause_again_adds_nothing_and_another_reason_does() -> None:
    given = spec.given(REGISTERED, paused("09:30"))
    given.when(ticket.pause, at=on("09:40"), reason="awaiting_customer").then_nothing()
    given.when(ticket.pause, at=on("09:40"), reason="awaiting_vendor").then(paused("09:40", "awaiting_vendor"))


def test_an_earlier_pause_is_taken_late() -> None:
    given = spec.given(REGISTERED, paused("09:30"))
    given.when(ticket.pause, at=on("09:20"), reason="awaiting_customer").then(paused("09:20"))


# Resume.


def test_our_turn_again_is_recorded_with_the_dues_that_were_held() -> None:
    outcome = spec.given(REGISTERED, paused("09:30")).when(ticket.resume, at=on("10:30"))
    outcome.then(resumed("10:30", resolve_by=on("18:00"), escalate_by=on("12:00")))


def test_an_ended_ticket_takes_no_resumption() -> None:
    spec.given(REGISTERED, merged("10:00")).when(ticket.resume, at=on("10:00")).then_refused("record on the one that stands for it")


def test_what_does_not_wait_is_not_resumed() -> None:
    spec.given(REGISTERED).when(ticket.resume, at=on("09:30")).then_nothing()


def test_an_earlier_resumption_is_taken_late() -> None:
    given = spec.given(REGISTERED, paused("09:30"), resumed("11:00"))
    given.when(ticket.resume, at=on("10:00")).then(resumed("10:00", resolve_by=on("17:30"), escalate_by=on("11:30")))


# Merge.


OTHER = state(REGISTERED)


def test_another_ticket_stands_for_this_one() -> None:
    spec.given(REGISTERED).when(ticket.merge, at=on("09:30"), into_id="T-2", into=OTHER).then(merged("09:30"))


def test_a_ticket_is_not_merged_into_itself() -> None:
    spec.given(REGISTERED).when(ticket.merge, at=on("09:30"), into_id="T-1", into=OTHER).then_refused("cannot be merged into itself")


@pytest.mark.parametrize("end", [merged("09:20", "T-3"), cancelled("09:20"), spam("09:20")], ids=["merged", "cancelled", "spam"])
def test_a_ticket_is_not_merged_into_one_that_has_ended(end: ticket.Fact) -> None:
    given = spec.given(REGISTERED)
    given.when(ticket.merge, at=on("09:30"), into_id="T-2", into=state(REGISTERED, end)).then_refused(
        "merge into the ticket that is worked on"
    )


def test_a_ticket_merged_into_one_is_not_merged_into_another_too() -> None:
    given = spec.given(REGISTERED, merged("09:30"))
    given.when(ticket.merge, at=on("09:40"), into_id="T-3", into=OTHER).then_refused("record on the one that stands for it")


def test_the_same_merge_again_adds_nothing() -> None:
    spec.given(REGISTERED, merged("09:30")).when(ticket.merge, at=on("09:40"), into_id="T-2", into=OTHER).then_nothing()


def test_a_merge_before_the_end_is_taken_late() -> None:
    spec.given(REGISTERED, resolved("10:00")).when(ticket.merge, at=on("09:30"), into_id="T-2", into=OTHER).then(merged("09:30"))


# Cancel.


def test_a_request_that_was_withdrawn_is_cancelled() -> None:
    spec.given(REGISTERED).when(ticket.cancel, at=on("09:30")).then(cancelled("09:30"))


def test_a_closed_ticket_takes_no_cancelling() -> None:
    spec.given(REGISTERED, closed("10:00")).when(ticket.cancel, at=on("10:00")).then_refused("A closed ticket takes no cancelling")


def test_cancelling_again_adds_nothing() -> None:
    spec.given(REGISTERED, cancelled("09:30")).when(ticket.cancel, at=on("09:40")).then_nothing()


def test_a_withdrawal_before_the_end_is_taken_late() -> None:
    spec.given(REGISTERED, closed("10:00")).when(ticket.cancel, at=on("09:59")).then(cancelled("09:59"))


# Mark as spam.


def test_what_never_was_a_request_is_marked() -> None:
    spec.given(REGISTERED).when(ticket.mark_spam, at=on("09:30")).then(spam("09:30"))


def test_a_merged_ticket_takes_no_marking() -> None:
    spec.given(REGISTERED, merged("10:00")).when(ticket.mark_spam, at=on("10:00")).then_refused("takes no marking as spam")


def test_marking_again_adds_nothing() -> None:
    spec.given(REGISTERED, spam("09:30")).when(ticket.mark_spam, at=on("09:40")).then_nothing()


def test_a_marking_before_the_end_is_taken_late() -> None:
    spec.given(REGISTERED, reopened("09:50"), closed("10:00")).when(ticket.mark_spam, at=on("09:30")).then(spam("09:30"))


# What only its first decision may do.


def test_a_ticket_that_nobody_registered_takes_nothing() -> None:
    spec.when(ticket.pause, at=on("09:30"), reason="on_hold").then_refused("has no facts")
