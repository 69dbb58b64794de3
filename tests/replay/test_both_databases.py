"""Any history gives the same answers and the same tables on SQLite and on PostgreSQL. For longer: tests/soak."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from both_databases import BothDatabases
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from opsledger.app import OpsLedger


def test_any_history_is_the_same_on_both_databases(opsledger_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPSLEDGER_KEK_FILE", str(tmp_path / "kek"))
    monkeypatch.setattr(BothDatabases, "postgresql", opsledger_postgres_url, raising=False)
    some = settings(max_examples=4, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(BothDatabases, settings=some)


def test_postgresql_knows_that_the_as_of_time_is_one_row(opsledger_pg: OpsLedger) -> None:
    """Views that read it are planned for one; planned for the 1450 that it guesses, the smallest took over a second to compile."""
    opsledger_pg.catch_up()
    (plan,) = opsledger_pg.tables.query(sa.text("EXPLAIN (FORMAT JSON) SELECT * FROM opsledger_as_of"))
    assert plan["QUERY PLAN"][0]["Plan"]["Plan Rows"] == 1
