"""Commands about the database itself: schema grants."""

from __future__ import annotations

from typing import Final

import typer

from opsledger.cli.opening import LedgerOption, ledger_url
from opsledger.errors import BadInput

__all__ = ["commands"]

commands = typer.Typer()
_PANEL: Final = "Tend"
_schema = typer.Typer(no_args_is_help=True, help="The database itself: who may do what in it.")
commands.add_typer(_schema, name="schema", rich_help_panel=_PANEL)


@_schema.callback()
def _about() -> None:
    """Keep `grants` a command of its own name."""


@_schema.command("grants")
def show_grants(ledger: LedgerOption = None) -> None:
    """Print the SQL that makes the roles of a PostgreSQL ledger, writer, projector, sealer, reader and eraser, and gives each its rights.

    Run it as the owner of the schemas: opsledger schema grants | psql ... Nothing is changed by printing it.
    """
    from opsledger.ledger.grants import grants
    from opsledger.ledger.url import parse_url

    where = parse_url(ledger_url(ledger))
    if where.kind != "postgresql":
        raise BadInput("schema.no_roles", "An SQLite file knows no roles; let the file's mode say who may write to it.")
    for statement in grants(where.schema):
        typer.echo(f"{statement.as_string()};")
