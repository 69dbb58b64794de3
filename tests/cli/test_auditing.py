"""late-entries, close, review-trail."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from opsledger.app import OpsLedger, Taken
from opsledger.domain import ticket
from opsledger.policies.instants import at
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock

REQUEST: dict[str, Any] = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "priority": Priority.LOW, "summary": None}
SIMULATED = "This is a simulated ledger: its times of recording were given to it and prove nothing about when facts were written.\n"


@pytest.fixture
def late(history: OpsLedger) -> OpsLedger:
    """L-1 came in two hours before it was typed in, L-2 three days before; A-1 was imported."""
    for id, lateness in (("L-1", timedelta(hours=2)), ("L-2", timedelta(days=3, minutes=5))):
        history.by("u-8", role="support", at=history.now() - lateness).record(ticket.register, id, **REQUEST)
    fact = ticket.Registered(**REQUEST, registered_at=at("2020-03-01"), policy=history.known.models()[0].ref)
    history.by("importer").observe([Taken("A-1", (("ticket:A-1", fact),))], source="elsewhere")
    history.catch_up()
    return history


def test_late_entries_are_printed_with_how_late_and_by_whom(late: OpsLedger, run: Any) -> None:
    done = run("late-entries", "--ledger", late.url.shown)
    assert done.exit_code == 0
    (line,) = done.stdout.splitlines()[2:]
    assert "ticket:L-2  ticket.registered  2026-02-27T12:05:00Z  2026-03-02T12:10:00Z  3 d 0 h 05 min  u-8          support" in line
    assert done.stderr == (
        SIMULATED + "Recorded later than the operating model allows: 1 fact.\n"
        "Left out: 1 fact handed over by elsewhere, which tells later by nature; see --imported.\n"
    )


def test_another_bound_and_imported_facts_are_asked_for(late: OpsLedger, run: Any) -> None:
    done = run("late-entries", "--later-than", "90 min", "--imported", "--format", "json", "--ledger", late.url.shown)
    rows = json.loads(done.stdout)
    assert [(row["stream"], row["late_s"], row["bound_s"], row["source"]) for row in rows] == [
        ("ticket:L-1", 7200, 5400, None),
        ("ticket:L-2", 3 * 86_400 + 300, 5400, None),
        ("ticket:A-1", 2192 * 86_400 + 12 * 3600 + 600, 5400, "elsewhere"),
    ]
    assert done.stderr == SIMULATED + "Recorded later than 90 min after they happened: 3 facts.\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [("soon", "'soon' is not a duration"), ("5 business days", "being late is elapsed time"), ("-1 h", "is not a duration")],
)
def test_a_bound_that_is_none_is_one_sentence(late: OpsLedger, run: Any, given: str, said: str) -> None:
    done = run("late-entries", "--later-than", given, "--ledger", late.url.shown)
    assert (done.exit_code, done.stdout, said in done.stderr) == (2, "", True)


PEOPLE = ("--proposer", "u-fay", "--approver", "u-gus")


@pytest.fixture
def april(history: OpsLedger, opsledger_clock: Clock) -> str:
    opsledger_clock.set("2026-04-01T08:00:00Z")
    history.tick()
    return history.url.shown


def test_a_month_is_closed_restated_and_verified(history: OpsLedger, april: str, run: Any) -> None:
    head = history.store.head().position
    done = run("close", "sla_compliance", "2026-03", *PEOPLE, "--ledger", april)
    assert done.exit_code == 0, done.stderr
    assert done.stderr == f"Closed sla_compliance for 2026-03 as known at position {head}: 8 rows, recorded at position {head + 1}.\n"
    (recorded,) = history.history("period:sla_compliance/2026-03")
    assert done.stdout == f"{recorded.fact.digest}\n"
    history.by("u-7", role="support", at=at("2026-03-02T10:15:00Z")).record(ticket.respond, "T-3")
    verified = run("verify", "closes", "--ledger", april)
    assert (verified.exit_code, "restated: sla_compliance for 2026-03 was reported as known at" in verified.stdout) == (0, True)
    again = run("close", "sla_compliance", "2026-03", *PEOPLE, "--reason", "Typed in late", "--ledger", april)
    assert (
        again.stderr == f"Restated sla_compliance for 2026-03 as known at position {head + 2}: 8 rows, recorded at position {head + 3}.\n"
    )
    same = run("close", "sla_compliance", "2026-03", *PEOPLE, "--reason", "To be sure", "--ledger", april)
    assert (same.exit_code, same.stdout, same.stderr) == (
        0,
        "",
        "sla_compliance says of 2026-03 what was reported; nothing was recorded.\n",
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sla_compliance", "2026-04", *PEOPLE], "2026-04 ends at 2026-05-01"),
        (["sla_compliance", "2026-03", "--proposer", "u-1", "--approver", "u-1"], "cannot approve it too; name another approver"),
        (["sla_compliance", "march", *PEOPLE], "'march' is no month that the operating model knows; write it like 2026-03."),
        (["ticket", "2026-03", *PEOPLE], "close a summary of it"),
        (["sla_compliance", "2026-03", "--proposer", "u-1"], "Missing option '--approver'"),
    ],
)
def test_what_cannot_be_closed_is_one_sentence(april: str, run: Any, arguments: list[str], said: str) -> None:
    done = run("close", *arguments, "--ledger", april)
    assert (done.exit_code, done.stdout, said in done.stderr, done.stderr.count("\n")) == (2, "", True, 1)


REVIEW = ("review-trail", "--findings", "1", "--conclusion", "One late entry", "--reviewer")


def test_a_review_is_recorded_with_its_range(history: OpsLedger, run: Any) -> None:
    head = history.store.head().position
    done = run(*REVIEW, "u-eve", "--ledger", history.url.shown)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == f"Recorded the review of positions 1 to {head}, without a checkpoint, at position {head + 1}.\n"


def test_a_review_is_bound_to_a_checkpoint(history: OpsLedger, run: Any, tmp_path: Path) -> None:
    url = ("--ledger", history.url.shown)
    assert run("key", "create", "--proposer", "u-sec", "--approver", "u-cto", *url).exit_code == 0
    (tmp_path / "kept.note").write_text(run("seal", *url).stdout, encoding="utf-8")
    size = history.store.head().position
    done = run(*REVIEW, "u-eve", "--from", "5", "--checkpoint", str(tmp_path / "kept.note"), *url)
    assert done.stderr == (
        f"Recorded the review of positions 5 to {size}, bound to the checkpoint over {size} facts, at position {size + 1}.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["u-7"], "u-7 took part at position 5 and cannot review"),
        (["u-eve", "--to", "99"], "99 is no range of them"),
        (["u-eve", "--checkpoint", "nowhere.note"], "nowhere.note"),
    ],
)
def test_a_review_that_cannot_be_is_one_sentence(history: OpsLedger, run: Any, arguments: list[str], said: str) -> None:
    done = run(*REVIEW, *arguments, "--ledger", history.url.shown)
    assert (done.exit_code, done.stdout, said in done.stderr, done.stderr.count("\n")) == (2, "", True, 1)
