"""The house in order: what is true of every file, every fact and every table, so that nobody has to look for it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from opsledger.domain.concept import concepts
from opsledger.domain.fact import fact_type, fact_types
from opsledger.domain.plugins import load_concepts
from opsledger.policies.operating_model import default_model
from opsledger.projections.catalog import projections, views
from opsledger.projections.kinds import View
from opsledger.projections.table import Table

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "opsledger"
LONGEST_FILE, LONGEST_FUNCTION = 500, 60
IN_ONE_PIECE = {"src/opsledger/audit/verify_auditpack.py": 850}  # one file by its promise to auditors, who have nothing else of ours
PURE = ("policies", "domain", "projections")
IMPURE_MODULES = {"getpass", "locale", "os", "platform", "random", "secrets", "socket", "tempfile", "threading", "time", "uuid"}
IMPURE_CALLS = {"now", "utcnow", "today", "getenv", "uuid1", "uuid4", "urandom", "perf_counter", "monotonic", "gethostname"}
GENERATED = ("requirements.lock", "tools.lock")


@cache
def files() -> tuple[Path, ...]:
    """Return the files that are or will be in the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return tuple(sorted(ROOT / name for name in listed if name and (ROOT / name).is_file()))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def python(within: Path = ROOT) -> list[Path]:
    return [path for path in files() if path.suffix == ".py" and path.is_relative_to(within)]


def shown(path: Path, line: int | None = None) -> str:
    return str(path.relative_to(ROOT)) + ("" if line is None else f":{line}")


def module(path: Path) -> str:
    """Return the dotted name of a source file."""
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


# Files and functions.


def test_there_is_something_to_look_at() -> None:
    assert len(python(SOURCE)) > 50
    assert len(python(ROOT / "tests")) > 20


def test_files_are_short() -> None:
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python()}
    assert {name: lines for name, lines in lengths.items() if lines > IN_ONE_PIECE.get(name, LONGEST_FILE)} == {}


def test_functions_fit_a_screen() -> None:
    found = {}
    for path in python():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                if (lines := node.end_lineno - node.lineno + 1) > LONGEST_FUNCTION:
                    found[f"{shown(path, node.lineno)} {node.name}"] = lines
    assert found == {}


def test_every_module_tells_its_story() -> None:
    assert [shown(path) for path in python() if path.read_text(encoding="utf-8").strip() and not ast.get_docstring(tree(path))] == []


def test_nothing_is_left_to_do_later() -> None:
    words = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")) + r")\b")
    found = [
        shown(path, number)
        for path in files()
        if path.suffix in (".py", ".md", ".toml", ".yaml", ".sql")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if words.search(line)
    ]
    assert found == []


# Public names.


def exported(path: Path) -> list[str] | None:
    """Return a module's `__all__`, as written."""
    for node in tree(path).body:
        if isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets):
            return [str(name) for name in ast.literal_eval(node.value)]
    return None


def order(name: str) -> tuple[int, str]:
    """Sort constants first, then classes, then functions."""
    return 0 if name.isupper() else 1 if name[0].isupper() else 2, name


def test_what_is_exported_is_sorted_exists_and_is_named_once() -> None:
    for path in python(SOURCE):
        if (names := exported(path)) is not None:
            assert names == sorted(set(names), key=order), f"{shown(path)} has its __all__ unsorted, or a name twice"
            there = import_module(module(path))
            assert [name for name in names if not hasattr(there, name)] == [], f"{shown(path)} exports what it does not have"


