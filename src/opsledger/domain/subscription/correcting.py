"""Corrections: an earlier fact happened at another time than it says, or not at all. Another person approves."""

from __future__ import annotations

from datetime import datetime

from opsledger.domain.concept import Moment, another
from opsledger.domain.recorded import Recorded
from opsledger.domain.subscription import facts as f
from opsledger.domain.subscription.state import Subscription, Told
from opsledger.errors import Refused


def correct_time(
    subscription: Subscription,
    now: Moment,
    /,
    *,
    corrects: int,
    was: datetime,
    to: datetime,
    reason: str,
    requested_by: str,
    approved_by: str,
) -> tuple[f.Fact, ...]:
    """Record that what the fact at position `corrects` is held to have happened at `was` happened at `to`."""
    another(approved_by, requested_by, "this correction")
    recorded, held = _held(subscription, now, corrects)
    if held.at != was:
        raise Refused("correction.was", f"Position {corrects} does not say {was.isoformat()} but {held.at.isoformat()}; look at it again.")
    if to > now.at:
        raise Refused("correction.future", f"{to.isoformat()} has not come yet; what is recorded has happened.")
    if held.version > 1 and to < subscription.began_at:
        began = subscription.began_at.isoformat()
        raise Refused("subscription.before_beginning", f"{to.isoformat()} lies before its beginning at {began}; correct that time first.")
    if to == was:
        return ()
    corrected = f.TimeCorrected(
        corrected_at=now.at,
        customer_id=subscription.standing.customer_id,
        corrects=corrects,
        version=recorded.version,
        what=recorded.topic.partition(".")[2],
        was=was,
        now=to,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    return (corrected,)


def retract(
    subscription: Subscription, now: Moment, /, *, retracts: int, reason: str, requested_by: str, approved_by: str
) -> tuple[f.Fact, ...]:
    """Record that what the fact at position `retracts` says did not happen. The beginning is not retracted: end the subscription."""
    another(approved_by, requested_by, "this retraction")
    if any(isinstance(each.fact, f.Retracted) and each.fact.retracts == retracts for each in now.history):
        return ()
    recorded, held = _held(subscription, now, retracts)
    if held.version == 1:
        raise Refused("subscription.beginning", f"{now.id} cannot be without its beginning; end it, and begin another where it is wrong.")
    retracted = f.Retracted(
        retracted_at=now.at,
        customer_id=subscription.standing.customer_id,
        retracts=retracts,
        version=recorded.version,
        what=recorded.topic.partition(".")[2],
        happened_at=held.at,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    return (retracted,)


def _held(subscription: Subscription, now: Moment, position: int) -> tuple[Recorded, Told]:
    """Return a fact of this subscription and when it is held to have happened."""
    recorded = now.recorded(position)
    held = next((each for each in subscription.told if each.version == recorded.version), None)
    if held is None or isinstance(recorded.fact, f.TimeCorrected | f.Retracted):
        raise Refused("correction.of_correction", f"Position {position} is a correction or was retracted; record what is right anew.")
    return recorded, held
