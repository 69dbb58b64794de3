"""Folding one stream through the projections that read it. The same code for live, rebuild, as-of and verify."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opsledger.domain.recorded import Recorded, in_business_order
from opsledger.errors import OpsledgerError, Unfoldable
from opsledger.projections.kinds import CalendarChange, Entity, Entry, Gathered, Knowing, Projection
from opsledger.projections.table import Row
from opsledger.replay.knowledge import Timeline

__all__ = ["advance_entity", "advance_knowing", "entry_rows", "fold_entity", "fold_knowing", "fold_stream_of"]


def fold_entity(projection: Entity, id: str, facts: Sequence[Recorded]) -> Any:
    """Return the state of an entity after all its facts, in the order in which they happened."""
    return advance_entity(projection, projection.start(id), in_business_order(facts))


def fold_stream_of(projection: Gathered, stream: str, facts: Sequence[Recorded]) -> Any:
    """Return the state of one stream of a gathered projection after all its facts, in the order in which they happened."""
    return advance_entity(projection, projection.start(stream), in_business_order(facts))


def advance_entity(projection: Entity | Gathered, state: Any, facts: Sequence[Recorded]) -> Any:
    """Return a state after more facts, none of which happened before what it has seen."""
    with _named(projection) as at:
        for recorded in facts:
            at[0] = recorded
            state = projection.fold(state, recorded)
    return state


def fold_knowing(projection: Knowing, id: str, facts: Sequence[Recorded], known: Timeline, until: int) -> Any:
    """Return the state after all facts of a stream, with what was known at each, and with the changes known by `until`."""
    return advance_knowing(projection, projection.start(id), facts, known, known.changes_in(facts[0].position, until))


def advance_knowing(projection: Knowing, state: Any, facts: Sequence[Recorded], known: Timeline, changes: Sequence[CalendarChange]) -> Any:
    """Return a state after more facts and calendar changes, taken in the order of the ledger."""
    waiting = list(changes)
    with _named(projection) as at:
        for recorded in facts:
            at[0] = recorded
            while waiting and waiting[0].position < recorded.position:
                state = _relearn(projection, state, waiting.pop(0))
            state = projection.fold(state, recorded, known.known_at(recorded.position))
        for change in waiting:
            state = _relearn(projection, state, change)
    return state


def entry_rows(projection: Entry, facts: Sequence[Recorded]) -> dict[str, list[Row]]:
    """Return the rows of facts, one by one."""
    made: dict[str, list[Row]] = {table.name: [] for table in projection.tables}
    with _named(projection) as at:
        for recorded in facts:
            at[0] = recorded
            for name, rows in projection.rows(recorded).items():
                made[name] += rows
    return made


def _relearn(projection: Knowing, state: Any, change: CalendarChange) -> Any:
    return projection.relearn(state, change) if projection.reaches(state, change) else state


@contextmanager
def _named(projection: Projection) -> Iterator[list[Recorded | None]]:
    """Name the fact at which a fold stops; the fold says where it is by the list's one element."""
    at: list[Recorded | None] = [None]
    try:
        yield at
    except Exception as error:
        recorded = at[0]
        if recorded is None or isinstance(error, Unfoldable):
            raise
        why = error.sentence if isinstance(error, OpsledgerError) else f"{type(error).__name__}: {error}"
        raise Unfoldable(
            "fact.unfoldable",
            f"Position {recorded.position} ({recorded.topic} in {recorded.stream}) cannot be folded into {projection.name}: {why}",
            position=recorded.position,
            stream=recorded.stream,
            topic=recorded.topic,
        ) from error
