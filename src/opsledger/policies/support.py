"""What the operating model promises to people who ask for support: tiers, metrics, escalation matrix, channels.

Source: Operating Model, "Support Response SLAs", "Escalation Procedures", "Multi-Channel Support".
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from opsledger.policies.duration import Seconds, duration
from opsledger.policies.metric import Metric, Rules, Target

__all__ = ["LATER", "LEVELS", "PAUSES", "SIGNALS", "Level", "MetricRule", "PauseReason", "Priority", "Section", "Support", "TargetRule"]

Level = Literal["l1", "l2", "engineering", "senior_engineering", "executive"]
LEVELS: Final[tuple[Level, ...]] = ("l1", "l2", "engineering", "senior_engineering", "executive")

PauseReason = Literal["awaiting_customer", "awaiting_vendor", "awaiting_problem", "awaiting_evidence", "on_hold"]
PAUSES: Final[tuple[PauseReason, ...]] = ("awaiting_customer", "awaiting_vendor", "awaiting_problem", "awaiting_evidence", "on_hold")

Heard = Literal[
    "created", "acknowledged", "agent_reply", "public_update", "customer_reply", "level_entered", "resolved", "closed", "reopened"
]
SIGNALS: Final[tuple[Heard, ...]] = (
    "created",
    "acknowledged",
    "agent_reply",
    "public_update",
    "customer_reply",
    "level_entered",
    "resolved",
    "closed",
    "reopened",
)


class Priority(StrEnum):
    """How bad it is for the customer, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


LATER: Final[dict[str, JsonValue]] = {"later": True}
"""Marks a field that no code reads yet; `opsledger.policies.operating_model.unused` lists it."""


