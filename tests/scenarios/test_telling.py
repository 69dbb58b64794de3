"""A scenario that is wrong is told so: what the file asks for and there is not, and what the product did otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from opsledger.app import OpsLedger
from opsledger.domain import ticket
from opsledger.domain.concept import concepts
from opsledger.errors import BadInput
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock
from opsledger.testing.scenarios import ScenarioFailed, decisions, read_scenario, run_scenario

GOOD = """
title = "A question is answered"
usually.by = "u-7 (support)"
usually.ticket.register = { customer_id = "C-1", requester_id = "p-1", channel = "email", priority = "high", summary = "How?" }
happens = [
    { at = 2026-03-02T10:00:00Z, ticket = "T-1", does = "register", called = "the start" },
    { at = 2026-03-02T10:10:00Z, ticket = "T-1", does = "respond" },
]
only.ticket_sla = { metric = "first_response" }
expect.ticket_sla = [{ started_at = 2026-03-02T10:00:00Z, elapsed_s = 600, outcome = "met" }]
expect.ticket = [{ ticket_id = "T-1", status = "open", empty = ["closed_at"] }]
"""
ANSWER = '{ at = 2026-03-02T10:10:00Z, ticket = "T-1", does = "respond" }'
ROW = '{ ticket_id = "T-1", status = "open", empty = ["closed_at"] }'

Told = Callable[..., None]


@pytest.fixture
def told(tmp_path: Path, opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> Told:
    """Give a function that runs the good scenario with a part of it put otherwise."""

    def run(old: str = "", new: str = "") -> None:
        run_scenario(written(tmp_path, old, new), opsledger_sqlite, opsledger_clock)

    return run


def written(folder: Path, old: str = "", new: str = "") -> Path:
    assert old in GOOD
    path = folder / "question.toml"
    path.write_text(GOOD.replace(old, new, 1) if old else GOOD + new, encoding="utf-8")
    return path


def test_a_good_one_runs(told: Told) -> None:
    told()


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('title = "A question is answered"', "", "question.toml: it has no title; say in one sentence what it shows."),
        ('title = "A question is answered"', "title = A question", "question.toml: it is not TOML: "),
        ("only.ticket_sla", "olny.ticket_sla", "question.toml: there is no 'olny' here; a scenario has title, source, usually, happens"),
        ("happens = [", "happens = []\nexpect.other = [", "question.toml: nothing happens in it; add a [[happens]]."),
        ("happens = [", 'happens = "later"\nexpect.other = [', "question.toml: happens is no list; write [[happens]] above each."),
        ("at = 2026-03-02T10:00:00Z, ticket", "ticket", "question.toml, happening 1: it does not say when"),
        (
            "at = 2026-03-02T10:10:00Z",
            "at = 2026-03-02T10:10:00",
            "question.toml, happening 2, at: The time 2026-03-02T10:10:00 has no zone",
        ),
        ("at = 2026-03-02T10:10:00Z", 'at = "soon"', "question.toml, happening 2, at: 'soon' is not a time; write it like"),
        ("at = 2026-03-02T10:10:00Z", "at = 10", "question.toml, happening 2, at: 10 is not a time; write it like"),
        (
            'ticket = "T-1", does = "respond"',
            'does = "respond"',
            "question.toml, happening 2: it does not say what it is about; write ticket",
        ),
        ('ticket = "T-1", does = "respond"', 'ticket = 1, does = "respond"', "question.toml, happening 2 (ticket 1, respond): ticket is 1"),
        ('usually.by = "u-7 (support)"', "", "question.toml, happening 1: it does not say who does it; write by ="),
        ('"u-7 (support)"', '"u-7 (support"', "question.toml, happening 1: it does not say who does it; write by ="),
        (', does = "respond"', "", "question.toml, happening 2: it needs one of does, the name of a decision or tick, and observes"),
        ('does = "respond"', 'observes = "responded"', "(ticket T-1, responded): a fact of another system needs source and source_id"),
        (ANSWER, '{ at = 2026-03-02T10:10:00Z, does = "tick", key = "k" }', "happening 2: there is no 'key' here; a tick has at, does"),
        ('does = "respond"', 'does = "respond", adds = "nothing"', "(ticket T-1, respond): adds lists the topics of the facts"),
        (
            "usually.ticket.register",
            "usually.ticket.registr",
            "question.toml, usually.ticket.registr: nothing that happens is of this kind",
        ),
        (f"expect.ticket = [{ROW}]", f"expect.ticket = {ROW}", "question.toml, expect.ticket: it is no list of rows; write"),
        ('["closed_at"]', '"closed_at"', "question.toml, expect.ticket row 1: empty lists the columns that hold nothing"),
        ("only.ticket_sla", "only.incident", "question.toml, only: nothing is expected of incident; add [[expect.incident]]"),
        ("", "[[as_of]]\nexpect.ticket = []", "question.toml, as_of 1: say as of when, by known_at, effective_at or both."),
        ("", "[[as_of]]\nposition = 7\nexpect.ticket = []", "question.toml, as_of 1: there is no 'position' here"),
    ],
)
def test_a_file_without_the_right_form_is_refused_with_the_place(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_scenario(written(tmp_path, old, new))
    assert sentence in refused.value.sentence


def test_a_file_that_is_not_there_or_expects_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nowhere\.toml: it cannot be read: No such file"):
        read_scenario(tmp_path / "nowhere.toml")
    path = written(tmp_path)
    path.write_text(GOOD.partition("only.")[0], encoding="utf-8")
    with pytest.raises(BadInput, match=r"question.toml: it expects nothing; add an \[\[expect.TABLE\]\]."):
        read_scenario(path)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            'does = "respond"',
            'does = "answer"',
            "happening 2 (ticket T-1, answer): a ticket has no decision 'answer'; it has acknowledge, analyse",
        ),
        ('does = "respond"', 'does = "respond", text = ""', "(ticket T-1, respond): respond takes no 'text'; it takes message, agent_id."),
        ('does = "respond"', 'does = "respond", taken = "known"', "respond takes no 'taken'; it takes message, agent_id."),
        (', summary = "How?"', "", "happening 1 (ticket T-1, register): register also needs summary."),
        ('priority = "high"', 'priority = "urgent"', "(ticket T-1, register), priority: 'urgent' does not fit: Input should be 'critical'"),
        ('does = "respond"', 'does = "merge", into_id = "T-9"', "(ticket T-1, merge), into: There is no ticket T-9"),
        (
            'does = "respond"',
            'does = "respond", edits = { a = 1 }',
            "(ticket T-1, respond): edits change the model or calendar that stands",
        ),
        (
            "at = 2026-03-02T10:10:00Z",
            "at = 2026-03-02T09:59:00Z",
            "happening 2 (ticket T-1, respond): it is recorded at 2026-03-02T09:59:00Z, and",
        ),
        ("at = 2026-03-02T10:00:00Z, ticket", "at = 2026-03-01T10:00:00Z, ticket", "and begin the ledger before the first."),
        ("expect.ticket =", "expect.tickets =", "question.toml, expect.tickets: There is no table 'tickets'; there are action_item"),
        ('status = "open"', 'state = "open"', "question.toml, expect.ticket row 1: ticket has no column 'state'; it has ticket_id"),
        ('["closed_at"]', '["closed"]', "question.toml, expect.ticket row 1: ticket has no column 'closed'; it has ticket_id"),
        ('["closed_at"]', '["status"]', "question.toml, expect.ticket row 1: status has a value and is empty too"),
        ('{ metric = "first_response" }', '{ metrics = "" }', "question.toml, only.ticket_sla: ticket_sla has no column 'metrics'"),
        ("elapsed_s = 600", "elapsed_s = true", "expect.ticket_sla row 1, elapsed_s: True cannot be elapsed_s, which holds whole numbers"),
        (
            "elapsed_s = 600",
            'last_position = "the end"',
            "last_position: nothing that happened is called 'the end'; names given so far: 'the start'.",
        ),
        ('outcome = "met"', "outcome = 1", "expect.ticket_sla row 1, outcome: 1 cannot be outcome, which holds text."),
        ("started_at = 2026-03-02T10:00:00Z", "started_at = 2026-03-02", "row 1, started_at: datetime.date(2026, 3, 2) is not a time"),
    ],
)
def test_what_there_is_not_is_refused_with_the_place(told: Told, old: str, new: str, sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        told(old, new)
    assert refused.value.code == "scenario.malformed"
    assert sentence in refused.value.sentence


@pytest.mark.parametrize(
    ("happening", "sentence"),
    [
        (
            'policy = "operating-model", does = "publish", edits = { "support.tires" = 1 }',
            "(policy operating-model, publish): publish also needs",
        ),
        (
            'policy = "operating-model", does = "publish", edits = { "support.tires.high" = 1 }',
            "there is no section 'tires' in support, which has",
        ),
        (
            'calendar = "nights", does = "publish", edits = { holidays = [] }',
            "no such version of the calendar 'nights' stands; give a whole",
        ),
        ('ticket = "T-1", observes = "answered", source = "s", source_id = "1"', "a ticket has no fact 'answered'; it has acknowledged"),
        ('ticket = "T-1", observes = "responded", source = "s", source_id = "1"', "ticket.responded also needs agent_id, requester_id."),
        ('ticket = "T-1", observes = "noted", source = "s", source_id = "1", key = "k"', "ticket.noted takes no 'key'; it takes noted_at"),
        ('ticket = "T-1", observes = "noted", source = "s", source_id = "1", taken = "old"', "is new, known or changed, not 'old'."),
        (
            'ticket = "T-1", observes = "responded", source = "s", source_id = "1", a = 1',
            "ticket.responded takes no 'a'; it takes responded_at",
        ),
    ],
)
def test_edits_and_observations_are_looked_at_as_closely(told: Told, happening: str, sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        told(ANSWER, f"{{ at = 2026-03-02T10:10:00Z, {happening} }}")
    assert sentence in refused.value.sentence


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            ANSWER,
            ANSWER.replace("respond", "register"),
            "happening 2 (ticket T-1, register): it was refused, which is not expected: This ticket is",
        ),
        (
            ANSWER,
            ANSWER.replace('"respond"', '"register", refused = "ticket.closed"'),
            "it should be refused with ticket.closed, and was refused otherwise: This ticket is registered already",
        ),
        (
            ANSWER,
            ANSWER.replace('"respond"', '"respond", refused = "ticket.closed"'),
            "it should be refused with ticket.closed, and was taken; it added ticket.responded.",
        ),
        (ANSWER, ANSWER.replace('"respond"', '"respond", adds = []'), "it should add nothing, and added ticket.responded."),
        (
            ANSWER,
            ANSWER.replace('"respond"', '"prioritize", priority = "high", called = "x"'),
            "it added nothing, so that nothing can be called 'x'.",
        ),
        (
            ANSWER,
            ANSWER.replace(
                'does = "respond"', 'observes = "acknowledged", automatic = true, source = "s", source_id = "1", taken = "known"'
            ),
            "(ticket T-1, acknowledged): the record should be known, and is new.",
        ),
        ("elapsed_s = 600", "elapsed_s = 601", "question.toml, expect.ticket_sla row 1: elapsed_s is 600, not 601."),
        ('status = "open"', 'status = "new"', "question.toml, expect.ticket row 1 (ticket_id T-1): status is open, not new."),
        ('empty = ["closed_at"]', 'empty = ["first_response_at"]', "first_response_at is 2026-03-02T10:10:00Z, not empty."),
        (
            'ticket_id = "T-1", status',
            'ticket_id = "T-2", status',
            "row 1: there is no row with ticket_id T-2, status open, closed_at empty.",
        ),
        (
            'ticket_id = "T-1", status',
            'ticket_id = "T-2", status',
            "\nticket has a row that is not expected: ticket_id T-1, status open, closed_at empty.",
        ),
        (f"[{ROW}]", "[]", "\nticket has a row that is not expected: ticket_id T-1."),
        (f"[{ROW}]", f"[{ROW}, {ROW}]", "expect.ticket row 2: there is no row with ticket_id T-1, status open"),
        ("", "[[as_of]]\nknown_at = 2026-03-02T10:05:00Z\nexpect.ticket = []", "\nticket has a row that is not expected: ticket_id T-1."),
    ],
)
def test_what_the_product_did_otherwise_is_told(told: Told, old: str, new: str, sentence: str) -> None:
    with pytest.raises(ScenarioFailed) as failed:
        told(old, new)
    assert sentence in str(failed.value)


def test_a_row_that_says_little_leaves_its_choice_to_one_that_says_more(told: Told) -> None:
    rows = 'only.audit_trail = { stream = "ticket:T-1" }\nexpect.audit_trail = [{ role = "support" }, { topic = "ticket.registered" }]\n'
    told("only.ticket_sla", f"{rows}only.ticket_sla")


def test_tables_that_are_not_what_the_log_gives_are_told(told: Told, opsledger_sqlite: OpsLedger) -> None:
    asked = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "priority": Priority.LOW, "summary": "How?"}
    opsledger_sqlite.by("u-7").record(ticket.register, "T-0", **asked)
    opsledger_sqlite.catch_up()
    with opsledger_sqlite.tables.tables.writing() as vandal:
        vandal.execute(sa.text("UPDATE ticket SET csat = 5 WHERE ticket_id = 'T-0'"))
    with pytest.raises(ScenarioFailed, match=r"ticket was not equal to the log folded anew in 1 rows, with the keys \[\('T-0',\)\]"):
        told("expect.ticket = [", 'only.ticket = { ticket_id = "T-1" }\nexpect.ticket = [')


def test_a_ledger_with_another_clock_is_refused(tmp_path: Path, opsledger_sqlite: OpsLedger) -> None:
    with pytest.raises(BadInput, match="needs a simulated ledger and the clock that it was created with"):
        run_scenario(written(tmp_path), opsledger_sqlite, Clock("2026-03-02T09:00:01Z"))


def test_every_decision_of_a_concept_is_found_and_nothing_else(opsledger_sqlite: OpsLedger) -> None:
    """A function that a concept exports, but for its fold and its signals, is a decision."""
    exported = {name for name in ticket.__all__ if name.islower()} - {"evolve", "signals"}
    assert set(decisions(concepts()["ticket"])) == exported
    assert set(decisions(concepts()["policy"])) == {"publish"}
    assert set(decisions(concepts()["calendar"])) == {"publish", "correct", "extend"}
