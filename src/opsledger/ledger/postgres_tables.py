"""The tables of the log in PostgreSQL, what keeps them from being changed, and the function that appends to them.

The advisory lock is taken in a statement before the one that reads the last row, so that what is read was committed before
the lock was ours; until the commit nobody else numbers on. Positions thus have no gaps, and commit order is their order.
"""

from __future__ import annotations

from typing import Final

from psycopg.sql import SQL, Composed, Identifier, Literal

from opsledger.ledger.store import FUTURE_US

__all__ = ["ERASED", "LOCK", "MOVED", "creation"]

LOCK: Final = 0x6F70736C
"""Names our advisory locks among those of other programs; the second half is the table's oid, or 0 while tables are made."""

MOVED: Final = "OL001"
"""The SQLSTATE by which an append says that a guard moved."""

ERASED: Final = "OL002"
"""The SQLSTATE by which an append says that something was sealed under a key that is destroyed."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS {schema}.ledger_meta (key text PRIMARY KEY, value text NOT NULL);
CREATE TABLE IF NOT EXISTS {schema}.ledger_event (
    position bigint PRIMARY KEY,
    stream text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    topic text NOT NULL,
    revision integer NOT NULL,
    state bytea NOT NULL,
    occurred_at bigint NOT NULL,
    recorded_at bigint NOT NULL,
    recorded_by text NOT NULL,
    role text NOT NULL,
    command_id text NOT NULL,
    correlation_id text,
    causation_id text,
    source text,
    source_id text,
    CONSTRAINT ledger_event_stream_version UNIQUE (stream, version),
    CONSTRAINT ledger_event_not_from_the_future CHECK (occurred_at <= recorded_at + {future})
);
CREATE UNIQUE INDEX IF NOT EXISTS ledger_event_source ON {schema}.ledger_event (source, source_id) WHERE source IS NOT NULL;
CREATE TABLE IF NOT EXISTS {schema}.ledger_request (
    key text, decision text, stream text, mac text NOT NULL, version bigint NOT NULL, first_position bigint, facts integer NOT NULL,
    PRIMARY KEY (key, decision, stream)
);
CREATE TABLE IF NOT EXISTS {schema}.ledger_source (source text, source_id text, mac text NOT NULL, PRIMARY KEY (source, source_id));
CREATE TABLE IF NOT EXISTS {schema}.ledger_hash (level integer, first bigint, hashes bytea NOT NULL, PRIMARY KEY (level, first));
CREATE TABLE IF NOT EXISTS {schema}.ledger_checkpoint (size bigint PRIMARY KEY, note text NOT NULL, created_at bigint NOT NULL);
CREATE TABLE IF NOT EXISTS {schema}.ledger_part (digest text PRIMARY KEY, key_id text NOT NULL, sealed bytea NOT NULL);
CREATE TABLE IF NOT EXISTS {schema}.ledger_erasure (
    key_id text, act text CHECK (act IN ('destroyed', 'purged')), position bigint NOT NULL, PRIMARY KEY (key_id, act)
);
"""

_REFUSE: Final = """
CREATE OR REPLACE FUNCTION {schema}.ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
"""

_TRIGGER: Final = """
CREATE OR REPLACE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.{table}
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.ledger_refuse_change();
"""

_PART: Final = """
CREATE OR REPLACE TRIGGER ledger_append_only BEFORE UPDATE OR TRUNCATE ON {schema}.ledger_part
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.ledger_refuse_change();
CREATE OR REPLACE FUNCTION {schema}.ledger_part_goes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM {schema}.ledger_erasure e WHERE e.key_id = OLD.key_id AND e.act = 'purged') THEN
        RAISE EXCEPTION 'rows of ledger_part are never changed or removed until a fact decides so'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
END $$;
CREATE OR REPLACE TRIGGER ledger_part_goes BEFORE DELETE ON {schema}.ledger_part
    FOR EACH ROW EXECUTE FUNCTION {schema}.ledger_part_goes();
CREATE OR REPLACE FUNCTION {schema}.ledger_part_comes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM {schema}.ledger_erasure e WHERE e.key_id = NEW.key_id AND e.act = 'destroyed') THEN
        RAISE EXCEPTION 'the key % is destroyed', NEW.key_id USING ERRCODE = {erased};
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER ledger_part_comes BEFORE INSERT ON {schema}.ledger_part
    FOR EACH ROW EXECUTE FUNCTION {schema}.ledger_part_comes();
"""
"""A sealed part may go once a fact has decided so, and none comes under a key that is destroyed; both stand in ledger_erasure."""

