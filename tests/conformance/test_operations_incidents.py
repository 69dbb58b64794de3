"""Published cases of incident metrics, through the product's own decisions, tables and views.

Runs every file of `--cases DIR` that holds cases of the area `incident_metrics`; kinds of cases are told apart by what they give. Each is
told to a ledger, whose tables answer. Times without a date are of one day; severities SEV1 to SEV4 are ours from critical to low.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from opsledger.app import OpsLedger
from opsledger.domain import incident
from opsledger.policies.instants import SECOND, micros, moment, parse
from opsledger.policies.operating_model import default_model
from opsledger.policies.support import Priority
from opsledger.policies.updates import gaps
from opsledger.replay.asof import as_of, replay
from opsledger.replay.tables import Tables
from opsledger.testing import at
from opsledger.testing.plugin import Clock

Case = dict[str, Any]
DAY = "2026-03-02"
LONG_AFTER = "2027-01-01T00:00:00Z"
MINUTE = timedelta(minutes=1)
SEVERITIES: dict[str, incident.Severity] = {"SEV1": "critical", "SEV2": "high", "SEV3": "medium", "SEV4": "low"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    found = []
    for path in sorted(Path(metafunc.config.getoption("--cases")).glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        cases = document.get("cases", []) if isinstance(document, dict) else []
        found += [pytest.param(case, id=f"{path.stem}-{case['id']}") for case in cases if case.get("area") == "incident_metrics"]
    metafunc.parametrize("case", found)


def test_case(case: Case, opsledger_sqlite: OpsLedger, opsledger_clock: Clock, tmp_path: Path) -> None:
    ledger, given, expected = opsledger_sqlite, case["given"], case["expect"]
    opsledger_clock.set(LONG_AFTER)
    match sorted(given):
        case ["incidents"]:
            told = milestones(ledger, given["incidents"])
        case ["outages_s", "period_s"]:
            told = between_failures(ledger, tmp_path, given["period_s"], laid_out(given["period_s"], given["outages_s"]))
        case ["outages", "period_s"]:
            outages = [(at(begin), at(end)) for begin, end in given["outages"]]
            told = between_failures(ledger, tmp_path, given["period_s"], outages)
        case ["minutes"]:
            told = spread(ledger, given["minutes"])
        case ["events"]:
            told = history(ledger, given["events"])
        case ["resolved", "start", "updates"]:
            told = cadence(ledger, given)
        case unknown:
            pytest.fail(f"no rule for a case of incident metrics that gives {', '.join(unknown)}")
    assert {name: said(told[name]) for name in expected} == {name: said(value) for name, value in expected.items()}


def said(value: Any) -> Any:
    """A number to nine places, as the cases print theirs; anything else as it is."""
    if isinstance(value, str) and value.lstrip("-").replace(".", "", 1).isdigit():
        value = Fraction(value)
    return round(Fraction(value), 6) if isinstance(value, int | Fraction) and not isinstance(value, bool) else value


def on(time: str) -> datetime:
    return at(f"{DAY}T{time}:00Z" if len(time) == 5 else time)


def act(ledger: OpsLedger, when: datetime, decision: Any, id: str = "INC-1", **arguments: Any) -> None:
    ledger.by("u-7", role="sre", at=when).record(decision, id, **arguments)


def declare(ledger: OpsLedger, when: datetime, id: str = "INC-1", **given: Any) -> None:
    asked: Case = {"detection_source": "monitoring", "severity": "critical", "title": "The case", **given}
    act(ledger, when, incident.declare, id, **asked)


def rows(ledger: OpsLedger, table: str, **where: Any) -> list[Case]:
    return ledger.tables.select(table, at_least=ledger.store.head().position, **where)


def months(ledger: OpsLedger) -> list[Case]:
    return rows(ledger, "incident_kpi_month", severity="critical", service_id="*")


def minutes(since: datetime, until: datetime) -> Fraction:
    return Fraction(micros(until) - micros(since), 60 * SECOND)


def milestones(ledger: OpsLedger, incidents: list[Case]) -> Case:
    for each in incidents:
        id = f"INC-{each['id']}"
        declare(ledger, on(each["detected"]), id, impact_started_at=on(each["impact"]))
        for name, decision in (("ack", incident.acknowledge), ("mitigated", incident.mitigate), ("resolved", incident.resolve)):
            act(ledger, on(each[name]), decision, id)
    (month,) = [each for each in months(ledger) if each["resolved"]]
    means = {metric: Fraction(month[f"{metric}_sum_s"], 60 * month[f"{metric}_n"]) for metric in ("ttd", "tta", "ttm", "ttr")}
    found = rows(ledger, "incident")
    return {
        "MTTD": means["ttd"],
        "MTTA_from_detect": means["tta"],
        "MTTA_from_impact": mean(minutes(each["impact_started_at"], each["acknowledged_at"]) for each in found),
        "MTTM": means["ttm"],
        "MTTR_from_impact": means["ttr"],
        "MTTR_from_detect": mean(minutes(each["detected_at"], each["resolved_at"]) for each in found),
        "median_TTR": Fraction(month["ttr_median_s"], 60),
    }


def mean(lengths: Iterable[Fraction]) -> Fraction:
    listed = list(lengths)
    return sum(listed, Fraction(0)) / len(listed)


def laid_out(period_s: int, outages_s: list[int]) -> list[tuple[datetime, datetime]]:
    """Put outages of these lengths into a period from January 2026 on, the first at its start, with a second between them."""
    start, found = parse("2026-01-01T00:00:00Z"), []
    for length in outages_s:
        found.append((moment(start), moment(start + length * SECOND)))
        start += (length + 1) * SECOND
    assert not found or found[-1][1] <= moment(parse("2026-01-01T00:00:00Z") + period_s * SECOND)
    return found


def between_failures(ledger: OpsLedger, folder: Path, period_s: int, outages: list[tuple[datetime, datetime]]) -> Case:
    """Let a period begin with the month of the first outage, show the tables as of its end, and sum up its months."""
    first = min((begin for begin, _ in outages), default=at("2026-01-01T00:00:00Z")).replace(day=1, hour=0, minute=0, second=0)
    end = first + timedelta(seconds=period_s)
    declare(ledger, first, "INC-first", severity="low", impact_started_at=first)
    for i, (begin, over) in enumerate(outages):
        declare(ledger, begin, f"INC-{i}", impact_started_at=begin)
        act(ledger, over, incident.resolve, f"INC-{i}")
    tables = Tables(sa.create_engine(f"sqlite:///{folder}/then.db"))
    replay(ledger.store, tables, as_of(ledger.store, effective_at=micros(end)))
    found = [each for each in tables.select("incident_kpi_month", severity="critical", service_id="*") if each["period_s"]]
    assert sum(each["period_s"] for each in found) == period_s
    failures, down_s = (sum(each[name] for each in found) for name in ("failures", "down_s"))
    if len(found) == 1:
        assert found[0]["mtbf_s"] == ((period_s - down_s) // failures if failures else None)
    return {
        "failures": failures,
        "mtbf_s": Fraction(period_s - down_s, failures) if failures else None,
        "mttr_s": Fraction(down_s, failures) if failures else None,
        "availability_pct": Fraction(100 * (period_s - down_s), period_s),
    }


def spread(ledger: OpsLedger, lengths: list[int]) -> Case:
    for i, length in enumerate(lengths):
        declare(ledger, on("10:00"), f"INC-{i}", impact_started_at=on("10:00"))
        act(ledger, on("10:00") + length * MINUTE, incident.resolve, f"INC-{i}")
    (month,) = [each for each in months(ledger) if each["resolved"]]
    return {
        "n": month["ttr_n"],
        "mean": Fraction(month["ttr_sum_s"], 60 * month["ttr_n"]),
        "median": Fraction(month["ttr_median_s"], 60),
        "p90_nearest_rank": Fraction(month["ttr_p90_s"], 60),
    }


DECISIONS: dict[str, Any] = {
    "acknowledged": incident.acknowledge,
    "unacknowledged": incident.unacknowledge,
    "unacknowledged_by_timeout": incident.unacknowledge,
    "mitigated": incident.mitigate,
    "resolved": incident.resolve,
    "reopened": incident.reopen,
    "unresolved": incident.reopen,
    "severity_changed": incident.change_severity,
}


def history(ledger: OpsLedger, events: list[list[Any]]) -> Case:
    """Tell one incident event by event; its first resolution is looked at when it comes."""
    first: Case | None = None
    for time, kind, *what in events:
        severity = {"severity": SEVERITIES[what[0]]} if what and what[0] else {}
        if kind in ("triggered", "declared"):
            declare(ledger, on(time), impact_started_at=on(time), **severity)
            continue
        if kind not in DECISIONS:
            pytest.fail(f"no rule for a {kind} event of an incident")
        cause = {"cause": "timeout"} if kind == "unacknowledged_by_timeout" else {}
        act(ledger, on(time), DECISIONS[kind], **severity, **cause)
        if kind == "resolved" and first is None:
            (first,) = rows(ledger, "incident")
    (found,) = rows(ledger, "incident")
    at_each: dict[str, Fraction] = {}
    words = {ours: theirs for theirs, ours in SEVERITIES.items()}
    for each in rows(ledger, "incident_interval"):
        if each["status"] in ("open", "mitigated"):
            label = words[each["severity"]]
            at_each[label] = at_each.get(label, Fraction(0)) + minutes(each["from_at"], each["to_at"])
    in_minutes = {f"{name}_min": in_min(found[f"{name}_s"]) for name in ("tta", "ttd", "ttm", "ttr", "open")}
    return {
        **in_minutes,
        "unacked_min": in_min(found["unacknowledged_s"]),
        "ttr_first_min": in_min(first["ttr_s"]) if first else None,
        "ttr_final_min": in_min(found["ttr_s"]),
        "reopen_count": found["reopen_count"],
        "peak": words[found["peak_severity"]],
        "final": words[found["severity"]],
        "minutes": at_each,
    }


def in_min(seconds: int | None) -> Fraction | None:
    return None if seconds is None else Fraction(seconds, 60)


def cadence(ledger: OpsLedger, given: Case) -> Case:
    """Gaps by the rule that the control uses, and the findings that the control has."""
    start, end, updates = on(given["start"]), on(given["resolved"]), [on(each) for each in given["updates"]]
    declare(ledger, start, impact_started_at=start)
    for each in updates:
        act(ledger, each, incident.publish_status, audience="customers", phase="investigating")
    act(ledger, end, incident.resolve)
    allowed = default_model().incidents.update_within[Priority.CRITICAL] * SECOND
    found = gaps(micros(start), map(micros, updates), micros(end))
    breaches = len([gap for gap in found if gap.too_long_at(allowed) is not None])
    assert len(rows(ledger, "control_finding", control="status_update_late")) == breaches
    return {"gaps_min": [Fraction((gap.end or 0) - gap.start, 60 * SECOND) for gap in found], "breaches": breaches}
