"""Decisions on a ticket's end and after."""

from __future__ import annotations

import pytest
from desk import CUSTOMER, REGISTERED, cancelled, closed, escalated, merged, on, reopened, resolved, spam, spec
from pydantic import ValidationError

from opsledger.domain import ticket

AGAIN = {"resolve_by": on("18:00"), "escalate_by": on("12:00")}
"""Dues of a ticket that was resolved at ten, its response just due, and is reopened at eleven: an hour later each."""

# Resolve.


def test_a_resolution_is_recorded_with_what_ended_it() -> None:
    outcome = spec.given(REGISTERED).when(ticket.resolve, at=on("10:00"), code="fixed", resolution="The filter was wrong")
    said = {"code": "fixed", "resolution": "The filter was wrong", "agent_id": "u-7", "requester_id": CUSTOMER}
    outcome.then(ticket.Resolved(resolved_at=on("10:00"), **said))


def test_a_resolved_ticket_is_not_resolved_again_later() -> None:
    spec.given(REGISTERED, resolved("10:00")).when(ticket.resolve, at=on("10:01")).then_refused("takes no resolution; reopen it first")


def test_the_same_resolution_again_adds_nothing() -> None:
    spec.given(REGISTERED, resolved("10:00")).when(ticket.resolve, at=on("10:00")).then_nothing()


def test_an_earlier_resolution_is_taken_late() -> None:
    spec.given(REGISTERED, resolved("10:00")).when(ticket.resolve, at=on("09:30")).then(resolved("09:30"))


# Verify.


def verified(wall: str, accepted: bool) -> ticket.SolutionVerified:
    return ticket.SolutionVerified(verified_at=on(wall), accepted=accepted, requester_id=CUSTOMER)


def test_a_customer_who_finds_it_gone_verifies_the_solution() -> None:
    given = spec.given(REGISTERED, resolved("10:00"))
    given.when(ticket.verify_solution, at=on("11:00"), accepted=True).then(verified("11:00", True))


def test_a_customer_who_does_not_find_it_gone_reopens_the_ticket() -> None:
    given = spec.given(REGISTERED, resolved("10:00"))
    again = reopened("11:00", respond_by=on("10:00"), **AGAIN)
    given.when(ticket.verify_solution, at=on("11:00"), accepted=False).then(verified("11:00", False), again)


def test_without_a_resolution_there_is_nothing_to_verify() -> None:
    spec.given(REGISTERED).when(ticket.verify_solution, at=on("11:00"), accepted=True).then_refused("resolve it first")
    given = spec.given(REGISTERED, resolved("10:00"), closed("10:30"))
    given.when(ticket.verify_solution, at=on("11:00"), accepted=False).then_refused("reopen it if it is not gone")


def test_a_verification_before_the_reopening_is_taken_late() -> None:
    given = spec.given(REGISTERED, resolved("10:00"), reopened("11:00"))
    given.when(ticket.verify_solution, at=on("10:30"), accepted=True).then(verified("10:30", True))


# Close.


def test_a_resolved_ticket_is_closed() -> None:
    outcome = spec.given(REGISTERED, resolved("10:00")).when(ticket.close, at=on("11:00"), code="done")
    outcome.then(ticket.Closed(closed_at=on("11:00"), code="done"))


def test_a_ticket_may_be_closed_without_a_resolution() -> None:
    spec.given(REGISTERED).when(ticket.close, at=on("11:00")).then(closed("11:00"))


@pytest.mark.parametrize("end", [merged("10:00"), cancelled("10:00"), spam("10:00")], ids=["merged", "cancelled", "spam"])
def test_a_ticket_that_ended_otherwise_takes_no_closing(end: ticket.Fact) -> None:
    spec.given(REGISTERED, end).when(ticket.close, at=on("11:00")).then_refused("has ended already; it takes no closing")


def test_closing_again_adds_nothing() -> None:
    spec.given(REGISTERED, closed("10:00")).when(ticket.close, at=on("11:00")).then_nothing()


def test_an_earlier_closing_is_taken_late() -> None:
    """Closed at half past nine, reopened, closed again at eleven; the first closing is typed in at the end."""
    given = spec.given(REGISTERED, reopened("10:00"), closed("11:00"))
    given.when(ticket.close, at=on("09:30")).then(closed("09:30"))
    spec.given(REGISTERED, merged("10:00")).when(ticket.close, at=on("09:30")).then(closed("09:30"))


