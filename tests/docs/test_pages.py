"""The code of the pages runs: each page's Python blocks, in order, as a reader would run them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"# ([\w.]+\.(?:py|toml|yaml))\n")


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def run(program: Path, folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder), "OPSLEDGER_LEDGER": ""}
    done = subprocess.run([sys.executable, str(program)], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/web-application.md"])
def test_the_blocks_of_a_page_run_in_order(page: str, tmp_path: Path) -> None:
    program = tmp_path / "page.py"
    program.write_text("\n".join(blocks(ROOT / page, "python")), encoding="utf-8")
    run(program, tmp_path)


@pytest.mark.parametrize(
    "page",
    [
        "docs/tutorial/first-day.md",
        "docs/how-to/policies.md",
        "docs/how-to/audit-evidence.md",
        "docs/how-to/audit-pack.md",
        "docs/how-to/erase.md",
        "docs/how-to/import-availability.md",
        "docs/how-to/import-tickets.md",
    ],
)
def test_a_reader_who_types_what_a_page_says_gets_through_it(page: str, tmp_path: Path) -> None:
    program = ["set -eu"]
    for language, block in re.findall(
        r"^```(sh|python|yaml)\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    ):
        if language == "sh":
            program.append(block)
            continue
        name = NAMED.match(block)
        assert name is not None, f"a block without a file name: {block[:60]}"
        (tmp_path / name[1]).write_text(block, encoding="utf-8")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("OPSLEDGER_LEDGER", None)
    command = ["bash", "-c", "\n".join(program)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout[-1500:]}{done.stderr[-1500:]}"


def write_the_blocks(page: Path, folder: Path, *languages: str) -> None:
    for language in languages:
        for block in blocks(page, language):
            name = NAMED.match(block)
            assert name is not None, f"a block without a file name: {block[:60]}"
            (folder / name[1]).write_text(block, encoding="utf-8")


def install_the_host(folder: Path) -> None:
    """Write the package of the page on a host's own concept, as if it were installed in a folder."""
    write_the_blocks(ROOT / "docs/how-to/own-concept.md", folder, "python", "toml")
    described = folder / "refunds-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: refunds\nVersion: 1.0\n", encoding="utf-8")
    groups = re.findall(
        r'\[project\.entry-points\."([\w.]+)"\]\n(\w+) = "([\w.:]+)"', (folder / "pyproject.toml").read_text(encoding="utf-8")
    )
    assert len(groups) == 2
    points = "\n".join(f"[{group}]\n{name} = {target}\n" for group, name, target in groups)
    (described / "entry_points.txt").write_text(points, encoding="utf-8")


def test_a_concept_and_a_table_of_a_host_are_found_by_their_entry_points(tmp_path: Path) -> None:
    install_the_host(tmp_path)
    assert run(tmp_path / "use.py", tmp_path) == "R-1 4900 True\n"


def test_the_scenarios_of_the_page_on_them_run_also_that_of_a_host(tmp_path: Path) -> None:
    install_the_host(tmp_path)
    (tmp_path / "pyproject.toml").unlink()  # which is no scenario
    write_the_blocks(ROOT / "docs/how-to/scenarios.md", tmp_path, "python", "toml")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTEST_ADDOPTS": ""}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-v"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert re.findall(r"test_scenario\[(\w+)\] PASSED", done.stdout) == ["late", "refund"]
