"""Exchange rates as facts: how much of one currency another was worth, from a time on. A table never asks a rate service.

One stream per pair, `fx:EUR/USD`. A rate holds until the next one; a wrong one is corrected, and what was reported by it shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, assert_never

from pydantic import Field

from opsledger.domain.billing import Currency
from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.fact import At, Personal, Subject, fact
from opsledger.errors import Refused

__all__ = ["Fact", "Fx", "RateCorrected", "RatePublished", "correct_rate", "evolve", "publish_rate"]

Rate = Annotated[Decimal, Field(gt=0, max_digits=30)]
"""How many units of the quote currency one unit of the base is worth; units as people count them, not minor ones."""


@fact("fx.rate_published", at="published_at")
class RatePublished:
    """From `holds_from` on one unit of the base currency is worth `rate` units of the quote currency."""

    published_at: At
    base: Currency
    quote: Currency
    rate: Rate
    holds_from: At
    provider: str  # who says so, for example the central bank


@fact("fx.rate_corrected", at="corrected_at", corrects=lambda _: None)  # a correction, though of no time
class RateCorrected:
    """The rate that an earlier fact says was another one."""

    corrected_at: At
    corrects: int  # position of that fact
    base: Currency
    quote: Currency
    holds_from: At  # of the rate that is corrected
    was: Rate
    now: Rate
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Fact = RatePublished | RateCorrected


@dataclass(frozen=True, slots=True)
class Fx:
    """The rates of a pair by the instant from which each holds; of several of one instant the one said last."""

    rates: tuple[tuple[datetime, Decimal], ...] = ()

    def rate(self, at: datetime) -> Decimal | None:
        """Return the rate that holds at an instant; None before the first."""
        return next((rate for since, rate in reversed(self.rates) if since <= at), None)


@concept("fx")
def evolve(fx: Fx | None, event: Fact) -> Fx:
    """Return the rates after `event`. A rate of earlier that comes late holds until the one after it."""
    known = dict((fx or Fx()).rates)
    match event:
        case RatePublished():
            known[event.holds_from] = event.rate
        case RateCorrected():
            known[event.holds_from] = event.now
        case _:
            assert_never(event)
    return Fx(tuple(sorted(known.items())))


@starts
def publish_rate(fx: Fx | None, now: Moment, /, *, rate: Decimal, provider: str, holds_from: datetime | None = None) -> tuple[Fact, ...]:
    """Record a rate of the pair that the id names, as EUR/USD, from `holds_from` (default: now) on."""
    base, quote = _pair(now)
    since = holds_from or now.at
    if since > now.at:
        raise Refused("fx.future", f"{since.isoformat()} has not come yet; publish the rate when it holds.")
    held = dict(fx.rates).get(since) if fx is not None else None
    if held == rate:
        return ()
    if held is not None:
        raise Refused("fx.known", f"From {since.isoformat()} on {now.id} is known to be {held}; correct that rate if it is wrong.")
    return (RatePublished(published_at=now.at, base=base, quote=quote, rate=rate, holds_from=since, provider=provider),)


def correct_rate(
    fx: Fx, now: Moment, /, *, corrects: int, was: Decimal, to: Decimal, reason: str, requested_by: str, approved_by: str
) -> tuple[Fact, ...]:
    """Record that the rate published at position `corrects` was another one. Needs another person's approval."""
    another(approved_by, requested_by, "this correction")
    published = now.recorded(corrects).fact
    if not isinstance(published, RatePublished):
        raise Refused("correction.not_a_rate", f"Position {corrects} publishes no rate; name the one that does.")
    held = dict(fx.rates)[published.holds_from]
    if held != was:
        raise Refused("correction.was", f"Position {corrects} is known to say {held}, not {was}; look at it again with its history.")
    if to == held:
        return ()
    corrected = RateCorrected(
        corrected_at=now.at,
        corrects=corrects,
        base=published.base,
        quote=published.quote,
        holds_from=published.holds_from,
        was=was,
        now=to,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    return (corrected,)


def _pair(now: Moment) -> tuple[str, str]:
    base, _, quote = now.id.partition("/")
    if not base or not quote or base == quote:
        raise Refused("fx.pair", f"'{now.id}' is no pair of currencies; write it like EUR/USD.")
    return base, quote
