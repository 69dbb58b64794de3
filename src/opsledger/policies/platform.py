"""What the operating model promises of the platform and of the work around it: read by later concepts.

Source: Operating Model, "Platform Availability SLAs", "Planned Maintenance", "Performance SLAs", "Change Control Process",
"Onboarding Journey", "Operational Reporting", "Compliance Management".
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from opsledger.policies.duration import Seconds
from opsledger.policies.support import LATER, Priority, Section

__all__ = ["Availability", "Calendars", "Changes", "Compliance", "Incidents", "Maintenance", "Onboarding", "Performance", "Reporting"]

Percent = Annotated[Decimal, Field(ge=0, le=100)]
Cadence = Literal["daily", "weekly", "monthly", "quarterly", "yearly"]
WallTime = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]


class Incidents(Section):
    """How incidents are led and reviewed."""

    war_room_for: tuple[Priority, ...]
    update_within: dict[Priority, Seconds]
    review_within: Seconds
    review_for: tuple[Priority, ...]


class Reporting(Section):
    """Which months the tables use, and which reports and reviews are due how often."""

    month_zone: str
    reports: dict[str, Cadence] = Field(json_schema_extra=LATER)
    reviews: dict[str, Cadence] = Field(json_schema_extra=LATER)


class Calendars(Section):
    """How far ahead business hours are compiled."""

    horizon_years: int = Field(ge=1, le=30)
    extend_below_months: int = Field(ge=1, le=360)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.extend_below_months >= self.horizon_years * 12:
            raise ValueError("extend_below_months must be less than horizon_years, or every tick would extend the calendars")
        return self


class Compliance(Section):
    """What audits look for. A model published before this section was there is read with what stands here."""

    late_entry_after: Seconds = Field(default=86_400, description="A fact recorded later than this after it happened is a late entry.")


class ServiceTarget(Section):
    """The promise for one service."""

    target_pct: Percent
    measured_by: str
    error_rate_below_pct: Percent | None = None


class CreditTier(Section):
    """From this uptime on, this share of the month's fee."""

    uptime_from_pct: Percent
    credit_pct: Percent


class Availability(Section):
    """Uptime, recovery and credits."""

    services: dict[str, ServiceTarget]
    planned_maintenance_excluded_for: tuple[str, ...]
    maintenance_leaves: Literal["numerator_and_denominator", "numerator"]
    quorum: int = Field(ge=1)
    minimum_outage: Seconds
    recovery_time_below: Seconds
    recovery_point_below: Seconds
    data_integrity_pct: Percent
    credits: tuple[CreditTier, ...]
    credit_claim_within: Seconds

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        for service in self.planned_maintenance_excluded_for:
            if service not in self.services:
                raise ValueError(f"planned_maintenance_excluded_for names {service}, which is no service of services")
        return self


class Maintenance(Section):
    """When work on the platform counts as planned."""

    zone: str
    weekday: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    week_of_month: Literal["any", "first", "second", "third", "fourth", "last"]
    slot_from: WallTime = Field(alias="from")
    slot_until: WallTime = Field(alias="until")
    longest: Seconds
    monthly_cap: Seconds
    notice: Seconds
    emergency_approver: str

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.slot_from >= self.slot_until:
            raise ValueError(f"the slot from {self.slot_from} until {self.slot_until} does not run forwards")
        return self


class Bound(Section):
    """A share of calls that stays strictly below a time."""

    share_pct: Percent
    below_ms: int = Field(gt=0)


class Performance(Section):
    """Response times and throughput."""

    api: tuple[Bound, ...]
    web: tuple[Bound, ...]
    documents: tuple[Bound, ...]
    ai: tuple[Bound, ...]
    concurrent_users: int = Field(ge=0)
    requests_per_minute: int = Field(ge=0)
    documents_per_hour: int = Field(ge=0)
    batch_windows: dict[str, str]


Category = Literal["emergency", "standard", "normal"]


class Changes(Section):
    """How changes are classed and approved."""

    itil_type: dict[Category, Literal["emergency", "normal", "standard"]]
    approvals: dict[Category, Annotated[int, Field(ge=0)]]
    retroactive_approval_within: Seconds


class Phase(Section):
    """Days from go-live, half-open."""

    from_day: int
    until_day: int


class Onboarding(Section):
    """The phases of a new customer's first weeks."""

    pre_onboarding: Phase
    initial_setup: Phase
    adoption: Phase
    optimization: Phase
