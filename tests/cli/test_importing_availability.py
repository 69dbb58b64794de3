"""import statuspage and import upptime: real histories are taken in by tests/importers; here is what the commands make of small ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

ENTRY = {
    "id": "71",
    "title": "Incident with Git Operations",
    "impact": "major",
    "components": ["Git Operations", "API Requests"],
    "updates": [{"at": "2026-02-02T10:00:00Z", "status": "Investigating"}, {"at": "2026-02-02T11:00:00Z", "status": "Resolved"}],
}
ROWS = """commit,slug,status,code,last_updated
c1,shop,up,200,2026-01-30T12:00:00Z
c2,shop,down,502,2026-01-30T13:00:00Z
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.jsonl"
    path.write_text(json.dumps(ENTRY) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def monitor(tmp_path: Path) -> Path:
    folder = tmp_path / "monitor"
    folder.mkdir()
    (folder / "probes.csv").write_text(ROWS, encoding="utf-8")
    (folder / "upptimerc.yml").write_text("owner: example-lab\nrepo: status\nsites:\n  - name: Shop\n", encoding="utf-8")
    return folder


def _counts(done: Any) -> dict[str, int]:
    assert done.exit_code == 0, done.stderr
    return {row["what"]: row["count"] for row in json.loads(done.stdout)}


def _select(run: Any, url: str, table: str) -> list[dict[str, Any]]:
    assert run("catch-up", "--ledger", url).exit_code == 0
    rows: list[dict[str, Any]] = json.loads(run("select", table, "--format", "json", "--ledger", url).stdout)
    return rows


def test_a_page_is_taken_in_by_a_ledger_created_for_it_and_again_adds_nothing(page: Path, run: Any) -> None:
    url = f"sqlite:///{page.parent}/ops.db"
    options = ("import", "statuspage", str(page), "--component", "API Requests=api", "--noticed", "monitoring", "--format", "json")
    done = run(*options, "--ledger", url)
    counts = _counts(done)
    assert (counts["rows"], counts["new"], counts["facts"]) == (1, 1, 6)
    assert done.stderr.startswith(f"Created the ledger {url}.\n")
    assert [row["service_id"] for row in _select(run, url, "incident_service")] == ["api", "git-operations"]
    assert _select(run, url, "incident")[0]["detection_source"] == "monitoring"
    assert run("verify", "--strict", "--ledger", url).exit_code == 0
    counts = _counts(run(*options, "--ledger", url))
    assert (counts["new"], counts["known"], counts["facts"]) == (0, 1, 0)


def test_entries_that_changed_are_set_aside_and_listed(page: Path, run: Any) -> None:
    url = f"sqlite:///{page.parent}/ops.db"
    run("import", "statuspage", str(page), "--ledger", url)
    page.write_text(json.dumps(ENTRY | {"impact": "minor"}) + "\n", encoding="utf-8")
    done = run("import", "statuspage", str(page), "--format", "json", "--ledger", url)
    assert _counts(done)["changed"] == 1
    assert "1 row set aside; `opsledger select import_quarantine import_id=statuspage/2` lists them." in done.stderr


@pytest.mark.parametrize("component", ["Pages", "=pages", "Pages="])
def test_a_component_without_its_service_is_refused_before_a_ledger_is_created(page: Path, run: Any, component: str) -> None:
    done = run("import", "statuspage", str(page), "--component", component, "--ledger", f"sqlite:///{page.parent}/ops.db")
    assert (done.exit_code, "NAME=SERVICE" in done.stderr) == (2, True)
    assert not (page.parent / "ops.db").exists()


def test_a_monitors_history_is_taken_in_and_again_adds_nothing(monitor: Path, run: Any) -> None:
    url = f"sqlite:///{monitor.parent}/ops.db"
    options = ("import", "upptime", str(monitor), "--location", "berlin", "--silent-after-s", "7200", "--format", "json", "--ledger", url)
    counts = _counts(run(*options))
    assert (counts["rows"], counts["new"], counts["facts"]) == (2, 2, 3)
    assert [row["service_id"] for row in _select(run, url, "service")] == ["shop"]
    (row,) = _select(run, url, "monitor")
    assert (json.loads(row["locations"]), row["silent_after_s"]) == (["berlin"], 7200)
    assert run("verify", "--strict", "--ledger", url).exit_code == 0
    counts = _counts(run(*options))
    assert (counts["new"], counts["known"], counts["facts"]) == (0, 2, 0)


def test_a_folder_without_a_history_is_refused_in_one_sentence(tmp_path: Path, run: Any) -> None:
    done = run("import", "upptime", str(tmp_path), "--ledger", f"sqlite:///{tmp_path}/ops.db")
    assert (done.exit_code, "has none of probes.csv" in done.stderr) == (2, True)
