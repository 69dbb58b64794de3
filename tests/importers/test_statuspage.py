"""Which facts an entry of a status page says, and which entries are set aside."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from status_page import facts, incident, maintenance, quarantine, take, write

from opsledger.app import OpsLedger
from opsledger.domain import incident as i
from opsledger.domain import maintenance as m
from opsledger.domain import service, slo
from opsledger.errors import BadInput, Refused
from opsledger.importers import statuspage
from opsledger.importers.statuspage_facts import service_id
from opsledger.policies.instants import at, moment


def kinds(ledger: OpsLedger, stream: str) -> list[tuple[str, str]]:
    """Return topic and minute of the facts of a stream."""
    return [(each.topic, f"{moment(each.occurred_at):%H:%M}") for each in ledger.history(stream)]


# Incidents.


def test_an_incident_is_declared_told_of_restored_and_resolved(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    result = take(opsledger_sqlite, write(tmp_path / "page.jsonl", incident("71", components=["Pages", "Git Operations"])))
    assert (result.rows, result.new, result.facts, result.quarantined, dict(result.dirt)) == (1, 1, 7, 0, {})
    assert kinds(opsledger_sqlite, "incident:71") == [
        ("incident.declared", "10:00"),
        ("incident.status_published", "10:00"),
        ("incident.status_published", "10:40"),
        ("incident.status_published", "11:00"),
        ("incident.service_restored", "11:00"),
        ("incident.service_restored", "11:00"),
        ("incident.resolved", "11:00"),
    ]
    declared, *updates = facts(opsledger_sqlite, "incident:71")[:4]
    assert isinstance(declared, i.Declared)
    assert (declared.severity, declared.detection_source, declared.detected_at) == ("high", "third_party", at("2026-02-02T10:00:00Z"))
    assert (declared.services, declared.impact_started_at) == (("pages", "git-operations"), None)
    assert [each.phase for each in updates if isinstance(each, i.StatusPublished)] == ["investigating", "monitoring", "resolved"]
    assert {each.audience for each in updates if isinstance(each, i.StatusPublished)} == {"public"}


def test_its_title_is_sealed_for_the_incident_itself(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    take(opsledger_sqlite, write(tmp_path / "page.jsonl", incident("71", title="Ada's pages are down")))
    (declared, *_) = opsledger_sqlite.history("incident:71")
    assert declared.fact.subject_id == "incident:71"
    assert opsledger_sqlite.reveal(declared)["title"] == "Ada's pages are down"
    assert b"Ada" not in b"".join(row.state for row in opsledger_sqlite.store.stream("incident:71"))


@pytest.mark.parametrize(("impact", "severity"), [("critical", "critical"), ("major", "high"), ("minor", "medium"), ("none", "low")])
def test_the_impact_is_the_severity(opsledger_sqlite: OpsLedger, tmp_path: Path, impact: str, severity: str) -> None:
    take(opsledger_sqlite, write(tmp_path / "page.jsonl", incident("71", impact=impact)))
    opsledger_sqlite.catch_up()
    (row,) = opsledger_sqlite.tables.select("incident")
    assert (row["severity"], row["status"], row["ttr_s"]) == (severity, "resolved", None)  # nobody said when the impact began


def test_the_downtime_that_the_page_sums_up_is_known_at_the_resolution(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    downtime = {"downtime_start": "2026-02-02T09:45:00Z", "downtime_end": "2026-02-02T10:30:00Z"}
    take(opsledger_sqlite, write(tmp_path / "page.jsonl", incident("71", **downtime)))
    stated, restored, _ = facts(opsledger_sqlite, "incident:71")[-3:]
    assert stated == i.ImpactStartStated(stated_at=at("2026-02-02T11:00:00Z"), impact_started_at=at("2026-02-02T09:45:00Z"))
    assert restored == i.ServiceRestored(restored_at=at("2026-02-02T10:30:00Z"), service_id="pages")
    opsledger_sqlite.catch_up()
    (row,) = opsledger_sqlite.tables.select("incident_service")
    assert (row["affected_at"], row["restored_at"]) == (at("2026-02-02T09:45:00Z"), at("2026-02-02T10:30:00Z"))


def test_downtime_counts_until_the_resolution_and_is_counted_as_dirt_where_it_goes_on(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    downtime = {"downtime_start": "2026-02-02T09:45:00Z", "downtime_end": "2026-02-02T12:00:00Z"}
    result = take(opsledger_sqlite, write(tmp_path / "page.jsonl", incident("71", **downtime)))
    assert result.dirt["downtime_after_end"].first_rows == (1,)
    assert facts(opsledger_sqlite, "incident:71")[-2] == i.ServiceRestored(restored_at=at("2026-02-02T11:00:00Z"), service_id="pages")


def test_downtime_that_begins_after_the_resolution_is_left_out(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    downtime = {"downtime_start": "2026-02-02T22:00:00Z", "downtime_end": "2026-02-02T23:00:00Z"}  # evening for morning
    result = take(opsledger_sqlite, write(tmp_path / "page.jsonl", incident("71", **downtime)))
    assert list(result.dirt) == ["downtime_after_end"]
    assert i.ImpactStartStated not in map(type, facts(opsledger_sqlite, "incident:71"))


def test_an_update_keeps_the_phase_and_so_does_a_word_that_nobody_knows(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    told = (("10:00", "Identified"), ("10:10", "Update"), ("10:20", "Pondering"), ("10:30", "Resolved"), ("15:00", "Postmortem"))
    result = take(opsledger_sqlite, write(tmp_path / "page.jsonl", incident("71", *told)))
    phases = [each.phase for each in facts(opsledger_sqlite, "incident:71") if isinstance(each, i.StatusPublished)]
    assert phases == ["identified", "identified", "identified", "resolved", "resolved"]
    assert list(result.dirt) == ["unknown_status"]


def test_work_after_a_resolution_is_a_reopening(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    told = (("10:00", "Investigating"), ("10:30", "Resolved"), ("10:50", "Investigating"), ("11:30", "Resolved"))
    take(opsledger_sqlite, write(tmp_path / "page.jsonl", incident("71", *told)))
    opsledger_sqlite.catch_up()
    (row,) = opsledger_sqlite.tables.select("incident")
    assert (row["status"], row["reopen_count"], row["resolved_at"]) == ("resolved", 1, at("2026-02-02T11:30:00Z"))


def test_the_decisions_on_an_incident_go_on_with_an_imported_one(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    take(opsledger_sqlite, write(tmp_path / "page.jsonl", incident("71")))
    actor = opsledger_sqlite.by("u-7")
    with pytest.raises(Refused, match="reopen it first"):
        actor.record(i.acknowledge, "71")
    actor.record(i.identify_root_cause, "71", cause="A full disk", category="capacity")
    actor.record(i.hold_review, "71")
    actor.record(i.close, "71")
    opsledger_sqlite.catch_up()
    (row,) = opsledger_sqlite.tables.select("incident")
    assert (row["status"], row["root_cause_category"]) == ("closed", "capacity")
    assert [difference for difference in opsledger_sqlite.tables.rebuild() if difference.rows] == []


# Services.


@pytest.mark.parametrize(
    ("component", "service"),
    [("Git Operations", "git-operations"), ("API Requests", "api-requests"), ("Visit www", "visit-www"), ("***", "***")],
)
def test_a_component_is_the_service_of_its_name(component: str, service: str) -> None:
    assert service_id(component) == service


def test_a_component_can_be_mapped_to_a_service_and_two_to_the_same(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    entry = incident("71", components=["API Requests", "Webhooks", "Pages"])
    take(opsledger_sqlite, write(tmp_path / "page.jsonl", entry), services={"API Requests": "api", "Webhooks": "api"})
    declared = facts(opsledger_sqlite, "incident:71")[0]
    assert isinstance(declared, i.Declared)
    assert declared.services == ("api", "pages")


def test_an_entry_without_components_is_about_no_service_unless_one_is_named(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    first = take(opsledger_sqlite, write(tmp_path / "page.jsonl", incident("71", components=None), maintenance("81", components=[])))
    assert (first.new, first.dirt["without_component"].count) == (1, 2)
    assert quarantine(opsledger_sqlite) == [(2, "malformed", "81", "components")]  # a window is of some service
    take(
        opsledger_sqlite,
        write(tmp_path / "more.jsonl", incident("72", components=None), maintenance("81", components=[])),
        otherwise="platform",
    )
    opsledger_sqlite.catch_up()
    assert [row["incident_id"] for row in opsledger_sqlite.tables.select("incident_service")] == ["72"]
    assert [row["service_id"] for row in opsledger_sqlite.tables.select("maintenance_window")] == ["platform"]


def test_overlapping_incidents_are_one_downtime(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    """10:00 to 11:00 and 10:30 to 11:30 are 90 minutes together, and the degradation of 10:45 to 11:45 adds 15 that are not down."""
    owner = opsledger_sqlite.by("u-1", at=at("2026-02-01T00:00:00Z"))
    owner.record(service.register, "pages", name="Pages", kind="web", owner_id="team-3")
    promised: dict[str, Any] = {"proposed_by": "u-1", "approved_by": "u-2", "target_pct": Decimal("99.9"), "measured_by": "incidents"}
    owner.record(slo.publish, "pages", service_id="pages", **promised)
    other = incident("72", ("10:30", "Investigating"), ("11:30", "Resolved"))
    minor = incident("73", ("10:45", "Investigating"), ("11:45", "Resolved"), impact="minor")
    take(opsledger_sqlite, write(tmp_path / "page.jsonl", incident("71"), other, minor))
    opsledger_sqlite.catch_up()
    (row,) = opsledger_sqlite.tables.select("sla_month", month="2026-02")
    assert (row["down_unscheduled_us"], row["degraded_us"]) == (90 * 60 * 1_000_000, 15 * 60 * 1_000_000)


# Maintenance.


def test_maintenance_is_a_window_of_which_nobody_knows_a_notice(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    result = take(opsledger_sqlite, write(tmp_path / "page.jsonl", maintenance("81")))
    assert list(result.dirt) == ["plan_is_unknown"]
    assert [type(each) for each in facts(opsledger_sqlite, "maintenance:81")] == [
        m.Scheduled,
        m.Started,
        *[m.StatusPublished] * 3,
        m.Completed,
    ]
    opsledger_sqlite.catch_up()
    (row,) = opsledger_sqlite.tables.select("maintenance_window")
    assert (row["planned_start_at"], row["planned_end_at"]) == (at("2026-02-08T08:00:00Z"), at("2026-02-08T09:00:00Z"))
    assert (row["notified_at"], row["qualifies"], row["disqualified_by"]) == (None, False, "notice")


@pytest.mark.parametrize(("scheduled_at", "failed"), [("2026-02-05T08:00:00Z", None), ("2026-02-05T08:00:01Z", "notice")])
def test_who_says_that_the_page_notifies_customers_is_held_to_the_notice(
    opsledger_sqlite: OpsLedger, tmp_path: Path, scheduled_at: str, failed: str | None
) -> None:
    """72 hours before Sunday at eight is Thursday at eight; a second later is too late."""
    entry = maintenance("81")
    entry["updates"][0]["at"] = scheduled_at
    take(opsledger_sqlite, write(tmp_path / "page.jsonl", entry), notifies="customers")
    opsledger_sqlite.catch_up()
    (row,) = opsledger_sqlite.tables.select("maintenance_window")
    assert (row["notified_at"], row["disqualified_by"]) == (at(scheduled_at), failed)
    assert row["excluded_s"] == (3600 if failed is None else 0)


def test_a_plan_that_the_page_tells_is_kept_beside_what_was_done(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    plan = {"scheduled_for": "2026-02-08T07:30:00Z", "scheduled_until": "2026-02-08T08:45:00Z"}
    result = take(opsledger_sqlite, write(tmp_path / "page.jsonl", maintenance("81", **plan)))
    opsledger_sqlite.catch_up()
    (row,) = opsledger_sqlite.tables.select("maintenance_window")
    assert (dict(result.dirt), row["planned_start_at"], row["overrun_s"]) == ({}, at("2026-02-08T07:30:00Z"), 900)


def test_the_decisions_on_a_window_go_on_with_an_imported_one(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    take(opsledger_sqlite, write(tmp_path / "page.jsonl", maintenance("81")))
    opsledger_sqlite.by("u-7").record(m.publish_status, "81", audience="customers", message="All went well.")
    assert len(facts(opsledger_sqlite, "maintenance:81")) == 7


# What is set aside.


@pytest.mark.parametrize(
    ("entry", "column"),
    [
        (b"{", None),
        (b"[1]", None),
        (b'"\xff"', None),
        (b"[" * 100_000, None),
        (incident(""), "id"),
        ({**incident(), "id": 71}, "id"),
        (incident(title=" "), "title"),
        (incident(impact="huge"), "impact"),
        (incident(components="Pages"), "components"),
        (incident(components=[" Pages"]), "components"),
        (incident(updates=[]), "updates"),
        (incident(updates=[{"at": "2026-02-02T10:00:00", "status": "Resolved"}]), "updates"),
        (incident(updates=[{"at": "1999-12-31T23:59:59Z", "status": "Resolved"}]), "updates"),
        (incident(updates=[{"at": "2026-02-02T10:00:00Z"}]), "updates"),
        (incident(downtime_start="2026-02-02T10:00:00Z"), "downtime_end"),
        (incident(downtime_start="2026-02-02T10:00:00Z", downtime_end="2026-02-02T09:59:59Z"), "downtime_end"),
        (incident(downtime_start="soon", downtime_end="2026-02-02T10:00:00Z"), "downtime_start"),
        (maintenance(updates=[{"at": "2026-02-02T10:00:00Z", "status": "Completed"}]), "updates"),
        (maintenance(scheduled_for="2026-02-08T08:00:00Z", scheduled_until="2026-02-08T08:00:00Z"), "scheduled_until"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_entry_that_cannot_be_read_is_listed_with_its_field(
    opsledger_sqlite: OpsLedger, tmp_path: Path, entry: object, column: str | None
) -> None:
    result = take(opsledger_sqlite, write(tmp_path / "page.jsonl", incident("70"), entry))
    assert (result.new, result.quarantined) == (1, 1)
    ((row, reason, _, where),) = quarantine(opsledger_sqlite)
    assert (row, reason, where) == (2, "malformed", column)


@pytest.mark.parametrize(
    "entry",
    [
        incident("71", ("10:00", "Investigating"), ("10:30", "Monitoring")),
        incident("71", ("10:00", "Investigating"), ("10:30", "Resolved"), ("10:40", "Identified")),
        {**maintenance("71"), "updates": maintenance()["updates"][:2]},
    ],
)
def test_what_is_not_over_waits_for_an_import_after_its_end(opsledger_sqlite: OpsLedger, tmp_path: Path, entry: dict[str, Any]) -> None:
    take(opsledger_sqlite, write(tmp_path / "page.jsonl", entry))
    assert quarantine(opsledger_sqlite) == [(1, "unfinished", "71", None)]
    ended = {**entry, "updates": [*entry["updates"], {"at": "2026-02-09T12:00:00Z", "status": "Resolved"}]}
    ended["updates"][-1]["status"] = "Completed" if entry["impact"] == "maintenance" else "Resolved"
    assert take(opsledger_sqlite, write(tmp_path / "page.jsonl", ended)).new == 1


def test_what_has_not_come_yet_is_set_aside(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    """The ledger's clock stands at nine o'clock on 2 March 2026."""
    late = incident("71", updates=[{"at": "2026-03-02T09:00:01Z", "status": "Resolved"}])
    just = incident("72", updates=[{"at": "2026-03-02T09:00:00Z", "status": "Resolved"}])
    take(opsledger_sqlite, write(tmp_path / "page.jsonl", late, just))
    assert quarantine(opsledger_sqlite) == [(1, "future", "71", None)]


def test_an_incident_of_our_own_with_the_same_id_is_left_alone(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    opsledger_sqlite.by("u-7").record(i.declare, "71", detection_source="monitoring", severity="high", title="Ours")
    take(opsledger_sqlite, write(tmp_path / "page.jsonl", incident("71")))
    assert quarantine(opsledger_sqlite) == [(1, "foreign", "71", None)]
    assert len(facts(opsledger_sqlite, "incident:71")) == 1


# Again.


def test_the_same_history_again_adds_nothing_but_the_run(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    path = write(tmp_path / "page.jsonl", incident("71"), maintenance("81"))
    take(opsledger_sqlite, path)
    head = opsledger_sqlite.store.head().position
    again = take(opsledger_sqlite, path)
    assert (again.import_id, again.new, again.known, again.facts) == ("statuspage/2", 0, 2, 0)
    assert {row.stream for row in opsledger_sqlite.store.page(head, 100)} == {"import:statuspage/2"}


def test_an_entry_that_has_changed_is_listed_and_nothing_of_it_recorded(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    take(opsledger_sqlite, write(tmp_path / "page.jsonl", incident("71"), incident("72")))
    before = opsledger_sqlite.history("incident:72")
    result = take(opsledger_sqlite, write(tmp_path / "page.jsonl", incident("71"), incident("72", impact="critical")))
    assert (result.new, result.known, result.changed, result.quarantined) == (0, 1, 1, 1)
    assert quarantine(opsledger_sqlite) == [(2, "changed", "72", None)]
    assert opsledger_sqlite.history("incident:72") == before


def test_a_change_of_what_is_not_read_is_none(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    take(opsledger_sqlite, write(tmp_path / "page.jsonl", incident("71", url="https://status.example/71")))
    assert take(opsledger_sqlite, write(tmp_path / "page.jsonl", incident("71", url="https://example/71"))).known == 1


def test_an_entry_that_stands_twice_is_taken_in_once(opsledger_sqlite: OpsLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "page.jsonl", incident("71"), incident("71"), incident("71", impact="minor"))
    result = take(opsledger_sqlite, path)
    assert (result.new, result.known, result.changed, result.quarantined) == (1, 1, 1, 1)
    monkeypatch.setattr(statuspage, "_BATCH", 1)  # the same where they fall into different batches
    again = take(opsledger_sqlite, path)
    assert (again.new, again.known, again.changed, again.quarantined) == (0, 2, 1, 1)


def test_two_pages_are_told_apart_by_their_sources(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    statuspage.import_statuspage(opsledger_sqlite, write(tmp_path / "a.jsonl", incident("71")), source="ours")
    other = statuspage.import_statuspage(opsledger_sqlite, write(tmp_path / "b.jsonl", incident("72")), source="theirs")
    assert (other.import_id, other.new) == ("theirs/1", 1)


def test_a_damaged_file_leaves_nothing_behind(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    head = opsledger_sqlite.store.head()
    (tmp_path / "page.jsonl.xz").write_bytes(b"not compressed")
    with pytest.raises(BadInput, match="cannot be read to its end"):
        take(opsledger_sqlite, tmp_path / "page.jsonl.xz")
    with pytest.raises(BadInput, match=r"ends in none of \.jsonl, \.jsonl\.xz, \.jsonl\.gz"):
        take(opsledger_sqlite, write(tmp_path / "page.csv", incident("71")))
    assert opsledger_sqlite.store.head() == head


def test_progress_is_told_in_entries(opsledger_sqlite: OpsLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statuspage, "_BATCH", 2)
    told: list[tuple[int, int]] = []
    path = write(tmp_path / "page.jsonl", *(incident(str(number)) for number in range(5)), b"")
    statuspage.import_statuspage(opsledger_sqlite, path, progress=lambda done, of: told.append((done, of)))
    assert told == [(2, 5), (4, 5), (5, 5)]
