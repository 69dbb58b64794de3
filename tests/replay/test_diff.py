"""Two sets of tables compared."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from verified import register

from opsledger.app import OpsLedger
from opsledger.domain import ticket
from opsledger.replay.asof import as_of, replay
from opsledger.replay.diff import Differing, differences
from opsledger.replay.scratch import scratch_tables
from opsledger.replay.tables import Tables
from opsledger.testing.plugin import Clock


@pytest.fixture
def other(history: OpsLedger) -> Iterator[Tables]:
    """The tables of the small history, replayed."""
    with scratch_tables() as tables:
        replay(history.store, tables, as_of(history.store))
        yield tables


def change(tables: Tables, *statements: str) -> None:
    with tables.writing() as connection:
        for statement in statements:
            assert connection.execute(sa.text(statement)).rowcount > 0


def test_equal_tables_have_no_differences(history: OpsLedger, other: Tables) -> None:
    assert list(differences(history.tables.tables, other)) == []


def test_each_column_that_differs_is_named_with_both_values(history: OpsLedger, other: Tables) -> None:
    change(other, "UPDATE ticket SET priority = 'low', resolved_at = '2026-03-02T11:00:00.000000Z', csat = 0 WHERE ticket_id = 'T-1'")
    assert list(differences(history.tables.tables, other)) == [
        Differing("ticket", ("T-1",), "changed", "priority", "high", "low"),
        Differing("ticket", ("T-1",), "changed", "resolved_at", None, "2026-03-02T11:00:00.000000Z"),
        Differing("ticket", ("T-1",), "changed", "csat", None, 0),
    ]


def test_rows_that_only_one_has_are_named_in_order(history: OpsLedger, other: Tables) -> None:
    change(other, "DELETE FROM audit_trail WHERE position IN (1, 10)", "UPDATE audit_trail SET position = 20 WHERE position = 5")
    here = history.tables.tables
    assert list(differences(here, other, ["audit_trail"])) == [
        *(Differing("audit_trail", (position,), "only in A") for position in (1, 5, 10)),
        Differing("audit_trail", (20,), "only in B"),
    ]
    assert [each.what for each in differences(other, here, ["audit_trail"])] == ["only in B", "only in B", "only in B", "only in A"]


def test_numbers_sort_as_numbers(history: OpsLedger, other: Tables) -> None:
    """Position 10 comes after 9, though its text does not."""
    change(other, "DELETE FROM audit_trail WHERE position = 9")
    assert list(differences(history.tables.tables, other, ["audit_trail"])) == [Differing("audit_trail", (9,), "only in A")]


def test_a_table_that_is_missing_or_has_other_columns_is_said_to_be(history: OpsLedger, other: Tables) -> None:
    with other.writing() as connection:
        other.schema.drop_views(connection)
        connection.execute(sa.text("DROP TABLE import_run"))
        connection.execute(sa.text("ALTER TABLE import_dirt ADD COLUMN extra TEXT"))
    found = list(differences(history.tables.tables, other))
    assert [(each.table, each.what, each.one is None, each.other is None) for each in found] == [
        ("import_dirt", "other columns", False, False),
        ("import_run", "other columns", False, True),
    ]
    assert found[0].other == f"{found[0].one}, extra"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_rows_taken_from_either_side_are_exactly_what_is_found(history: OpsLedger, data: st.DataObject) -> None:
    left, right = (data.draw(st.sets(st.integers(1, 10))) for _ in range(2))
    with scratch_tables() as one, scratch_tables() as other:
        for tables, gone in ((one, left), (other, right)):
            replay(history.store, tables, as_of(history.store))
            with tables.writing() as connection:
                for position in gone:
                    connection.execute(sa.text(f"DELETE FROM audit_trail WHERE position = {position}"))
        found = [(each.key[0], each.what) for each in differences(one, other, ["audit_trail"])]
    assert found == sorted([*((each, "only in B") for each in left - right), *((each, "only in A") for each in right - left)])


def test_the_two_databases_are_compared_with_each_other(opsledger_pg: OpsLedger, opsledger_clock: Clock) -> None:
    for id in ("T-1", "T-10", "T-9", "\u00e4", "Z", "a"):
        register(opsledger_pg, id)
    opsledger_clock.forward(minutes=10)
    opsledger_pg.by("u-7", role="support").record(ticket.respond, "T-9")
    opsledger_pg.catch_up()
    with scratch_tables() as tables:
        replay(opsledger_pg.store, tables, as_of(opsledger_pg.store))
        assert list(differences(opsledger_pg.tables.tables, tables)) == []
        change(tables, "DELETE FROM ticket WHERE ticket_id = 'T-10'", "UPDATE ticket SET reopen_count = 7 WHERE ticket_id = '\u00e4'")
        assert list(differences(opsledger_pg.tables.tables, tables)) == [
            Differing("ticket", ("T-10",), "only in A"),
            Differing("ticket", ("\u00e4",), "changed", "reopen_count", 0, 7),
        ]
