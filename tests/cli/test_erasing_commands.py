"""request, hold, access, erase, erasure-status, purge, retention."""

from __future__ import annotations

import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from opsledger.app import OpsLedger
from opsledger.testing.plugin import Clock

SECRET = "The boiler of Mrs Smith leaks"
GRANT = ("--approver", "u-9", "--basis", "Art. 17(1)(b)")
TAKEN = ("--handler", "u-7", "--jurisdiction", "gdpr")


@pytest.fixture
def url(history: OpsLedger) -> tuple[str, str]:
    """p-1 has said one thing, and was answered, on 2 March 2026; the ledger's clock stands at a quarter past twelve or so."""
    return ("--ledger", history.url.shown)


def state(run: Any, url: tuple[str, str]) -> list[tuple[str, str, str]]:
    rows = json.loads(run("erasure-status", "p-1", "--format", "json", *url).stdout)
    return [(row["what"], row["item"], row["state"]) for row in rows if row["what"] != "key"]


def test_a_request_is_recorded_and_its_last_day_is_printed(url: tuple[str, str], run: Any) -> None:
    done = run("request", "erasure", "p-1", *TAKEN, "--received-at", "2026-03-01T08:00Z", *url)
    assert (done.exit_code, done.stdout) == (0, "2026-04-01T22:00:00.000000Z\n")
    assert done.stderr == "Request 1 is recorded; the person must be answered before:\n"
    again = run("request", "erasure", "p-1", *TAKEN, "--received-at", "2026-03-01T08:00Z", *url)
    assert (again.exit_code, "was recorded already" in again.stderr) == (0, True)
    assert state(run, url) == [("erasure", "1", "requested")]


def test_a_person_is_erased_in_one_command(history: OpsLedger, url: tuple[str, str], run: Any) -> None:
    done = run("erase", "p-1", *TAKEN, *GRANT, "--format", "json", *url)
    assert done.exit_code == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert (row["subject"], row["state"]) == ("p-1", "completed")
    assert row["recorded"] == "erasure_requested, erasure_decided, keys_destroyed, derived_purged, erasure_completed"
    assert "Copies of the keys may still be in: copies and backups of the file" in done.stderr
    shown = run("show", "ticket:T-1", "--reveal", *url).stdout
    assert ("(erased)" in shown, SECRET in shown) == (True, False)
    assert run("verify", "parts", "keys", *url).exit_code == 0
    assert state(run, url) == [("erasure", "1", "completed")]
    again = run("erase", "p-1", *url)
    assert (again.exit_code, json.loads(run("erase", "p-1", "--format", "json", *url).stdout)[0]["recorded"]) == (0, None)


def test_a_request_without_a_decision_waits(url: tuple[str, str], run: Any) -> None:
    done = run("erase", "p-1", *TAKEN, *url)
    assert (done.exit_code, "waits for a decision: give --approver and --basis" in done.stderr) == (0, True)


def test_restricted_words_are_shown_as_such(url: tuple[str, str], run: Any) -> None:
    done = run("erase", "p-1", *TAKEN, *GRANT, "--outcome", "restricted", *url)
    assert done.exit_code == 0, done.stderr
    shown = run("show", "ticket:T-1", "--reveal", *url).stdout
    assert ("(restricted)" in shown, SECRET in shown) == (True, False)


def test_a_hold_stands_against_it_with_a_sentence(url: tuple[str, str], run: Any) -> None:
    hold = ("--id", "case-3", "--reason", "a claim", "--review-by", "2026-06-01", "--by", "u-8")
    assert "Hold case-3 is placed, recorded at position" in run("hold", "place", "p-1", *hold, *url).stderr
    assert "stands already; nothing was recorded" in run("hold", "place", "p-1", *hold, *url).stderr
    done = run("erase", "p-1", *TAKEN, *GRANT, *url)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "A legal hold, case-3 (a claim), keeps the data of subject p-1" in done.stderr
    assert "[subject.held]" in done.stderr
    review = ("--id", "case-3", "--reason", "goes on", "--review-by", "2026-09-01", "--by", "u-8")
    assert run("hold", "review", "p-1", *review, *url).exit_code == 0
    release = ("--id", "case-3", "--reason", "settled", "--requested-by", "u-7", "--approver", "u-9")
    assert run("hold", "release", "p-1", *release, *url).exit_code == 0
    assert state(run, url) == [("erasure", "1", "requested"), ("hold", "case-3", "released")]
    assert run("erase", "p-1", *GRANT, *url).exit_code == 0


