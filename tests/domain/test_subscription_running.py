"""While it runs: payments, rest, use, reminders, renewal."""

from __future__ import annotations

from dataclasses import replace

from subscriber import ACTIVATED, ACTIVE, BIG, CREATED, SPEC, TERMS, TRIED, YEARLY, cycle, ended, held, on, past_due, paused, period

from opsledger.domain import subscription as s

LATE = SPEC.given(CREATED, ACTIVATED, past_due("04-01"))
UNPAID = s.MarkedUnpaid(marked_at=on("04-20"), **held())
RECOVERED = s.Recovered(recovered_at=on("04-05"), **held())


def test_a_payment_that_is_late_is_recorded_once() -> None:
    ACTIVE.when(s.mark_past_due, at=on("04-01")).then(past_due("04-01"))
    LATE.when(s.mark_past_due, at=on("04-02")).then_nothing()
    SPEC.given(CREATED).when(s.mark_past_due, at=on("04-01")).then_refused("has to be active or past due")


def test_an_earlier_lateness_typed_in_afterwards_is_recorded() -> None:
    LATE.when(s.mark_past_due, at=on("03-31")).then(past_due("03-31"))


def test_what_was_owed_comes_in() -> None:
    LATE.when(s.recover, at=on("04-05")).then(RECOVERED)
    LATE.when(s.recover, at=on("03-31")).then_nothing()
    SPEC.given(CREATED, ACTIVATED, past_due("04-01"), UNPAID).when(s.recover, at=on("05-01"), payment_id="P-1").then(
        s.Recovered(recovered_at=on("05-01"), payment_id="P-1", **held())
    )
    SPEC.given(CREATED, TRIED).when(s.recover, at=on("03-02")).then_refused("has to be past due or unpaid or active")


def test_collection_fails_only_after_a_payment_was_late() -> None:
    LATE.when(s.mark_unpaid, at=on("04-20")).then(UNPAID)
    ACTIVE.when(s.mark_unpaid, at=on("04-20")).then_refused("has to be past due")
    SPEC.given(CREATED, ACTIVATED, past_due("04-01"), UNPAID).when(s.mark_unpaid, at=on("04-21")).then_nothing()


def test_a_payment_typed_in_late_takes_the_failure_of_collection_along() -> None:
    """It came on the 5th; on the 20th nobody knew. By the time of each the subscription stands as it says."""
    given = SPEC.given(CREATED, ACTIVATED, past_due("04-01"), UNPAID, RECOVERED)
    given.when(s.mark_past_due, at=on("04-06")).then(past_due("04-06"))
    given.when(s.recover, at=on("04-25")).then(s.Recovered(recovered_at=on("04-25"), **held()))


def test_it_rests_and_runs_again() -> None:
    rests = paused("03-10", pause_until=on("05-10"))
    ACTIVE.when(s.pause, at=on("03-10"), pause_until=on("05-10")).then(rests)
    resting = SPEC.given(CREATED, ACTIVATED, rests)
    resting.when(s.pause, at=on("03-11"), pause_until=on("05-10")).then_nothing()
    resting.when(s.pause, at=on("03-11"), pause_until=on("06-10")).then(paused("03-11", pause_until=on("06-10")))
    resting.when(s.resume, at=on("05-10")).then(s.Resumed(resumed_at=on("05-10"), **held()))
    resting.when(s.renew, at=on("05-10")).then_refused("has to be active or past due")
    resting.when(s.resume, at=on("03-05")).then_nothing()
    anew = s.Resumed(resumed_at=on("05-10"), cycle=cycle("05-10"), period=period(0, "05-10", "06-10"), **held())
    resting.when(s.resume, at=on("05-10"), new_period=True).then(anew)


def test_a_pause_does_not_end_before_it_begins() -> None:
    ACTIVE.when(s.pause, at=on("03-10"), pause_until=on("03-10")).then_refused("give a later end")
    SPEC.given(CREATED, TRIED).when(s.pause, at=on("03-10")).then_refused("for a pause it has to be")


def test_whether_the_service_may_be_used_follows_the_state_unless_it_is_blocked() -> None:
    blocked = s.EntitlementChanged(changed_at=on("03-05"), customer_id="C-1", blocked=True, cause="abuse")
    allowed = replace(blocked, changed_at=on("03-07"), blocked=False)
    ACTIVE.when(s.block, at=on("03-05"), cause="abuse").then(blocked)
    SPEC.given(CREATED, ACTIVATED, blocked).when(s.block, at=on("03-06"), cause="abuse").then_nothing()
    SPEC.given(CREATED, ACTIVATED, blocked).when(s.unblock, at=on("03-07"), cause="abuse").then(allowed)
    SPEC.given(CREATED, ACTIVATED, ended("03-04")).when(s.block, at=on("03-05"), cause="abuse").then_refused("ended")

    def entitled(*facts: s.Fact) -> bool:
        state = s.evolve(None, CREATED)
        for fact in facts:
            state = s.evolve(state, fact)
        return state.standing.entitled

    assert [entitled(), entitled(TRIED), entitled(ACTIVATED), entitled(ACTIVATED, past_due("04-01"))] == [False, True, True, True]
    assert [entitled(ACTIVATED, past_due("04-01"), UNPAID), entitled(ACTIVATED, ended("04-01"))] == [False, False]
    assert [entitled(ACTIVATED, paused("03-10")), entitled(ACTIVATED, paused("03-10", entitled=True))] == [False, True]
    assert [entitled(ACTIVATED, blocked), entitled(ACTIVATED, blocked, allowed)] == [False, True]


