"""period_close: what was reported of a month, who approved it, and was it restated? period_close_row: which rows were they?

Grain: period_close, one row per close or restatement of a table's period; period_close_row, one row per row that was frozen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from opsledger.domain import period
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import micros
from opsledger.projections.kinds import Entity, Rows
from opsledger.projections.table import Row, Table, instant, integer, text

__all__ = ["PERIOD_CLOSE", "PERIOD_CLOSE_ROW", "PROJECTIONS"]

PERIOD_CLOSE = Table(
    "period_close",
    "One row per close of a table's period, restatements included.",
    key=("period_id", "number"),
    columns=(
        text("period_id", "Table and period: sla_compliance/2026-03."),
        integer("number", "1 for the first close, then one more for each restatement."),
        text("table_name", "The table or view whose rows were frozen."),
        text("period", "Month or UTC day, for example 2026-03 or 2026-03-01."),
        instant("closed_at", "When it was closed or restated."),
        integer("as_of_position", "Position of the newest fact that was known."),
        instant("effective_at", "As of when the frozen rows speak."),
        integer("row_count", "How many rows were frozen."),
        text("digest", "SHA-256 of columns and rows."),
        text("proposed_by", "Opaque id of who proposed it."),
        text("approved_by", "Opaque id of who approved it."),
        text("reason", "Why it was restated; null: it is the first close."),
        instant("restated_at", "When the next close replaced it; null: it stands."),
        text("program", "Name and version of the program that computed it."),
        integer("position", "Position of the fact."),
        integer("last_position", "Position of the newest fact used."),
    ),
)

PERIOD_CLOSE_ROW = Table(
    "period_close_row",
    "One row per row that a close froze, as it was reported.",
    key=("period_id", "number", "row_number"),
    columns=(
        text("period_id", "Table and period: sla_compliance/2026-03."),
        integer("number", "Which close of it, from 1."),
        integer("row_number", "Place in the order of the table's key, from 1."),
        text("content", "The row as a JSON object, by column."),
        integer("position", "Position of the fact."),
    ),
)


@dataclass(slots=True)
class _Closes:
    period_id: str
    closes: list[dict[str, object]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


def _close(state: _Closes, recorded: Recorded) -> _Closes:
    event: period.Closed | period.Restated = recorded.fact
    number = len(state.closes) + 1
    if state.closes:
        state.closes[-1].update(restated_at=recorded.occurred_at, last_position=recorded.position)
    state.closes.append(
        {
            "period_id": state.period_id,
            "number": number,
            "table_name": event.table,
            "period": event.period,
            "closed_at": recorded.occurred_at,
            "as_of_position": event.position,
            "effective_at": micros(event.effective_at),
            "row_count": len(event.frozen.rows),
            "digest": event.digest,
            "proposed_by": event.proposed_by,
            "approved_by": event.approved_by,
            "reason": event.reason if isinstance(event, period.Restated) else None,
            "restated_at": None,
            "program": event.frozen.program,
            "position": recorded.position,
            "last_position": recorded.position,
        }
    )
    for place, row in enumerate(event.frozen.rows, 1):
        content = dict(zip(event.frozen.columns, json.loads(row), strict=True))
        told = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        state.rows.append((state.period_id, number, place, told, recorded.position))
    return state


def _rows(state: _Closes) -> Rows:
    names = [column.name for column in PERIOD_CLOSE.columns]
    return {"period_close": [tuple([each[name] for name in names]) for each in state.closes], "period_close_row": state.rows}


PROJECTIONS = (Entity("period_close", 1, "period", (PERIOD_CLOSE, PERIOD_CLOSE_ROW), _Closes, _close, _rows),)
