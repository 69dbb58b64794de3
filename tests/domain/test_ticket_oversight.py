"""Decisions on the record itself: corrections by two people, another policy, deadlines seen to have passed, other systems."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from desk import ASKED, CUSTOMER, PEOPLE, REGISTERED, closed, merged, on, paused, resolved, responded, spec
from hypothesis import given, settings

from opsledger.domain import policy, ticket
from opsledger.domain.concept import Moment, clocks_of
from opsledger.domain.fact import fact_type
from opsledger.domain.governance import learn
from opsledger.domain.recorded import in_business_order
from opsledger.policies import documents
from opsledger.policies.instants import micros, moment
from opsledger.policies.known import InForce
from opsledger.policies.operating_model import default_model
from opsledger.policies.support import Priority
from opsledger.testing import Spec, recorded
from opsledger.testing.strategies import ticket_histories

FIRST = spec.known.position + 1
"""Position of a ticket's first fact."""

# Correct a time.


def corrected(at: datetime, position: int, was: datetime, now: datetime, **dues: datetime | None) -> ticket.TimeCorrected:
    said = {"reason": "The clock of the phone was wrong", "requester_id": CUSTOMER, **PEOPLE}
    return ticket.TimeCorrected(corrected_at=at, corrects=position, was=was, now=now, **said, **dues)


WHY = {"reason": "The clock of the phone was wrong", **PEOPLE}
LATE = responded("10:30", on("12:30"))


def test_a_response_that_was_given_earlier_than_recorded_is_corrected_and_its_dues_move() -> None:
    outcome = spec.given(REGISTERED, LATE).when(
        ticket.correct_time, at=on("12:00"), corrects=FIRST + 1, was=on("10:30"), to=on("09:30"), **WHY
    )
    dues = {"update_by": on("11:30"), "resolve_by": on("17:00"), "escalate_by": on("11:00")}
    outcome.then(corrected(on("12:00"), FIRST + 1, on("10:30"), on("09:30"), **dues))


def test_a_correction_needs_two_people() -> None:
    alone = {**WHY, "approved_by": "u-1"}
    outcome = spec.given(REGISTERED, LATE).when(
        ticket.correct_time, at=on("12:00"), corrects=FIRST + 1, was=on("10:30"), to=on("09:30"), **alone
    )
    outcome.then_refused("u-1 asked for this correction and cannot approve it too")


@pytest.mark.parametrize(
    ("position", "was", "to", "sentence"),
    [
        (FIRST + 1, on("10:31"), on("09:30"), "does not say 2026-03-02T10:31:00+00:00; look at it again"),
        (FIRST + 1, on("10:30"), on("12:00:01"), "has not come yet"),
        (FIRST + 2, on("10:30"), on("09:30"), f"is no fact of ticket:T-1; its facts stand at {FIRST}, {FIRST + 1}"),
        (1, on("10:30"), on("09:30"), "Position 1 is no fact of ticket:T-1"),
        (FIRST + 1, on("10:30"), datetime(2026, 3, 2, 9, 30), "has no zone"),
        (FIRST + 1, datetime(2026, 3, 2, 10, 30), on("09:30"), "has no zone"),
        (FIRST, on("09:00"), datetime(1990, 3, 2, tzinfo=on("09:30").tzinfo), "covers 2000-01-01"),
    ],
    ids=["it says another time", "the future", "no such position", "another stream", "no zone", "was without a zone", "no calendar"],
)
def test_a_correction_of_what_is_not_so_is_refused(position: int, was: datetime, to: datetime, sentence: str) -> None:
    given_ = spec.given(ticket.Registered(**ASKED, registered_at=on("09:00"), priority=Priority.LOW, policy=spec.policy), LATE)
    outcome = given_.when(ticket.correct_time, at=on("12:00"), corrects=position, was=was, to=to, **WHY)
    outcome.then_refused(sentence)


