"""Decisions while a ticket is worked on."""

from __future__ import annotations

from desk import (
    CRITICAL,
    CUSTOMER,
    REGISTERED,
    cancelled,
    closed,
    merged,
    on,
    paused,
    reopened,
    replied,
    resolved,
    responded,
    resumed,
    spam,
    spec,
    told,
)

from opsledger.domain import ticket

# Respond.


def test_the_first_response_is_recorded_and_promises_the_next_update() -> None:
    spec.given(REGISTERED).when(ticket.respond, at=on("09:05")).then(responded("09:05", on("11:05")))


def test_the_same_response_again_adds_nothing() -> None:
    spec.given(REGISTERED, responded("09:05", on("11:05"))).when(ticket.respond, at=on("09:05")).then_nothing()


def test_an_earlier_response_typed_in_late_is_recorded() -> None:
    """The newest response, at ten past, is the one from which the next update is promised."""
    given = spec.given(REGISTERED, responded("09:10", on("11:10")))
    given.when(ticket.respond, at=on("09:05")).then(responded("09:05", on("11:10")))


def test_a_response_from_before_the_resolution_is_taken_late() -> None:
    spec.given(REGISTERED, resolved("10:00")).when(ticket.respond, at=on("09:59")).then(responded("09:59"))


def test_a_resolved_ticket_takes_no_response() -> None:
    given = spec.given(REGISTERED, resolved("09:05"))
    given.when(ticket.respond, at=on("09:05")).then_refused("reopen it first")
    given.when(ticket.respond, at=on("09:10")).then_refused("reopen it first")


def test_a_response_names_who_gave_it_if_that_was_not_the_actor() -> None:
    given = spec.given(REGISTERED)
    given.when(ticket.respond, at=on("09:05"), agent_id="u-9").then(responded("09:05", on("11:05"), by="u-9"))


# Update.


def test_an_update_unasked_is_recorded_and_promises_the_next_one() -> None:
    given = spec.given(REGISTERED, responded("09:05"))
    given.when(ticket.update_customer, at=on("10:00")).then(told("10:00", on("12:00")))


def test_an_ended_ticket_takes_no_update() -> None:
    spec.given(REGISTERED, merged("10:00")).when(ticket.update_customer, at=on("10:00")).then_refused("A merged ticket takes no update")


def test_the_same_update_again_adds_nothing() -> None:
    spec.given(REGISTERED, responded("09:05"), told("10:00")).when(ticket.update_customer, at=on("10:00")).then_nothing()


def test_an_earlier_update_is_taken_late() -> None:
    given = spec.given(REGISTERED, responded("09:05"), told("10:00"))
    given.when(ticket.update_customer, at=on("09:30")).then(told("09:30", on("12:00")))


# Hear from the customer.


def test_a_message_of_the_customer_is_recorded_and_no_answer_promised_where_the_model_promises_none() -> None:
    spec.given(REGISTERED).when(ticket.hear_from_customer, at=on("09:30")).then(replied("09:30"))


def test_a_customer_who_answers_ends_our_waiting() -> None:
    given = spec.given(REGISTERED, responded("09:05"), paused("09:30"))
    again = resumed("10:30", update_by=on("12:05"), resolve_by=on("18:00"), escalate_by=on("12:00"))
    given.when(ticket.hear_from_customer, at=on("10:30")).then(replied("10:30"), again)


def test_a_customer_who_answers_does_not_end_our_waiting_for_somebody_else() -> None:
    given = spec.given(REGISTERED, paused("09:30", "awaiting_vendor"))
    given.when(ticket.hear_from_customer, at=on("10:30")).then(replied("10:30"))


def test_a_customer_who_writes_on_a_resolved_ticket_reopens_it() -> None:
    given = spec.given(REGISTERED, responded("09:05"), resolved("10:00"))
    again = reopened("11:00", update_by=on("12:05"), resolve_by=on("18:00"), escalate_by=on("12:00"))
    given.when(ticket.hear_from_customer, at=on("11:00")).then(again, replied("11:00"))


def test_a_closed_ticket_takes_no_message_of_the_customer() -> None:
    given = spec.given(REGISTERED, closed("10:00"))
    given.when(ticket.hear_from_customer, at=on("11:00")).then_refused("takes no message of the customer; reopen it first")


def test_a_message_from_before_the_waiting_or_the_end_is_taken_late_and_ends_nothing() -> None:
    spec.given(REGISTERED, paused("09:30")).when(ticket.hear_from_customer, at=on("09:29")).then(replied("09:29"))
    spec.given(REGISTERED, closed("10:00")).when(ticket.hear_from_customer, at=on("09:59")).then(replied("09:59"))


# Investigate.


def test_somebody_begins_to_look_into_it() -> None:
    spec.given(REGISTERED).when(ticket.investigate, at=on("09:30")).then(
        ticket.InvestigationStarted(started_at=on("09:30"), agent_id="u-7")
    )


def test_an_ended_ticket_takes_no_investigation() -> None:
    spec.given(REGISTERED, spam("09:30")).when(ticket.investigate, at=on("09:30")).then_refused(
        "takes no investigation; register a new one"
    )


