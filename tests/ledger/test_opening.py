"""What cannot be opened or written says so in one sentence with a code, and is left as it was. No sentence shows a password."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ledger_processes import Worker, go
from ledger_rows import append, fact, facts

from opsledger.app import OpsLedger
from opsledger.domain import ticket
from opsledger.errors import BadInput, NoLedger, OpsledgerError, Unavailable, WrongFormat
from opsledger.ledger.application import create_store, open_store
from opsledger.ledger.envelope import Source
from opsledger.ledger.store import Store
from opsledger.ledger.url import LedgerUrl, parse_url
from opsledger.policies.support import Priority
from opsledger.testing.postgres import Server, own_server

SQL = Callable[[str], list[tuple[Any, ...]]]
PASSWORD = "s3cret-pass"


@contextmanager
def refusal(kind: type[OpsledgerError], code: str) -> Iterator[pytest.ExceptionInfo[OpsledgerError]]:
    """Expect an error of a kind with a code, in one sentence, or a few, that show no password."""
    with pytest.raises(kind) as refused:
        yield refused
    error = refused.value
    assert (type(error), error.code) == (kind, code)
    assert error.sentence.endswith(".")
    assert "\n" not in str(error)
    assert PASSWORD not in str(error)
    assert PASSWORD not in repr(error)


# URLs.


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "url.malformed"),
        ("ops.db", "url.malformed"),
        ("sqlite:///", "url.malformed"),
        ("sqlite://ops.db", "url.malformed"),
        (f"mysql://u:{PASSWORD}@host/db", "url.malformed"),
        (f"postgresql+psycopg://u:{PASSWORD}@host/db", "url.malformed"),
        (f"u:{PASSWORD}@host/db", "url.malformed"),
        (f"{PASSWORD}:host", "url.malformed"),
        (f"postgresql://u:{PASSWORD}@host:notaport/db", "url.malformed"),
        (f"postgresql://u:{PASSWORD}@host:65536/db", "url.malformed"),
        (f"postgresql://u:{PASSWORD}@[::1/db", "url.malformed"),
        (f"postgresql://u:{PASSWORD}@host/db?unknown=1", "url.malformed"),
        (f"postgresql://u:{PASSWORD}@host", "url.no_database"),
        (f"postgresql://u:{PASSWORD}@host/", "url.no_database"),
        (f"postgresql://u:{PASSWORD}@host/db?schema=Has-Capitals", "url.schema"),
        (f"postgresql://u:{PASSWORD}@host/db?schema=", "url.schema"),
        (f"postgresql://u:{PASSWORD}@host/db?schema={'x' * 57}", "url.schema"),
        ("sqlite:///ops.tables.db", "url.not_a_log"),
        ("sqlite:////data/ops.keys.db", "url.not_a_log"),
        ("sqlite:///:memory:", "url.memory"),
    ],
)
def test_a_url_that_names_no_ledger_says_why(url: str, code: str) -> None:
    with refusal(BadInput, code):
        OpsLedger.open(url)
    with refusal(BadInput, code):
        OpsLedger.create(url)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{PASSWORD}@host:5433/db?schema=acme",
        f"postgres://u@host:5433/db?schema=acme&password={PASSWORD}",
        f"postgresql:///db?host=/run/pg&user=u&password={PASSWORD}&schema=acme",
    ],
)
def test_a_ledgers_place_is_shown_without_its_password(url: str) -> None:
    where = parse_url(url)
    assert where.connection()["password"] == PASSWORD
    assert PASSWORD not in where.shown + repr(where) + str(where)
    assert where.shown.endswith("/db?schema=acme")


def test_what_a_url_says_beside_the_place_reaches_the_server(pg_url: str, opsledger_postgres_url: str) -> None:
    store: Any = create_store(parse_url(f"{pg_url}&application_name=two%20words&options=-c%20statement_timeout%3D4321"), {"ledger_id": "x"})
    store.append(append(fact("ticket:T-1", 1)))
    with psycopg.connect(opsledger_postgres_url) as admin:
        sessions = admin.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'two words'").fetchone()
    assert sessions is not None
    assert sessions[0] >= 2, "one for appends and at least one for reading"
    with store.datastore.pool.connection() as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == {"statement_timeout": "4321ms"}
    store.close()


# No ledger there.


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/none/ops.db"
    with refusal(NoLedger, "ledger.no_folder"):
        OpsLedger.create(url)
    with refusal(NoLedger, "ledger.missing"):
        OpsLedger.open(url)
    assert list(tmp_path.iterdir()) == []


def test_there_is_no_ledger_before_one_is_created(url: str, where: LedgerUrl, tmp_path: Path) -> None:
    with refusal(NoLedger, "ledger.missing") as refused:
        OpsLedger.open(url)
    assert where.shown in refused.value.sentence
    assert "opsledger init" in refused.value.sentence
    assert list(tmp_path.iterdir()) == [], "looking makes nothing"


def test_an_empty_file_holds_no_ledger_yet(tmp_path: Path) -> None:
    (tmp_path / "ops.db").touch()
    with refusal(NoLedger, "ledger.missing"):
        open_store(parse_url(f"sqlite:///{tmp_path}/ops.db"))
    create_store(parse_url(f"sqlite:///{tmp_path}/ops.db"), {"ledger_id": "x"}).close()


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "ops.db").mkdir()
    with refusal(NoLedger, "ledger.missing"):
        open_store(parse_url(f"sqlite:///{tmp_path}/ops.db"))
    with refusal(Unavailable, "store.unavailable"):
        create_store(parse_url(f"sqlite:///{tmp_path}/ops.db"), {"ledger_id": "x"})


@pytest.mark.parametrize("opened", [OpsLedger.open, OpsLedger.create])
def test_a_file_that_is_not_sqlite_is_left_as_it_is(tmp_path: Path, opened: Callable[[str], OpsLedger]) -> None:
    file = tmp_path / "ops.db"
    file.write_text("Dear diary, today nothing was recorded.\n" * 100)
    before = file.read_bytes()
    with refusal(NoLedger, "ledger.not_sqlite"):
        opened(f"sqlite:///{file}")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"ops.db": before}


@pytest.mark.parametrize("opened", [OpsLedger.open, OpsLedger.create])
def test_another_programs_file_is_left_as_it_is(tmp_path: Path, opened: Callable[[str], OpsLedger]) -> None:
    with closing(sqlite3.connect(tmp_path / "ops.db")) as connection:
        connection.execute("CREATE TABLE contacts (name TEXT)")
    before = (tmp_path / "ops.db").read_bytes()
    with refusal(NoLedger, "ledger.foreign"):
        opened(f"sqlite:///{tmp_path}/ops.db")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"ops.db": before}


def test_the_tables_of_a_ledger_are_not_opened_for_the_ledger(tmp_path: Path) -> None:
    OpsLedger.create(f"sqlite:///{tmp_path}/ops.db").close()
    with refusal(BadInput, "url.not_a_log") as refused:
        OpsLedger.open(f"sqlite:///{tmp_path}/ops.tables.db")
    assert "name the log itself" in refused.value.sentence


# Formats.


@pytest.mark.parametrize(("format", "said"), [("2", "newer"), ("0", "older"), ("next", "no format that is known")])
def test_a_ledger_of_another_format_is_left_to_the_program_that_fits(
    store: Store, where: LedgerUrl, sql: SQL, format: str, said: str
) -> None:
    if where.kind == "sqlite":
        sql("DROP TRIGGER ledger_meta_update")
    else:
        sql("ALTER TABLE ledger_meta DISABLE TRIGGER ALL")
    sql(f"UPDATE ledger_meta SET value = '{format}' WHERE key = 'format'")
    with refusal(WrongFormat, "ledger.format") as refused:
        open_store(where)
    assert said in refused.value.sentence
    with refusal(WrongFormat, "ledger.format"):
        create_store(where, {"ledger_id": "another"})
    assert store.meta() == {"format": format, "ledger_id": "0" * 32, "simulated": "true"}


# Databases that do not answer, are locked, are full, or go away.


def test_a_database_that_is_down_is_told_at_once(tmp_path: Path) -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for url in (f"postgresql://u:{PASSWORD}@127.0.0.1:{port}/db", f"postgresql://u:{PASSWORD}@/db?host={tmp_path}"):
        for opened in (OpsLedger.open, OpsLedger.create):
            with refusal(Unavailable, "store.unreachable"):
                opened(url)


def test_a_database_that_does_not_exist_is_told(opsledger_postgres_url: str) -> None:
    known = psycopg.conninfo.conninfo_to_dict(opsledger_postgres_url)
    url = f"postgresql:///none_of_that_name?user={known['user']}&host={known['host']}&password={PASSWORD}"
    with refusal(Unavailable, "store.unreachable") as refused:
        OpsLedger.open(url)
    assert "none_of_that_name" in refused.value.sentence


HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
"""


