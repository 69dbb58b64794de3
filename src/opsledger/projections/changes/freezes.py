"""freeze_period: when should things stay as they are, and which?

Grain: freeze_period, one row per freeze, as known last; freeze_ci, one row per freeze and configuration item that it names.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from opsledger.domain import freeze
from opsledger.domain.recorded import Recorded
from opsledger.policies.change_control import FreezeWindow
from opsledger.policies.instants import micros
from opsledger.projections.kinds import Entity, Rows
from opsledger.projections.table import Table, instant, integer, text

__all__ = ["FREEZE_CI", "FREEZE_PERIOD", "PROJECTIONS", "FreezeState", "fold", "rows", "start"]

FREEZE_PERIOD = Table(
    "freeze_period",
    "One row per freeze, as of its newest fact.",
    key=("freeze_id",),
    columns=(
        text("freeze_id", "Id of the freeze, the host's."),
        instant("declared_at", "When it was declared."),
        text("declared_by", "Opaque id of who declared it."),
        instant("starts_at", "From when it holds."),
        instant("ends_at", "Until when it was to hold, as said last; not part of it."),
        instant("lifted_at", "When it was ended before its time; null: it was not."),
        instant("over_at", "Until when it holds: ends_at, or lifted_at where that came first; starts_at where it never began."),
        integer("ci_count", "How many configuration items it names; 0: it holds for all."),
        integer("change_count", "How often its window was changed."),
        integer("last_position", "Position of the newest fact used."),
    ),
)

FREEZE_CI = Table(
    "freeze_ci",
    "One row per freeze and configuration item that it names.",
    key=("freeze_id", "ci_id"),
    columns=(text("freeze_id", "Id of the freeze."), text("ci_id", "Id of the configuration item.")),
    indexes=(("ci_id",),),
)


@dataclass(slots=True)
class FreezeState:
    """A freeze as folded, with what its row says beside."""

    freeze_id: str
    freeze: freeze.Freeze | None = None
    declared_at: int = 0
    declared_by: str = ""
    changes: int = 0
    known: list[tuple[int, FreezeWindow]] = field(default_factory=list)  # what was known of its window, and since when
    last_position: int = 0

    def known_at(self, instant: int) -> FreezeWindow | None:
        """Return the window as people knew it at an instant; None: the freeze was not declared by then."""
        by_then = [window for at, window in self.known if at <= instant]
        return by_then[-1] if by_then else None


def start(freeze_id: str) -> FreezeState:
    """Return the state before the first fact."""
    return FreezeState(freeze_id)


def fold(state: FreezeState, recorded: Recorded) -> FreezeState:
    """Return the state after one more fact."""
    event: freeze.Fact = recorded.fact
    state.freeze = freeze.evolve(state.freeze, event)
    if isinstance(event, freeze.Declared):
        state.declared_at, state.declared_by = recorded.occurred_at, event.declared_by
    elif isinstance(event, freeze.Changed):
        state.changes += 1
    state.known.append((recorded.occurred_at, state.freeze.window(state.freeze_id)))
    state.last_position = max(state.last_position, recorded.position)
    return state


def rows(state: FreezeState) -> Rows:
    """Return the rows of one freeze."""
    held = state.freeze
    if held is None:
        return {"freeze_period": [], "freeze_ci": []}
    lifted_at = None if held.lifted_at is None else micros(held.lifted_at)
    window = held.window(state.freeze_id)
    said = (state.declared_at, state.declared_by, window.start, micros(held.ends_at), lifted_at, window.end)
    row = (state.freeze_id, *said, len(held.ci_ids), state.changes, state.last_position)
    return {"freeze_period": [row], "freeze_ci": [(state.freeze_id, ci_id) for ci_id in sorted(held.ci_ids)]}


PROJECTIONS = (Entity("freeze", 1, "freeze", (FREEZE_PERIOD, FREEZE_CI), start, fold, rows),)
