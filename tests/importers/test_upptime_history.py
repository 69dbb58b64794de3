"""The real history of an uptime monitor: our uptime beside the one that the monitor itself published, and what would part them.

The monitor probes every few minutes and writes a row for each change of state, and one a day. It published its uptime since
the beginning and over the last day, week, month and year, in percent with two digits, and minutes down by day for one year.
Ours is exact. They agree to the last digit published, though we leave 22 hours out of which nobody knows, since it was silent.
"""

from __future__ import annotations

import csv
import json
import lzma
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import pytest

from opsledger.app import OpsLedger
from opsledger.domain import slo
from opsledger.importers.upptime import import_upptime
from opsledger.policies.availability import measured
from opsledger.policies.instants import SECOND, at, micros
from opsledger.policies.timeline import Stretch, cells, judged
from opsledger.replay.tables import Tables

SITES = ("datalab", "datalab-api")
BEGAN = at("2024-07-10T09:56:15.344Z")  # the first row
SPANS = {"uptimeDay": 1, "uptimeWeek": 7, "uptimeMonth": 30, "uptimeYear": 365}
Unknown = Literal["excluded", "up", "down"]


@pytest.fixture(scope="module")
def folder(availability_data: Path) -> Path:
    return availability_data / "upptime_datalab"


@pytest.fixture(scope="module")
def published(folder: Path) -> dict[str, dict[str, Any]]:
    """Give what the monitor says of each site."""
    return {site["slug"]: site for site in json.loads((folder / "summary.json").read_text(encoding="utf-8"))}


@pytest.fixture(scope="module")
def ledger(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpsLedger]:
    """Give a ledger with the history, an objective by calendar month for each site, and rolling ones."""
    with OpsLedger.create(f"sqlite:///{tmp_path_factory.mktemp('monitor')}/ops.db") as made:
        result = import_upptime(made, folder)
        assert (result.rows, result.new, result.quarantined) == (1463, 1463, 0)
        owner = made.by("u-1", at=BEGAN)
        for site in SITES:
            promised: dict[str, Any] = {"service_id": site, "target_pct": Decimal("99.9"), "proposed_by": "u-1", "approved_by": "u-2"}
            owner.record(slo.publish, site, **promised)
            for days in SPANS.values():
                owner.record(slo.publish, f"{site}-{days}", window="rolling", rolling_days=days, **promised)
        made.catch_up()
        yield made


@pytest.fixture(scope="module")
def tables(ledger: OpsLedger) -> Any:
    return ledger.tables


def shown(share: Fraction) -> str:
    """Return a share as the monitor prints it."""
    percent = Decimal(share.numerator) * 100 / share.denominator
    return f"{percent.quantize(Decimal('0.01'))}%"


def uptime(tables: Tables, site: str) -> Fraction:
    """Return the share of the measured time in which a site was up, over all months."""
    rows = tables.select("sla_month", slo_id=site)
    return Fraction(sum(row["up_us"] for row in rows), sum(row["measured_us"] for row in rows))


def otherwise(tables: Tables, site: str, *, minimum_s: int = 0, unknown_time: Unknown = "excluded") -> Fraction:
    """Return the share by other rules, from the same stretches."""
    stretches = [
        Stretch(micros(row["from_at"]), micros(row["to_at"]), row["state"]) for row in tables.select("availability_interval", slo_id=site)
    ]
    marked = judged(stretches, (), stretches[0].start, stretches[-1].stop, minimum=minimum_s * SECOND)
    share = measured(cells(marked), unknown_time=unknown_time).removed.share
    assert share is not None
    return share


@pytest.mark.parametrize("site", SITES)
def test_our_uptime_is_the_one_that_the_monitor_published(tables: Tables, published: dict[str, dict[str, Any]], site: str) -> None:
    assert shown(uptime(tables, site)) == published[site]["uptime"] == "99.62%"
    for name, days in SPANS.items():
        newest = tables.select("sla_month", slo_id=f"{site}-{days}")[-1]
        assert shown(Fraction(newest["up_us"], newest["measured_us"])) == published[site][name], name


@pytest.mark.parametrize("site", SITES)
def test_minutes_down_by_day_are_those_that_the_monitor_published(tables: Tables, published: dict[str, dict[str, Any]], site: str) -> None:
    """The monitor lists a year. No outage of that year passes midnight."""
    down: Counter[str] = Counter()
    for row in tables.select("availability_interval", slo_id=site, state="down"):
        if row["from_at"] >= at("2025-06-16T00:00:00Z"):
            down[f"{row['from_at']:%Y-%m-%d}"] += micros(row["to_at"]) - micros(row["from_at"])
    assert {day: round(Fraction(length, 60 * SECOND)) for day, length in down.items()} == published[site]["dailyMinutesDown"]


def test_unknown_time_is_one_silence_of_two_days_less_the_26_hours_for_which_the_last_word_holds(tables: Tables) -> None:
    for site, silence_us in (("datalab", 172_741_639_000), ("datalab-api", 172_741_721_000)):
        unknown = sum(row["unknown_us"] for row in tables.select("sla_month", slo_id=site))
        before_the_first_word = 0 if site == "datalab" else 224_641_000  # its objective begins with the other site's first row
        assert unknown == silence_us - 26 * 3600 * SECOND + before_the_first_word


def test_what_explains_a_difference(tables: Tables) -> None:
    """Each rule of its own moves the figure; the monitor's is the one with no least outage, and silence counted as up."""
    site = "datalab-api"
    assert f"{float(uptime(tables, site)):.6f}" == "0.996210"
    assert f"{float(otherwise(tables, site)):.6f}" == "0.996210"
    # Silence: the monitor counts it as up. Counted as down it costs more than all outages of the year together.
    assert f"{float(otherwise(tables, site, unknown_time='up')):.6f}" == "0.996215"
    assert f"{float(otherwise(tables, site, unknown_time='down')):.6f}" == "0.994913"
    # A least outage of ten minutes forgives the five that lasted six to eight minutes.
    assert f"{float(otherwise(tables, site, minimum_s=600)):.6f}" == "0.996243"
    assert shown(otherwise(tables, site, minimum_s=3600)) == "99.63%"


def test_a_share_of_rows_is_no_uptime(folder: Path) -> None:
    """Rows are written at changes and once a day: counted as samples they would say 97.95 % instead of 99.62 %."""
    with lzma.open(folder / "probes.csv.xz", "rt", encoding="utf-8") as file:
        said = Counter(row["status"] for row in csv.DictReader(file) if row["slug"] == "datalab-api")
    assert shown(Fraction(said["up"], said.total())) == "97.95%"


def test_months_that_missed_99_9_percent_are_those_with_the_long_outages(tables: Tables) -> None:
    for site in SITES:
        assert [row["month"] for row in tables.select("sla_month", slo_id=site) if not row["met"]] == [
            "2024-09",
            "2024-11",
            "2025-02",
            "2026-02",
        ]


def test_the_same_history_again_adds_nothing(ledger: OpsLedger, folder: Path) -> None:
    result = import_upptime(ledger, folder)
    assert (result.new, result.known, result.facts) == (0, 1463, 0)


def test_live_tables_equal_rebuilt_ones(ledger: OpsLedger) -> None:
    assert [difference for difference in ledger.tables.rebuild() if difference.rows] == []
