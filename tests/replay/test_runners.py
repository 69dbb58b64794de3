"""Two runners on the tables of one PostgreSQL ledger: they wait for each other, and never for each other at once."""

from __future__ import annotations

import time
from threading import Thread

import psycopg
from verified import register

from opsledger.app import OpsLedger


def test_a_live_runner_that_waits_for_a_rebuild_holds_nothing_that_the_rebuild_wants(opsledger_pg: OpsLedger) -> None:
    opsledger_pg.catch_up()
    register(opsledger_pg, "T-1")
    with psycopg.connect(opsledger_pg.url.conninfo) as rebuild:
        tables = psycopg.sql.Identifier(f"{opsledger_pg.url.schema}_tables")
        rebuild.execute(psycopg.sql.SQL("SET search_path TO {}").format(tables))
        rebuild.execute('UPDATE opsledger_state SET "only" = 1')  # the first thing that a rebuild locks
        runner = Thread(target=opsledger_pg.catch_up)
        runner.start()
        wait_until_somebody_waits_for(rebuild)
        rebuild.execute("SELECT 1 FROM opsledger_tracking FOR UPDATE NOWAIT")  # the second
        rebuild.commit()
        runner.join(30)
    assert not runner.is_alive()
    assert opsledger_pg.tables.as_of().position == opsledger_pg.store.head().position


def wait_until_somebody_waits_for(session: psycopg.Connection) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    end = time.monotonic() + 30
    while session.execute(waiting).fetchone() == (0,):
        assert time.monotonic() < end, "nobody came to wait"
        time.sleep(0.01)
