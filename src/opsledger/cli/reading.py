"""Commands that read tables: tables, select."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from opsledger.cli.opening import LedgerOption, built_tables, opened
from opsledger.cli.output import Format, FormatOption, show
from opsledger.errors import BadInput

if TYPE_CHECKING:
    from opsledger.projections.kinds import View
    from opsledger.projections.table import Table

__all__ = ["commands"]

commands = typer.Typer()

_PANEL: Final = "Read"


@commands.command(rich_help_panel=_PANEL)
def tables(
    name: Annotated[str | None, typer.Argument(metavar="[TABLE]", help="A table or view, to list its columns.")] = None,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """List the tables and views with their meaning, or the columns of one. With --ledger also how many rows stand in each table."""
    declared, views = _declared()
    if name is not None:
        described = declared.get(name) or views.get(name)
        if described is None:
            from opsledger.replay.tables import no_table

            raise no_table(name, [*declared, *views])
        rows: list[dict[str, Any]] = [
            {"column": column.name, "kind": column.kind, "key": column.name in described.key or None, "meaning": column.doc}
            for column in described.columns
        ]
        show(rows, ("column", "kind", "key", "meaning"), format)
        return
    rows = [{"name": each.name, "kind": "table", "key": ", ".join(each.key), "meaning": each.doc} for each in declared.values()]
    rows += [{"name": each.name, "kind": "view", "key": ", ".join(each.key), "meaning": each.doc} for each in views.values()]
    if not ledger:
        show(rows, ("name", "kind", "key", "meaning"), format)
        return
    counts = _counts(ledger, list(declared))
    show([{**row, "rows": counts.get(row["name"])} for row in rows], ("name", "kind", "rows", "key", "meaning"), format)


@commands.command(rich_help_panel=_PANEL)
def select(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A table or view; `opsledger tables` lists them.")],
    where: Annotated[
        list[str] | None, typer.Argument(metavar="[COLUMN=VALUE]...", help="What columns must equal; nothing after = means null.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=0, metavar="N", help="At most so many rows.")] = None,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Print the rows of a table or view, in order of its key, whose columns equal what is given."""
    with opened(ledger) as host:
        read = built_tables(host)
        described = read.describe(table)
        rows: Iterable[dict[str, Any]] = read.scan(table, **_conditions(described, where or []))
        show(islice(rows, limit), [column.name for column in described.columns], format)


def _declared() -> tuple[dict[str, Table], dict[str, View]]:
    from opsledger.domain.plugins import load_concepts
    from opsledger.projections.catalog import projections, views

    load_concepts()
    return {table.name: table for each in projections() for table in each.tables}, {each.name: each for each in views()}


def _counts(ledger: str, names: list[str]) -> dict[str, int]:
    import sqlalchemy as sa

    with opened(ledger) as host:
        read = built_tables(host)
        return {name: read.query(sa.select(sa.func.count().label("n")).select_from(sa.table(name)))[0]["n"] for name in names}


def _conditions(described: Table | View, given: list[str]) -> dict[str, Any]:
    from opsledger.replay.explain import read_value

    columns = {column.name: column for column in described.columns}
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or name not in columns:
            known = ", ".join(columns)
            raise BadInput("select.condition", f"'{text}' is no condition; write COLUMN=VALUE with a column of {described.name}: {known}.")
        found[name] = read_value(columns[name], value) if value else None
    return found
