"""What a host gives wrongly is told in one sentence, with what there is to give; and nothing is recorded."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from opsledger.app import OpsLedger
from opsledger.domain import maintenance, ticket
from opsledger.errors import BadInput, StoreError
from opsledger.policies.instants import at
from opsledger.policies.support import Priority

ASKED: dict[str, Any] = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "summary": None}
CHOICES = "give one of Priority.CRITICAL, Priority.HIGH, Priority.MEDIUM, Priority.LOW."


@pytest.mark.parametrize(("given", "said"), [("high", "'high'"), ("urgent", "'urgent'"), (3, "3"), (None, "None")])
def test_a_priority_that_is_none_is_told_which_there_are(opsledger_sqlite: OpsLedger, given: Any, said: str) -> None:
    desk, head = opsledger_sqlite.by("u-7", role="support"), opsledger_sqlite.store.head()
    with pytest.raises(BadInput) as refused:
        desk.record(ticket.register, "T-1", priority=given, **ASKED)
    assert str(refused.value) == f"priority: {said} is no Priority; {CHOICES} [fact.invalid]"
    assert opsledger_sqlite.store.head() == head
    desk.record(ticket.register, "T-1", priority=Priority("high"), **ASKED)


def test_what_is_no_choice_is_told_as_it_was(opsledger_sqlite: OpsLedger) -> None:
    with pytest.raises(BadInput, match=r"^customer_id: Input should be a valid string\. \[fact\.invalid\]$"):
        opsledger_sqlite.by("u-7").record(ticket.register, "T-1", priority=Priority.HIGH, **{**ASKED, "customer_id": 7})


def test_one_text_where_several_are_asked_for_is_not_taken_for_its_letters(opsledger_sqlite: OpsLedger) -> None:
    day = at("2026-03-08T07:00Z")
    planned: dict[str, Any] = {"start_at": day, "end_at": day + timedelta(hours=2), "title": "New disks"}
    desk, head = opsledger_sqlite.by("u-7"), opsledger_sqlite.store.head()
    with pytest.raises(
        BadInput, match=r"^services is the text 'api', where several are asked for; give \('api',\)\. \[decision\.arguments\]$"
    ):
        desk.record(maintenance.schedule, "M-1", services="api", **planned)
    assert opsledger_sqlite.store.head() == head
    desk.record(maintenance.schedule, "M-1", services=("api",), **planned)


@pytest.mark.parametrize("kind", ["opsledger_sqlite", "opsledger_pg"])
def test_a_ledger_that_was_closed_says_that_it_was(kind: str, request: pytest.FixtureRequest) -> None:
    ledger: OpsLedger = request.getfixturevalue(kind)
    ledger.close()
    with pytest.raises(StoreError, match=r"^The ledger was closed and cannot read any more; open it again\. \[store\.closed\]$"):
        ledger.store.head()
