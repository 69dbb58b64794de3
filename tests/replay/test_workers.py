"""Several processes fold: the tables, the errors and the tidiness are those of one."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from worker_processes import AtFirst, command_of, gone, workers

from opsledger.app import OpsLedger
from opsledger.app.reading import LedgerTables
from opsledger.domain import ticket
from opsledger.errors import BadInput, NoLedger, OpsledgerError, PolicyError, StoreError, Unavailable, Unfoldable
from opsledger.example import write
from opsledger.ledger.envelope import Row as LogRow
from opsledger.ledger.store import Store
from opsledger.policies.support import Priority
from opsledger.projections.catalog import projections
from opsledger.replay import executor as executors
from opsledger.replay import pieces
from opsledger.replay.asof import as_of, replay
from opsledger.replay.build import WHOLE, Cut, Part, build, parted
from opsledger.replay.digest import digests
from opsledger.replay.executor import SERIAL, Executor, Processes, executor, fitting
from opsledger.replay.gathering import Folded
from opsledger.replay.knowledge import timeline
from opsledger.replay.rebuild import rebuild
from opsledger.replay.tables import Tables
from opsledger.replay.verify import verify
from opsledger.testing.plugin import Clock
from tampering import attack

TWO = Processes(2, part=100)
SECRET = "open-sesame"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpsLedger]:
    """A month of an example, its tables live; every test leaves it as it was."""
    with write(f"sqlite:///{tmp_path_factory.mktemp('example')}/ops.db", days=30, per_day=3) as ledger:
        ledger.catch_up()
        yield ledger


@pytest.fixture(scope="module")
def example_pg(opsledger_postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpsLedger]:
    """The same month in a PostgreSQL schema, by a URL with a password."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OPSLEDGER_KEK_FILE", str(tmp_path_factory.mktemp("keys") / "kek"))
        joined = "&" if "?" in opsledger_postgres_url else "?"
        schema = f"workers_{os.getpid()}"
        with write(f"{opsledger_postgres_url}{joined}password={SECRET}&schema={schema}", days=30, per_day=3) as ledger:
            ledger.catch_up()
            yield ledger
        with psycopg.connect(opsledger_postgres_url, autocommit=True) as connection:
            for name in (schema, f"{schema}_tables", f"{schema}_keys"):
                connection.execute(psycopg.sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(psycopg.sql.Identifier(name)))


@pytest.fixture(params=["example", "example_pg"])
def month(request: pytest.FixtureRequest) -> OpsLedger:
    found: OpsLedger = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["opsledger_sqlite", "opsledger_pg"])
def ledger(request: pytest.FixtureRequest, opsledger_clock: Clock) -> OpsLedger:
    """A ledger of the test's own, to do to it what it likes."""
    found: OpsLedger = request.getfixturevalue(request.param)
    record_thirty(found, opsledger_clock)
    return found


def record_thirty(ledger: OpsLedger, clock: Clock) -> None:
    """Thirty tickets, answered forty minutes later; the tables are live."""
    numbers, person = range(30), {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "summary": None}
    with ledger.batch() as batch:
        for number in numbers:
            batch.by("u-7").record(ticket.register, f"T-{number:02}", priority=list(Priority)[number % 4], **person)
    clock.forward(minutes=40)
    with ledger.batch() as batch:
        for number in numbers:
            batch.by("u-7").record(ticket.respond, f"T-{number:02}")
    ledger.catch_up()


def rebuilt(ledger: OpsLedger, by: Executor, progress: Callable[[int, int], None] | None = None) -> int:
    """Return how many rows a rebuild of all tables changed."""
    tables = ledger.tables.tables
    found = rebuild(ledger.store, tables, list(tables.schema.projections), simulated=True, progress=progress, executor=by)
    return sum(difference.rows for difference in found)


def fresh(path: Path) -> Tables:
    return Tables(sa.create_engine(f"sqlite:///{path}"))


