"""The pages of docs/reference, written from the declarations: commands, tables, facts, policy, key figures.

    python -m opsledger.cli.reference docs/reference

The same declarations give the same pages, byte for byte; a test sees to it that the ones committed are current.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from importlib.resources import files
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import typer
from pydantic import BaseModel

from opsledger.cli.application import app
from opsledger.domain.concept import concepts
from opsledger.domain.fact import FactType, Sealed, fact_types
from opsledger.domain.plugins import load_concepts
from opsledger.policies.duration import Seconds
from opsledger.policies.operating_model import OperatingModel, unused
from opsledger.projections.catalog import kpis, projections, views
from opsledger.projections.kinds import View
from opsledger.projections.table import Table

__all__ = ["pages", "write"]

_MADE: Final = "<!-- Written by `make docs` from the declarations in the code; change those, not this page. -->"
_PLAIN: Final = {str: "text", int: "integer", bool: "yes or no", datetime: "instant", date: "date", Decimal: "exact decimal"}
_DURATION: Final = get_args(Seconds)[1]


def pages() -> dict[str, str]:
    """Return the pages by their file names."""
    load_concepts()
    made = {"commands.md": _commands(), "tables.md": _tables(), "facts.md": _facts(), "policy.md": _policy(), "kpis.md": _kpis()}
    return {name: "\n".join(lines).rstrip() + "\n" for name, lines in made.items()}


def write(folder: Path) -> None:
    """Write the pages into a folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def _kpis() -> Iterator[str]:
    yield from ("# Key figures", "", _MADE, "")
    yield (
        "Rows of the view `kpi`: each figure is numerator / denominator, two exact integers, by scope and period. Where there is nothing "
        "to divide by, both are null and `null_reason` says why."
    )
    yield ""
    yield from _table(
        ("figure", "what it is", "unit", "version"), [(f"`{each.name}`", each.doc, each.unit, str(each.version)) for each in kpis()]
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a table, and an empty line after it; nothing where there are no rows."""
    if rows:
        yield f"| {' | '.join(heads)} |"
        yield f"|{'---|' * len(heads)}"
        for row in rows:
            yield f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in row)} |"
        yield ""


# Commands.


def _commands() -> Iterator[str]:
    yield from ("# Commands", "", _MADE, "")
    yield (
        "Every command that works on a ledger takes `--ledger URL`, or `OPSLEDGER_LEDGER` from the environment; where neither is given and "
        "exactly one SQLite ledger lies in the current folder, that one is used and named on stderr. Data go to stdout, messages and "
        "progress to stderr. Exit codes: 0 done, 1 findings, 2 it could not be done (one sentence says why; `OPSLEDGER_TRACEBACK=1` shows "
        "where), 130 interrupted. Times are ISO 8601 with a zone; those printed are UTC."
    )
    yield ""
    yield from _group("opsledger", typer.main.get_command(app))


def _group(path: str, command: Any) -> Iterator[str]:
    for name, each in command.commands.items():
        if hasattr(each, "commands"):
            yield from _group(f"{path} {name}", each)
        else:
            yield from _command(f"{path} {name}", each)


def _command(path: str, command: Any) -> Iterator[str]:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and each.name != "help"]
    yield from (f"## {path}", "", inspect.cleandoc(command.help or ""), "")
    words = [each.metavar + ("..." if each.nargs == -1 and not each.metavar.endswith("...") else "") for each in arguments]
    required = [f"{each.opts[0]} {_value(each)}" for each in options if each.required]
    yield from ("```", " ".join([path, *words, *required, *(["[OPTION]..."] if len(options) > len(required) else [])]), "```", "")
    rows = [(f"`{each.metavar}`", each.help or "") for each in arguments]
    rows += [(f"`{' '.join(filter(None, (', '.join(each.opts), _value(each))))}`", _told(each)) for each in options]
    yield from _table(("argument or option", "meaning"), rows)


def _value(option: Any) -> str:
    """Return what stands behind an option: nothing for a flag."""
    return "" if option.is_flag else option.metavar or option.name.upper()


def _told(option: Any) -> str:
    said = option.help or ""
    if option.default not in (None, "", False) and not callable(option.default):
        said += f" Default: {_text(option.default)}."
    return said + (" Needed." if option.required else "")


def _text(value: Any) -> str:
    return str(value.value) if isinstance(value, Enum) else str(value)


# Tables.


def _tables() -> Iterator[str]:
    tables = [table for each in projections() for table in each.tables]
    yield from ("# Tables and views", "", _MADE, "")
    yield (
        "What analysts read, in the file `ops.tables.db` beside an SQLite ledger or the schema `opsledger_tables` of a PostgreSQL one. "
        "Instants are UTC: ISO 8601 text with six digits and Z in SQLite, `timestamptz` in PostgreSQL. The same texts stand in "
        "`opsledger_catalog` and, in PostgreSQL, in the comments. `opsledger_as_of` has one row: `position`, `recorded_at` and "
        "`effective_at` of what the tables show."
    )
    yield ""
    yield from _table(("name", "kind", "rows"), [(_link(each.name), "table", each.doc) for each in tables])
    yield from _table(("name", "kind", "rows"), [(_link(each.name), "view", each.doc) for each in views()])
    for table in tables:
        yield from _described(table)
    for view in views():
        yield from _described(view)


def _described(each: Table | View) -> Iterator[str]:
    yield from (f"## {each.name}", "", f"{each.doc} Key: {', '.join(f'`{name}`' for name in each.key)}.", "")
    yield from _table(("column", "kind", "meaning"), [(f"`{column.name}`", column.kind, column.doc) for column in each.columns])


def _link(name: str) -> str:
    return f"[{name}](#{name})"


# Facts.


def _facts() -> Iterator[str]:
    yield from ("# Facts", "", _MADE, "")
    yield (
        "What a ledger may hold, by topic. Topics never change; a revision rises with every added field. Personal fields are sealed for "
        "the subject before anything is stored. A promise is a due time, stamped from what was known; null: nothing is promised."
    )
    yield ""
    groups: dict[str, list[FactType[Any]]] = {}
    for topic, kind in fact_types().items():
        groups.setdefault(topic.partition(".")[0], []).append(kind)
    parts: dict[str, type] = {}
    for group in sorted(groups):
        yield from (f"## {group}", "")
        for kind in groups[group]:
            yield from _fact(kind, parts)
    if parts:
        yield from ("## Value objects", "")
    for name in sorted(parts):
        yield from (f"### {name}", "", inspect.cleandoc(parts[name].__doc__ or ""), "")
        yield from _fields(parts[name], None, {})


def _fact(kind: FactType[Any], parts: dict[str, type]) -> Iterator[str]:
    inside = sorted(name for name, each in concepts().items() if kind.made in each.facts)
    yield from (f"### {kind.topic}", "", inspect.cleandoc(kind.made.__doc__ or ""), "")
    corrects = " It corrects an earlier fact." if kind.corrects is not None else ""
    yield f"Happened at `{kind.at}`. Revision {kind.revision}. Stands in streams of: {', '.join(inside) or 'none'}.{corrects}"
    yield ""
    yield from _fields(kind.made, kind, parts)


def _fields(made: type, kind: FactType[Any] | None, parts: dict[str, type]) -> Iterator[str]:
    hints, said = get_type_hints(made, include_extras=True), _comments(made)
    promises = dict(kind.promises) if kind is not None else {}
    rows = []
    for each in fields(made):
        marks = []
        if kind is not None and each.name in kind.personal:
            marks.append("Personal.")
        if kind is not None and each.name == kind.subject:
            marks.append("The subject.")
        if each.name in promises:
            marks.append(f"Promise of {promises[each.name]}.")
        meaning = said.get(each.name, "")
        rows.append((f"`{each.name}`", _type(hints[each.name], parts), " ".join([*marks, meaning[:1].upper() + meaning[1:]]).strip()))
    yield from _table(("field", "type", "meaning"), rows)


def _comments(made: type) -> dict[str, str]:
    """Return the comments behind the fields of a class, as its source has them."""
    found = re.findall(r"^    (\w+): [^#\n]*#\s*(.+)$", inspect.getsource(made), re.MULTILINE)
    return {name: comment if comment.endswith(".") else f"{comment}." for name, comment in found}


def _type(hint: Any, parts: dict[str, type]) -> str:
    """Return a type in words."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return "duration" if _DURATION in inner else _type(inner[0], parts)
    if origin in (Union, UnionType):
        said = [_type(each, parts) for each in inner if each not in (NoneType, Sealed)]
        return ", ".join(dict.fromkeys(said)) + (" or null" if NoneType in inner or any(_nullable(each) for each in inner) else "")
    if origin is Literal:
        return ", ".join(str(each) or "empty" for each in inner)
    if origin is dict:
        return f"{_type(inner[1], parts)}, by {_type(inner[0], parts)}"
    if origin is tuple:
        return f"list of {_type(inner[0], parts)}" if inner[1:] == (Ellipsis,) else f"({', '.join(_type(each, parts) for each in inner)})"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ", ".join(str(each.value) for each in hint)
    if is_dataclass(hint) and isinstance(hint, type):
        parts[hint.__name__] = hint
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    return _PLAIN.get(hint, getattr(hint, "__name__", str(hint)))


def _nullable(hint: Any) -> bool:
    return get_origin(hint) is Annotated and NoneType in get_args(get_args(hint)[0])


# Policy.


def _policy() -> Iterator[str]:
    later = set(unused())
    yield from ("# The operating model", "", _MADE, "")
    yield (
        "What is promised and by which rules, as one document in YAML: `opsledger policy show` prints the one in force, `opsledger policy "
        "publish` records another. Unknown keys and contradictions are refused with the path to the field. Fields marked later are checked "
        "and kept, and no code reads them yet. `*` stands for a name of your own, or for one of those that the type lists."
    )
    yield ""
    rows = [(f"`{path}`", said, "later" if _is_later(path, later) else "", doc) for path, said, doc in _leaves(OperatingModel, "")]
    yield from _table(("field", "type", "", "meaning"), rows)
    for name, title in (("operating_model.yaml", "The default model"), ("calendars.yaml", "The default calendars")):
        text = (files("opsledger.policies") / "defaults" / name).read_text(encoding="utf-8").rstrip()
        yield from (f"## {title}", "", "```yaml", *text.splitlines(), "```", "")


def _leaves(model: type[BaseModel], path: str) -> Iterator[tuple[str, str, str]]:
    """Yield (path, type, meaning) of the fields that hold values, those inside dictionaries and lists too."""
    for name, field in model.model_fields.items():
        here = f"{path}.{field.alias or name}".lstrip(".")
        nested, suffix = _nested(field.annotation)
        if nested is not None:
            yield from _leaves(nested, here + suffix)
        else:
            yield here, "duration" if _DURATION in field.metadata else _type(field.annotation, {}), field.description or ""


def _nested(hint: Any) -> tuple[type[BaseModel] | None, str]:
    """Return the section inside a type, if there is one, and how a path goes on to it."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return hint, ""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is dict:
        found, suffix = _nested(inner[1])
        return found, f".*{suffix}"
    if origin in (tuple, Union, UnionType, Annotated):
        for each in inner:
            found, suffix = _nested(each)
            if found is not None:
                return found, f"[]{suffix}" if origin is tuple else suffix
    return None, ""


def _is_later(path: str, later: set[str]) -> bool:
    plain = re.sub(r"\.\*|\[\]", "", path)
    return any(plain == each or plain.startswith(f"{each}.") for each in later)


if __name__ == "__main__":
    typer.run(write)
