"""Which burn alerts an objective has, by the operating model in force, and the columns in which they are told. No table of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from opsledger.domain import slo
from opsledger.policies.burn import allowed, factor
from opsledger.policies.burning import Episode, Rule, Shares, Turn, paired
from opsledger.policies.instants import DAY_S, SECOND
from opsledger.policies.known import Known
from opsledger.policies.platform import BurnRule
from opsledger.projections.availability.objectives import Held
from opsledger.projections.table import Column, Row, Table, boolean, instant, integer, text

__all__ = ["Burn", "Judged", "alert_row", "alert_table", "alerts", "burn_row", "burn_table", "burns"]


class Burn(NamedTuple):
    """A rule of the operating model, as it applies to an objective with a target."""

    name: str  # for example page_3600_300
    told: BurnRule
    factor: Fraction
    rule: Rule


class Judged(NamedTuple):
    """A month of an objective, the rule that applies in it, and where that rule turns in the whole of what is known."""

    held: Held
    burn: Burn
    turns: list[Turn]


def burns(version: slo.Published, target_pct: Decimal, at: int, known: Known) -> Iterator[Burn]:
    """Yield the rules of the operating model that is in force at an instant; none where a target leaves no budget."""
    if not allowed(target_pct):
        return
    policy = known.in_force(max(at, known.models()[0].effective_from)).model.error_budgets
    period_s = policy.month_counts_as if version.rolling_days is None else version.rolling_days * DAY_S
    for told in policy.burn:
        rate = factor(told.budget_pct, period_s, told.long)
        rule = Rule(told.long * SECOND, told.short * SECOND, rate * allowed(target_pct))
        yield Burn(f"{told.severity}_{told.long}_{told.short}", told, rate, rule)


def alerts(months: Iterable[Judged]) -> list[tuple[Episode, Judged]]:
    """Return the alerts of one rule over the months of an objective, in order, each with the month in which it opened."""
    turns: list[Turn] = []
    within: dict[int, Judged] = {}
    for month in months:
        held, found = month.held, month.turns
        before = [turn for turn in found if turn.at <= held.begin]
        begins = [before[-1]._replace(at=held.begin)] if before else []
        inside = [*begins, *(turn for turn in found if held.begin < turn.at <= held.end)]
        if held.end == held.life.stop:
            inside.append(Turn(held.end, fires=False, shares=Shares(0, 0, 0, 0)))
        turns += inside
        within.update((turn.at, month) for turn in inside if turn.at not in within)
    return [(episode, within[episode.opened]) for episode in paired(turns)]


_RULE = (
    text("rule", "Severity, long and short window in seconds: page_3600_300."),
    text("severity", "page or ticket."),
    integer("long_s", "Length of the long window."),
    integer("short_s", "Length of the short window."),
    text(
        "factor",
        "How many times faster than allowed both must burn, strictly: exactly, as a decimal such as 14.4 or a ratio such as 14/15.",
    ),
)
_SHARES = tuple(
    integer(f"{window}_{what}", f"{meaning} in the {window} window{{when}}, in the objective's unit.")
    for window in ("long", "short")
    for what, meaning in (("bad", "What was bad"), ("total", "All that was counted"))
)


def _shares(when: str) -> tuple[Column, ...]:
    return tuple(Column(column.name, column.kind, column.doc.format(when=when)) for column in _SHARES)


_OWN = (
    text("service_id", "Id of the service."),
    text("slo_id", "Id of the objective."),
    text("measure", "availability, errors, or below_150000_us: what the objective asks."),
)


def burn_table(name: str, doc: str) -> Table:
    """Declare a table of rules as they stand at the end of what is counted."""
    return Table(
        name,
        doc,
        key=("service_id", "slo_id", "measure", "rule"),
        columns=(
            *_OWN,
            *_RULE,
            instant("at", "The end of what is counted."),
            *_shares(" before it"),
            boolean("fires", "Whether both burn faster than the rule allows."),
            integer("last_position", "Position of the newest fact used."),
        ),
    )


def burn_row(service_id: str, slo_id: str, measure: str, burn: Burn, at: int, shares: Shares, last_position: int) -> Row:
    """Return a row of such a table."""
    return (service_id, slo_id, measure, *_told(burn), at, *shares, shares.exceed(burn.rule.limit), last_position)


def alert_table(name: str, doc: str) -> Table:
    """Declare a table of alerts."""
    return Table(
        name,
        doc,
        key=("service_id", "slo_id", "measure", "rule", "opened_at"),
        columns=(
            *_OWN,
            *_RULE,
            instant("opened_at", "When both windows came to burn too fast."),
            instant("closed_at", "From when on one of them did no longer, or the objective held no longer; null: it is open."),
            integer("slo_version", "Version of the objective that was in force in the month in which it opened."),
            *_shares(" before it opened"),
            integer("last_position", "Position of the newest fact used, up to its end."),
        ),
        indexes=(("opened_at",),),
    )


def alert_row(service_id: str, slo_id: str, measure: str, judged: Judged, episode: Episode, last_position: int) -> Row:
    """Return a row of such a table."""
    times = (episode.opened, episode.closed, judged.held.version.version)
    return (service_id, slo_id, measure, *_told(judged.burn), *times, *episode.shares, last_position)


def _told(burn: Burn) -> Row:
    return (burn.name, burn.told.severity, burn.told.long, burn.told.short, _text(burn.factor))


def _text(number: Fraction) -> str:
    """Return a number as the decimal that it is, or as a ratio where it has none."""
    decimal = Decimal(number.numerator) / number.denominator
    return str(decimal) if Fraction(decimal) == number else str(number)