def test_a_file_that_another_process_keeps_locked_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQLITE_LOCK_TIMEOUT", "1")
    where = parse_url(f"sqlite:///{tmp_path}/ops.db")
    store = create_store(where, {"ledger_id": "x"})
    store.append(append(fact("ticket:T-1", 1)))
    with subprocess.Popen([sys.executable, "-c", HOLD, str(where.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with refusal(Unavailable, "store.locked"):
            store.append(append(fact("ticket:T-1", 2)))
        assert store.head().position == 1, "reading goes on"
        reader = open_store(where)
        assert reader.head().position == 1, "opening too"
        reader.close()
        holder.communicate(b"enough\n")
    assert store.append(append(fact("ticket:T-1", 2))).first_position == 2
    store.close()


def test_a_schema_that_another_session_keeps_locked_is_told(pg_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_LOCK_TIMEOUT", "1")
    where = parse_url(pg_url)
    store = create_store(where, {"ledger_id": "x"})
    with psycopg.connect(where.conninfo) as holder:
        holder.execute(f'LOCK TABLE "{where.schema}".ledger_event IN EXCLUSIVE MODE'.encode())
        with refusal(Unavailable, "store.locked"):
            store.append(append(fact("ticket:T-1", 1)))
        assert store.head().position == 0, "reading goes on"
    assert store.append(append(fact("ticket:T-1", 1))).first_position == 1
    store.close()


def test_a_full_disk_is_told_and_nothing_half_written(tmp_path: Path) -> None:
    """SQLite reports a full disk in the same way when a file reaches its greatest number of pages."""
    store: Any = create_store(parse_url(f"sqlite:///{tmp_path}/ops.db"), {"ledger_id": "x"})
    store.append(append(fact("ticket:T-1", 1)))
    with store.datastore.get_connection(commit=True) as connection:
        cursor = connection.cursor()
        cursor.execute("PRAGMA page_count")
        cursor.execute(f"PRAGMA max_page_count = {cursor.fetchone()[0]}")
    with refusal(Unavailable, "store.full") as refused:
        store.append(append(*facts("ticket:T-2", 1, 500, state=b"x" * 2000)))
    assert "nothing was written" in refused.value.sentence
    assert (store.head().position, store.heads_within("")) == (1, {"ticket:T-1": 1})
    with store.datastore.get_connection(commit=True) as connection:
        connection.cursor().execute("PRAGMA max_page_count = 1000000")
    assert store.append(append(*facts("ticket:T-2", 1, 500, state=b"x" * 2000))).first_position == 2
    store.close()


def test_a_full_disk_of_the_server_is_told(pg_url: str, opsledger_postgres_url: str) -> None:
    """The server's own error, raised by a trigger, since a server's disk cannot be filled from here."""
    where = parse_url(pg_url)
    store = create_store(where, {"ledger_id": "x"})
    schema = psycopg.sql.Identifier(where.schema)
    with psycopg.connect(opsledger_postgres_url, autocommit=True) as admin:
        full = "CREATE FUNCTION {0}.fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$"
        admin.execute(psycopg.sql.SQL(full).format(schema))
        trigger = "CREATE TRIGGER fill BEFORE INSERT ON {0}.ledger_source EXECUTE FUNCTION {0}.fill()"
        admin.execute(psycopg.sql.SQL(trigger).format(schema))
        with refusal(Unavailable, "store.full"):
            store.append(append(fact("ticket:T-1", 1), sources=[Source("sn", "1", "m")]))
        assert store.head().position == 0
    store.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Give a server that may be stopped."""
    with own_server() as running:
        yield running


def test_a_restart_of_the_server_is_not_noticed(server: Server) -> None:
    store = create_store(parse_url(f"{server.url}&schema=restarted"), {"ledger_id": "x"})
    for version in (1, 2, 3):
        assert store.append(append(fact("ticket:T-1", version, command_id=f"c-{version}"))).first_position == version
        server.stop()
        server.start()
    assert store.append(append(fact("ticket:T-1", 4))).first_position == 4, "the connection held for appends was lost, and is made again"
    server.stop()
    server.start()
    assert [row.position for row in store.page(0, 9)] == [1, 2, 3, 4], "those for reading too"
    store.close()


def test_a_server_that_is_down_is_told_and_nothing_acknowledged_is_lost(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTGRES_CONNECT_TIMEOUT", "3")
    store = create_store(parse_url(f"{server.url}&schema=stopped"), {"ledger_id": "x"})
    store.append(append(*facts("ticket:T-1", 1, 2)))
    server.stop()
    with refusal(Unavailable, "store.lost") as refused:
        store.append(append(fact("ticket:T-1", 3)))
    assert "repeat under the same key" in refused.value.sentence
    with refusal(Unavailable, "store.unavailable"):
        store.append(append(fact("ticket:T-1", 3)))
    with refusal(Unavailable, "store.unavailable"):
        store.head()
    server.start()
    assert store.append(append(fact("ticket:T-1", 3))).first_position == 3
    assert [row.position for row in store.page(0, 9)] == [1, 2, 3]
    store.close()


def test_an_append_whose_acknowledgement_was_lost_is_recognised(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection breaks after the commit and before the answer: the repeated append finds its own facts."""
    store: Any = create_store(parse_url(f"{server.url}&schema=lost"), {"ledger_id": "x"})
    store.append(append(fact("ticket:T-1", 1)))
    answer = store._appended

    def cut(connection: psycopg.Connection[Any], batch: str) -> Any:
        answer(connection, batch)
        monkeypatch.setattr(store, "_appended", answer)
        connection.close()
        raise psycopg.OperationalError("the connection is lost")

    mine = append(*facts("ticket:T-1", 2, 4, command_id="c-mine"))
    monkeypatch.setattr(store, "_appended", cut)
    appended = store.append(mine)
    rows = store.page(0, 9)
    assert [row.command_id for row in rows] == ["c-1", "c-mine", "c-mine", "c-mine"], "written once"
    assert (appended.first_position, appended.recorded_at, appended.last_at) == (2, rows[3].recorded_at, rows[0].recorded_at)
    store.close()


# Several at once.


def test_processes_that_create_one_ledger_together_get_one_ledger(url: str, start: Callable[..., Worker]) -> None:
    ids = ["1" * 32, "2" * 32, "3" * 32]
    workers = [start("create", id) for id in ids]
    go(*workers)
    said = [worker.finished()[-1] for worker in workers]
    assert said[0] == said[1] == said[2], "one id and one key"
    with OpsLedger.open(url) as ledger:
        assert ledger.meta["ledger_id"] == said[0][0]
        assert [fact.topic for fact in ledger.history("ledger:self")] == ["ledger.created"]
        assert len(ledger.known.models()) == 1
        topics = [row.topic for row in ledger.store.page(0, 99)]
        assert len(topics) == ledger.store.head().position == len(set(ledger.store.heads_within("")))


def test_what_is_of_the_wrong_kind_is_told_in_a_sentence(opsledger_sqlite: OpsLedger) -> None:
    asked = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "priority": Priority.LOW, "summary": None}
    with pytest.raises(BadInput, match="7 cannot be an id; give a text"):
        opsledger_sqlite.by("u-7").record(ticket.register, 7, **asked)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(BadInput, match="The time 'yesterday' is no datetime; give one with a zone"):
        opsledger_sqlite.by("u-7", at="yesterday").record(ticket.register, "T-1", **asked)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(BadInput, match="Position 99 is not recorded; the newest is 4"):
        opsledger_sqlite.tables.select("ticket", at_least=99)
