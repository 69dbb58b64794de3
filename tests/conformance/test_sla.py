"""Published and derived SLA cases, through the product's own calendars, clocks and availability arithmetic.

Runs every file of `--cases DIR` (default: the product's own copy) that says `"format": "opsledger-sla-cases/1"`.
"""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from opsledger.policies import availability
from opsledger.policies.calendar import BusinessTime, CalendarDefinition, compile_calendar
from opsledger.policies.clock import Clock
from opsledger.policies.clocks import run
from opsledger.policies.instants import DAY_S, SECOND, iso, parse
from opsledger.policies.metric import Metric, Rules, Signal, Target
from opsledger.policies.operating_model import default_model
from opsledger.policies.zones import local_time

FORMAT = "opsledger-sla-cases/1"
Case = dict[str, Any]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    kind = {"test_arithmetic": "arithmetic", "test_history": "histories", "test_availability": "availability"}[metafunc.function.__name__]
    found = []
    for path in sorted(Path(metafunc.config.getoption("--cases")).glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("format") == FORMAT:
            found += [pytest.param(document["calendars"], case, id=f"{path.stem}-{case['id']}") for case in document.get(kind, [])]
    metafunc.parametrize(("calendars", "case"), found)


def business_time(definition: Case, around: str) -> BusinessTime:
    """Compile a case's calendar from ten days before its first instant to six years after."""
    start = parse(around) // SECOND // DAY_S * DAY_S - 10 * DAY_S
    calendar = CalendarDefinition(
        zone=definition["tz"],
        weekly=definition["weekly"],
        holidays=definition.get("holidays", ()),
        shifts=definition.get("shifts", {}),
        breaks=definition.get("breaks", {}),
    )
    return BusinessTime(compile_calendar(calendar, start, start + 2192 * DAY_S))


def test_arithmetic(calendars: dict[str, Case], case: Case) -> None:
    calendar = business_time(calendars[case["calendar"]], case["from"])
    start = parse(case["from"])
    match case["op"]:
        case "elapsed":
            assert calendar.elapsed(start, parse(case["to"])) == case["expected_seconds"] * SECOND
        case "add":
            length = case["seconds"] * SECOND
            assert iso(calendar.due(start, length)) == iso(parse(case["expected_due"]))
            assert iso(calendar.breach(start, length)) == iso(parse(case["expected_breach"]))
        case "add_business_days":
            expected = case.get("recommended_rule_result", case["expected"])
            assert iso(calendar.business_days(start, case["days"])) == iso(parse(expected))
        case unknown:
            pytest.fail(f"no rule for arithmetic of kind {unknown}")


class Known:
    """One policy and one calendar, as a case states them."""

    def __init__(self, policy: Case, calendar: BusinessTime) -> None:
        by_priority = policy.get("targets_by_priority") or {"": policy["targets"]}
        targets = {
            (metric, priority, ""): Target("the case's", seconds=seconds)
            for priority, metrics in by_priority.items()
            for metric, seconds in metrics.items()
        }
        change = policy.get("priority_change", "keep_elapsed")
        self._calendar = calendar
        self._rules = Rules(
            metrics=tuple(metric(name, policy) for name in dict.fromkeys(name for name, _, _ in targets)),
            targets=targets,
            priority_change="keep_elapsed" if change in ("keep_elapsed", "retarget_keep_elapsed") else "restart",
        )

    def rules(self, ref: str) -> Rules:
        return self._rules

    def calendar(self, name: str) -> BusinessTime:
        return self._calendar


def metric(name: str, policy: Case) -> Metric:
    """The product's own metric of that name, with the case's pauses and rule of reopening; else one like resolution."""
    product = default_model().support.metrics
    stated = product.get(name, product["resolution"]).metric(name)
    pauses = frozenset(policy.get("pauses", {}).get(name, ()))
    reopen = policy.get("reopen", "resume")
    return Metric(stated.name, stated.start_on, stated.stop_on, pauses, stated.repeats, stated.after, reopen, "promise")


def signals(events: list[Case]) -> list[Signal]:
    """The case's events as the signals that a ticket's facts give. What is not public speech to the customer is no signal."""
    found = [Signal(0, 0, "policy", "the case's")]
    for position, event in enumerate(events, 1):
        at, kind, arg = parse(event["at"]), event["type"], event.get("arg") or ""
        match kind:
            case "created":
                if arg and not arg.startswith("priority="):
                    found.append(Signal(at, position, "paused", arg))
                found.append(Signal(at, position, "created", arg.removeprefix("priority=") if arg.startswith("priority=") else ""))
            case "pending" | "on_hold":
                found.append(Signal(at, position, "paused", kind))
            case "policy_unmatched" | "merged" | "deleted" | "cancelled":
                found.append(Signal(at, position, "cancelled"))
            case "spam":
                found.append(Signal(at, position, "voided"))
            case "resumed" | "resolved" | "closed" | "reopened" | "agent_reply" | "customer_reply" | "public_update":
                found.append(Signal(at, position, kind))
            case "priority_changed":
                found.append(Signal(at, position, kind, arg.removeprefix("priority=")))
            case "internal_note" | "auto_reply" | "assigned":
                pass
            case unknown:
                pytest.fail(f"no rule for a {unknown} event")
    return found


def shown(clock: Clock, as_of: int, expected: Case) -> Case:
    """What the product says, under the case's names. The cases call an open clock past its breach "breached"."""
    reading = clock.reading(as_of)
    said = {
        "started_at": iso(clock.started_at),
        "due_at": reading.due_at and iso(reading.due_at),
        "breach_at": reading.breach_at and iso(reading.breach_at),
        "stopped_at": clock.stopped_at and iso(clock.stopped_at),
        "elapsed_seconds": Fraction(reading.elapsed, SECOND),
        "paused_seconds": Fraction(reading.paused, SECOND),
        "outcome": "breached" if reading.outcome == "overdue" else reading.outcome,
        "prior_breaches": [{"target": target // SECOND, "breach_at": iso(at)} for target, at in clock.earlier_breaches],
    }
    return {key: said[key] for key in expected}


def normal(expected: Case) -> Case:
    def value(key: str, stated: Any) -> Any:
        if key.endswith("_at") and stated is not None:
            return iso(parse(stated))
        if key == "prior_breaches":
            return [{**breach, "breach_at": iso(parse(breach["breach_at"]))} for breach in stated]
        return stated

    return {key: value(key, stated) for key, stated in expected.items()}


def test_history(calendars: dict[str, Case], case: Case) -> None:
    as_of = parse(case["as_of"])
    calendar = business_time(calendars[case["calendar"]], case["events"][0]["at"])
    heard = [signal for signal in signals(case["events"]) if signal.at <= as_of]
    clocks = list(run(heard, Known(case["policy"], calendar)))
    for name, cycles in case["expected"].items():
        ours = [clock for clock in clocks if clock.metric.name == name]
        assert [shown(clock, as_of, expected) for clock, expected in zip(ours, cycles, strict=True)] == [normal(each) for each in cycles]
    for clock in clocks:
        explained = clock.segments(as_of)
        reading = clock.reading(as_of)
        assert sum(part.stop - part.start for part in explained if part.kind == "paused") == reading.paused
        counted = sum(part.stop - part.start for part in explained if part.kind == "counted")
        assert counted == reading.elapsed
        assert sum(part.stop - part.start for part in explained) == (clock.stopped_at or as_of) - clock.started_at


def interval(texts: list[str]) -> tuple[int, int]:
    return parse(texts[0]) // SECOND, parse(texts[1]) // SECOND


def exact(number: Any) -> Decimal:
    return Decimal(str(number))


def test_availability(calendars: dict[str, Case], case: Case) -> None:
    match case["op"]:
        case "budget":
            assert availability.budget(case["total_seconds"], exact(case["target"])) == Fraction(case["expected_budget_seconds"])
        case "uptime":
            outages = [interval(each) for each in case["outages"]]
            cells = availability.uptime(case["total_seconds"], outages, [interval(each) for each in case.get("maintenance", [])])
            assert cells.down_s == case["expected"]["counted_down_seconds"]
            for rule in ("excluded_from_both", "excluded_from_downtime_only"):
                if rule in case["expected"]:
                    assert getattr(cells, rule) == Fraction(case["expected"][rule])
        case "verdict":
            met = availability.meets(case["total_seconds"], case["down_seconds"], exact(case["target"]))
            assert ("met" if met else "breached") == case["expected"].replace("missed", "breached")
        case "split":
            low, high = interval(case["outage"])
            local = local_time(case.get("zone", "UTC"), low - 40 * DAY_S, high + 40 * DAY_S)
            assert availability.by_month((low, high), local) == case["expected"]
        case "maintenance_credit":
            announced = parse(case["announced"]) // SECOND
            notice_s = default_model().maintenance.notice
            assert availability.excluded_maintenance(interval(case["window"]), announced, notice_s) == case["expected"]["excluded_seconds"]
        case "credit":
            table = [(exact(bound), exact(percent)) for bound, percent in case["table"]]
            assert availability.credit_pct(table, Fraction(exact(case["monthly_uptime"]))) == exact(case["expected_percent"])
        case unknown:
            pytest.fail(f"no rule for availability of kind {unknown}")
