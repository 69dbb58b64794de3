"""replay with a receipt, diff."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opsledger.app import OpsLedger
from opsledger.audit.signing import SigningKey, create_key
from opsledger.domain import ticket
from opsledger.replay.evidence.receipt import read_receipt
from tampering import attack


@pytest.fixture
def receipt(history: OpsLedger, tmp_path: Path, run: Any) -> Path:
    """The receipt of a replay as known at half past nine."""
    file = tmp_path / "receipt.txt"
    done = run("replay", "--known-at", "2026-03-02T09:30:00Z", "--receipt", str(file), "--ledger", history.url.shown)
    assert done.exit_code == 0, done.stderr
    assert done.stderr.splitlines()[-1] == f"Wrote the receipt {file}, unsigned."
    return file


def test_a_replay_is_repeated_by_its_receipt(history: OpsLedger, receipt: Path, run: Any) -> None:
    history.by("u-7", role="support").record(ticket.resolve, "T-2")
    done = run("replay", "--receipt", str(receipt), "--ledger", history.url.shown)
    assert (done.exit_code, done.stdout.split()[:2]) == (0, ["receipt", "clean"])
    assert done.stderr == (
        "Replayed the tables as known at position 7, recorded at 2026-03-02T09:10:00.000000Z, effective at 2026-03-02T09:30:00.000000Z.\n"
        "The receipt is not signed.\n"
    )


def test_what_came_out_otherwise_ends_with_1_and_names_the_row(history: OpsLedger, receipt: Path, run: Any) -> None:
    attack(history, "UPDATE ledger_event SET recorded_by = 'u-8' WHERE position = 6")
    done = run("replay", "--receipt", str(receipt), "--ledger", history.url.shown)
    assert done.exit_code == 1
    assert "the row that differs is 6." in done.stdout
    assert "their Merkle root is another" in done.stdout


def test_a_ledger_that_is_shorter_than_its_receipt_ends_with_1(history: OpsLedger, receipt: Path, run: Any) -> None:
    attack(history, "DELETE FROM ledger_event WHERE position > 5")
    done = run("replay", "--receipt", str(receipt), "--ledger", history.url.shown)
    assert (done.exit_code, "The receipt is of 7 facts, and the ledger has 5: its end was cut off." in done.stdout) == (1, True)


def test_another_program_is_said_to_be_one(history: OpsLedger, receipt: Path, run: Any) -> None:
    found, _ = read_receipt(receipt.read_bytes())
    text = receipt.read_text(encoding="utf-8").replace(f"source {found.versions.source}", f"source {'0' * 64}")
    receipt.write_text(text, encoding="utf-8")
    done = run("replay", "--receipt", str(receipt), "--ledger", history.url.shown)
    assert (done.exit_code, f"Made by something else: source was {'0' * 64} and is {found.versions.source}." in done.stderr) == (0, True)
    digest = next(each.digest for each in found.tables if each.name == "ticket")
    receipt.write_text(text.replace(digest, "f" * 64), encoding="utf-8")
    done = run("replay", "--receipt", str(receipt), "--ledger", history.url.shown)
    assert done.exit_code == 1
    assert "could not decide: Whether the ledger or the program is the reason" in done.stdout


def test_a_receipt_goes_with_tables_that_stay(history: OpsLedger, tmp_path: Path, run: Any) -> None:
    arguments = ("--receipt", str(tmp_path / "r.txt"), "--ledger", history.url.shown)
    assert run("replay", "--into", f"sqlite:///{tmp_path}/one.db", *arguments).exit_code == 0
    done = run("replay", "--into", f"sqlite:///{tmp_path}/two.db", *arguments)
    assert (done.exit_code, done.stderr.startswith("Wrote the tables as known at position 11,")) == (0, True)
    assert run("diff", f"sqlite:///{tmp_path}/one.db", f"sqlite:///{tmp_path}/two.db").exit_code == 0


# Signed receipts.


def test_a_signed_receipt_is_repeated_with_the_key_of_its_signer(history: OpsLedger, tmp_path: Path, run: Any) -> None:
    key = create_key(tmp_path / "auditor.key", "auditors.example/eve")
    file = tmp_path / "signed.txt"
    url = ("--receipt", str(file), "--ledger", history.url.shown)
    assert run("replay", "--key-file", str(tmp_path / "auditor.key"), *url).stderr.endswith("signed by auditors.example/eve.\n")
    known = run("replay", *url, "--key", str(key.verifier))
    assert (known.exit_code, "The receipt is signed by auditors.example/eve." in known.stderr) == (0, True)
    unknown = run("replay", *url)
    assert (unknown.exit_code, "as it was signed by auditors.example/eve: give its verifier key" in unknown.stdout) == (2, True)
    stranger = SigningKey.generate("auditors.example/eve").verifier
    assert run("replay", *url, "--key", str(stranger)).exit_code == 1
    file.write_text(file.read_text(encoding="utf-8").replace("simulated yes", "simulated no"), encoding="utf-8")
    forged = run("replay", *url, "--key", str(key.verifier))
    assert (forged.exit_code, "does not belong to this text" in forged.stdout) == (1, True)


def test_the_ledgers_own_key_need_not_be_given(history: OpsLedger, tmp_path: Path, run: Any) -> None:
    url = ("--ledger", history.url.shown)
    assert run("key", "create", "--proposer", "u-sec", "--approver", "u-cto", *url).exit_code == 0
    file = tmp_path / "own.txt"
    key_file = str(history.url.beside("signing"))
    assert run("replay", "--receipt", str(file), "--key-file", key_file, *url).exit_code == 0
    assert run("replay", "--receipt", str(file), *url).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Say where the tables shall go with --into URL, or ask for a receipt"),
        (["--key-file", "x.key", "--into", "sqlite:///x.db"], "A signing key signs a receipt"),
        (["--receipt", "RECEIPT", "--position", "5"], "is there already and says as of when"),
        (["--receipt", "RECEIPT", "--key-file", "x.key"], "is there already and says as of when"),
        (["--receipt", "NEW", "--key-file", "x.key"], "The signing key x.key cannot be read"),
        (["--receipt", "JUNK"], "This is no receipt of a replay"),
        (["--receipt", "RECEIPT", "--key", "nobody"], "is no Ed25519 verifier key"),
    ],
)
def test_a_receipt_that_cannot_be_is_one_sentence(
    history: OpsLedger, receipt: Path, tmp_path: Path, run: Any, arguments: list[str], said: str
) -> None:
    (tmp_path / "junk").write_text("junk", encoding="utf-8")
    if "nobody" in arguments:
        note = receipt.read_text(encoding="utf-8") + "\n\N{EM DASH} x AAAAAAAA\n"
        receipt.write_text(note, encoding="utf-8")
    paths = {"RECEIPT": str(receipt), "NEW": str(tmp_path / "new"), "JUNK": str(tmp_path / "junk")}
    done = run("replay", *(paths.get(each, each) for each in arguments), "--ledger", history.url.shown)
    assert (done.exit_code, done.stdout, said in done.stderr) == (2, "", True), done.stderr
    assert not (tmp_path / "new").exists()


def test_a_receipt_of_another_ledger_is_one_sentence(receipt: Path, tmp_path: Path, run: Any) -> None:
    url = f"sqlite:///{tmp_path}/other.db"
    assert run("init", "--ledger", url).exit_code == 0
    done = run("replay", "--receipt", str(receipt), "--ledger", url)
    assert (done.exit_code, "is a receipt of opsledger/00000000000000000000000000000000, and this ledger is" in done.stderr) == (2, True)


# diff.


@pytest.fixture
def two(history: OpsLedger, tmp_path: Path, run: Any) -> tuple[str, str]:
    """The tables of the ledger, and those that a replay of its first six facts wrote."""
    history.catch_up()
    then = f"sqlite:///{tmp_path}/then.db"
    assert run("replay", "--position", "6", "--into", then, "--ledger", history.url.shown).exit_code == 0
    return then, history.url.shown


def test_a_replay_and_a_ledger_are_compared_row_by_row(two: tuple[str, str], run: Any) -> None:
    done = run("diff", *two, "ticket", "audit_trail", "--format", "json")
    rows = json.loads(done.stdout)
    assert done.exit_code == 1
    assert {(row["table"], row["key"], row["what"]) for row in rows if row["column"] is None} == {
        ("ticket", "T-2", "only in B"),
        ("ticket", "T-3", "only in B"),
        *(("audit_trail", str(position), "only in B") for position in range(7, 12)),
    }
    assert {"table": "ticket", "key": "T-1", "what": "changed", "column": "status", "a": "open", "b": "resolved"} in rows
    assert done.stderr.splitlines()[0] == "Comparing A as known at position 6 with B as known at position 11."
    assert "audit_trail differs in 5 places" in done.stderr


def test_a_set_of_tables_is_the_same_as_itself(two: tuple[str, str], run: Any) -> None:
    done = run("diff", two[0], two[0], "--format", "csv")
    assert (done.exit_code, done.stdout) == (0, "table,key,what,column,a,b\n")
    assert done.stderr.endswith("They are the same.\n")


@pytest.mark.parametrize(
    ("urls", "said"),
    [
        (("sqlite:///nowhere.db", "THEN"), "No tables are at sqlite:///nowhere.db"),
        (("THEN", "nonsense"), "The ledger URL has no scheme"),
        (("THEN", "THEN", "tikcet"), "There is no table 'tikcet'"),
        (("THEN", "THEN", "sla_compliance"), "sla_compliance is a view"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(two: tuple[str, str], run: Any, urls: tuple[str, ...], said: str) -> None:
    done = run("diff", *(two[0] if url == "THEN" else url for url in urls))
    assert (done.exit_code, done.stdout, said in done.stderr, done.stderr.count("\n")) == (2, "", True, 1), done.stderr


def test_the_tables_of_a_ledger_must_have_been_built(history: OpsLedger, run: Any) -> None:
    done = run("diff", history.url.shown, history.url.shown)
    assert (done.exit_code, "were never built; run `opsledger catch-up` first." in done.stderr) == (2, True)


def test_a_postgresql_ledger_and_its_replay_are_compared(
    opsledger_pg: OpsLedger, opsledger_postgres_url: str, tmp_path: Path, run: Any
) -> None:
    joined = "&" if "?" in opsledger_postgres_url else "?"
    url = f"{opsledger_postgres_url}{joined}schema={opsledger_pg.url.schema}"
    opsledger_pg.catch_up()
    file, then = str(tmp_path / "r.txt"), f"sqlite:///{tmp_path}/then.db"
    assert run("replay", "--into", then, "--receipt", file, "--ledger", url).exit_code == 0
    assert run("replay", "--receipt", file, "--ledger", url).exit_code == 0
    assert run("diff", url, then).exit_code == 0
    beside = f"{opsledger_postgres_url}{joined}schema={opsledger_pg.url.schema}_tables"
    assert run("diff", beside, then).exit_code == 0
    none = run("diff", f"{opsledger_postgres_url}{joined}schema=nowhere", then)
    assert (none.exit_code, "No tables are at" in none.stderr) == (2, True)