def imported(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield (line, module, name) of the names that a file takes from modules of ours."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("opsledger"):
            yield from ((node.lineno, str(node.module), alias.name) for alias in node.names)


def source_of(name: str) -> Path:
    """Return the file of a module of ours."""
    place = SOURCE.parent / Path(*name.split("."))
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def test_what_others_use_of_a_module_is_public_and_exported() -> None:
    found = []
    for path in python(SOURCE):
        for line, name, taken in imported(path):
            names = exported(source_of(name))
            if (taken.startswith("_") and not taken.endswith("__")) or not (
                names is None or taken in names or source_of(f"{name}.{taken}").exists()
            ):
                found.append(f"{shown(path, line)} takes {taken} from {name}, which does not export it")
    assert found == []


def test_a_module_says_what_is_public() -> None:
    """The parts of a concept that outgrew one file say it together, in the `__init__` of their folder."""
    silent = [path for path in python(SOURCE) if exported(path) is None and path.name not in ("__init__.py", "__main__.py")]
    assert [shown(path) for path in silent if exported(path.with_name("__init__.py")) is None] == []


# Purity.


def impure(path: Path) -> Iterator[str]:
    """Yield what a module takes from the clock, the dice, the environment or the place where it runs."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names = [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").partition(".")[0]]
        else:
            names = []
        yield from (f"{shown(path, node.lineno)} imports {name}" for name in names if name in IMPURE_MODULES)
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
            clock = isinstance(node.func, ast.Attribute) and called in IMPURE_CALLS and not _of_sql(node.func)
            local = (called == "astimezone" and not node.args) or (called == "fromtimestamp" and len(node.args) + len(node.keywords) < 2)
            if clock or local or called == "hash":
                yield f"{shown(path, node.lineno)} calls {called}"


def _of_sql(called: ast.Attribute) -> bool:
    """Return whether a call makes SQL text: a view may ask the database for the present."""
    return isinstance(called.value, ast.Name) and called.value.id == "sql"


@pytest.mark.parametrize("package", PURE)
def test_no_clock_dice_environment_or_locale_decides_anything(package: str) -> None:
    assert [each for path in python(SOURCE / package) for each in impure(path)] == []


def test_the_look_for_clocks_and_dice_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("test_tidy.ROOT", tmp_path)
    bad = tmp_path / "bad.py"
    lines = (
        "import time",
        "from random import choice",
        "datetime.now(UTC)",
        "date.today()",
        "at.astimezone()",
        "datetime.fromtimestamp(0)",
        "hash('a')",
    )
    for line in lines:
        bad.write_text(line, encoding="utf-8")
        tree.cache_clear()
        assert list(impure(bad)), line
    for line in ("sql.now()", "datetime.fromtimestamp(0, UTC)", "at.astimezone(UTC)", "now.at", "from datetime import UTC"):
        bad.write_text(line, encoding="utf-8")
        tree.cache_clear()
        assert not list(impure(bad)), line
    tree.cache_clear()


# Documented.


def test_every_fact_says_in_a_sentence_what_happened() -> None:
    load_concepts()
    wrong = {topic for topic, kind in fact_types().items() if not re.search(r"\.$", (kind.made.__doc__ or "").strip())}
    assert wrong == set()


def test_every_topic_belongs_to_a_concept_and_is_named_after_it() -> None:
    load_concepts()
    told = {made for concept in concepts().values() for made in concept.facts}
    assert {topic for topic, kind in fact_types().items() if kind.made not in told} == set()
    assert {topic for topic in fact_types() if not re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*", topic)} == set()


def described() -> list[Table | View]:
    return [*(table for projection in projections() for table in projection.tables), *views()]


def test_all_personal_words_fall_into_a_category_of_retention() -> None:
    load_concepts()
    ours = {name: each for name, each in concepts().items() if each.evolve.__module__.startswith("opsledger.")}
    speaking = {name for name, each in ours.items() if any(fact_type(kind).personal for kind in each.facts)}
    rules = default_model().personal_data
    assert {name for name in speaking if rules.category_of(name) is None} == set(), "name it in personal_data.retention of the defaults"
    named = {name for rule in rules.retention.values() for name in rule.concepts}
    assert named - speaking == set(), "there is no such concept, or it has no personal field"


@pytest.mark.parametrize("each", described(), ids=lambda each: each.name)
def test_every_table_view_and_column_is_documented(each: Table | View) -> None:
    assert each.doc.endswith(".") and each.doc.startswith("One row per"), "say the grain of it: One row per ..."
    assert [column.name for column in each.columns if not column.doc.rstrip().endswith((".", "?"))] == []
    names = [column.name for column in each.columns]
    assert len(names) == len(set(names))
    assert set(each.key) <= set(names)


def test_units_stand_last_and_instants_say_so() -> None:
    """`..._at` and `..._to` are instants, `..._s` and `..._us` integers."""
    for each in described():
        for column in each.columns:
            assert not column.name.endswith("_at") or column.kind == "instant", f"{each.name}.{column.name}"
            assert not re.search(r"_(s|us|ms|bp|ppm|pct|count)$", column.name) or column.kind == "integer", f"{each.name}.{column.name}"


# What the tree may not name.


def test_imports_go_one_way() -> None:
    done = subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


FORBIDDEN = {
    "an address of a package index": re.compile("py" + r"pi\.(org|python)|python" + r"hosted|index-" + r"url\s*=|simple" + r"/\s*$"),
    "a path of a machine": re.compile(r"(?<![\w.~/<>-])/(" + "|".join(("home", "root", "work", "Users", "mnt")) + r")/\w"),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_tree_names_no(what: str) -> None:
    found = []
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # no text
        found += [shown(path, number) for number, line in enumerate(text.splitlines(), 1) if FORBIDDEN[what].search(line)]
    assert found == []


def test_nothing_big_slips_in() -> None:
    big = {shown(path): path.stat().st_size for path in files() if path.name not in GENERATED and path.stat().st_size > 300_000}
    assert big == {}
