"""Service level objectives: what share of a month, or of the days before, a service shall be up or its requests be good.

    published ──> published ──> ... ──> withdrawn        versions, effective-dated

A version is never changed; the next one is published beside it. A month keeps the version that is in force when it begins.
Source: Operating Model, "Platform Availability SLAs".
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, assert_never

from pydantic import Field

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.fact import At, fact, part
from opsledger.domain.months import Months, months_of
from opsledger.errors import Refused

__all__ = [
    "LatencyBound",
    "MeasuredBy",
    "Objective",
    "Published",
    "Slo",
    "UnknownTime",
    "Window",
    "Withdrawn",
    "evolve",
    "publish",
    "withdraw",
]

Objective = Literal["availability", "requests"]
"""What is counted: the time in which the service was up, or the requests that went well."""

Window = Literal["calendar_month", "rolling"]

MeasuredBy = Literal["probes", "incidents", "both"]
"""What tells that it is down: the vote of its probes, the incidents that affect it, or either of them."""

UnknownTime = Literal["excluded", "up", "down"]
"""What time of which nobody knows counts as."""

Percent = Annotated[Decimal, Field(ge=0, le=100)]


@part
class LatencyBound:
    """A share of the requests that shall take less than a time, strictly."""

    share_pct: Percent
    below_us: Annotated[int, Field(gt=0)]


@fact("slo.published", at="published_at")
class Published:
    """A version of an objective holds from `effective_from` on."""

    published_at: At
    version: int
    service_id: str
    effective_from: At
    objective: Objective
    target_pct: Percent
    window: Window
    rolling_days: Annotated[int, Field(ge=1, le=3660)] | None  # null: it counts calendar months
    months: Months  # of the zone in which its calendar months are counted
    measured_by: MeasuredBy
    excludes_maintenance: bool | None = None  # null: as the operating model says of the service
    unknown_time: UnknownTime | None = None  # null: as the operating model says
    series_id: str | None = None  # of the measurements that count its requests; null: it counts time
    latency: tuple[LatencyBound, ...] = ()
    error_rate_below_pct: Percent | None = None  # strictly; null: not promised
    proposed_by: str
    approved_by: str
    reason: str


@fact("slo.withdrawn", at="withdrawn_at")
class Withdrawn:
    """An objective holds no longer."""

    withdrawn_at: At
    reason: str
    proposed_by: str
    approved_by: str


Fact = Published | Withdrawn


@dataclass(frozen=True, slots=True)
class Slo:
    """The newest version, as it was published, and when the objective was withdrawn."""

    newest: Published
    withdrawn_at: datetime | None = None


@concept("slo")
def evolve(slo: Slo | None, event: Fact) -> Slo:
    """Return the objective after `event`."""
    match event:
        case Published():
            return Slo(event)
        case Withdrawn():
            if slo is None:
                raise Refused("slo.unpublished", "An objective begins with its publication, not with its withdrawal.")
            return replace(slo, withdrawn_at=event.withdrawn_at)
        case _:
            assert_never(event)


@starts
def publish(
    slo: Slo | None,
    now: Moment,
    /,
    *,
    service_id: str,
    proposed_by: str,
    approved_by: str,
    target_pct: Decimal | None = None,
    objective: Objective = "availability",
    window: Window = "calendar_month",
    rolling_days: int | None = None,
    zone: str | None = None,
    measured_by: MeasuredBy = "probes",
    excludes_maintenance: bool | None = None,
    unknown_time: UnknownTime | None = None,
    series_id: str | None = None,
    latency: tuple[LatencyBound, ...] = (),
    error_rate_below_pct: Decimal | None = None,
    effective_from: datetime | None = None,
    reason: str = "",
) -> tuple[Fact, ...]:
    """Record a version of an objective that holds from `effective_from` (default: now) on.

    The target is by default what the operating model promises for the service, the zone of its months that of the reports. Adds
    nothing where the newest version says the same. Refuses an approver who is the proposer, another service than before, a time
    in the past without a reason, and terms that do not fit together.
    """
    another(approved_by, proposed_by, "this objective")
    if slo is not None and slo.newest.service_id != service_id:
        raise Refused(
            "slo.other_service", f"{now.id} is an objective of {slo.newest.service_id}; publish one of {service_id} under another id."
        )
    effective = effective_from or now.at
    if effective < now.at and not reason:
        raise Refused("slo.retroactive", f"The objective would hold from {effective.isoformat()}, before now; say why with a reason.")
    _check_terms(now, objective, window, rolling_days, series_id)
    published = Published(
        published_at=now.at,
        version=1 if slo is None else slo.newest.version + 1,
        service_id=service_id,
        effective_from=effective,
        objective=objective,
        target_pct=_promised(now, service_id) if target_pct is None else target_pct,
        window=window,
        rolling_days=rolling_days,
        months=months_of(zone or now.policies.in_force.model.reporting.month_zone),
        measured_by=measured_by,
        excludes_maintenance=excludes_maintenance,
        unknown_time=unknown_time,
        series_id=series_id,
        latency=latency,
        error_rate_below_pct=error_rate_below_pct,
        proposed_by=proposed_by,
        approved_by=approved_by,
        reason=reason,
    )
    return () if slo is not None and slo.withdrawn_at is None and _same_terms(slo.newest, published) else (published,)


def withdraw(slo: Slo, now: Moment, /, *, reason: str, proposed_by: str, approved_by: str) -> tuple[Fact, ...]:
    """Record that an objective holds no longer; its last month ends there. Another version brings it back."""
    another(approved_by, proposed_by, "this withdrawal")
    if slo.withdrawn_at == now.at:
        return ()
    if slo.withdrawn_at is not None:
        raise Refused("slo.withdrawn", f"{now.id} was withdrawn at {slo.withdrawn_at.isoformat()} already.")
    return (Withdrawn(withdrawn_at=now.at, reason=reason, proposed_by=proposed_by, approved_by=approved_by),)


def _promised(now: Moment, service_id: str) -> Decimal:
    services = now.policies.in_force.model.availability.services
    if service_id not in services:
        known = ", ".join(sorted(services))
        raise Refused("slo.no_target", f"The operating model promises nothing for {service_id}, only for {known}; give a target_pct.")
    return services[service_id].target_pct


def _check_terms(now: Moment, objective: Objective, window: Window, rolling_days: int | None, series_id: str | None) -> None:
    if (window == "rolling") != (rolling_days is not None):
        raise Refused("slo.window", f"{now.id} asks for {rolling_days} rolling days over a {window} window; give days with rolling alone.")
    if (objective == "requests") != (series_id is not None):
        raise Refused("slo.series", f"{now.id} counts {objective} and names the series {series_id}; name one where requests are counted.")


def _same_terms(one: Published, other: Published) -> bool:
    """Return whether two versions promise the same, whoever published them and when; months by the zone, not by the tz database."""
    return one.effective_from <= other.effective_from and _terms(one) == _terms(other)


def _terms(version: Published) -> list[object]:
    aside = {"published_at", "version", "effective_from", "months", "proposed_by", "approved_by", "reason"}
    return [version.months.zone, *(getattr(version, field.name) for field in fields(version) if field.name not in aside)]
