"""From the first word to the first paid period, and coming back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from subscriber import (
    ACTIVATED,
    ACTIVE,
    CREATED,
    FIFTH,
    RULE,
    SPEC,
    TERMS,
    TRIED,
    YEARLY,
    cycle,
    ended,
    held,
    on,
    paused,
    period,
)

from opsledger.domain import subscription as s
from opsledger.domain.billing import Discount
from opsledger.errors import Refused
from opsledger.testing import Spec

TRYING = SPEC.given(CREATED, TRIED)


def test_a_customer_subscribes() -> None:
    SPEC.when(s.create, at=on("03-01"), customer_id="C-1", terms=TERMS).then(CREATED)


def test_a_subscription_is_created_once() -> None:
    SPEC.given(CREATED).when(s.create, at=on("03-02"), customer_id="C-1", terms=TERMS).then_refused("choose another id")


def test_a_zone_that_there_is_not_is_refused_before_periods_need_it() -> None:
    SPEC.when(s.create, at=on("03-01"), customer_id="C-1", terms=TERMS, zone="Mars/Olympus").then_refused("zone.unknown")


@pytest.mark.parametrize("discount", [Discount(discount_id="D-2"), Discount(discount_id="D-2", off_bp=1, off_minor=1)])
def test_a_discount_takes_off_a_share_or_an_amount(discount: Discount) -> None:
    SPEC.when(s.create, at=on("03-01"), customer_id="C-1", terms=TERMS, discount=discount).then_refused("give one of the two")


def test_a_trial_begins() -> None:
    SPEC.given(CREATED).when(s.start_trial, at=on("03-01"), trial_ends_at=on("03-15")).then(TRIED)


def test_the_same_trial_again_adds_nothing_and_another_end_does() -> None:
    TRYING.when(s.start_trial, at=on("03-02"), trial_ends_at=on("03-15")).then_nothing()
    longer = s.TrialStarted(started_at=on("03-10"), customer_id="C-1", trial_ends_at=on("03-29"))
    TRYING.when(s.start_trial, at=on("03-10"), trial_ends_at=on("03-29")).then(longer)


def test_a_trial_that_is_over_at_once_is_refused() -> None:
    SPEC.given(CREATED).when(s.start_trial, at=on("03-01"), trial_ends_at=on("03-01")).then_refused("give a later end")


def test_what_runs_takes_no_trial() -> None:
    ACTIVE.when(s.start_trial, at=on("03-02"), trial_ends_at=on("03-15")).then_refused("for a trial it has to be pending or trialing")


def test_the_end_of_a_trial_is_told_once_by_each_channel() -> None:
    told = s.TrialEndingReminderSent(sent_at=on("03-12"), customer_id="C-1", trial_ends_at=on("03-15"), channel="email")
    TRYING.when(s.remind_trial_ending, at=on("03-12"), channel="email").then(told)
    SPEC.given(CREATED, TRIED, told).when(s.remind_trial_ending, at=on("03-12"), channel="email").then_nothing()
    SPEC.given(CREATED, TRIED, told).when(s.remind_trial_ending, at=on("03-12"), channel="app").then(replace(told, channel="app"))


def test_a_trial_is_converted_and_periods_count_from_there() -> None:
    converted = s.TrialConverted(converted_at=on("03-10"), **held(), cycle=cycle("03-10"), period=period(0, "03-10", "04-10"))
    TRYING.when(s.convert_trial, at=on("03-10")).then(converted)
    SPEC.given(CREATED, TRIED, converted).when(s.convert_trial, at=on("03-10")).then_nothing()
    SPEC.given(CREATED, TRIED, converted).when(s.convert_trial, at=on("03-11")).then_refused("has to be trialing")


def test_a_conversion_typed_in_late_is_recorded_though_the_trial_was_held_to_have_expired() -> None:
    expired = s.TrialExpired(expired_at=on("03-15"), customer_id="C-1")
    converted = s.TrialConverted(converted_at=on("03-14"), **held(), cycle=cycle("03-14"), period=period(0, "03-14", "04-14"))
    SPEC.given(CREATED, TRIED, expired).when(s.convert_trial, at=on("03-14")).then(converted)


def test_a_trial_expires_at_its_end_and_not_a_microsecond_before() -> None:
    expired = s.TrialExpired(expired_at=on("03-15"), customer_id="C-1")
    over = s.Ended(ended_at=on("03-15"), customer_id="C-1", end_reason="expired", terms=TERMS)
    TRYING.when(s.expire_trial, at=on("03-15")).then(expired, over)
    TRYING.when(s.expire_trial, at=on("03-15"), end=False).then(expired)
    TRYING.when(s.expire_trial, at=on("2026-03-14T23:59:59.999999Z")).then_refused("The trial runs until 2026-03-15")


def test_an_expired_trial_that_rests_is_activated_and_not_resumed() -> None:
    resting = SPEC.given(CREATED, TRIED, s.TrialExpired(expired_at=on("03-15"), customer_id="C-1"))
    resting.when(s.resume, at=on("03-20")).then_refused("activate it instead")
    activated = s.Activated(activated_at=on("03-20"), **held(), cycle=cycle("03-20"), period=period(0, "03-20", "04-20"))
    resting.when(s.activate, at=on("03-20")).then(activated)


def test_it_waits_for_the_first_payment_and_begins_with_it() -> None:
    waits = s.MarkedIncomplete(marked_at=on("03-01"), customer_id="C-1", invoice_id="I-1")
    SPEC.given(CREATED).when(s.mark_incomplete, at=on("03-01"), invoice_id="I-1").then(waits)
    SPEC.given(CREATED, waits).when(s.mark_incomplete, at=on("03-02")).then_nothing()
    SPEC.given(CREATED, waits).when(s.activate, at=on("03-01")).then(ACTIVATED)
    ACTIVE.when(s.mark_incomplete, at=on("03-02")).then_refused("has to be pending or incomplete")


def test_it_is_activated_once() -> None:
    SPEC.given(CREATED).when(s.activate, at=on("03-01")).then(ACTIVATED)
    ACTIVE.when(s.activate, at=on("03-01")).then_nothing()
    SPEC.given(CREATED, ACTIVATED, paused("03-10")).when(s.activate, at=on("03-12")).then_refused("resume it instead")


def test_with_an_anchor_of_earlier_the_first_period_is_the_one_that_is_running() -> None:
    activated = s.Activated(activated_at=on("03-20"), **held(), cycle=cycle("2026-01-31T00:00:00Z"), period=period(1, "02-28", "03-31"))
    SPEC.given(CREATED).when(s.activate, at=on("03-20"), anchor_at=on("01-31")).then(activated)


def test_the_discount_of_its_creation_holds_unless_it_is_over() -> None:
    created = replace(CREATED, discount=FIFTH)
    outcome = SPEC.given(created).when(s.activate, at=on("03-01"))
    assert outcome.facts[0].discount == FIFTH
    assert SPEC.given(created).when(s.activate, at=on("09-01")).facts[0].discount is None


def test_nothing_happens_before_the_beginning() -> None:
    ACTIVE.when(s.pause, at=on("02-28")).then_refused("It began at 2026-03-01")


def ended_before() -> s.Subscription:
    state = None
    for fact in (CREATED, ACTIVATED, ended("05-01")):
        state = s.evolve(state, fact)
    assert state is not None
    return state


def test_a_customer_comes_back_by_a_new_subscription_that_follows_the_old_one() -> None:
    back = s.Reactivated(
        reactivated_at=on("06-01"),
        previous_subscription_id="S-1",
        previous_ended_at=on("05-01"),
        proration=RULE,
        cycle=cycle("06-01"),
        period=period(0, "06-01", "07-01"),
        **held(),
    )
    following, previous = Spec("subscription:S-2"), ended_before()
    following.when(s.reactivate, at=on("06-01"), previous=previous, previous_subscription_id="S-1").then(back)
    SPEC.given(back).when(s.reactivate, at=on("06-01"), previous=previous, previous_subscription_id="S-1").then_refused("exists")
    on_others = following.when(s.reactivate, at=on("06-01"), previous=previous, previous_subscription_id="S-1", terms=YEARLY)
    assert on_others.facts[0].period == period(0, "06-01", "2027-06-01T00:00:00Z")


def test_nobody_comes_back_who_had_not_left() -> None:
    following, previous = Spec("subscription:S-2"), ended_before()
    early = following.when(s.reactivate, at=on("04-30"), previous=previous, previous_subscription_id="S-1")
    early.then_refused("S-1 had not ended by 2026-04-30")


def test_what_begins_with_something_else_is_no_subscription() -> None:
    with pytest.raises(Refused, match="begins with being created or reactivated, not with Paused"):
        s.evolve(None, paused("03-02"))