# Reopen.


def test_a_reopened_ticket_goes_on_where_it_stood() -> None:
    given = spec.given(REGISTERED, resolved("10:00"))
    outcome = given.when(ticket.reopen, at=on("11:00"), reason="Empty again")
    dues = {"respond_by": on("10:00"), **AGAIN}
    outcome.then(ticket.Reopened(reopened_at=on("11:00"), requester_id=CUSTOMER, reason="Empty again", **dues))


@pytest.mark.parametrize("end", [merged("10:00"), cancelled("10:00"), spam("10:00")], ids=["merged", "cancelled", "spam"])
def test_what_never_was_resolved_cannot_be_reopened(end: ticket.Fact) -> None:
    spec.given(REGISTERED, end).when(ticket.reopen, at=on("11:00")).then_refused("cannot be reopened; register a new one")


def test_an_open_ticket_is_not_reopened() -> None:
    spec.given(REGISTERED).when(ticket.reopen, at=on("11:00")).then_nothing()


def test_an_earlier_reopening_is_taken_late_also_when_the_ticket_was_cancelled_since() -> None:
    given = spec.given(REGISTERED, resolved("10:00"), cancelled("12:00"))
    (late,) = given.when(ticket.reopen, at=on("11:00")).facts
    assert isinstance(late, ticket.Reopened)
    assert late.reopened_at == on("11:00")


# Link knowledge.


def linked(wall: str) -> ticket.KnowledgeLinked:
    return ticket.KnowledgeLinked(linked_at=on(wall), article_id="K-5", use="used")


def test_an_article_that_was_used_is_linked_also_after_the_end() -> None:
    spec.given(REGISTERED).when(ticket.link_knowledge, at=on("09:30"), article_id="K-5", use="used").then(linked("09:30"))
    given = spec.given(REGISTERED, closed("10:00"))
    given.when(ticket.link_knowledge, at=on("10:30"), article_id="K-5", use="used").then(linked("10:30"))


def test_the_same_use_of_an_article_is_linked_once_and_another_use_again() -> None:
    given = spec.given(REGISTERED, linked("09:30"))
    given.when(ticket.link_knowledge, at=on("09:40"), article_id="K-5", use="used").then_nothing()
    assert given.when(ticket.link_knowledge, at=on("09:40"), article_id="K-5", use="updated").facts


def test_a_link_from_before_the_end_is_taken_late() -> None:
    given = spec.given(REGISTERED, closed("10:00"))
    given.when(ticket.link_knowledge, at=on("09:30"), article_id="K-5", use="used").then(linked("09:30"))


def test_an_article_can_be_used_in_known_ways_only() -> None:
    with pytest.raises(ValidationError, match="'used', 'written' or 'updated'"):
        spec.given(REGISTERED).when(ticket.link_knowledge, at=on("09:30"), article_id="K-5", use="read")


# Survey.


def surveyed(wall: str) -> ticket.SurveySent:
    return ticket.SurveySent(sent_at=on(wall))


def answered(wall: str, score: int) -> ticket.SurveyAnswered:
    return ticket.SurveyAnswered(answered_at=on(wall), score=score, requester_id=CUSTOMER)


def test_the_customer_is_asked_how_it_was_after_the_resolution() -> None:
    spec.given(REGISTERED, resolved("10:00")).when(ticket.send_survey, at=on("10:00")).then(surveyed("10:00"))


def test_the_customer_is_not_asked_before_the_resolution() -> None:
    spec.given(REGISTERED).when(ticket.send_survey, at=on("10:00")).then_refused("ask how it was when it is resolved")


def test_the_customer_is_asked_once_for_each_resolution() -> None:
    asked = (REGISTERED, resolved("10:00"), surveyed("10:10"))
    spec.given(*asked).when(ticket.send_survey, at=on("10:20")).then_nothing()
    spec.given(*asked, reopened("11:00"), resolved("12:00")).when(ticket.send_survey, at=on("12:00")).then(surveyed("12:00"))


def test_a_survey_from_before_the_reopening_is_taken_late() -> None:
    spec.given(REGISTERED, resolved("10:00"), reopened("11:00")).when(ticket.send_survey, at=on("10:30")).then(surveyed("10:30"))