def test_access_is_asked_for_put_off_and_given_into_a_file_for_its_owner(
    history: OpsLedger, url: tuple[str, str], run: Any, tmp_path: Path
) -> None:
    assert run("request", "access", "p-1", *TAKEN, *url).stdout == "2026-04-02T22:00:00.000000Z\n"
    more = run("request", "extend", "p-1", "--number", "1", "--reason", "many", "--handler", "u-7", *url)
    assert more.stdout == "2026-06-02T22:00:00.000000Z\n", more.stderr
    file = tmp_path / "case-1.json"
    done = run("access", "p-1", "--into", str(file), "--by", "u-8", *url)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith(f"Wrote 9 facts on subject p-1 into {file}, recorded at position ")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    document = json.loads(file.read_text())
    assert (document["export"], document["facts"][0]["said"]["summary"]) == ("case-1.json", SECRET)
    assert state(run, url) == [("access", "1", "given"), ("export", "case-1.json", "given")]
    assert run("access", "p-1", "--into", str(file), "--by", "u-8", *url).exit_code == 2, "a file that is there is left alone"
    assert json.loads(file.read_text()) == document


def test_an_export_that_cannot_be_made_leaves_no_file_and_no_fact(
    history: OpsLedger, url: tuple[str, str], run: Any, tmp_path: Path
) -> None:
    head = history.store.head()
    done = run("access", "p-77", "--into", str(tmp_path / "x.json"), "--by", "u-8", *url)
    assert (done.exit_code, "Nothing in the ledger names subject p-77" in done.stderr) == (2, True)
    assert not (tmp_path / "x.json").exists()
    done = run("access", "p-1", "--into", str(tmp_path / "none" / "x.json"), "--by", "u-8", *url)
    assert (done.exit_code, "cannot be made" in done.stderr) == (2, True)
    assert history.store.head() == head


def test_access_is_refused_and_says_until_when_data_are_kept(url: tuple[str, str], run: Any) -> None:
    run("request", "access", "p-1", "--handler", "u-7", "--jurisdiction", "pipeda", *url)
    done = run("request", "refuse-access", "p-1", "--number", "1", *GRANT, *url)
    assert (done.exit_code, "Request 1 was refused; what is held is kept until 2026-09-03T04:00:00.000000Z" in done.stderr) == (0, True)
    assert "[subject.recourse]" in run("erase", "p-1", *TAKEN, *GRANT, *url).stderr


def test_sealed_parts_are_purged_and_verify_says_by_whose_word(history: OpsLedger, url: tuple[str, str], run: Any) -> None:
    run("erase", "p-1", *TAKEN, *GRANT, *url)
    assert "of no subjects" in run("purge", *url).stderr
    early = run("purge", "p-1", *url)
    assert (early.exit_code, "[subject.purge_early]" in early.stderr) == (2, True)
    done = run("purge", "p-1", "--approver", "u-9", "--reason", "asked to", *url)
    assert (done.exit_code, "purge_decided, parts_purged" in done.stdout) == (0, True)
    assert "Sealed parts of 1 subject were removed." in done.stderr
    assert "2 sealed parts were purged, authorised by position" in run("verify", "parts", *url).stdout
    assert json.loads(run("verify", "parts", "--json", *url).stdout)["checks"][0]["noted"][0].startswith("2 sealed parts were purged")


