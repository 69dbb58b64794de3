"""init, catch-up, rebuild, replay, tick, watch."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from opsledger.app import OpsLedger, Ticked
from opsledger.domain import ticket
from opsledger.errors import Unavailable
from opsledger.replay.digest import digests
from opsledger.testing.plugin import Clock
from tampering import attack


def test_init_creates_a_ledger_and_leaves_one_that_exists(tmp_path: Path, run: Any) -> None:
    url = f"sqlite:///{tmp_path}/new.db"
    first, again = run("init", "--ledger", url), run("init", "--ledger", url)
    assert (first.exit_code, first.stdout, first.stderr) == (0, "", f"Created the ledger {url}, at position 4.\n")
    assert (again.exit_code, again.stderr) == (0, f"There is already the ledger {url}, at position 4.\n")


def test_init_asks_where(tmp_path: Path, run: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("init")
    assert (done.exit_code, "--ledger sqlite:///ops.db" in done.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_init_in_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path, run: Any) -> None:
    done = run("init", "--ledger", f"sqlite:///{tmp_path}/no/new.db")
    assert (done.exit_code, "There is no folder" in done.stderr) == (2, True)


def test_catch_up_brings_the_tables_to_the_newest_fact(history: OpsLedger, run: Any) -> None:
    done = run("catch-up", "--ledger", history.url.shown)
    head = history.store.head().position
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"The tables show position {head}.\n")
    assert history.tables.as_of().position == head


def test_a_rebuild_prints_what_differed_and_mends_it(history: OpsLedger, run: Any) -> None:
    history.catch_up()
    attack(history, "UPDATE ticket SET priority = 'low' WHERE ticket_id = 'T-1'", what="tables.db")
    done = run("rebuild", "ticket", "--format", "json", "--ledger", history.url.shown)
    assert done.exit_code == 0
    assert {row["table"]: (row["missing"], row["surplus"], row["changed"], row["keys"]) for row in json.loads(done.stdout)} == {
        "ticket": (0, 0, 1, "T-1"),
        "ticket_interval": (0, 0, 0, None),
    }
    assert "2 tables built anew; 1 row differed." in done.stderr
    assert history.tables.select("ticket", ticket_id="T-1")[0]["priority"] == "high"


def test_all_tables_are_rebuilt_when_none_is_named(history: OpsLedger, run: Any) -> None:
    history.catch_up()
    done = run("rebuild", "--format", "jsonl", "--ledger", history.url.shown)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["table"] for row in rows} == set(history.tables.tables.schema.declared)
    assert sum(row["missing"] + row["surplus"] + row["changed"] for row in rows) == 0


def test_a_table_that_is_none_or_a_view_is_not_rebuilt(history: OpsLedger, run: Any) -> None:
    for name, said in (("tikcet", "There is no table 'tikcet'"), ("support_queue", "support_queue is a view")):
        done = run("rebuild", name, "--ledger", history.url.shown)
        assert (done.exit_code, said in done.stderr) == (2, True)


def test_a_replay_writes_the_tables_straight_into_the_file(history: OpsLedger, tmp_path: Path, run: Any) -> None:
    into = tmp_path / "then.db"
    arguments = ("--known-at", "2026-03-02T09:30:00Z", "--into", f"sqlite:///{into}", "--ledger", history.url.shown)
    done = run("replay", *arguments)
    assert done.exit_code == 0, done.stderr
    with closing(sqlite3.connect(into)) as connection:
        assert connection.execute("SELECT ticket_id, status FROM ticket ORDER BY 1").fetchall() == [("T-1", "open"), ("T-2", "new")]
        assert connection.execute("SELECT effective_at FROM opsledger_as_of").fetchall() == [("2026-03-02T09:30:00.000000Z",)]


def test_a_replay_of_everything_equals_the_live_tables(history: OpsLedger, tmp_path: Path, run: Any) -> None:
    from opsledger.cli.opening import tables_into

    history.catch_up()
    url = f"sqlite:///{tmp_path}/all.db"
    assert run("replay", "--into", url, "--ledger", history.url.shown).exit_code == 0
    with tables_into(url) as replayed:
        assert digests(replayed) == digests(history.tables.tables)


def test_a_replay_cuts_on_both_axes(history: OpsLedger, tmp_path: Path, run: Any) -> None:
    into = tmp_path / "both.db"
    url = ("--into", f"sqlite:///{into}", "--ledger", history.url.shown)
    assert run("replay", "--position", "7", "--effective-at", "2026-03-02T09:05:00Z", *url).exit_code == 0
    with closing(sqlite3.connect(into)) as connection:
        assert connection.execute("SELECT ticket_id, status FROM ticket").fetchall() == [("T-1", "new")]


def test_a_replay_that_cannot_be_is_one_sentence(history: OpsLedger, tmp_path: Path, run: Any) -> None:
    into = ("--into", f"sqlite:///{tmp_path}/x.db", "--ledger", history.url.shown)
    for arguments, said in (
        (("--known-at", "2020-01-01", *into), "Nothing was recorded by 2020-01-01"),
        (("--known-at", "yesterday", *into), "'yesterday' is not a time"),
        (("--known-at", "2026-03-02T10:00:00", *into), "has no zone"),
        (("--position", "99", *into), "99 is none of them"),
        (("--position", "5", "--known-at", "2026-03-03", *into), "give one of them"),
        (("--into", history.url.shown, "--ledger", history.url.shown), "has tables already"),
        (("--into", f"sqlite:///{tmp_path}/no/x.db", "--ledger", history.url.shown), "There is no folder"),
    ):
        done = run("replay", *arguments)
        assert (done.exit_code, said in done.stderr) == (2, True), (arguments, done.stderr)
        assert len(done.stderr.splitlines()) == 1


def test_a_tick_records_what_time_asks_for(history: OpsLedger, run: Any) -> None:
    done = run("tick", "--at", "2026-03-02T14:00:00Z", "--format", "json", "--ledger", history.url.shown)
    assert done.exit_code == 0, done.stderr
    (ticked,) = json.loads(done.stdout)
    assert (ticked["deadlines"] > 0, ticked["days_closed"], ticked["failed"]) == (True, 1, 0)
    assert any(row.topic == "sla.deadline_observed" for row in history.store.page(0, 100))


def test_watching_ticks_catches_up_and_ends_after_its_time(history: OpsLedger, run: Any) -> None:
    done = run("watch", "--every", "0.2", "--for", "0.5", "--ledger", history.url.shown)
    assert done.exit_code == 0, done.stderr
    assert done.stdout == ""
    assert "Ticked: " in done.stderr
    assert history.tables.as_of().position == history.store.head().position


def test_watching_shows_what_others_record_meanwhile(history: OpsLedger, opsledger_clock: Clock, program: Any, tmp_path: Path) -> None:
    import threading

    def record() -> None:
        opsledger_clock.forward(minutes=1)
        history.by("u-7").record(ticket.respond, "T-2")

    later = threading.Timer(2.0, record)
    later.start()
    done = program("watch", "--for", "4", "--ledger", history.url.shown)
    later.join()
    assert done.returncode == 0, done.stderr
    assert history.tables.select("ticket", ticket_id="T-2")[0]["status"] == "open"


def test_watching_waits_for_a_database_that_is_away_for_a_while(history: OpsLedger, run: Any, monkeypatch: Any) -> None:
    tick, tries = OpsLedger.tick, []

    def away_at_first(ledger: OpsLedger, at: datetime | None = None) -> Ticked:
        tries.append(at)
        if len(tries) == 1:
            raise Unavailable("store.locked", "The ledger's SQLite file stayed locked.")
        return tick(ledger, at)

    monkeypatch.setattr(OpsLedger, "tick", away_at_first)
    done = run("watch", "--every", "0.1", "--for", "0.4", "--ledger", history.url.shown)
    assert done.exit_code == 0, done.stderr
    assert "stayed locked. [store.locked]" in done.stderr
    assert history.tables.as_of().position == history.store.head().position
