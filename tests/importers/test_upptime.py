"""Which facts the rows of an uptime monitor's history say, and which rows are set aside."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from status_page import facts, quarantine
from uptime_monitor import CONFIGURATION, HEADER, probed, take, write

from opsledger.app import OpsLedger
from opsledger.domain import probe, service, slo
from opsledger.errors import BadInput
from opsledger.importers import upptime
from opsledger.policies.instants import at

NOON = "2026-01-30T12:00:00Z"
HOUR = 3600 * 1_000_000


def changed(when: str, state: probe.State, error: str | None = None, slug: str = "shop") -> probe.StateChanged:
    return probe.StateChanged(changed_at=at(when), service_id=slug, location="upptime", state=state, error=error)


def covered(since: str, until: str, state: probe.State) -> probe.Covered:
    return probe.Covered(covered_until=at(until), covered_from=at(since), service_id="shop", location="upptime", state=state)


def test_a_row_covers_the_time_since_the_one_before_and_changes_the_state_where_it_says_another(
    opsledger_sqlite: OpsLedger, tmp_path: Path
) -> None:
    rows = [probed(NOON), probed("2026-01-31T12:30:00Z"), probed("2026-01-31T14:00:00Z", "down"), probed("2026-01-31T14:20:00Z")]
    result = take(opsledger_sqlite, write(tmp_path / "m", *rows))
    assert (result.rows, result.new, result.facts, result.quarantined, dict(result.dirt)) == (4, 4, 6, 0, {})
    assert facts(opsledger_sqlite, "probe:shop@upptime/2026-01") == [
        changed(NOON, "up"),
        covered(NOON, "2026-01-31T12:30:00Z", "up"),
        covered("2026-01-31T12:30:00Z", "2026-01-31T14:00:00Z", "up"),
        changed("2026-01-31T14:00:00Z", "down", "no_answer"),
        covered("2026-01-31T14:00:00Z", "2026-01-31T14:20:00Z", "down"),
        changed("2026-01-31T14:20:00Z", "up"),
    ]


def test_each_utc_month_has_a_stream_of_its_own_and_goes_on_from_the_one_before(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    take(opsledger_sqlite, write(tmp_path / "m", probed("2026-01-31T23:59:59.999Z"), probed("2026-02-01T00:00:00Z")))
    assert facts(opsledger_sqlite, "probe:shop@upptime/2026-01") == [changed("2026-01-31T23:59:59.999Z", "up")]
    assert facts(opsledger_sqlite, "probe:shop@upptime/2026-02") == [covered("2026-01-31T23:59:59.999Z", "2026-02-01T00:00:00Z", "up")]


@pytest.mark.parametrize(("until", "heard"), [("2026-01-31T14:00:00Z", True), ("2026-01-31T14:00:01Z", False)])
def test_26_hours_without_a_row_are_covered_and_a_second_more_is_silence(
    opsledger_sqlite: OpsLedger, tmp_path: Path, until: str, heard: bool
) -> None:
    take(opsledger_sqlite, write(tmp_path / "m", probed(NOON), probed(until)))
    last = facts(opsledger_sqlite, "probe:shop@upptime/2026-01")[1:]
    assert last == [covered(NOON, until, "up") if heard else changed(until, "up")]


def test_time_in_which_it_was_silent_for_too_long_is_unknown(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    """From noon it holds for 26 hours; of the 48 to the next row 22 are unknown."""
    take(opsledger_sqlite, write(tmp_path / "m", probed("2026-01-28T12:00:00Z"), probed(NOON)))
    promised = {"service_id": "shop", "target_pct": Decimal("99.9"), "proposed_by": "u-1", "approved_by": "u-2"}
    opsledger_sqlite.by("u-1", at=at("2026-01-28T12:00:00Z")).record(slo.publish, "shop", **promised)  # type: ignore[arg-type]  # one mapping
    opsledger_sqlite.catch_up()
    (row,) = opsledger_sqlite.tables.select("sla_month")
    assert (row["period_us"], row["unknown_us"], row["up_us"]) == (48 * HOUR, 22 * HOUR, 26 * HOUR)


@pytest.mark.parametrize(
    ("status", "code", "state", "error"),
    [
        ("up", "200", "up", None),
        ("down", "0", "down", "no_answer"),
        ("down", "502", "down", "http_502"),
        ("degraded", "200", "degraded", "http_200"),
        ("asleep", "0", "unknown", "no_answer"),
    ],
)
def test_what_the_monitor_says_is_a_state_and_a_code(
    opsledger_sqlite: OpsLedger, tmp_path: Path, status: str, code: str, state: probe.State, error: str | None
) -> None:
    result = take(opsledger_sqlite, write(tmp_path / "m", probed(NOON, status, code=code)))
    assert facts(opsledger_sqlite, "probe:shop@upptime/2026-01") == [changed(NOON, state, error)]
    assert list(result.dirt) == (["unknown_status"] if status == "asleep" else [])


# What it watches.


def test_the_sites_of_the_configuration_are_services_and_it_is_their_monitor(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    rows = [probed(NOON), probed("2026-01-30T12:01:00Z", slug="shop-api"), probed(NOON, slug="google")]
    result = take(opsledger_sqlite, write(tmp_path / "m", *rows))
    assert result.dirt["site_not_configured"].first_rows == (4,)
    opsledger_sqlite.catch_up()
    services = {row["service_id"]: row for row in opsledger_sqlite.tables.select("service")}
    assert {id: (row["name"], row["kind"], row["owner_id"]) for id, row in services.items()} == {
        "shop": ("Shop", "web", "example-lab"),
        "shop-api": ("Shop (API)", "web", "example-lab"),
    }
    assert services["shop-api"]["registered_at"] == at("2026-01-30T12:01:00Z")
    (row,) = opsledger_sqlite.tables.select("monitor")
    assert (row["monitor_id"], row["tool"], row["silent_after_s"]) == ("status", "upptime", 93600)
    assert facts(opsledger_sqlite, "probe:google@upptime/2026-01") == [changed(NOON, "up", slug="google")]


def test_a_service_that_is_registered_stays_as_it_is(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    opsledger_sqlite.by("u-1").record(service.register, "shop", name="Our shop", kind="platform", owner_id="team-3")
    take(opsledger_sqlite, write(tmp_path / "m", probed(NOON)))
    assert len(opsledger_sqlite.history("service:shop")) == 1


def test_without_a_configuration_probes_are_taken_in_alone(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    result = take(opsledger_sqlite, write(tmp_path / "m", probed(NOON), configuration=None))
    assert (result.new, dict(result.dirt)) == (1, {})
    assert opsledger_sqlite.store.heads_within("service:") == opsledger_sqlite.store.heads_within("monitor:") == {}


# What is set aside.


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("too,few", None),
        ('"open', None),
        (probed(NOON, commit=" "), "commit"),
        (probed(NOON, slug=" shop"), "slug"),
        (probed(NOON, code="OK"), "code"),
        (probed("2026-01-30T12:00:00"), "last_updated"),
        (probed("1999-12-31T23:59:59Z"), "last_updated"),
        (probed("noon"), "last_updated"),
    ],
)
def test_a_row_that_cannot_be_read_is_listed_with_its_column(
    opsledger_sqlite: OpsLedger, tmp_path: Path, row: str, column: str | None
) -> None:
    result = take(opsledger_sqlite, write(tmp_path / "m", probed("2026-01-29T12:00:00Z"), row))
    assert (result.new, result.quarantined) == (1, 1)
    assert quarantine(opsledger_sqlite) == [(3, "malformed", None, column)]


def test_what_has_not_come_yet_is_set_aside(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    """The ledger's clock stands at nine o'clock on 2 March 2026."""
    take(opsledger_sqlite, write(tmp_path / "m", probed("2026-03-02T09:00:00Z"), probed("2026-03-02T09:00:01Z", "down", commit="c9")))
    assert quarantine(opsledger_sqlite) == [(3, "future", "c9/shop", "last_updated")]


def test_a_row_that_lies_before_what_is_known_of_its_site_is_late(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    take(opsledger_sqlite, write(tmp_path / "m", probed(NOON), probed(NOON, "down", commit="c9"), probed(NOON, "down", slug="shop-api")))
    assert quarantine(opsledger_sqlite) == [(3, "late", "c9/shop", None)]


def test_a_row_that_has_changed_is_listed_and_what_follows_goes_on_from_what_was_recorded(
    opsledger_sqlite: OpsLedger, tmp_path: Path
) -> None:
    take(opsledger_sqlite, write(tmp_path / "m", probed(NOON, commit="c1")))
    folder = write(tmp_path / "m", probed(NOON, "down", commit="c1"), probed("2026-01-30T13:00:00Z"))
    result = take(opsledger_sqlite, folder)
    assert (result.new, result.changed, quarantine(opsledger_sqlite)) == (1, 1, [(2, "changed", "c1/shop", None)])
    assert facts(opsledger_sqlite, "probe:shop@upptime/2026-01") == [changed(NOON, "up"), covered(NOON, "2026-01-30T13:00:00Z", "up")]


# Again.


def test_the_same_history_again_adds_nothing_but_the_run(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", probed(NOON), probed("2026-01-31T12:00:00Z"))
    take(opsledger_sqlite, folder)
    head = opsledger_sqlite.store.head().position
    again = take(opsledger_sqlite, folder)
    assert (again.import_id, again.new, again.known, again.facts) == ("upptime/2", 0, 2, 0)
    assert {row.stream for row in opsledger_sqlite.store.page(head, 100)} == {"import:upptime/2"}


def test_a_row_that_stands_twice_is_taken_in_once(opsledger_sqlite: OpsLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "m", probed(NOON), probed(NOON))
    result = take(opsledger_sqlite, folder)
    assert (result.new, result.known, result.quarantined) == (1, 1, 0)
    monkeypatch.setattr(upptime, "_BATCH", 1)
    assert take(opsledger_sqlite, folder).known == 2


def test_a_corrected_state_is_not_taken_for_the_monitors_word(opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    take(opsledger_sqlite, write(tmp_path / "m", probed(NOON, "down")))
    (recorded,) = opsledger_sqlite.history("probe:shop@upptime/2026-01")
    people = {"reason": "false alarm", "requested_by": "u-1", "approved_by": "u-2"}
    opsledger_sqlite.by("u-1").record(
        probe.correct_state, "shop@upptime/2026-01", corrects=recorded.position, was="down", to="up", **people
    )
    take(opsledger_sqlite, write(tmp_path / "m", probed(NOON, "down"), probed("2026-01-30T13:00:00Z", "down", commit="c9")))
    assert facts(opsledger_sqlite, "probe:shop@upptime/2026-01")[-1] == changed("2026-01-30T13:00:00Z", "down", "no_answer")


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "has none of probes.csv"),
        ({"probes.csv": "a,b\n"}, "its first line lacks commit"),
        ({"probes.csv": ""}, "its first line lacks commit"),
        ({"probes.csv": HEADER, "upptimerc.yml": "sites: [1]"}, "is not an Upptime configuration"),
        ({"probes.csv": HEADER, "upptimerc.yml": "- 1"}, "is not an Upptime configuration"),
        ({"probes.csv": HEADER, "upptimerc.yml": CONFIGURATION.replace("repo: status", "")}, "is not an Upptime configuration"),
        ({"probes.csv": HEADER, "upptimerc.yml": "a: [1"}, "is not an Upptime configuration"),
    ],
)
def test_what_is_no_history_is_refused_and_nothing_recorded(
    opsledger_sqlite: OpsLedger, tmp_path: Path, files: dict[str, str], problem: str
) -> None:
    head = opsledger_sqlite.store.head()
    folder = tmp_path / "m"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=problem):
        take(opsledger_sqlite, folder)
    assert opsledger_sqlite.store.head() == head


def test_on_postgresql_an_import_gives_the_same_tables(opsledger_pg: OpsLedger, opsledger_sqlite: OpsLedger, tmp_path: Path) -> None:
    folder = write(tmp_path / "m", probed(NOON), probed("2026-01-31T12:00:00Z", "down"), "too,few")
    found = []
    for ledger in (opsledger_pg, opsledger_sqlite):
        take(ledger, folder)
        ledger.catch_up()
        found.append({table: ledger.tables.select(table) for table in ("service", "monitor", "import_run", "import_quarantine")})
    assert found[0] == found[1]
    assert len(found[0]["import_quarantine"]) == 1
