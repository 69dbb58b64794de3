"""Making the receipt of a replay, and repeating it: the same log gives the same tables, or the table and the row are named."""

from __future__ import annotations

import hashlib
import platform
import sqlite3
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec
import sqlalchemy as sa

from opsledger.audit.findings import Checked
from opsledger.audit.note import Checkpoint, Note
from opsledger.audit.ranges import root_between
from opsledger.audit.sealing import origin_of
from opsledger.domain import calendar, policy
from opsledger.domain.fact import fact_types
from opsledger.ledger.engine import engine
from opsledger.ledger.seals import Seals
from opsledger.ledger.store import Store
from opsledger.ledger.url import LedgerUrl
from opsledger.policies.instants import iso
from opsledger.policies.zones import VERSION
from opsledger.projections.kinds import fingerprint
from opsledger.replay.digest import parted, parts_of, rows
from opsledger.replay.evidence.receipt import Governed, Receipt, TableResult, Tree, Versions
from opsledger.replay.knowledge import governance
from opsledger.replay.tables import AsOf, Tables

__all__ = ["compare_receipts", "differing_versions", "make_receipt", "source_digest"]

_NAMED: Final = 20
_GROUPS: Final = ("opsledger.concepts", "opsledger.projections")


def make_receipt(store: Store, seals: Seals, where: LedgerUrl, tables: Tables, shown: AsOf) -> Receipt:
    """Return the receipt of a replay: of the log at `where` as `shown`, into `tables`."""
    newest = seals.newest()
    checkpoint = None if newest is None else Checkpoint.parse(Note.parse(newest.note).text)
    assert shown.effective_at is not None, "a replay speaks as of an instant"
    return Receipt(
        origin=origin_of(store),
        simulated=store.meta().get("simulated") == "true",
        position=shown.position,
        recorded_at=shown.recorded_at,
        effective_at=shown.effective_at,
        log=Tree(shown.position, root_between(store, 1, shown.position)),
        checkpoint=None if checkpoint is None else Tree(checkpoint.size, checkpoint.root),
        versions=_versions(where, tables),
        governed=tuple(_governed(store, shown.position)),
        tables=tuple(TableResult.of(name, parted(tables, table)) for name, table in sorted(tables.schema.declared.items())),
    )


def compare_receipts(then: Receipt, now: Receipt, store: Store, tables: Tables) -> Checked:
    """Return what a repeated replay came to: `then` is its receipt, `now` that of the repetition, and `tables` hold what came out."""
    result = Checked("receipt")
    if then.log != now.log:
        result.find(
            f"The first {then.position} facts of the ledger are not those of the receipt: their Merkle root is another; verify the ledger.",
            expected=str(then.log),
            found=str(now.log),
        )
    _checkpoint(then, store, result)
    if (then.recorded_at, then.simulated) != (now.recorded_at, now.simulated):
        result.find(
            f"Position {then.position} was recorded at {iso(then.recorded_at)} says the receipt, and at {iso(now.recorded_at)} the ledger.",
            position=then.position,
            column="recorded_at",
        )
    _compare_governed(then, now, result)
    before, after = ({each.name: each for each in receipt.tables} for receipt in (then, now))
    for name, old in before.items():
        new = after.get(name)
        result.count("tables")
        if new is None:
            result.find(f"The receipt has a table {name}, and this program has none.", table=name)
        elif (old.rows, old.digest) != (new.rows, new.digest):
            keys, said = _differing(old, new, tables)
            result.find(f"{name} came out otherwise: {said}.", table=name, keys=keys, expected=old.digest, found=new.digest)
    return result


def differing_versions(then: Versions, now: Versions) -> list[str]:
    """Return in one sentence each by what a replay was made otherwise."""
    found = []
    for field in fields(Versions):
        old, new = getattr(then, field.name), getattr(now, field.name)
        if isinstance(old, tuple):
            gone, come = sorted(set(old) - set(new)), sorted(set(new) - set(old))
            old, new = ", ".join(gone) or "nothing", ", ".join(come) or "nothing"
        if old != new:
            found.append(f"{field.name} was {old} and is {new}")
    return found


@cache
def source_digest() -> str:
    """Return the SHA-256, in hexadecimal, over the files of this program: the path of each, and the SHA-256 of what it holds."""
    folder = Path(__file__).parents[1]
    files = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n" for name, path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


