"""New rows beside the tables: what differs is counted and named, and a key that comes twice is refused."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from opsledger.app import OpsLedger
from opsledger.errors import StoreError
from opsledger.projections.governance.audit_trail import AUDIT_TRAIL
from opsledger.replay.shadow import shadow

NOON = 1_772_452_800_000_000


@pytest.fixture(params=["opsledger_sqlite", "opsledger_pg"])
def ledger(request: pytest.FixtureRequest) -> OpsLedger:
    found: OpsLedger = request.getfixturevalue(request.param)
    found.catch_up()
    return found


def row(position: int, role: str = "support") -> tuple[Any, ...]:
    return (position, "ticket:T-1", position, "ticket.responded", NOON, NOON, "u-7", role, "", None, None)


def test_rows_that_are_missing_surplus_and_changed_are_counted_and_named(ledger: OpsLedger) -> None:
    tables = ledger.tables.tables
    projection = tables.schema.projections["audit_trail"]
    with tables.writing() as connection:
        connection.execute(sa.text("DELETE FROM audit_trail"))
        tables.insert(connection, AUDIT_TRAIL, AUDIT_TRAIL.written([row(1), row(2), row(3), row(4), row(5)]))
    with shadow(tables, [projection]) as new:
        new.take("audit_trail", [row(7), row(3), row(4, "lead"), row(5), row(6), row(8)])
        new.ready()
        with new.connection.begin():
            found = new.difference(AUDIT_TRAIL)
            new.apply(AUDIT_TRAIL)
            again = new.difference(AUDIT_TRAIL)
    assert (found.missing, found.surplus, found.changed, found.rows) == (3, 2, 1, 6)
    assert (sorted(found.keys[:3]), sorted(found.keys[3:5]), found.keys[5:]) == ([(6,), (7,), (8,)], [(1,), (2,)], [(4,)])
    assert (again.rows, again.keys) == (0, [])


def test_a_projection_that_gives_a_key_twice_is_refused(ledger: OpsLedger) -> None:
    tables = ledger.tables.tables
    with shadow(tables, [tables.schema.projections["audit_trail"]]) as new:
        new.take("audit_trail", [row(3), row(4), row(3, "lead")])
        with pytest.raises(StoreError, match=r"audit_trail gives two rows with one key \(position\)") as refused:
            new.ready()
    assert refused.value.code == "tables.key_twice"
    assert all(difference.rows == 0 for difference in ledger.tables.rebuild())
