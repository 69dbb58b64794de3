"""Commands that take in other tools' exports: import servicenow, csv, helpdesk, volvo, zendesk, and others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opsledger.cli.keeping import create_or_open
from opsledger.cli.opening import LedgerOption, ledger_url
from opsledger.cli.output import Format, FormatOption, counted, say, show
from opsledger.cli.progress import progress
from opsledger.errors import BadInput

if TYPE_CHECKING:
    from opsledger.app import OpsLedger
    from opsledger.importers.event_log_mapping import EventLog
    from opsledger.importers.run import ImportResult

__all__ = ["commands"]

commands = typer.Typer()
_import = typer.Typer(no_args_is_help=True, help="Take in the exports of other tools.")
commands.add_typer(_import, name="import", rich_help_panel="Keep")


class Noticed(StrEnum):
    """Who noticed that something was wrong."""

    THIRD_PARTY = "third_party"
    MONITORING = "monitoring"
    CUSTOMER = "customer"
    PROACTIVE = "proactive"


EventLogFile = Annotated[
    Path,
    typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A log with one event of a ticket a line: csv, csv.gz or csv.xz."),
]
ProposerOption = Annotated[
    str | None, typer.Option(metavar="ACTOR", help="Who answers for the policy and hours that the time of the log needs.")
]
ApproverOption = Annotated[str | None, typer.Option(metavar="ACTOR", help="Who approves them: somebody else.")]


@_import.command()
def servicenow(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="An incident audit log: csv, csv.gz or csv.xz.")
    ],
    zone: Annotated[str, typer.Option(metavar="ZONE", help="IANA zone in which its times are written, such as America/Sao_Paulo.")],
    proposer: ProposerOption = None,
    approver: ApproverOption = None,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Take in a ServiceNow incident log: one incident is one ticket. Creates the ledger where there is none.

    The same file again adds nothing. All of it was recorded when it was imported, so its past is asked for by effective-at.
    """
    from opsledger.importers.servicenow import check_servicenow, import_servicenow

    people = {name: actor for name, actor in (("proposer", proposer), ("approver", approver)) if actor is not None}
    check_servicenow(file, zone, **people)
    _take_in(ledger, format, "rows", lambda host, told: import_servicenow(host, file, zone, **people, progress=told))


