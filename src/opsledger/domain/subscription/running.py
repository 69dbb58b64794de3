"""Decisions while it runs: payments that do not come and come, rest, use of the service, reminders and renewal."""

from __future__ import annotations

from datetime import datetime

from opsledger.domain.billing import Terms
from opsledger.domain.concept import Moment
from opsledger.domain.subscription import facts as f
from opsledger.domain.subscription.beginning import begun
from opsledger.domain.subscription.state import Subscription, live, new, standing_in
from opsledger.errors import Refused


def mark_past_due(subscription: Subscription, now: Moment, /, *, invoice_id: str | None = None) -> tuple[f.Fact, ...]:
    """Record that a payment did not come when it was due. The service goes on."""
    standing = standing_in(subscription, now, "a payment that is late", "active", "past_due")
    if standing.state == "past_due":
        return ()
    return (
        f.MarkedPastDue(
            marked_at=now.at,
            customer_id=standing.customer_id,
            terms=standing.terms,
            discount=standing.discount_at(now.at),
            invoice_id=invoice_id,
        ),
    )


def recover(
    subscription: Subscription, now: Moment, /, *, invoice_id: str | None = None, payment_id: str | None = None
) -> tuple[f.Fact, ...]:
    """Record that what was owed came in. Adds nothing where nothing was owed since then."""
    standing = standing_in(subscription, now, "a recovery", "past_due", "unpaid", "active")
    if standing.state == "active":
        return ()
    recovered = f.Recovered(
        recovered_at=now.at,
        customer_id=standing.customer_id,
        terms=standing.terms,
        discount=standing.discount_at(now.at),
        invoice_id=invoice_id,
        payment_id=payment_id,
    )
    return (recovered,)


def mark_unpaid(subscription: Subscription, now: Moment, /, *, invoice_id: str | None = None) -> tuple[f.Fact, ...]:
    """Record that all attempts to collect what is owed failed, and the service stops."""
    standing = standing_in(subscription, now, "an end of collection", "past_due", "unpaid")
    if standing.state == "unpaid":
        return ()
    return (
        f.MarkedUnpaid(
            marked_at=now.at,
            customer_id=standing.customer_id,
            terms=standing.terms,
            discount=standing.discount_at(now.at),
            invoice_id=invoice_id,
        ),
    )


def pause(
    subscription: Subscription, now: Moment, /, *, pause_until: datetime | None = None, entitled: bool = False, reason: str | None = None
) -> tuple[f.Fact, ...]:
    """Record that it rests and nothing is charged, for the time being or up to `pause_until`; a pause may be given another end."""
    standing = standing_in(subscription, now, "a pause", "active", "past_due", "paused")
    if pause_until is not None and pause_until <= now.at:
        raise Refused("subscription.pause_over", f"A pause that ends at {pause_until.isoformat()} is over already; give a later end.")
    if standing.state == "paused" and (standing.pause_until, standing.usable_in_pause) == (pause_until, entitled):
        return ()
    paused = f.Paused(
        paused_at=now.at,
        customer_id=standing.customer_id,
        terms=standing.terms,
        discount=standing.discount_at(now.at),
        pause_until=pause_until,
        entitled=entitled,
        subject_id=now.stream,
        reason=reason,
    )
    return (paused,)


def resume(subscription: Subscription, now: Moment, /, *, new_period: bool = False) -> tuple[f.Fact, ...]:
    """Record that it runs and is charged again; with `new_period` periods are counted from now on, else as before the pause."""
    standing = standing_in(subscription, now, "a resumption", "paused", "active")
    if standing.state == "active":
        return ()
    if standing.activated_at is None:
        raise Refused("subscription.not_activated", f"{now.id} has never been paid for; activate it instead.")
    cycle, period = begun(now.at, standing.zone, standing.terms) if new_period else (None, None)
    return (
        f.Resumed(
            resumed_at=now.at,
            customer_id=standing.customer_id,
            terms=standing.terms,
            discount=standing.discount_at(now.at),
            cycle=cycle,
            period=period,
        ),
    )


def block(subscription: Subscription, now: Moment, /, *, cause: str) -> tuple[f.Fact, ...]:
    """Record that the service may not be used, whatever is billed, until it is allowed again."""
    return _entitlement(subscription, now, cause, blocked=True)


def unblock(subscription: Subscription, now: Moment, /, *, cause: str) -> tuple[f.Fact, ...]:
    """Record that use of the service is blocked no longer; whether it may be used depends on the state again."""
    return _entitlement(subscription, now, cause, blocked=False)


def remind_renewal(subscription: Subscription, now: Moment, /, *, channel: str) -> tuple[f.Fact, ...]:
    """Record that the customer was told of the renewal at the end of the period that is agreed on last."""
    standing = standing_in(subscription, now, "a reminder of renewal", "active", "past_due")
    assert standing.period is not None
    reminded = f.RenewalReminderSent(sent_at=now.at, customer_id=standing.customer_id, renewal_at=standing.period.ends_at, channel=channel)
    return new(subscription, reminded)


def renew(subscription: Subscription, now: Moment, /, *, terms: Terms | None = None, invoice_id: str | None = None) -> tuple[f.Fact, ...]:
    """Record that the next billing period began or is agreed on: the one that now lies in, or the one after the newest.

    Adds nothing where a renewal of this instant is known, or a period is agreed on already that begins now or later. `terms` hold
    from now on, in the same interval and currency; for others change the plan.
    """
    standing = standing_in(subscription, now, "a renewal", "active", "past_due")
    assert standing.period is not None and standing.cycle is not None
    said = any(each.at == now.at and isinstance(each.event, f.Renewed) for each in subscription.told)
    if said or now.at <= standing.period.starts_at:
        return ()
    held = terms or standing.terms
    if (held.length, held.currency) != (standing.terms.length, standing.terms.currency):
        raise Refused("subscription.renewal_terms", f"A renewal of {now.id} keeps interval and currency; change the plan for others.")
    running = standing.cycle.containing(held.length, now.at)
    following = standing.cycle.period(held.length, standing.period.number + 1)
    renewed = f.Renewed(
        renewed_at=now.at,
        customer_id=standing.customer_id,
        was=standing.terms,
        terms=held,
        discount=standing.discount_at(now.at),
        period=running if running.number > following.number else following,
        invoice_id=invoice_id,
    )
    return (renewed,)


def _entitlement(subscription: Subscription, now: Moment, cause: str, *, blocked: bool) -> tuple[f.Fact, ...]:
    standing = live(subscription, now, "change of use")
    if standing.blocked == blocked:
        return ()
    return (f.EntitlementChanged(changed_at=now.at, customer_id=standing.customer_id, blocked=blocked, cause=cause),)
