"""What each subscription brings, from when to when, and by which rate it is reported: what movements of revenue are told from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any, Final, NamedTuple

from opsledger.domain import fx
from opsledger.domain import subscription as s
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import micros
from opsledger.policies.mrr import Revenue, monthly
from opsledger.projections.customers import customers
from opsledger.projections.revenue import subscriptions

__all__ = ["Held", "Quote", "Rates", "fold", "lines", "quote", "start", "subjects"]

_RUNNING: Final = ("active", "past_due", "paused")


class Held(NamedTuple):
    """What a subscription brings a month from an instant on, in minor units; `full_minor` also where the policy does not count it."""

    at: int  # microseconds
    reason: str  # what happened: the last part of the fact's topic, for an end its reason
    position: int
    active: bool  # whether it makes its customer one
    mrr_minor: int
    full_minor: int
    currency: str
    plan_id: str
    state: s.State
    leaving: bool  # whether its end is agreed on

    @property
    def counted(self) -> tuple[bool, int, str]:
        """What movements are told from."""
        return self.active, self.mrr_minor, self.currency


@dataclass(slots=True)
class Rates:
    """The rates of a pair of currencies: by the instant from which each holds, with the position of the fact. Microseconds."""

    base: str
    quote: str
    known: dict[int, tuple[Fraction, int]] = field(default_factory=dict)


class Quote(NamedTuple):
    """Into which currency, and by which rate, something is reported: exact, as text, and the fact that says it; 0: none is needed."""

    currency: str
    rate: Fraction
    shown: str
    position: int


_Told = subscriptions.Told | customers.Told | Rates


def start(stream: str) -> _Told:
    """Return the state of a subscription, a customer, or a pair of currencies, before its first fact."""
    concept, _, id = stream.partition(":")
    if concept == "fx":
        base, _, quoted = id.partition("/")
        return Rates(base, quoted)
    return customers.start(stream) if concept == "customer" else subscriptions.start(stream)


def fold(state: _Told, recorded: Recorded) -> _Told:
    """Return the state after one fact more."""
    if isinstance(state, customers.Told):
        return customers.fold(state, recorded)
    if isinstance(state, subscriptions.Told):
        return subscriptions.fold(state, recorded)
    event = recorded.fact
    match event:
        case fx.RatePublished():
            state.known[micros(event.holds_from)] = Fraction(event.rate), recorded.position
        case fx.RateCorrected():
            state.known[micros(event.holds_from)] = Fraction(event.now), recorded.position
    return state


def subjects(state: _Told) -> set[str]:
    """Return of which customers a stream speaks; rates speak of all, which the engine is told."""
    if isinstance(state, customers.Told):
        return {state.customer_id}
    return {recorded.fact.customer_id for recorded in state.facts} if isinstance(state, subscriptions.Told) else set()


def lines(told: subscriptions.Told, rule: Revenue) -> Iterator[Held]:
    """Yield what a subscription brings after each thing that happened to it, and after a discount whose own end came, in order.

    The end of a discount may lie after the newest fact, and after now.
    """
    steps = list(subscriptions.course(told))
    for step, following in zip(steps, [*steps[1:], None], strict=False):
        event = step.recorded.fact
        ends = isinstance(event, s.Ended | s.CancellationScheduled)
        reason = event.end_reason if ends else step.recorded.topic.rpartition(".")[2]
        yield _held(step.after, step.at, rule, reason, step.recorded.position)
        discount = step.after.discount
        if discount is None or discount.ends_at is None or discount.ends_at <= step.at:
            continue
        if following is None or discount.ends_at < following.at:
            yield _held(step.after, discount.ends_at, rule, "discount_ended", step.recorded.position)


def quote(states: Mapping[str, Any], base: str, to: str, at: int) -> Quote:
    """Return by which rate an amount is reported in another currency: the one that held at an instant, or else the earliest.

    Without a rate of the pair the inverse of the opposite pair is taken; without that it is reported in its own currency.
    """
    for pair, inverse in ((f"fx:{base}/{to}", False), (f"fx:{to}/{base}", True)):
        rates = states.get(pair)
        if base == to or rates is None or not rates.known:
            continue
        since = max((each for each in rates.known if each <= at), default=min(rates.known))
        rate, position = rates.known[since]
        return Quote(to, 1 / rate if inverse else rate, f"1/{_plain(rate)}" if inverse else _plain(rate), position)
    return Quote(base, Fraction(1), "1", 0)


def _held(standing: s.Standing, at: datetime, rule: Revenue, reason: str, position: int) -> Held:
    gone = rule.churn_at == "cancellation" and standing.cancel_at is not None
    runs = standing.activated_at is not None and standing.state in _RUNNING and not gone
    full = monthly(_amount_minor(standing, at, rule), standing.terms.length) if runs else 0
    left_out = (standing.state == "paused" and rule.paused == "zero") or (standing.state == "past_due" and rule.past_due == "excluded")
    return Held(
        at=micros(at),
        reason=reason,
        position=position,
        active=runs and (rule.free == "active" or full > 0),
        mrr_minor=0 if left_out else full,
        full_minor=full,
        currency=standing.terms.currency,
        plan_id=standing.terms.plan_id,
        state=standing.state,
        leaving=runs and standing.cancel_at is not None,
    )


def _amount_minor(standing: s.Standing, at: datetime, rule: Revenue) -> int:
    """Return what an interval costs, less the discounts that the policy takes off."""
    held = standing.discount_at(at)
    if rule.discounts == "none" or (rule.discounts == "lasting" and held is not None and held.ends_at is not None):
        held = None
    return s.priced(standing.terms, held)


def _plain(rate: Fraction) -> str:
    """Return a published rate, which is a decimal, as its digits."""
    digits = 0
    while (rate * 10**digits).denominator > 1:
        digits += 1
    whole = str(int(rate * 10**digits)).rjust(digits + 1, "0")
    return f"{whole[:-digits]}.{whole[-digits:]}" if digits else whole
