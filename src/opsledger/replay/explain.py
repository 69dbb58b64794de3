"""Explain: from a number in a table to the facts behind it, and on from there.

    a row folded from a stream     that stream's facts up to the row's last one, with those that changed its mind marked,
                                   the policies and calendars that it names, and the rows that split it further
    a row gathered from several    how it came about, told by its projection, and the facts under it
    a row made of one fact         that fact
    a row of a view                the rows that are counted in it, each with the key by which to go on

Facts are told without personal content; who may see it opens a fact with `opsledger show STREAM --reveal`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from opsledger.domain.recorded import Recorded
from opsledger.errors import BadInput, Unknown
from opsledger.ledger.codec import read, read_all
from opsledger.ledger.store import Store
from opsledger.policies.instants import at, moment
from opsledger.projections.governance.audit_trail import summary
from opsledger.projections.kinds import Entry, Gathered, Projection, View
from opsledger.projections.table import Column, Table
from opsledger.replay.gathering import gathered_of
from opsledger.replay.schema import Schema
from opsledger.replay.tables import Tables

__all__ = ["Counted", "Explanation", "Told", "explain", "read_value", "reads"]

_ALL: Final = ("*", "all")
_SEVERAL: Final = 3  # rows named where one was meant

_SETTLED: Final = ("last_position", "known_from_position")
"""Columns that say up to which position a row knows its stream."""


@dataclass(frozen=True, slots=True)
class Told:
    """A fact, told without personal content. `cause` when the row names its position as the cause of a change."""

    position: int
    stream: str
    version: int
    topic: str
    occurred_at: datetime
    recorded_at: datetime
    recorded_by: str
    role: str
    summary: str
    cause: bool = False


class Counted(NamedTuple):
    """A row that is counted in another: its table, its key, and as what it counts where the view says so."""

    table: str
    key: tuple[Any, ...]
    result: str | None = None


@dataclass(slots=True)
class Explanation:
    """A row and what is behind it. `counted` are rows to go on with, in the order of the view."""

    table: str
    meaning: str
    key: dict[str, Any]
    row: dict[str, Any]
    story: list[str] = field(default_factory=list)  # what the row comes from, line by line, as a person would say it
    evidence: list[tuple[int, ...]] = field(default_factory=list)  # positions of the facts on which each of those lines rests
    facts: list[Told] = field(default_factory=list)
    named: list[Told] = field(default_factory=list)  # facts of the policies and calendars that the row names
    details: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # rows of other tables that split this one
    reads: list[str] = field(default_factory=list)  # what a view is computed from
    counted: list[Counted] = field(default_factory=list)


def explain(store: Store, tables: Tables, table: str, key: Sequence[str]) -> Explanation:
    """Return what is behind the row of a table or view whose key has these values, written as on a command line.

    Raises Unknown where there is no such table or row, and BadInput where the key has another number of parts or kinds.
    """
    described = tables.describe(table)
    where = _key(described, key) if len(key) >= len(described.key) else _shortened(tables, described, key)
    found = tables.select(table, **where)
    if not found:
        shown = " ".join(map(str, key))
        raise Unknown(
            "explain.no_row",
            f"{table} has no row {shown} at position {tables.as_of().position}; look at its keys, or run `opsledger catch-up` first.",
        )
    made = Explanation(table, described.doc, where, found[0])
    if isinstance(described, Table):
        _folded(store, tables, described, where, made)
        return made
    made.reads = reads(tables.schema, described)
    made.counted = list(_counted(tables, described, where, made.row))
    if [each.key for each in made.counted] == [tuple(where.values())]:  # it only adds to the row of a table, whose facts are its own
        base = tables.schema.declared[made.counted[0].table]
        _folded(store, tables, base, dict(zip(base.key, where.values(), strict=True)), made)
    return made


def _folded(store: Store, tables: Tables, described: Table, where: dict[str, Any], made: Explanation) -> None:
    """Add what a row of a table was folded from."""
    projection = next(each for each in tables.schema.projections.values() if described in each.tables)
    if isinstance(projection, Entry):
        made.facts = _entry(store, made.row)
        return
    made.details = _details(tables, projection, described, where)
    if isinstance(projection, Gathered):
        _gathered(store, tables, projection, described, made)
        return
    causes = _causes(tables, projection, made.row, described)
    until = next((made.row[name] for name in _SETTLED if name in made.row), tables.as_of().position)
    stream = f"{projection.concept}:{made.row[described.owner]}"
    facts = [recorded for recorded in read_all(store.stream(stream)) if recorded.position <= until]
    made.facts = [_tell(recorded, causes) for recorded in facts]
    naming = [made.row, *(row for rows in made.details.values() for row in rows)]
    made.named = [_tell(recorded, causes) for recorded in _named(store, naming)]
    elsewhere = causes - {told.position for told in (*made.facts, *made.named)}
    made.named += [_tell(read(row), causes) for position in sorted(elsewhere) for row in store.page(position - 1, 1, until=position)]


def read_value(column: Column, text: str) -> Any:
    """Return what a text on a command line says for a column: a whole number, yes or no, an instant, or the text itself."""
    if column.kind == "integer":
        if not re.fullmatch(r"[-+]?\d{1,18}", text):
            raise BadInput("value.integer", f"'{text}' cannot be {column.name}, which is a whole number.")
        return int(text)
    if column.kind == "boolean":
        if text not in ("true", "false"):
            raise BadInput("value.boolean", f"'{text}' cannot be {column.name}; write true or false.")
        return text == "true"
    return at(text) if column.kind == "instant" else text


def _key(described: Table | View, given: Sequence[str]) -> dict[str, Any]:
    if len(given) != len(described.key):
        parts = f"{len(described.key)} parts" if len(described.key) > 1 else "one part"
        raise BadInput("explain.key", f"The key of {described.name} has {parts}, {', '.join(described.key)}; {len(given)} were given.")
    columns = {column.name: column for column in described.columns}
    return {name: read_value(columns[name], text) for name, text in zip(described.key, given, strict=True)}


def _shortened(tables: Tables, described: Table | View, given: Sequence[str]) -> dict[str, Any]:
    """Return the key of the one row that is meant by some of its values, in their order: sla_month api 2026-03."""
    columns = {column.name: column for column in described.columns}
    meant: dict[tuple[Any, ...], dict[str, Any]] = {}
    for names in combinations(described.key, len(given)):
        try:
            where = {name: read_value(columns[name], text) for name, text in zip(names, given, strict=True)}
        except BadInput:
            continue
        found = sorted(tables.select(described.name, **where), key=lambda row: -_sums([row[name] for name in described.key]))
        for row in found[:_SEVERAL]:
            meant[tuple(row[name] for name in described.key)] = {name: row[name] for name in described.key}
    if len(meant) > 1:  # of a sum and its parts, the sum is meant
        whole = max(map(_sums, meant))
        meant = {key: row for key, row in meant.items() if _sums(key) == whole}
    if len(meant) == 1:
        return next(iter(meant.values()))
    parts = f"{len(described.key)} parts" if len(described.key) > 1 else "one part"
    which = f"more than one row has those: {'; '.join(' '.join(map(str, key)) for key in meant)}" if meant else "no row has those"
    raise BadInput(
        "explain.key", f"The key of {described.name} has {parts}, {', '.join(described.key)}; {len(given)} were given, and {which}."
    )


def _sums(key: Sequence[Any]) -> int:
    """Return how many parts of a key stand for all there is."""
    return sum(part in _ALL for part in key)


# Rows of views.


def _counted(tables: Tables, view: View, where: dict[str, Any], row: dict[str, Any]) -> Iterator[Counted]:
    """Yield the rows that a view counts: those that it says itself, else those that are there and whose whole key stands in the row."""
    said = [each for each in (view.behind, *view.beside) if each is not None]
    for name, sql in said:
        query = sql(tables.sql)
        kinds = {column.name: column.sa().type for column in view.columns}
        binds = [sa.bindparam(part, value, type_=kinds[part]) for part, value in where.items() if re.search(rf":{part}\b", query)]
        keys = tables.schema.declared[name].key
        for each in tables.query(sa.text(query).bindparams(*binds)):
            yield Counted(name, tuple(each[part] for part in keys), each.get("result"))
    if said:
        return
    for name in reads(tables.schema, view):
        read_from = tables.describe(name)
        if all(row.get(part) is not None for part in read_from.key) and tables.select(name, **{part: row[part] for part in read_from.key}):
            yield Counted(name, tuple(row[part] for part in read_from.key))


def reads(schema: Schema, view: View) -> list[str]:
    """Return the tables and views that a view is computed from."""
    words = re.findall(r"(?:FROM|JOIN|,)\s*(\w+)", view.sql(schema.sql), flags=re.IGNORECASE)
    return sorted({word for word in words if word in schema.declared or word in schema.views})


# Rows of tables.


def _entry(store: Store, row: dict[str, Any]) -> list[Told]:
    position = row.get("position", row.get("last_position"))
    return [] if position is None else [_tell(read(each), frozenset()) for each in store.page(position - 1, 1, until=position)]


def _gathered(store: Store, tables: Tables, projection: Gathered, table: Table, made: Explanation) -> None:
    """Add what a row of a subject comes from: the projection's own lines and the facts under them, or all facts of the subject."""
    subject = made.row[table.owner]
    if projection.tell is None:
        until = made.row.get("last_position", tables.as_of().position)
        streams = tables.streams_of(projection, [subject])[subject]
        found = [each for stream in streams for each in read_all(store.stream(stream)) if each.position <= until]
    else:
        states, known = gathered_of(store, tables, projection, subject)
        lines = projection.tell(table.name, made.row, states, known)
        made.story, made.evidence = [line.text for line in lines], [line.positions for line in lines]
        positions = sorted({position for line in lines for position in line.positions})
        found = [read(row) for position in positions for row in store.page(position - 1, 1, until=position)]
    made.facts = [_tell(each, frozenset()) for each in sorted(found, key=lambda each: each.position)]


