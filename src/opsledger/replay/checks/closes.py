"""Closes: every period that was closed is computed again as known then, and says what was reported.

What today's knowledge says otherwise is listed as restated: facts that came late change what a table says, not what was reported.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from opsledger.domain import period
from opsledger.domain.recorded import Recorded
from opsledger.errors import OpsledgerError
from opsledger.ledger.codec import read_all
from opsledger.policies.instants import micros
from opsledger.replay.checks.task import Task
from opsledger.replay.evidence.closes import Replayed, frozen, replayed
from opsledger.replay.tables import AsOf

__all__ = ["closes"]

_SAMPLE: Final = 20

Line = dict[str, Any]


def closes(task: Task) -> None:
    """Compute every close again, in the order of the positions as of which they were made; then the newest of each as known today."""
    found = [recorded for recorded in read_all(task.store.streams("period:")) if recorded.position <= task.head]
    known = [recorded for recorded in found if _can_be(recorded, task)]
    task.result.count("closes", len(found))
    try:
        _compute(known, task)
    except TypeError as error:  # a file edited by hand holds any type in any column; folding it ends here
        task.result.leave(f"A column of the log holds what does not belong there ({error}); `opsledger verify continuity` names it.")
    task.told(task.head, task.head)


def _compute(known: list[Recorded], task: Task) -> None:
    if not known:
        return
    with replayed(task.store, sorted({recorded.fact.table for recorded in known}), task.executor) as tables:
        for recorded in sorted(known, key=lambda recorded: (recorded.fact.position, recorded.position)):
            _computed_again(recorded, tables, task)
            task.told(recorded.fact.position, task.head)
        tables.to(task.head)
        newest = {recorded.stream: recorded for recorded in known}
        for recorded in newest.values():
            _today(recorded, tables, task)


def _can_be(recorded: Recorded, task: Task) -> bool:
    """Return whether a close can be computed again; add what it says that cannot be."""
    event: period.Closed | period.Restated = recorded.fact
    name = f"{event.table} for {event.period}"
    if event.digest != period.digest(event.frozen):
        task.result.find(
            f"Position {recorded.position} closed {name} under the digest {event.digest[:16]}, and its rows have "
            f"{period.digest(event.frozen)[:16]}.",
            **_place(recorded, "state.digest"),
            expected=period.digest(event.frozen),
            found=event.digest,
        )
    if not 0 < event.position < recorded.position:
        task.result.find(
            f"Position {recorded.position} closed {name} as known at position {event.position}, which does not lie before it.",
            **_place(recorded, "state.position"),
            found=str(event.position),
        )
        return False
    schema = task.tables.schema
    if event.table not in schema.declared and event.table not in schema.views:
        task.result.leave(
            f"Position {recorded.position} closed {name} with {event.frozen.program}; this program has no such table: install what has it."
        )
        return False
    return True


def _computed_again(recorded: Recorded, tables: Replayed, task: Task) -> None:
    event: period.Closed | period.Restated = recorded.fact
    _speak(tables, event.position, micros(event.effective_at))
    again = frozen(tables.tables, event.table, event.period)
    if (again.columns, again.rows) == (event.frozen.columns, event.frozen.rows):
        return
    name = f"{event.table} for {event.period}"
    where = f"as known at position {event.position}, computed again"
    key = tables.tables.describe(event.table).key
    differing = list(_differing(event.frozen, again, key))
    if again.definition != event.frozen.definition:
        task.result.leave(
            f"Position {recorded.position} closed {name} with {event.frozen.program}, which defined the table otherwise than this program "
            f"does; {where} it differs in {_said(differing)}. Verify it with the program that closed it."
        )
        return
    task.result.find(
        f"Position {recorded.position} closed {name}; {where}, it differs in {_said(differing)}.",
        **_place(recorded, "state.frozen"),
        expected=period.digest(again),
        found=event.digest,
        table=event.table,
        keys=tuple(each for each, _ in differing[:_SAMPLE]),
    )
    task.result.found += max(0, len(differing) - 1)


def _today(recorded: Recorded, tables: Replayed, task: Task) -> None:
    """List a close whose rows are others by what is known today."""
    event: period.Closed | period.Restated = recorded.fact
    shown = tables.tables.as_of()
    _speak(tables, shown.position, max(shown.recorded_at, micros(event.effective_at)))
    try:
        today = frozen(tables.tables, event.table, event.period)
    except OpsledgerError as error:
        task.result.leave(f"How {recorded.stream} stands today: {error.sentence}")
        return
    if (today.columns, today.rows) != (event.frozen.columns, event.frozen.rows) and today.definition == event.frozen.definition:
        differing = list(_differing(event.frozen, today, tables.tables.describe(event.table).key))
        task.result.restate(
            f"{event.table} for {event.period} was reported as known at position {event.position}; by what is known today it differs in "
            f"{_said(differing)}.",
            **_place(recorded, "state.frozen"),
            expected=period.digest(today),
            found=event.digest,
            table=event.table,
            keys=tuple(each for each, _ in differing[:_SAMPLE]),
        )


def _speak(tables: Replayed, position: int, effective_at: int) -> None:
    """Bring the tables to a position, unless they stand there, and have them speak as of an instant."""
    shown = tables.tables.as_of() if tables.tables.standing() else None
    recorded_at = shown.recorded_at if shown is not None and shown.position == position else tables.to(position)
    tables.show(AsOf(position, recorded_at, effective_at))


def _differing(reported: period.Frozen, again: period.Frozen, key: tuple[str, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Yield the key of each row that differs, and how: reported and computed values of its columns."""
    before, after = _by_key(reported, key), _by_key(again, key)
    for each in dict.fromkeys([*before, *after]):
        old, new = before.get(each), after.get(each)
        if old is None or new is None:
            yield each, "was not reported" if old is None else "was reported and is not there"
        elif old != new:
            changed = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
            yield each, ", ".join(f"{name} reported {_word(old.get(name))}, computed {_word(new.get(name))}" for name in changed)


def _by_key(rows: period.Frozen, key: tuple[str, ...]) -> dict[tuple[Any, ...], Line]:
    lines = [_line(rows.columns, row) for row in rows.rows]
    return {tuple(line.get(name) for name in key): line for line in lines}


def _line(columns: tuple[str, ...], row: str) -> Line:
    """Return a row by column; one that was edited into something else as what it is."""
    try:
        values = json.loads(row)
    except ValueError:
        values = row
    return dict(zip(columns, values if isinstance(values, list) else [str(values)], strict=False))


def _said(differing: list[tuple[tuple[Any, ...], str]]) -> str:
    first = "; ".join(f"{' '.join(map(str, key))} ({how})" for key, how in differing[:3])
    more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
    return f"{len(differing)} {'row' if len(differing) == 1 else 'rows'}: {first}{more}"


def _word(value: Any) -> str:
    return "none" if value is None else str(value)


def _place(recorded: Recorded, column: str) -> dict[str, Any]:
    return {"position": recorded.position, "stream": recorded.stream, "column": column}
