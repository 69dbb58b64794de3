"""stats, doctor."""

from __future__ import annotations

import json
from typing import Any

from opsledger.app import OpsLedger
from opsledger.domain import ticket
from tampering import attack


def _stats(run: Any, ledger: OpsLedger) -> dict[tuple[str, str], Any]:
    rows = json.loads(run("stats", "--format", "json", "--ledger", ledger.url.shown).stdout)
    return {(row["about"], row["what"]): row["value"] for row in rows}


def test_stats_count_facts_streams_and_bytes(history: OpsLedger, run: Any) -> None:
    found = _stats(run, history)
    head = history.store.head().position
    assert (found["ledger", "position"], found["ledger", "simulated"]) == (head, True)
    assert (found["facts", "ticket.registered"], found["facts", "ticket.responded"], found["streams", "ticket"]) == (3, 2, 3)
    assert sum(count for (about, _), count in found.items() if about == "facts") == head
    assert (found["happened", "first"], found["recorded", "last"]) == ("2026-03-02T09:00:00.000000Z", "2026-03-02T12:10:00.000000Z")
    assert found["bytes", "ops.db"] > 0


def test_stats_say_how_far_the_tables_are_behind(history: OpsLedger, run: Any) -> None:
    head = history.store.head().position
    assert (_stats(run, history)["tables", "position"], _stats(run, history)["tables", "facts behind"]) == (None, head)
    history.catch_up()
    assert (_stats(run, history)["tables", "position"], _stats(run, history)["tables", "facts behind"]) == (head, 0)


def _doctor(run: Any, ledger: OpsLedger) -> tuple[int, dict[str, tuple[str, str]]]:
    done = run("doctor", "--format", "json", "--ledger", ledger.url.shown)
    return done.exit_code, {row["what"]: (row["state"], row["said"]) for row in json.loads(done.stdout)}


def test_a_healthy_ledger_is_ok_in_every_line(history: OpsLedger, run: Any) -> None:
    history.catch_up()
    code, found = _doctor(run, history)
    assert code == 0
    assert {what: state for what, (state, _) in found.items()} == dict.fromkeys(
        ("program", "time zones", "ledger", "keys", "tables", "clock", "database"), "ok"
    )


def test_the_doctor_says_what_to_do_about_tables_that_are_behind(history: OpsLedger, run: Any) -> None:
    code, found = _doctor(run, history)
    assert (code, found["tables"][0], "opsledger catch-up" in found["tables"][1]) == (1, "see", True)
    history.catch_up()
    history.by("u-7").record(ticket.respond, "T-2")
    assert _doctor(run, history)[1]["tables"][1].startswith("1 fact behind the ledger; run `opsledger catch-up`")


def test_the_doctor_sees_that_the_key_is_gone(history: OpsLedger, run: Any) -> None:
    history.catch_up()
    history.url.beside("kek").unlink()
    code, found = _doctor(run, history)
    assert (code, found["keys"][0], "OPSLEDGER_KEK_FILE" in found["keys"][1]) == (1, "see", True)


def test_the_doctor_sees_tables_that_go_further_than_the_log(history: OpsLedger, run: Any) -> None:
    history.catch_up()
    attack(history, f"DELETE FROM ledger_event WHERE position = {history.store.head().position}")
    code, found = _doctor(run, history)
    assert (code, "opsledger verify" in found["tables"][1]) == (1, True)


def test_the_doctor_works_without_a_ledger_too(tmp_path: Any, run: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("doctor", "--format", "json")
    rows = json.loads(done.stdout)
    assert done.exit_code == 1
    assert [(row["what"], row["state"]) for row in rows] == [("program", "ok"), ("time zones", "ok"), ("ledger", "see")]
