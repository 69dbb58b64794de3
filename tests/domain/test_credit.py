"""Service credits: assessed by the contract's table, reviewed, approved by another person, issued."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from opsledger.domain import credit
from opsledger.policies.operating_model import default_model
from opsledger.policies.platform import CreditTier
from opsledger.testing import Spec, at, known_with

ID = "credit:C-7/platform/2026-03"
spec = Spec(ID)
MONTH_END = at("2026-04-01T00:00:00Z")
SECOND, THIRD, FOURTH, FIFTH = (at(f"2026-04-0{day}T09:00:00Z") for day in (2, 3, 4, 5))
CLAIM_BY = at("2026-05-01T00:00:00Z")
TERMS = credit.Terms(
    source="contract C-7, schedule 2",
    tiers=(
        credit.Tier(below_pct=Decimal("99.9"), credit_pct=Decimal(10)),
        credit.Tier(below_pct=Decimal("99.0"), credit_pct=Decimal(25)),
    ),
    rounding="half_even",
    nothing_up_to_minor=100,
    claim_needed=False,
    claim_within_s=30 * 86_400,
)
MONTH_US = 31 * 86_400_000_000
ASKED: dict[str, Any] = {
    "customer_id": "C-7",
    "service_id": "platform",
    "month": "2026-03",
    "month_ends_at": MONTH_END,
    "up_us": MONTH_US - 7_200_000_000,
    "measured_us": MONTH_US,
    "known_position": 40,
    "fee_minor": 123_456,
    "currency": "CAD",
    "terms": TERMS,
}
ASSESSED = credit.Assessed(
    assessed_at=SECOND,
    number=1,
    customer_id="C-7",
    service_id="platform",
    month="2026-03",
    known_position=40,
    up_us=MONTH_US - 7_200_000_000,
    measured_us=MONTH_US,
    fee_minor=123_456,
    currency="CAD",
    terms=TERMS,
    tier=TERMS.tiers[0],
    amount_minor=12_346,
    claim_by=CLAIM_BY,
    assessed_by="u-1",
)
REVIEWED = credit.Reviewed(reviewed_at=THIRD, number=1, finding="confirmed", reviewed_by="u-2", subject_id=ID, remark="As reported")
APPROVED = credit.Approved(approved_at=FOURTH, number=1, approved_by="u-3")
ISSUED = credit.Issued(issued_at=FIFTH, number=1, amount_minor=12_346, currency="CAD", document_id="CN-9")
REJECTED = credit.Rejected(rejected_at=FOURTH, number=1, rejected_by="u-3", subject_id=ID, reason="The customer's own network")


# Assessing.


def test_what_is_due_is_assessed_by_the_table_of_the_contract() -> None:
    spec.when(credit.assess, at=SECOND, by="u-1", **ASKED).then(ASSESSED)


def test_a_month_that_kept_its_promise_is_assessed_with_nothing_due() -> None:
    (kept,) = spec.when(credit.assess, at=SECOND, by="u-1", **{**ASKED, "up_us": MONTH_US}).facts
    assert (kept.tier, kept.amount_minor) == (None, 0)


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"customer_id": "C-8"}, "has the id C-8/platform/2026-03"),
        ({"measured_us": 0, "up_us": 0}, "is no uptime"),
        ({"up_us": MONTH_US + 1}, "is no uptime"),
        ({"currency": "dollars"}, "three letters"),
        ({"terms": None}, "give the terms of the contract"),
    ],
)
def test_what_cannot_be_assessed_is_refused(changed: dict[str, Any], refusal: str) -> None:
    spec.when(credit.assess, at=SECOND, by="u-1", **{**ASKED, **changed}).then_refused(refusal)


def test_a_month_is_assessed_from_its_end_on() -> None:
    spec.when(credit.assess, at=at("2026-03-31T23:59:59Z"), by="u-1", **ASKED).then_refused("assess it when it is over")
    assert len(spec.when(credit.assess, at=MONTH_END, by="u-1", **ASKED).facts) == 1


def test_without_terms_the_table_of_the_operating_model_holds() -> None:
    model = default_model()
    rows = tuple(CreditTier(uptime_from_pct=Decimal(bound), credit_pct=Decimal(share)) for bound, share in (("99.5", "5"), ("99", "10")))
    availability = model.availability.model_copy(update={"credits": rows, "credit_rounding": "down"})
    promised = Spec(ID, known_with(model.model_copy(update={"availability": availability})))
    (assessed,) = promised.when(credit.assess, at=SECOND, by="u-1", **{**ASKED, "terms": None}).facts
    assert assessed.terms.source == promised.policy
    assert (assessed.tier, assessed.amount_minor) == (credit.Tier(below_pct=Decimal("99.9"), credit_pct=Decimal(5)), 6172)
    assert assessed.claim_by == CLAIM_BY


def test_the_same_assessment_again_adds_nothing_and_other_figures_begin_anew() -> None:
    given = spec.given(ASSESSED, REVIEWED)
    given.when(credit.assess, at=THIRD, by="u-9", **{**ASKED, "known_position": 50}).then_nothing()
    (again,) = given.when(credit.assess, at=FOURTH, by="u-1", **{**ASKED, "up_us": MONTH_US - 1, "known_position": 50}).facts
    assert (again.number, again.amount_minor) == (2, 0)
    spec.given(ASSESSED, REVIEWED, again).when(credit.approve, at=FIFTH, by="u-3").then_refused("once a review has confirmed")
    given.when(credit.assess, at=MONTH_END, by="u-1", **{**ASKED, "up_us": 0}).then_refused("before the assessment before it")


# Claiming.


def test_the_first_claim_counts_also_one_that_comes_late() -> None:
    claimed = credit.Claimed(claimed_at=THIRD)
    spec.given(ASSESSED).when(credit.claim, at=THIRD).then(claimed)
    spec.given(ASSESSED, claimed).when(credit.claim, at=FOURTH).then_nothing()
    assert len(spec.given(ASSESSED, claimed).when(credit.claim, at=SECOND).facts) == 1
    assert len(spec.given(ASSESSED).when(credit.claim, at=at("2026-06-01T00:00:00Z")).facts) == 1


@pytest.mark.parametrize(
    ("claimed_at", "refusal"),
    [(None, "did not ask for it"), (at("2026-05-01T00:00:00.000001Z"), "asked for it at 2026-05-01"), (CLAIM_BY, None)],
)
def test_where_a_claim_is_needed_it_must_come_by_its_deadline(claimed_at: Any, refusal: str | None) -> None:
    assessed = replace(ASSESSED, terms=replace(TERMS, claim_needed=True))
    facts = () if claimed_at is None else (credit.Claimed(claimed_at=claimed_at),)
    outcome = spec.given(assessed, *facts, REVIEWED).when(credit.approve, at=at("2026-06-01T00:00:00Z"), by="u-3")
    if refusal is None:
        assert len(outcome.facts) == 1
    else:
        outcome.then_refused(refusal)


# Reviewing, approving, rejecting.


def test_an_assessment_is_reviewed_after_it_was_made() -> None:
    spec.given(ASSESSED).when(credit.review, at=THIRD, by="u-2", finding="confirmed", remark="As reported").then(REVIEWED)
    spec.given(ASSESSED, REVIEWED).when(credit.review, at=FOURTH, by="u-2", finding="confirmed").then_nothing()
    spec.given(ASSESSED).when(credit.review, at=MONTH_END, by="u-2", finding="confirmed").then_refused("lies before the assessment")
    spec.given(ASSESSED, REVIEWED, APPROVED).when(credit.review, at=FIFTH, by="u-2", finding="contested").then_refused("takes no review")


def test_of_two_reviews_the_one_that_was_held_last_counts() -> None:
    earlier = credit.Reviewed(reviewed_at=SECOND, number=1, finding="contested", reviewed_by="u-2", subject_id=ID)
    spec.given(ASSESSED, REVIEWED).when(credit.review, at=SECOND, by="u-2", finding="contested").then(earlier)
    spec.given(ASSESSED, REVIEWED, earlier).when(credit.approve, at=FOURTH, by="u-3").then(APPROVED)


def test_a_credit_is_approved_by_somebody_who_neither_assessed_nor_reviewed_it() -> None:
    given = spec.given(ASSESSED, REVIEWED)
    given.when(credit.approve, at=FOURTH, by="u-3").then(APPROVED)
    given.when(credit.approve, at=FOURTH, by="u-1").then_refused("name another approver")
    given.when(credit.approve, at=FOURTH, by="u-2").then_refused("name another approver")
    given.when(credit.approve, at=SECOND, by="u-3").then_refused("lies before the review")
    spec.given(ASSESSED, REVIEWED, APPROVED).when(credit.approve, at=FIFTH, by="u-3").then_nothing()
    spec.given(ASSESSED, REVIEWED, APPROVED).when(credit.approve, at=FIFTH, by="u-4").then_refused("takes no approval")


def test_only_a_confirmed_credit_that_is_due_is_approved() -> None:
    contested = replace(REVIEWED, finding="contested")
    spec.given(ASSESSED).when(credit.approve, at=FOURTH, by="u-3").then_refused("once a review has confirmed")
    spec.given(ASSESSED, contested).when(credit.approve, at=FOURTH, by="u-3").then_refused("once a review has confirmed")
    nothing = replace(ASSESSED, tier=None, amount_minor=0)
    spec.given(nothing, REVIEWED).when(credit.approve, at=FOURTH, by="u-3").then_refused("nothing to approve")


def test_a_credit_is_rejected_by_another_person_for_a_reason() -> None:
    given = spec.given(ASSESSED)
    given.when(credit.reject, at=FOURTH, by="u-3", reason="The customer's own network").then(REJECTED)
    given.when(credit.reject, at=FOURTH, by="u-1", reason="No").then_refused("name another approver")
    given.when(credit.reject, at=FOURTH, by="u-3", reason=" ").then_refused("say which")
    given.when(credit.reject, at=MONTH_END, by="u-3", reason="No").then_refused("lies before the assessment")
    rejected = spec.given(ASSESSED, REVIEWED, REJECTED)
    rejected.when(credit.approve, at=FIFTH, by="u-4").then_refused("takes no approval")
    rejected.when(credit.reject, at=FIFTH, by="u-3", reason="The same").then_nothing()


# Issuing.


def test_what_is_approved_is_issued_once() -> None:
    given = spec.given(ASSESSED, REVIEWED, APPROVED)
    given.when(credit.issue, at=FIFTH, document_id="CN-9").then(ISSUED)
    given.when(credit.issue, at=THIRD, document_id="CN-9").then_refused("lies before the approval")
    spec.given(ASSESSED, REVIEWED).when(credit.issue, at=FIFTH, document_id="CN-9").then_refused("once another person has approved")
    issued = spec.given(ASSESSED, REVIEWED, APPROVED, ISSUED)
    issued.when(credit.issue, at=FIFTH, document_id="CN-9").then_nothing()
    issued.when(credit.issue, at=FIFTH, document_id="CN-10").then_refused("assess the month again")


def test_of_a_month_restated_after_it_was_issued_only_the_difference_is_issued() -> None:
    worse = {**ASKED, "up_us": MONTH_US * 98 // 100}
    later = at("2026-04-06T09:00:00Z")
    (again,) = spec.given(ASSESSED, REVIEWED, APPROVED, ISSUED).when(credit.assess, at=later, by="u-1", **worse).facts
    assert (again.number, again.amount_minor) == (2, 30_864)
    decided = (replace(REVIEWED, number=2, reviewed_at=later), replace(APPROVED, number=2, approved_at=later))
    facts = (ASSESSED, REVIEWED, APPROVED, ISSUED, again, *decided)
    (issued,) = spec.given(*facts).when(credit.issue, at=later, document_id="CN-10").facts
    assert issued.amount_minor == 30_864 - 12_346
    spec.given(*facts).when(credit.assess, at=later, by="u-1", **{**worse, "currency": "USD"}).then_refused("in that currency")
    (better,) = spec.given(*facts, issued).when(credit.assess, at=later, by="u-1", **{**ASKED, "up_us": MONTH_US}).facts
    confirmed = replace(REVIEWED, number=3, reviewed_at=later)
    spec.given(*facts, issued, better, confirmed).when(credit.approve, at=later, by="u-3").then_refused("beyond what was issued")
