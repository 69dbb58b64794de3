"""availability_interval: was the service up at each moment, and why? sla_month: did it keep its objective?

Grain: availability_interval, one row per service, objective and stretch of a month in which nothing changed, so that the rows of
a month add up to it; sla_month, one row per service, objective and calendar month of the objective's zone. A late fact restates
both. Percentages are two integers in microseconds; verdicts compare exact numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from opsledger.policies.availability import Measured
from opsledger.policies.known import Known
from opsledger.projections.availability.months import Availability, Reckoned, WhatIf
from opsledger.projections.availability.sources import CONCEPTS, EVERYWHERE, Source, fold, start, subjects
from opsledger.projections.availability.story import tell
from opsledger.projections.kinds import Gathered, Line, Rows
from opsledger.projections.requests.burn_story import tell_time
from opsledger.projections.requests.time_burn import TIME_ALERT, TIME_BURN, time_burn
from opsledger.projections.table import Row, Table, boolean, instant, integer, text

__all__ = ["AVAILABILITY_INTERVAL", "PROJECTIONS", "SLA_MONTH", "months", "rows"]

_SERVICE = text("service_id", "Id of the service, the host's.")
_SLO = text("slo_id", "Id of the objective.")
_MONTH = text("month", "Calendar month of the objective's zone, for example 2026-03.")

AVAILABILITY_INTERVAL = Table(
    "availability_interval",
    "One row per service, objective and stretch of a month in which state, cause and verdict stayed the same.",
    key=("service_id", "slo_id", "from_at"),
    columns=(
        _SERVICE,
        _SLO,
        instant("from_at", "Start of the stretch."),
        instant("to_at", "End of the stretch, not part of it."),
        _MONTH,
        text("state", "up, degraded, down or unknown, as probes and incidents say and as it was reclassified."),
        text("counts_as", "What the state counts as: itself, or up where downtime is forgiven."),
        boolean("excluded", "Whether the stretch is taken out: planned maintenance by every rule, or reclassified as excluded."),
        text("window_id", "Maintenance that went on in it, taken out or not; null: none."),
        text("reason", "Why it is taken out, counts though it was maintenance, or is forgiven; null: nothing of the kind."),
        text("cause", "Stream of the fact that made the state so; null: no fact says otherwise."),
        integer("cause_position", "Position of that fact."),
        text(
            "vote",
            "What each location said when the state began, where probes decided; null: none was expected to speak.",
        ),
        integer("last_position", "Position of the newest fact used for the month."),
    ),
    indexes=(("month",),),
)

SLA_MONTH = Table(
    "sla_month",
    "One row per service, objective that counts time, and calendar month, up to where it is known; a rolling one ends with the month.",
    key=("service_id", "slo_id", "month"),
    columns=(
        _SERVICE,
        _SLO,
        _MONTH,
        text("zone", "Zone of the calendar month."),
        integer("slo_version", "Version of the objective that was in force when the month began."),
        text("policy", "Operating model that was in force when the month began."),
        instant("from_at", "Start of what is counted: the month's, the objective's, or that of the rolling days."),
        instant("to_at", "End of what is counted, not part of it."),
        instant("month_ends_at", "End of the calendar month."),
        boolean("complete", "Whether nothing of the month is still to come."),
        text("target", "Target in percent, an exact decimal."),
        boolean("met", "Whether the target is met, by the denominator that maintenance_leaves names; null: nothing was measured."),
        text("null_reason", "Why met is null; null when it is not."),
        text("maintenance_leaves", "numerator_and_denominator: planned maintenance is removed. numerator: it counts as up."),
        text("unknown_time", "What unknown time counts as in both denominators: excluded, up or down."),
        integer("up_us", "Microseconds up, of measured_us: their ratio is the uptime that is compared."),
        integer("measured_us", "Microseconds measured, by the denominator that maintenance_leaves names."),
        integer("removed_up_us", "Microseconds up where planned maintenance is removed, of removed_measured_us."),
        integer("removed_measured_us", "Microseconds measured where planned maintenance is removed."),
        boolean("removed_met", "Whether the target is met where planned maintenance is removed; null: nothing was measured."),
        integer("counted_up_us", "Microseconds up where planned maintenance counts as up, of counted_measured_us."),
        integer("counted_measured_us", "Microseconds measured where planned maintenance counts as up."),
        boolean("counted_met", "Whether the target is met where planned maintenance counts as up; null: nothing was measured."),
        integer("period_us", "Microseconds from from_at to to_at: the sum of the next five."),
        integer("up_unscheduled_us", "Up or degraded, outside what is taken out; downtime that is forgiven with it."),
        integer("up_scheduled_us", "Up or degraded, within what is taken out."),
        integer("down_unscheduled_us", "Down, outside what is taken out: unplanned downtime."),
        integer("down_scheduled_us", "Down, within what is taken out: planned downtime."),
        integer("unknown_us", "Of which nobody knows, taken out or not."),
        integer("known_us", "period_us - unknown_us: its share of period_us is the coverage."),
        integer("maintenance_excluded_us", "Planned maintenance, and what was reclassified so: taken out."),
        integer("maintenance_counted_us", "Maintenance that counts, since it fails a rule or goes beyond one; in the cells as well."),
        integer("degraded_us", "Degraded time outside what is taken out; in up_unscheduled_us as well."),
        integer("forgiven_us", "Downtime too short to count; in up_unscheduled_us as well."),
        integer(
            "weighted_down_us", "What counts as down: downtime, the weight of degraded time, unknown time where it is down; rounded up."
        ),
        integer("budget_us", "What may be down of measured_us, cut to the microsecond."),
        integer("budget_remaining_us", "Budget less what counts as down, cut; below 0 when it is overspent."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("month",),),
)


def rows(service_id: str, states: Mapping[str, Source], known: Known) -> Rows:
    """Return the rows of one service."""
    availability = Availability(service_id, states, known)
    found = list(availability.months())
    return {
        **time_burn(availability, found, states, known),
        "availability_interval": [row for each in found for row in _intervals(service_id, each)],
        "sla_month": [_month(service_id, each) for each in found],
    }


def months(service_id: str, states: Mapping[str, Source], known: Known, what_if: WhatIf | None = None) -> list[Row]:
    """Return the rows of sla_month of one service, as they would be under other terms where `what_if` names some."""
    return [_month(service_id, each) for each in Availability(service_id, states, known).months(what_if)]


def _intervals(service_id: str, each: Reckoned) -> Iterator[Row]:
    for part in each.stretches:
        yield (
            service_id,
            each.terms.slo_id,
            part.start,
            part.stop,
            each.month.name,
            part.state,
            part.counts_as,
            part.scheduled,
            part.window_id,
            part.reason,
            part.cause,
            part.position,
            part.vote,
            each.last_position,
        )


def _month(service_id: str, each: Reckoned) -> Row:
    terms, cells, (removed, counted) = each.terms, each.cells, each.reckoning
    decisive, target = each.decisive, each.terms.target_pct
    budget = decisive.budget(target)
    values: dict[str, Any] = {
        "service_id": service_id,
        "slo_id": terms.slo_id,
        "month": each.month.name,
        "zone": terms.months.zone,
        "slo_version": terms.version,
        "policy": terms.policy,
        "from_at": each.begin,
        "to_at": each.end,
        "month_ends_at": each.month.stop,
        "complete": each.complete,
        "target": str(target),
        "met": each.met,
        "null_reason": "nothing was measured" if each.met is None else None,
        "maintenance_leaves": terms.maintenance_leaves,
        "unknown_time": terms.unknown_time,
        "up_us": _up(decisive),
        "measured_us": decisive.total,
        "removed_up_us": _up(removed),
        "removed_measured_us": removed.total,
        "removed_met": removed.met(target),
        "counted_up_us": _up(counted),
        "counted_measured_us": counted.total,
        "counted_met": counted.met(target),
        "period_us": cells.period,
        "up_unscheduled_us": cells.up,
        "up_scheduled_us": cells.up_scheduled,
        "down_unscheduled_us": cells.down,
        "down_scheduled_us": cells.down_scheduled,
        "unknown_us": cells.unknown + cells.unknown_scheduled,
        "known_us": cells.period - cells.unknown - cells.unknown_scheduled,
        "maintenance_excluded_us": cells.scheduled,
        "maintenance_counted_us": cells.maintenance_counted,
        "degraded_us": cells.degraded,
        "forgiven_us": cells.forgiven,
        "weighted_down_us": _rounded_up(decisive.down),
        "budget_us": int(budget),
        "budget_remaining_us": (budget - decisive.down).__floor__(),
        "last_position": each.last_position,
    }
    return tuple([values[column.name] for column in SLA_MONTH.columns])


def _up(measured: Measured) -> int:
    """Return what was up in whole microseconds, a fraction in favour of nobody: down is rounded up."""
    return measured.total - _rounded_up(measured.down)


def _rounded_up(length: Fraction) -> int:
    return -(-length.numerator // length.denominator)


def _tell(table: str, row: Mapping[str, Any], states: Mapping[str, Source], known: Known) -> Sequence[Line]:
    if table in (TIME_BURN.name, TIME_ALERT.name):
        return tell_time(row, states, known)
    return tell(table, row, states, known)


PROJECTIONS = (
    Gathered(
        "availability",
        1,
        concepts=CONCEPTS,
        tables=(AVAILABILITY_INTERVAL, SLA_MONTH, TIME_BURN, TIME_ALERT),
        start=start,
        fold=fold,
        subjects=subjects,
        rows=rows,
        everywhere=EVERYWHERE,
        tell=_tell,
    ),
)
