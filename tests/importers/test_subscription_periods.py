"""A table of subscription periods: which rows are taken in, and that revenue by month and category is that of another computation."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from conftest import shared_data
from opsledger.app import OpsLedger
from opsledger.errors import BadInput
from opsledger.importers.subscription_periods import import_subscriptions
from opsledger.testing.plugin import Clock

HEADER = "subscription_id,customer_id,start_date,end_date,monthly_amount\n"
WORDS = ("new", "reactivation", "expansion", "contraction", "churn")


@pytest.fixture
def ledger(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> OpsLedger:
    opsledger_clock.set("2026-07-20T12:00:00Z")
    return opsledger_sqlite


def write(folder: Path, *rows: str) -> Path:
    path = folder / "periods.csv"
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def by_hand(path: Path) -> dict[str, dict[str, int]]:
    """Revenue by month and category, by comparing what each customer pays on the first of each month with the month before.

    It knows nothing of the product: months are counted, periods are laid over them, and amounts are whole dollars.
    """

    def number(day: str) -> int:
        assert day.endswith("-01")
        return int(day[:4]) * 12 + int(day[5:7]) - 1

    paid: dict[str, dict[int, int]] = defaultdict(dict)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            for month in range(number(row["start_date"]), number(row["end_date"])):
                paid[row["customer_id"]][month] = paid[row["customer_id"]].get(month, 0) + int(row["monthly_amount"])
    found: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys((*WORDS, "end"), 0))
    for months in paid.values():
        for month in range(min(months), max(months) + 2):
            before, after = months.get(month - 1, 0), months.get(month, 0)
            row = found[f"{month // 12}-{month % 12 + 1:02d}"]
            row["end"] += after
            if after and not before:
                row["new" if month == min(months) else "reactivation"] += after
            elif before and not after:
                row["churn"] += before
            else:
                row["expansion"] += max(0, after - before)
                row["contraction"] += max(0, before - after)
    return found


def test_revenue_by_month_and_category_is_that_of_another_computation(ledger: OpsLedger) -> None:
    path = shared_data() / "mrr" / "subscription_periods.csv"
    result = import_subscriptions(ledger, path)
    assert (result.rows, result.new, result.quarantined, result.facts) == (121, 121, 0, 363)
    ledger.catch_up()
    expected = by_hand(path)
    assert len(expected) > 24
    told = {row["month"]: row for row in ledger.tables.select("mrr_monthly", plan_id="*", segment="*")}
    for month, row in expected.items():
        named = {name: 100 * row[name] for name in WORDS}
        assert {name: told[month][f"{name}_minor"] for name in WORDS} == named, month
        assert told[month]["mrr_end_minor"] == 100 * row["end"], month
    assert all(row["mrr_end_minor"] == 0 for month, row in told.items() if month not in expected)
    assert len({row["customer_id"] for row in ledger.tables.select("customer_month")}) == 55
    assert sum(difference.rows for difference in ledger.tables.rebuild()) == 0
    again = import_subscriptions(ledger, path)
    assert (again.new, again.known, again.facts) == (0, 121, 0)


def test_rows_that_cannot_be_taken_in_are_set_aside_with_the_reason(ledger: OpsLedger, tmp_path: Path) -> None:
    rows = ["1,C-1,2026-01-01,2026-03-01,50", "2,C-1,2026-03-01,,50.5", "3,C-2,2026-03-01,2026-03-01,50", "4,C-2,2026-01-01,2026-02-01,-1"]
    late = ["5,C-3,2026-08-01,,10", "6,C-3,2026-07-01,2026-08-01,10", "1,C-1,2026-01-01,2026-03-01,60", "7,C-4,soon,,1", "8,C-4"]
    late.append("9,C-5,2026-01-01,,10.005")
    result = import_subscriptions(ledger, write(tmp_path, *rows, *late))
    assert (result.rows, result.new, result.quarantined) == (10, 2, 8)
    assert {(each.row, each.reason, each.column) for each in result.first_quarantined} == {
        (4, "malformed", "end_date"),
        (5, "malformed", "monthly_amount"),
        (6, "future", "start_date"),
        (7, "unfinished", "end_date"),
        (8, "changed", None),
        (9, "malformed", "start_date"),
        (10, "malformed", None),
        (11, "malformed", "monthly_amount"),
    }
    ledger.catch_up()
    moved = [(row["movement_type"], row["amount_minor"]) for row in ledger.tables.select("mrr_movements")]
    assert moved == [("new", 5000), ("expansion", 50)]


def test_a_row_that_changed_since_is_set_aside(ledger: OpsLedger, tmp_path: Path) -> None:
    import_subscriptions(ledger, write(tmp_path, "1,C-1,2026-01-01,,50"))
    result = import_subscriptions(ledger, write(tmp_path, "1,C-1,2026-01-01,2026-04-01,50"))
    assert (result.new, result.changed, result.facts) == (0, 1, 0)


def test_a_file_that_is_no_such_table_is_refused_and_nothing_is_recorded(ledger: OpsLedger, tmp_path: Path) -> None:
    path = tmp_path / "periods.csv"
    path.write_text("subscription_id,customer_id\n1,2\n", encoding="utf-8")
    before = ledger.store.head().position
    with pytest.raises(BadInput, match="lacks start_date"):
        import_subscriptions(ledger, path)
    assert ledger.store.head().position == before