@_import.command("csv")
def event_log(
    file: EventLogFile,
    mapping: Annotated[
        Path,
        typer.Option(metavar="MAPPING", exists=True, dir_okay=False, help="YAML: which column holds what, and what each word says."),
    ],
    proposer: ProposerOption = None,
    approver: ApproverOption = None,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Take in the event log of any ticket system, as a mapping of yours says. Creates the ledger where there is none.

    The same file again adds nothing. All of it was recorded when it was imported, so its past is asked for by effective-at.
    """
    from opsledger.importers.event_log_mapping import load

    _take_in_events(ledger, format, file, load(mapping), proposer, approver)


@_import.command()
def helpdesk(
    file: EventLogFile,
    proposer: ProposerOption = None,
    approver: ApproverOption = None,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Take in the public log of an Italian help desk, by the mapping that we ship. Creates the ledger where there is none."""
    from opsledger.importers.event_log_mapping import shipped

    _take_in_events(ledger, format, file, shipped("helpdesk"), proposer, approver)


@_import.command()
def volvo(
    file: EventLogFile,
    proposer: ProposerOption = None,
    approver: ApproverOption = None,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Take in the incidents of the BPI Challenge 2013, by the mapping that we ship. Creates the ledger where there is none."""
    from opsledger.importers.event_log_mapping import shipped

    _take_in_events(ledger, format, file, shipped("volvo"), proposer, approver)


@_import.command()
def zendesk(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", exists=True, file_okay=False, help="With ticket.csv, and what else there is of the export."),
    ],
    mapping: Annotated[
        Path | None,
        typer.Option(metavar="MAPPING", exists=True, dir_okay=False, help="YAML: what each word says; the one that we ship by default."),
    ] = None,
    proposer: ProposerOption = None,
    approver: ApproverOption = None,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Take in tickets of Zendesk, from the tables of its export. Creates the ledger where there is none.

    Read are ticket, ticket_field_history, ticket_comment and user, as .csv, .csv.gz or .csv.xz. The same export again adds nothing.
    """
    from opsledger.domain.concept import SYSTEM
    from opsledger.importers.event_log_mapping import load
    from opsledger.importers.zendesk import check_zendesk, import_zendesk

    said, approves = load(mapping) if mapping is not None else None, approver or SYSTEM
    check_zendesk(folder, said, proposer=proposer, approver=approves)

    def run(host: OpsLedger, told: Callable[[int, int], None]) -> ImportResult:
        return import_zendesk(host, folder, said, proposer=proposer, approver=approves, progress=told)

    _take_in(ledger, format, "records", run)


@_import.command()
def statuspage(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="Its incidents, one a line: jsonl, jsonl.gz or jsonl.xz.")
    ],
    component: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=SERVICE", help="Id of the service of a component; else its name in small letters: git-operations."),
    ] = None,
    otherwise: Annotated[
        str | None, typer.Option(metavar="SERVICE", help="Id of the service that entries without components are about; else none.")
    ] = None,
    notifies: Annotated[
        str | None,
        typer.Option(metavar="AUDIENCE", help="Whom maintenance on the page notifies, such as customers; else nobody is known to be."),
    ] = None,
    noticed: Annotated[Noticed, typer.Option(help="Who noticed the incidents, which the page does not say.")] = Noticed.THIRD_PARTY,
    source: Annotated[str, typer.Option(metavar="NAME", help="Name of the page, by which its entries are known.")] = "statuspage",
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Take in a status page's history: incidents, and maintenance windows. Creates the ledger where there is none.

    The same file again adds nothing; an entry that has changed since, or is not over, is set aside and listed.
    """
    from opsledger.importers.statuspage import Terms, import_statuspage

    terms = Terms(_services(component or []), otherwise, noticed.value, notifies)
    _take_in(ledger, format, "entries", lambda host, told: import_statuspage(host, file, terms=terms, source=source, progress=told))


@_import.command()
def upptime(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", exists=True, file_okay=False, help="With probes.csv, plain, .gz or .xz, and upptimerc.yml if any."),
    ],
    source: Annotated[str, typer.Option(metavar="NAME", help="Name of the monitor, by which its rows are known.")] = "upptime",
    location: Annotated[str, typer.Option(metavar="NAME", help="From where it probes.")] = "upptime",
    silent_after_s: Annotated[
        int, typer.Option(metavar="SECONDS", min=1, help="After this long without a row nothing is known; it writes one a day.")
    ] = 93600,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Take in an Upptime monitor's history: when each site changed its state, and when it was watched.

    The same history again adds nothing. Sites of the configuration are registered as services, and it as their monitor.
    """
    from opsledger.importers.upptime import import_upptime

    def run(host: OpsLedger, told: Callable[[int, int], None]) -> ImportResult:
        return import_upptime(host, folder, source=source, location=location, silent_after_s=silent_after_s, progress=told)

    _take_in(ledger, format, "rows", run)


def _take_in_events(ledger: str | None, format: Format, file: Path, mapping: EventLog, proposer: str | None, approver: str | None) -> None:
    from opsledger.domain.concept import SYSTEM
    from opsledger.importers.event_log import check_event_log, import_event_log

    approves = approver or SYSTEM
    check_event_log(file, mapping, proposer=proposer, approver=approves)

    def run(host: OpsLedger, told: Callable[[int, int], None]) -> ImportResult:
        return import_event_log(host, file, mapping, proposer=proposer, approver=approves, progress=told)

    _take_in(ledger, format, "rows", run)


@_import.command()
def subscriptions(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A table of periods: csv, csv.gz or csv.xz, with a header.")
    ],
    currency: Annotated[str, typer.Option(metavar="CODE", help="ISO 4217 currency of its amounts.")] = "USD",
    source: Annotated[str, typer.Option(metavar="NAME", help="Name of the table, by which its rows are known.")] = "subscriptions",
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Take in subscription periods: id, customer, first day, day after the last, monthly amount. Creates the ledger where there is none.

    The same file again adds nothing; a row that has changed since, or whose end has not come yet, is set aside and listed.
    """
    from opsledger.importers.subscription_periods import import_subscriptions

    def run(host: OpsLedger, told: Callable[[int, int], None]) -> ImportResult:
        return import_subscriptions(host, file, currency=currency, source=source, progress=told)

    _take_in(ledger, format, "rows", run)


def _services(components: list[str]) -> dict[str, str]:
    pairs = [each.rpartition("=") for each in components]
    for name, _, service in pairs:
        if not name or not service:
            raise BadInput("import.component", "A component and its service are given as NAME=SERVICE, for example 'API Requests=api'.")
    return {name: service for name, _, service in pairs}


def _take_in(ledger: str | None, format: Format, unit: str, run: Callable[[OpsLedger, Callable[[int, int], None]], ImportResult]) -> None:
    """Run an import in a ledger, which is created where there is none, and say what it came to."""
    host, created = create_or_open(ledger_url(ledger))
    with host:
        if created:
            say(f"Created the ledger {host.url.shown}.")
        with progress("import", unit) as told:
            result = run(host, told)
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
