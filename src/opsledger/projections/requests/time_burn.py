"""time_burn, time_burn_alert: how fast does downtime burn the budget of an objective that counts time, and when did it do so too fast?

Grain: one row per service, objective and rule, at the end of what is known; one row per alert. The timeline is that of sla_month, and so
is what is measured and what counts as down; degraded time, which weighs in the month's budget, raises no alert. Read both with those
of requests in error_budget_burn and burn_alert. They are made with sla_month, by the projection of availability.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opsledger.policies.burning import Timeline, Turn
from opsledger.policies.intervals import Interval, union
from opsledger.policies.known import Known
from opsledger.projections.availability.months import Availability, Reckoned, Terms
from opsledger.projections.availability.objectives import held_months
from opsledger.projections.availability.sources import Objectives, Services, Source
from opsledger.projections.kinds import Rows
from opsledger.projections.requests.burn_rules import Burn, Judged, alert_row, alert_table, alerts, burn_row, burn_table, burns
from opsledger.projections.table import Row

__all__ = ["TIME_ALERT", "TIME_BURN", "time_burn"]

TIME_BURN = burn_table("time_burn", "One row per service, objective that counts time, and rule, at the end of what is known.")
TIME_ALERT = alert_table("time_burn_alert", "One row per service, objective that counts time, rule and stretch in which the rule fired.")

_MEASURE = "availability"


def time_burn(availability: Availability, reckoned: Iterable[Reckoned], states: Mapping[str, Source], known: Known) -> Rows:
    """Return the rows of one service, whose months were reckoned."""
    found: dict[str, list[Row]] = {TIME_BURN.name: [], TIME_ALERT.name: []}
    told = _Told(availability, reckoned, states, known)
    for source in states.values():
        if isinstance(source.told, Objectives):
            told.tell(source, found)
    return found


class _Told:
    """One service: what was measured of it, and what of that was down."""

    def __init__(self, availability: Availability, reckoned: Iterable[Reckoned], states: Mapping[str, Source], known: Known) -> None:
        self.service_id, self._known, self._availability = availability.service_id, known, availability
        self._terms = {(each.terms.slo_id, each.month.name): each.terms for each in reckoned}
        self._sources = list(states.values())
        self._retired_at = next((source.told.retired_at for source in self._sources if isinstance(source.told, Services)), None)
        self._timelines: dict[tuple[object, ...], Timeline] = {}
        self._turns: dict[tuple[object, ...], list[Turn]] = {}

    def tell(self, source: Source, found: dict[str, list[Row]]) -> None:
        """Add the rows of an objective."""
        slo_id = source.stream.partition(":")[2]
        judged: dict[str, list[Judged]] = {}
        newest: Timeline | None = None
        for held in held_months(source.told, self._retired_at, self._availability.until):
            terms = self._terms.get((slo_id, held.month.name))
            if terms is not None:
                newest = self._timeline(terms)
                for burn in burns(held.version, terms.target_pct, held.month.start, self._known):
                    judged.setdefault(burn.name, []).append(Judged(held, burn, self._turned(terms, burn)))
        for each in judged.values():
            for episode, at in alerts(each):
                last = self._last_position(source, episode.closed)
                found[TIME_ALERT.name].append(alert_row(self.service_id, slo_id, _MEASURE, at, episode, last))
            assert newest is not None  # a month was judged
            end, burn = each[-1].held.end, each[-1].burn
            row = burn_row(self.service_id, slo_id, _MEASURE, burn, end, newest.shares(end, burn.rule), self._last_position(source, None))
            found[TIME_BURN.name].append(row)

    def _turned(self, terms: Terms, burn: Burn) -> list[Turn]:
        """Return where a rule turns in all that is known."""
        key = (terms.rules, terms.maintenance_leaves, terms.unknown_time, burn.rule)
        if key not in self._turns:
            self._turns[key] = self._timeline(terms).turns(self._availability.until, burn.rule)
        return self._turns[key]

    def _timeline(self, terms: Terms) -> Timeline:
        key = (terms.rules, terms.maintenance_leaves, terms.unknown_time)
        if key not in self._timelines:
            told = list(self._pieces(terms))
            measured, down = union(piece for piece, _ in told), union(piece for piece, is_down in told if is_down)
            self._timelines[key] = Timeline(self._availability.timeline(terms.rules)[0].start, measured, down)
        return self._timelines[key]

    def _pieces(self, terms: Terms) -> Iterator[tuple[Interval, bool]]:
        """Yield what is measured of the timeline, and whether it counts as down."""
        for each in self._availability.timeline(terms.rules):
            if each.scheduled and terms.maintenance_leaves == "numerator_and_denominator":
                continue
            if each.counts_as == "unknown" and terms.unknown_time == "excluded":
                continue
            is_down = each.counts_as == "down" or (each.counts_as == "unknown" and terms.unknown_time == "down")
            yield (each.start, each.stop), is_down and not each.scheduled

    def _last_position(self, source: Source, closed: int | None) -> int:
        """Return the newest fact of the service; of an alert that has closed, the newest of those that tell of the time up to then."""
        told = [source, *(each for each in self._sources if closed is None or each.newest <= closed)]
        return max(each.last_position for each in told)
