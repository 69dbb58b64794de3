"""Fold: every fact decodes, says of itself what its envelope says, and its stream evolves."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from opsledger.audit.continuity import misfit
from opsledger.audit.findings import Checked
from opsledger.domain.concept import Concept
from opsledger.domain.fact import fact_type
from opsledger.domain.ledger import Created
from opsledger.domain.recorded import Recorded
from opsledger.errors import OpsledgerError, Unfoldable
from opsledger.ledger.codec import read, validate
from opsledger.ledger.envelope import Row
from opsledger.policies.instants import iso, micros
from opsledger.replay.checks.task import Task, concept_at, place
from opsledger.replay.knowledge import Timeline, governance

__all__ = ["fold"]

_COLUMN: Final = {"fact.unknown_topic": "topic", "fact.newer_revision": "revision"}


def fold(task: Task) -> None:
    """Check every fact and every stream."""
    for rows in task.streams():
        task.result.count("facts", len(rows))
        task.result.count("streams")
        concept = concept_at(rows[0])
        if concept is None and misfit(rows[0]) != "stream":
            task.result.find(
                f"{rows[0].stream} belongs to no concept that this program knows; install the one that wrote it.",
                **place(rows[0], "stream"),
            )
        state, goes_on = None, concept is not None
        for row in rows:
            recorded = _readable(row, task)
            if recorded is None or concept is None or not goes_on:
                goes_on = False
                task.result.count("facts not evolved")
                continue
            goes_on, state = _evolved(concept, state, recorded, row, task.result)
    _learnt(task)


def _learnt(task: Task) -> None:
    """Check that every policy and calendar can be learnt from its facts, in the order of the ledger."""
    known = Timeline()
    with suppress(Unfoldable):  # a fact that cannot be read was found above
        for recorded in governance(task.store, task.head):
            try:
                known.learn(recorded)
            except OpsledgerError as error:
                place = {"position": recorded.position, "stream": recorded.stream, "column": "state"}
                task.result.find(f"Position {recorded.position} ({recorded.topic}) cannot be learnt: {error.sentence}", **place)
                return


def _readable(row: Row, task: Task) -> Recorded | None:
    """Return a row as a fact; None after a finding where it cannot be one."""
    wrong = misfit(row)
    if wrong is None and row.revision < 1:
        wrong = "revision"
    if wrong is not None:
        found = repr(getattr(row, wrong))[:80]
        task.result.find(f"Position {row.position} holds {found} in {wrong}, where it does not belong.", **place(row, wrong), found=found)
        return None
    try:
        recorded = read(row)
        if task.strict:
            validate(row)
    except Unfoldable as error:
        column = _COLUMN.get(error.code, "state")
        task.result.find(error.sentence, **place(row, column), found=str(getattr(row, column))[:80] if column != "state" else None)
        return None
    happened = micros(getattr(recorded.fact, fact_type(row.topic).at))
    if happened != row.occurred_at:
        task.result.find(
            f"Position {row.position} ({row.topic}) says in itself that it happened at {iso(happened)}, its envelope says "
            f"{iso(row.occurred_at)}.",
            **place(row, "occurred_at"),
            expected=iso(happened),
            found=iso(row.occurred_at),
        )
    if isinstance(recorded.fact, Created):
        _same_ledger(recorded.fact, row, task)
    return recorded


def _same_ledger(created: Created, row: Row, task: Task) -> None:
    """Compare what the ledger says of itself beside the log with what its first fact says."""
    said = {"ledger_id": created.ledger_id, "simulated": str(created.simulated).lower()}
    for name, expected in said.items():
        if task.meta.get(name) != expected:
            task.result.find(
                f"The first fact says {name} {expected}, and ledger_meta says {task.meta.get(name)}.",
                **place(row, f"state.{name}"),
                expected=expected,
                found=task.meta.get(name),
            )


def _evolved(concept: Concept, state: Any, recorded: Recorded, row: Row, result: Checked) -> tuple[bool, Any]:
    """Return whether the stream goes on, and its state after one more fact."""
    if type(recorded.fact) not in concept.facts:
        result.find(
            f"Position {row.position} ({row.topic}) is no fact of a {concept.name}, but stands in {row.stream}.", **place(row, "topic")
        )
        return False, state
    try:
        return True, concept.evolve(state, recorded.fact)
    except Exception as error:  # whatever a fold stops at, in a host's concept too, is the finding
        why = error.sentence if isinstance(error, OpsledgerError) else f"{type(error).__name__}: {error}"
        result.find(f"Position {row.position} ({row.topic} in {row.stream}) cannot be folded: {why}", **place(row, "state"))
        return False, state
