"""A service's months: every stretch with its state, cause and verdict, and what they add up to by either denominator.

    sources ──> timeline ──> months        and again under other terms, for what-if questions

A month keeps the objective's version and the operating model that are in force when it begins. A month that is not over ends at
the newest fact of the service, or at the end of the last day closed, whichever is later. Times are integer microseconds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Literal

from opsledger.domain import slo
from opsledger.policies.availability import Measured, Reckoning, measured
from opsledger.policies.instants import DAY_S, SECOND
from opsledger.policies.known import Known
from opsledger.policies.months import Month, Months
from opsledger.policies.quorum import Quorum
from opsledger.policies.timeline import Cells, Judged, cells, judged, within
from opsledger.projections.availability.objectives import Life, held_months, lives
from opsledger.projections.availability.sources import Objectives, Services, Source, Through
from opsledger.projections.availability.told import Rules, planned, spans, spoken

__all__ = ["Availability", "Reckoned", "Terms", "WhatIf", "timeline"]

_DAY = DAY_S * SECOND


@dataclass(frozen=True, slots=True)
class Terms:
    """By what a month is counted and judged: an objective's version with what the operating model says of its service."""

    slo_id: str
    version: int
    position: int  # of the fact that published the version
    policy: str
    target_pct: Decimal
    months: Months
    rolling_days: int | None
    rules: Rules
    unknown_time: slo.UnknownTime
    degraded_weight_pct: Decimal
    maintenance_leaves: Literal["numerator_and_denominator", "numerator"]


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Terms to ask about instead of those in force; None: as they are."""

    target_pct: Decimal | None = None
    months: Months | None = None  # of another zone: policies.months.months("America/New_York")
    maintenance_taken_out: bool | None = None
    maintenance_leaves: Literal["numerator_and_denominator", "numerator"] | None = None
    unknown_time: slo.UnknownTime | None = None
    degraded_weight_pct: Decimal | None = None
    measured_by: slo.MeasuredBy | None = None
    minimum_outage_s: int | None = None
    quorum: int | None = None

    def of(self, terms: Terms) -> Terms:
        """Return the terms to ask about."""
        rules = terms.rules
        asked = rules._replace(
            measured_by=self.measured_by or rules.measured_by,
            quorum=rules.quorum if self.quorum is None else Quorum(self.quorum),
            minimum=rules.minimum if self.minimum_outage_s is None else self.minimum_outage_s * SECOND,
            takes_out=rules.takes_out if self.maintenance_taken_out is None else self.maintenance_taken_out,
        )
        names = ("target_pct", "maintenance_leaves", "unknown_time", "degraded_weight_pct")
        own = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(terms, rules=asked, **own)


@dataclass(frozen=True, slots=True)
class Reckoned:
    """A month of a service under one objective, up to where it is known."""

    terms: Terms
    month: Month
    begin: int  # of what is counted: the month's, or that of the days before its end
    end: int
    complete: bool  # whether nothing of it is still to come
    stretches: tuple[Judged, ...]  # of the month, in the order of time
    cells: Cells
    last_position: int

    @property
    def reckoning(self) -> Reckoning:
        """What is measured and what of it is down, by either denominator."""
        return measured(self.cells, unknown_time=self.terms.unknown_time, degraded_weight_pct=self.terms.degraded_weight_pct)

    @property
    def decisive(self) -> Measured:
        """The reckoning by the denominator that the terms choose."""
        return self.reckoning.removed if self.terms.maintenance_leaves == "numerator_and_denominator" else self.reckoning.counted

    @property
    def met(self) -> bool | None:
        """Whether the target is met so far; None: nothing was measured."""
        return self.decisive.met(self.terms.target_pct)


class Availability:
    """One service, from the states of its streams and what is known of policies."""

    def __init__(self, service_id: str, states: Mapping[str, Source], known: Known) -> None:
        self.service_id, self._known = service_id, known
        self._sources = list(states.values())
        own = [source.newest for source in self._sources]
        self.until = max(own, default=0)
        self._timelines: dict[Rules, list[Judged]] = {}

    def months(self, what_if: WhatIf | None = None) -> Iterator[Reckoned]:
        """Yield the months of every objective that counts time, in the order of objectives and time."""
        for source in self._sources:
            if isinstance(source.told, Objectives):
                yield from self._months(source, what_if or WhatIf())

    def timeline(self, rules: Rules) -> Sequence[Judged]:
        """Return all that is known, in the order of time, without gaps."""
        if rules not in self._timelines:
            begin = min((life.start for life in self._lives), default=self.until)
            self._timelines[rules] = list(timeline(self.service_id, self._sources, self._known, rules, begin, self.until))
        return self._timelines[rules]

    def _months(self, source: Source, what_if: WhatIf) -> Iterator[Reckoned]:
        for held in held_months(source.told, self._retired, self.until, what_if.months):
            if held.version.objective == "availability":
                months = what_if.months or held.months
                terms = what_if.of(self._terms(source, held.position, held.version, months, held.month.start))
                yield self._reckoned(terms, held.month, held.life, held.begin, held.end)

    def _reckoned(self, terms: Terms, month: Month, life: Life, begin: int, end: int) -> Reckoned:
        stretches = tuple(self._cut(terms.rules, begin, end))
        since, counted = begin, stretches
        if terms.rolling_days is not None:
            since = max(life.start, end - terms.rolling_days * _DAY)
            counted = tuple(self._cut(terms.rules, since, end))
        positions = [terms.position, *(each.position or 0 for each in counted)]
        positions += [position for low, high, position in self._spans if low < end and high >= since]
        positions += [source.last_position for source in self._sources if isinstance(source.told, Through) and source.newest == end]
        return Reckoned(
            terms=terms,
            month=month,
            begin=since,
            end=end,
            complete=end == min(month.stop, life.stop),
            stretches=stretches,
            cells=cells(counted),
            last_position=max(positions),
        )

    def _cut(self, rules: Rules, begin: int, end: int) -> Iterator[Judged]:
        known = self.timeline(rules)
        low = bisect_right(known, begin, key=lambda each: each.stop)
        high = bisect_left(known, end, key=lambda each: each.start)
        return within(known[low:high], begin, end)

    def _terms(self, source: Source, position: int, version: slo.Published, months: Months, at: int) -> Terms:
        published = self._known.in_force(max(at, self._known.models()[0].effective_from))
        model = published.model.availability
        taken = version.excludes_maintenance
        return Terms(
            slo_id=source.stream.partition(":")[2],
            version=version.version,
            position=position,
            policy=published.ref,
            target_pct=version.target_pct,
            months=months,
            rolling_days=version.rolling_days,
            rules=Rules(
                measured_by=version.measured_by,
                quorum=Quorum(model.quorum, model.quorum_healthy_above_pct),
                incident_states=tuple((severity.value, state) for severity, state in sorted(model.incident_states.items())),
                minimum=model.minimum_outage * SECOND,
                whole_minutes=model.downtime_counts == "whole_minutes",
                takes_out=self.service_id in model.planned_maintenance_excluded_for if taken is None else taken,
            ),
            unknown_time=version.unknown_time or model.unknown_time,
            degraded_weight_pct=model.degraded_weight_pct,
            maintenance_leaves=model.maintenance_leaves,
        )

    @cached_property
    def _spans(self) -> list[tuple[int, int, int]]:
        return [span for source in self._sources for span in spans(source, self.service_id)]

    @cached_property
    def _retired(self) -> int | None:
        return next((source.told.retired_at for source in self._sources if isinstance(source.told, Services)), None)

    @cached_property
    def _lives(self) -> list[Life]:
        objectives = [source.told for source in self._sources if isinstance(source.told, Objectives)]
        return [life for told in objectives for life in lives(told, self._retired)]


def timeline(service_id: str, sources: Sequence[Source], known: Known, rules: Rules, begin: int, end: int) -> Iterator[Judged]:
    """Yield [begin, end) of a service without gaps, each stretch with its state, its cause and what it counts as by the rules."""
    stretches = spoken(service_id, sources, rules, begin, end)
    marks = planned(sources, known, takes_out=rules.takes_out)
    return judged(stretches, marks, begin, end, minimum=rules.minimum, whole_minutes=rules.whole_minutes)