def test_an_investigation_from_before_the_end_is_taken_late() -> None:
    given = spec.given(REGISTERED, resolved("10:00"))
    given.when(ticket.investigate, at=on("09:30"), agent_id="u-9").then(ticket.InvestigationStarted(started_at=on("09:30"), agent_id="u-9"))


# Reproduce.


def reproduced(wall: str) -> ticket.Reproduced:
    return ticket.Reproduced(reproduced_at=on(wall), reproducible=True, requester_id=CUSTOMER, steps="Open March")


def test_that_the_problem_was_seen_is_recorded_with_its_steps() -> None:
    given = spec.given(REGISTERED)
    given.when(ticket.reproduce, at=on("09:30"), reproducible=True, steps="Open March").then(reproduced("09:30"))


def test_an_ended_ticket_takes_no_reproduction() -> None:
    spec.given(REGISTERED, closed("09:30")).when(ticket.reproduce, at=on("09:30"), reproducible=False).then_refused("takes no reproduction")


def test_a_reproduction_from_before_the_end_is_taken_late() -> None:
    given = spec.given(REGISTERED, closed("10:00"))
    given.when(ticket.reproduce, at=on("09:30"), reproducible=True, steps="Open March").then(reproduced("09:30"))


# Analyse.


def analysed(wall: str) -> ticket.Analysed:
    return ticket.Analysed(analysed_at=on(wall), requester_id=CUSTOMER, finding="The filter drops all rows")


def test_what_the_logs_showed_is_recorded_also_after_the_end_and_also_late() -> None:
    for end in ((), (closed("09:20"),), (closed("10:00"),)):
        given = spec.given(REGISTERED, *end)
        given.when(ticket.analyse, at=on("09:30"), finding="The filter drops all rows").then(analysed("09:30"))


# Involve.


def involved(wall: str) -> ticket.CollaborationRequested:
    return ticket.CollaborationRequested(requested_at=on(wall), team="data", requester_id=CUSTOMER, question="Is March there?")


ASKING = {"team": "data", "question": "Is March there?"}


def test_another_team_is_asked_and_the_ticket_stays() -> None:
    spec.given(REGISTERED).when(ticket.involve, at=on("09:30"), **ASKING).then(involved("09:30"))


def test_an_ended_ticket_takes_no_collaboration() -> None:
    spec.given(REGISTERED, cancelled("09:30")).when(ticket.involve, at=on("09:30"), **ASKING).then_refused("takes no collaboration")


def test_a_question_to_another_team_from_before_the_end_is_taken_late() -> None:
    spec.given(REGISTERED, cancelled("10:00")).when(ticket.involve, at=on("09:30"), **ASKING).then(involved("09:30"))


# Note.


def test_a_note_is_recorded_also_after_the_end_and_also_late() -> None:
    written = ticket.Noted(noted_at=on("09:30"), requester_id=CUSTOMER, note="Ask again on Friday")
    for end in ((), (merged("09:20"),), (merged("10:00"),)):
        spec.given(REGISTERED, *end).when(ticket.note, at=on("09:30"), text="Ask again on Friday").then(written)


# Propose and try a solution.


def proposed(wall: str) -> ticket.SolutionProposed:
    return ticket.SolutionProposed(proposed_at=on(wall), requester_id=CUSTOMER, solution="Reset the filter")


def tried(wall: str) -> ticket.SolutionTested:
    return ticket.SolutionTested(tested_at=on(wall), passed=True)


def test_what_is_thought_to_end_it_is_recorded() -> None:
    spec.given(REGISTERED).when(ticket.propose_solution, at=on("09:30"), solution="Reset the filter").then(proposed("09:30"))


def test_an_ended_ticket_takes_no_solution() -> None:
    given = spec.given(REGISTERED, resolved("09:30"))
    given.when(ticket.propose_solution, at=on("09:30"), solution="Reset the filter").then_refused("takes no solution; reopen it first")


def test_a_solution_from_before_the_end_is_taken_late() -> None:
    given = spec.given(REGISTERED, resolved("10:00"))
    given.when(ticket.propose_solution, at=on("09:30"), solution="Reset the filter").then(proposed("09:30"))


def test_how_the_solution_did_is_recorded() -> None:
    spec.given(REGISTERED, proposed("09:30")).when(ticket.try_solution, at=on("09:40"), passed=True).then(tried("09:40"))


def test_without_a_solution_there_is_nothing_to_try() -> None:
    spec.given(REGISTERED).when(ticket.try_solution, at=on("09:40"), passed=True).then_refused("propose one first")


def test_an_ended_ticket_takes_no_test() -> None:
    given = spec.given(REGISTERED, proposed("09:30"), closed("09:40"))
    given.when(ticket.try_solution, at=on("09:40"), passed=True).then_refused("takes no test")


def test_a_test_from_before_the_end_is_taken_late() -> None:
    given = spec.given(REGISTERED, proposed("09:30"), closed("10:00"))
    given.when(ticket.try_solution, at=on("09:40"), passed=True).then(tried("09:40"))


# What the state forgets nothing of.


def test_work_on_a_new_ticket_opens_it() -> None:
    for begun in (responded("09:05"), told("09:05"), ticket.InvestigationStarted(started_at=on("09:05"), agent_id="u-7")):
        assert ticket.evolve(ticket.evolve(None, CRITICAL), begun).status == "open"
