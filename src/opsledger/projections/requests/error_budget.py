"""error_budget: what is left of what may go wrong? burn_alert: when did it go wrong too fast? error_budget_burn: how fast is it now?

Grain: one row per service, objective, month and measure; one row per alert; one row per service, objective, measure and rule, at the end
of what is counted. Each joins two tables: those of requests come from the windows of an objective's series, with a measure for
each bound that it names; those of time from sla_month and `time_burn`. Adjustments stand apart from what was measured.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal

from opsledger.domain import slo
from opsledger.domain.error_budget import Adjusted
from opsledger.domain.recorded import Recorded
from opsledger.policies.burn import spent, strictly_below
from opsledger.policies.burning import Point, Rule, Turn, shares_at
from opsledger.policies.instants import DAY_S, SECOND, micros
from opsledger.policies.known import Known
from opsledger.projections.availability import sources as availability
from opsledger.projections.availability.objectives import Held, held_months
from opsledger.projections.availability.sources import Objectives, Source, Through
from opsledger.projections.kinds import Entry, Gathered, Rows
from opsledger.projections.requests import spending
from opsledger.projections.requests.burn_rules import Judged, alert_row, alert_table, alerts, burn_row, burn_table, burns
from opsledger.projections.requests.burn_story import tell_requests
from opsledger.projections.requests.spending import Counted, Measure, Spent, burnt
from opsledger.projections.table import Row, Table, boolean, instant, integer, text

__all__ = ["ADJUSTMENT", "PROJECTIONS", "REQUEST_ALERT", "REQUEST_BUDGET", "REQUEST_BURN", "fold", "rows", "start", "subjects"]

_DAY = DAY_S * SECOND

REQUEST_BUDGET = Table(
    "request_error_budget",
    "One row per service, objective that counts requests, month and measure, as it was measured.",
    key=("service_id", "slo_id", "month", "measure"),
    columns=(
        text("service_id", "Id of the service."),
        text("slo_id", "Id of the objective."),
        text("month", "Calendar month of the objective's zone, for example 2026-03."),
        text("measure", "errors: a request did not fail. below_150000_us: it took strictly less."),
        integer("slo_version", "Version of the objective that was in force when the month began."),
        instant("from_at", "Start of what is counted: the month's, the objective's, or that of the rolling days."),
        instant("to_at", "End of what is counted, not part of it."),
        instant("month_ends_at", "End of the calendar month."),
        boolean("complete", "Whether nothing of the month is still to come."),
        text("target", "Target in percent, an exact decimal."),
        integer("total", "Requests that were judged, of windows that start in the time counted."),
        integer("bad", "Of them, those that were bad."),
        integer("unjudged", "Requests of windows that do not have the bound as an edge; not in total."),
        integer("budget", "How many of total may be bad, cut to a whole one."),
        integer("remaining", "Budget less what was bad, cut to a whole one; below 0 when it is overspent."),
        boolean("error_rate_met", "Whether the rate is strictly below the one promised beside the target; null: none is, or no requests."),
        text("null_reason", "Why there is nothing to judge; null where there is."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("month",),),
)

REQUEST_BURN = burn_table(
    "request_burn", "One row per service, objective that counts requests, measure and rule, at the end of its newest window."
)
REQUEST_ALERT = alert_table(
    "request_burn_alert", "One row per service, objective that counts requests, measure, rule and stretch in which the rule fired."
)

ADJUSTMENT = Table(
    "error_budget_adjustment",
    "One row per adjustment of an error budget.",
    key=("slo_id", "last_position"),
    columns=(
        text("slo_id", "Id of the objective."),
        instant("applies_at", "The instant at which it counts."),
        text("unit", "us: of time, microseconds down. events: bad requests."),
        integer("given_back", "How much less counts against the budget; negative: more."),
        text("requested_by", "Opaque id of who asked."),
        text("approved_by", "Opaque id of who approved."),
        integer("last_position", "Position of the fact."),
    ),
)

State = Source | spending.Stream


def start(stream: str) -> State:
    """Return a stream before its first fact."""
    return spending.start(stream) if stream.startswith("measurement:") else availability.start(stream)


def fold(state: State, recorded: Recorded) -> State:
    """Return the stream after one fact more."""
    return spending.fold(state, recorded) if isinstance(state, spending.Stream) else availability.fold(state, recorded)


def subjects(state: State) -> Collection[str]:
    """Return the ids of the services that a stream speaks of."""
    return state.services if isinstance(state, spending.Stream) else availability.subjects(state)


def rows(service_id: str, states: Mapping[str, State], known: Known) -> Rows:
    """Return the rows of one service."""
    found: dict[str, list[Row]] = {REQUEST_BUDGET.name: [], REQUEST_BURN.name: [], REQUEST_ALERT.name: []}
    sources = [state for state in states.values() if isinstance(state, Source)]
    retired_at = next((source.told.retired_at for source in sources if isinstance(source.told, availability.Services)), None)
    closed = next((source for source in sources if isinstance(source.told, Through)), None)
    counted = spending.days_of(state for state in states.values() if isinstance(state, spending.Stream))
    for source in sources:
        if isinstance(source.told, Objectives):
            objective = _Objective(service_id, source, counted, closed, retired_at)
            objective.tell(known, found)
    return found


class _Objective:
    """One objective of a service, and the days of its series. Versions may name different series."""

    def __init__(self, service_id: str, source: Source, counted: list[Counted], closed: Source | None, retired_at: int | None) -> None:
        self.service_id, self.slo_id, self._source = service_id, source.stream.partition(":")[2], source
        self._counted, self._closed, self._retired_at = counted, closed, retired_at
        names = {version.series_id for _, version in source.told.versions if version.service_id == service_id}
        self._newest = max((day.newest for day in counted if day.series_id in names), default=0)
        self._until = max(self._newest, closed.newest if closed is not None and self._newest else 0)

    def tell(self, known: Known, found: dict[str, list[Row]]) -> None:
        """Add the rows of the objective."""
        months = [
            held
            for held in held_months(self._source.told, self._retired_at, self._until)
            if held.version.objective == "requests" and held.version.service_id == self.service_id
        ]
        judged: dict[tuple[str, str], list[Judged]] = {}
        turned: dict[tuple[str | None, Measure, Rule], list[Turn]] = {}
        for held in months:
            days = self._days(held)
            for name, measure, target in _measures(held.version):
                found[REQUEST_BUDGET.name].append(self._budget(held, days, name, measure, target))
                for burn in burns(held.version, target, held.month.start, known):
                    key = (held.version.series_id, measure, burn.rule)
                    if key not in turned:
                        turned[key] = list(burnt(days, measure, burn.rule))
                    judged.setdefault((name, burn.name), []).append(Judged(held, burn, turned[key]))
        if not months:
            return
        days = self._days(months[-1])
        for (name, _), each in judged.items():
            for episode, at in alerts(each):
                last = self._last_position(months, episode.closed)
                found[REQUEST_ALERT.name].append(alert_row(self.service_id, self.slo_id, name, at, episode, last))
            if each[-1].held is months[-1]:
                found[REQUEST_BURN.name].append(self._burn(days, name, each[-1], self._last_position(months, None)))

    def _days(self, held: Held) -> list[Counted]:
        return [day for day in self._counted if day.series_id == held.version.series_id]

    def _budget(self, held: Held, days: list[Counted], name: str, measure: Measure, target: Decimal) -> Row:
        rolling = held.version.rolling_days
        since = held.begin if rolling is None else max(held.life.start, held.end - rolling * _DAY)
        within = [day for day in days if day.begin < held.end and since < day.end]
        sums = Spent()
        for day in within:
            sums = sums.plus(day.spent(measure, since, held.end))
        told = spent(sums.total, sums.bad, target)
        rate = held.version.error_rate_below_pct
        rate_met = None if rate is None or measure is not None else strictly_below(sums.bad, sums.total, rate)
        reason = None if sums.total else "no window has the bound as an edge" if sums.unjudged else "no requests"
        positions = [held.position, *(day.last_position for day in within)]
        if self._closed is not None and held.end > self._newest:
            positions.append(self._closed.last_position)
        return (
            self.service_id,
            self.slo_id,
            held.month.name,
            name,
            held.version.version,
            since,
            held.end,
            held.month.stop,
            held.end == min(held.month.stop, held.life.stop),
            str(target),
            *sums,
            int(told.budget),
            told.remaining.__floor__(),
            rate_met,
            reason,
            max(positions),
        )

    def _burn(self, days: list[Counted], name: str, judged: Judged, last_position: int) -> Row:
        rule, at = judged.burn.rule, min(self._newest, judged.held.end)
        measure = next(measure for other, measure, _ in _measures(judged.held.version) if other == name)
        near = [day for day in days if at - rule.long - 2 * _DAY < day.begin <= at]
        points: list[Point] = sorted(point for day in near for point in day.points(measure))
        return burn_row(self.service_id, self.slo_id, name, judged.burn, at, shares_at(points, at, rule), last_position)

    def _last_position(self, months: list[Held], closed: int | None) -> int:
        """Return the newest fact of the objective and of what was measured up to an instant; None: of all."""
        names = {held.version.series_id for held in months}
        days = [day for day in self._counted if day.series_id in names and (closed is None or day.begin <= closed)]
        return max([*(held.position for held in months), *(day.last_position for day in days)])


def _measures(version: slo.Published) -> Iterator[tuple[str, Measure, Decimal]]:
    """Yield what an objective asks of requests, each with its name and its target."""
    yield "errors", None, version.target_pct
    for bound in version.latency:
        yield f"below_{bound.below_us}_us", bound.below_us - 1, bound.share_pct


def _adjustment(recorded: Recorded) -> Rows:
    event = recorded.fact
    if not isinstance(event, Adjusted):
        return {}
    said = (event.slo_id, micros(event.applies_at), event.unit, event.given_back, event.requested_by, event.approved_by)
    return {ADJUSTMENT.name: [(*said, recorded.position)]}


PROJECTIONS = (
    Gathered(
        "request_budgets",
        1,
        concepts=("service", "slo", "measurement"),
        tables=(REQUEST_BUDGET, REQUEST_BURN, REQUEST_ALERT),
        start=start,
        fold=fold,
        subjects=subjects,
        rows=rows,
        everywhere=("ledger",),
        tell=tell_requests,
    ),
    Entry("error_budget_adjustments", 1, tables=(ADJUSTMENT,), rows=_adjustment),
)
