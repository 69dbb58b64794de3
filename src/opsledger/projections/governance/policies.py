"""policy, calendar: what was promised and which hours counted, version by version. month: which months the tables use.

Grain: policy, one row per published version of the operating model; calendar, one row per published version of a calendar
with the corrections known; policy_month, one row per calendar month of the reporting zone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from opsledger.domain import calendar, policy
from opsledger.domain.recorded import Recorded
from opsledger.policies import documents
from opsledger.policies.instants import SECOND, micros
from opsledger.policies.operating_model import OperatingModel
from opsledger.projections.kinds import Entity, Rows, Sql, View
from opsledger.projections.table import Row, Table, instant, integer, text

__all__ = ["CALENDAR", "MONTH", "POLICY", "POLICY_MONTH", "PROJECTIONS"]

POLICY = Table(
    "policy",
    "One row per published version of the operating model.",
    key=("policy_id", "version"),
    columns=(
        text("policy_id", "Id of the model: operating-model."),
        integer("version", "Version, from 1."),
        text("policy_ref", "Version and digest, as tickets name it."),
        instant("effective_from", "From when it holds, until a later one does."),
        instant("published_at", "When it was published."),
        text("proposed_by", "Opaque id of who proposed it."),
        text("approved_by", "Opaque id of who approved it."),
        text("reason", "Why, where it holds from before it was published."),
        text("digest", "SHA-256 of the canonical document."),
        text("document", "The canonical document, in JSON."),
        integer("late_entry_after_s", "A fact recorded more seconds than this after it happened is a late entry."),
        integer("survey_minimum_account", "Answers that a score of one customer needs."),
        integer("survey_minimum_portfolio", "Answers that a score of a segment, or of all customers, needs."),
        integer("last_position", "Position of the fact."),
    ),
)

POLICY_MONTH = Table(
    "policy_month",
    "One row per calendar month of the reporting zone that the newest operating model names.",
    key=("policy_id", "month"),
    columns=(
        text("policy_id", "Id of the model: operating-model."),
        text("month", "Month, for example 2026-03."),
        instant("starts_at", "When the month begins in the reporting zone."),
        instant("ends_at", "When the next one begins."),
        text("zone", "The reporting zone."),
        integer("last_position", "Position of the fact that published the model."),
    ),
    indexes=(("starts_at",),),
)

CALENDAR = Table(
    "calendar",
    "One row per published version of a calendar, with the corrections and extensions known.",
    key=("calendar_id", "position"),
    columns=(
        text("calendar_id", "Name of the calendar."),
        integer("position", "Position of the fact that published the version."),
        instant("effective_from", "From when its hours hold, until a later version's do."),
        text("zone", "Zone in whose wall time the hours are written."),
        text("definition", "The hours as written, in canonical JSON, corrections applied."),
        instant("covers_until", "Up to when its hours are compiled to instants."),
        text("tz_version", "Version of the tz database by which they were compiled last."),
        text("proposed_by", "Opaque id of who proposed it."),
        text("approved_by", "Opaque id of who approved it."),
        text("reason", "Why it was published, or corrected last."),
        integer("corrections", "How often its past was corrected."),
        integer("last_position", "Position of the newest fact used."),
    ),
)


@dataclass(slots=True)
class _Policies:
    policy_id: str
    versions: list[Row] = field(default_factory=list)
    months: list[Row] = field(default_factory=list)


def _publish(state: _Policies, recorded: Recorded) -> _Policies:
    event: policy.Published = recorded.fact
    ref = policy.reference(state.policy_id, event)
    people = (event.proposed_by, event.approved_by, event.reason)
    times = (micros(event.effective_from), micros(event.published_at))
    model = documents.restored(OperatingModel, event.document)
    needed = model.surveys.minimum_account, model.surveys.minimum_portfolio
    said = (event.digest, event.document, model.compliance.late_entry_after, *needed)
    state.versions.append((state.policy_id, event.version, ref, *times, *people, *said, recorded.position))
    state.months = []
    year, month = map(int, event.months.first.split("-"))
    for i, (begin, end) in enumerate(zip(event.months.starts, event.months.starts[1:], strict=False), month - 1):
        name = f"{year + i // 12:04d}-{i % 12 + 1:02d}"
        state.months.append((state.policy_id, name, begin * SECOND, end * SECOND, event.months.zone, recorded.position))
    return state


def _policy_rows(state: _Policies) -> Rows:
    return {"policy": state.versions, "policy_month": state.months}


@dataclass(slots=True)
class _Calendars:
    calendar_id: str
    versions: dict[int, dict[str, object]] = field(default_factory=dict)


def _calendar_fact(state: _Calendars, recorded: Recorded) -> _Calendars:
    event = recorded.fact
    if isinstance(event, calendar.Published):
        state.versions[recorded.position] = {
            "calendar_id": state.calendar_id,
            "position": recorded.position,
            "effective_from": micros(event.effective_from),
            "proposed_by": event.proposed_by,
            "approved_by": event.approved_by,
            "corrections": 0,
            **_hours(event),
            "reason": event.reason,
        }
    elif isinstance(event, calendar.Corrected):
        row = state.versions[event.corrects]
        row.update(_hours(event), reason=event.reason, corrections=int(str(row["corrections"])) + 1)
    elif isinstance(event, calendar.Extended):
        state.versions[event.extends].update(covers_until=event.hours.end * SECOND, tz_version=event.hours.tz_version)
    changed = event.corrects if isinstance(event, calendar.Corrected) else getattr(event, "extends", recorded.position)
    state.versions[changed]["last_position"] = recorded.position
    return state


def _hours(event: calendar.Published | calendar.Corrected) -> dict[str, object]:
    return {
        "zone": json.loads(event.definition)["zone"],
        "definition": event.definition,
        "covers_until": event.hours.end * SECOND,
        "tz_version": event.hours.tz_version,
    }


def _calendar_rows(state: _Calendars) -> Rows:
    names = [column.name for column in CALENDAR.columns]
    return {"calendar": [tuple([version[name] for name in names]) for version in state.versions.values()]}


def _month(sql: Sql) -> str:
    return """
        SELECT m.month, m.starts_at, m.ends_at, m.zone
        FROM policy_month m, opsledger_as_of o
        WHERE m.starts_at <= o.effective_at
          AND m.ends_at > (SELECT min(occurred_at) FROM audit_trail WHERE topic NOT LIKE 'calendar.%' AND topic NOT LIKE 'policy.%')
    """


MONTH = View(
    "month",
    "One row per calendar month from the first happening to the as-of time, in the reporting zone.",
    key=("month",),
    columns=(
        text("month", "Month, for example 2026-03."),
        instant("starts_at", "When the month begins in the reporting zone."),
        instant("ends_at", "When the next one begins."),
        text("zone", "The reporting zone."),
    ),
    sql=_month,
)

PROJECTIONS = (
    Entity("policy", 1, "policy", (POLICY, POLICY_MONTH), _Policies, _publish, _policy_rows),
    Entity("calendar", 1, "calendar", (CALENDAR,), _Calendars, _calendar_fact, _calendar_rows),
    MONTH,
)
