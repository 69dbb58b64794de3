"""controls, export population, check-population."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opsledger.app import OpsLedger
from opsledger.domain.controls import CONTROLS
from opsledger.testing.plugin import Clock

MARCH = ("--from", "2026-03-01", "--to", "2026-04-01")


@pytest.fixture
def april(history: OpsLedger, opsledger_clock: Clock) -> str:
    opsledger_clock.set("2026-04-02T08:00:00Z")
    history.tick()
    return history.url.shown


@pytest.fixture
def key(april: str, run: Any) -> str:
    made = run("key", "create", "--proposer", "u-sec", "--approver", "u-cto", "--ledger", april)
    assert run("seal", "--ledger", april).exit_code == 0
    return str(made.stdout.strip())


def test_controls_are_listed_with_their_frameworks(run: Any) -> None:
    rows = json.loads(run("controls", "--format", "json").stdout)
    assert [row["control"] for row in rows] == list(CONTROLS)
    assert "SOC 2 CC8.1" in next(row["frameworks"] for row in rows if row["control"] == "changes")


def test_a_population_is_exported_and_checked_without_the_ledger(april: str, key: str, tmp_path: Path, run: Any) -> None:
    file = tmp_path / "tickets.csv"
    done = run("export", "population", "tickets", *MARCH, "--leaves", "--into", str(file), "--format", "json", "--ledger", april)
    assert done.exit_code == 0, done.stderr
    assert {row["topic"]: row["in_population"] for row in json.loads(done.stdout)}["ticket.registered"] == 3
    assert done.stderr.splitlines()[-1] == f"Wrote 3 of 11 facts, positions 1 to 11, bound to a checkpoint, into {file}."
    assert "This is a simulated ledger" in done.stderr
    checked = run("check-population", str(file), "--key", key)
    assert (checked.exit_code, checked.stderr) == (0, "")
    assert checked.stdout == "population   clean        12 leaves, 11 facts in the range, 3 facts of the population\n"
    file.write_text(file.read_text(encoding="utf-8").replace("C-1", "C-2"), encoding="utf-8")
    forged = run("check-population", str(file), "--key", key)
    assert (forged.exit_code, "has another state in the file than in the ledger" in forged.stdout) == (1, True)


def test_without_a_key_completeness_is_not_decided(april: str, key: str, tmp_path: Path, run: Any) -> None:
    file = str(tmp_path / "all.jsonl")
    assert run("export", "population", "audit-trail", *MARCH, "--leaves", "--into", file, "--ledger", april).exit_code == 0
    done = run("check-population", file)
    assert (done.exit_code, "could not decide: Whether the checkpoint is the ledger's" in done.stdout) == (2, True)


def test_a_period_in_which_nothing_was_recorded_says_so(april: str, tmp_path: Path, run: Any) -> None:
    file = str(tmp_path / "none.jsonl")
    done = run("export", "population", "tickets", "--from", "2026-01-01", "--to", "2026-02-01", "--into", file, "--ledger", april)
    said = "has no fact, and its statement says so, bound to no checkpoint, since none covers them."
    assert done.stderr.splitlines()[-1] == f"Nothing was recorded in the period; {file} {said}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["soc2", *MARCH], "There is no control 'soc2'; there are tickets"),
        (["tickets", "--from", "2026-04-01", "--to", "2026-03-01"], "is no period that is over"),
        (["tickets", "--from", "2026-03-01", "--to", "2026-05-01"], "is no period that is over"),
        (["tickets", "--from", "march", "--to", "2026-04-01"], "'march' is not a time"),
        (["tickets", "--from", "", "--to", "2026-04-01"], "A period has a beginning and an end"),
        (["tickets", "--from", "2026-03-01"], "Missing option '--to'"),
    ],
)
def test_a_population_that_cannot_be_is_one_sentence(april: str, tmp_path: Path, run: Any, arguments: list[str], said: str) -> None:
    file = tmp_path / "x.jsonl"
    done = run("export", "population", *arguments, "--into", str(file), "--ledger", april)
    assert (done.exit_code, done.stdout, said in done.stderr, done.stderr.count("\n"), file.exists()) == (2, "", True, 1, False)


@pytest.mark.parametrize(("key", "said"), [((), "cannot be read"), (("--key", "nobody"), "is no Ed25519 verifier key")])
def test_what_cannot_be_checked_is_one_sentence(tmp_path: Path, run: Any, key: tuple[str, ...], said: str) -> None:
    done = run("check-population", str(tmp_path / "x.jsonl"), *key)
    assert (done.exit_code, done.stdout, said in done.stderr) == (2, "", True)
