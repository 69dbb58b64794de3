"""renewal_forecast: who thinks how likely a customer is to stay? expansion_opportunity: what more might they buy, and did they?

Grain: renewal_forecast, one row per forecast; expansion_opportunity, one row per opportunity; both by renewal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from opsledger.domain import renewal as r
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import micros
from opsledger.projections.kinds import Entity, Rows
from opsledger.projections.table import Row, Table, instant, integer, text

__all__ = ["EXPANSION_OPPORTUNITY", "PROJECTIONS", "RENEWAL_FORECAST", "Opportunity", "Told", "fold", "opportunities", "rows", "start"]

RENEWAL_FORECAST = Table(
    "renewal_forecast",
    "One row per forecast of a renewal, corrections applied.",
    key=("renewal_id", "position"),
    columns=(
        text("renewal_id", "Id of the renewal."),
        integer("position", "Position of the fact."),
        text("customer_id", "Opaque id of the customer."),
        text("subscription_id", "Whose renewal; null: of all that the customer has."),
        text("renewal_on", "Day of the renewal as it was said; null: it was not."),
        instant("forecast_at", "When it was made."),
        integer("probability_bp", "How likely a renewal was thought, in basis points."),
        text("source", "person, or external: another system."),
        text("forecast_by", "Opaque id of the person, or the name of the system."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("customer_id", "forecast_at"), ("subscription_id",)),
)

EXPANSION_OPPORTUNITY = Table(
    "expansion_opportunity",
    "One row per opportunity to sell a customer more, as of the newest fact.",
    key=("renewal_id", "opportunity_id"),
    columns=(
        text("renewal_id", "Id of the renewal."),
        text("opportunity_id", "Id of the opportunity."),
        text("customer_id", "Opaque id of the customer."),
        text("status", "open, won or lost."),
        instant("identified_at", "When it was seen first."),
        integer("mrr_minor", "What would be paid more per month, as it was said last, in minor units."),
        text("currency", "Currency of the amount, ISO 4217."),
        text("identified_by", "Opaque id of who said so last."),
        instant("ended_at", "When it was won or lost; null: it is open."),
        text("lost_reason", "Why it was lost, as a code; null: it was not, or nobody said."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("customer_id",),),
)


class Opportunity(NamedTuple):
    """What more a customer might buy. Microseconds."""

    identified_at: int  # when it was seen first
    said: r.ExpansionIdentified  # last
    status: Literal["open", "won", "lost"]
    ended_at: int | None
    lost_reason: str | None
    position: int


@dataclass(slots=True)
class Told:
    """What is known of one renewal, each fact with when it happened and its position. Microseconds.

    What was typed in late may lie before the first fact, so times are those of the facts, whatever the order in which they come.
    """

    renewal_id: str
    customer_id: str = ""
    forecasts: dict[int, tuple[r.ForecastRecorded, int]] = field(default_factory=dict)  # by position
    corrected: dict[int, tuple[int, int]] = field(default_factory=dict)  # position -> (right basis points, position)
    assessed: list[tuple[int, int]] = field(default_factory=list)
    identified: dict[str, list[tuple[int, int, r.ExpansionIdentified]]] = field(default_factory=dict)
    ended: dict[str, list[tuple[int, int, r.ExpansionWon | r.ExpansionLost]]] = field(default_factory=dict)


def start(stream: str) -> Told:
    """Return the state of a renewal before its first fact; `stream` is `renewal:R-7`."""
    return Told(stream.partition(":")[2])


def fold(told: Told, recorded: Recorded) -> Told:
    """Return the state after one fact more."""
    event, position = recorded.fact, recorded.position
    told.customer_id = event.customer_id
    match event:
        case r.ForecastRecorded():
            told.forecasts[position] = event, micros(event.forecast_at)
        case r.ForecastCorrected():
            if told.corrected.get(event.corrects, (0, 0))[1] < position:
                told.corrected[event.corrects] = event.now_bp, position
        case r.ExpansionAssessed():
            told.assessed.append((micros(event.assessed_at), position))
        case r.ExpansionIdentified():
            told.identified.setdefault(event.opportunity_id, []).append((micros(event.identified_at), position, event))
        case r.ExpansionWon():
            told.ended.setdefault(event.opportunity_id, []).append((micros(event.won_at), position, event))
        case r.ExpansionLost():
            told.ended.setdefault(event.opportunity_id, []).append((micros(event.lost_at), position, event))
    return told


def opportunities(told: Told, until: int | None = None) -> dict[str, Opportunity]:
    """Return the opportunities by their ids, as they stood at an instant, that included; None: as they stand."""
    found = {}
    for id in sorted(told.identified):
        said = sorted((each for each in told.identified[id] if until is None or each[0] <= until), key=lambda each: each[:2])
        ended = sorted((each for each in told.ended.get(id, ()) if until is None or each[0] <= until), key=lambda each: each[:2])
        if said:
            end = ended[-1] if ended else None
            status: Literal["open", "won", "lost"] = "open" if end is None else "won" if isinstance(end[2], r.ExpansionWon) else "lost"
            reason = end[2].reason if end is not None and isinstance(end[2], r.ExpansionLost) else None
            newest = max(each[1] for each in (*said, *ended))
            found[id] = Opportunity(said[0][0], said[-1][2], status, end[0] if end else None, reason, newest)
    return found


def rows(told: Told) -> Rows:
    """Return the rows of one renewal."""
    return {
        "renewal_forecast": [_forecast(told, position) for position in sorted(told.forecasts)],
        "expansion_opportunity": [
            (
                told.renewal_id,
                id,
                told.customer_id,
                each.status,
                each.identified_at,
                each.said.mrr_minor,
                each.said.currency,
                each.said.identified_by,
                each.ended_at,
                each.lost_reason,
                each.position,
            )
            for id, each in opportunities(told).items()
        ],
    }


def _forecast(told: Told, position: int) -> Row:
    event, at = told.forecasts[position]
    probability_bp, newest = told.corrected.get(position, (event.probability_bp, position))
    return (
        told.renewal_id,
        position,
        event.customer_id,
        event.subscription_id,
        event.renewal_on.isoformat() if event.renewal_on is not None else None,
        at,
        probability_bp,
        event.source,
        event.forecast_by,
        newest,
    )


PROJECTIONS = (Entity("renewal", 1, concept="renewal", tables=(RENEWAL_FORECAST, EXPANSION_OPPORTUNITY), start=Told, fold=fold, rows=rows),)
