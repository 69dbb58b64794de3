"""Commands that take in other tools' exports: import servicenow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opsledger.cli.keeping import create_or_open
from opsledger.cli.opening import LedgerOption, ledger_url
from opsledger.cli.output import Format, FormatOption, counted, say, show
from opsledger.cli.progress import progress

if TYPE_CHECKING:
    from opsledger.importers.run import ImportResult

__all__ = ["commands"]

commands = typer.Typer()
_import = typer.Typer(no_args_is_help=True, help="Take in the exports of other tools.")
commands.add_typer(_import, name="import", rich_help_panel="Keep")


@_import.callback()
def _imports() -> None:
    """Keep the name of the source a word of its own, while there is only one source."""


@_import.command()
def servicenow(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="An incident audit log: csv, csv.gz or csv.xz.")
    ],
    zone: Annotated[str, typer.Option(metavar="ZONE", help="IANA zone in which its times are written, such as America/Sao_Paulo.")],
    proposer: Annotated[
        str | None, typer.Option(metavar="ACTOR", help="Who answers for the policy and hours that the time of the log needs.")
    ] = None,
    approver: Annotated[str | None, typer.Option(metavar="ACTOR", help="Who approves them: somebody else.")] = None,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Take in a ServiceNow incident log: one incident is one ticket. Creates the ledger where there is none.

    The same file again adds nothing. All of it was recorded when it was imported, so its past is asked for by effective-at.
    """
    from opsledger.importers.servicenow import import_servicenow

    host, created = create_or_open(ledger_url(ledger))
    with host:
        if created:
            say(f"Created the ledger {host.url.shown}.")
        people = {name: actor for name, actor in (("proposer", proposer), ("approver", approver)) if actor is not None}
        with progress("import", "rows") as told:
            result = import_servicenow(host, file, zone, **people, progress=told)
    show(list(_told(result)), ("what", "count"), format)
    if result.quarantined:
        say(
            f"{counted(result.quarantined, 'row')} set aside; `opsledger select import_quarantine import_id={result.import_id}` lists them."
        )


def _told(result: ImportResult) -> Iterator[dict[str, Any]]:
    for what in ("rows", "new", "known", "changed", "quarantined", "facts"):
        yield {"what": what, "count": getattr(result, what)}
    for kind, dirt in result.dirt.items():
        yield {"what": f"dirt: {kind}", "count": dirt.count}
