"""Reports of the platform: availability as promised and by other terms, and changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opsledger.example import write


@pytest.fixture(scope="module")
def quarter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    url = f"sqlite:///{tmp_path_factory.mktemp('quarter')}/ops.db"
    with write(url, days=95, per_day=0.2) as ledger:
        ledger.catch_up()
    yield url


def said(run: Any, *words: str) -> list[dict[str, Any]]:
    done = run(*words, "--format", "json")
    assert done.exit_code == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_availability_is_told_by_objective_and_month(quarter: str, run: Any) -> None:
    rows = said(run, "report", "availability", "--ledger", quarter)
    assert {(row["service_id"], row["month"]) for row in rows} >= {("platform", "2025-01"), ("api", "2025-03")}
    assert all(row["up_us"] <= row["measured_us"] for row in rows)
    only = said(run, "report", "availability", "--month", "2025-03", "--service", "api", "--ledger", quarter)
    assert only == [row for row in rows if (row["service_id"], row["month"]) == ("api", "2025-03")]
    assert "%" in run("report", "availability", "--ledger", quarter).stdout


def test_the_same_month_is_judged_by_another_target_from_the_same_facts(quarter: str, run: Any) -> None:
    def verdicts(target: str) -> dict[tuple[str, str], bool]:
        rows = said(run, "report", "availability", "--target", target, "--ledger", quarter)
        return {(row["service_id"], row["month"]): row["met"] for row in rows}

    promised = said(run, "report", "availability", "--ledger", quarter)
    assert set(verdicts("0").values()) == {True}
    missed = {(row["service_id"], row["month"]) for row in promised if row["up_us"] < row["measured_us"]}
    assert missed
    assert {key for key, met in verdicts("100").items() if not met} == missed


def test_asked_by_the_terms_that_hold_the_answer_is_the_table_itself(quarter: str, run: Any) -> None:
    promised = said(run, "report", "availability", "--service", "platform", "--ledger", quarter)
    assert said(run, "report", "availability", "--service", "platform", "--target", "99.9", "--ledger", quarter) == promised
    assert said(run, "report", "availability", "--service", "platform", "--unknown", "excluded", "--ledger", quarter) == promised


def test_maintenance_that_counts_makes_the_month_worse(quarter: str, run: Any) -> None:
    words = ("report", "availability", "--service", "platform", "--month", "2025-01", "--ledger", quarter)
    (promised,), (counted,) = said(run, *words), said(run, *words, "--maintenance", "counts")
    assert promised["maintenance_excluded_us"] > 0
    assert counted["maintenance_excluded_us"] == 0
    assert counted["weighted_down_us"] - promised["weighted_down_us"] == promised["down_scheduled_us"] > 0


def test_months_of_another_zone_begin_at_its_midnight(quarter: str, run: Any) -> None:
    words = ("report", "availability", "--service", "api", "--month", "2025-02", "--zone", "Asia/Tokyo", "--ledger", quarter)
    (row,) = said(run, *words)
    assert (row["from_at"], row["to_at"]) == ("2025-01-31T15:00:00.000000Z", "2025-02-28T15:00:00.000000Z")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [(("--target", "101"), "'101' is no percentage"), (("--target", "ninety"), "no percentage"), (("--zone", "Mars/One"), "Mars/One")],
)
def test_terms_that_cannot_be_are_one_sentence(quarter: str, run: Any, words: tuple[str, ...], sentence: str) -> None:
    done = run("report", "availability", *words, "--ledger", quarter)
    assert (done.exit_code, done.stdout) == (2, "")
    assert sentence in done.stderr


def test_changes_are_told_by_month_and_category(quarter: str, run: Any, tmp_path: Path) -> None:
    rows = said(run, "report", "changes", "--ledger", quarter)
    together = [row for row in rows if (row["month"], row["category"]) == ("2025-02", "*")]
    apart = [row for row in rows if row["month"] == "2025-02" and row["category"] != "*"]
    assert together[0]["requested"] == sum(row["requested"] for row in apart) > 0
    assert "emergency" in run("report", "changes", "--ledger", quarter).stdout


def test_recovery_is_told_by_failure_and_by_how_ready_we_are(quarter: str, run: Any) -> None:
    (row,) = said(run, "report", "recovery", "--ledger", quarter)
    assert (row["kind"], row["evidence_id"], row["missed"]) == ("drill", "DR-2025-02-12", None)
    told = run("report", "recovery", "--ledger", quarter).stdout
    assert f"{row['rto_us'] // 60_000_000} min 00 s" in told
    (ready,) = said(run, "report", "recovery", "--ready", "--ledger", quarter)
    assert (ready["service_id"], ready["point_age_s"]) == ("database", 86_400)
    assert "1 d 0 h 00 min" in run("report", "recovery", "--ready", "--ledger", quarter).stdout