class Section(BaseModel):
    """A part of the operating model. Unknown keys are refused; nothing is changed after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _duration(text: str) -> str:
    duration(text)
    return text


Within = Annotated[str, AfterValidator(_duration), Field(description="A duration such as 15 min, 4 h or 5 business days.")]


class TargetRule(Section):
    """How long something may take, counted on a calendar."""

    within: Within
    calendar: str = Field(description="Name of the calendar whose open time counts.")
    end_of_day: bool = Field(default=False, description="For business days: until the last closing of that day, not the same hour.")

    def target(self) -> Target:
        """Return the rule as the clock takes it."""
        length = duration(self.within)
        return Target(self.calendar, length.seconds, length.business_days, self.end_of_day)


class EscalationRule(TargetRule):
    """After how long on a level a ticket moves to which other."""

    to: Level


class MetricRule(Section):
    """When a clock starts, stops and is held. See `opsledger.policies.metric.Metric`."""

    start_on: tuple[Heard, ...] = Field(min_length=1)
    stop_on: tuple[Heard, ...] = Field(min_length=1)
    pause_while: tuple[PauseReason, ...] = ()
    repeats: bool = False
    after: Heard | Literal[""] = ""
    reopen: Literal["resume", "new_cycle", "first_only", "count_through"] = "resume"
    purpose: Literal["promise", "escalation"] = "promise"
    warn_at_pct: tuple[Annotated[int, Field(gt=0, lt=100)], ...] = ()

    def metric(self, name: str) -> Metric:
        """Return the rule as the clock takes it."""
        return Metric(
            name=name,
            start_on=frozenset(self.start_on),
            stop_on=frozenset(self.stop_on),
            pause_while=frozenset(self.pause_while),
            repeats=self.repeats,
            after=self.after,
            reopen=self.reopen,
            purpose=self.purpose,
            warn_at_pct=self.warn_at_pct,
        )


class Tier(Section):
    """What a priority means and what is promised for it."""

    definition: str = Field(json_schema_extra=LATER)
    targets: dict[str, TargetRule] = Field(description="By metric; a metric that is left out is not promised.")
    escalates: EscalationRule | None = Field(description="Overrides the matrix on every level below its own target.")


class LevelRule(Section):
    """What a level of support deals with, and after how long a ticket leaves it upwards."""

    scope: str = Field(json_schema_extra=LATER)
    escalates: EscalationRule | None


class Channel(Section):
    """A way in which customers reach us or we them."""

    kind: Literal["assisted", "self_service", "proactive"] = Field(json_schema_extra=LATER)
    calendar: str
    audience: Literal["everyone", "enterprise"] = Field(json_schema_extra=LATER)


class Support(Section):
    """Support promises, by priority."""

    metrics: dict[str, MetricRule]
    tiers: dict[Priority, Tier]
    levels: dict[Level, LevelRule]
    executive_on_breach_of: tuple[str, ...]
    executive_on_breach_for: tuple[Priority, ...]
    executive_on_csat_at_most: int = Field(ge=0, le=5)
    priority_change: Literal["keep_elapsed", "restart"]
    earlier_breach: Literal["stands", "erased"]
    customer_reply_resumes: bool
    customer_reply_reopens: bool
    follow_up_after: Seconds = Field(json_schema_extra=LATER)
    channels: dict[str, Channel]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        for name, expected, given in (("tiers", set(Priority), set(self.tiers)), ("levels", set(LEVELS), set(self.levels))):
            if missing := expected - set(given):
                raise ValueError(f"{name}.{min(missing)} is missing; every one of {', '.join(sorted(expected))} is needed")
        for priority, tier in self.tiers.items():
            for metric in tier.targets:
                if metric not in self.metrics:
                    raise ValueError(f"tiers.{priority}.targets.{metric} names no metric; metrics has {', '.join(self.metrics)}")
            response, resolution = tier.targets.get("first_response"), tier.targets.get("resolution")
            if response and resolution and response.calendar == resolution.calendar and _longer(response, resolution):
                raise ValueError(f"tiers.{priority}.targets.first_response takes longer than the resolution that ends it")
        for level, rule in self.levels.items():
            if rule.escalates and LEVELS.index(rule.escalates.to) <= LEVELS.index(level):
                raise ValueError(f"levels.{level}.escalates.to must be a level above {level}, not {rule.escalates.to}")
        for metric in self.executive_on_breach_of:
            if metric not in self.metrics:
                raise ValueError(f"executive_on_breach_of names {metric}, which is no metric; metrics has {', '.join(self.metrics)}")
        return self

    @cached_property
    def rules(self) -> Rules:
        """The metrics and targets as the clocks take them."""
        targets = {
            (metric, str(priority), ""): rule.target() for priority, tier in self.tiers.items() for metric, rule in tier.targets.items()
        }
        for name, metric in self.metrics.items():
            if metric.purpose == "escalation":
                for priority in Priority:
                    for level in LEVELS:
                        if (raising := self.escalation(priority, level)) is not None:
                            targets[name, str(priority), level] = raising.target()
        promised = {metric for metric, _, _ in targets}
        metrics = tuple(rule.metric(name) for name, rule in self.metrics.items() if name in promised)
        return Rules(metrics, targets, self.priority_change, self.earlier_breach)

    def escalation(self, priority: Priority, level: Level) -> EscalationRule | None:
        """Return when and where a ticket leaves a level upwards: its tier's own rule below that rule's level, else the matrix."""
        own = self.tiers[priority].escalates
        if own is not None and LEVELS.index(level) < LEVELS.index(own.to):
            return own
        if own is None and level == LEVELS[0]:
            return None
        return self.levels[level].escalates

    def calendars(self) -> set[str]:
        """Return the names of all calendars that the support section counts on."""
        named = {rule.calendar for tier in self.tiers.values() for rule in (*tier.targets.values(), tier.escalates) if rule}
        named |= {rule.escalates.calendar for rule in self.levels.values() if rule.escalates}
        return named | {channel.calendar for channel in self.channels.values()}


def _longer(one: TargetRule, other: TargetRule) -> bool:
    a, b = duration(one.within), duration(other.within)
    return (a.business_days, b.business_days) == (0, 0) and a.seconds > b.seconds