def test_a_time_that_has_just_come_is_not_the_future() -> None:
    outcome = spec.given(REGISTERED, LATE).when(
        ticket.correct_time, at=on("12:00"), corrects=FIRST + 1, was=on("10:30"), to=on("12:00"), **WHY
    )
    assert outcome.error is None


def test_a_correction_that_says_what_is_known_adds_nothing() -> None:
    outcome = spec.given(REGISTERED, LATE).when(
        ticket.correct_time, at=on("12:00"), corrects=FIRST + 1, was=on("10:30"), to=on("10:30"), **WHY
    )
    outcome.then_nothing()


def test_a_correction_is_corrected_by_what_it_said_last() -> None:
    once = corrected(on("11:00"), FIRST + 1, on("10:30"), on("09:30"))
    given_ = spec.given(REGISTERED, LATE, once)
    again = {"corrects": FIRST + 1, "to": on("09:40"), **WHY}
    given_.when(ticket.correct_time, at=on("12:00"), was=on("10:30"), **again).then_refused("does not say")
    assert given_.when(ticket.correct_time, at=on("12:00"), was=on("09:30"), **again).facts


def test_a_correction_is_taken_after_the_end_and_also_late() -> None:
    for end in (closed("11:00"), closed("13:00")):
        given_ = spec.given(REGISTERED, LATE, end)
        assert given_.when(ticket.correct_time, at=on("12:00"), corrects=FIRST + 1, was=on("10:30"), to=on("09:30"), **WHY).facts


def test_a_resolution_that_came_earlier_than_recorded_ends_the_ticket_from_then_on() -> None:
    moved = corrected(on("12:00"), FIRST + 1, on("10:00"), on("09:30"))
    given_ = spec.given(REGISTERED, resolved("10:00"), moved)
    given_.when(ticket.respond, at=on("09:29")).then(responded("09:29"))
    given_.when(ticket.respond, at=on("09:30")).then_refused("reopen it first")


# Reassign the policy.


def longer_resolution() -> tuple[Spec, str]:
    """Return a specification whose ledger knows a second version, with sixteen hours for a resolution, and its reference."""
    document = json.loads(documents.canonical(default_model()))
    document["support"]["tiers"]["high"]["targets"]["resolution"]["within"] = "16 h"
    now = on("10:00")
    before = Moment(now, "u-1", "", f"policy:{policy.NAME}", InForce(spec.known, now))
    state = policy.evolve(None, _published_first())
    (published,) = policy.publish(state, before, document=json.dumps(document), proposed_by="u-1", approved_by="u-2")
    known = learn(spec.known, recorded(published, f"policy:{policy.NAME}", 2, spec.known.position + 1))
    return Spec("ticket:T-1", known), known.models()[-1].ref


def _published_first() -> policy.Published:
    text = documents.canonical(default_model())
    return policy.Published(
        published_at=on("09:00"),
        version=1,
        effective_from=on("09:00"),
        document=text,
        digest=documents.digest(text),
        months=policy.Months(zone="UTC", first="2000-01", starts=(0,), tz_version="2025b"),
        proposed_by="u-1",
        approved_by="u-2",
        reason="",
    )


NEWER, SECOND_VERSION = longer_resolution()
ASSIGNED = {"policy": SECOND_VERSION, "reason": "The contract says so", **PEOPLE}


def reassigned(wall: str, **dues: datetime | None) -> ticket.PolicyReassigned:
    return ticket.PolicyReassigned(reassigned_at=on(wall), was=spec.policy, **ASSIGNED, **dues)


def test_a_policy_published_meanwhile_moves_nothing_before_it_is_assigned() -> None:
    """The promise of five in the afternoon stays; sixteen hours run from nine, the elapsed time is kept."""
    outcome = NEWER.given(REGISTERED).when(ticket.reassign_policy, at=on("11:00"), **ASSIGNED)
    outcome.then(reassigned("11:00", respond_by=on("10:00"), resolve_by=on("01:00", "03"), escalate_by=on("11:00")))
    (clock,) = (each for each in clocks_of([recorded(REGISTERED, "ticket:T-1", 1, 9)], NEWER.known) if each.metric.name == "resolution")
    assert clock.due()[0] == micros(on("17:00"))