def edit(ledger: OpsLedger, statement: str) -> None:
    """Edit the log as somebody who owns the database can."""
    if ledger.url.kind == "sqlite":
        attack(ledger, statement)
        return
    with psycopg.connect(ledger.url.conninfo) as owner:
        owner.execute(f"SET search_path TO {ledger.url.schema}")
        owner.execute("ALTER TABLE ledger_event DISABLE TRIGGER USER")
        assert owner.execute(statement).rowcount > 0  # type: ignore[arg-type]  # a statement of this file


# Parts.


def rows_in(store: Store, head: int, part: Part) -> list[LogRow]:
    return store.stream_page((part.after, 1 << 62 if part.after else 0), 1_000_000, until=head, last=part.last)


def test_parts_are_all_streams_together_each_once(month: OpsLedger) -> None:
    store, head = month.store, month.store.head().position
    everything = rows_in(store, head, WHOLE)
    assert len(everything) == head > 1000
    for facts in (7, 50, 99, 1000, head, 10 * head):
        parts = parted(store, head, facts)
        assert [row for part in parts for row in rows_in(store, head, part)] == everything, facts
        assert (parts[0].after, parts[-1].last) == ("", None)
    assert parted(store, head, 2 * head) == parted(store, 0, 100) == [WHOLE]


def test_parts_have_about_as_many_facts_as_were_asked_for(example: OpsLedger) -> None:
    store, head = example.store, example.store.head().position
    sizes = [len(rows_in(store, head, part)) for part in parted(store, head, 200)]
    assert max(sizes) <= 400
    assert len(sizes) >= head // 400


