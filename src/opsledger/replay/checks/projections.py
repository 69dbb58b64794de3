"""Projections: the tables are equal to the log folded anew, and say of themselves what is true."""

from __future__ import annotations

from collections.abc import Mapping

from opsledger.policies.instants import iso
from opsledger.replay.checks.task import Task
from opsledger.replay.rebuild import compare
from opsledger.replay.shadow import Difference

__all__ = ["projections"]


def projections(task: Task) -> None:
    """Compare the tables with the log folded anew, up to where they stand."""
    standing = task.tables.standing()
    missing = [name for name in task.tables.schema.projections if name not in standing]
    if missing:
        what = (
            "The tables were never built" if len(missing) == len(task.tables.schema.projections) else f"{', '.join(missing)}: no such rows"
        )
        task.result.leave(f"{what}; run `opsledger catch-up` and verify again.")
        return
    _together(task, standing)
    _shown(task, max(standing.values()))
    try:
        differences = compare(task.store, task.tables, task.told, task.executor)
    except TypeError as error:
        # A file edited by hand holds any type in any column; comparing or writing such a value is where folding it ends.
        task.result.leave(f"A column of the log holds what does not belong there ({error}); `opsledger verify continuity` names it.")
        return
    for difference in differences:
        task.result.count("tables")
        if difference.rows:
            task.result.find(_differs(difference), table=difference.table, keys=tuple(difference.keys))
            task.result.found += difference.rows - 1


def _together(task: Task, standing: Mapping[str, int]) -> None:
    """Check that all projections stand at one position: they are moved together, in one transaction."""
    reached = max(standing.values())
    for name, position in standing.items():
        if position != reached:
            task.result.find(
                f"opsledger_tracking has {name} at position {position} and others at {reached}: it was changed; rebuild the tables.",
                table="opsledger_tracking",
                keys=((name,),),
                expected=str(reached),
                found=str(position),
            )


def _shown(task: Task, reached: int) -> None:
    """Check what the tables say of themselves: how far they go, and when that fact was recorded."""
    task.result.looked_at["facts"] = reached
    shown = task.tables.as_of()
    if reached > task.head:
        task.result.find(
            f"The tables go to position {reached} and the log ends at {task.head}: its end was cut off, or they are another ledger's.",
            position=task.head,
            column="position",
            expected=str(reached),
            found=str(task.head),
        )
        return
    recorded_at = task.store.page(reached - 1, 1)[0].recorded_at if reached else 0
    if (shown.position, shown.recorded_at) != (reached, recorded_at):
        task.result.find(
            f"opsledger_as_of shows position {shown.position}, recorded at {iso(shown.recorded_at)}; the tables go to {reached}, "
            f"recorded at {iso(recorded_at)}.",
            table="opsledger_state",
            expected=f"{reached} {iso(recorded_at)}",
            found=f"{shown.position} {iso(shown.recorded_at)}",
        )


def _differs(difference: Difference) -> str:
    kinds = (("missing", difference.missing), ("too many", difference.surplus), ("changed", difference.changed))
    counts = ", ".join(f"{count} {'row' if count == 1 else 'rows'} {kind}" for kind, count in kinds if count)
    keys = "; ".join(" ".join(map(str, key)) for key in difference.keys)
    return f"{difference.table} is not equal to the log folded anew: {counts}; keys: {keys}."
