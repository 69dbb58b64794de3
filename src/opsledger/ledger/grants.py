"""Rights in PostgreSQL, for databases in which not everybody may do everything. Four roles, and one more for erasure.

    writer      records facts, through the one function that numbers them; makes keys of data subjects
    projector   reads the log, owns the tables that are made of it
    sealer      reads the log, adds hashes and checkpoints
    reader      reads the log and the tables: analysts, auditors
    eraser      what a writer may, and destroys keys of data subjects and removes their sealed parts

Nobody but the owner of the schemas can change or remove a row of the log, and no trigger stops that one: what does is a checkpoint
kept elsewhere. The roles log in by nobody's name; grant them to those who do.
"""

from __future__ import annotations

from psycopg.sql import SQL, Composed, Identifier, Literal

__all__ = ["ROLES", "grants"]

ROLES = ("writer", "projector", "sealer", "reader", "eraser")
"""The roles, each called after the schema: opsledger_writer."""

_ROLE = """DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {name}) THEN CREATE ROLE {role} NOLOGIN; END IF;
END $$"""

_OWNED = """DO $$ DECLARE each record; BEGIN
    FOR each IN SELECT c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = {name} AND c.relkind IN ('r', 'v')
    LOOP
        EXECUTE format(
            'ALTER %s %I.%I OWNER TO %I', CASE each.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, {name}, each.relname, {owner}
        );
    END LOOP;
END $$"""

_LOG = """REVOKE ALL ON SCHEMA {log}, {keys} FROM PUBLIC
REVOKE ALL ON ALL TABLES IN SCHEMA {log}, {keys} FROM PUBLIC, {every}
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {log} FROM PUBLIC
GRANT USAGE ON SCHEMA {log} TO {every}
GRANT SELECT ON ALL TABLES IN SCHEMA {log} TO {every}
GRANT EXECUTE ON FUNCTION {log}.ledger_append(jsonb) TO {writer}, {eraser}
GRANT USAGE ON SCHEMA {keys} TO {writer}, {eraser}
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA {keys} TO {writer}, {eraser}
GRANT UPDATE, DELETE ON {keys}.directory TO {writer}, {eraser}
GRANT UPDATE, DELETE ON ALL TABLES IN SCHEMA {keys} TO {eraser}
GRANT INSERT ON {log}.ledger_erasure TO {eraser}
GRANT DELETE ON {log}.ledger_part TO {eraser}
GRANT INSERT ON {log}.ledger_hash, {log}.ledger_checkpoint TO {sealer}"""

_TABLES = """CREATE SCHEMA IF NOT EXISTS {tables}
ALTER SCHEMA {tables} OWNER TO {projector}
GRANT USAGE ON SCHEMA {tables} TO {every}
GRANT SELECT ON ALL TABLES IN SCHEMA {tables} TO {every}
ALTER DEFAULT PRIVILEGES FOR ROLE {projector} IN SCHEMA {tables} GRANT SELECT ON TABLES TO {every}"""


def grants(schema: str) -> list[Composed]:
    """Return the statements that make the roles of a ledger and give each its rights; they may be run again.

    To be run by the owner of the schemas. Let logins take the role on in every session (`ALTER ROLE ... SET role`), so that what a
    projector makes belongs to the role.
    """
    names = {role: Identifier(f"{schema}_{role}") for role in ROLES}
    places = {"log": Identifier(schema), "keys": Identifier(f"{schema}_keys"), "tables": Identifier(f"{schema}_tables")}
    every = SQL(", ").join(names.values())
    roles = [SQL(_ROLE).format(name=Literal(f"{schema}_{role}"), role=name) for role, name in names.items()]
    log = [SQL(line).format(**places, **names, every=every) for line in _LOG.split("\n")]
    tables = [SQL(line).format(**places, **names, every=every) for line in _TABLES.split("\n")]
    owned = SQL(_OWNED).format(name=Literal(f"{schema}_tables"), owner=Literal(f"{schema}_projector"))
    return [*roles, *log, tables[0], owned, *tables[1:]]
