"""Renewals: how likely a person thinks it is that a customer stays, and what more they might buy.

    forecast recorded ──> forecast recorded ──> ...        (forecast corrected)
    expansion identified ──> won | lost                    any number, each with an id; assessed: somebody looked for more

One stream per customer and renewal, by any id, for example `renewal:C-7/2026-06`. A forecast is a person's or another system's,
never our own score's, or the score would predict itself. Source: Operating Model, "Customer Health Monitoring".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Annotated, Literal, assert_never

from pydantic import Field

from opsledger.domain.billing import Currency
from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.corrections import check_held
from opsledger.domain.fact import At, Personal, Subject, fact
from opsledger.errors import Refused

__all__ = [
    "ExpansionAssessed",
    "ExpansionIdentified",
    "ExpansionLost",
    "ExpansionWon",
    "Fact",
    "ForecastCorrected",
    "ForecastRecorded",
    "Renewal",
    "assess_expansion",
    "correct_forecast",
    "evolve",
    "forecast",
    "identify_expansion",
    "lose_expansion",
    "win_expansion",
]

BasisPoints = Annotated[int, Field(ge=0, le=10_000)]
Source = Literal["person", "external"]


@fact("renewal.forecast_recorded", at="forecast_at")
class ForecastRecorded:
    """Somebody said how likely a renewal is."""

    forecast_at: At
    customer_id: str
    subscription_id: str | None = None  # null: of all that the customer has
    renewal_on: date | None = None  # null: not said
    probability_bp: BasisPoints
    source: Source
    forecast_by: str  # opaque id of the person, or the name of the system
    subject_id: Subject
    note: Personal[str] | None = None


@fact("renewal.forecast_corrected", at="corrected_at", corrects=lambda _: None)  # a correction, though of no time
class ForecastCorrected:
    """A forecast was recorded otherwise than it was made. One who thinks otherwise now makes another forecast."""

    corrected_at: At
    customer_id: str
    corrects: int  # position of that fact
    was_bp: BasisPoints
    now_bp: BasisPoints
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


@fact("renewal.expansion_assessed", at="assessed_at")
class ExpansionAssessed:
    """Somebody looked for what more a customer might buy: what is not open by then is not there."""

    assessed_at: At
    customer_id: str
    assessed_by: str


@fact("renewal.expansion_identified", at="identified_at")
class ExpansionIdentified:
    """A customer might buy more; said anew where the amount has changed."""

    identified_at: At
    customer_id: str
    opportunity_id: str
    mrr_minor: Annotated[int, Field(gt=0)]  # more per month, in minor units
    currency: Currency
    identified_by: str


@fact("renewal.expansion_won", at="won_at")
class ExpansionWon:
    """The customer bought more."""

    won_at: At
    customer_id: str
    opportunity_id: str


@fact("renewal.expansion_lost", at="lost_at")
class ExpansionLost:
    """The customer will not buy more, of this."""

    lost_at: At
    customer_id: str
    opportunity_id: str
    reason: str | None = None  # a code of one's own, for example budget; null: not known


Fact = ForecastRecorded | ForecastCorrected | ExpansionAssessed | ExpansionIdentified | ExpansionWon | ExpansionLost


@dataclass(frozen=True, slots=True)
class Expansion:
    """What more a customer might buy, as it was identified last, since when it is known, and how it ended."""

    identified: ExpansionIdentified
    since: datetime
    ended: tuple[Literal["won", "lost"], datetime] | None = None


@dataclass(frozen=True, slots=True)
class Renewal:
    """A renewal as its decisions see it. What is typed in late changes nothing that a later fact says."""

    customer_id: str
    expansions: Mapping[str, Expansion] = field(default_factory=dict)


@concept("renewal")
def evolve(renewal: Renewal | None, event: Fact) -> Renewal:
    """Return the renewal after `event`, for every history ever recorded."""
    known = renewal or Renewal(event.customer_id)
    match event:
        case ForecastRecorded() | ForecastCorrected() | ExpansionAssessed():
            return known
        case ExpansionIdentified():
            held = known.expansions.get(event.opportunity_id) or Expansion(event, event.identified_at)
            newest = event if event.identified_at >= held.identified.identified_at else held.identified
            return _with(known, event.opportunity_id, Expansion(newest, min(held.since, event.identified_at), held.ended))
        case ExpansionWon():
            return _ended(known, event.opportunity_id, "won", event.won_at)
        case ExpansionLost():
            return _ended(known, event.opportunity_id, "lost", event.lost_at)
        case _:
            assert_never(event)


def _ended(renewal: Renewal, id: str, how: Literal["won", "lost"], at: datetime) -> Renewal:
    held = renewal.expansions.get(id)
    return renewal if held is None else _with(renewal, id, replace(held, ended=(how, at)))


def _with(renewal: Renewal, id: str, expansion: Expansion) -> Renewal:
    return replace(renewal, expansions={**renewal.expansions, id: expansion})


@starts
def forecast(
    renewal: Renewal | None,
    now: Moment,
    /,
    *,
    customer_id: str,
    probability_bp: int,
    forecast_by: str,
    source: Source = "person",
    subscription_id: str | None = None,
    renewal_on: date | None = None,
    note: str | None = None,
) -> tuple[Fact, ...]:
    """Record how likely somebody thinks a renewal is, in basis points. The same again, later, is a fresh forecast."""
    _own(renewal, now, customer_id)
    if not 0 <= probability_bp <= 10_000:
        raise Refused("renewal.probability", f"{probability_bp} basis points are no probability; give 0 to 10000.")
    recorded = ForecastRecorded(
        forecast_at=now.at,
        customer_id=customer_id,
        subscription_id=subscription_id,
        renewal_on=renewal_on,
        probability_bp=probability_bp,
        source=source,
        forecast_by=forecast_by,
        subject_id=now.stream,
        note=note,
    )
    return () if any(_same(each.fact, recorded) for each in now.history) else (recorded,)


def correct_forecast(
    renewal: Renewal, now: Moment, /, *, corrects: int, was_bp: int, to_bp: int, reason: str, requested_by: str, approved_by: str
) -> tuple[Fact, ...]:
    """Record that the forecast at position `corrects` was another than was typed in. Another person approves."""
    another(approved_by, requested_by, "this correction")
    named = now.recorded(corrects).fact
    if not isinstance(named, ForecastRecorded):
        raise Refused("correction.not_a_forecast", f"Position {corrects} is no forecast; name the one that was wrong.")
    said = [each.fact.now_bp for each in now.history if isinstance(each.fact, ForecastCorrected) and each.fact.corrects == corrects]
    check_held(corrects, said[-1] if said else named.probability_bp, was_bp)
    if not 0 <= to_bp <= 10_000:
        raise Refused("renewal.probability", f"{to_bp} basis points are no probability; give 0 to 10000.")
    if to_bp == was_bp:
        return ()
    corrected = ForecastCorrected(
        corrected_at=now.at,
        customer_id=renewal.customer_id,
        corrects=corrects,
        was_bp=was_bp,
        now_bp=to_bp,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    return (corrected,)


@starts
def assess_expansion(renewal: Renewal | None, now: Moment, /, *, customer_id: str, assessed_by: str) -> tuple[Fact, ...]:
    """Record that somebody looked for what more a customer might buy, whether they found anything or not."""
    _own(renewal, now, customer_id)
    assessed = ExpansionAssessed(assessed_at=now.at, customer_id=customer_id, assessed_by=assessed_by)
    return () if any(each.fact == assessed for each in now.history) else (assessed,)


@starts
def identify_expansion(
    renewal: Renewal | None,
    now: Moment,
    /,
    *,
    customer_id: str,
    opportunity_id: str,
    mrr_minor: int,
    currency: str,
    identified_by: str,
) -> tuple[Fact, ...]:
    """Record what more a customer might buy, per month. Adds nothing where it is known with this amount."""
    _own(renewal, now, customer_id)
    if mrr_minor <= 0:
        raise Refused("renewal.amount", f"{mrr_minor} is no expansion; give what would be paid more per month, in minor units.")
    held = renewal.expansions.get(opportunity_id) if renewal is not None else None
    if held is not None and held.ended is not None and now.at >= held.ended[1]:
        raise Refused("renewal.ended", f"{opportunity_id} was {held.ended[0]} at {held.ended[1].isoformat()}; identify another one.")
    if held is not None and now.at >= held.identified.identified_at and _amount(held.identified) == (mrr_minor, currency):
        return ()
    identified = ExpansionIdentified(
        identified_at=now.at,
        customer_id=customer_id,
        opportunity_id=opportunity_id,
        mrr_minor=mrr_minor,
        currency=currency,
        identified_by=identified_by,
    )
    return () if any(each.fact == identified for each in now.history) else (identified,)


def win_expansion(renewal: Renewal, now: Moment, /, *, opportunity_id: str) -> tuple[Fact, ...]:
    """Record that the customer bought more."""
    if _ends(renewal, now, opportunity_id, "won"):
        return (ExpansionWon(won_at=now.at, customer_id=renewal.customer_id, opportunity_id=opportunity_id),)
    return ()


def lose_expansion(renewal: Renewal, now: Moment, /, *, opportunity_id: str, reason: str | None = None) -> tuple[Fact, ...]:
    """Record that the customer will not buy more."""
    if _ends(renewal, now, opportunity_id, "lost"):
        return (ExpansionLost(lost_at=now.at, customer_id=renewal.customer_id, opportunity_id=opportunity_id, reason=reason),)
    return ()


def _ends(renewal: Renewal, now: Moment, id: str, how: str) -> bool:
    """Return whether this end is new. Refuses one of what was not identified by then, or ended otherwise."""
    held = renewal.expansions.get(id)
    if held is None or now.at < held.since:
        raise Refused("renewal.unidentified", f"{id} was not identified by {now.at.isoformat()}; identify it first.")
    if held.ended is not None and held.ended != (how, now.at):
        raise Refused("renewal.ended", f"{id} was {held.ended[0]} at {held.ended[1].isoformat()} already.")
    return held.ended is None


def _own(renewal: Renewal | None, now: Moment, customer_id: str) -> None:
    if renewal is not None and renewal.customer_id != customer_id:
        raise Refused("renewal.other_customer", f"{now.id} is a renewal of {renewal.customer_id}, not of {customer_id}; choose another id.")


def _amount(event: ExpansionIdentified) -> tuple[int, str]:
    return event.mrr_minor, event.currency


def _same(known: Fact, made: ForecastRecorded) -> bool:
    if not isinstance(known, ForecastRecorded):
        return False
    return replace(known, note=None) == replace(made, note=None)