def test_a_policy_is_reassigned_by_two_people() -> None:
    alone = {**ASSIGNED, "approved_by": "u-1"}
    NEWER.given(REGISTERED).when(ticket.reassign_policy, at=on("11:00"), **alone).then_refused("cannot approve it too")


def test_a_policy_that_was_not_published_cannot_be_assigned() -> None:
    outcome = NEWER.given(REGISTERED).when(ticket.reassign_policy, at=on("11:00"), **{**ASSIGNED, "policy": "operating-model@9:abc"})
    outcome.then_refused("No operating model 'operating-model@9:abc' is published")


def test_the_policy_that_applies_already_is_not_assigned_again() -> None:
    NEWER.given(REGISTERED, reassigned("11:00")).when(ticket.reassign_policy, at=on("12:00"), **ASSIGNED).then_nothing()


def test_a_policy_is_reassigned_after_the_end_and_also_late() -> None:
    for end in (resolved("10:30"), resolved("11:30")):
        assert NEWER.given(REGISTERED, end).when(ticket.reassign_policy, at=on("11:00"), **ASSIGNED).facts


# What another system says.


def test_what_another_system_says_is_recorded_beside_ours_also_late() -> None:
    said: dict[str, Any] = {"status": "Closed", "reopen_count": 1, "reassignment_count": 2, "sla_met": False, "priority": "2 - High"}
    stated = ticket.SourceStated(stated_at=on("12:00"), **said)
    for end in ((), (closed("11:00"),), (closed("13:00"),)):
        spec.given(REGISTERED, *end).when(ticket.state_source, at=on("12:00"), **said).then(stated)


# Promises are one computation.


@settings(max_examples=60)
@given(ticket_histories())
def test_every_stamped_promise_is_what_the_clocks_derive_from_the_history_up_to_it(facts: tuple[Any, ...]) -> None:
    known, stamped = spec.known, 0
    history = [recorded(fact, "ticket:T-1", version, known.position + version) for version, fact in enumerate(facts, 1)]
    for version, fact in enumerate(facts, 1):
        clocks = clocks_of(history[:version], known)
        for field, metric in fact_type(type(fact)).promises:
            clock = clocks.current(metric)
            due = clock.due()[0] if clock is not None and clock.live else None
            assert getattr(fact, field) == (None if due is None else moment(due))
            stamped += 1
    assert stamped >= 3


@settings(max_examples=60)
@given(ticket_histories())
def test_every_history_of_decisions_can_be_folded_and_told_in_the_order_in_which_it_happened(facts: tuple[Any, ...]) -> None:
    history = [recorded(fact, "ticket:T-1", version, 100 + version) for version, fact in enumerate(facts, 1)]
    told = in_business_order(history)
    assert sorted(each.position for each in told) == [each.position for each in history]
    assert [each.occurred_at for each in told] == sorted(each.occurred_at for each in told)
    assert isinstance(told[0].fact, ticket.Registered)
    state = None
    for each in told:
        state = ticket.evolve(state, each.fact)
    assert state is not None


def test_a_pause_leaves_promises_open_until_it_ends() -> None:
    held = clocks_of([recorded(each, "ticket:T-1", i, 9 + i) for i, each in enumerate((REGISTERED, paused("09:30")), 1)], spec.known)
    found = held.current("resolution")
    assert found is not None
    assert found.due() == (None, None)


def test_a_merged_ticket_keeps_no_promise_open() -> None:
    ended = clocks_of([recorded(each, "ticket:T-1", i, 9 + i) for i, each in enumerate((REGISTERED, merged("09:30")), 1)], spec.known)
    assert not any(each.live for each in ended)
