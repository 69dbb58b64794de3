"""What happens to a subscription. Stored for good: grow by an optional field or by a new fact.

Every fact names its customer, so that a customer's revenue is found by it. Facts that move money carry the whole terms and the
discount as they were known to hold from then on; which part of them a fact itself changes is told by `standing.after`, so that one
typed in late takes back nothing that a later one says. Free text is personal and sealed for the subscription: `subject_id` is its
stream. Ids of invoices and payments are those of the host's billing system.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from opsledger.domain.billing import Cycle, Discount, Period, Proration, ProrationRule, Terms
from opsledger.domain.fact import At, Personal, Subject, fact

Direction = Literal["upgrade", "downgrade", "lateral"]
EndReason = Literal["cancelled_voluntary", "cancelled_involuntary", "expired", "incomplete_expired", "migrated"]
CancellationReason = Literal[
    "price", "missing_feature", "competitor", "not_used", "quality", "support", "complexity", "business_closed", "temporary", "other"
]
OfferKind = Literal["discount", "pause", "downgrade", "extension", "other"]

# Beginning.


@fact("subscription.created", at="created_at")
class Created:
    """A customer subscribed; nothing has begun to run yet."""

    created_at: At
    customer_id: str
    terms: Terms
    discount: Discount | None = None
    proration: ProrationRule  # the plan's, pinned here
    zone: str  # in whose days billing periods are counted
    starts_at: At | None = None  # when it is to begin; null: not agreed, or at once
    contract_signed_at: At | None = None


@fact("subscription.reactivated", at="reactivated_at")
class Reactivated:
    """A customer whose subscription had ended came back; this new one follows it, and the ended one never moves again."""

    reactivated_at: At
    customer_id: str
    previous_subscription_id: str
    previous_ended_at: At
    terms: Terms
    discount: Discount | None = None
    proration: ProrationRule
    cycle: Cycle
    period: Period
    invoice_id: str | None = None


@fact("subscription.trial_started", at="started_at")
class TrialStarted:
    """The customer began to try it for nothing."""

    started_at: At
    customer_id: str
    trial_ends_at: At


@fact("subscription.trial_ending_reminder_sent", at="sent_at")
class TrialEndingReminderSent:
    """The customer was told that the trial is about to end."""

    sent_at: At
    customer_id: str
    trial_ends_at: At
    channel: str


@fact("subscription.trial_converted", at="converted_at")
class TrialConverted:
    """The trial became a paid subscription."""

    converted_at: At
    customer_id: str
    terms: Terms
    discount: Discount | None = None
    cycle: Cycle
    period: Period
    invoice_id: str | None = None


@fact("subscription.trial_expired", at="expired_at")
class TrialExpired:
    """The trial ended without becoming a paid subscription; it rests until it is resumed or ended."""

    expired_at: At
    customer_id: str


@fact("subscription.marked_incomplete", at="marked_at")
class MarkedIncomplete:
    """The first payment is not made yet, so it does not begin."""

    marked_at: At
    customer_id: str
    invoice_id: str | None = None


@fact("subscription.activated", at="activated_at")
class Activated:
    """It began to run and to be paid for."""

    activated_at: At
    customer_id: str
    terms: Terms
    discount: Discount | None = None
    cycle: Cycle
    period: Period
    invoice_id: str | None = None


# Terms.


@fact("subscription.plan_change_scheduled", at="scheduled_at")
class PlanChangeScheduled:
    """It was agreed that other terms hold from a later time on."""

    scheduled_at: At
    customer_id: str
    change_at: At
    direction: Direction
    terms: Terms


@fact("subscription.plan_change_revoked", at="revoked_at")
class PlanChangeRevoked:
    """The change that was agreed for later will not take place."""

    revoked_at: At
    customer_id: str
    change_at: At


@fact("subscription.plan_changed", at="changed_at")
class PlanChanged:
    """Other terms hold from here on, of the plan, its version, price, interval, currency or quantity."""

    changed_at: At
    customer_id: str
    direction: Direction
    was: Terms
    terms: Terms
    discount: Discount | None = None  # the one that holds on
    proration: Proration | None = None  # null: nothing was running that could be prorated
    cycle: Cycle | None = None  # where the interval changed, so that periods are counted anew
    period: Period | None = None
    invoice_id: str | None = None


@fact("subscription.quantity_changed", at="changed_at")
class QuantityChanged:
    """More or fewer units are subscribed to from here on."""

    changed_at: At
    customer_id: str
    was_quantity: Annotated[int, Field(ge=0)]
    quantity: Annotated[int, Field(ge=0)]
    terms: Terms
    discount: Discount | None = None
    proration: Proration | None = None
    invoice_id: str | None = None


@fact("subscription.discount_applied", at="applied_at")
class DiscountApplied:
    """Less is to be paid from here on, in place of any discount before."""

    applied_at: At
    customer_id: str
    discount: Discount
    terms: Terms


@fact("subscription.discount_expired", at="expired_at")
class DiscountExpired:
    """A discount holds no longer: its time was over, or it was taken back."""

    expired_at: At
    customer_id: str
    discount_id: str
    terms: Terms


# Payment. The money itself is the host's billing system's; here stands what it does to the subscription.


@fact("subscription.marked_past_due", at="marked_at")
class MarkedPastDue:
    """A payment did not come when it was due; the service goes on."""

    marked_at: At
    customer_id: str
    terms: Terms
    discount: Discount | None = None
    invoice_id: str | None = None


@fact("subscription.recovered", at="recovered_at")
class Recovered:
    """What was owed came in."""

    recovered_at: At
    customer_id: str
    terms: Terms
    discount: Discount | None = None
    invoice_id: str | None = None
    payment_id: str | None = None


@fact("subscription.marked_unpaid", at="marked_at")
class MarkedUnpaid:
    """All attempts to collect what is owed failed; the service stops."""

    marked_at: At
    customer_id: str
    terms: Terms
    discount: Discount | None = None
    invoice_id: str | None = None


# Rest.


@fact("subscription.paused", at="paused_at")
class Paused:
    """It rests: nothing is charged until it is resumed."""

    paused_at: At
    customer_id: str
    terms: Terms
    discount: Discount | None = None
    pause_until: At | None = None  # when it is to be resumed; null: open
    entitled: bool = False  # whether the service may be used meanwhile
    subject_id: Subject
    reason: Personal[str] | None = None


@fact("subscription.resumed", at="resumed_at")
class Resumed:
    """It runs and is charged again."""

    resumed_at: At
    customer_id: str
    terms: Terms
    discount: Discount | None = None
    cycle: Cycle | None = None  # where periods are counted anew
    period: Period | None = None


@fact("subscription.entitlement_changed", at="changed_at")
class EntitlementChanged:
    """Use of the service was blocked or allowed, apart from what is billed; blocked holds until it is allowed again."""

    changed_at: At
    customer_id: str
    blocked: bool
    cause: str  # a code of the host's, for example abuse or overdue


# Leaving and staying.


@fact("subscription.cancellation_requested", at="requested_at")
class CancellationRequested:
    """The customer asked to leave, and said why."""

    requested_at: At
    customer_id: str
    reason: CancellationReason
    requested_by: str  # opaque id of the person
    subject_id: Subject
    feedback: Personal[str] | None = None


@fact("subscription.retention_offer_made", at="made_at")
class RetentionOfferMade:
    """The customer was offered something to stay."""

    made_at: At
    customer_id: str
    offer_id: str
    kind: OfferKind
    discount: Discount | None = None  # the one that is offered
    subject_id: Subject
    details: Personal[str] | None = None


@fact("subscription.retention_offer_accepted", at="accepted_at")
class RetentionOfferAccepted:
    """The customer stays for what was offered."""

    accepted_at: At
    customer_id: str
    offer_id: str


@fact("subscription.retention_offer_declined", at="declined_at")
class RetentionOfferDeclined:
    """The customer did not take what was offered."""

    declined_at: At
    customer_id: str
    offer_id: str


@fact("subscription.cancellation_scheduled", at="scheduled_at")
class CancellationScheduled:
    """It was agreed that it ends at a later time; until then it runs on as it is."""

    scheduled_at: At
    customer_id: str
    terms: Terms
    discount: Discount | None = None
    cancel_at: At
    end_reason: EndReason = "cancelled_voluntary"


@fact("subscription.cancellation_revoked", at="revoked_at")
class CancellationRevoked:
    """It will not end as was agreed, and no wish to leave stands any more."""

    revoked_at: At
    customer_id: str
    terms: Terms
    discount: Discount | None = None


# Renewal and end.


@fact("subscription.renewal_reminder_sent", at="sent_at")
class RenewalReminderSent:
    """The customer was told that the next period is about to begin."""

    sent_at: At
    customer_id: str
    renewal_at: At
    channel: str


@fact("subscription.renewed", at="renewed_at")
class Renewed:
    """The next billing period began, or was agreed on before it does; other terms may hold from this act on."""

    renewed_at: At
    customer_id: str
    was: Terms
    terms: Terms
    discount: Discount | None = None
    period: Period
    invoice_id: str | None = None


@fact("subscription.ended", at="ended_at")
class Ended:
    """It is over for good; a customer who comes back has a new one."""

    ended_at: At
    customer_id: str
    end_reason: EndReason
    terms: Terms  # those that were lost with it
    discount: Discount | None = None
    proration: Proration | None = None  # what was given back of the running period; null: nothing
    successor_id: str | None = None  # the subscription that takes its place, where it was migrated


# Corrections. What was said stays; these say what is right.


@fact("subscription.time_corrected", at="corrected_at", corrects=lambda event: (event.corrects, event.now))
class TimeCorrected:
    """What an earlier fact of this subscription says happened at another time than it says."""

    corrected_at: At
    customer_id: str
    corrects: int  # position of that fact
    version: int  # of that fact in this stream
    what: str  # the last part of its topic, for example paused
    was: At
    now: At
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


@fact("subscription.retracted", at="retracted_at", corrects=lambda _: None)  # a correction, though of no time
class Retracted:
    """What an earlier fact of this subscription says did not happen; what did is recorded beside it, when it happened."""

    retracted_at: At
    customer_id: str
    retracts: int  # position of that fact
    version: int  # of that fact in this stream
    what: str  # the last part of its topic
    happened_at: At  # when it was held to have happened
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = (
    Created
    | Reactivated
    | TrialStarted
    | TrialEndingReminderSent
    | TrialConverted
    | TrialExpired
    | MarkedIncomplete
    | Activated
    | PlanChangeScheduled
    | PlanChangeRevoked
    | PlanChanged
    | QuantityChanged
    | DiscountApplied
    | DiscountExpired
    | MarkedPastDue
    | Recovered
    | MarkedUnpaid
    | Paused
    | Resumed
    | EntitlementChanged
    | CancellationRequested
    | RetentionOfferMade
    | RetentionOfferAccepted
    | RetentionOfferDeclined
    | CancellationScheduled
    | CancellationRevoked
    | RenewalReminderSent
    | Renewed
    | Ended
    | TimeCorrected
    | Retracted
)

Agreement = (
    PlanChangeScheduled
    | PlanChangeRevoked
    | PlanChanged
    | QuantityChanged
    | DiscountApplied
    | DiscountExpired
    | CancellationRequested
    | RetentionOfferMade
    | RetentionOfferAccepted
    | RetentionOfferDeclined
    | CancellationScheduled
    | CancellationRevoked
    | Renewed
)
"""Facts that leave the state of the life cycle as it is."""
