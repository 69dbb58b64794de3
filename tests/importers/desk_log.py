"""A small desk's event log and its mapping, written by the tests that read them."""

from __future__ import annotations

from pathlib import Path

from opsledger.app import OpsLedger
from opsledger.importers.event_log import import_event_log
from opsledger.importers.event_log_mapping import EventLog, parse
from opsledger.importers.run import ImportResult

HEADER = "Number,Time,Status,Team,Person,Line,Severity,Client"
MAPPING = """\
source: desk
columns: {ticket: Number, at: Time, event: Status, customer: Client, group: Team, assignee: Person, agent: Person, level: Line}
time: {format: "%d/%m/%Y %H:%M", zone: Europe/Berlin}
words:
  New: []
  Working: [work, assign]
  Answered: [respond]
  Waiting: [awaiting_customer]
  Parked: [on_hold]
  Done: [resolve]
  Archived: [close]
  Done at once: [resolve, close]
  Withdrawn: [cancel]
levels: {First: l1, Second: l2, Third: engineering}
priority: {column: Severity, words: {Urgent: critical, Normal: medium}}
"""


def desk(*changes: tuple[str, str]) -> EventLog:
    """Return the desk's mapping, parts of its text replaced."""
    text = MAPPING
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return parse(text)


def event(at: str, word: str, number: str = "4711", *, team: str = "Payments", line: str = "First", severity: str = "Normal") -> str:
    """Return a line, `at` as `02/02/2026 09:00` in Berlin, an hour ahead of UTC then."""
    return f"{number},{at},{word},{team},u-ann,{line},{severity},acme"


def write(path: Path, *rows: str, header: str = HEADER) -> Path:
    """Write lines as a log and return its path."""
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def take(ledger: OpsLedger, path: Path, mapping: EventLog | None = None) -> ImportResult:
    return import_event_log(ledger, path, mapping or desk())


def facts(ledger: OpsLedger, number: str = "4711") -> list[object]:
    """Return the facts of a ticket without its source's own words."""
    return [recorded.fact for recorded in ledger.history(f"ticket:{number}") if recorded.topic != "ticket.source_stated"]


def quarantine(ledger: OpsLedger) -> list[tuple[int, str, str | None, str | None]]:
    """Return row, reason, id and unreadable column of what the newest run set aside."""
    ledger.catch_up()
    newest = ledger.tables.select("import_run")[-1]["import_id"]
    rows = ledger.tables.select("import_quarantine", import_id=newest)
    return [(row["row_number"], row["reason"], row["source_id"], row["unreadable_column"]) for row in rows]
