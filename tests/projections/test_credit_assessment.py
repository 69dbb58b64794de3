"""The rows of service credits: what is due, who decided, what was given."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from opsledger.app import OpsLedger
from opsledger.domain import credit
from opsledger.testing import at
from opsledger.testing.plugin import Clock

ID = "C-7/platform/2026-03"
TERMS = credit.Terms(
    source="contract C-7",
    tiers=(credit.Tier(below_pct=Decimal("99.95"), credit_pct=Decimal("12.5")),),
    rounding="half_up",
    nothing_up_to_minor=0,
    claim_needed=True,
    claim_within_s=30 * 86_400,
)
ASKED: dict[str, Any] = {
    "customer_id": "C-7",
    "service_id": "platform",
    "slo_id": "platform-uptime",
    "month": "2026-03",
    "month_ends_at": at("2026-04-01T00:00:00Z"),
    "up_us": 9994,
    "measured_us": 10_000,
    "known_position": 3,
    "fee_minor": 10_004,
    "currency": "CAD",
    "terms": TERMS,
}


@pytest.fixture(params=["sqlite", "pg"])
def ledger(request: pytest.FixtureRequest, opsledger_clock: Clock) -> OpsLedger:
    made: OpsLedger = request.getfixturevalue(f"opsledger_{request.param}")
    opsledger_clock.set("2026-06-01T00:00:00Z")
    return made


def act(ledger: OpsLedger, day: str, by: str, decision: Any, **arguments: Any) -> None:
    ledger.by(by, role="finance", at=at(f"{day}T09:00:00Z")).record(decision, ID, **arguments)


def says(ledger: OpsLedger, **expected: Any) -> None:
    (found,) = ledger.tables.select("credit_assessment", at_least=ledger.store.head().position, credit_id=ID)
    assert {name: found[name] for name in expected} == expected


def test_a_credit_from_assessment_to_issue_and_the_month_restated(ledger: OpsLedger) -> None:
    act(ledger, "2026-04-02", "u-1", credit.assess, **ASKED)
    says(ledger, status="assessed", tier_below_ppm=999_500, credit_bp=1250, amount_minor=1251, issued_minor=0, due_minor=1251)
    says(ledger, claim_by_at=at("2026-05-01T00:00:00Z"), claimed_in_time=None, rounding="half_up", terms_source="contract C-7")
    act(ledger, "2026-04-10", "u-5", credit.claim)
    act(ledger, "2026-04-03", "u-2", credit.review, finding="contested", remark="Which probes?")
    says(ledger, status="contested", reviewed_by="u-2", claimed_in_time=True)
    act(ledger, "2026-04-04", "u-2", credit.review, finding="confirmed")
    says(ledger, status="reviewed", reviewed_at=at("2026-04-04T09:00:00Z"))
    act(ledger, "2026-04-12", "u-3", credit.approve)
    says(ledger, status="approved", approved_by="u-3")
    act(ledger, "2026-04-13", "u-4", credit.issue, document_id="CN-9")
    says(ledger, status="issued", issued_minor=1251, due_minor=0, document_id="CN-9")
    act(ledger, "2026-04-20", "u-1", credit.assess, **{**ASKED, "fee_minor": 20_000})
    says(ledger, status="assessed", assessment_count=2, amount_minor=2500, due_minor=1249, reviewed_by=None, approved_by=None)
    act(ledger, "2026-04-21", "u-3", credit.reject, reason="A fee of another plan")
    says(ledger, status="rejected", rejected_by="u-3", issued_minor=1251, document_id="CN-9", last_position=ledger.store.head().position)
    assert sum(difference.rows for difference in ledger.tables.rebuild()) == 0


def test_a_claim_is_in_time_up_to_its_deadline_and_the_first_one_counts(ledger: OpsLedger) -> None:
    act(ledger, "2026-04-02", "u-1", credit.assess, **ASKED)
    act(ledger, "2026-05-01", "u-5", credit.claim)
    says(ledger, claimed_in_time=False)
    ledger.by("u-5", role="finance", at=at("2026-05-01T00:00:00Z")).record(credit.claim, ID)
    says(ledger, claimed_in_time=True, claimed_at=at("2026-05-01T00:00:00Z"))


def test_a_month_without_a_breach_has_nothing_due(ledger: OpsLedger) -> None:
    act(ledger, "2026-04-02", "u-1", credit.assess, **{**ASKED, "up_us": 10_000})
    says(ledger, status="nothing_due", tier_below_ppm=None, credit_bp=0, amount_minor=0, due_minor=0)


def test_a_review_typed_in_after_another_assessment_is_of_the_newest(ledger: OpsLedger) -> None:
    act(ledger, "2026-04-02", "u-1", credit.assess, **ASKED)
    act(ledger, "2026-04-09", "u-2", credit.review, finding="confirmed")
    act(ledger, "2026-04-05", "u-1", credit.assess, **{**ASKED, "up_us": 9990})
    says(ledger, status="assessed", reviewed_by=None)
    act(ledger, "2026-04-06", "u-2", credit.review, finding="contested")
    says(ledger, status="contested", reviewed_at=at("2026-04-06T09:00:00Z"))