# What a receipt says.


def _versions(where: LedgerUrl, tables: Tables) -> Versions:
    log = engine(where, "log")
    try:
        log_database = _database(log)
    finally:
        log.dispose()
    return Versions(
        program=f"opsledger {metadata.version('opsledger')}",
        source=source_digest(),
        python=platform.python_version(),
        log_database=log_database,
        table_database=_database(tables.engine),
        tz_data=VERSION,
        topics=_topics(),
        plugins=tuple(_plugins()),
        projections=tuple(f"{each.name} {each.version} {fingerprint(each)}" for _, each in sorted(tables.schema.projections.items())),
    )


def _database(made: sa.Engine) -> str:
    if made.dialect.name == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    with made.connect() as connection:
        version: str = connection.exec_driver_sql("SHOW server_version").scalar_one()
    return f"PostgreSQL {version.partition(' ')[0]}"


def _topics() -> str:
    """Return the SHA-256 over how facts of each topic are stored, a host's too: a revision, fields and types, older ones that are read."""
    forms = {topic: (kind.revision, sorted(kind.upcasts), msgspec.json.schema(kind.made)) for topic, kind in sorted(fact_types().items())}
    return hashlib.sha256(msgspec.json.encode(forms, order="sorted")).hexdigest()


def _plugins() -> list[str]:
    """Return what the host has added, by the names and versions of its distributions."""
    found = {each.dist for group in _GROUPS for each in metadata.entry_points(group=group) if each.dist is not None}
    return sorted({f"{each.name} {each.version}" for each in found})


def _governed(store: Store, position: int) -> Iterator[Governed]:
    for recorded in governance(store, position):
        event = recorded.fact
        if isinstance(event, policy.Published | calendar.Published | calendar.Corrected):
            yield Governed(recorded.position, recorded.stream, event.digest)


# What differs.


def _checkpoint(then: Receipt, store: Store, result: Checked) -> None:
    """Hold the checkpoint of the receipt against the log as it stands."""
    known, head = then.checkpoint, store.head().position
    if known is None:
        return
    if known.size > head:
        result.find(f"The receipt knows a checkpoint over {known.size} facts, and the ledger has {head}: its end was cut off.")
    elif root_between(store, 1, known.size) != known.root:
        result.find(f"The first {known.size} facts are not those of the checkpoint that the receipt names; verify the ledger.")
    else:
        result.count("checkpoints")


def _compare_governed(then: Receipt, now: Receipt, result: Checked) -> None:
    for old, new in zip(then.governed, now.governed, strict=False):
        if old != new:
            result.find(
                f"Position {old.position} ({old.stream}) has the digest {new.digest[:16]} and had {old.digest[:16]}: what was known then "
                "was changed.",
                position=old.position,
                stream=old.stream,
                expected=old.digest,
                found=new.digest,
            )
            return
    if len(then.governed) != len(now.governed):
        result.find(f"{len(then.governed)} versions of policies and calendars were known by the receipt, and {len(now.governed)} are.")


def _differing(old: TableResult, new: TableResult, tables: Tables) -> tuple[tuple[tuple[object, ...], ...], str]:
    """Return the keys of rows that differ or are new, and a sentence. The rows are in a part that differs, and in one across that does."""
    one = {number for number in old.parts.keys() | new.parts.keys() if old.parts.get(number) != new.parts.get(number)}
    other = {number for number in old.across.keys() | new.across.keys() if old.across.get(number) != new.across.get(number)}
    keys = []
    for key, _ in rows(tables, tables.schema.declared[new.name]):
        place = parts_of(key)
        if place[0] in one and place[1] in other:
            keys.append(tuple(msgspec.json.decode(key)))
    count = f"{new.rows} row" if new.rows == 1 else f"{new.rows} rows"
    counted = f"{count} where there were {old.rows}" if old.rows != new.rows else f"{count} as before"
    if not keys:
        return (), f"{counted}; the rows that differ are there no more"
    shown = "; ".join(" ".join(map(str, key)) for key in keys[:_NAMED])
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    which = "the row that differs is" if len(keys) == 1 else "the rows that differ are among"
    return tuple(keys[:_NAMED]), f"{counted}; {which} {shown}{more}"
