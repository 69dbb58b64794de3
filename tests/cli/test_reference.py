"""The pages of docs/reference are those that the declarations give."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsledger.cli.reference import pages, write

COMMITTED = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", ["commands.md", "tables.md", "facts.md", "policy.md"])
def test_a_committed_page_is_current(name: str, tmp_path: Path) -> None:
    write(tmp_path)
    assert (COMMITTED / name).read_text(encoding="utf-8") == (tmp_path / name).read_text(encoding="utf-8"), (
        f"docs/reference/{name} is not current; run `make docs`"
    )


def test_pages_say_what_analysts_hosts_and_auditors_look_for() -> None:
    made = pages()
    assert "## opsledger verify\n" in made["commands.md"]
    assert "| `--known-at TIME` | What was known at this time of recording. |" in made["commands.md"]
    assert "| `breach_at` | instant | First instant at which one moment more runs" in made["tables.md"]
    assert "| `summary` | text or null | Personal." in made["facts.md"]
    assert "| `respond_by` | instant or null | Promise of first_response. |" in made["facts.md"]
    assert "| `support.tiers.*.definition` | text | later |" in made["policy.md"]
    assert "first_response: {within: 15 min, calendar: always}" in made["policy.md"]
