"""Service credits: what a customer gets back for a month in which a promise was not kept.

    assessed ──> reviewed ──> approved, by another person ──> issued
       │  claimed   └─ contested        └─ rejected, with a reason
       └─ assessed again when the month is restated: review and approval begin anew, what was issued stays

One stream per customer, service and month: `credit:C-7/platform/2026-03`. The table comes from the contract, the uptime from
`sla_month`; both are kept in the assessment, so that the amount can be computed again from the fact alone.
Source: Operating Model, "Platform Availability SLAs" ("service credits for SLA breaches").
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal, assert_never

from pydantic import Field

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.fact import At, Personal, Subject, fact, part
from opsledger.errors import Refused
from opsledger.policies.credits import Rounding, amount_minor, from_bounds, tier_of

__all__ = [
    "Approved",
    "Assessed",
    "Claimed",
    "Credit",
    "Fact",
    "Finding",
    "Issued",
    "Rejected",
    "Reviewed",
    "Terms",
    "Tier",
    "approve",
    "assess",
    "claim",
    "evolve",
    "issue",
    "reject",
    "review",
]

Finding = Literal["confirmed", "contested"]
Minor = Annotated[int, Field(ge=0)]
"""Money in minor units of its currency, for example cents."""

# Facts. Stored for good: grow by an optional field or by a new fact.


@part
class Tier:
    """Strictly below this uptime, this share of the month's fee. Percentages."""

    below_pct: Annotated[Decimal, Field(gt=0, le=100, decimal_places=4)]
    credit_pct: Annotated[Decimal, Field(ge=0, le=100, decimal_places=2)]


@part
class Terms:
    """What the contract says of credits."""

    source: str  # where it says so: the contract, or the operating model by version and digest
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1)]
    rounding: Rounding
    nothing_up_to_minor: Minor  # a credit that is not above this is not given
    claim_needed: bool  # given only to a customer who asks in time
    claim_within_s: Annotated[int, Field(ge=0)]  # from the end of the month


@fact("credit.assessed", at="assessed_at")
class Assessed:
    """It was computed what the customer gets back for the month, by what the ledger knew."""

    assessed_at: At
    number: int  # of this assessment of the month, from 1
    customer_id: str
    service_id: str
    slo_id: str | None = None  # the objective that was missed, where the service has several
    month: str
    known_position: int  # newest fact that the uptime was computed from
    up_us: Minor
    measured_us: Minor
    fee_minor: Minor
    currency: str
    terms: Terms
    tier: Tier | None = None  # null: no threshold was missed
    amount_minor: Minor
    claim_by: At
    assessed_by: str


@fact("credit.claimed", at="claimed_at")
class Claimed:
    """The customer asked for the credit."""

    claimed_at: At


@fact("credit.reviewed", at="reviewed_at")
class Reviewed:
    """Somebody looked at the assessment and at what it rests on."""

    reviewed_at: At
    number: int  # of the assessment
    finding: Finding
    reviewed_by: str
    subject_id: Subject
    remark: Personal[str] | None = None


@fact("credit.approved", at="approved_at")
class Approved:
    """Somebody who neither assessed nor reviewed it allowed the credit."""

    approved_at: At
    number: int
    approved_by: str


@fact("credit.rejected", at="rejected_at")
class Rejected:
    """It was decided to give no credit for the assessment."""

    rejected_at: At
    number: int
    rejected_by: str
    subject_id: Subject
    reason: Personal[str]


@fact("credit.issued", at="issued_at")
class Issued:
    """The customer was given what was approved and not given before."""

    issued_at: At
    number: int
    amount_minor: Minor
    currency: str
    document_id: str  # the invoice or credit note on which it stands


Fact = Assessed | Claimed | Reviewed | Approved | Rejected | Issued

# State. The newest assessment, and what was decided on it.


@dataclass(frozen=True, slots=True)
class Credit:
    """The credit of a customer for a service and a month."""

    assessment: Assessed
    claimed_at: datetime | None = None
    reviewed: Reviewed | None = None
    approved: Approved | None = None
    rejected: Rejected | None = None
    issued: Issued | None = None
    issued_minor: int = 0  # in all

    @property
    def due_minor(self) -> int:
        """What is to be given beyond what was given already; below 0 when it was too much."""
        return self.assessment.amount_minor - self.issued_minor