def test_the_customers_answer_is_recorded() -> None:
    given = spec.given(REGISTERED, resolved("10:00"), surveyed("10:10"))
    given.when(ticket.answer_survey, at=on("11:00"), score=2).then(answered("11:00", 2))


def test_a_very_bad_answer_goes_to_the_executive_team() -> None:
    given = spec.given(REGISTERED, resolved("10:00"), surveyed("10:10"))
    outcome = given.when(ticket.answer_survey, at=on("11:00"), score=1)
    outcome.then(answered("11:00", 1), escalated("11:00", "l1", "executive", "customer_satisfaction"))


def test_a_ticket_that_the_executive_team_has_already_is_not_escalated_to_it() -> None:
    given = spec.given(REGISTERED, escalated("09:30", "l1", "executive"), resolved("10:00"), surveyed("10:10"))
    given.when(ticket.answer_survey, at=on("11:00"), score=1).then(answered("11:00", 1))


def test_without_a_survey_there_is_no_answer() -> None:
    spec.given(REGISTERED).when(ticket.answer_survey, at=on("11:00"), score=3).then_refused("No survey was sent")


@pytest.mark.parametrize("score", [0, 6])
def test_a_score_beside_the_scale_is_refused(score: int) -> None:
    given = spec.given(REGISTERED, resolved("10:00"), surveyed("10:10"))
    with pytest.raises(ValidationError, match="score"):
        given.when(ticket.answer_survey, at=on("11:00"), score=score)


def test_an_answer_from_before_the_reopening_is_taken_late() -> None:
    given = spec.given(REGISTERED, resolved("10:00"), surveyed("10:10"), reopened("11:00"))
    given.when(ticket.answer_survey, at=on("10:30"), score=4).then(answered("10:30", 4))


# Check in.


def checked(wall: str) -> ticket.CheckedIn:
    return ticket.CheckedIn(checked_in_at=on(wall), satisfied=None, requester_id=CUSTOMER)


def test_somebody_asks_later_whether_it_held() -> None:
    given = spec.given(REGISTERED, resolved("10:00"))
    given.when(ticket.check_in, at=on("12:00"), satisfied=None).then(checked("12:00"))


def test_nobody_asks_before_the_resolution() -> None:
    spec.given(REGISTERED).when(ticket.check_in, at=on("12:00"), satisfied=True).then_refused("check in after it is resolved")


def test_a_check_from_before_the_reopening_is_taken_late() -> None:
    given = spec.given(REGISTERED, resolved("10:00"), reopened("13:00"))
    given.when(ticket.check_in, at=on("12:00"), satisfied=None).then(checked("12:00"))


# Learn from it; an ended ticket takes these too, and each is a happening of its own.


def test_a_preventive_measure_is_recorded_with_its_change_also_late() -> None:
    said = {"change_id": "CH-3", "measure": "Check filters at save"}
    taken = ticket.PreventiveMeasureTaken(taken_at=on("12:00"), requester_id=CUSTOMER, **said)
    spec.given(REGISTERED, closed("11:00")).when(ticket.take_preventive_measure, at=on("12:00"), **said).then(taken)
    spec.given(REGISTERED, closed("13:00")).when(ticket.take_preventive_measure, at=on("12:00"), **said).then(taken)


def test_an_improvement_is_recorded_also_late() -> None:
    said = {"process": "intake", "improvement": "Ask for the report's name"}
    found = ticket.ImprovementIdentified(identified_at=on("12:00"), requester_id=CUSTOMER, **said)
    spec.given(REGISTERED, closed("11:00")).when(ticket.identify_improvement, at=on("12:00"), **said).then(found)
    spec.given(REGISTERED, closed("13:00")).when(ticket.identify_improvement, at=on("12:00"), **said).then(found)


def test_the_customers_words_go_to_the_team_that_they_concern_also_late() -> None:
    said = {"team": "product", "feedback": "Say that the report is empty"}
    sent = ticket.FeedbackForwarded(forwarded_at=on("12:00"), requester_id=CUSTOMER, **said)
    spec.given(REGISTERED, closed("11:00")).when(ticket.forward_feedback, at=on("12:00"), **said).then(sent)
    spec.given(REGISTERED, closed("13:00")).when(ticket.forward_feedback, at=on("12:00"), **said).then(sent)