def test_after_a_restore_of_the_keys_erase_again_destroys_what_came_back(history: OpsLedger, url: tuple[str, str], run: Any) -> None:
    path = history.url.beside("keys.db")
    with closing(sqlite3.connect(path)) as connection:
        kept = connection.execute("SELECT wrapped FROM subject_key").fetchall()
    run("erase", "p-1", *TAKEN, *GRANT, *url)
    assert "Every key is as the log says" in run("erase", "--again", *url).stderr
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE subject_key SET wrapped = ?", kept[0])
    shown = run("show", "ticket:T-1", "--reveal", *url)
    assert (shown.exit_code, "[keys.resurrected]" in shown.stderr, SECRET in shown.stdout) == (2, True, False)
    found = run("verify", "keys", *url)
    assert (found.exit_code, "was destroyed and is there again" in found.stdout) == (1, True)
    done = run("erase", "--again", *url)
    assert (done.exit_code, "keys_destroyed" in done.stdout) == (0, True)
    assert run("verify", "keys", *url).exit_code == 0


def test_without_a_key_store_the_rest_is_verified_and_that_is_said(history: OpsLedger, url: tuple[str, str], run: Any) -> None:
    history.catch_up()
    for path in history.url.path.parent.glob("ops.keys.db*"):
        path.unlink()
    done = run("verify", *url)
    assert done.exit_code == 0, done.stdout
    assert "The key store was not looked at: There is no key store ops.keys.db beside the log" in done.stdout
    assert not history.url.beside("keys.db").exists()
    assert run("verify", "keys", *url).exit_code == 2


def test_without_the_key_file_states_are_verified_and_commitments_are_not(history: OpsLedger, url: tuple[str, str], run: Any) -> None:
    history.url.beside("kek").unlink()
    done = run("verify", "keys", *url)
    assert (done.exit_code, "Whether keys are those that were committed to was not looked at" in done.stdout) == (0, True)


def test_whose_words_are_due_to_go_is_listed(history: OpsLedger, opsledger_clock: Clock, url: tuple[str, str], run: Any) -> None:
    done = run("retention", "--at", "2028-04-01", *url, "--format", "json")
    assert [(row["subject"], row["category"]) for row in json.loads(done.stdout)] == [("p-1", "correspondence")]
    assert "Kept long enough: the words of no subjects." in run("retention", *url).stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["erase"], "[erase.whom]"),
        (["erase", "p-1", "--again"], "[erase.whom]"),
        (["erase", "p-1", "--outcome", "perhaps"], "'perhaps' is no decision"),
        (["erase", "p-77", *TAKEN], "Look at the id. [subject.unknown]"),
        (["erase", "p-1", *GRANT], "has not asked for erasure"),
        (["erase", "p-1", "--handler", "u-7"], "[subject.no_jurisdiction]"),
        (["erase", "p-1", "--handler", "u-7", "--jurisdiction", "lgpd"], "[subject.jurisdiction]"),
        (["erase", "p-1", *TAKEN, "--approver", "u-7", "--basis", "b"], "[approval.same_person]"),
        (["erasure-status", "p-77"], "[subject.unknown]"),
        (["hold", "release", "p-1", "--id", "x", "--reason", "r", "--requested-by", "a", "--approver", "b"], "[subject.unknown]"),
        (["request", "extend", "p-1", "--number", "3", "--reason", "r", "--handler", "u-7"], "[subject.unknown]"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(url: tuple[str, str], run: Any, arguments: list[str], said: str) -> None:
    done = run(*arguments, *url)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["erase", "p-1", *GRANT], "give handled_by and jurisdiction (--handler, --jurisdiction)"),
        (["erase", "p-1", "--handler", "u-7"], "give jurisdiction (--jurisdiction), for example gdpr"),
        (["erase", "p-1", *TAKEN, "--approver", "u-9"], "give basis (--basis)"),
    ],
)
def test_a_refusal_names_the_options_to_give(url: tuple[str, str], run: Any, arguments: list[str], options: str) -> None:
    done = run(*arguments, *url)
    assert (done.exit_code, options in done.stderr) == (2, True), done.stderr


def test_a_purge_before_its_time_names_the_options_to_give(url: tuple[str, str], run: Any) -> None:
    assert run("erase", "p-1", *TAKEN, *GRANT, *url).exit_code == 0
    early = run("purge", "p-1", *url)
    assert (early.exit_code, "give decided_by and reason (--approver, --reason)" in early.stderr) == (2, True), early.stderr
    assert run("purge", "p-1", "--approver", "u-9", "--reason", "They asked for it", *url).exit_code == 0
