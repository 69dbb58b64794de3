"""The law of the tables: live = rebuilt = as of the head, on SQLite, on PostgreSQL and across the two, however the facts came."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsledger.app import OpsLedger
from opsledger.app.reading import LedgerTables
from opsledger.domain import calendar, ticket
from opsledger.example import write
from opsledger.policies.support import Priority
from opsledger.replay.asof import as_of, replay
from opsledger.replay.digest import digests
from opsledger.replay.tables import Tables
from opsledger.testing.plugin import Clock


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpsLedger]:
    folder = tmp_path_factory.mktemp("example")
    with write(f"sqlite:///{folder}/ops.db", days=30, per_day=3) as ledger:
        ledger.catch_up()
        yield ledger


def fresh_tables(path: Path) -> Tables:
    return Tables(sa.create_engine(f"sqlite:///{path}"))


def test_a_rebuild_finds_nothing_to_change(example: OpsLedger) -> None:
    before = digests(example.tables.tables)
    assert sum(difference.rows for difference in example.tables.rebuild()) == 0
    assert digests(example.tables.tables) == before


def test_a_replay_as_of_the_head_gives_the_live_tables(example: OpsLedger, tmp_path: Path) -> None:
    with_cut = fresh_tables(tmp_path / "t.db")
    replay(example.store, with_cut, as_of(example.store))
    assert digests(with_cut) == digests(example.tables.tables)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(60, 900), min_size=1, max_size=12))
def test_any_split_of_the_log_into_live_batches_gives_the_same(
    example: OpsLedger, tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    tables = LedgerTables(example.store, fresh_tables(tmp_path_factory.mktemp("split") / "t.db"), simulated=True)
    replay(
        example.store, tables.tables, as_of(example.store, position=4)
    )  # tables that were never built would be built to the head at once
    position, head = 4, example.store.head().position
    for size in sizes * (head // sum(sizes) + 1):
        position = min(head, position + size)
        assert tables.catch_up(position) == position
    assert digests(tables.tables) == digests(example.tables.tables)


def record_a_story(ledger: OpsLedger, clock: Clock, lags: list[int]) -> None:
    """Five tickets whose facts are typed in with the given delays, in minutes; calendars and corrections between."""
    for number, lag in enumerate(lags):
        clock.forward(minutes=13)
        name = f"T-{number % 5}"
        happened = clock.now - timedelta(minutes=lag)
        hand = ledger.by("u-7", role="support", at=happened)
        stands = ledger.store.heads([f"ticket:{name}"])
        if not stands:
            priority = list(Priority)[number % 4]
            hand.record(ticket.register, name, customer_id="C-1", requester_id="p-1", channel="email", priority=priority, summary="Help")
            continue
        acts = (ticket.respond, ticket.update_customer, ticket.hear_from_customer, ticket.investigate)
        state = ledger.state(ticket.Ticket, name)
        if number % 7 == 5:
            hand.record(ticket.reopen if state.resolved else ticket.resolve, name)
        elif number % 7 == 6 and not state.resolved:
            hand.record(ticket.pause, name, reason="awaiting_customer")
        elif not state.resolved:
            hand.record(acts[number % 4], name)
        if number % 9 == 8:
            ledger.tick()
        if number % 17 == 16:
            publish_a_holiday(ledger, clock, number)


def publish_a_holiday(ledger: OpsLedger, clock: Clock, number: int) -> None:
    day = (clock.now + timedelta(days=1 + number % 3)).date().isoformat()
    hours = {day: [["08:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
    definition = json.dumps({"zone": "America/New_York", "weekly": hours, "holidays": [day]})
    ledger.by("u-1", at=clock.now).record(
        calendar.publish, "business", definition=definition, proposed_by="u-1", approved_by="u-2", reason="a holiday"
    )


def story(ledger: OpsLedger, clock: Clock) -> dict[str, str]:
    lags = [(number * 37) % 90 for number in range(60)]
    record_a_story(ledger, clock, lags)
    ledger.catch_up()
    assert sum(difference.rows for difference in ledger.tables.rebuild()) == 0
    return digests(ledger.tables.tables)


def test_both_databases_give_the_same_tables(tmp_path: Path, opsledger_pg: OpsLedger, opsledger_clock: Clock) -> None:
    begins = opsledger_clock.now
    on_postgresql = story(opsledger_pg, opsledger_clock)
    clock = Clock()
    clock.set(begins)
    with OpsLedger.create(f"sqlite:///{tmp_path}/o.db", simulated=True, clock=clock, ledger_id=opsledger_pg.meta["ledger_id"]) as other:
        assert story(other, clock) == on_postgresql


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lags=st.lists(st.integers(0, 3 * 24 * 60), min_size=12, max_size=45), often=st.integers(1, 9))
def test_late_facts_leave_live_equal_to_rebuilt(tmp_path_factory: pytest.TempPathFactory, lags: list[int], often: int) -> None:
    clock = Clock()
    with OpsLedger.create(f"sqlite:///{tmp_path_factory.mktemp('late')}/o.db", simulated=True, clock=clock) as ledger:
        for start in range(0, len(lags), often):
            record_a_story(ledger, clock, lags[start : start + often])
            ledger.catch_up()
        assert sum(difference.rows for difference in ledger.tables.rebuild()) == 0


PROGRAM = """
import sys
from opsledger.app import OpsLedger
from opsledger.replay.asof import as_of, replay
from opsledger.replay.digest import digests
from opsledger.replay.tables import Tables
import json, sqlalchemy
ledger = OpsLedger.open(sys.argv[1])
tables = Tables(sqlalchemy.create_engine("sqlite:///" + sys.argv[2]))
replay(ledger.store, tables, as_of(ledger.store))
print(json.dumps(digests(tables)))
"""


def test_processes_with_another_zone_hash_seed_and_locale_give_the_same(example: OpsLedger, tmp_path: Path) -> None:
    found = []
    for i, (zone, seed, locale) in enumerate(
        [("UTC", "0", "C"), ("Asia/Kathmandu", "1234", "de_DE.UTF-8"), ("America/New_York", "77", "C.UTF-8")]
    ):
        environment = {**os.environ, "TZ": zone, "PYTHONHASHSEED": seed, "LC_ALL": locale}
        command = [sys.executable, "-c", PROGRAM, example.url.shown, str(tmp_path / f"{i}.db")]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout))
    assert found[0] == found[1] == found[2] == digests(example.tables.tables)


def test_what_analysts_have_built_survives_a_rebuild(opsledger_pg: OpsLedger, opsledger_clock: Clock) -> None:
    record_a_story(opsledger_pg, opsledger_clock, [5] * 20)
    opsledger_pg.catch_up()
    schema = f"{opsledger_pg.url.schema}_tables"
    with psycopg.connect(opsledger_pg.url.conninfo, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {schema}_reader NOLOGIN")
        owner.execute(f"GRANT USAGE ON SCHEMA {schema} TO {schema}_reader")
        owner.execute(f"GRANT SELECT ON {schema}.ticket TO {schema}_reader")
        owner.execute(f"CREATE VIEW {schema}.mine AS SELECT priority, count(*) AS n FROM {schema}.ticket GROUP BY priority")
        with psycopg.connect(opsledger_pg.url.conninfo) as analyst:
            analyst.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            before = analyst.execute(f"SELECT * FROM {schema}.mine ORDER BY 1").fetchall()
            owner.execute(f"UPDATE {schema}.ticket SET priority = 'low', customer_id = 'edited'")
            changed = {difference.table: difference.rows for difference in opsledger_pg.tables.rebuild() if difference.rows}
            assert changed == {"ticket": 5}
            assert analyst.execute(f"SELECT * FROM {schema}.mine ORDER BY 1").fetchall() == before
        assert owner.execute(f"SELECT * FROM {schema}.mine ORDER BY 1").fetchall() == before
        owner.execute(f"SET ROLE {schema}_reader")
        assert owner.execute(f"SELECT count(*) FROM {schema}.ticket").fetchone() == (5,)
        owner.execute("RESET ROLE")
        owner.execute(f"DROP OWNED BY {schema}_reader")
        owner.execute(f"DROP ROLE {schema}_reader")


def test_on_sqlite_an_open_transaction_reads_on_through_a_rebuild(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    record_a_story(opsledger_sqlite, opsledger_clock, [5] * 20)
    opsledger_sqlite.catch_up()
    tables = opsledger_sqlite.tables.tables
    with tables.engine.connect() as analyst:
        before = analyst.execute(sa.text("SELECT ticket_id, priority FROM ticket ORDER BY 1")).all()
        with tables.writing() as vandal:
            vandal.execute(sa.text("UPDATE ticket SET priority = 'low'"))
            vandal.execute(sa.text("DELETE FROM ticket_sla WHERE metric = 'resolution'"))
        changed = {difference.table: difference.rows for difference in opsledger_sqlite.tables.rebuild() if difference.rows}
        assert set(changed) == {"ticket", "ticket_sla"}
        assert analyst.execute(sa.text("SELECT ticket_id, priority FROM ticket ORDER BY 1")).all() == before
