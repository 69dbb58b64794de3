"""late_entry: recorded long after it happened, judged by the model that was known when it was recorded."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from opsledger.app import OpsLedger, Taken
from opsledger.domain import policy, ticket
from opsledger.policies import documents
from opsledger.policies.instants import at
from opsledger.policies.operating_model import OperatingModel, default_model
from opsledger.policies.support import Priority
from opsledger.testing.plugin import Clock

DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
REQUEST: dict[str, Any] = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "priority": Priority.LOW, "summary": None}


def register(ledger: OpsLedger, id: str, late: timedelta) -> int:
    """Record now what happened so much earlier; return its position."""
    position = ledger.by("u-7", role="support", at=ledger.now() - late).record(ticket.register, id, **REQUEST).position
    assert position is not None
    return position


def late(ledger: OpsLedger) -> list[dict[str, Any]]:
    ledger.catch_up()
    return ledger.tables.select("late_entry")


def publish(ledger: OpsLedger, late_entry_after: int, **given: Any) -> None:
    """Publish a model with another bound, in seconds."""
    model = default_model()
    document = documents.canonical(
        model.model_copy(update={"compliance": model.compliance.model_copy(update={"late_entry_after": late_entry_after})})
    )
    given = {"document": document, "proposed_by": "u-1", "approved_by": "u-2", **given}
    ledger.by("u-2").record(policy.publish, policy.NAME, **given)


def test_what_was_recorded_exactly_as_late_as_allowed_is_no_late_entry_and_a_microsecond_more_is(opsledger_sqlite: OpsLedger) -> None:
    register(opsledger_sqlite, "T-1", DAY)
    position = register(opsledger_sqlite, "T-2", DAY + MICROSECOND)
    assert late(opsledger_sqlite) == [
        {
            "position": position,
            "stream": "ticket:T-2",
            "version": 1,
            "topic": "ticket.registered",
            "occurred_at": at("2026-03-01T08:59:59.999999Z"),
            "recorded_at": at("2026-03-02T09:00:00Z"),
            "late_s": 86_400,
            "bound_s": 86_400,
            "recorded_by": "u-7",
            "role": "support",
            "source": None,
            "source_id": None,
            "summary": "customer_id C-1, channel email, priority low, policy operating-model@1:"
            + documents.digest(documents.canonical(default_model()))[:12],
        }
    ]


def test_a_bound_holds_for_what_is_recorded_after_it_was_published(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    register(opsledger_sqlite, "T-1", timedelta(hours=2))
    opsledger_clock.forward(minutes=1)
    publish(opsledger_sqlite, 3600)
    opsledger_clock.forward(minutes=1)
    register(opsledger_sqlite, "T-2", timedelta(hours=2))
    assert [(row["stream"], row["bound_s"]) for row in late(opsledger_sqlite)] == [("ticket:T-2", 3600)]


def test_a_bound_published_for_the_past_hides_no_late_entry(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    register(opsledger_sqlite, "T-1", 2 * DAY)
    opsledger_clock.forward(minutes=1)
    publish(opsledger_sqlite, 30 * 86_400, effective_from=at("2020-01-01"), reason="It was always meant so")
    assert [(row["stream"], row["bound_s"]) for row in late(opsledger_sqlite)] == [("ticket:T-1", 86_400)]


def test_a_bound_that_holds_from_a_later_time_does_not_hold_yet(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> None:
    publish(opsledger_sqlite, 60, effective_from=at("2026-03-03"))
    register(opsledger_sqlite, "T-1", timedelta(hours=1))
    opsledger_clock.set("2026-03-03T00:00:00Z")
    register(opsledger_sqlite, "T-2", timedelta(hours=1))
    assert [row["stream"] for row in late(opsledger_sqlite)] == ["ticket:T-2"]


def test_an_imported_fact_names_its_source(opsledger_sqlite: OpsLedger) -> None:
    fact = ticket.Registered(**REQUEST, registered_at=at("2020-03-01"), policy=opsledger_sqlite.known.models()[0].ref)
    opsledger_sqlite.by("importer").observe([Taken("A-1", (("ticket:A-1", fact),))], source="elsewhere")
    assert [(row["stream"], row["source"], row["source_id"]) for row in late(opsledger_sqlite)] == [("ticket:A-1", "elsewhere", "A-1")]


def test_a_model_published_before_there_was_such_a_bound_is_read_with_a_day() -> None:
    document = default_model().model_dump(mode="json", by_alias=True)
    del document["compliance"]
    assert OperatingModel.model_validate(document).compliance.late_entry_after == 86_400


@pytest.mark.parametrize("lateness", [DAY, DAY + MICROSECOND, DAY + timedelta(seconds=1), 400 * DAY])
def test_both_databases_agree_to_the_microsecond(opsledger_sqlite: OpsLedger, opsledger_pg: OpsLedger, lateness: timedelta) -> None:
    for ledger in (opsledger_sqlite, opsledger_pg):
        register(ledger, "T-1", lateness)
    assert late(opsledger_sqlite) == late(opsledger_pg)
    assert len(late(opsledger_pg)) == (lateness > DAY)


@pytest.mark.parametrize(
    ("start", "stop", "seconds", "microseconds"),
    [
        ("2026-03-02T09:00:00.000000Z", "2026-03-02T09:00:00.999999Z", 0, 999_999),
        ("2026-03-02T08:59:59.999999Z", "2026-03-02T09:00:00.000000Z", 1, 1),
        ("1969-12-31T23:59:59.999600Z", "2026-03-02T09:00:00.000400Z", 1_772_442_001, 1_772_442_000_000_800),
    ],
)
def test_lengths_are_cut_and_not_rounded_on_either_database(
    opsledger_sqlite: OpsLedger, opsledger_pg: OpsLedger, start: str, stop: str, seconds: int, microseconds: int
) -> None:
    for ledger, cast in ((opsledger_sqlite, "{}"), (opsledger_pg, "timestamptz {}")):
        sql = ledger.tables.tables.sql
        one, other = (cast.format(f"'{each}'") for each in (start, stop))
        with ledger.tables.tables.engine.connect() as connection:
            found = connection.exec_driver_sql(f"SELECT {sql.seconds(one, other)}, {sql.microseconds(one, other)}").one()
        assert tuple(found) == (seconds, microseconds)
