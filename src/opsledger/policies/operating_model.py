"""The operating model: everything that the business promises, as one document.

Written in YAML, checked on reading, kept in the ledger as canonical JSON with its digest. The numbers of the source
document are in defaults/operating_model.yaml, with a comment wherever it left something open.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, get_args

import yaml
from pydantic import BaseModel

from opsledger.errors import Unknown
from opsledger.policies import documents
from opsledger.policies.calendar import CalendarDefinition
from opsledger.policies.mrr import Revenue
from opsledger.policies.onboarding import Onboarding
from opsledger.policies.platform import (
    Availability,
    Calendars,
    Changes,
    Compliance,
    ErrorBudgets,
    Incidents,
    Maintenance,
    Monitoring,
    Performance,
    Reporting,
)
from opsledger.policies.privacy import PersonalData
from opsledger.policies.recovery import Recovery
from opsledger.policies.support import LATER, Priority, Section, Support
from opsledger.policies.surveys import Surveys

__all__ = ["OperatingModel", "Priority", "default_calendars", "default_model", "preset", "unused"]

_PRESETS = ("business_hours_for_medium_low",)


class OperatingModel(Section):
    """What is promised and by which rules, one version of it. Sections marked later wait for the concepts that read them."""

    support: Support
    reporting: Reporting
    calendars: Calendars
    compliance: Compliance = Compliance()
    personal_data: PersonalData = PersonalData()
    incidents: Incidents
    availability: Availability
    recovery: Recovery = Recovery()
    maintenance: Maintenance
    performance: Performance
    monitoring: Monitoring = Monitoring()
    error_budgets: ErrorBudgets = ErrorBudgets()
    changes: Changes
    onboarding: Onboarding
    surveys: Surveys = Surveys()
    revenue: Revenue = Revenue()


@cache
def default_model() -> OperatingModel:
    """Return the model that a new ledger starts with: the source document's numbers."""
    return documents.read(OperatingModel, _default("operating_model.yaml"))


def preset(name: str) -> OperatingModel:
    """Return the default model with the differences that a shipped preset names; publish it if it is what you promise."""
    if name not in _PRESETS:
        raise Unknown("policy.preset", f"There is no preset '{name}'; there is {', '.join(_PRESETS)}.")
    whole, differences = (yaml.safe_load(_default(f"{each}.yaml")) for each in ("operating_model", name))
    return documents.read(OperatingModel, json.dumps(_overlaid(whole, differences)))


@cache
def default_calendars() -> dict[str, CalendarDefinition]:
    """Return the calendars that a new ledger starts with, by name."""
    named = yaml.safe_load(_default("calendars.yaml"))
    return {name: documents.read(CalendarDefinition, json.dumps(each)) for name, each in named.items()}


def unused(model: type[BaseModel] = OperatingModel, path: str = "", *, later: bool = False) -> Iterator[str]:
    """Yield the paths of the fields that no code reads yet, for example `maintenance.notice`."""
    for name, field in model.model_fields.items():
        here = f"{path}.{field.alias or name}".lstrip(".")
        waits = later or field.json_schema_extra == LATER
        parts = list(_models(field.annotation))
        for part in parts:
            yield from unused(part, here, later=waits)
        if waits and not parts:
            yield here


def _models(hint: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that a field holds, as they stand or in a dict, a tuple or a choice."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
    for inner in get_args(hint):
        yield from _models(inner)


def _overlaid(whole: Any, differences: Any) -> Any:
    """Return a document in which each leaf that differs has the other value."""
    if not (isinstance(whole, dict) and isinstance(differences, dict)) or "within" in differences:
        return differences
    return {**whole, **{key: _overlaid(whole.get(key), value) for key, value in differences.items()}}


def _default(name: str) -> str:
    return (files("opsledger.policies") / "defaults" / name).read_text(encoding="utf-8")
