"""Decisions on leaving and staying: the wish to leave, offers and answers, an end agreed for later or taken back, the end."""

from __future__ import annotations

from datetime import datetime

from opsledger.domain.billing import Discount
from opsledger.domain.concept import Moment
from opsledger.domain.subscription import facts as f
from opsledger.domain.subscription.changing import given_back
from opsledger.domain.subscription.standing import Offer, Standing
from opsledger.domain.subscription.state import Subscription, live, one_kind
from opsledger.errors import Refused


def request_cancellation(
    subscription: Subscription,
    now: Moment,
    /,
    *,
    reason: f.CancellationReason,
    feedback: str | None = None,
    requested_by: str | None = None,
) -> tuple[f.Fact, ...]:
    """Record that the customer asked to leave, and why. It runs on until an end is recorded."""
    standing = live(subscription, now, "wish to leave")
    if standing.wish is not None and standing.wish.reason == reason:
        return ()
    requested = f.CancellationRequested(
        requested_at=now.at,
        customer_id=standing.customer_id,
        reason=reason,
        requested_by=requested_by or now.actor,
        subject_id=now.stream,
        feedback=feedback,
    )
    return (requested,)


def make_offer(
    subscription: Subscription,
    now: Moment,
    /,
    *,
    offer_id: str,
    kind: f.OfferKind,
    discount: Discount | None = None,
    details: str | None = None,
) -> tuple[f.Fact, ...]:
    """Record that the customer was offered something to stay; an offer of a discount names it."""
    standing = live(subscription, now, "offer")
    one_kind(discount)
    if (kind == "discount") != (discount is not None):
        raise Refused("subscription.offer", "An offer of a discount names the discount, and no other offer has one.")
    if any(offer.offer_id == offer_id for offer in subscription.standing.offers):
        if any(offer[:3] == (offer_id, kind, discount) for offer in standing.offers):
            return ()
        raise Refused("subscription.offer_exists", f"{offer_id} is another offer of {now.id}; give this one an id of its own.")
    made = f.RetentionOfferMade(
        made_at=now.at,
        customer_id=standing.customer_id,
        offer_id=offer_id,
        kind=kind,
        discount=discount,
        subject_id=now.stream,
        details=details,
    )
    return (made,)


def accept_offer(subscription: Subscription, now: Moment, /, *, offer_id: str) -> tuple[f.Fact, ...]:
    """Record that the customer stays for an offer: an end agreed for later is taken back, and the discount offered holds from now on.

    A pause or a change of plan that was offered is recorded by its own decision.
    """
    standing = live(subscription, now, "answer to an offer")
    offer = _open_offer(standing, now, offer_id, accepted=True)
    if offer is None:
        return ()
    made: list[f.Fact] = [f.RetentionOfferAccepted(accepted_at=now.at, customer_id=standing.customer_id, offer_id=offer_id)]
    if standing.cancel_at is not None:
        made.append(_revoked(standing, now))
    if offer.discount is not None and offer.discount.holds(now.at):
        terms = standing.terms
        made.append(f.DiscountApplied(applied_at=now.at, customer_id=standing.customer_id, discount=offer.discount, terms=terms))
    return tuple(made)


def decline_offer(subscription: Subscription, now: Moment, /, *, offer_id: str) -> tuple[f.Fact, ...]:
    """Record that the customer did not take an offer."""
    standing = live(subscription, now, "answer to an offer")
    if _open_offer(standing, now, offer_id, accepted=False) is None:
        return ()
    return (f.RetentionOfferDeclined(declined_at=now.at, customer_id=standing.customer_id, offer_id=offer_id),)


def schedule_cancellation(
    subscription: Subscription, now: Moment, /, *, cancel_at: datetime | None = None, end_reason: f.EndReason = "cancelled_voluntary"
) -> tuple[f.Fact, ...]:
    """Record that it is to end at `cancel_at`, by default at the end of the newest period; `end` records that it did.

    The state stays as it is until then. A newer agreement replaces it.
    """
    standing = live(subscription, now, "end that is agreed for later")
    if cancel_at is None:
        if standing.period is None:
            raise Refused("subscription.no_period", f"{now.id} has no billing period at whose end it could be cancelled; give a time.")
        cancel_at = standing.period.ends_at
    if cancel_at <= now.at:
        raise Refused("subscription.cancel_past", f"{cancel_at.isoformat()} is no later time; end the subscription at it instead.")
    if (standing.cancel_at, standing.cancel_reason) == (cancel_at, end_reason):
        return ()
    scheduled = f.CancellationScheduled(
        scheduled_at=now.at,
        customer_id=standing.customer_id,
        terms=standing.terms,
        discount=standing.discount_at(now.at),
        cancel_at=cancel_at,
        end_reason=end_reason,
    )
    return (scheduled,)


def revoke_cancellation(subscription: Subscription, now: Moment, /) -> tuple[f.Fact, ...]:
    """Record that it will not end as was agreed, or that the customer wishes to leave no longer. Adds nothing where neither is."""
    standing = live(subscription, now, "revocation")
    if standing.cancel_at is None and standing.wish is None:
        return ()
    return (_revoked(standing, now),)


def end(
    subscription: Subscription,
    now: Moment,
    /,
    *,
    end_reason: f.EndReason | None = None,
    give_back: bool = False,
    successor_id: str | None = None,
) -> tuple[f.Fact, ...]:
    """Record that it is over for good, by default for the reason that was agreed for its end. What ended before stays ended.

    `give_back` credits what is left of the running period by the pinned rule; without it nothing is given back.
    """
    standing = subscription.at(now.at)
    if standing.state == "ended":
        if standing.ended_at == now.at and standing.end_reason == (end_reason or standing.end_reason):
            return ()
        raise Refused("subscription.ended", f"{now.id} had ended by {now.at.isoformat()}; correct that end if it is wrong.")
    reason = end_reason or standing.cancel_reason or "cancelled_voluntary"
    _fits(standing, now, reason)
    if (successor_id is not None) != (reason == "migrated"):
        raise Refused("subscription.successor", "A subscription that was migrated names the one that takes its place, and no other does.")
    ended = f.Ended(
        ended_at=now.at,
        customer_id=standing.customer_id,
        end_reason=reason,
        terms=standing.terms,
        discount=standing.discount_at(now.at),
        proration=given_back(standing, now) if give_back else None,
        successor_id=successor_id,
    )
    return (ended,)


def _revoked(standing: Standing, now: Moment) -> f.CancellationRevoked:
    discount = standing.discount_at(now.at)
    return f.CancellationRevoked(revoked_at=now.at, customer_id=standing.customer_id, terms=standing.terms, discount=discount)


def _fits(standing: Standing, now: Moment, reason: f.EndReason) -> None:
    if reason == "incomplete_expired" and standing.state != "incomplete":
        raise Refused("subscription.end_reason", f"{now.id} was {standing.state}, and not incomplete, which alone ends as {reason}.")


def _open_offer(standing: Standing, now: Moment, offer_id: str, *, accepted: bool) -> Offer | None:
    """Return an offer that awaits its answer; None where this answer is known. Refuses where there is none, or another answer."""
    offer = next((each for each in standing.offers if each.offer_id == offer_id), None)
    if offer is None:
        raise Refused("subscription.no_offer", f"{offer_id} was not offered to the customer of {now.id} by {now.at.isoformat()}.")
    if offer.accepted is None:
        return offer
    if offer.accepted != accepted:
        word = "accepted" if offer.accepted else "declined"
        raise Refused("subscription.offer_answered", f"{offer_id} was {word} by then; make another offer, or retract that answer.")
    return None
