"""Digests of tables: equal rows give equal digests, on either database, in any process, at any time.

Rows are taken in the byte order of their keys and written in one typed form; a row belongs to one of 256 parts by its key, so
that two digests that differ name the part, and the part's rows are few.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from typing import Any

import msgspec

from opsledger.projections.table import Table
from opsledger.replay.tables import Tables

__all__ = ["digest", "digests", "rows"]

_PARTS = 256
_encode = msgspec.json.Encoder().encode


def digests(tables: Tables, names: list[str] | None = None) -> dict[str, str]:
    """Return the digest of each table (default: all that projections keep), in hexadecimal."""
    return {name: digest(tables, tables.schema.declared[name])[0] for name in names or sorted(tables.schema.declared)}


def digest(tables: Tables, table: Table) -> tuple[str, list[str]]:
    """Return a table's digest, and those of its 256 parts of which it is made."""
    parts = [hashlib.sha256() for _ in range(_PARTS)]
    for key, row in rows(tables, table):
        parts[zlib.crc32(key) % _PARTS].update(row + b"\n")
    made = [part.hexdigest() for part in parts]
    return hashlib.sha256("".join(made).encode()).hexdigest(), made


def rows(tables: Tables, table: Table) -> Iterator[tuple[bytes, bytes]]:
    """Yield (key, row) of a table in their typed form, in byte order of the keys."""
    booleans = [i for i, column in enumerate(table.columns) if column.kind == "boolean"]
    places = [[column.name for column in table.columns].index(name) for name in table.key]
    with tables.told(), tables.engine.connect() as connection:
        found = connection.execution_options(stream_results=True, yield_per=5000).exec_driver_sql(_statement(tables, table))
        for row in found:
            values: list[Any] = list(row)
            for place in booleans:
                values[place] = None if values[place] is None else bool(values[place])
            yield _encode([values[place] for place in places]), _encode(values)


def _statement(tables: Tables, table: Table) -> str:
    shown = []
    for column in table.columns:
        if column.kind == "instant" and tables.sql.postgresql:
            shown.append(f"to_char({column.name} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS {column.name}")
        else:
            shown.append(column.name)
    keys = ", ".join(f"{table.name}.{name}" for name in table.key)
    return f"SELECT {', '.join(shown)} FROM {table.name} ORDER BY {keys}"