@settings(max_examples=15)
@given(cut=st.integers(1, 1000), facts=st.integers(1, 700), effective=st.booleans())
def test_folding_any_parts_gives_the_rows_of_folding_all(example: OpsLedger, cut: int, facts: int, effective: bool) -> None:
    known = timeline(example.store, cut)
    happened = example.store.page(cut // 2, 1)[0].occurred_at if effective else None

    def folded(parts: list[Part]) -> tuple[int, dict[str, list[Any]], list[Folded]]:
        rows: dict[str, list[Any]] = {table.name: [] for projection in projections() for table in projection.tables}
        gathered: list[Folded] = []
        done = 0
        for part in parts:
            into = lambda name, made: rows[name].extend(made)  # noqa: E731
            done += build(example.store, projections(), known, Cut(cut, happened), into, gathered.extend, part=part)
        return done, rows, gathered

    assert folded(parted(example.store, cut, facts)) == folded([WHOLE])


# The same tables.


def test_workers_find_nothing_to_change_in_live_tables(month: OpsLedger) -> None:
    before = digests(month.tables.tables)
    assert rebuilt(month, Processes(3, part=37)) == 0
    assert digests(month.tables.tables) == before
    assert workers() == []


def test_more_workers_than_parts_are_not_started(example: OpsLedger) -> None:
    news = AtFirst()
    assert rebuilt(example, Processes(16, part=1_000_000), news) == 0
    assert news.told == [(example.store.head().position,) * 2]
    assert len(news.workers) == 1


def test_what_was_edited_is_found_and_mended_as_by_one_process(month: OpsLedger) -> None:
    tables = month.tables.tables
    before, found = digests(tables), []
    for by in (SERIAL, TWO):
        with tables.writing() as vandal:
            vandal.execute(sa.text("UPDATE ticket SET priority = 'low' WHERE priority = 'high'"))
            vandal.execute(sa.text("DELETE FROM ticket_sla WHERE metric = 'resolution'"))
            vandal.execute(sa.text("UPDATE audit_trail SET position = -position WHERE position < 5"))
        found.append(rebuild(month.store, tables, list(tables.schema.projections), simulated=True, executor=by))
        assert digests(tables) == before
    differing = {each.table: (each.missing, each.surplus) for each in found[1] if each.rows}
    assert set(differing) == {"audit_trail", "ticket", "ticket_sla"}
    assert differing["audit_trail"] == (4, 4)
    assert [(each.table, each.rows) for each in found[0]] == [(each.table, each.rows) for each in found[1]]


def test_tables_that_were_never_built_are_built_by_workers(example: OpsLedger, tmp_path: Path) -> None:
    made = LedgerTables(example.store, fresh(tmp_path / "t.db"), simulated=True)
    assert made.catch_up(workers=2) == example.store.head().position
    assert digests(made.tables) == digests(example.tables.tables)


def test_a_replay_by_workers_is_the_same_from_either_database(example: OpsLedger, example_pg: OpsLedger, tmp_path: Path) -> None:
    shown = as_of(example.store, position=1000, effective_at=example.store.page(700, 1)[0].occurred_at)
    expected = fresh(tmp_path / "serial.db")
    replay(example.store, expected, shown)
    for each in (example, example_pg):
        made = fresh(tmp_path / f"{each.url.kind}.db")
        replay(each.store, made, shown, executor=TWO)
        assert digests(made) == digests(expected), each.url.kind


def test_verify_compares_with_what_workers_fold(ledger: OpsLedger) -> None:
    tables = ledger.tables.tables
    with tables.writing() as vandal:
        vandal.execute(sa.text("UPDATE ticket SET customer_id = 'C-2' WHERE ticket_id = 'T-05'"))
    (check,) = verify(ledger.store, tables, checks=["projections"], executor=Processes(2, part=10)).checks
    assert [(each.table, each.keys) for each in check.findings] == [("ticket", (("T-05",),))]


def test_what_comes_in_meanwhile_is_taken_too(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    def resolve() -> None:
        opsledger_clock.forward(minutes=5)
        for id in ("T-00", "T-29"):
            ledger.by("u-7", role="support").record(ticket.resolve, id)
        ledger.catch_up()

    assert rebuilt(ledger, Processes(2, part=10), AtFirst(resolve)) == 0
    assert ledger.tables.select("ticket", ticket_id="T-29")[0]["resolved_at"] == opsledger_clock.now
    assert rebuilt(ledger, SERIAL) == 0


def test_progress_is_the_sum_of_all_workers(example: OpsLedger) -> None:
    news, head = AtFirst(), example.store.head().position
    rebuilt(example, Processes(3, part=100), news)
    assert len(news.workers) == 3
    assert news.told == sorted(news.told)
    assert len(news.told) > 5
    assert news.told[-1] == (head, head)


# Errors.


def told(error: OpsledgerError) -> tuple[Any, ...]:
    return type(error), {name: value for name, value in vars(error).items() if name != "__notes__"}


EDITS = {
    "an unknown topic": "UPDATE ledger_event SET topic = 'ticket.teleported' WHERE stream = 'ticket:T-17' AND version = 2",
    "a newer revision, last of all": "UPDATE ledger_event SET revision = 99 WHERE stream = 'ticket:T-29' AND version = 1",
    "several, of which the first in order counts": "UPDATE ledger_event SET topic = 'ticket.teleported' WHERE stream > 'ticket:T-1'",
    "what all parts need to know": "UPDATE ledger_event SET topic = 'calendar.teleported' WHERE stream = 'calendar:business'",
}


@pytest.mark.parametrize("what", EDITS)
def test_what_cannot_be_folded_is_the_same_error_by_workers(opsledger_sqlite: OpsLedger, opsledger_clock: Clock, what: str) -> None:
    record_thirty(opsledger_sqlite, opsledger_clock)
    the_same_error(opsledger_sqlite, what)


def test_what_cannot_be_folded_is_the_same_error_on_postgresql(opsledger_pg: OpsLedger, opsledger_clock: Clock) -> None:
    record_thirty(opsledger_pg, opsledger_clock)
    the_same_error(opsledger_pg, "several, of which the first in order counts")


def the_same_error(ledger: OpsLedger, what: str) -> None:
    before = digests(ledger.tables.tables)
    edit(ledger, EDITS[what])
    with pytest.raises(Unfoldable) as alone:
        rebuilt(ledger, SERIAL)
    with pytest.raises(Unfoldable) as together:
        rebuilt(ledger, Processes(2, part=3))
    assert told(together.value) == told(alone.value)
    assert "In a worker process:" in together.value.__notes__[0]
    assert digests(ledger.tables.tables) == before
    assert workers() == []


def test_every_error_comes_over_from_another_process_as_it_was() -> None:
    for error in (
        PolicyError("support.tiers", "it names no tier"),
        Unfoldable("fact.unreadable", "It cannot be read.", position=7, stream="ticket:T-1", topic="ticket.responded"),
        Unavailable("store.locked", "It stayed locked."),
    ):
        error.add_note("seen elsewhere")
        came = pickle.loads(pickle.dumps(error))
        assert (type(came), came.args, vars(came), str(came)) == (type(error), error.args, vars(error), str(error))


def test_a_damaged_file_is_the_same_error_by_workers(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ops.db"
    with write(url, days=3, per_day=3) as made:
        made.catch_up()
    with (tmp_path / "ops.db").open("r+b") as file:
        pages = (tmp_path / "ops.db").stat().st_size // 4096
        for page in range(pages // 2, pages):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)
    with OpsLedger.open(url) as ledger:
        found = []
        for by in (SERIAL, Processes(2, part=10)):
            with pytest.raises(StoreError, match="malformed") as broken:
                rebuilt(ledger, by)
            found.append(told(broken.value))
    assert found[0] == found[1]


def test_another_ledger_in_the_place_of_this_one_is_not_folded(opsledger_sqlite: OpsLedger, example: OpsLedger) -> None:
    opsledger_sqlite.catch_up()
    opsledger_sqlite.store.where = example.url
    with pytest.raises(NoLedger, match="a worker process found another ledger"):
        rebuilt(opsledger_sqlite, TWO)
    assert workers() == []


def test_a_worker_that_is_killed_ends_the_work_and_nothing_is_written(month: OpsLedger) -> None:
    tables = month.tables.tables
    before = digests(tables)
    with tables.writing() as vandal:
        vandal.execute(sa.text("UPDATE ticket SET priority = 'low'"))
    edited = digests(tables)

    def kill() -> None:
        os.kill(workers()[0], signal.SIGKILL)

    news = AtFirst(kill)
    with pytest.raises(Unavailable, match="ended by signal 9 before its work was done, and nothing was changed") as ended:
        rebuilt(month, Processes(2, part=20), news)
    assert ended.value.code == "workers.ended"
    assert workers() == []
    assert len(news.workers) == 2
    assert gone(news.workers)
    assert digests(tables) == edited
    assert list(Path(str(month.url.path)).parent.glob(".opsledger-*")) == []
    assert rebuilt(month, TWO) > 0
    assert digests(tables) == before


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ZeroDivisionError])
def test_no_worker_outlives_a_call_that_is_broken_off(example: OpsLedger, stop: type[BaseException]) -> None:
    def interrupt() -> None:
        raise stop

    news = AtFirst(interrupt)
    with pytest.raises(stop):
        rebuilt(example, Processes(2, part=20), news)
    assert workers() == []
    assert len(news.workers) == 2
    assert gone(news.workers, within_s=0.1)
    assert rebuilt(example, TWO) == 0


def test_nobody_sees_the_password_of_the_database(example_pg: OpsLedger) -> None:
    assert SECRET in example_pg.url.conninfo
    seen: list[str] = []

    def look() -> None:
        for worker in workers():
            seen.extend((command_of(worker), Path(f"/proc/{worker}/environ").read_text()))

    rebuilt(example_pg, TWO, AtFirst(look))
    assert len(seen) == 4
    assert not any(SECRET in each for each in seen)


# How many.


def test_one_worker_is_this_process_and_none_is_refused() -> None:
    assert executor(1) is SERIAL
    assert executor(3) == Processes(3)
    with pytest.raises(BadInput, match="0 workers cannot fold anything"):
        executor(0)


def test_a_small_ledger_is_folded_by_one_process_unless_somebody_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(5), raising=False)
    assert (fitting(0), fitting(99_999), fitting(100_000)) == (1, 1, 5)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(64), raising=False)
    assert fitting(10_000_000) == 8


def test_where_sqlite_gives_no_images_one_process_folds_and_more_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "IMAGES", False)
    monkeypatch.setattr(executors, "IMAGES", False)
    assert fitting(1_000_000) == 1
    with pytest.raises(Unavailable, match="go on with one worker"):
        pieces.packing("sqlite", projections())
    assert pieces.packing("postgresql", projections()).packed() == {}
