"""The tables of the log in SQLite, and the triggers that keep them from being changed."""

from __future__ import annotations

from typing import Final

from opsledger.ledger.store import FUTURE_US

__all__ = ["CREATION"]

_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS ledger_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    f"""CREATE TABLE IF NOT EXISTS ledger_event (
        position INTEGER PRIMARY KEY,
        stream TEXT NOT NULL,
        version INTEGER NOT NULL,
        topic TEXT NOT NULL,
        revision INTEGER NOT NULL,
        state BLOB NOT NULL,
        occurred_at INTEGER NOT NULL,
        recorded_at INTEGER NOT NULL,
        recorded_by TEXT NOT NULL,
        role TEXT NOT NULL,
        command_id TEXT NOT NULL,
        correlation_id TEXT,
        causation_id TEXT,
        source TEXT,
        source_id TEXT,
        CONSTRAINT ledger_event_stream_version UNIQUE (stream, version),
        CONSTRAINT ledger_event_not_from_the_future CHECK (occurred_at <= recorded_at + {FUTURE_US})
    )""",
    "CREATE UNIQUE INDEX IF NOT EXISTS ledger_event_source ON ledger_event (source, source_id) WHERE source IS NOT NULL",
    """CREATE TABLE IF NOT EXISTS ledger_request (
        key TEXT NOT NULL, decision TEXT NOT NULL, stream TEXT NOT NULL, mac TEXT NOT NULL, version INTEGER NOT NULL,
        first_position INTEGER, facts INTEGER NOT NULL, PRIMARY KEY (key, decision, stream)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS ledger_source (
        source TEXT NOT NULL, source_id TEXT NOT NULL, mac TEXT NOT NULL, PRIMARY KEY (source, source_id)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS ledger_hash (
        level INTEGER NOT NULL, first INTEGER NOT NULL, hashes BLOB NOT NULL, PRIMARY KEY (level, first))""",
    "CREATE TABLE IF NOT EXISTS ledger_checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL, created_at INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS ledger_part (digest TEXT PRIMARY KEY, key_id TEXT NOT NULL, sealed BLOB NOT NULL) WITHOUT ROWID",
    """CREATE TABLE IF NOT EXISTS ledger_erasure (
        key_id TEXT NOT NULL, act TEXT NOT NULL CHECK (act IN ('destroyed', 'purged')), position INTEGER NOT NULL,
        PRIMARY KEY (key_id, act)) WITHOUT ROWID""",
)
_KEYS: Final = {
    "ledger_meta": ("key = NEW.key",),
    "ledger_event": (
        "position = NEW.position OR (stream = NEW.stream AND version = NEW.version)",
        "NEW.source IS NOT NULL AND source = NEW.source AND source_id = NEW.source_id",
    ),
    "ledger_request": ("key = NEW.key AND decision = NEW.decision AND stream = NEW.stream",),
    "ledger_source": ("source = NEW.source AND source_id = NEW.source_id",),
    "ledger_hash": ("level = NEW.level AND first = NEW.first",),
    "ledger_checkpoint": ("size = NEW.size",),
    "ledger_part": ("digest = NEW.digest",),
    "ledger_erasure": ("key_id = NEW.key_id AND act = NEW.act",),
}
"""What is unique in each table: INSERT OR REPLACE would remove the row that stands, past the trigger on DELETE."""

_TRIGGER: Final = "CREATE TRIGGER IF NOT EXISTS {name} BEFORE {act} ON {table} {when} BEGIN SELECT RAISE(ABORT, '{told}'); END"
_UNLESS: Final = {("ledger_part", "DELETE"): "WHEN NOT EXISTS (SELECT 1 FROM ledger_erasure WHERE key_id = OLD.key_id AND act = 'purged')"}
"""A sealed part may go once a fact has decided so; which, stands in ledger_erasure."""

_TRIGGERS: Final = (
    *(
        _TRIGGER.format(
            name=f"{table}_{act.lower()}", act=act, table=table, when=_UNLESS.get((table, act), ""), told=f"{table}: rows are never {done}"
        )
        for table in _KEYS
        for act, done in (("UPDATE", "changed"), ("DELETE", "removed"))
    ),
    *(
        _TRIGGER.format(
            name=f"{table}_insert_{i}",
            act="INSERT",
            table=table,
            when=f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {taken})",
            told=f"{table}: key {i} taken",
        )
        for table, keys in _KEYS.items()
        for i, taken in enumerate(keys, 1)
    ),
    _TRIGGER.format(
        name="ledger_part_erased",
        act="INSERT",
        table="ledger_part",
        when="WHEN EXISTS (SELECT 1 FROM ledger_erasure WHERE key_id = NEW.key_id AND act = 'destroyed')",
        told="ledger_part: key destroyed",
    ),
)

CREATION: Final = (*_TABLES, *_TRIGGERS)
"""The statements that make the log, and leave what is there."""
