"""Digests of tables: equal rows give equal digests, on either database, in any process, at any time.

Rows are taken in the byte order of their keys and written in one typed form. A row belongs to one of 256 parts by its key, and to one
of 256 others across them: where two tables differ, the rows that are in a differing part of both kinds are few, and can be named.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec

from opsledger.projections.table import Table
from opsledger.replay.tables import Tables

__all__ = ["PARTS", "Parted", "digest", "digests", "parted", "parts_of", "rows"]

PARTS: Final = 256
"""How many parts of either kind there are."""

_encode = msgspec.json.Encoder().encode


class Parted(NamedTuple):
    """A table's digests: of the whole, in hexadecimal, made of those of its 256 parts; and those of 256 other parts across them."""

    rows: int
    digest: str
    parts: tuple[bytes, ...]
    across: tuple[bytes, ...]


def digests(tables: Tables, names: list[str] | None = None) -> dict[str, str]:
    """Return the digest of each table (default: all that projections keep), in hexadecimal."""
    return {name: digest(tables, tables.schema.declared[name])[0] for name in names or sorted(tables.schema.declared)}


def digest(tables: Tables, table: Table) -> tuple[str, list[str]]:
    """Return a table's digest, and those of its 256 parts of which it is made."""
    found = parted(tables, table)
    return found.digest, [part.hex() for part in found.parts]


def parted(tables: Tables, table: Table) -> Parted:
    """Return the number of rows of a table, and its digests."""
    parts, across = ([hashlib.sha256() for _ in range(PARTS)] for _ in range(2))
    count = 0
    for key, row in rows(tables, table):
        one, other = parts_of(key)
        parts[one].update(row + b"\n")
        across[other].update(row + b"\n")
        count += 1
    made, others = (tuple(part.digest() for part in each) for each in (parts, across))
    return Parted(count, hashlib.sha256("".join(part.hex() for part in made).encode()).hexdigest(), made, others)


def parts_of(key: bytes) -> tuple[int, int]:
    """Return in which part a row stands by its key, and in which of those across."""
    code = zlib.crc32(key)
    return code % PARTS, code // PARTS % PARTS


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
