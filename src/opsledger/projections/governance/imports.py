"""What became of imports, and do we agree with the system that was imported?

Grain: import_run, one row per run; import_dirt, one row per run and kind of dirt; import_quarantine, one row per run and row of
its file that was not taken in; ticket_source, one row per imported ticket, what its source said last; the view
import_reconciliation, one row per imported ticket, sets that beside what we say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from opsledger.domain import imports as i
from opsledger.domain import ticket as t
from opsledger.domain.recorded import Recorded
from opsledger.projections.kinds import Entity, Entry, Rows, Sql, View
from opsledger.projections.table import Row, Table, boolean, instant, integer, text

__all__ = ["IMPORT_DIRT", "IMPORT_QUARANTINE", "IMPORT_RECONCILIATION", "IMPORT_RUN", "PROJECTIONS", "TICKET_SOURCE"]

IMPORT_RUN = Table(
    "import_run",
    "One row per run of an importer.",
    key=("import_id",),
    columns=(
        text("import_id", "Source and number of the run: servicenow/3."),
        text("source", "System that it comes from, by which its records are known."),
        text("file_name", "Name of the file, without its folder."),
        text("sha256", "SHA-256 of the file as it lies."),
        text("zone", "Zone in whose wall time the file is written."),
        instant("started_at", "When the import began."),
        instant("finished_at", "When the whole file was read; null: not yet, or the run was cut off and is to be repeated."),
        integer("total_rows", "Rows of the file, the header not counted."),
        integer("new_rows", "Rows taken in by this run, also those that say nothing new; null before its end."),
        integer("known_rows", "Rows that an earlier run took in, unchanged since; null before the end."),
        integer("changed_rows", "Rows that an earlier run took in and whose content has changed since; null before the end."),
        integer("quarantined_rows", "Rows not taken in, the changed ones included; null before the end."),
        integer("facts", "Facts recorded from the new rows; null before the end."),
        integer("last_position", "Position of the newest fact used."),
    ),
)

IMPORT_DIRT = Table(
    "import_dirt",
    "One row per run and kind of dirt: what a clean file would not have, and was survived.",
    key=("import_id", "kind"),
    columns=(
        text("import_id", "Source and number of the run."),
        text("kind", "What is unclean, for example duplicate_version or before_opened."),
        integer("count", "How often it stands in the file."),
        text("first_rows", "The first lines where it does, the header being line 1: 330, 336."),
        integer("last_position", "Position of the fact."),
    ),
)

IMPORT_QUARANTINE = Table(
    "import_quarantine",
    "One row per run and row of its file that was not taken in. Nothing of it was recorded; its content stands in the file alone.",
    key=("import_id", "row_number"),
    columns=(
        text("import_id", "Source and number of the run."),
        integer("row_number", "Line of the file; a header is line 1. Of several tables the number of the record."),
        text("source_id", "Id of the record; null: the row does not say which it is."),
        text(
            "reason",
            "changed, malformed, late (belongs before rows that were taken in), future, foreign (not this source's), unfinished, "
            "or orphaned (of a thing that the export lacks).",
        ),
        text(
            "unreadable_column",
            "The column that cannot be read; null: the row as a whole. Of several tables, as ticket_comment:7, table and line.",
        ),
        instant("quarantined_at", "When it was set aside."),
        integer("position", "Position of the fact."),
    ),
)

TICKET_SOURCE = Table(
    "ticket_source",
    "One row per ticket of which an imported system has said something: what it said last.",
    key=("ticket_id",),
    columns=(
        text("ticket_id", "Id of the ticket."),
        text("status", "What the system calls its state."),
        text("priority", "What it calls its priority; null: it did not say."),
        integer("reopen_count", "How often it says that the ticket was reopened; null: it did not say."),
        integer("reassignment_count", "How often it says that the ticket was reassigned; null: it did not say."),
        boolean("sla_met", "Whether it says that its own service level was kept; null: it did not say."),
        instant("stated_at", "When it last said anything."),
        integer("statements", "How often it said something."),
        integer("last_position", "Position of the newest fact used."),
    ),
)


@dataclass(slots=True)
class _Run:
    import_id: str
    values: dict[str, Any] = field(default_factory=dict)
    dirt: list[Row] = field(default_factory=list)


_RUN_COLUMNS: Final = [column.name for column in IMPORT_RUN.columns]


def _run(state: _Run, recorded: Recorded) -> _Run:
    event, row = recorded.fact, state.values
    match event:
        case i.Started():
            row.update(dict.fromkeys(_RUN_COLUMNS), import_id=state.import_id, started_at=recorded.occurred_at)
            row.update(source=event.source, file_name=event.file_name, sha256=event.sha256, zone=event.zone, total_rows=event.rows)
        case i.DirtCounted():
            state.dirt.append((state.import_id, event.kind, event.count, ", ".join(map(str, event.first_rows)), recorded.position))
        case i.Finished():
            row.update(finished_at=recorded.occurred_at, total_rows=event.rows, new_rows=event.new, known_rows=event.known)
            row.update(changed_rows=event.changed, quarantined_rows=event.quarantined, facts=event.facts)
        case _:
            return state  # a quarantined row has a row of its own
    row["last_position"] = recorded.position
    return state


def _run_rows(state: _Run) -> Rows:
    return {"import_run": [tuple([state.values[name] for name in _RUN_COLUMNS])], "import_dirt": state.dirt}


def _quarantine(recorded: Recorded) -> Rows:
    event = recorded.fact
    if not isinstance(event, i.RowQuarantined):
        return {}
    where = (recorded.id, event.row, event.source_id, event.reason, event.column)
    return {"import_quarantine": [(*where, recorded.occurred_at, recorded.position)]}


@dataclass(slots=True)
class _Source:
    ticket_id: str
    said: t.SourceStated | None = None
    at: int = 0
    statements: int = 0
    position: int = 0


def _state(state: _Source, recorded: Recorded) -> _Source:
    if isinstance(recorded.fact, t.SourceStated):
        state.said, state.at, state.position = recorded.fact, recorded.occurred_at, max(state.position, recorded.position)
        state.statements += 1
    return state


def _source_rows(state: _Source) -> Rows:
    said = state.said
    if said is None:
        return {"ticket_source": []}
    answers = (said.status, said.priority, said.reopen_count, said.reassignment_count, said.sla_met)
    return {"ticket_source": [(state.ticket_id, *answers, state.at, state.statements, state.position)]}


# A state of the source's, as a condition on ours. A ticket that we call open may still be New there: a group has it.
_MEANS_STATUS: Final[Mapping[str, str]] = {
    "New": "t.status IN ('new', 'open')",
    "Active": "t.status = 'open'",
    "Awaiting User Info": "t.pause_reason = 'awaiting_customer'",
    "Awaiting Vendor": "t.pause_reason = 'awaiting_vendor'",
    "Awaiting Problem": "t.pause_reason = 'awaiting_problem'",
    "Awaiting Evidence": "t.pause_reason = 'awaiting_evidence'",
    "Resolved": "t.status = 'resolved'",
    "Closed": "t.status = 'closed'",
}
_MEANS_PRIORITY: Final[Mapping[str, str]] = {
    "1 - Critical": "critical",
    "2 - High": "high",
    "3 - Moderate": "medium",
    "4 - Low": "low",
}


def _reconciliation(sql: Sql) -> str:
    def yes(condition: str) -> str:
        return f"CASE WHEN {condition} THEN {sql.true()} ELSE {sql.false()} END"

    def same(one: str, other: str) -> str:
        return f"CASE WHEN {one} IS NULL OR {other} IS NULL THEN NULL WHEN {one} = {other} THEN {sql.true()} ELSE {sql.false()} END"

    states = " ".join(f"WHEN '{word}' THEN {yes(condition)}" for word, condition in _MEANS_STATUS.items())
    priorities = " ".join(f"WHEN '{word}' THEN '{ours}'" for word, ours in _MEANS_PRIORITY.items())
    return f"""
        WITH said AS (
            SELECT s.*, CASE s.priority {priorities} END AS priority_meant FROM ticket_source s
        ),
        judged AS (
            SELECT r.ticket_id, r.outcome,
                CASE WHEN r.outcome = 'met' THEN {sql.true()} WHEN r.outcome IN ('breached', 'overdue') THEN {sql.false()} END AS met,
                row_number() OVER (PARTITION BY r.ticket_id ORDER BY r.cycle DESC) AS turn
            FROM ticket_sla r WHERE r.metric = 'resolution'
        )
        SELECT s.ticket_id, s.status AS source_status, t.status, t.pause_reason,
            CASE s.status {states} END AS status_agrees,
            s.priority AS source_priority, t.priority, {same("s.priority_meant", "t.priority")} AS priority_agrees,
            s.reopen_count AS source_reopen_count, t.reopen_count, {same("s.reopen_count", "t.reopen_count")} AS reopen_count_agrees,
            s.reassignment_count AS source_reassignment_count, t.reassignment_count,
            {same("s.reassignment_count", "t.reassignment_count")} AS reassignment_count_agrees,
            s.sla_met AS source_sla_met, j.outcome AS resolution_outcome, {same("s.sla_met", "j.met")} AS sla_agrees
        FROM said s JOIN ticket t ON t.ticket_id = s.ticket_id LEFT JOIN judged j ON j.ticket_id = s.ticket_id AND j.turn = 1
    """


IMPORT_RECONCILIATION = View(
    "import_reconciliation",
    "One row per imported ticket: what its source said last beside what we say. Null: one of both does not say.",
    key=("ticket_id",),
    columns=(
        text("ticket_id", "Id of the ticket."),
        text("source_status", "What the source calls its state."),
        text("status", "Our status."),
        text("pause_reason", "Whom it waits for, as we say."),
        boolean("status_agrees", "Whether both mean the same; null: we do not know the source's word."),
        text("source_priority", "What the source calls its priority."),
        text("priority", "Our priority."),
        boolean("priority_agrees", "Whether both mean the same; null: we do not know the source's word."),
        integer("source_reopen_count", "How often it was reopened, as the source says."),
        integer("reopen_count", "How often, as we count."),
        boolean("reopen_count_agrees", "Whether both are equal."),
        integer("source_reassignment_count", "How often it was reassigned, as the source says."),
        integer("reassignment_count", "How often it went from one group to another, as we count."),
        boolean("reassignment_count_agrees", "Whether both are equal; a source may count persons, too, or what its log does not show."),
        boolean("source_sla_met", "Whether the source says that its own service level was kept."),
        text("resolution_outcome", "Our verdict on the resolution target that the ticket pins; null: it pins none."),
        boolean("sla_agrees", "Whether both judge alike; they judge other targets. Null: ours is open or was cancelled."),
    ),
    sql=_reconciliation,
)

PROJECTIONS = (
    Entity("import_run", 1, "import", (IMPORT_RUN, IMPORT_DIRT), _Run, _run, _run_rows),
    Entry("import_quarantine", 1, (IMPORT_QUARANTINE,), _quarantine),
    Entity("ticket_source", 1, "ticket", (TICKET_SOURCE,), _Source, _state, _source_rows),
    IMPORT_RECONCILIATION,
)
