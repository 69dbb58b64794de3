"""late_entry: what was recorded long after it happened, how late, and by whom?

Grain: one row per fact of the audit trail whose recording came later than the bound of the operating model. The bound is that
of the model in force when the fact was recorded, as known then: a model published later hides nothing.
"""

from __future__ import annotations

from opsledger.projections.kinds import Sql, View
from opsledger.projections.table import instant, integer, text

__all__ = ["LATE_ENTRY", "PROJECTIONS", "later_than"]

_KNOWN_THEN = """
    (SELECT p.late_entry_after_s FROM policy p WHERE p.last_position < a.position AND p.effective_from <= a.recorded_at
     ORDER BY p.effective_from DESC, p.last_position DESC LIMIT 1)
"""


def later_than(sql: Sql, bound_s: str = _KNOWN_THEN) -> str:
    """Return the SQL for the facts recorded more than so many seconds, as an expression over `audit_trail a`, after they happened."""
    return f"""
        SELECT position, stream, version, topic, occurred_at, recorded_at, late_us / 1000000 AS late_s, bound_s,
            recorded_by, role, source, source_id, summary
        FROM (SELECT a.*, {sql.microseconds("a.occurred_at", "a.recorded_at")} AS late_us, {bound_s} AS bound_s FROM audit_trail a) told
        WHERE late_us > 1000000 * bound_s
    """


LATE_ENTRY = View(
    "late_entry",
    "One row per fact recorded later after it happened than the operating model in force when it was recorded allows.",
    key=("position",),
    columns=(
        integer("position", "Place in the ledger."),
        text("stream", "What it is about: ticket:T-1042."),
        integer("version", "Place in its stream."),
        text("topic", "What kind of fact."),
        instant("occurred_at", "When it happened, as the caller said."),
        instant("recorded_at", "When it was written, by the store's clock; in a simulated ledger, by a clock that was given to it."),
        integer("late_s", "Seconds from the one to the other, cut to whole ones."),
        integer("bound_s", "Seconds that were allowed: compliance.late_entry_after of the operating model."),
        text("recorded_by", "Opaque id of the actor who recorded it."),
        text("role", "Role in which the actor did."),
        text("source", "Imported from, so late by nature; null: recorded here."),
        text("source_id", "Its id there."),
        text("summary", "What the fact says, without personal content."),
    ),
    sql=later_than,
)

PROJECTIONS = (LATE_ENTRY,)
