"""Commands that show and publish what was promised: policy, calendar."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from opsledger.cli.opening import LedgerOption, instant, opened
from opsledger.cli.output import Format, FormatOption, counted, plain, say, show
from opsledger.errors import BadInput, Unknown
from opsledger.policies.instants import iso, moment

if TYPE_CHECKING:
    from opsledger.app import OpsLedger, Receipt
    from opsledger.policies.known import PublishedModel

__all__ = ["commands"]

commands = typer.Typer()
_PANEL: Final = "Govern"
_policy = typer.Typer(no_args_is_help=True, help="The operating model: show, publish, compare.")
_calendar = typer.Typer(no_args_is_help=True, help="Business hours: show, publish, correct, extend.")
commands.add_typer(_policy, name="policy", rich_help_panel=_PANEL)
commands.add_typer(_calendar, name="calendar", rich_help_panel=_PANEL)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A document in YAML or JSON.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the calendar, such as business.")]
ProposerOption = Annotated[str, typer.Option("--proposer", metavar="ACTOR", help="Opaque id of who proposes it.")]
ApproverOption = Annotated[str, typer.Option("--approver", metavar="ACTOR", help="Opaque id of who approves it: somebody else.")]
FromOption = Annotated[str | None, typer.Option("--effective-from", metavar="TIME", help="From when it holds; now by default.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; needed where it holds from before now.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON rather than YAML.")]

# The operating model.


@_policy.command("show")
def show_policy(
    ref: Annotated[
        str | None, typer.Option(metavar="REF", help="A version, as 2 or operating-model@2; the one in force by default.")
    ] = None,
    preset: Annotated[str | None, typer.Option(metavar="NAME", help="A shipped one instead: business_hours_for_medium_low.")] = None,
    unused: Annotated[bool, typer.Option("--unused", help="List the fields that no code reads yet instead.")] = False,
    as_json: JsonOption = False,
    ledger: LedgerOption = None,
) -> None:
    """Print the operating model that is in force, or a version of it."""
    if unused:
        from opsledger.policies.operating_model import unused as fields

        typer.echo("\n".join(fields()))
        return
    if preset is not None:
        from opsledger.policies.operating_model import preset as shipped

        typer.echo(_document(shipped(preset).model_dump(mode="json", by_alias=True), as_json=as_json))
        return
    with opened(ledger) as host:
        found = _model(host, ref)
    say(f"{found.ref}, published at position {found.position}, effective from {iso(found.effective_from)}.")
    typer.echo(_document(found.model.model_dump(mode="json", by_alias=True), as_json=as_json))


@_policy.command("publish")
def publish_policy(
    file: FileArgument,
    proposer: ProposerOption,
    approver: ApproverOption,
    effective_from: FromOption = None,
    reason: ReasonOption = "",
    ledger: LedgerOption = None,
) -> None:
    """Publish a version of the operating model, and print its reference."""
    from opsledger.domain import policy

    text, start = _text(file), instant(effective_from)
    with opened(ledger) as host:
        receipt = host.by(approver, role="approver").record(
            policy.publish, policy.NAME, document=text, proposed_by=proposer, approved_by=approver, effective_from=start, reason=reason
        )
        found = host.known.models()
    _say_recorded(receipt, f"operating model from {file}")
    if receipt.position is not None:
        typer.echo(next(each.ref for each in found if each.position == receipt.position))


@_policy.command("diff")
def diff_policies(
    ref1: Annotated[str, typer.Argument(metavar="REF1", help="A version, as 1 or operating-model@1.")],
    ref2: Annotated[str, typer.Argument(metavar="REF2", help="Another one.")],
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Print the fields in which two versions of the operating model differ."""
    with opened(ledger) as host:
        one, other = _model(host, ref1), _model(host, ref2)
    before, after = (dict(_flat(each.model.model_dump(mode="json", by_alias=True))) for each in (one, other))
    paths = [path for path in dict.fromkeys([*before, *after]) if before.get(path) != after.get(path)]
    rows = [{"field": path, "before": before.get(path), "after": after.get(path)} for path in paths]
    show(rows, ("field", "before", "after"), format)
    say(f"{one.ref} and {other.ref} differ in {counted(len(rows), 'field')}.")