@concept("credit")
def evolve(credit: Credit | None, event: Fact) -> Credit:
    """Return the credit after `event`, for every history ever recorded."""
    if credit is None:
        if not isinstance(event, Assessed):
            raise Refused("credit.unassessed", f"A credit begins with its assessment, not with {type(event).__name__}.")
        return Credit(event)
    match event:
        case Assessed():
            return Credit(event, claimed_at=credit.claimed_at, issued=credit.issued, issued_minor=credit.issued_minor)
        case Claimed():
            return replace(credit, claimed_at=min(event.claimed_at, credit.claimed_at or event.claimed_at))
        case Reviewed():
            late = credit.reviewed is not None and event.reviewed_at < credit.reviewed.reviewed_at
            return credit if late else replace(credit, reviewed=event)
        case Approved():
            return replace(credit, approved=event)
        case Rejected():
            return replace(credit, rejected=event)
        case Issued():
            return replace(credit, issued=event, issued_minor=credit.issued_minor + event.amount_minor)
        case _:
            assert_never(event)


# Decisions. Return the facts to record; `()` when there is nothing to add.


@starts
def assess(
    credit: Credit | None,
    now: Moment,
    /,
    *,
    customer_id: str,
    service_id: str,
    month: str,
    month_ends_at: datetime,
    up_us: int,
    measured_us: int,
    known_position: int,
    fee_minor: int,
    currency: str,
    terms: Terms | None = None,
    slo_id: str | None = None,
) -> tuple[Fact, ...]:
    """Record what is due for a month that ended at `month_ends_at`, by the contract's `terms` or else the operating model's table.

    `up_us` of `measured_us` is the uptime that `sla_month` shows as known at `known_position`. Assessed again with other
    figures, review and approval begin anew. A month without any measured time has no uptime and cannot be assessed.
    """
    if now.id != f"{customer_id}/{service_id}/{month}":
        raise Refused("credit.id", f"The credit of {customer_id} for {month} has the id {customer_id}/{service_id}/{month}, not {now.id}.")
    if now.at < month_ends_at:
        raise Refused("credit.month_not_over", f"{month} ends at {month_ends_at.isoformat()}; assess it when it is over.")
    if not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        raise Refused("credit.currency", f"{currency} is no currency; write its three letters, as in CAD.")
    terms = terms or _terms_of_policy(now, service_id)
    if measured_us <= 0 or not 0 <= up_us <= measured_us:
        raise Refused("credit.uptime", f"{up_us} of {measured_us} us is no uptime; take both from sla_month, where some time was measured.")
    tier = tier_of([(each.below_pct, each.credit_pct) for each in terms.tiers], up_us, measured_us)
    assessed = Assessed(
        assessed_at=now.at,
        number=1 if credit is None else credit.assessment.number + 1,
        customer_id=customer_id,
        service_id=service_id,
        slo_id=slo_id,
        month=month,
        known_position=known_position,
        up_us=up_us,
        measured_us=measured_us,
        fee_minor=fee_minor,
        currency=currency,
        terms=terms,
        tier=None if tier is None else Tier(below_pct=tier[0], credit_pct=tier[1]),
        amount_minor=amount_minor(fee_minor, tier[1], terms.rounding, nothing_up_to_minor=terms.nothing_up_to_minor) if tier else 0,
        claim_by=month_ends_at + timedelta(seconds=terms.claim_within_s),
        assessed_by=now.actor,
    )
    if credit is not None:
        _not_before(now, credit.assessment.assessed_at, "assessment", "the assessment before it")
        if credit.issued is not None and credit.issued.currency != currency:
            raise Refused("credit.currency", f"A credit in {credit.issued.currency} was issued for {month}; assess it in that currency.")
        if _says_the_same(credit.assessment, assessed):
            return ()
    return (assessed,)


def claim(credit: Credit, now: Moment, /) -> tuple[Fact, ...]:
    """Record that the customer asked for the credit, in time or not. The first time counts."""
    if credit.claimed_at is not None and now.at >= credit.claimed_at:
        return ()
    return (Claimed(claimed_at=now.at),)


def review(credit: Credit, now: Moment, /, *, finding: Finding, remark: str | None = None) -> tuple[Fact, ...]:
    """Record that the actor looked at the newest assessment and found it right, or not."""
    _undecided(credit, now, "review")
    _not_before(now, credit.assessment.assessed_at, "review", "the assessment")
    known = credit.reviewed
    if known is not None and (known.finding, known.reviewed_by) == (finding, now.actor):
        return ()
    number = credit.assessment.number
    return (Reviewed(reviewed_at=now.at, number=number, finding=finding, reviewed_by=now.actor, subject_id=now.stream, remark=remark),)


