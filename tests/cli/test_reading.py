"""tables, select, report."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest

from opsledger.app import OpsLedger
from opsledger.domain import incident, ticket
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock


@pytest.fixture
def url(history: OpsLedger) -> str:
    history.catch_up()
    return history.url.shown


def test_tables_are_listed_without_a_ledger(run: Any) -> None:
    done = run("tables", "--format", "json")
    kinds = {row["name"]: (row["kind"], row["key"]) for row in json.loads(done.stdout)}
    assert kinds["ticket_sla"] == ("table", "ticket_id, metric, cycle")
    assert kinds["support_queue"] == ("view", "ticket_id")
    assert all(row["meaning"] for row in json.loads(done.stdout))


def test_with_a_ledger_tables_are_counted(url: str, run: Any) -> None:
    rows = json.loads(run("tables", "--format", "json", "--ledger", url).stdout)
    counts = {row["name"]: row["rows"] for row in rows}
    assert (counts["ticket"], counts["support_queue"]) == (3, None)


def test_the_columns_of_a_table_are_listed(run: Any) -> None:
    rows = json.loads(run("tables", "ticket_interval", "--format", "json").stdout)
    assert [(row["column"], row["kind"], row["key"]) for row in rows[:3]] == [
        ("ticket_id", "text", True),
        ("from_at", "instant", True),
        ("to_at", "instant", None),
    ]


def test_an_unknown_table_is_one_sentence(run: Any) -> None:
    done = run("tables", "nope")
    assert (done.exit_code, "There is no table 'nope'; there are " in done.stderr) == (2, True)


def test_of_a_table_that_is_misspelt_the_nearest_is_told(url: str, run: Any) -> None:
    for command in (("tables", "tikcet"), ("select", "tikcet", "--ledger", url), ("explain", "tikcet", "T-1", "--ledger", url)):
        done = run(*command)
        assert done.exit_code == 2
        assert " ".join(done.stderr.split()).endswith("; did you mean ticket? [tables.unknown]"), command
    assert "did you mean" not in run("tables", "zzzzz").stderr, "where nothing is near, nothing is guessed"


def test_select_prints_json_with_numbers_and_instants(url: str, run: Any) -> None:
    rows = json.loads(run("select", "ticket", "ticket_id=T-1", "--format", "json", "--ledger", url).stdout)
    assert len(rows) == 1
    assert (rows[0]["reopen_count"], rows[0]["resolved_at"], rows[0]["csat"]) == (0, "2026-03-02T10:10:00.000000Z", None)


def test_select_prints_one_json_object_a_line(url: str, run: Any) -> None:
    lines = run("select", "ticket", "--format", "jsonl", "--ledger", url).stdout.splitlines()
    assert [json.loads(line)["ticket_id"] for line in lines] == ["T-1", "T-2", "T-3"]


def test_select_prints_csv(url: str, run: Any) -> None:
    rows = list(csv.DictReader(io.StringIO(run("select", "ticket", "--format", "csv", "--ledger", url).stdout)))
    assert [(row["ticket_id"], row["status"], row["csat"]) for row in rows] == [
        ("T-1", "resolved", ""),
        ("T-2", "new", ""),
        ("T-3", "open", ""),
    ]


def test_select_prints_a_table_that_is_not_cut_in_a_pipe(url: str, run: Any) -> None:
    lines = run("select", "ticket", "--ledger", url).stdout.splitlines()
    assert len(lines) == 5
    assert lines[0].split()[0] == "ticket_id"
    assert lines[0].split()[-1] == "last_position"


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        (["priority=high"], ["T-1"]),
        (["registered_at=2026-03-02T09:10:00Z"], ["T-2"]),
        (["update_count=1"], ["T-1", "T-3"]),
        (["resolved_at="], ["T-2", "T-3"]),
        (["priority=high", "status=new"], []),
    ],
)
def test_select_takes_conditions_of_every_kind(url: str, run: Any, conditions: list[str], found: list[str]) -> None:
    rows = json.loads(run("select", "ticket", *conditions, "--format", "json", "--ledger", url).stdout)
    assert [row["ticket_id"] for row in rows] == found


def test_select_takes_yes_and_no(url: str, run: Any) -> None:
    for answer in ("true", "false"):
        rows = json.loads(run("select", "support_queue", f"overdue={answer}", "--format", "json", "--ledger", url).stdout)
        assert all(row["overdue"] is (answer == "true") for row in rows)


def test_select_stops_at_its_limit(url: str, run: Any) -> None:
    assert len(run("select", "audit_trail", "--limit", "2", "--format", "jsonl", "--ledger", url).stdout.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope"], "There is no table 'nope'"),
        (["ticket", "priority"], "'priority' is no condition; write COLUMN=VALUE"),
        (["ticket", "colour=red"], "'colour=red' is no condition"),
        (["ticket", "csat=good"], "'good' cannot be csat, which is a whole number"),
        (["ticket", "registered_at=noon"], "'noon' is not a time"),
        (["support_queue", "overdue=maybe"], "write true or false"),
    ],
)
def test_a_select_that_cannot_be_is_one_sentence(url: str, run: Any, arguments: list[str], said: str) -> None:
    done = run("select", *arguments, "--ledger", url)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


def test_tables_never_built_are_one_sentence_and_tables_behind_are_a_message(history: OpsLedger, run: Any) -> None:
    done = run("select", "ticket", "--ledger", history.url.shown)
    assert (done.exit_code, "were never built; run `opsledger catch-up` first" in done.stderr) == (2, True)
    assert not history.url.beside("tables.db").exists()
    history.catch_up()
    history.by("u-7").record(ticket.respond, "T-2")
    done = run("select", "ticket", "--ledger", history.url.shown)
    assert (done.exit_code, "The tables show position" in done.stderr) == (0, True)


# Reports.


def test_the_sla_report_shows_attainment_worst_priority_first(url: str, run: Any) -> None:
    rows = json.loads(run("report", "sla", "--format", "json", "--ledger", url).stdout)
    assert [(row["priority"], row["metric"], row["met"], row["breached"], row["attainment_bp"]) for row in rows] == [
        ("critical", "first_response", 0, 1, 0),
        ("critical", "resolution", 0, 0, None),
        ("critical", "update_cadence", 0, 0, None),
        ("high", "first_response", 1, 0, 10000),
        ("high", "resolution", 1, 0, 10000),
        ("high", "update_cadence", 1, 0, 10000),
        ("low", "first_response", 0, 0, None),
        ("low", "resolution", 0, 0, None),
    ]


def test_the_sla_report_as_a_table_says_percent_or_why_not(url: str, run: Any) -> None:
    text = run("report", "sla", "--priority", "high", "--ledger", url).stdout
    assert text.splitlines()[2].endswith("100.00 %")
    assert "(none is judged yet)" in run("report", "sla", "--priority", "low", "--ledger", url).stdout


def test_reports_of_a_month_without_anything_say_so_on_stderr(url: str, run: Any) -> None:
    done = run("report", "sla", "--month", "2025-01", "--ledger", url)
    assert (done.exit_code, "There is nothing to report" in done.stderr) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sla", "--month", "2026-13"], "is no month"),
        (["sla", "--month", "March"], "is no month"),
        (["queue", "--priority", "p1"], "is no priority"),
    ],
)
def test_a_report_of_what_is_no_month_or_priority_is_refused(url: str, run: Any, arguments: list[str], said: str) -> None:
    done = run("report", *arguments, "--ledger", url)
    assert (done.exit_code, said in done.stderr) == (2, True)


def test_the_queue_starts_with_what_is_due_first(url: str, run: Any) -> None:
    rows = json.loads(run("report", "queue", "--format", "json", "--ledger", url).stdout)
    assert [(row["ticket_id"], row["next_metric"], row["left_s"], row["overdue"]) for row in rows] == [
        ("T-3", "update_cadence", 3600, False),
        ("T-2", "first_response", 75600, False),
    ]
    text = run("report", "queue", "--priority", "low", "--ledger", url).stdout
    assert "21 h 00 min" in text
    assert "T-3" not in text


def test_the_backlog_is_told_day_by_day(url: str, run: Any) -> None:
    rows = json.loads(run("report", "backlog", "--month", "2026-03", "--format", "json", "--ledger", url).stdout)
    assert rows == [{"day": "2026-03-02", "entered": 3, "ended": 1, "open_at_end": 2}]
    assert json.loads(run("report", "backlog", "--month", "2026-04", "--format", "json", "--ledger", url).stdout) == []


def test_incidents_are_told_by_month_and_severity(history: OpsLedger, opsledger_clock: Clock, run: Any) -> None:
    actor = history.by("u-7", role="engineer")
    opsledger_clock.set("2026-03-02T13:00:00Z")
    actor.record(
        incident.declare,
        "I-1",
        severity=Priority.CRITICAL,
        detection_source="monitoring",
        impact_started_at=opsledger_clock.now - timedelta(minutes=5),
        title="The API is down",
    )
    opsledger_clock.forward(minutes=40)
    actor.record(incident.mitigate, "I-1")
    actor.record(incident.resolve, "I-1")
    history.catch_up()
    url = ("--ledger", history.url.shown)
    (row,) = json.loads(run("report", "incidents", "--month", "2026-03", "--format", "json", *url).stdout)
    assert (row["severity"], row["resolved"], row["ttr_n"], row["ttr_median_s"]) == ("critical", 1, 1, 45 * 60)
    text = run("report", "incidents", "--severity", "critical", *url).stdout
    assert [line.split()[2:] for line in text.splitlines() if "time to resolve" in line] == [
        ["time", "to", "resolve", "1", "0", "h", "45", "min", "0", "h", "45", "min", "0", "h", "45", "min"]
    ]
    assert "There is nothing to report" in run("report", "incidents", "--priority", "low", *url).stderr
