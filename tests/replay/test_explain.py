"""From a number to its facts: what `explain` shows behind a row of each kind of table and view."""

from __future__ import annotations

from itertools import pairwise

import pytest

from opsledger.app import OpsLedger
from opsledger.domain import calendar, ticket
from opsledger.errors import BadInput, Unknown
from opsledger.policies import documents
from opsledger.policies.instants import at
from opsledger.policies.operating_model import default_calendars
from opsledger.policies.support import Priority
from opsledger.replay.explain import Explanation, explain
from opsledger.testing.plugin import Clock

SECRET = "The boiler of Mrs Smith leaks"


@pytest.fixture
def history(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> OpsLedger:
    """T-1, low, is registered at 5, answered at 6, paused at 7, resumed at 8; a holiday at 9 moves its due time."""
    ledger, actor = opsledger_sqlite, opsledger_sqlite.by("u-7", role="support")
    person = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email"}
    actor.record(ticket.register, "T-1", priority=Priority.LOW, summary=SECRET, **person)
    opsledger_clock.set("2026-03-02T15:00:00Z")
    actor.record(ticket.respond, "T-1", message=SECRET)
    opsledger_clock.forward(hours=1)
    actor.record(ticket.pause, "T-1", reason="awaiting_customer")
    opsledger_clock.forward(hours=2)
    actor.record(ticket.resume, "T-1")
    opsledger_clock.forward(hours=1)
    hours = default_calendars()["business"].model_copy(update={"holidays": (at("2026-03-04").date(),)})
    actor.record(calendar.publish, "business", definition=documents.canonical(hours), proposed_by="u-1", approved_by="u-2")
    ledger.catch_up()
    return ledger


def _explain(ledger: OpsLedger, table: str, *key: str) -> Explanation:
    return explain(ledger.store, ledger.tables.tables, table, key)


def test_a_ticket_is_explained_by_its_facts_up_to_its_last_one(history: OpsLedger) -> None:
    found = _explain(history, "ticket", "T-1")
    assert (found.key, found.row["last_position"]) == ({"ticket_id": "T-1"}, 8)
    assert [(told.position, told.topic) for told in found.facts] == [
        (5, "ticket.registered"),
        (6, "ticket.responded"),
        (7, "ticket.paused"),
        (8, "ticket.resumed"),
    ]
    assert [row["status"] for row in found.details["ticket_interval"]] == ["new", "open", "pending", "open"]


def test_facts_recorded_after_the_row_was_made_are_not_behind_it(history: OpsLedger) -> None:
    history.by("u-7").record(ticket.resolve, "T-1")
    assert [told.position for told in _explain(history, "ticket", "T-1").facts] == [5, 6, 7, 8]


def test_a_promise_is_explained_to_the_second(history: OpsLedger) -> None:
    found = _explain(history, "ticket_sla", "T-1", "resolution", "1")
    segments = found.details["ticket_sla_segment"]
    assert [(row["kind"], row["from_at"].isoformat()[11:16]) for row in segments] == [
        ("closed", "09:00"),
        ("counted", "14:00"),
        ("paused", "16:00"),
    ]
    for kind, column in (("counted", "elapsed_us"), ("paused", "paused_us")):
        assert sum(row["length_us"] for row in segments if row["kind"] == kind) == found.row[column]
    assert segments[0]["from_at"] == found.row["started_at"]
    assert all(one["to_at"] == next_one["from_at"] for one, next_one in pairwise(segments))
    assert segments[-1]["to_at"] == found.row["counted_to"]


def test_every_change_of_mind_about_a_promise_names_its_cause(history: OpsLedger) -> None:
    found = _explain(history, "ticket_sla", "T-1", "resolution", "1")
    verdicts = [(row["known_from_position"], row["outcome"], row["cause_position"]) for row in found.details["ticket_sla_verdict"]]
    assert verdicts == [(5, "running", 5), (7, "paused", 7), (8, "running", 8), (9, "running", 9)]
    assert [told.position for told in found.facts if told.cause] == [5, 7, 8]
    assert [told.position for told in found.named if told.cause] == [9]


def test_the_policies_and_calendars_that_a_promise_names_are_shown(history: OpsLedger) -> None:
    found = _explain(history, "ticket_sla", "T-1", "resolution", "1")
    assert found.row["calendar_ref"] == "business@2"
    assert [(told.position, told.stream) for told in found.named] == [
        (4, "policy:operating-model"),
        (3, "calendar:business"),
        (9, "calendar:business"),
    ]


def test_a_calendar_is_explained_by_its_own_facts(history: OpsLedger) -> None:
    assert [told.position for told in _explain(history, "calendar", "business", "3").facts] == [3]


def test_a_verdict_is_explained_by_what_was_known_then(history: OpsLedger) -> None:
    found = _explain(history, "ticket_sla_verdict", "T-1", "resolution", "1", "7")
    assert [told.position for told in found.facts] == [5, 6, 7]


def test_a_key_with_an_instant_is_read_from_text(history: OpsLedger) -> None:
    found = _explain(history, "ticket_interval", "T-1", "2026-03-02T15:00:00Z")
    assert found.row["status"] == "open"


def test_a_row_of_a_single_fact_is_explained_by_it(history: OpsLedger) -> None:
    found = _explain(history, "audit_trail", "6")
    assert [(told.position, told.topic) for told in found.facts] == [(6, "ticket.responded")]


def test_a_row_of_compliance_is_explained_by_the_promises_counted_in_it(history: OpsLedger) -> None:
    found = _explain(history, "sla_compliance", "2026-03", "low", "resolution")
    assert found.counted == [("ticket_sla", ("T-1", "resolution", 1), "running")]
    assert found.facts == []
    (table, key, _) = found.counted[0]
    assert _explain(history, table, *map(str, key)).row["outcome"] == "running"


def test_a_view_that_names_its_tables_keys_leads_on_to_them(history: OpsLedger) -> None:
    assert _explain(history, "support_queue", "T-1").counted == [("ticket", ("T-1",), None)]
    assert _explain(history, "ticket_timeline", "T-1", "2").counted == [("audit_trail", (6,), None)]


def test_a_view_that_gathers_over_all_rows_names_what_it_reads(history: OpsLedger) -> None:
    found = _explain(history, "actor", "u-7")
    assert (found.reads, found.counted) == (["audit_trail"], [])


def test_nothing_personal_is_told(history: OpsLedger) -> None:
    for table, *key in (("ticket", "T-1"), ("ticket_sla", "T-1", "resolution", "1"), ("audit_trail", "5")):
        assert SECRET not in repr(_explain(history, table, *key))


def test_an_unknown_table_is_one_sentence(history: OpsLedger) -> None:
    with pytest.raises(Unknown, match=r"There is no table 'tikcet'; there are .*, ticket, "):
        _explain(history, "tikcet", "T-1")


def test_a_key_may_leave_out_what_only_one_row_can_mean(history: OpsLedger) -> None:
    assert _explain(history, "ticket_sla", "T-1", "resolution").key == {"ticket_id": "T-1", "metric": "resolution", "cycle": 1}


def test_a_key_with_too_few_parts_is_one_sentence(history: OpsLedger) -> None:
    few = "The key of ticket_sla has 3 parts, ticket_id, metric, cycle; 1 were given, and "
    with pytest.raises(BadInput, match=f"{few}more than one row has those: T-1 first_response 1; "):
        _explain(history, "ticket_sla", "T-1")
    with pytest.raises(BadInput, match=f"{few}no row has those"):
        _explain(history, "ticket_sla", "T-9")


def test_a_row_that_is_not_there_is_one_sentence(history: OpsLedger) -> None:
    with pytest.raises(Unknown, match="ticket has no row T-9 at position 9; look at its keys"):
        _explain(history, "ticket", "T-9")


@pytest.mark.parametrize("cycle", ["one", "1.0", "", "9999999999999999999"])
def test_a_key_of_another_kind_is_one_sentence(history: OpsLedger, cycle: str) -> None:
    with pytest.raises(BadInput, match="cannot be cycle, which is a whole number"):
        _explain(history, "ticket_sla", "T-1", "resolution", cycle)


def test_postgresql_explains_alike(opsledger_pg: OpsLedger, opsledger_clock: Clock) -> None:
    person = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "summary": SECRET}
    opsledger_pg.by("u-7").record(ticket.register, "T-1", priority=Priority.HIGH, **person)
    opsledger_pg.catch_up()
    found = _explain(opsledger_pg, "ticket_sla", "T-1", "resolution", "1")
    assert [told.position for told in found.facts if told.cause] == [5]
    assert _explain(opsledger_pg, "sla_compliance", "2026-03", "high", "resolution").counted == [
        ("ticket_sla", ("T-1", "resolution", 1), "running")
    ]
    assert _explain(opsledger_pg, "ticket_interval", "T-1", "2026-03-02T09:00:00Z").row["status"] == "new"