_APPEND: Final = """
CREATE OR REPLACE FUNCTION {schema}.ledger_append(
    batch jsonb, OUT first_position bigint, OUT written_at bigint, OUT clock_at bigint, OUT last_at bigint
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
-- Who may call this needs no right to insert: positions and times are numbered here or not at all.
DECLARE
    last_position bigint;
    moved text;
    simulated boolean;
BEGIN
    -- Until the commit nobody else numbers. Each statement below sees what was committed before the lock was ours.
    PERFORM pg_advisory_xact_lock({lock}, {table}::regclass::oid::int);
    SELECT e.position, e.recorded_at INTO last_position, last_at FROM {schema}.ledger_event e ORDER BY e.position DESC LIMIT 1;
    last_position := coalesce(last_position, 0);
    last_at := coalesce(last_at, 0);
    clock_at := floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
    SELECT g.key INTO moved FROM jsonb_each_text(batch -> 'guards') g
        WHERE g.value::bigint <> (SELECT coalesce(max(e.version), 0) FROM {schema}.ledger_event e WHERE e.stream = g.key) LIMIT 1;
    IF moved IS NOT NULL THEN
        RAISE EXCEPTION '% went on meanwhile', moved USING ERRCODE = {moved};
    END IF;
    first_position := last_position + 1;
    simulated := EXISTS (SELECT FROM {schema}.ledger_meta m WHERE m.key = 'simulated' AND m.value = 'true');
    INSERT INTO {schema}.ledger_event
        SELECT last_position + f.n, f.stream, f.version, f.topic, f.revision, decode(f.state, 'base64'), f.occurred_at,
               greatest(last_at, max(CASE WHEN simulated THEN coalesce(f.recorded_at, clock_at) ELSE clock_at END) OVER (ORDER BY f.n)),
               f.recorded_by, f.role, f.command_id, f.correlation_id, f.causation_id, f.source, f.source_id
        FROM ROWS FROM (jsonb_to_recordset(batch -> 'facts') AS (
            stream text, version bigint, topic text, revision int, state text, occurred_at bigint, recorded_at bigint,
            recorded_by text, role text, command_id text, correlation_id text, causation_id text, source text, source_id text
        )) WITH ORDINALITY AS f(stream, version, topic, revision, state, occurred_at, recorded_at, recorded_by, role, command_id,
            correlation_id, causation_id, source, source_id, n)
        ORDER BY f.n;
    IF batch ? 'parts' THEN
        INSERT INTO {schema}.ledger_part
            SELECT p.digest, p.key_id, decode(p.sealed, 'base64')
            FROM jsonb_to_recordset(batch -> 'parts') AS p(digest text, key_id text, sealed text) ON CONFLICT DO NOTHING;
    END IF;
    IF batch ? 'sources' THEN
        INSERT INTO {schema}.ledger_source
            SELECT s.source, s.source_id, s.mac FROM jsonb_to_recordset(batch -> 'sources') AS s(source text, source_id text, mac text);
    END IF;
    IF batch ? 'requests' THEN
        INSERT INTO {schema}.ledger_request
            SELECT r.key, r.decision, r.stream, r.mac, r.version, CASE WHEN r.facts > 0 THEN first_position + r.first END, r.facts
            FROM jsonb_to_recordset(batch -> 'requests')
                AS r(key text, decision text, stream text, mac text, version bigint, first bigint, facts int);
    END IF;
    SELECT e.recorded_at INTO written_at FROM {schema}.ledger_event e ORDER BY e.position DESC LIMIT 1;
    written_at := coalesce(written_at, 0);
    PERFORM pg_notify({channel}, '');
END $$;
"""


def creation(schema: str, channel: str) -> list[Composed]:
    """Return the statements that make the log in a schema, and leave what is there; appends notify `channel`."""
    name = Identifier(schema)
    tables = ("ledger_meta", "ledger_event", "ledger_request", "ledger_source", "ledger_erasure", "ledger_hash", "ledger_checkpoint")
    event = Literal(f'"{schema}".ledger_event')
    return [
        SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name),
        SQL(_TABLES).format(schema=name, future=Literal(FUTURE_US)),
        SQL(_REFUSE).format(schema=name),
        *(SQL(_TRIGGER).format(schema=name, table=Identifier(table)) for table in tables),
        SQL(_PART).format(schema=name, erased=Literal(ERASED)),
        SQL(_APPEND).format(schema=name, lock=Literal(LOCK), table=event, moved=Literal(MOVED), channel=Literal(channel)),
    ]
