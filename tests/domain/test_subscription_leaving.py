"""Leaving and staying, and what is put right afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from subscriber import ACTIVATED, ACTIVE, CREATED, FIFTH, SPEC, TERMS, TRIED, ended, held, on, past_due, paused, period, to_end, wished

from opsledger.domain import subscription as s
from opsledger.domain.billing import ProrationRule

OFFERED = s.RetentionOfferMade(
    made_at=on("03-11"), customer_id="C-1", offer_id="O-1", kind="discount", discount=FIFTH, subject_id="subscription:S-1"
)
ACCEPTED = s.RetentionOfferAccepted(accepted_at=on("03-12"), customer_id="C-1", offer_id="O-1")
REVOKED = s.CancellationRevoked(revoked_at=on("03-12"), **held())
PEOPLE: dict[str, Any] = {"requested_by": "u-7", "approved_by": "u-8", "reason": "The contract says so"}


def test_a_customer_asks_to_leave_and_says_why() -> None:
    ACTIVE.when(s.request_cancellation, at=on("03-10"), reason="price").then(wished("03-10"))
    wishing = SPEC.given(CREATED, ACTIVATED, wished("03-10"))
    wishing.when(s.request_cancellation, at=on("03-11"), reason="price").then_nothing()
    wishing.when(s.request_cancellation, at=on("03-11"), reason="competitor").then(wished("03-11", "competitor"))
    wishing.when(s.request_cancellation, at=on("03-09"), reason="price").then(wished("03-09"))
    SPEC.given(CREATED, ACTIVATED, ended("03-10")).when(s.request_cancellation, at=on("03-10"), reason="price").then_refused("ended")


def test_an_offer_of_a_discount_names_it_and_no_other_does() -> None:
    ACTIVE.when(s.make_offer, at=on("03-11"), offer_id="O-1", kind="discount", discount=FIFTH).then(OFFERED)
    ACTIVE.when(s.make_offer, at=on("03-11"), offer_id="O-1", kind="discount").then_refused("names the discount")
    ACTIVE.when(s.make_offer, at=on("03-11"), offer_id="O-1", kind="pause", discount=FIFTH).then_refused("names the discount")


def test_an_offer_is_made_once_under_its_id() -> None:
    offered = SPEC.given(CREATED, ACTIVATED, OFFERED)
    offered.when(s.make_offer, at=on("03-12"), offer_id="O-1", kind="discount", discount=FIFTH).then_nothing()
    offered.when(s.make_offer, at=on("03-12"), offer_id="O-1", kind="pause").then_refused("an id of its own")


def test_who_accepts_an_offer_stays_and_has_what_was_offered() -> None:
    leaving = SPEC.given(CREATED, ACTIVATED, wished("03-10"), to_end("03-10", "04-01"), OFFERED)
    applied = s.DiscountApplied(applied_at=on("03-12"), customer_id="C-1", discount=FIFTH, terms=TERMS)
    leaving.when(s.accept_offer, at=on("03-12"), offer_id="O-1").then(ACCEPTED, REVOKED, applied)
    settled = SPEC.given(CREATED, ACTIVATED, OFFERED, ACCEPTED)
    settled.when(s.accept_offer, at=on("03-13"), offer_id="O-1").then_nothing()
    settled.when(s.decline_offer, at=on("03-13"), offer_id="O-1").then_refused("O-1 was accepted")


def test_who_declines_an_offer_goes_on_leaving() -> None:
    declined = s.RetentionOfferDeclined(declined_at=on("03-12"), customer_id="C-1", offer_id="O-1")
    SPEC.given(CREATED, ACTIVATED, OFFERED).when(s.decline_offer, at=on("03-12"), offer_id="O-1").then(declined)
    SPEC.given(CREATED, ACTIVATED, OFFERED, declined).when(s.decline_offer, at=on("03-13"), offer_id="O-1").then_nothing()
    ACTIVE.when(s.decline_offer, at=on("03-12"), offer_id="O-9").then_refused("O-9 was not offered")


def test_an_end_is_agreed_on_for_the_end_of_the_period_and_the_state_stays() -> None:
    ACTIVE.when(s.schedule_cancellation, at=on("03-10")).then(to_end("03-10", "04-01"))
    leaving = SPEC.given(CREATED, ACTIVATED, to_end("03-10", "04-01"))
    leaving.when(s.schedule_cancellation, at=on("03-11")).then_nothing()
    leaving.when(s.schedule_cancellation, at=on("03-11"), cancel_at=on("05-01")).then(to_end("03-11", "05-01"))
    leaving.when(s.mark_past_due, at=on("03-20")).then(past_due("03-20"))
    ACTIVE.when(s.schedule_cancellation, at=on("03-10"), cancel_at=on("03-10")).then_refused("end the subscription at it instead")
    SPEC.given(CREATED).when(s.schedule_cancellation, at=on("03-10")).then_refused("give a time")


def test_an_end_that_was_agreed_on_is_revoked() -> None:
    leaving = SPEC.given(CREATED, ACTIVATED, wished("03-10"), to_end("03-10", "04-01"))
    leaving.when(s.revoke_cancellation, at=on("03-12")).then(REVOKED)
    SPEC.given(CREATED, ACTIVATED, to_end("03-10", "04-01"), REVOKED).when(s.revoke_cancellation, at=on("03-13")).then_nothing()
    ACTIVE.when(s.revoke_cancellation, at=on("03-12")).then_nothing()


def test_it_ends_for_the_reason_that_was_agreed_on() -> None:
    ACTIVE.when(s.end, at=on("03-20")).then(ended("03-20"))
    agreed = replace(to_end("03-10", "04-01"), end_reason="cancelled_involuntary")
    SPEC.given(CREATED, ACTIVATED, agreed).when(s.end, at=on("04-01")).then(ended("04-01", "cancelled_involuntary"))
    SPEC.given(CREATED, ACTIVATED, ended("03-20")).when(s.end, at=on("03-20")).then_nothing()
    SPEC.given(CREATED, ACTIVATED, ended("03-20")).when(s.end, at=on("03-21")).then_refused("correct that end if it is wrong")


def test_an_earlier_end_typed_in_late_is_recorded() -> None:
    SPEC.given(CREATED, ACTIVATED, ended("03-20")).when(s.end, at=on("03-15")).then(ended("03-15"))


def test_what_is_left_of_the_period_is_given_back_only_where_that_is_asked_for() -> None:
    """25 of 31 days of 599.95, and 335 of 365 days of 2399.95."""
    price = replace(TERMS, quantity=1, unit_amount_minor=59_995)
    created = replace(CREATED, terms=price, proration=ProrationRule(unit="day"))
    activated = replace(ACTIVATED, terms=price, period=period(0, "03-01", "04-01"))
    (over,) = SPEC.given(created, activated).when(s.end, at=on("03-07"), give_back=True).facts
    assert (over.proration.credit_minor, over.proration.charge_minor, over.proration.net_minor) == (-48_383, 0, -48_383)
    (kept,) = SPEC.given(created, activated).when(s.end, at=on("03-07")).facts
    assert kept.proration is None
    (trial,) = SPEC.given(CREATED, TRIED).when(s.end, at=on("03-07"), give_back=True).facts
    assert trial.proration is None


def test_a_reason_fits_the_state_and_a_migration_names_what_follows() -> None:
    ACTIVE.when(s.end, at=on("03-20"), end_reason="incomplete_expired").then_refused("not incomplete")
    waiting = SPEC.given(CREATED, s.MarkedIncomplete(marked_at=on("03-01"), customer_id="C-1"))
    waiting.when(s.end, at=on("03-02"), end_reason="incomplete_expired").then(ended("03-02", "incomplete_expired"))
    ACTIVE.when(s.end, at=on("03-20"), end_reason="migrated").then_refused("names the one that takes its place")
    ACTIVE.when(s.end, at=on("03-20"), successor_id="S-2").then_refused("names the one that takes its place")
    moved = replace(ended("03-20", "migrated"), successor_id="S-2")
    ACTIVE.when(s.end, at=on("03-20"), end_reason="migrated", successor_id="S-2").then(moved)


# What is put right. The first fact stands at the position after what the ledger begins with.

FIRST = SPEC.known.position + 1


def corrected(to: str) -> s.TimeCorrected:
    who: dict[str, Any] = {"customer_id": "C-1", "subject_id": "subscription:S-1", **PEOPLE}
    return s.TimeCorrected(corrected_at=on("05-01"), corrects=FIRST + 2, version=3, what="paused", was=on("03-10"), now=on(to), **who)


def test_a_time_is_corrected_by_two_people_and_the_subscription_stands_by_it() -> None:
    given = SPEC.given(CREATED, ACTIVATED, paused("03-10"))
    asked = {"corrects": FIRST + 2, "was": on("03-10"), "to": on("03-20")}
    given.when(s.correct_time, at=on("05-01"), **asked, **PEOPLE).then(corrected("03-20"))
    after = SPEC.given(CREATED, ACTIVATED, paused("03-10"), corrected("03-20"))
    after.when(s.resume, at=on("03-15")).then_nothing()
    after.when(s.resume, at=on("03-21")).then(s.Resumed(resumed_at=on("03-21"), **held()))
    again = {"corrects": FIRST + 2, "was": on("03-20"), "to": on("03-20")}
    after.when(s.correct_time, at=on("05-02"), **again, **PEOPLE).then_nothing()


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ({"was": on("03-11")}, "does not say 2026-03-11"),
        ({"to": on("05-02")}, "has not come yet"),
        ({"to": on("02-28")}, "lies before its beginning"),
        ({"approved_by": "u-7"}, "cannot approve it too"),
        ({"corrects": FIRST + 9}, "is no fact of subscription:S-1"),
    ],
)
def test_a_correction_that_does_not_fit_is_refused(asked: dict[str, Any], part: str) -> None:
    given = SPEC.given(CREATED, ACTIVATED, paused("03-10"))
    right: dict[str, Any] = {"corrects": FIRST + 2, "was": on("03-10"), "to": on("03-20"), **PEOPLE}
    given.when(s.correct_time, at=on("05-01"), **{**right, **asked}).then_refused(part)


def test_what_did_not_happen_is_retracted_by_two_people() -> None:
    who: dict[str, Any] = {"customer_id": "C-1", "subject_id": "subscription:S-1", **PEOPLE}
    retracted = s.Retracted(retracted_at=on("05-01"), retracts=FIRST + 2, version=3, what="ended", happened_at=on("03-10"), **who)
    over = SPEC.given(CREATED, ACTIVATED, ended("03-10"))
    over.when(s.retract, at=on("05-01"), retracts=FIRST + 2, **PEOPLE).then(retracted)
    runs = SPEC.given(CREATED, ACTIVATED, ended("03-10"), retracted)
    runs.when(s.retract, at=on("05-02"), retracts=FIRST + 2, **PEOPLE).then_nothing()
    runs.when(s.pause, at=on("04-10")).then(paused("04-10"))
    runs.when(s.correct_time, at=on("05-02"), corrects=FIRST + 2, was=on("03-10"), to=on("03-11"), **PEOPLE).then_refused("was retracted")
    runs.when(s.retract, at=on("05-02"), retracts=FIRST + 3, **PEOPLE).then_refused("is a correction")
    over.when(s.retract, at=on("05-02"), retracts=FIRST, **PEOPLE).then_refused("cannot be without its beginning")
    over.when(s.retract, at=on("05-02"), retracts=FIRST + 2, **{**PEOPLE, "approved_by": "u-7"}).then_refused("cannot approve it too")


def test_the_beginning_moves_and_what_was_held_to_have_happened_before_it_happened_with_it() -> None:
    who: dict[str, Any] = {"customer_id": "C-1", "subject_id": "subscription:S-1", **PEOPLE}
    later = s.TimeCorrected(corrected_at=on("05-01"), corrects=FIRST, version=1, what="created", was=on("03-01"), now=on("03-05"), **who)
    state = None
    for fact in (CREATED, ACTIVATED, later):
        state = s.evolve(state, fact)
    assert state is not None
    assert (state.began_at, state.standing.activated_at) == (on("03-05"), on("03-05"))
    back = replace(later, was=on("03-05"), now=on("03-01"))
    assert s.evolve(state, back).standing.activated_at == on("03-01")
