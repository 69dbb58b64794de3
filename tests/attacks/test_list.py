"""The list of attacks in docs/explanation/proof.md: every number is there, is played where the list says, and with that verdict."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from test_levels import CASES

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "explanation" / "proof.md"
VERDICTS = {"found", "exposed", "refused", "never", "-"}
BOTH = {"world", "timely", "ledger"}
"""Fixtures that give a ledger on each of the two databases."""


class Listed(NamedTuple):
    """A row of the list."""

    number: int
    verdicts: tuple[str, ...]  # alone, kept, timed, replayed
    files: tuple[str, ...]


def listed() -> list[Listed]:
    rows = []
    for line in PAGE.read_text(encoding="utf-8").partition("\n## Attacks\n")[2].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 8 and cells[0].isdecimal():
            rows.append(Listed(int(cells[0]), tuple(cells[2:6]), tuple(re.findall(r"`(\w+)`", cells[7]))))
    return rows


def played(file: str) -> dict[int, list[str]]:
    """Return the numbers that a file plays, each with its tests: by their names, or by the names of their cases."""
    found: dict[int, list[str]] = {}
    tree = ast.parse((HERE / f"{file}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.FunctionDef) and (numbers := re.match(r"test_(\d+(?:_and_\d+)*)_", node.name)):
            names = [(int(number), node.name) for number in numbers[1].split("_and_")]
        elif isinstance(node, ast.Dict):
            keys = [key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
            names = [(int(key.split()[0]), key) for key in keys if re.match(r"\d+ \w", key)]
        for number, name in names:
            found.setdefault(number, []).append(name)
    if file in ("test_pack", "test_pack_file"):  # all of it is about packs that were doctored
        found.setdefault(43, []).append(file)
    return found


def test_the_list_has_every_number_once() -> None:
    assert [row.number for row in listed()] == list(range(1, 46))


@pytest.mark.parametrize("row", listed(), ids=lambda row: str(row.number))
def test_every_attack_is_played_where_the_list_says(row: Listed) -> None:
    assert row.files, "nothing plays it"
    assert set(row.verdicts) <= VERDICTS
    for file in row.files:
        assert played(file).get(row.number), f"{file} plays no attack {row.number}"


def test_what_is_played_with_a_number_is_in_the_list_with_its_file() -> None:
    told = {(row.number, file) for row in listed() for file in row.files}
    for path in sorted(HERE.glob("test_*.py")):
        if path.stem != "test_list":
            assert {(number, path.stem) for number in played(path.stem)} <= told, path.stem


@pytest.mark.parametrize("row", [row for row in listed() if "test_levels" in row.files], ids=lambda row: str(row.number))
def test_the_verdict_of_the_list_is_that_of_the_hardest_case(row: Listed) -> None:
    cases = [case for name, case in CASES.items() if int(name.split()[0]) == row.number]

    def verdict(level: int) -> str:
        found = [(case.alone, case.kept, case.kept if case.timed is None else case.timed, case.replayed)[level] for case in cases]
        if all(found):
            return "found"
        hidden = level < 3 and any(not checks and case.touches is not None for checks, case in zip(found, cases, strict=True))
        return "exposed" if hidden else "-"

    assert tuple(map(verdict, range(4))) == row.verdicts


def test_every_attack_on_a_ledger_is_played_on_both_databases() -> None:
    """By a fixture that gives each in turn. A verifier, and what is inside of a pack, know no database."""
    for path in sorted(HERE.glob("test_*.py")):
        if path.stem in ("test_list", "test_pack", "test_pack_file", "test_any_change"):
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and "verifier" not in node.name:
                assert BOTH & {argument.arg for argument in node.args.args}, f"{path.stem}: {node.name}"