def test_the_customer_is_told_of_a_renewal_once_by_each_channel() -> None:
    told = s.RenewalReminderSent(sent_at=on("03-25"), customer_id="C-1", renewal_at=on("04-01"), channel="email")
    ACTIVE.when(s.remind_renewal, at=on("03-25"), channel="email").then(told)
    SPEC.given(CREATED, ACTIVATED, told).when(s.remind_renewal, at=on("03-25"), channel="email").then_nothing()
    SPEC.given(CREATED, TRIED).when(s.remind_renewal, at=on("03-10"), channel="email").then_refused("has to be active")


def renewed(day: str, number: int, starts: str, ends: str) -> s.Renewed:
    return s.Renewed(renewed_at=on(day), was=TERMS, period=period(number, starts, ends), **held())


def test_the_next_period_begins() -> None:
    first = renewed("04-01", 1, "04-01", "05-01")
    ACTIVE.when(s.renew, at=on("04-01")).then(first)
    SPEC.given(CREATED, ACTIVATED, first).when(s.renew, at=on("04-01")).then_nothing()
    SPEC.given(CREATED, ACTIVATED, first).when(s.renew, at=on("05-01")).then(renewed("05-01", 2, "05-01", "06-01"))


def test_a_renewal_that_comes_late_and_twice_is_recorded_once() -> None:
    late = renewed("04-05", 1, "04-01", "05-01")
    ACTIVE.when(s.renew, at=on("04-05")).then(late)
    SPEC.given(CREATED, ACTIVATED, late).when(s.renew, at=on("04-05")).then_nothing()


def test_a_renewal_is_agreed_on_once_before_the_period_begins() -> None:
    ahead = renewed("03-20", 1, "04-01", "05-01")
    ACTIVE.when(s.renew, at=on("03-20")).then(ahead)
    SPEC.given(CREATED, ACTIVATED, ahead).when(s.renew, at=on("03-21")).then_nothing()
    SPEC.given(CREATED, ACTIVATED, ahead).when(s.renew, at=on("04-01")).then_nothing()


def test_after_a_long_rest_the_period_that_is_running_is_renewed_and_none_that_nobody_had() -> None:
    given = SPEC.given(CREATED, ACTIVATED, paused("03-10"), s.Resumed(resumed_at=on("06-15"), **held()))
    given.when(s.renew, at=on("06-15")).then(renewed("06-15", 3, "06-01", "07-01"))


def test_periods_of_the_31st_return_to_it() -> None:
    since = replace(ACTIVATED, activated_at=on("01-31"), cycle=cycle("01-31"), period=period(0, "01-31", "02-28"))
    given = SPEC.given(replace(CREATED, created_at=on("01-31")), since)
    given.when(s.renew, at=on("02-28")).then(renewed("02-28", 1, "02-28", "03-31"))
    (third,) = (
        SPEC.given(replace(CREATED, created_at=on("01-31")), since, renewed("02-28", 1, "02-28", "03-31"))
        .when(s.renew, at=on("03-31"))
        .facts
    )
    assert third.period == period(2, "03-31", "04-30")


def test_other_terms_may_hold_from_a_renewal_on_but_not_another_interval() -> None:
    dearer = replace(TERMS, plan_version=2, unit_amount_minor=1100)
    (made,) = ACTIVE.when(s.renew, at=on("04-01"), terms=dearer).facts
    assert (made.was, made.terms) == (TERMS, dearer)
    ACTIVE.when(s.renew, at=on("04-01"), terms=YEARLY).then_refused("change the plan for others")
    state = s.evolve(s.evolve(s.evolve(None, CREATED), ACTIVATED), made)
    assert state.standing.terms == dearer


def test_a_renewal_on_the_same_terms_takes_back_no_change_that_was_typed_in_late() -> None:
    changed = s.PlanChanged(changed_at=on("03-20"), direction="upgrade", was=TERMS, **held(BIG))
    state = s.evolve(s.evolve(s.evolve(s.evolve(None, CREATED), ACTIVATED), renewed("04-01", 1, "04-01", "05-01")), changed)
    assert state.standing.terms == BIG
