"""The rows that a scenario expects, set beside those that stand: what is missing, what is too much, what says something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from opsledger.errors import OpsledgerError
from opsledger.policies.instants import iso, micros
from opsledger.projections.kinds import View
from opsledger.projections.table import Column, Table
from opsledger.replay.tables import Tables
from opsledger.testing.scenario_file import Expected, Row, instant, wrong

__all__ = ["compare"]

Position = Callable[[str, str], int]
"""Returns the position of what is called by a name; takes the place in the file, for messages, and the name."""
Values = dict[str, Any]


def compare(tables: Tables, expected: Expected, position: Position) -> Iterator[str]:
    """Yield a sentence for each row that is missing, surplus or different. Raises BadInput at a table or column there is not."""
    for name, rows in expected.rows.items():
        place = f"{expected.place}, expect.{name}"
        try:
            described = tables.describe(name)
        except OpsledgerError as error:
            wrong(place, error.sentence)
        only = _read(described, Row(f"{expected.place}, only.{name}", expected.only.get(name, {}), ()), position)
        wanted = [_read(described, row, position) for row in rows]
        found = [row for row in tables.select(name) if _agrees(only, row)]
        paired = _pairs(wanted, found)
        yield from _different(described, rows, wanted, found, paired)


def _read(described: Table | View, row: Row, position: Position) -> Values:
    """Return what a row of the file says, in the types of the columns."""
    columns = {column.name: column for column in described.columns}
    for name in (*row.values, *row.empty):
        if name not in columns:
            wrong(row.place, f"{described.name} has no column '{name}'; it has {', '.join(columns)}.")
        if name in row.values and name in row.empty:
            wrong(row.place, f"{name} has a value and is empty too; keep one of them.")
    said = {name: _value(f"{row.place}, {name}", columns[name], value, position) for name, value in row.values.items()}
    return said | dict.fromkeys(row.empty)


def _value(place: str, column: Column, given: Any, position: Position) -> Any:
    if isinstance(given, list):
        return tuple(_value(place, column, each, position) for each in given)
    if column.kind == "instant":
        return instant(place, given)
    if column.kind == "integer" and isinstance(given, str):
        return position(place, given)
    kinds = {"text": str, "integer": int, "boolean": bool}
    if type(given) is not kinds[column.kind]:
        wrong(place, f"{given!r} cannot be {column.name}, which holds {_HOLDS[column.kind]}.")
    return given


_HOLDS = {"text": "text", "integer": "whole numbers, or the name of what stands at a position", "boolean": "true or false"}


def _agrees(wanted: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    return all(_same(value, row[name]) for name, value in wanted.items())


def _same(wanted: Any, found: Any) -> bool:
    """Compare a value; a version may be written without its digest, and of a list any may be meant."""
    if isinstance(wanted, tuple):
        return any(_same(each, found) for each in wanted)
    if isinstance(wanted, str) and isinstance(found, str) and "@" in wanted and ":" not in wanted:
        return found.partition(":")[0] == wanted
    return bool(wanted == found)


def _pairs(wanted: Sequence[Values], found: Sequence[Values]) -> dict[int, int]:
    """Return which wanted row each found row is, as many as can be: a row that says little leaves its choice to one that says more."""
    taken: dict[int, int] = {}  # found -> wanted

    def place(i: int, tried: set[int]) -> bool:
        for j, row in enumerate(found):
            if j not in tried and _agrees(wanted[i], row):
                tried.add(j)
                if j not in taken or place(taken[j], tried):
                    taken[j] = i
                    return True
        return False

    for i in range(len(wanted)):
        place(i, set())
    return taken


def _different(
    described: Table | View, rows: Sequence[Row], wanted: Sequence[Values], found: Sequence[Values], paired: Mapping[int, int]
) -> Iterator[str]:
    left = [row for j, row in enumerate(found) if j not in paired]
    for i, row in enumerate(rows):
        if i in paired.values():
            continue
        key = {name: value for name, value in wanted[i].items() if name in described.key}
        near = [each for each in left if _agrees(key, each)]
        if len(near) != 1:
            yield f"{row.place}: there is no row with {_told(wanted[i])}."
            continue
        left.remove(near[0])
        apart = [
            f"{name} is {_shown(near[0][name])}, not {_shown(value)}"
            for name, value in wanted[i].items()
            if not _same(value, near[0][name])
        ]
        yield f"{row.place}{f' ({_told(key)})' if key else ''}: {'; '.join(apart)}."
    named = [*described.key, *dict.fromkeys(name for each in wanted for name in each if name not in described.key)]
    for each in left:
        yield f"{described.name} has a row that is not expected: {_told({name: each[name] for name in named})}."


def _told(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in values.items())


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return iso(micros(value)).replace(".000000Z", "Z")
    if isinstance(value, tuple):
        return " or ".join(map(_shown, value))
    return "empty" if value is None else str(value)