def _details(tables: Tables, projection: Projection, table: Table, where: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of the tables of the same fold whose keys go on where this row's key ends."""
    finer = [other for other in projection.tables if other.name != table.name and other.key[: len(table.key)] == table.key]
    return {other.name: tables.select(other.name, **where) for other in finer}


def _causes(tables: Tables, projection: Projection, row: dict[str, Any], table: Table) -> frozenset[int]:
    """Return every position that this row, or a row of the same fold with the same key, names as a cause."""
    found = set()
    for other in projection.tables:
        if any(column.name == "cause_position" for column in other.columns):
            shared = {name: row[name] for name in table.key if name in other.key}
            found |= {each["cause_position"] for each in tables.select(other.name, **shared)}
    return frozenset(found - {None})


def _named(store: Store, rows: Sequence[dict[str, Any]]) -> list[Recorded]:
    """Return the facts of the policies and calendars that rows name: operating-model@2:..., business@3."""
    policies = {row["policy_ref"] for row in rows if row.get("policy_ref")}
    calendars: dict[str, int] = {}
    for row in rows:
        if row.get("calendar_ref"):
            name, _, known = row["calendar_ref"].rpartition("@")
            calendars[name] = max(int(known), calendars.get(name, 0))
    found: list[Recorded] = []
    for ref in sorted(policies):
        name, _, rest = ref.partition("@")
        version = int(rest.partition(":")[0])
        found += read_all(row for row in store.stream(f"policy:{name}", after=version - 1) if row.version == version)
    for name, known in sorted(calendars.items()):
        found += read_all(row for row in store.stream(f"calendar:{name}") if row.version <= known)
    return found


def _tell(recorded: Recorded, causes: frozenset[int]) -> Told:
    return Told(
        position=recorded.position,
        stream=recorded.stream,
        version=recorded.version,
        topic=recorded.topic,
        occurred_at=moment(recorded.occurred_at),
        recorded_at=moment(recorded.recorded_at),
        recorded_by=recorded.recorded_by,
        role=recorded.role,
        summary=summary(recorded.fact),
        cause=recorded.position in causes,
    )