def _model(host: OpsLedger, ref: str | None) -> PublishedModel:
    """Return the version that a reference names, in full, without digest, or by its number alone; by default the one in force."""
    if ref is None:
        from opsledger.policies.instants import micros

        return host.known.in_force(micros(host.now()))
    models = host.known.models()
    for each in models:
        without_digest = each.ref.partition(":")[0]
        if ref in (each.ref, without_digest, without_digest.partition("@")[2]):
            return each
    raise Unknown("policy.unknown", f"No operating model '{ref}' is published; there are {', '.join(each.ref for each in models)}.")


def _flat(values: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the leaves of a document with their paths; a list is one leaf."""
    if isinstance(values, dict) and values:
        for name, value in values.items():
            yield from _flat(value, f"{path}.{name}".lstrip("."))
    else:
        yield path, json.dumps(values, ensure_ascii=False)


# Calendars.


@_calendar.command("show")
def show_calendar(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Name of the calendar; all are listed by default.")] = None,
    as_json: JsonOption = False,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """List the versions of all calendars, or print the hours of one as they hold now."""
    with opened(ledger) as host:
        known = host.known
        if name is not None and name not in known.calendars():
            raise Unknown("calendar.unknown", f"There is no calendar '{name}'; there are {', '.join(known.calendars())}.")
        listed = [(each, version) for each in ([name] if name else known.calendars()) for version in known.versions(each)]
    rows = [
        {
            "calendar": each,
            "position": version.position,
            "effective_from": moment(version.effective_from),
            "covers_until": moment(version.compiled.end * 1_000_000),
            "zone": json.loads(version.definition)["zone"],
        }
        for each, version in listed
    ]
    if name is None:
        show(rows, ("calendar", "position", "effective_from", "covers_until", "zone"), format)
        return
    for row in rows:
        start, end = plain(row["effective_from"]), plain(row["covers_until"])
        say(f"{name}: published at position {row['position']}, effective from {start}, compiled up to {end}.")
    typer.echo(_document(json.loads(listed[-1][1].definition), as_json=as_json))


@_calendar.command("publish")
def publish_calendar(
    name: NameArgument,
    file: FileArgument,
    proposer: ProposerOption,
    approver: ApproverOption,
    effective_from: FromOption = None,
    reason: ReasonOption = "",
    ledger: LedgerOption = None,
) -> None:
    """Publish the hours of a calendar, which hold from a time on."""
    from opsledger.domain import calendar

    text, start = _text(file), instant(effective_from)
    with opened(ledger) as host:
        receipt = host.by(approver, role="approver").record(
            calendar.publish, name, definition=text, proposed_by=proposer, approved_by=approver, effective_from=start, reason=reason
        )
    _say_recorded(receipt, f"calendar {name} from {file}")


@_calendar.command("correct")
def correct_calendar(
    name: NameArgument,
    file: FileArgument,
    position: Annotated[int, typer.Option(metavar="P", help="Where the version was published; `opsledger calendar show` lists them.")],
    reason: Annotated[str, typer.Option(help="Why it was wrong.")],
    requested_by: Annotated[str, typer.Option(metavar="ACTOR", help="Opaque id of who asks for it.")],
    approved_by: Annotated[str, typer.Option(metavar="ACTOR", help="Opaque id of who approves it: somebody else.")],
    ledger: LedgerOption = None,
) -> None:
    """Record the hours that a version should have had; verdicts follow, and the first ones stay known."""
    from opsledger.domain import calendar

    text = _text(file)
    with opened(ledger) as host:
        receipt = host.by(approved_by, role="approver").record(
            calendar.correct,
            name,
            corrects=position,
            definition=text,
            reason=reason,
            requested_by=requested_by,
            approved_by=approved_by,
        )
    _say_recorded(receipt, f"correction of calendar {name}")


@_calendar.command("extend")
def extend_calendar(name: NameArgument, ledger: LedgerOption = None) -> None:
    """Compile the hours of a calendar further into the future; `opsledger tick` does so by itself."""
    from opsledger.domain import calendar
    from opsledger.domain.concept import SYSTEM

    with opened(ledger) as host:
        receipt = host.by(SYSTEM, role="system").record(calendar.extend, name)
    _say_recorded(receipt, f"extension of calendar {name}")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise BadInput("file.encoding", f"{file} is not text in UTF-8; save it as that.") from None


def _document(values: Any, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(values, ensure_ascii=False, indent=2)
    import yaml

    return str(yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=None, width=140)).rstrip()


def _say_recorded(receipt: Receipt, what: str) -> None:
    if receipt.position is None:
        say(f"The {what} says nothing new; nothing was recorded.")
    else:
        say(f"Recorded the {what} at position {receipt.position}.")
