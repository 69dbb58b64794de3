"""The real history of a status page, against the page itself, read without the importer."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opsledger.app import OpsLedger
from opsledger.domain import slo
from opsledger.importers.statuspage import ImportResult, Terms, import_statuspage
from opsledger.importers.statuspage_facts import service_id
from opsledger.policies.instants import SECOND, at

SEVERITIES = {"critical": "critical", "major": "high", "minor": "medium", "none": "low"}
BEGAN = at("2022-03-24T00:00:00Z")
Entry = dict[str, Any]
Import = tuple[OpsLedger, ImportResult]


@pytest.fixture(scope="module")
def path(availability_data: Path) -> Path:
    return availability_data / "github_incidents.jsonl.xz"


@pytest.fixture(scope="module")
def page(path: Path) -> list[Entry]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def imported(path: Path, page: list[Entry], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Import]:
    """Give a ledger with the history and, for each service, an objective that incidents measure."""
    with OpsLedger.create(f"sqlite:///{tmp_path_factory.mktemp('page')}/ops.db") as ledger:
        result = import_statuspage(ledger, path)
        for name in sorted({service_id(each) for entry in page for each in entry.get("components", ())}):
            promised: dict[str, Any] = {"service_id": name, "target_pct": Decimal("99.9"), "measured_by": "incidents"}
            ledger.by("u-1", at=BEGAN).record(slo.publish, name, proposed_by="u-1", approved_by="u-2", **promised)
        ledger.catch_up()
        yield ledger, result


def incidents(page: list[Entry]) -> dict[str, Entry]:
    return {entry["id"]: entry for entry in page if entry["impact"] != "maintenance"}


def window(entry: Entry) -> tuple[datetime, datetime]:
    """Return when an incident hurt, no later than its resolution; where that lies outside, as long as it was open."""
    resolved = at(entry["resolved_at"])
    start, stop = at(entry["downtime_start"]), min(at(entry["downtime_end"]), resolved)
    return (start, stop) if start <= stop else (at(entry["started_at"]), resolved)


def test_all_incidents_are_taken_in_and_work_on_no_named_component_is_listed(imported: Import, page: list[Entry]) -> None:
    ledger, result = imported
    assert (result.rows, result.new, result.known, result.changed, result.quarantined) == (819, 814, 0, 0, 5)
    nameless = {entry["id"] for entry in page if entry["impact"] == "maintenance" and not entry.get("components")}
    rows = ledger.tables.select("import_quarantine")
    assert {(row["source_id"], row["reason"], row["unreadable_column"]) for row in rows} == {
        (id, "malformed", "components") for id in nameless
    }
    assert {kind: dirt.count for kind, dirt in result.dirt.items()} == {
        "components_guessed": 88,
        "downtime_after_end": 15,
        "plan_is_unknown": 18,
        "same_update_twice": 70,
        "told_when_over": 29,
        "without_component": 158,
    }


def test_times_severity_and_updates_are_the_pages_incident_by_incident(imported: Import, page: list[Entry]) -> None:
    ledger, _ = imported
    rows = {row["incident_id"]: row for row in ledger.tables.select("incident")}
    theirs = incidents(page)
    assert rows.keys() == theirs.keys()
    for id, entry in theirs.items():
        row = rows[id]
        assert (row["status"], row["severity"]) == ("resolved", SEVERITIES[entry["impact"]]), id
        assert (row["declared_at"], row["resolved_at"]) == (at(entry["started_at"]), at(entry["resolved_at"])), id
        assert row["status_update_count"] == len(entry["updates"]), id
        if at(entry["downtime_start"]) <= at(entry["resolved_at"]):
            assert row["impact_started_at"] == at(entry["downtime_start"]), id
        assert row["acknowledged_at"] is row["root_cause_identified_at"] is row["closed_at"] is None


def test_components_are_affected_in_the_downtime_that_the_page_sums_up(imported: Import, page: list[Entry]) -> None:
    ledger, _ = imported
    rows = {(row["incident_id"], row["service_id"]): row for row in ledger.tables.select("incident_service")}
    theirs = {(id, service_id(each)): entry for id, entry in incidents(page).items() for each in entry.get("components", ())}
    assert rows.keys() == theirs.keys()
    for key, entry in theirs.items():
        start, stop = window(entry)
        if at(entry["downtime_start"]) <= at(entry["resolved_at"]):
            assert rows[key]["affected_at"] == start, key
        assert rows[key]["restored_at"] == stop, key


class Minutes:
    """Minutes since BEGAN in which incidents had a service down or degraded, and how many they sum up to. The page tells whole ones."""

    def __init__(self) -> None:
        self.down: set[int] = set()
        self.degraded: set[int] = set()
        self.summed = 0

    def add(self, entry: Entry) -> None:
        if entry["impact"] != "none":
            start, stop = ((each - BEGAN) // timedelta(minutes=1) for each in window(entry))
            (self.degraded if entry["impact"] == "minor" else self.down).update(range(start, stop))
            self.summed += stop - start

    def of(self, ledger: OpsLedger, name: str) -> list[int]:
        """Return the same three figures as our tables have them: down, degraded, unknown."""
        rows = ledger.tables.select("sla_month", service_id=name)
        return [sum(row[column] for row in rows) // (60 * SECOND) for column in ("down_unscheduled_us", "degraded_us", "unknown_us")]


def test_overlapping_windows_are_counted_once(imported: Import, page: list[Entry]) -> None:
    ledger, _ = imported
    hurt: dict[str, Minutes] = {}
    for entry in incidents(page).values():
        for each in entry.get("components", ()):
            hurt.setdefault(service_id(each), Minutes()).add(entry)
    assert {row["service_id"] for row in ledger.tables.select("sla_month")} == hurt.keys()
    for name, minutes in hurt.items():
        assert minutes.of(ledger, name) == [len(minutes.down), len(minutes.degraded - minutes.down), 0], name
    assert sum(each.summed - len(each.down | each.degraded) for each in hurt.values()) == 373  # minutes said twice


def test_maintenance_is_kept_without_a_notice_that_nobody_told_of(imported: Import, page: list[Entry]) -> None:
    ledger, _ = imported
    rows = {(row["window_id"], row["service_id"]): row for row in ledger.tables.select("maintenance_window")}
    named = {entry["id"]: entry for entry in page if entry["impact"] == "maintenance" and entry.get("components")}
    assert rows.keys() == {(id, service_id(each)) for id, entry in named.items() for each in entry["components"]}
    for (id, _), row in rows.items():
        times = {update["status"]: at(update["at"]) for update in named[id]["updates"]}
        assert (row["scheduled_at"], row["started_at"], row["ended_at"]) == (
            times["Scheduled"],
            times["In progress"],
            times["Completed"],
        )
        assert (row["notified_at"], row["qualifies"], row["excluded_s"]) == (None, False, 0)
        assert "notice" in row["disqualified_by"]


def test_a_page_taken_as_one_service_is_down_for_the_union_of_its_incidents(path: Path, page: list[Entry], tmp_path: Path) -> None:
    """Then nothing is without a service either, and whoever says that the page notifies customers has notices to judge."""
    everything = Terms(services={each: "github" for entry in page for each in entry.get("components", ())}, otherwise="github")
    with OpsLedger.create(f"sqlite:///{tmp_path}/ops.db") as ledger:
        result = import_statuspage(ledger, path, terms=replace(everything, notifies="customers"))
        assert (result.new, result.quarantined) == (819, 0)
        promised: dict[str, Any] = {"service_id": "github", "target_pct": Decimal("99.9"), "measured_by": "incidents"}
        ledger.by("u-1", at=BEGAN).record(slo.publish, "github", proposed_by="u-1", approved_by="u-2", **promised)
        ledger.catch_up()
        hurt = Minutes()
        for entry in incidents(page).values():
            hurt.add(entry)
        assert hurt.of(ledger, "github") == [len(hurt.down), len(hurt.degraded - hurt.down), 0]
        assert hurt.summed - len(hurt.down | hurt.degraded) == 4563  # minutes said more than once: 76 hours
        windows = ledger.tables.select("maintenance_window")
        assert len(windows) == 18
        for row in windows:
            assert ("notice" in (row["disqualified_by"] or "")) is (row["notice_s"] < 72 * 3600), row["window_id"]


def test_the_same_history_again_adds_nothing(imported: Import, path: Path) -> None:
    ledger, _ = imported
    result = import_statuspage(ledger, path)
    assert (result.new, result.known, result.changed, result.quarantined, result.facts) == (0, 814, 0, 5, 0)


def test_live_tables_equal_rebuilt_ones(imported: Import) -> None:
    ledger, _ = imported
    assert [difference for difference in ledger.tables.rebuild() if difference.rows] == []
