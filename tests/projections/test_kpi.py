"""kpi: every key figure is two integers, and where there is none the row says why; the same on both databases."""

from __future__ import annotations

import secrets
from fractions import Fraction
from pathlib import Path

import pytest

from opsledger.app import OpsLedger
from opsledger.example import write
from opsledger.projections.catalog import kpis

QUARTER = {"days": 62, "per_day": 0.5}


@pytest.fixture(scope="module")
def quarter(tmp_path_factory: pytest.TempPathFactory) -> OpsLedger:
    with write(f"sqlite:///{tmp_path_factory.mktemp('kpi')}/ops.db", **QUARTER) as ledger:  # type: ignore[arg-type]
        ledger.catch_up()
        yield ledger  # type: ignore[misc]


def test_every_figure_of_the_operating_model_is_there(quarter: OpsLedger) -> None:
    found = {row["kpi"] for row in quarter.tables.select("kpi")}
    named = {each.name for each in kpis()}
    assert found <= named
    assert {"uptime", "mttr", "mtbf", "planned_downtime", "unplanned_downtime"} <= found
    assert {"uptime", "availability_coverage", "mttd", "mtta", "mttm"} <= named
    assert {"csat", "nps", "customer_retention", "ticket_resolution_time", "mrr", "customer_churn"} <= named
    assert {"recovery_objectives_met", "data_integrity", "self_healing", "automation_success"} <= found


def test_a_month_that_broke_the_promise_gives_each_customer_something_back(quarter: OpsLedger) -> None:
    broken = [row for row in quarter.tables.select("sla_month", slo_id="platform-uptime") if row["complete"] and row["met"] is False]
    credits = quarter.tables.select("credit_assessment")
    assert len(credits) == 3 * len(broken) > 0
    judged = {row["month"]: (row["up_us"], row["measured_us"]) for row in broken}
    assert all((row["up_us"], row["measured_us"]) == judged[row["month"]] and row["amount_minor"] > 0 for row in credits)


def test_a_figure_is_two_integers_or_says_why_there_is_none(quarter: OpsLedger) -> None:
    rows = quarter.tables.select("kpi")
    assert len({(row["kpi"], row["scope"], row["period"], row["period_start"]) for row in rows}) == len(rows) > 50
    for row in rows:
        assert (row["numerator"] is None) == (row["denominator"] is None) == (row["null_reason"] is not None), row
        assert row["denominator"] is None or row["denominator"] > 0
    assert any(row["null_reason"] for row in rows)


def test_figures_are_those_of_the_tables_that_they_come_from(quarter: OpsLedger) -> None:
    (uptime,) = quarter.tables.select("kpi", kpi="uptime", scope="slo:platform-uptime", period_start="2025-01")
    (month,) = quarter.tables.select("sla_month", slo_id="platform-uptime", month="2025-01")
    assert Fraction(uptime["numerator"], uptime["denominator"]) == Fraction(month["up_us"], month["measured_us"])
    resolved = [row for row in quarter.tables.select("incident") if row["resolved_at"] and f"{row['resolved_at']:%Y-%m}" == "2025-01"]
    lengths = [row["ttr_s"] for row in resolved if row["severity"] == "high" and row["ttr_s"] is not None]
    (mttr,) = quarter.tables.select("kpi", kpi="mttr", scope="all severity:high", period_start="2025-01")
    assert (mttr["numerator"], mttr["n"]) == ((sum(lengths), len(lengths)) if lengths else (None, 0))


def test_postgresql_gives_the_same_figures(
    quarter: OpsLedger, opsledger_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPSLEDGER_KEK_FILE", str(tmp_path / "kek"))
    joined = "&" if "?" in opsledger_postgres_url else "?"
    url = f"{opsledger_postgres_url}{joined}schema=kpi_{secrets.token_hex(4)}"
    with write(url, **QUARTER) as ledger:  # type: ignore[arg-type]
        assert ledger.tables.select("kpi", at_least=ledger.store.head().position) == quarter.tables.select("kpi")
