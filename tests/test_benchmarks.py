"""The benchmarks run, and the page that they write has every row. What the figures say on a busy machine is not looked at."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.measuring import Spread
from benchmarks.report import Row, Target, verdict

ROOT = Path(__file__).parents[1]
SPANS = ("1 month", "3 years", "30 years")
RIVALS = ("businesstime", "businesstimedelta", "business-duration", "numpy.busday_count, which counts days only")
CHECKS = (
    "continuity, the log is whole",
    "fold, every fact decodes and evolves",
    "promises, every due time derived again",
    "projections, all tables built anew and compared",
)
BOTH = ("SQLite", "PostgreSQL")
APPENDED = ("SQLite", "PostgreSQL", "PostgreSQL, not waiting for the disk")
EXPECTED = {
    "One append, durable": [
        *(f"one append, {what}, {where}" for where in APPENDED for what in ("the bare store", *["`OpsLedger.record`"] * 2)),
        "one append after N under a foreign snapshot, PostgreSQL",
    ],
    "Bulk import with source ids": [f"bulk import, {where}" for where in BOTH],
    "Rebuild of all tables": [
        *(f"rebuild of all tables, N facts, {where}, {by}" for by in ("2 processes", "1 process", "1 process") for where in BOTH),
        *(f"events per second of a rebuild, N facts, {where}, 2 processes" for where in BOTH),
        "time of a rebuild for each fact, at N facts, SQLite, 1 process",
        *(f"most memory of a rebuild, at N facts, SQLite, {by}" for by in ("1 process", "2 processes")),
    ],
    "Live": [
        each.format(where)
        for where in BOTH
        for each in (
            "from an act to the tables, p99, {}",
            "from an act to the tables, p50, {}",
            "an act beside a rebuild, p50, {}",
            "an act beside a rebuild, p99, {}",
            "longest wait for the tables beside a rebuild, {}",
        )
    ],
    "Opening a stream of 1,000 facts": [f"the state of a ticket of N facts, {where}" for where in BOTH],
    "Requests counted and merged": [
        "one `Accumulator.add`",
        "one `Accumulator.add`, from 4 threads at once",
        "60 windows merged, with their percentiles",
        "rebuild of all tables, 60 windows, SQLite, 1 process",
    ],
    "Probes rebuilt": [
        *["rebuild of all tables, N changes of state, SQLite, 1 process"] * 2,
        "changes of state recorded by `observe`, 5,000 at a time",
    ],
    "Proof": [
        *(
            each.format(where)
            for where in BOTH
            for each in (
                "verify integrity, N facts, {}, 1 process",
                "verify integrity, N facts, {}, 2 processes",
                "proof of one of N facts, {}",
            )
        ),
        *(f"one append beside a sealer, {each}{where}" for where in BOTH for each in ("", "p99, ")),
    ],
    "Verification": [f"verify {check}, {where}" for where in BOTH for check in CHECKS],
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the page of a quick run."""
    output = tmp_path_factory.mktemp("bench") / "page.md"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--output", str(output), "--folder", str(output.parent)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = output.read_text(encoding="utf-8")
    assert text in done.stdout
    return text


def rows(page: str, title: str) -> list[list[str]]:
    """Return the cells of a section's table."""
    section = page.partition(f"## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize("title", EXPECTED)
def test_a_section_has_every_row_with_a_result_and_a_verdict(page: str, title: str) -> None:
    found = rows(page, title)
    labels = [
        re.sub(r"\d[\d,]* (?:facts|changes)|(?<=after )[\d,]+", lambda size: re.sub(r"[\d,]+", "N", size[0]), row[0]) for row in found
    ]
    assert labels == EXPECTED[title]
    for what, _, ours, _, result, target, said in found:
        assert re.search(r"\d", ours) and re.search(r"\d", result), what
        assert re.match(r"met|\*\*missed", said) if target else said == "no target", what


def test_every_library_that_counts_business_time_is_measured_or_said_to_be_missing(page: str) -> None:
    found = rows(page, "Business time between two instants")
    assert found[-1][0] == "our business time over 30 years"
    for rival in RIVALS:
        mine = [row for row in found if row[1] == rival]
        if mine[0][-1].startswith("not measured"):
            assert "Not installed where this ran: " in page and rival in page.partition("Not installed where this ran: ")[2]
        else:
            assert {f"business time over {span}" for span in SPANS} <= {row[0] for row in mine}


def test_the_targets_stand_together_at_the_top(page: str) -> None:
    judged = [row[0] for title in EXPECTED for row in rows(page, title) if row[5]]
    assert [row[0] for row in rows(page, "Targets") if "business time" not in row[0]] == judged


def test_the_page_says_what_it_was_measured_on_and_names_no_place(page: str) -> None:
    assert "Generated by `python -m benchmarks --quick` on 20" in page
    assert re.search(r"Measured on \d+ cores, Python 3\.\d+\.\d+, SQLite 3\.\d+\.\d+, PostgreSQL \d+\.\d+, eventsourcing 9\.", page)
    assert platform.node() not in page
    assert not re.search(r"(?<![\w.`])/(?:tmp|home|root|usr|work|var|opt)/", page)


@pytest.mark.parametrize(
    ("value", "target", "expected"),
    [
        (100.0, Target("at least", 100), "met"),
        (61.0, Target("at least", 100), "**missed by 39%**"),
        (0.6, Target("at most", 0.6), "met"),
        (0.72, Target("at most", 0.6), "**missed by 20%**"),
        (3.0, Target("at most", 1.0), "**missed: 3.00 times as much**"),
    ],
)
def test_a_verdict_says_by_how_much_a_target_is_missed(value: float, target: Target, expected: str) -> None:
    assert verdict(Row("an act", "another", "", "", Spread(value, value, value), target=target)) == expected