def approve(credit: Credit, now: Moment, /) -> tuple[Fact, ...]:
    """Record that the actor, who neither assessed nor reviewed it, allows the credit.

    A review must have confirmed it, something must be due, and where the contract asks for a claim it must have come in time.
    """
    if credit.approved is not None and credit.approved.approved_by == now.actor:
        return ()
    _undecided(credit, now, "approval")
    if credit.reviewed is None or credit.reviewed.finding != "confirmed":
        raise Refused(
            "credit.unreviewed", "A credit is approved once a review has confirmed its assessment; review it, or assess it again."
        )
    _not_before(now, credit.reviewed.reviewed_at, "approval", "the review")
    another(now.actor, credit.assessment.assessed_by, "this credit by assessing it")
    another(now.actor, credit.reviewed.reviewed_by, "this credit by reviewing it")
    if credit.due_minor <= 0:
        raise Refused(
            "credit.nothing_due", f"Nothing is due for {credit.assessment.month} beyond what was issued; there is nothing to approve."
        )
    _claimed_in_time(credit)
    return (Approved(approved_at=now.at, number=credit.assessment.number, approved_by=now.actor),)


def reject(credit: Credit, now: Moment, /, *, reason: str) -> tuple[Fact, ...]:
    """Record that the actor, who did not assess it, decided to give no credit for the newest assessment."""
    if credit.rejected is not None and credit.rejected.rejected_by == now.actor:
        return ()
    _undecided(credit, now, "rejection")
    _not_before(now, credit.assessment.assessed_at, "rejection", "the assessment")
    another(now.actor, credit.assessment.assessed_by, "this credit by assessing it")
    if not reason.strip():
        raise Refused("credit.no_reason", "A credit that the table gives is refused for a reason; say which.")
    number = credit.assessment.number
    return (Rejected(rejected_at=now.at, number=number, rejected_by=now.actor, subject_id=now.stream, reason=reason),)


def issue(credit: Credit, now: Moment, /, *, document_id: str) -> tuple[Fact, ...]:
    """Record that the customer was given what is approved, on an invoice or credit note."""
    issued, number = credit.issued, credit.assessment.number
    if issued is not None and issued.number == number:
        if issued.document_id == document_id:
            return ()
        raise Refused("credit.issued", f"It was issued on {issued.document_id} already; assess the month again if more is due.")
    if credit.approved is None:
        raise Refused("credit.unapproved", "A credit is issued once another person has approved it.")
    _not_before(now, credit.approved.approved_at, "issue", "the approval")
    due, currency = credit.due_minor, credit.assessment.currency
    return (Issued(issued_at=now.at, number=number, amount_minor=due, currency=currency, document_id=document_id),)


def _terms_of_policy(now: Moment, service_id: str) -> Terms:
    policy = now.policies.in_force
    promised = policy.model.availability
    if not promised.credits or service_id not in promised.services:
        raise Refused("credit.no_table", f"The operating model has no table of credits for {service_id}; give the terms of the contract.")
    tiers = from_bounds(promised.credits, promised.services[service_id].target_pct)
    return Terms(
        source=policy.ref,
        tiers=tuple(Tier(below_pct=below, credit_pct=credit) for below, credit in tiers),
        rounding=promised.credit_rounding,
        nothing_up_to_minor=promised.credit_nothing_up_to_minor,
        claim_needed=promised.credit_claim_needed,
        claim_within_s=promised.credit_claim_within,
    )


def _says_the_same(known: Assessed, new: Assessed) -> bool:
    """Return whether an assessment says what the newest one says, whoever made it, when, and as known where."""
    same = {"assessed_at": known.assessed_at, "number": known.number, "known_position": known.known_position}
    return replace(new, **same, assessed_by=known.assessed_by) == known  # type: ignore[arg-type]  # each by its own field


def _undecided(credit: Credit, now: Moment, what: str) -> None:
    if credit.approved is not None:
        raise Refused("credit.approved", f"{credit.approved.approved_by} approved it; an approved credit takes no {what}.")
    if credit.rejected is not None:
        raise Refused("credit.rejected", f"{credit.rejected.rejected_by} rejected it; a rejected credit takes no {what}.")


def _not_before(now: Moment, at: datetime, what: str, after: str) -> None:
    if now.at < at:
        raise Refused("credit.order", f"The {what} at {now.at.isoformat()} lies before {after} at {at.isoformat()}; say when it was.")


def _claimed_in_time(credit: Credit) -> None:
    claim_by = credit.assessment.claim_by
    if not credit.assessment.terms.claim_needed or (credit.claimed_at is not None and credit.claimed_at <= claim_by):
        return
    told = "did not ask for it" if credit.claimed_at is None else f"asked for it at {credit.claimed_at.isoformat()}"
    raise Refused("credit.unclaimed", f"The credit was to be claimed by {claim_by.isoformat()}, and the customer {told}; reject it.")
