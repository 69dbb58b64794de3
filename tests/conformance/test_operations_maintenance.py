"""Published and derived cases of maintenance and credits, through the product's own rules, cells and tables.

Runs the cases of these areas of every file of `--cases DIR` (default: the product's own copy). A case says by its keys what is given;
one that says what no rule here knows fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from opsledger.policies import availability, timeline
from opsledger.policies.credits import amount_minor, tier_of
from opsledger.policies.instants import DAY_S, SECOND, iso, parse
from opsledger.policies.intervals import Interval
from opsledger.policies.maintenance import Notice, Window, judge, slot_on
from opsledger.policies.operating_model import default_model
from opsledger.policies.platform import Maintenance
from opsledger.policies.zones import local_time

TITLE = "opsledger platform operations cases"
AREAS = ("maintenance", "credits")
Case = dict[str, Any]
RULES = default_model().maintenance
LONG_BEFORE = 365 * DAY_S * SECOND


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    area = metafunc.function.__name__.removeprefix("test_")
    assert area in AREAS
    found = []
    for path in sorted(Path(metafunc.config.getoption("--cases")).glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("title") == TITLE:
            found += [pytest.param(case, id=f"{path.stem}-{case['id']}") for case in document["cases"] if case["area"] == area]
    metafunc.parametrize("case", found)


def holds(ours: Case, expect: Case) -> None:
    """Assert that the product says everything that is expected; shares to the six places to which cases are compared."""
    assert ours.keys() >= expect.keys(), f"no rule for {expect.keys() - ours.keys()}"
    assert {key: ours[key] for key, stated in expect.items() if not like(ours[key], stated)} == {}


def like(ours: Any, stated: Any) -> bool:
    if isinstance(ours, Fraction):
        return abs(ours - Fraction(str(stated))) <= Fraction(1, 1_000_000)
    return bool(ours == stated)


def interval(texts: Sequence[str]) -> Interval:
    return parse(texts[0]), parse(texts[1])


def short(instant: int) -> str:
    return iso(instant).replace(".000000Z", "Z")


def wall(instant: int, zone: str) -> str:
    """What a local clock reads, to the minute."""
    second = instant // SECOND
    return iso(local_time(zone, second - DAY_S, second + DAY_S).read(second) * SECOND)[:16]


# Maintenance.


def ruled(start: int, **changed: Any) -> Maintenance:
    """Rules of which only those that a case speaks of bind: any time of the start's day, any length, any sum."""
    day = slot_on(RULES.model_copy(update={"zone": "UTC"}), start).day
    free = {"zone": "UTC", "weekday": day.strftime("%a").lower(), "slot_from": "00:00", "slot_until": "24:00"}
    return RULES.model_copy(update={**free, "longest": 10**9, "monthly_cap": 10**9, **changed})


def worked(id: str, planned: Interval, notified_at: int | None = None, **changed: Any) -> Window:
    """A window in which work went on as announced; told of long before where a case does not say when."""
    rules = ruled(planned[0], **changed)
    told = Notice("customers", planned[0] - LONG_BEFORE if notified_at is None else notified_at)
    return Window(id, rules, False, planned, slot_on(rules, planned[0]), (told,), *planned)


def counted(outages: Iterable[Interval], windows: Iterable[Window]) -> timeline.Cells:
    """The cells of a service that was down in these outages, over the time in which there is one or a window."""
    verdicts, outages = judge(windows), sorted(outages)
    spans = [*outages, *(span for verdict in verdicts for span in verdict.excluded)]
    begin, end = min((low for low, _ in spans), default=0), max((high for _, high in spans), default=0)
    down = timeline.laid(begin, end, "up", [[timeline.Stretch(low, high, "down") for low, high in outages]])
    planned = [timeline.Planned(low, high, 0, True, each.window_id, "maintenance") for each in verdicts for low, high in each.excluded]
    cells = timeline.cells(timeline.judged(down, planned, begin, end))
    assert cells.period == end - begin, "the cells add up to the period"
    return cells


