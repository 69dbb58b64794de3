"""What the operating model promises of the platform and of the work around it: read by later concepts.

Source: Operating Model, "Platform Availability SLAs", "Planned Maintenance", "Performance SLAs", "Change Control Process",
"Operational Reporting", "Compliance Management".
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from opsledger.policies.duration import Seconds
from opsledger.policies.support import LATER, Priority, Section
from opsledger.policies.throughput import Quantity

__all__ = [
    "Availability",
    "BurnRule",
    "Calendars",
    "Changes",
    "Compliance",
    "CreditTier",
    "ErrorBudgets",
    "Incidents",
    "Maintenance",
    "MonitorCategory",
    "Monitoring",
    "Performance",
    "Reporting",
]

Percent = Annotated[Decimal, Field(ge=0, le=100)]
Cadence = Literal["daily", "weekly", "monthly", "quarterly", "yearly"]
WallTime = Annotated[str, Field(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]


class Incidents(Section):
    """How incidents are led and reviewed."""

    war_room_for: tuple[Priority, ...]
    update_within: dict[Priority, Seconds]
    review_within: Seconds
    review_for: tuple[Priority, ...]
    commander_for: tuple[Priority, ...] = (Priority.CRITICAL,)
    assembled_within: Seconds = Field(default=1800, description="Where they are asked for, commander and war room are there by then.")


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
    measured_by: str = Field(json_schema_extra=LATER)
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
    quorum_healthy_above_pct: Percent | None = Field(
        default=None, description="Up while more than this share of those that report say so; null: down when the quorum says so."
    )
    minimum_outage: Seconds
    downtime_counts: Literal["elapsed", "whole_minutes"] = Field(
        default="elapsed", description="All of an outage, or its whole consecutive minutes."
    )
    degraded_weight_pct: Percent = Field(default=Decimal(0), description="How much of degraded time counts as down.")
    unknown_time: Literal["excluded", "up", "down"] = Field(default="excluded", description="What time of which nobody knows counts as.")
    incident_states: dict[Priority, Literal["up", "degraded", "down"]] = Field(
        default={Priority.CRITICAL: "down", Priority.HIGH: "down", Priority.MEDIUM: "degraded", Priority.LOW: "up"},
        description="The state of a service that an incident of each severity affects.",
    )
    recovery_time_below: Seconds
    recovery_point_below: Seconds
    data_integrity_pct: Percent
    credits: tuple[CreditTier, ...]
    credit_claim_within: Seconds
    credit_claim_needed: bool = Field(default=False, description="Whether a credit is given only to a customer who asks for it in time.")
    credit_rounding: Literal["half_even", "half_up", "down", "up"] = Field(
        default="half_even", description="How a credit is rounded to minor units."
    )
    credit_nothing_up_to_minor: int = Field(default=0, ge=0, description="A credit not above this many minor units is not given.")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        for service in self.planned_maintenance_excluded_for:
            if service not in self.services:
                raise ValueError(f"planned_maintenance_excluded_for names {service}, which is no service of services")
        missing = [severity.value for severity in Priority if severity not in self.incident_states]
        if missing:
            raise ValueError(f"incident_states.{missing[0]} is missing; every severity needs a state")
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
    notice_to: tuple[str, ...] = Field(default=("customers",), description="Audiences who must each have been told in time.")
    excludes: Literal["work", "announced"] = Field(
        default="work", description="Of the announced time, that in which work is known to have gone on, or all."
    )
    emergency_approver: str
    emergency_notice_within: Seconds = Field(default=900, description="An emergency is to be announced this soon after it was decided.")
    emergency_update_within: Seconds = Field(default=1800, description="Silence during an emergency after this long is a gap.")

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
    batch_windows: dict[str, str] = Field(json_schema_extra=LATER)
    batch_on_time_pct: Percent = Field(
        default=Decimal(100), description="Of a job's windows in a month, those kept are at least this share."
    )

    def bounds(self, kind: str) -> tuple[Bound, ...]:
        """Return what is promised of the times of a kind of requests; nothing of a kind that the model does not name."""
        return {"api": self.api, "web": self.web, "documents": self.documents, "ai": self.ai}.get(kind, ())

    def promised(self, quantity: Quantity) -> int:
        """Return how much of a quantity is to be borne."""
        promised = {
            "requests_per_minute": self.requests_per_minute,
            "concurrent_users": self.concurrent_users,
            "documents_per_hour": self.documents_per_hour,
        }
        return promised[quantity]


MonitorCategory = Literal["infrastructure", "application", "business", "security"]


class Monitoring(Section):
    """What watches the platform. A model published before this section was there is read with what stands here."""

    categories: tuple[MonitorCategory, ...] = Field(
        default=("infrastructure", "application", "business", "security"), description="In each of them there is a monitor."
    )
    stale_after: Annotated[Seconds, Field(ge=86_400)] = Field(
        default=86_400,
        description="A source that was silent for longer is stale, unless its monitor names a longer silence; at least a day.",
    )


class BurnRule(Section):
    """Alert while this share of a period's budget would be gone after the long window, and the short one burns as fast."""

    severity: Literal["page", "ticket"]
    budget_pct: Annotated[Decimal, Field(gt=0, le=100)]
    long: Annotated[Seconds, Field(gt=0)]
    short: Annotated[Seconds, Field(gt=0)]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.short >= self.long:
            raise ValueError(f"the short window of {self.short} s is not shorter than the long one of {self.long} s")
        return self


def _rule(severity: Literal["page", "ticket"], budget_pct: str, long: int, short: int) -> BurnRule:
    return BurnRule(severity=severity, budget_pct=Decimal(budget_pct), long=long, short=short)


class ErrorBudgets(Section):
    """When the budget of an objective burns too fast. A model published before this section was there is read with what stands here."""

    month_counts_as: Annotated[Seconds, Field(gt=0)] = Field(
        default=2_592_000, description="The period of an objective that counts calendar months, for burn rates: months differ in length."
    )
    burn: tuple[BurnRule, ...] = Field(
        default=(
            _rule("page", "2", 3600, 300),
            _rule("page", "5", 21_600, 1800),
            _rule("ticket", "10", 86_400, 7200),
            _rule("ticket", "10", 259_200, 21_600),
        ),
        description="Which alerts there are; both windows must burn faster than the rule says, strictly.",
    )


Category = Literal["emergency", "standard", "normal"]


class Changes(Section):
    """How changes are classed, approved and reviewed. A category that a rule does not name is not bound by it."""

    itil_type: dict[Category, Literal["emergency", "normal", "standard"]]
    approvals: dict[Category, Annotated[int, Field(ge=0)]]
    retroactive_approval_within: Seconds
    approver_roles: dict[Category, tuple[str, ...]] = Field(default={"emergency": ("cto",)})
    sign_off_roles: dict[Category, tuple[str, ...]] = Field(default={})
    assessment_for: tuple[Category, ...] = ("standard",)
    retroactive_approval_for: tuple[Category, ...] = ("emergency",)
    freeze_exempt: tuple[Category, ...] = ("emergency",)
    review_for: tuple[Category, ...] = ("emergency",)
    review_after: tuple[Literal["partially", "failed", "backed_out"], ...] = ("partially", "failed", "backed_out")
    review_within: Seconds = Field(default=432_000, description="Where a review is asked for, it is held by then after the end.")
