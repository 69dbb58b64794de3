"""Plan, quantity and discount: what changes, when, and the amounts that are kept with it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from subscriber import ACTIVATED, ACTIVE, BIG, CREATED, FIFTH, SPEC, TERMS, TRIED, YEARLY, counted, cycle, ended, on, paused, period

from opsledger.domain import subscription as s
from opsledger.domain.billing import Discount, Proration, ProrationRule, again

DAYS = ProrationRule(unit="day")


def amounts(proration: Proration | None) -> tuple[int, ...]:
    assert proration is not None
    return proration.part, proration.whole, proration.credit_minor, proration.charge_minor, proration.net_minor


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (ProrationRule(), (1_317_600, 2_678_400, -4919, 9839, 4920)),
        (DAYS, (16, 31, -5161, 10_323, 5162)),
        (ProrationRule(unit="day", change_day="old"), (15, 31, -4839, 9677, 4838)),
        (ProrationRule(unit="day", zone="Asia/Tokyo"), (15, 31, -4839, 9677, 4838)),
        (ProrationRule(unit="fixed30"), (15, 30, -5000, 10_000, 5000)),
        (ProrationRule(unit="none"), (0, 1, 0, 0, 0)),
    ],
)
def test_the_same_change_comes_to_what_its_rule_says_and_the_fact_keeps_rule_and_amounts(
    rule: ProrationRule, expected: tuple[int, ...]
) -> None:
    """100.00 to 200.00 on 16 March at 18:00 UTC, which is the 17th in Tokyo, whose periods begin on the 1st at 9."""
    created = replace(CREATED, proration=rule)
    outcome = SPEC.given(created, ACTIVATED).when(s.change_plan, at=on("2026-03-16T18:00:00Z"), terms=BIG)
    (changed,) = outcome.facts
    assert amounts(changed.proration) == expected
    assert (changed.direction, changed.was, changed.terms, changed.proration.rule) == ("upgrade", TERMS, BIG, rule)
    assert again(changed.proration, TERMS.length, changed.changed_at) == changed.proration


def test_an_auditor_finds_an_amount_that_the_rule_does_not_give() -> None:
    (changed,) = ACTIVE.when(s.change_plan, at=on("03-16"), terms=BIG).facts
    assert again(changed.proration, TERMS.length, changed.changed_at) == changed.proration
    wrong = replace(changed.proration, credit_minor=changed.proration.credit_minor - 1)
    assert again(wrong, TERMS.length, changed.changed_at) != wrong


def test_the_boundary_of_a_period_belongs_to_the_one_that_it_begins() -> None:
    (last,) = ACTIVE.when(s.change_plan, at=on("2026-03-31T23:59:59Z"), terms=BIG).facts
    assert amounts(last.proration) == (1, 2_678_400, 0, 0, 0)
    (first,) = ACTIVE.when(s.change_plan, at=on("04-01"), terms=BIG).facts
    assert amounts(first.proration) == (2_592_000, 2_592_000, -10_000, 20_000, 10_000)
    assert first.proration.period == period(1, "04-01", "05-01")


def test_another_rule_may_be_given_for_one_change() -> None:
    (changed,) = ACTIVE.when(s.change_plan, at=on("03-16"), terms=BIG, proration=DAYS).facts
    assert amounts(changed.proration) == (16, 31, -5161, 10_323, 5162)


def test_the_price_after_discount_is_prorated() -> None:
    given = SPEC.given(CREATED, ACTIVATED, s.DiscountApplied(applied_at=on("03-02"), customer_id="C-1", discount=FIFTH, terms=TERMS))
    (changed,) = given.when(s.change_plan, at=on("03-16"), terms=BIG, proration=DAYS).facts
    assert (changed.proration.old_minor, changed.proration.new_minor, changed.discount) == (8000, 16_000, FIFTH)


def test_another_interval_begins_a_new_period_that_is_charged_whole() -> None:
    (changed,) = ACTIVE.when(s.change_plan, at=on("03-16"), terms=YEARLY, proration=DAYS).facts
    assert (changed.cycle, changed.period) == (cycle("03-16"), period(0, "03-16", "2027-03-16T00:00:00Z"))
    assert amounts(changed.proration) == (16, 31, -5161, 100_000, 94_839)
    assert changed.direction == "downgrade"  # a year for ten months' price


def test_before_it_is_paid_for_nothing_is_prorated() -> None:
    (changed,) = SPEC.given(CREATED, TRIED).when(s.change_plan, at=on("03-05"), terms=BIG).facts
    assert (changed.proration, changed.cycle) == (None, None)
    (changed,) = SPEC.given(CREATED, ACTIVATED, paused("03-05")).when(s.change_plan, at=on("03-06"), terms=BIG).facts
    assert changed.proration is None


def test_the_same_terms_again_add_nothing() -> None:
    ACTIVE.when(s.change_plan, at=on("03-16"), terms=TERMS).then_nothing()


def test_a_subscription_keeps_its_currency() -> None:
    ACTIVE.when(s.change_plan, at=on("03-16"), terms=replace(BIG, currency="USD")).then_refused("billed in EUR, not USD")


def test_what_has_ended_is_not_changed_but_what_happened_before_its_end_is_recorded() -> None:
    over = SPEC.given(CREATED, ACTIVATED, ended("03-20"))
    over.when(s.change_plan, at=on("03-20"), terms=BIG).then_refused("reactivate it as a new one")
    assert over.when(s.change_plan, at=on("2026-03-19T23:59:59Z"), terms=BIG).facts[0].terms == BIG


def test_a_change_is_agreed_for_later_and_then_made() -> None:
    agreed = s.PlanChangeScheduled(scheduled_at=on("03-10"), customer_id="C-1", change_at=on("04-01"), direction="upgrade", terms=BIG)
    ACTIVE.when(s.schedule_plan_change, at=on("03-10"), terms=BIG, change_at=on("04-01")).then(agreed)
    waiting = SPEC.given(CREATED, ACTIVATED, agreed)
    waiting.when(s.schedule_plan_change, at=on("03-11"), terms=BIG, change_at=on("04-01")).then_nothing()
    waiting.when(s.change_plan, at=on("2026-03-31T23:59:59Z")).then_refused("give the terms")
    (changed,) = waiting.when(s.change_plan, at=on("04-01")).facts
    assert changed.terms == BIG
    done = SPEC.given(CREATED, ACTIVATED, agreed, changed)
    done.when(s.revoke_plan_change, at=on("04-02")).then_nothing()


def test_a_change_agreed_for_later_is_revoked() -> None:
    agreed = s.PlanChangeScheduled(scheduled_at=on("03-10"), customer_id="C-1", change_at=on("04-01"), direction="upgrade", terms=BIG)
    revoked = s.PlanChangeRevoked(revoked_at=on("03-12"), customer_id="C-1", change_at=on("04-01"))
    SPEC.given(CREATED, ACTIVATED, agreed).when(s.revoke_plan_change, at=on("03-12")).then(revoked)
    SPEC.given(CREATED, ACTIVATED, agreed, revoked).when(s.change_plan, at=on("04-01")).then_refused("give the terms")
    ACTIVE.when(s.revoke_plan_change, at=on("03-12")).then_nothing()


def test_a_change_is_not_agreed_for_the_past() -> None:
    ACTIVE.when(s.schedule_plan_change, at=on("03-10"), terms=BIG, change_at=on("03-10")).then_refused("change the plan at it instead")


def test_seats_are_added_and_taken_away() -> None:
    (more,) = ACTIVE.when(s.change_quantity, at=on("03-16"), quantity=13, proration=DAYS).facts
    assert (more.was_quantity, more.quantity, more.terms.amount_minor) == (10, 13, 13_000)
    assert amounts(more.proration) == (16, 31, -5161, 6710, 1549)
    (fewer,) = ACTIVE.when(s.change_quantity, at=on("03-16"), quantity=0, proration=DAYS).facts
    assert amounts(fewer.proration)[2:] == (-5161, 0, -5161)
    ACTIVE.when(s.change_quantity, at=on("03-16"), quantity=10).then_nothing()
    ACTIVE.when(s.change_quantity, at=on("03-16"), quantity=-1).then_refused("give 0 or more")


def test_a_flat_price_does_not_follow_the_seats() -> None:
    flat = replace(TERMS, pricing="flat")
    given = SPEC.given(replace(CREATED, terms=flat), replace(ACTIVATED, terms=flat))
    (more,) = given.when(s.change_quantity, at=on("03-16"), quantity=99).facts
    assert (more.terms.amount_minor, more.proration.net_minor) == (1000, 0)


def test_a_change_of_plan_typed_in_late_takes_back_no_change_of_quantity_that_a_later_fact_says() -> None:
    """Twenty seats from the 20th; on the 25th it is typed in that the plan had changed on the 10th, when there were ten."""
    given = SPEC.given(CREATED, ACTIVATED, counted("03-20", 20))
    (late,) = given.when(s.change_plan, at=on("03-10"), terms=BIG).facts
    assert (late.was.quantity, late.terms.quantity) == (10, 10)
    state = SPEC.given(CREATED, ACTIVATED, counted("03-20", 20), late)
    (next_change,) = state.when(s.change_quantity, at=on("03-25"), quantity=21).facts
    assert (next_change.was_quantity, next_change.terms.plan_id, next_change.terms.unit_amount_minor) == (20, "big", 2000)


def test_a_discount_holds_from_then_on_and_up_to_its_end() -> None:
    given = s.DiscountApplied(applied_at=on("03-10"), customer_id="C-1", discount=FIFTH, terms=TERMS)
    ACTIVE.when(s.apply_discount, at=on("03-10"), discount=FIFTH).then(given)
    SPEC.given(CREATED, ACTIVATED, given).when(s.apply_discount, at=on("03-11"), discount=FIFTH).then_nothing()
    ACTIVE.when(s.apply_discount, at=on("09-01"), discount=FIFTH).then_refused("is over by 2026-09-01")
    standing = s.evolve(s.evolve(s.evolve(None, CREATED), ACTIVATED), given).standing
    assert [standing.amount_minor(on(day)) for day in ("2026-08-31T23:59:59Z", "09-01")] == [8000, 10_000]


@pytest.mark.parametrize(
    ("discount", "price"),
    [
        (Discount(discount_id="D", off_bp=1), 9999),
        (Discount(discount_id="D", off_bp=10_000), 0),
        (Discount(discount_id="D", off_minor=2500), 7500),
        (Discount(discount_id="D", off_minor=10_001), 0),
    ],
)
def test_no_more_is_taken_off_than_is_asked_for(discount: Discount, price: int) -> None:
    assert s.priced(TERMS, discount) == price


def test_a_discount_is_taken_back_once() -> None:
    applied = s.DiscountApplied(applied_at=on("03-10"), customer_id="C-1", discount=FIFTH, terms=TERMS)
    expired = s.DiscountExpired(expired_at=on("03-12"), customer_id="C-1", discount_id="D-1", terms=TERMS)
    SPEC.given(CREATED, ACTIVATED, applied).when(s.expire_discount, at=on("03-12")).then(expired)
    SPEC.given(CREATED, ACTIVATED, applied, expired).when(s.expire_discount, at=on("03-13")).then_nothing()
    ACTIVE.when(s.expire_discount, at=on("03-12")).then_nothing()


def test_facts_that_move_money_say_all_that_a_table_of_revenue_needs() -> None:
    moves = {"PlanChanged", "QuantityChanged", "DiscountApplied", "DiscountExpired", "Paused", "Resumed"}
    moves |= {"Activated", "TrialConverted", "Reactivated", "Renewed", "Ended", "MarkedPastDue", "MarkedUnpaid", "Recovered"}
    for name in moves:
        assert {"customer_id", "terms"} <= set(getattr(s, name).__dataclass_fields__), name
    for name in moves - {"DiscountExpired"}:
        assert "discount" in getattr(s, name).__dataclass_fields__, name
