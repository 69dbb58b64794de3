"""Continuity of the log as it is stored: what is missing, doubled or back-dated is named with its place."""

from __future__ import annotations

from typing import Any

import pytest

from opsledger.app import OpsLedger
from opsledger.audit.continuity import continuity
from opsledger.audit.findings import Checked, Finding
from opsledger.domain import ticket
from opsledger.ledger.envelope import Row
from opsledger.ledger.store import Store
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock
from tampering import attack


def _register(ledger: OpsLedger, id: str) -> None:
    person = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "summary": None}
    ledger.by("u-7").record(ticket.register, id, priority=Priority.HIGH, **person)


@pytest.fixture
def history(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> OpsLedger:
    """Ten facts: the ledger's own first four, then T-1 at 5, 7, 8 and 10, T-2 at 6 and 9, a minute apart."""
    steps = [("T-1", None), ("T-2", None), ("T-1", ticket.respond), ("T-1", ticket.investigate), ("T-2", ticket.respond)]
    for id, decision in [*steps, ("T-1", ticket.resolve)]:
        if decision is None:
            _register(opsledger_sqlite, id)
        else:
            opsledger_sqlite.by("u-7").record(decision, id)
        opsledger_clock.forward(minutes=1)
    return opsledger_sqlite


def _continuity(ledger: OpsLedger) -> Checked:
    result = Checked("continuity")
    continuity(ledger.store, ledger.store.head().position, result)
    return result


def _places(ledger: OpsLedger) -> list[tuple[Any, ...]]:
    return [(each.position, each.stream, each.column) for each in _continuity(ledger).findings]


def _only(ledger: OpsLedger) -> Finding:
    result = _continuity(ledger)
    assert result.found == len(result.findings) == 1, result.findings
    return result.findings[0]


def test_a_whole_log_has_no_findings(history: OpsLedger) -> None:
    result = _continuity(history)
    assert (result.verdict, result.looked_at) == ("clean", {"facts": 10, "streams": 6})


def test_an_empty_log_has_none_either(history: OpsLedger) -> None:
    result = Checked("continuity")
    continuity(history.store, 0, result)
    assert (result.verdict, result.looked_at) == ("clean", {})


def test_several_deleted_rows_are_one_gap(history: OpsLedger) -> None:
    attack(history, "DELETE FROM ledger_event WHERE position IN (6, 7, 8)")
    gap = _continuity(history).findings[0]
    assert gap.sentence == "Positions 6 to 8 are missing; the next fact of the ledger stands at 9."


def test_an_edited_version_is_named(history: OpsLedger) -> None:
    attack(history, "UPDATE ledger_event SET version = 9 WHERE position = 10")
    finding = _only(history)
    assert (finding.position, finding.stream, finding.column, finding.expected, finding.found) == (10, "ticket:T-1", "version", "4", "9")


def test_swapped_times_of_recording_are_named_where_they_fall(history: OpsLedger) -> None:
    first, second = (row.recorded_at for row in history.store.page(4, 2))
    attack(history, f"UPDATE ledger_event SET recorded_at = {first + second} - recorded_at WHERE position IN (5, 6)")
    finding = _only(history)
    assert (finding.position, finding.stream, finding.column) == (6, "ticket:T-2", "recorded_at")
    assert (finding.expected, finding.found) == ("2026-03-02T09:01:00.000000Z or later", "2026-03-02T09:00:00.000000Z")


def test_a_fact_may_claim_five_minutes_after_its_recording_and_no_more(history: OpsLedger) -> None:
    attack(history, "UPDATE ledger_event SET occurred_at = recorded_at + 300000000 WHERE position = 7")
    assert _continuity(history).verdict == "clean"
    attack(history, "UPDATE ledger_event SET occurred_at = recorded_at + 300000001 WHERE position = 7")
    assert _places(history) == [(7, "ticket:T-1", "occurred_at")]


@pytest.mark.parametrize("stream", ["ticket", ":T-1", "ticket:", "ticket: T-1", "ticket:T\u0007"])
def test_a_stream_of_another_form_is_named(history: OpsLedger, stream: str) -> None:
    attack(history, f"UPDATE ledger_event SET stream = '{stream}' WHERE position = 6")
    assert (6, stream, "stream") in _places(history)


def test_a_damaged_ledger_counts_all_its_findings_and_keeps_the_first(history: OpsLedger) -> None:
    for number in range(120):
        _register(history, f"N-{number}")
    attack(history, "UPDATE ledger_event SET occurred_at = recorded_at + 999000000 WHERE position > 10")
    check = _continuity(history)
    assert (check.found, len(check.findings)) == (120, 100)


def test_a_stream_that_is_no_text_is_named(history: OpsLedger) -> None:
    attack(history, "UPDATE ledger_event SET stream = CAST(stream AS BLOB) WHERE position = 9")
    assert _only(history).column == "stream"


class _Torn:
    """A store one of whose indexes has lost a row, which SQL alone cannot bring about."""

    def __init__(self, store: Store) -> None:
        self.page = store.page
        self._stream_page = store.stream_page

    def stream_page(self, *given: Any, **named: Any) -> list[Row]:
        return [row for row in self._stream_page(*given, **named) if row.position != 9]


def test_a_row_that_only_one_index_shows_is_found(history: OpsLedger) -> None:
    result = Checked("continuity")
    continuity(_Torn(history.store), 10, result)  # type: ignore[arg-type]  # only what the check asks for
    assert "holds 10 facts by position and 9 by stream" in result.findings[-1].sentence
