"""verify, explain, show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from opsledger.app import OpsLedger
from opsledger.domain import ticket
from opsledger.policies.support import Priority
from tampering import attack

SECRET = "The boiler of Mrs Smith leaks"


@pytest.fixture
def url(history: OpsLedger) -> str:
    history.catch_up()
    return history.url.shown


def test_a_clean_ledger_ends_with_0_and_says_first_that_it_is_simulated(url: str, run: Any) -> None:
    done = run("verify", "--strict", "--ledger", url)
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("This is a simulated ledger")
    for about, check in (("integrity", "continuity"), ("foldability", "fold"), ("promises", "promises"), ("tables", "projections")):
        assert [about, check, "clean"] in [line.partition("#")[0].split()[:3] for line in lines[2:]]
    assert lines[-1].startswith("Assurance L0, self-checked: all that the log was checked against lies in the same database.")


def test_findings_end_with_1_and_name_the_place(history: OpsLedger, url: str, program: Any) -> None:
    attack(history, "DELETE FROM ledger_event WHERE position = 6")
    done = program("verify", "--ledger", url)
    assert done.returncode == 1
    assert "Position 6 is missing" in done.stdout
    assert "ticket:T-1 has version 3 at position 8 where version 2 belongs" in done.stdout
    assert "Traceback" not in done.stderr


def test_what_cannot_be_decided_ends_with_2(history: OpsLedger, run: Any) -> None:
    done = run("verify", "--quiet", "--ledger", history.url.shown)
    assert done.exit_code == 2
    assert "could not decide: The tables were never built; run `opsledger catch-up` and verify again." in done.stdout


def test_named_checks_run_alone_and_quiet_is_silent_when_all_is_well(url: str, run: Any) -> None:
    done = run("verify", "fold", "continuity", "--quiet", "--ledger", url)
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")


def test_an_unknown_check_ends_with_2(url: str, run: Any) -> None:
    done = run("verify", "checksum", "--ledger", url)
    assert (done.exit_code, "There is no check 'checksum'" in done.stderr) == (2, True)


def test_the_report_is_there_as_json(history: OpsLedger, url: str, run: Any) -> None:
    attack(history, "UPDATE ticket_sla SET outcome = 'met' WHERE ticket_id = 'T-3'", what="tables.db")
    done = run("verify", "--json", "--ledger", url)
    report = json.loads(done.stdout)
    assert (done.exit_code, report["code"], report["simulated"]) == (1, 1, True)
    tables = next(check for check in report["checks"] if check["name"] == "projections")
    assert (tables["verdict"], tables["findings"][0]["table"]) == ("findings", "ticket_sla")
    assert ["T-3", "first_response", 1] in tables["findings"][0]["keys"]


def test_a_promise_is_explained_with_its_facts_and_every_second(url: str, run: Any) -> None:
    done = run("explain", "ticket_sla", "T-1", "first_response", "1", "--ledger", url)
    assert done.exit_code == 0, done.stderr
    assert "counted, length_us 600000000, cause_position 5" in done.stdout
    assert "ticket_sla_verdict:" in done.stdout
    assert "ticket.registered" in done.stdout
    assert SECRET not in done.stdout


def test_a_number_is_followed_to_its_facts_by_the_keys_that_are_printed(url: str, run: Any) -> None:
    text = run("explain", "sla_compliance", "2026-03", "critical", "first_response", "--ledger", url).stdout
    line = next(line for line in text.splitlines() if line.startswith("  opsledger explain "))
    assert line == "  opsledger explain ticket_sla T-3 first_response 1  # breached"
    assert "ticket.responded" in run(*line.partition("#")[0].split()[1:], "--ledger", url).stdout


def test_of_many_rows_behind_a_number_the_first_are_shown(history: OpsLedger, run: Any) -> None:
    person = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "summary": None}
    with history.batch() as batch:
        for number in range(25):
            batch.by("u-7").record(ticket.register, f"N-{number:02}", priority=Priority.MEDIUM, **person)
    history.catch_up()
    arguments = ("explain", "sla_compliance", "2026-03", "medium", "resolution", "--ledger", history.url.shown)
    text = run(*arguments).stdout
    assert text.count("  opsledger explain ticket_sla N-") == 20
    assert "  ... and 5 more; --format csv lists all of them." in text
    assert len(run(*arguments, "--format", "csv").stdout.splitlines()) == 26


def test_an_explanation_is_there_as_json_and_its_facts_as_csv(url: str, run: Any) -> None:
    found = json.loads(run("explain", "ticket", "T-2", "--format", "json", "--ledger", url).stdout)
    assert [fact["topic"] for fact in found["facts"]] == ["ticket.registered"]
    lines = run("explain", "ticket", "T-2", "--format", "csv", "--ledger", url).stdout.splitlines()
    assert lines[0].startswith("position,stream,version,topic,occurred_at")
    assert [line.split(",")[3] for line in lines[1:]] == ["ticket.registered", "policy.published"]
    counted = run("explain", "sla_compliance", "2026-03", "high", "resolution", "--format", "csv", "--ledger", url).stdout
    assert counted.splitlines() == ["table,key,result", "ticket_sla,T-1 resolution 1,met"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope", "1"], "There is no table 'nope'"),
        (["ticket_sla", "T-1"], "The key of ticket_sla has 3 parts"),
        (["ticket", "T-9"], "ticket has no row T-9"),
    ],
)
def test_an_explanation_that_cannot_be_is_one_sentence(url: str, run: Any, arguments: list[str], said: str) -> None:
    done = run("explain", *arguments, "--ledger", url)
    assert (done.exit_code, done.stdout, said in done.stderr) == (2, "", True)


def test_a_stream_is_shown_with_its_personal_fields_sealed(history: OpsLedger, run: Any) -> None:
    done = run("show", "ticket:T-1", "--format", "json", "--ledger", history.url.shown)
    facts = json.loads(done.stdout)
    assert [(fact["version"], fact["topic"]) for fact in facts] == [
        (1, "ticket.registered"),
        (2, "ticket.responded"),
        (3, "ticket.resolved"),
    ]
    assert (facts[0]["fact"]["summary"], facts[0]["fact"]["details"]) == ("(sealed)", None)
    assert facts[0]["fact"]["respond_by"] == "2026-03-02T10:00:00.000000Z"
    assert SECRET not in run("show", "ticket:T-1", "--ledger", history.url.shown).stdout


def test_who_asks_to_reveal_sees_personal_fields(history: OpsLedger, run: Any) -> None:
    done = run("show", "ticket:T-1", "--reveal", "--format", "json", "--ledger", history.url.shown)
    assert json.loads(done.stdout)[0]["fact"]["summary"] == SECRET
    assert SECRET in run("show", "ticket:T-1", "--reveal", "--ledger", history.url.shown).stdout


def test_without_the_key_nothing_is_revealed_and_the_rest_is_shown(history: OpsLedger, run: Any) -> None:
    history.url.beside("kek").unlink()
    assert run("show", "ticket:T-1", "--ledger", history.url.shown).exit_code == 0
    done = run("show", "ticket:T-1", "--reveal", "--ledger", history.url.shown)
    assert (done.exit_code, "keys.no_kek" in done.stderr) == (2, True)


@pytest.mark.parametrize(("stream", "said"), [("T-1", "names no stream"), ("ticket:T-9", "There is no ticket T-9")])
def test_a_stream_that_is_none_is_one_sentence(history: OpsLedger, run: Any, stream: str, said: str) -> None:
    done = run("show", stream, "--ledger", history.url.shown)
    assert (done.exit_code, said in done.stderr) == (2, True)
