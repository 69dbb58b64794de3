"""What the decisions on a subscription need to know: its facts in the order in which they happened, and how it stands by them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, NamedTuple

from opsledger.domain.billing import Discount
from opsledger.domain.concept import Moment, concept
from opsledger.domain.fact import fact_type
from opsledger.domain.subscription import facts as f
from opsledger.domain.subscription.standing import Standing, State, after, begin
from opsledger.errors import Refused


class Told(NamedTuple):
    """A fact, when it happened as is held now, and its version."""

    at: datetime
    version: int
    event: f.Fact


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as its decisions see it. What was retracted is not told any more; `version` counts all facts."""

    began_at: datetime
    told: tuple[Told, ...]  # what happened before the beginning counts as happening with it
    standing: Standing  # after all that was told
    version: int = 1

    def at(self, instant: datetime) -> Standing:
        """Return how it stood at an instant, by all that is known. Raises Refused before its beginning."""
        if instant < self.began_at:
            began = self.began_at.isoformat()
            raise Refused("subscription.before_beginning", f"It began at {began}; nothing happened to it at {instant.isoformat()}.")
        if instant >= self.told[-1].at:
            return self.standing
        return _standing(self.began_at, [each for each in self.told if each.at <= instant])

    def says(self, made: f.Fact) -> bool:
        """Return whether the same is told already of the same instant; personal fields are not compared."""
        at = happened_at(made)
        return any(each.at == at and type(each.event) is type(made) and _plain(each.event) == _plain(made) for each in self.told)


def happened_at(event: f.Fact) -> datetime:
    """Return when a fact says that it happened."""
    at: datetime = getattr(event, fact_type(type(event)).at)
    return at


def new(subscription: Subscription, *made: f.Fact) -> tuple[f.Fact, ...]:
    """Return the facts that are not told already."""
    return tuple(each for each in made if not subscription.says(each))


def standing_in(subscription: Subscription, now: Moment, what: str, *states: State) -> Standing:
    """Return how it stood at the moment, or refuse where it was in none of the states in which there is such a thing."""
    standing = subscription.at(now.at)
    if standing.state not in states:
        allowed, state = " or ".join(states).replace("_", " "), standing.state.replace("_", " ")
        raise Refused(
            f"subscription.{standing.state}", f"{now.id} was {state} at {now.at.isoformat()}; for {what} it has to be {allowed} then."
        )
    return standing


def live(subscription: Subscription, now: Moment, what: str) -> Standing:
    """Return how it stood at the moment, or refuse where it had ended by then."""
    standing = subscription.at(now.at)
    if standing.state == "ended":
        raise Refused("subscription.ended", f"{now.id} had ended by {now.at.isoformat()} and takes no {what}; reactivate it as a new one.")
    return standing


def one_kind(discount: Discount | None) -> Discount | None:
    """Return the discount, or refuse one that takes off both a share and an amount, or neither."""
    if discount is not None and (discount.off_bp is None) == (discount.off_minor is None):
        raise Refused("subscription.discount", f"{discount.discount_id} takes off a share or an amount; give one of the two.")
    return discount


@concept("subscription")
def evolve(subscription: Subscription | None, event: f.Fact) -> Subscription:
    """Return the subscription after `event`, for every history ever recorded."""
    at = happened_at(event)
    if subscription is None:
        return Subscription(at, (Told(at, 1, event),), begin(at, event))
    version, told = subscription.version + 1, subscription.told
    match event:
        case f.TimeCorrected():
            return _refolded((each._replace(at=event.now) if each.version == event.version else each for each in told), version)
        case f.Retracted():
            return _refolded((each for each in told if each.version != event.version), version)
        case _ if at >= max(told[-1].at, subscription.began_at):
            standing = after(subscription.standing, at, event)
            return Subscription(subscription.began_at, (*told, Told(at, version, event)), standing, version)
        case _:
            return _refolded((*told, Told(at, version, event)), version)


def _refolded(told: Iterable[Told], version: int) -> Subscription:
    """Return the subscription anew, from its facts in any order."""
    held = sorted(told, key=lambda each: each.version)
    began_at = held[0].at
    held.sort(key=lambda each: max(each.at, began_at))
    return Subscription(began_at, tuple(held), _standing(began_at, held), version)


def _standing(began_at: datetime, told: list[Told]) -> Standing:
    standing = begin(began_at, told[0].event)
    for at, _, event in told[1:]:
        standing = after(standing, max(at, began_at), event)
    return standing


def _plain(event: f.Fact) -> list[Any]:
    personal = fact_type(type(event)).personal
    return [getattr(event, field.name) for field in fields(event) if field.name not in personal]
