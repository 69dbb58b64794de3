"""Two sets of tables compared: rows that only one of them has, and the columns in which the others differ.

The rows of both come in the order of their keys, which is the same in either database, so that neither set is held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from opsledger.projections.table import Table
from opsledger.replay.digest import rows
from opsledger.replay.tables import Tables

__all__ = ["Differing", "differences"]

_Line = tuple[list[Any], bytes]


class Differing(NamedTuple):
    """One difference. `what` is changed, only in A, only in B, or other columns, where the tables cannot be compared."""

    table: str
    key: tuple[Any, ...]
    what: str
    column: str | None = None  # None: the whole row, or the whole table
    one: Any = None
    other: Any = None


def differences(one: Tables, other: Tables, names: Sequence[str] = ()) -> Iterator[Differing]:
    """Yield how the tables of these names (default: all that projections keep) differ, in order of table and key."""
    for name in names or sorted(one.schema.declared):
        table = one.schema.declared[name]
        columns, others = _columns(one, table), _columns(other, table)
        declared = [column.name for column in table.columns]
        if columns == others == declared:
            yield from _rows(one, other, table)
        else:
            yield Differing(name, (), "other columns", None, _told(columns), _told(others))


def _rows(one: Tables, other: Tables, table: Table) -> Iterator[Differing]:
    names = [column.name for column in table.columns]
    left, right = _lines(one, table), _lines(other, table)
    mine, theirs = next(left, None), next(right, None)
    while mine is not None or theirs is not None:
        if theirs is None or (mine is not None and mine[0] < theirs[0]):
            assert mine is not None
            yield Differing(table.name, tuple(mine[0]), "only in A")
            mine = next(left, None)
        elif mine is None or theirs[0] < mine[0]:
            yield Differing(table.name, tuple(theirs[0]), "only in B")
            theirs = next(right, None)
        else:
            if mine[1] != theirs[1]:
                for name, a, b in zip(names, msgspec.json.decode(mine[1]), msgspec.json.decode(theirs[1]), strict=True):
                    if a != b:
                        yield Differing(table.name, tuple(mine[0]), "changed", name, a, b)
            mine, theirs = next(left, None), next(right, None)


def _lines(tables: Tables, table: Table) -> Iterator[_Line]:
    """Yield the key and the row of each line, the key as values that sort as the database sorts them."""
    for key, row in rows(tables, table):
        yield msgspec.json.decode(key), row


def _columns(tables: Tables, table: Table) -> list[str] | None:
    """Return the columns that a table has; None where it is not there."""
    with tables.told(), tables.engine.connect() as connection:
        found = sa.inspect(connection)
        return [column["name"] for column in found.get_columns(table.name)] if found.has_table(table.name) else None


def _told(columns: list[str] | None) -> str | None:
    return None if columns is None else ", ".join(columns)
