"""credit_assessment: what does which customer get back for a month, who decided it, and was it given?

Grain: one row per customer, service and month that was assessed, as of the newest assessment. Amounts are minor units of the
currency; `amount_minor` can be computed again from the other columns of the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from opsledger.domain import credit as c
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import micros
from opsledger.projections.kinds import Entity, Rows
from opsledger.projections.table import Row, Table, boolean, instant, integer, text

__all__ = ["CREDIT_ASSESSMENT", "PROJECTIONS"]

Decided = TypeVar("Decided", c.Reviewed, c.Approved, c.Rejected, c.Issued)

CREDIT_ASSESSMENT = Table(
    "credit_assessment",
    "One row per customer, service and month that was assessed for a service credit, as of the newest assessment.",
    key=("credit_id",),
    columns=(
        text("credit_id", "Customer, service and month, as in C-7/platform/2026-03."),
        text("customer_id", "Opaque id of the customer."),
        text("service_id", "Id of the service."),
        text("slo_id", "Id of the objective that the uptime is measured for; null: not named."),
        text("month", "Month, for example 2026-03, in the zone of the objective."),
        text("status", "assessed, contested, reviewed, approved, rejected, issued, or nothing_due when no more is to be given."),
        integer("assessment_count", "How often the month was assessed; review and approval are those of the last time."),
        integer("up_us", "Microseconds up, of the measured ones; their ratio is the uptime."),
        integer("measured_us", "Microseconds measured."),
        integer("tier_below_ppm", "Threshold that decides: the uptime is strictly below it; parts per million. Null: none was missed."),
        integer("credit_bp", "Share of the fee that the table gives, in hundredths of a percent."),
        integer("fee_minor", "Fee of the month, in minor units."),
        text("currency", "Currency of the amounts."),
        text("rounding", "How the amount was rounded: half_even, half_up, down or up."),
        integer("nothing_up_to_minor", "A credit not above this is not given, by the contract."),
        integer("amount_minor", "Credit for the month, in minor units."),
        integer("issued_minor", "What was given of it so far, in minor units."),
        integer("due_minor", "amount_minor - issued_minor: what is still to be given; below 0 when too much was."),
        boolean("claim_needed", "Whether it is given only to a customer who asks for it in time."),
        instant("claim_by_at", "By when the customer is to ask for it, that instant included."),
        instant("claimed_at", "When the customer first asked; null: not said."),
        boolean("claimed_in_time", "Whether claimed_at is no later than claim_by_at; null: no claim is known."),
        instant("assessed_at", "When it was last assessed."),
        text("assessed_by", "Opaque id of who assessed it."),
        integer("known_position", "Position of the newest fact that the uptime was computed from."),
        text("terms_source", "Where the table stands: the contract, or the operating model by version and digest."),
        instant("reviewed_at", "When the assessment was last reviewed; null: not yet."),
        text("reviewed_by", "Opaque id of who reviewed it."),
        instant("approved_at", "When it was approved; null: it was not."),
        text("approved_by", "Opaque id of who approved it: neither assessed_by nor reviewed_by."),
        instant("rejected_at", "When it was rejected; null: it was not."),
        text("rejected_by", "Opaque id of who rejected it."),
        instant("issued_at", "When a credit was last given for the month; null: not yet."),
        text("document_id", "The invoice or credit note on which it was last given."),
        integer("last_position", "Position of the newest fact on it."),
    ),
    indexes=(("customer_id", "month"), ("service_id", "month")),
)


@dataclass(slots=True)
class _Told:
    """The facts that decide, each the newest of its kind. Those on an assessment count while it is the newest."""

    credit_id: str
    assessed: c.Assessed | None = None
    claimed_at: int | None = None
    reviewed: c.Reviewed | None = None
    approved: c.Approved | None = None
    rejected: c.Rejected | None = None
    issued: c.Issued | None = None
    issued_minor: int = 0
    last_position: int = 0


def start(id: str) -> _Told:
    """Return the state of a credit before its first fact."""
    return _Told(id)


def fold(told: _Told, recorded: Recorded) -> _Told:
    """Return the state after one fact more."""
    event = recorded.fact
    told.last_position = max(told.last_position, recorded.position)
    match event:
        case c.Assessed() if told.assessed is None or event.number > told.assessed.number:
            told.assessed = event
        case c.Claimed() if told.claimed_at is None:
            told.claimed_at = recorded.occurred_at
        case c.Reviewed():
            told.reviewed = _newer(told.reviewed, event)
        case c.Approved():
            told.approved = _newer(told.approved, event)
        case c.Rejected():
            told.rejected = _newer(told.rejected, event)
        case c.Issued():
            told.issued, told.issued_minor = _newer(told.issued, event), told.issued_minor + event.amount_minor
        case _:
            pass  # a claim made again
    return told


def rows(told: _Told) -> Rows:
    """Return the row of one credit."""
    return {"credit_assessment": [] if told.assessed is None else _row(told, told.assessed)}


def _row(told: _Told, made: c.Assessed) -> Sequence[Row]:
    reviewed, approved, rejected = _on(made, told.reviewed), _on(made, told.approved), _on(made, told.rejected)
    due, claim_by = made.amount_minor - told.issued_minor, micros(made.claim_by)
    status = _status(reviewed, approved, rejected, issued=_on(made, told.issued) is not None)
    row = (
        told.credit_id,
        made.customer_id,
        made.service_id,
        made.slo_id,
        made.month,
        "nothing_due" if due <= 0 and status in ("assessed", "contested", "reviewed") else status,
        made.number,
        made.up_us,
        made.measured_us,
        None if made.tier is None else int(made.tier.below_pct * 10_000),
        0 if made.tier is None else int(made.tier.credit_pct * 100),
        made.fee_minor,
        made.currency,
        made.terms.rounding,
        made.terms.nothing_up_to_minor,
        made.amount_minor,
        told.issued_minor,
        due,
        made.terms.claim_needed,
        claim_by,
        told.claimed_at,
        None if told.claimed_at is None else told.claimed_at <= claim_by,
        micros(made.assessed_at),
        made.assessed_by,
        made.known_position,
        made.terms.source,
        reviewed and micros(reviewed.reviewed_at),
        reviewed and reviewed.reviewed_by,
        approved and micros(approved.approved_at),
        approved and approved.approved_by,
        rejected and micros(rejected.rejected_at),
        rejected and rejected.rejected_by,
        told.issued and micros(told.issued.issued_at),
        told.issued and told.issued.document_id,
        told.last_position,
    )
    return [row]


def _newer(known: Decided | None, event: Decided) -> Decided:
    """Return what was decided on the later assessment; of one assessment, what was decided last."""
    return event if known is None or event.number >= known.number else known


def _on(made: c.Assessed, decided: Decided | None) -> Decided | None:
    """Return what was decided on an assessment; None when it was decided on an earlier one."""
    return decided if decided is not None and decided.number == made.number else None


def _status(reviewed: c.Reviewed | None, approved: c.Approved | None, rejected: c.Rejected | None, *, issued: bool) -> str:
    if issued:
        return "issued"
    if approved is not None:
        return "approved"
    if rejected is not None:
        return "rejected"
    if reviewed is not None:
        return "reviewed" if reviewed.finding == "confirmed" else "contested"
    return "assessed"


PROJECTIONS = (Entity("credit_assessment", 1, concept="credit", tables=(CREDIT_ASSESSMENT,), start=start, fold=fold, rows=rows),)
