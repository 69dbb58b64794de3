"""The commands that write and compare tables, on PostgreSQL."""

from __future__ import annotations

import json
from typing import Any

from opsledger.app import OpsLedger
from opsledger.cli.opening import tables_into
from opsledger.domain import ticket
from opsledger.policies.support import Priority
from opsledger.replay.digest import digests
from opsledger.testing.plugin import Clock


def test_catch_up_rebuild_verify_replay_and_select(
    opsledger_pg: OpsLedger, opsledger_postgres_url: str, opsledger_clock: Clock, run: Any
) -> None:
    import psycopg

    person = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "summary": "It is broken"}
    opsledger_pg.by("u-7").record(ticket.register, "T-1", priority=Priority.HIGH, **person)
    opsledger_clock.forward(hours=3)
    opsledger_pg.by("u-7").record(ticket.respond, "T-1")
    schema = opsledger_pg.url.schema
    joined = "&" if "?" in opsledger_postgres_url else "?"
    url = ("--ledger", f"{opsledger_postgres_url}{joined}schema={schema}")

    done = run("catch-up", *url)
    assert (done.exit_code, done.stderr) == (0, "The tables show position 6.\n")
    rows = json.loads(run("select", "ticket", "registered_at=2026-03-02T09:00:00Z", "--format", "json", *url).stdout)
    assert (rows[0]["ticket_id"], rows[0]["first_response_at"]) == ("T-1", "2026-03-02T12:00:00.000000Z")

    with psycopg.connect(opsledger_pg.url.conninfo, autocommit=True) as connection:
        connection.execute(f"DELETE FROM {schema}_tables.ticket_interval WHERE status = 'new'")  # type: ignore[call-overload]
    done = run("verify", *url)
    assert (done.exit_code, "ticket_interval is not equal to the log folded anew: 1 row missing" in done.stdout) == (1, True)
    done = run("rebuild", "ticket_interval", "--format", "json", *url)
    assert {row["table"]: row["missing"] for row in json.loads(done.stdout)} == {"ticket": 0, "ticket_interval": 1}
    assert run("verify", "--strict", *url).exit_code == 0

    into = f"{opsledger_postgres_url}{joined}schema={schema}_then"
    done = run("replay", "--known-at", "2026-03-02T09:30:00Z", "--into", into, *url)
    assert done.exit_code == 0, done.stderr
    with tables_into(into) as tables:
        assert tables.select("ticket")[0]["status"] == "new"
    again = run("replay", "--into", into, *url)
    assert (again.exit_code, "has tables already" in again.stderr) == (2, True)
    with psycopg.connect(opsledger_pg.url.conninfo, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {schema}_then CASCADE")  # type: ignore[call-overload]
    assert run("replay", "--into", into, *url).exit_code == 0
    with tables_into(into) as tables:
        assert digests(tables) == digests(opsledger_pg.tables.tables)
    with psycopg.connect(opsledger_pg.url.conninfo, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {schema}_then CASCADE")  # type: ignore[call-overload]

    doctor = {row["what"]: row for row in json.loads(run("doctor", "--format", "json", *url).stdout)}
    assert all(row["state"] == "ok" for row in doctor.values()), doctor
    assert doctor["database"]["said"].startswith("PostgreSQL ")
    stats = {row["what"]: row["value"] for row in json.loads(run("stats", "--format", "json", *url).stdout)}
    assert stats[schema] > 0
