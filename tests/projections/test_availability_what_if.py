"""A month under other terms, a month told as a story, and its key figures."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from availability_acts import fail, intervals, maintain, months, run, seconds

from opsledger.app import OpsLedger
from opsledger.policies.months import months as calendar_months
from opsledger.projections.availability import intervals as availability
from opsledger.projections.availability.months import WhatIf
from opsledger.replay.explain import Explanation, explain
from opsledger.replay.gathering import gathered_of
from opsledger.testing.plugin import Clock

HOUR, MARCH = 3600, 31 * 86_400
SUNDAY = ("2026-03-15T06:00:00Z", "2026-03-15T10:00:00Z")  # 02:00 to 06:00 in New York, in summer time


@pytest.fixture
def march(opsledger_sqlite: OpsLedger, opsledger_clock: Clock) -> OpsLedger:
    """A ledger in which March is over and the last day closed; the platform was up all the time."""
    opsledger_clock.set("2026-04-01T00:00:00Z")
    run(opsledger_sqlite)
    opsledger_sqlite.tick()
    return opsledger_sqlite


def explained(ledger: OpsLedger, table: str, key: list[str]) -> Explanation:
    ledger.catch_up()
    return explain(ledger.store, ledger.tables.tables, table, key)


def judged(ledger: OpsLedger, what_if: WhatIf) -> dict[str, dict[str, Any]]:
    """Return the rows of sla_month by month, judged anew by other terms from the tables' own facts."""
    ledger.catch_up()
    states, known = gathered_of(ledger.store, ledger.tables.tables, availability.PROJECTIONS[0], "platform")
    names = [column.name for column in availability.SLA_MONTH.columns]
    found = [dict(zip(names, row, strict=True)) for row in availability.months("platform", states, known, what_if)]
    return {row["month"]: row for row in found}


@pytest.mark.parametrize(
    ("what_if", "met", "down", "planned"),
    [
        (WhatIf(), True, 1200, 4 * HOUR),
        (WhatIf(target_pct=Decimal("99.95")), True, 1200, 4 * HOUR),
        (WhatIf(target_pct=Decimal("99.96")), False, 1200, 4 * HOUR),
        (WhatIf(maintenance_taken_out=False), False, 1200 + 4 * HOUR, 0),
        (WhatIf(minimum_outage_s=1201), True, 0, 4 * HOUR),
        (WhatIf(minimum_outage_s=1200), True, 1200, 4 * HOUR),
        (WhatIf(measured_by="incidents"), True, 0, 4 * HOUR),
        (WhatIf(quorum=1), False, 1200 + 2 * HOUR, 4 * HOUR),
        (WhatIf(target_pct=Decimal("99.955"), maintenance_leaves="numerator"), True, 1200, 4 * HOUR),
        (WhatIf(target_pct=Decimal("99.955")), False, 1200, 4 * HOUR),
    ],
)
def test_the_same_month_under_other_terms(march: OpsLedger, what_if: WhatIf, met: bool, down: int, planned: int) -> None:
    maintain(march, *SUNDAY, told="2026-03-10T00:00:00Z")
    fail(march, *SUNDAY)
    fail(march, "2026-03-20T00:00:00Z", "2026-03-20T00:20:00Z")
    fail(march, "2026-03-21T00:00:00Z", "2026-03-21T02:00:00Z", "eu")
    row = judged(march, what_if)["2026-03"]
    assert (row["met"], seconds(row, "down_unscheduled", "maintenance_excluded")) == (met, (down, planned))


def test_the_same_facts_by_the_months_of_another_zone(march: OpsLedger) -> None:
    fail(march, "2026-03-01T04:00:00Z", "2026-03-01T06:00:00Z")
    found = judged(march, WhatIf(months=calendar_months("America/New_York")))
    assert [(name, seconds(row, "down_unscheduled")) for name, row in found.items()] == [("2026-02", (HOUR,)), ("2026-03", (HOUR,))]
    assert found["2026-03"]["zone"] == "America/New_York"


def test_a_month_tells_every_stretch_with_its_state_cause_and_verdict(march: OpsLedger) -> None:
    maintain(march, *SUNDAY, told=None)
    fail(march, "2026-03-15T05:00:00Z", SUNDAY[1])
    told = explained(march, "sla_month", ["platform", "platform-uptime", "2026-03"])
    down = next(row for row in intervals(march) if row["state"] == "down")
    first, second = march.history("probe:platform@us/2026-03")[0].position, down["cause_position"]
    up, seen = (
        "up; when that began the locations said up: ap, eu, us; counts as up",
        "down; when that began the locations said down: ap, eu, us; counts as down",
    )
    notice = "maintenance that counts, by the rules on notice (M-1)"
    since = "since probe:platform@us/2026-03, position"
    span = "from 2026-03-01T00:00:00Z to 2026-04-01T00:00:00Z"
    assert told.story == [
        f"platform-uptime version 1, 2026-03 in UTC (calendar month): at least 99.9 %, told by probes, {span}.",
        f"2026-03-01T00:00:00Z to 2026-03-15T05:00:00Z, 14 d 05:00:00: {up}; {since} {first}.",
        f"2026-03-15T05:00:00Z to 2026-03-15T06:00:00Z, 01:00:00: {seen}; {since} {second}.",
        f"2026-03-15T06:00:00Z to 2026-03-15T10:00:00Z, 04:00:00: {seen}: {notice}; {since} {second}.",
        told.story[4],
        "Together 31 d 00:00:00: up 30 d 19:00:00 and 00:00:00 in what is taken out, down 05:00:00 and 00:00:00 in it, unknown 00:00:00.",
        "With planned maintenance taken out: 99.327956 %, missed.",
        "With planned maintenance counted as up: 99.327956 %, missed.",
        f"The operating model {months(march)['2026-03']['policy']} has it taken out: missed.",
    ]
    assert down["cause_position"] in {fact.position for fact in told.facts}


def test_a_stretch_tells_itself_alone(march: OpsLedger) -> None:
    fail(march, "2026-03-10T10:00:00Z", "2026-03-10T10:20:00Z")
    (line,) = explained(march, "availability_interval", ["platform", "platform-uptime", "2026-03-10T10:00:00Z"]).story
    assert line.startswith("2026-03-10T10:00:00Z to 2026-03-10T10:20:00Z, 00:20:00: down")


def test_the_key_figures_are_those_of_the_month(march: OpsLedger) -> None:
    fail(march, "2026-03-10T10:00:00Z", "2026-03-10T10:20:00Z")
    march.catch_up()
    rows = march.tables.select("kpi", scope="slo:platform-uptime", period_start="2026-03")
    figures = {row["kpi"]: (row["numerator"], row["denominator"]) for row in rows}
    whole = MARCH * 1_000_000
    assert figures["uptime"] == (whole - 1_200_000_000, whole)
    assert figures["unplanned_downtime"] == (1_200_000_000, 1_000_000)
    assert (figures["planned_downtime"], figures["availability_coverage"]) == ((0, 1_000_000), (whole, whole))
