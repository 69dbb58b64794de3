"""What incidents come to by month, live and as of a time, on both databases. Cases by their ids; their numbers stand here as data."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from incident_acts import HEAD, act, correct, declare, fresh, kpi, on, row, select

from opsledger.app import OpsLedger
from opsledger.domain import incident
from opsledger.replay.explain import explain
from opsledger.testing import at
from opsledger.testing.plugin import Clock


@pytest.fixture(params=["sqlite", "pg"])
def ledger(request: pytest.FixtureRequest, opsledger_clock: Clock) -> OpsLedger:
    made: OpsLedger = request.getfixturevalue(f"opsledger_{request.param}")
    opsledger_clock.set(HEAD)
    return made


# The cases of the area incident_metrics.

MTTX = {  # F-mttx: impact, detected, acknowledged, mitigated, resolved
    "INC-1": ("10:00", "10:04", "10:09", "10:40", "11:00"),
    "INC-2": ("12:00", "12:01", "12:03", "12:10", "12:20"),
    "INC-3": ("13:00", "13:25", "13:26", "16:00", "17:00"),
}


def test_f_mttx_each_length_has_named_end_points(ledger: OpsLedger) -> None:
    for id, (impact, detected, acknowledged, mitigated, resolved) in MTTX.items():
        declare(ledger, detected, id, impact_started_at=on(impact))
        act(ledger, acknowledged, incident.acknowledge, id)
        act(ledger, mitigated, incident.mitigate, id)
        act(ledger, resolved, incident.resolve, id)
    minutes = [(4, 5, 40, 60), (1, 2, 10, 20), (25, 1, 180, 240)]
    lengths = select(ledger, "incident", "ttd_s", "tta_s", "ttm_s", "ttr_s")
    assert lengths == [tuple(60 * each for each in row) for row in minutes]
    month = kpi(ledger)
    assert (month["resolved"], month["ttd_n"], month["tta_n"], month["ttm_n"], month["ttr_n"]) == (3, 3, 3, 3, 3)
    assert (month["ttd_sum_s"], month["ttd_mean_s"]) == (1800, 600)  # MTTD 10 min
    assert (month["tta_sum_s"], month["tta_mean_s"]) == (480, 160)  # MTTA from detection 2.666666667 min
    assert (month["ttm_sum_s"], month["ttm_mean_s"]) == (13800, 4600)  # MTTM 76.666666667 min
    assert (month["ttr_sum_s"], month["ttr_mean_s"]) == (19200, 6400)  # MTTR from impact 106.666666667 min
    assert month["ttr_median_s"] == 3600  # 60 min
    assert month["null_reason"] is None


def test_f_mean_vs_median_they_stand_side_by_side(ledger: OpsLedger) -> None:
    for number, minutes in enumerate([5, 6, 7, 8, 9, 10, 600], 1):
        declare(ledger, "10:00", f"INC-{number}", impact_started_at=on("10:00"))
        act(ledger, on("10:00") + timedelta(minutes=minutes), incident.resolve, f"INC-{number}")
    month = kpi(ledger)
    assert (month["ttr_n"], month["ttr_sum_s"], month["ttr_mean_s"]) == (7, 38700, 5528)  # 92.142857143 min
    assert (month["ttr_median_s"], month["ttr_p90_s"]) == (8 * 60, 600 * 60)


def test_f_mtbf_none_without_a_failure_there_is_no_time_between_failures(ledger: OpsLedger) -> None:
    declare(ledger, "10:00", severity="low")
    month = kpi(ledger)
    assert (month["failures"], month["down_s"], month["mtbf_s"]) == (0, 0, None)
    assert month["mtbf_null_reason"] == "none began in the month"
    assert (month["ttr_n"], month["ttr_mean_s"], month["null_reason"]) == (0, None, "none was resolved in the month")


def test_f_reack_the_first_acknowledgement_counts_and_later_ones_are_kept(ledger: OpsLedger) -> None:
    declare(ledger, "10:00", impact_started_at=on("10:00"))
    act(ledger, "10:05", incident.acknowledge)
    act(ledger, "10:50", incident.acknowledge)
    act(ledger, "11:00", incident.resolve)
    assert (row(ledger)["tta_s"], row(ledger)["ttr_s"]) == (5 * 60, 60 * 60)
    assert select(ledger, "incident_milestone", "at", milestone="acknowledged") == [(on("10:05"),), (on("10:50"),)]


def test_f_reopen_the_length_runs_to_the_last_resolution_and_the_open_time_leaves_the_gap_out(ledger: OpsLedger) -> None:
    declare(ledger, "10:00", impact_started_at=on("10:00"))
    act(ledger, "10:30", incident.resolve)
    assert row(ledger)["ttr_s"] == 30 * 60
    act(ledger, "11:00", incident.reopen)
    act(ledger, "11:20", incident.resolve)
    found = row(ledger)
    assert (found["ttr_s"], found["open_s"], found["reopen_count"]) == (80 * 60, 50 * 60, 1)


def test_f_severity_change_peak_and_final_severity_and_the_time_at_each(ledger: OpsLedger) -> None:
    declare(ledger, "10:00", severity="medium")  # SEV3
    act(ledger, "10:20", incident.change_severity, severity="critical")  # SEV1
    act(ledger, "11:00", incident.change_severity, severity="high")  # SEV2
    act(ledger, "11:30", incident.resolve)
    assert (row(ledger)["peak_severity"], row(ledger)["severity"]) == ("critical", "high")
    spans = select(ledger, "incident_interval", "severity", "from_at", "to_at", status="open")
    minutes = {severity: (until - since) // timedelta(minutes=1) for severity, since, until in spans}
    assert minutes == {"medium": 20, "critical": 40, "high": 30}


# Months.


def ended(ledger: OpsLedger, id: str, impact: str, seconds: int, **given: Any) -> None:
    declare(ledger, impact, id, impact_started_at=at(impact), **given)
    act(ledger, at(impact) + timedelta(seconds=seconds), incident.resolve, id)


def test_months_without_an_incident_appear_from_the_first_one_to_the_present(ledger: OpsLedger) -> None:
    ended(ledger, "INC-1", "2026-02-10T10:00:00Z", 60)
    ended(ledger, "INC-2", "2026-04-10T10:00:00Z", 120)
    found = select(ledger, "incident_kpi_month", "month", "severity", "resolved", "ttr_n", "ttr_mean_s")
    assert [each for each in found if each[1] == "high"] == [
        ("2026-02", "high", 1, 1, 60),
        ("2026-03", "high", 0, 0, None),
        ("2026-04", "high", 1, 1, 120),
        ("2026-05", "high", 0, 0, None),
    ]
    assert len(found) == 16  # no service is known
    assert {each[1] for each in found} == {"critical", "high", "medium", "low"}


def test_before_the_first_incident_there_is_no_month(ledger: OpsLedger) -> None:
    assert select(ledger, "incident_kpi_month", "month") == []


def test_an_incident_counts_in_the_month_in_which_it_was_resolved(ledger: OpsLedger) -> None:
    ended(ledger, "INC-1", "2026-03-31T23:00:00Z", 3600)  # exactly at the start of April
    declare(ledger, "2026-03-31T23:00:00Z", "INC-2", impact_started_at=at("2026-03-31T23:00:00Z"))
    act(ledger, "2026-03-31T23:59:59.999999Z", incident.resolve, "INC-2")
    march, april = kpi(ledger), kpi(ledger, "2026-04")
    assert (march["failures"], march["resolved"], march["ttr_sum_s"]) == (1, 1, 3599)  # they overlap
    assert (april["failures"], april["resolved"], april["ttr_sum_s"]) == (0, 1, 3600)


def test_a_median_of_an_even_number_is_cut_to_whole_seconds(ledger: OpsLedger) -> None:
    for number, seconds in enumerate([10, 20, 25, 1000], 1):
        ended(ledger, f"INC-{number}", "2026-03-10T10:00:00Z", seconds)
    month = kpi(ledger)
    assert (month["ttr_median_s"], month["ttr_p90_s"], month["ttr_mean_s"]) == (22, 1000, 263)


def test_the_nearest_rank_of_nine_tenths_is_the_ninth_of_ten_and_the_tenth_of_eleven(ledger: OpsLedger) -> None:
    for number in range(1, 11):
        ended(ledger, f"INC-{number}", "2026-03-10T10:00:00Z", 100 * number)
    assert kpi(ledger)["ttr_p90_s"] == 900
    ended(ledger, "INC-11", "2026-03-10T10:00:00Z", 1100)
    assert kpi(ledger)["ttr_p90_s"] == 1000


def test_a_month_counts_of_each_length_those_of_which_both_ends_are_known(ledger: OpsLedger) -> None:
    ended(ledger, "INC-1", "2026-03-10T10:00:00Z", 60)
    ended(ledger, "INC-2", "2026-03-11T10:00:00Z", 80)
    act(ledger, "2026-03-11T10:00:30Z", incident.acknowledge, "INC-2")
    month = kpi(ledger)
    assert (month["resolved"], month["ttd_n"], month["tta_n"], month["ttm_n"], month["ttr_n"]) == (2, 2, 1, 0, 2)
    assert (month["tta_mean_s"], month["ttm_mean_s"], month["null_reason"]) == (30, None, "an end point is not known")


def outages(ledger: OpsLedger, *spans: tuple[str, str]) -> None:
    for number, (began, over) in enumerate(spans, 1):
        declare(ledger, began, f"INC-{number}", impact_started_at=at(began))
        act(ledger, over, incident.resolve, f"INC-{number}")


def test_f_mtbf_time_between_failures_is_what_was_up_by_failures(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-07-05T00:00:00Z")
    outages(
        ledger,
        ("2026-06-03T10:00:00Z", "2026-06-03T11:00:00Z"),
        ("2026-06-10T10:00:00Z", "2026-06-10T10:20:00Z"),
        ("2026-06-20T10:00:00Z", "2026-06-20T14:00:00Z"),
    )
    june = kpi(ledger, "2026-06")
    assert (june["period_s"], june["failures"], june["down_s"]) == (2_592_000, 3, 3600 + 1200 + 14_400)
    assert (june["mtbf_s"], june["ttr_mean_s"]) == (857_600, 6400)


def test_f_mtbf_overlap_incidents_that_overlap_are_one_failure(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-07-05T00:00:00Z")
    outages(ledger, ("2026-06-10T10:00:00Z", "2026-06-10T10:40:00Z"), ("2026-06-10T10:20:00Z", "2026-06-10T11:00:00Z"))
    june = kpi(ledger, "2026-06")
    assert (june["failures"], june["down_s"], june["mtbf_s"]) == (1, 3600, 2_588_400)


def test_a_failure_over_the_end_of_a_month_is_down_in_both_and_begins_in_the_first(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-05-05T00:00:00Z")
    outages(ledger, ("2026-03-31T23:00:00Z", "2026-04-01T02:00:00Z"))
    march, april = kpi(ledger), kpi(ledger, "2026-04")
    assert (march["failures"], march["down_s"], march["mtbf_s"]) == (1, 3600, 31 * 86_400 - 3600)
    assert (april["failures"], april["down_s"], april["mtbf_null_reason"]) == (0, 7200, "none began in the month")


def test_a_failure_that_lasts_is_down_up_to_the_as_of_time(ledger: OpsLedger, opsledger_clock: Clock) -> None:
    opsledger_clock.set("2026-03-02T12:00:00Z")
    declare(ledger, "10:00", impact_started_at=on("10:00"))
    act(ledger, "12:00", incident.acknowledge)
    march = kpi(ledger)
    assert (march["period_s"], march["down_s"], march["mtbf_s"]) == (86_400 + 12 * 3600, 7200, 86_400 + 10 * 3600)


def test_a_month_is_explained_by_the_incidents_that_it_counts(ledger: OpsLedger) -> None:
    ended(ledger, "INC-1", "2026-03-31T23:00:00Z", 3600)
    ended(ledger, "INC-2", "2026-04-02T10:00:00Z", 60)
    ended(ledger, "INC-3", "2026-04-02T10:00:00Z", 60, severity="low")
    ended(ledger, "INC-4", "2026-03-02T10:00:00Z", 60)
    ended(ledger, "INC-5", "2026-04-30T23:59:00Z", 60)
    ledger.catch_up()
    told = explain(ledger.store, ledger.tables.tables, "incident_kpi_month", ["2026-04", "high", "*"])
    assert [(each.table, each.key) for each in told.counted] == [
        ("incident", ("INC-1",)),
        ("incident", ("INC-2",)),
        ("incident", ("INC-5",)),
    ]


# As of a time.


def test_the_tables_as_of_an_earlier_time_show_what_was_known_and_had_happened(
    ledger: OpsLedger, opsledger_clock: Clock, tmp_path: Path
) -> None:
    opsledger_clock.set("2026-03-02T12:00:00Z")
    declare(ledger, "10:05", detected_at=on("10:04"), impact_started_at=on("10:00"))
    resolved = act(ledger, "11:00", incident.resolve).position
    opsledger_clock.set("2026-03-04T09:00:00Z")
    correct(ledger, resolved, "resolved", "11:00", "10:30")
    noon, half_past_ten = (int(on(time).timestamp()) * 1_000_000 for time in ("12:00", "10:30"))

    known_at_noon = fresh(ledger, tmp_path / "noon.db", known_at=noon)
    assert [each["ttr_s"] for each in known_at_noon.select("incident")] == [3600]
    assert [each["ttr_sum_s"] for each in known_at_noon.select("incident_kpi_month", severity="high", service_id="*")] == [3600]

    before_its_end = fresh(ledger, tmp_path / "before.db", effective_at=half_past_ten - 1)
    assert [(each["status"], each["ttr_s"]) for each in before_its_end.select("incident")] == [("open", None)]
    assert [each["resolved"] for each in before_its_end.select("incident_kpi_month", severity="high", service_id="*")] == [0]

    at_its_end = fresh(ledger, tmp_path / "end.db", effective_at=half_past_ten)
    assert [(each["status"], each["ttr_s"]) for each in at_its_end.select("incident")] == [("resolved", 1800)]

    head = fresh(ledger, tmp_path / "head.db")
    position = ledger.store.head().position
    for table in ("incident", "incident_interval", "incident_milestone", "incident_service", "incident_kpi_month"):
        assert head.select(table) == ledger.tables.select(table, at_least=position)


# Services.


def test_a_service_has_the_figures_of_the_incidents_that_affected_it(ledger: OpsLedger) -> None:
    ended(ledger, "INC-1", "2026-03-02T10:00:00Z", 3600, services=("api", "web"))
    ended(ledger, "INC-2", "2026-03-05T10:00:00Z", 60, services=("api",))
    ended(ledger, "INC-3", "2026-03-06T10:00:00Z", 120)
    every, api, web = (kpi(ledger, service_id=service) for service in ("*", "api", "web"))
    assert [each["resolved"] for each in (every, api, web)] == [3, 2, 1]
    assert [each["ttr_sum_s"] for each in (every, api, web)] == [3780, 3660, 3600]
    assert [(each["failures"], each["down_s"]) for each in (every, api, web)] == [(3, 3780), (2, 3660), (1, 3600)]
    assert web["mtbf_s"] == 31 * 86_400 - 3600


def test_a_service_is_down_as_long_as_it_was_affected(ledger: OpsLedger) -> None:
    declare(ledger, "10:00", impact_started_at=on("10:00"), services=("api",))
    act(ledger, "10:20", incident.affect_service, service_id="web")
    act(ledger, "10:30", incident.restore_service, service_id="web")
    act(ledger, "10:40", incident.affect_service, service_id="web")
    act(ledger, "11:00", incident.resolve)
    every, api, web = (kpi(ledger, service_id=service) for service in ("*", "api", "web"))
    assert [(each["failures"], each["down_s"]) for each in (every, api, web)] == [(1, 3600), (1, 3600), (2, 600 + 1200)]
    assert [each["resolved"] for each in (every, api, web)] == [1, 1, 1]


def test_incidents_of_two_services_that_overlap_are_one_failure_of_all_and_one_of_each(ledger: OpsLedger) -> None:
    ended(ledger, "INC-1", "2026-03-02T10:00:00Z", 3600, services=("api",))
    ended(ledger, "INC-2", "2026-03-02T10:30:00Z", 3600, services=("web",))
    found = [(kpi(ledger, service_id=each)["failures"], kpi(ledger, service_id=each)["down_s"]) for each in ("*", "api", "web")]
    assert found == [(1, 5400), (1, 3600), (1, 3600)]


def test_a_month_of_a_service_is_explained_by_the_incidents_that_affected_it(ledger: OpsLedger) -> None:
    ended(ledger, "INC-1", "2026-03-02T10:00:00Z", 60, services=("api",))
    ended(ledger, "INC-2", "2026-03-03T10:00:00Z", 60, services=("web",))
    ledger.catch_up()
    told = explain(ledger.store, ledger.tables.tables, "incident_kpi_month", ["2026-03", "high", "api"])
    assert [(each.table, each.key) for each in told.counted] == [("incident", ("INC-1",))]
