"""Stores that a host declares by an entry point are cleared by whoever erases, the command line included."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from people import Office

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "erase.md"


@pytest.mark.parametrize("ledger", ["sqlite"], indirect=True)
def test_a_store_is_found_by_its_entry_point(office: Office, tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    code = re.search(r"```python\n(# index\.py\n.*?)```", text, flags=re.DOTALL)
    group = re.search(r'\[project\.entry-points\."([\w.]+)"\]\n(\w+) = "([\w.:]+)"', text)
    assert code and group
    (tmp_path / "index.py").write_text(code[1].replace('"p-9"', '"p-1"'), encoding="utf-8")
    described = tmp_path / "index-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: index\nVersion: 1.0\n", encoding="utf-8")
    (described / "entry_points.txt").write_text(f"[{group[1]}]\n{group[2]} = {group[3]}\n", encoding="utf-8")
    office.ask()
    command = [sys.executable, "-m", "opsledger", "erase", "p-1", "--approver", "u-9", "--basis", "b", "--ledger", office.ledger.url.shown]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    derived = next(recorded.fact for recorded in office.ledger.history("subject:p-1") if recorded.topic == "subject.derived_purged")
    assert [(each.name, each.done) for each in derived.others] == [("search_index", "1 documents removed")]
