"""policy, calendar."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from opsledger.app import OpsLedger

PEOPLE = ("--proposer", "u-1", "--approver", "u-2")
HOURS = """
zone: Europe/Berlin
weekly:
  mon: [["08:00", "16:00"]]
"""


@pytest.fixture
def model(history: OpsLedger, run: Any, tmp_path: Path) -> Path:
    """The model in force in a file, with ten minutes to respond to what is critical."""
    document = json.loads(run("policy", "show", "--json", "--ledger", history.url.shown).stdout)
    document["support"]["tiers"]["critical"]["targets"]["first_response"]["within"] = "10 min"
    path = tmp_path / "model.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def test_the_model_in_force_is_printed_as_yaml(history: OpsLedger, run: Any) -> None:
    done = run("policy", "show", "--ledger", history.url.shown)
    assert yaml.safe_load(done.stdout)["support"]["tiers"]["critical"]["targets"]["first_response"]["within"] == "15 min"
    assert done.stderr.startswith("operating-model@1:")


def test_what_is_printed_can_be_published_and_says_nothing_new(history: OpsLedger, run: Any, tmp_path: Path) -> None:
    (tmp_path / "same.yaml").write_text(run("policy", "show", "--ledger", history.url.shown).stdout)
    done = run("policy", "publish", str(tmp_path / "same.yaml"), *PEOPLE, "--ledger", history.url.shown)
    assert (done.exit_code, done.stdout, "says nothing new" in done.stderr) == (0, "", True)


def test_fields_that_no_code_reads_yet_are_listed_without_a_ledger(run: Any) -> None:
    assert "support.follow_up_after" in run("policy", "show", "--unused").stdout.splitlines()


def test_a_published_model_prints_its_reference_and_is_in_force(history: OpsLedger, model: Path, run: Any) -> None:
    url = ("--ledger", history.url.shown)
    done = run("policy", "publish", str(model), *PEOPLE, *url)
    assert done.exit_code == 0, done.stderr
    ref = done.stdout.strip()
    assert ref.startswith("operating-model@2:")
    shown = json.loads(run("policy", "show", "--json", *url).stdout)
    assert shown["support"]["tiers"]["critical"]["targets"]["first_response"]["within"] == "10 min"
    for name in (ref, "operating-model@2", "2"):
        assert json.loads(run("policy", "show", "--ref", name, "--json", *url).stdout) == shown
    history.catch_up()
    assert history.tables.select("policy", version=2)[0]["approved_by"] == "u-2"


def test_a_shipped_preset_is_printed_and_published(history: OpsLedger, tmp_path: Path, run: Any) -> None:
    url, file = ("--ledger", history.url.shown), tmp_path / "preset.yaml"
    file.write_text(run("policy", "show", "--preset", "business_hours_for_medium_low").stdout)
    assert run("policy", "publish", str(file), *PEOPLE, *url).exit_code == 0
    rows = json.loads(run("policy", "diff", "1", "2", "--format", "json", *url).stdout)
    assert {"field": "support.tiers.medium.targets.resolution.calendar", "before": '"always"', "after": '"business"'} in rows
    assert run("policy", "show", "--preset", "night").exit_code == 2


def test_two_models_are_compared_field_by_field(history: OpsLedger, model: Path, run: Any) -> None:
    url = ("--ledger", history.url.shown)
    run("policy", "publish", str(model), *PEOPLE, *url)
    rows = json.loads(run("policy", "diff", "1", "2", "--format", "json", *url).stdout)
    field = "support.tiers.critical.targets.first_response.within"
    assert rows == [{"field": field, "before": '"15 min"', "after": '"10 min"'}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--proposer", "u-1", "--approver", "u-1"], "cannot approve it too"),
        ([*PEOPLE, "--effective-from", "2020-01-01"], "say why with a reason"),
        ([*PEOPLE, "--effective-from", "soon"], "'soon' is not a time"),
    ],
)
def test_a_model_that_may_not_be_published_is_one_sentence(
    history: OpsLedger, model: Path, run: Any, arguments: list[str], said: str
) -> None:
    done = run("policy", "publish", str(model), *arguments, "--ledger", history.url.shown)
    assert (done.exit_code, done.stdout, said in done.stderr) == (2, "", True)


def test_a_model_with_an_unknown_field_names_its_path(history: OpsLedger, model: Path, run: Any) -> None:
    model.write_text(model.read_text().replace("follow_up_after", "folow_up_after"))
    done = run("policy", "publish", str(model), *PEOPLE, "--ledger", history.url.shown)
    assert (done.exit_code, "support.f" in done.stderr) == (2, True)


def test_a_file_that_is_no_text_is_one_sentence(history: OpsLedger, tmp_path: Path, run: Any) -> None:
    (tmp_path / "model.bin").write_bytes(b"\xff\xfe\x00")
    done = run("policy", "publish", str(tmp_path / "model.bin"), *PEOPLE, "--ledger", history.url.shown)
    assert (done.exit_code, "is not text in UTF-8" in done.stderr) == (2, True)
    done = run("policy", "publish", str(tmp_path / "none.yaml"), *PEOPLE, "--ledger", history.url.shown)
    assert (done.exit_code, "does not exist" in done.stderr) == (2, True)


def test_a_version_that_is_not_published_is_one_sentence(history: OpsLedger, run: Any) -> None:
    done = run("policy", "show", "--ref", "7", "--ledger", history.url.shown)
    assert (done.exit_code, "No operating model '7' is published; there are operating-model@1:" in done.stderr) == (2, True)


def test_calendars_are_listed_and_shown(history: OpsLedger, run: Any) -> None:
    rows = json.loads(run("calendar", "show", "--format", "json", "--ledger", history.url.shown).stdout)
    assert [(row["calendar"], row["zone"]) for row in rows] == [("always", "UTC"), ("business", "America/New_York")]
    hours = yaml.safe_load(run("calendar", "show", "business", "--ledger", history.url.shown).stdout)
    assert hours["zone"] == "America/New_York"


def test_a_calendar_is_published_corrected_and_extended(history: OpsLedger, tmp_path: Path, run: Any) -> None:
    url, file = ("--ledger", history.url.shown), tmp_path / "hours.yaml"
    file.write_text(HOURS)
    done = run("calendar", "publish", "berlin", str(file), *PEOPLE, "--effective-from", "2026-01-01", "--reason", "it opens", *url)
    assert done.exit_code == 0, done.stderr
    position = history.store.head().position
    assert done.stderr == f"Recorded the calendar berlin from {file} at position {position}.\n"
    file.write_text(HOURS.replace("16:00", "17:00"))
    people = ("--requested-by", "u-1", "--approved-by", "u-2")
    done = run("calendar", "correct", "berlin", str(file), "--position", str(position), "--reason", "it was a typo", *people, *url)
    assert done.exit_code == 0, done.stderr
    assert "17:00" in run("calendar", "show", "berlin", *url).stdout
    done = run("calendar", "extend", "berlin", *url)
    assert (done.exit_code, "says nothing new" in done.stderr) == (0, True)


def test_a_calendar_that_is_none_is_one_sentence(history: OpsLedger, run: Any) -> None:
    for arguments in (("show", "moon"), ("extend", "moon")):
        done = run("calendar", *arguments, "--ledger", history.url.shown)
        assert (done.exit_code, "moon" in done.stderr) == (2, True)