def seconds(cells: timeline.Cells) -> Case:
    return {"counted_s": cells.down // SECOND, "excluded_s": cells.down_scheduled // SECOND}


def slot(given: Case) -> Case:
    rules = RULES.model_copy(update={"zone": given["zone"], "slot_from": given["local"][0], "slot_until": given["local"][1]})
    noon = parse(f"{given['date']}T12:00:00Z") // SECOND
    found = slot_on(rules, local_time(given["zone"], noon - 3 * DAY_S, noon + 3 * DAY_S).first(noon) * SECOND)
    hours = Fraction(found.high - found.low, 3600 * SECOND)
    in_new_york = [wall(each, "America/New_York")[11:] for each in (found.low, found.high)]
    return {"start": short(found.low), "end": short(found.high), "hours": hours, "local_ny": in_new_york}


def notice(given: Case) -> Case:
    planned = interval(given.get("window") or given["new_window"])
    window = worked("M-1", planned, parse(given.get("rescheduled_at") or given["notified_at"]))
    (verdict,) = judge([window])
    assert verdict.notice is not None
    said = {"notice_s": verdict.notice // SECOND, "qualifies": verdict.qualifies}
    return said | (seconds(counted([interval(given["outage"])], [window])) if "outage" in given else {})


def latest_notice(given: Case) -> Case:
    """The last instant at which a notice is still in time, found by asking the rules."""
    found = []
    for start in map(parse, given["windows"]):
        told = start - RULES.notice * SECOND
        planned = (start, start + 3600 * SECOND)
        assert [judge([worked("M-1", planned, each)])[0].qualifies for each in (told, told + 1)] == [True, False]
        found.append(told)
    return {"latest": [short(each) for each in found], "local": [wall(each, given["zone"]) for each in found]}


def denominators(given: Case) -> Case:
    cells = availability.Uptime(given["period_s"], given["unplanned_down_s"], given["excluded_s"])
    target = Decimal(given.get("target", "99.9"))
    assert cells.excluded_from_downtime_only is not None and cells.excluded_from_both is not None
    return {
        "maintenance_is_up_pct": 100 * cells.excluded_from_downtime_only,
        "met_a": availability.meets(cells.total_s, cells.down_s, target),
        "maintenance_removed_pct": 100 * cells.excluded_from_both,
        "met_b": availability.meets(cells.total_s - cells.maintenance_s, cells.down_s, target),
    }


def four_cells(given: Case) -> Case:
    inside, outside = given["critical_inside_s"] * SECOND, given.get("critical_outside_s", 0) * SECOND
    day, scheduled = given["day_s"] * SECOND, given["scheduled_s"] * SECOND
    down = [timeline.Stretch(0, inside, "down"), timeline.Stretch(scheduled, scheduled + outside, "down")]
    (verdict,) = judge([worked("M-1", (0, scheduled))])
    planned = [timeline.Planned(*span, 0, True, "M-1", "maintenance") for span in verdict.excluded]
    cells = timeline.cells(timeline.judged(timeline.laid(0, day, "up", [down]), planned, 0, day))
    assert cells.period == day
    names = {"ok_unscheduled_s": cells.up, "ok_scheduled_s": cells.up_scheduled}
    names |= {"critical_scheduled_s": cells.down_scheduled, "critical_unscheduled_s": cells.down}
    return {name: length // SECOND for name, length in names.items()}


def test_maintenance(case: Case) -> None:
    given = case["given"]
    match sorted(given.keys() - {"month", "period_s", "target", "critical_outside_s"}):
        case ["date", "local", "zone"]:
            ours = slot(given)
        case ["outage", "qualifying_windows"]:
            windows = [worked(f"M-{i}", interval(each)) for i, each in enumerate(given["qualifying_windows"])]
            ours = seconds(counted(map(interval, given["outage"]), windows))
        case ["notified_at", "outage", "window"] | ["new_window", "notified_at", "rescheduled_at"]:
            ours = notice(given)
        case ["windows", "zone"]:
            ours = latest_notice(given)
        case ["cap_s", "outages"]:
            windows = [worked(f"M-{i}", interval(each), monthly_cap=given["cap_s"]) for i, each in enumerate(given["outages"])]
            ours = seconds(counted(map(interval, given["outages"]), windows))
        case ["excluded_s", "unplanned_down_s"]:
            ours = denominators(given)
        case ["outage", "windows"]:
            windows = [worked(f"M-{i}", interval(each)) for i, each in enumerate(given["windows"])]
            cells = seconds(counted(map(interval, given["outage"]), windows))
            ours = {"planned_s": cells["excluded_s"], "unplanned_s": cells["counted_s"]}
        case ["critical_inside_s", "day_s", "scheduled_s"]:
            ours = four_cells(given)
        case unknown:
            pytest.fail(f"no rule for a case of maintenance that gives {unknown}")
    holds(ours, case["expect"])


# Credits.

AZURE_FUNCTIONS = [["99.95", 10], ["99.0", 25]]  # the table of the case that prints the formula and no table
ONE_DOLLAR = 100  # in cents: what is not above it is not credited


def credit(tiers: Sequence[Sequence[Any]], share: Fraction) -> int:
    tier = tier_of([(Decimal(str(below)), Decimal(str(percent))) for below, percent in tiers], share.numerator, share.denominator)
    return 0 if tier is None else int(tier[1])


def dollars(fee: str, percent: Any) -> str:
    """The credit for a fee, as the cases write amounts."""
    cents = amount_minor(int(Decimal(fee) * 100), Decimal(str(percent)), "half_even", nothing_up_to_minor=ONE_DOLLAR)
    return f"{cents // 100}.{cents % 100:02d}" if cents else "0"


def test_credits(case: Case) -> None:
    given = case["given"]
    match sorted(given):
        case ["tiers", "uptime_pct"]:
            ours: Case = {"credit_pct": [credit(given["tiers"], Fraction(each) / 100) for each in given["uptime_pct"]]}
        case ["downtime_min", "instances", "max_available_min"]:
            cells = availability.Uptime(given["max_available_min"], given["downtime_min"], 0)
            assert cells.excluded_from_both is not None
            ours = {"uptime_pct": 100 * cells.excluded_from_both, "credit_pct": credit(AZURE_FUNCTIONS, cells.excluded_from_both)}
        case ["credit_pct", "fees"]:
            ours = {"amount": [dollars(fee, given["credit_pct"]) for fee in given["fees"]]}
        case ["down_s", "period_s", "tiers"]:
            share = Fraction(given["period_s"] - given["down_s"], given["period_s"])
            shown = round(100 * 100 * share)
            ours = {"display": f"{shown // 100}.{shown % 100:02d}", "credit_pct": credit(given["tiers"], share)}
        case unknown:
            pytest.fail(f"no rule for a case of credits that gives {unknown}")
    holds(ours, case["expect"])
