"""Onboarding: the phases of a new customer's first weeks, what is done in each, and how long it takes until it is worth something.

Days count from go-live and are UTC days; a phase is the half-open span [from_day, until_day), and what is done in it is due before it
ends. Source: Operating Model, "Onboarding Journey".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from opsledger.policies.support import Section

__all__ = ["Onboarding", "Phase"]

Activity = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,99}$")]


class Phase(Section):
    """Days from go-live, half-open, and what is done in them."""

    from_day: int
    until_day: int
    activities: tuple[Activity, ...] = Field(default=(), description="None: those of the source.")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.from_day >= self.until_day:
            raise ValueError(f"a phase from day {self.from_day} until day {self.until_day} does not run forwards")
        return self


_OF_THE_SOURCE = {
    "pre_onboarding": ("welcome_call", "technical_requirements_review", "integration_planning", "training_schedule"),
    "initial_setup": ("account_provisioning", "initial_data_migration", "basic_training", "first_case_setup"),
    "adoption": ("advanced_training", "workflow_optimization", "performance_monitoring", "success_metrics_established"),
    "optimization": ("usage_analysis", "advanced_configuration", "integration_completion", "success_milestone"),
}


class Onboarding(Section):
    """The phases, in their order, and which of the activities stand for the first use of the product."""

    pre_onboarding: Phase
    initial_setup: Phase
    adoption: Phase
    optimization: Phase
    first_value_needs: tuple[Activity, ...] = Field(
        default=("first_case_setup",), description="Without these a customer cannot have had a first value."
    )

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        named = [activity for _, _, activities in self.phases() for activity in activities]
        if len(set(named)) < len(named):
            raise ValueError("an activity stands in two phases, or twice in one; name each once")
        for activity in self.first_value_needs:
            if activity not in named:
                raise ValueError(f"first_value_needs names {activity}, which is an activity of no phase")
        return self

    def phases(self) -> Iterator[tuple[str, Phase, tuple[str, ...]]]:
        """Yield each phase with its name and its activities, in their order."""
        for name, activities in _OF_THE_SOURCE.items():
            phase: Phase = getattr(self, name)
            yield name, phase, phase.activities or activities
