"""Commands about people's data: request, hold, access, erase, erasure-status, purge, retention."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, cast

import typer

from opsledger.cli.opening import LedgerOption, instant, opened
from opsledger.cli.output import Format, FormatOption, counted, plain, say, show, written
from opsledger.cli.progress import progress
from opsledger.errors import BadInput, Unknown

if TYPE_CHECKING:
    from opsledger.app import Done, OpsLedger, Receipt
    from opsledger.domain.subject import Subject

__all__ = ["commands"]

commands = typer.Typer()
_PANEL: Final = "Personal data"
_request = typer.Typer(no_args_is_help=True, help="What people ask for: erasure, access; and when they are answered.")
_hold = typer.Typer(no_args_is_help=True, help="Legal holds, which keep data whatever is requested: place, review, release.")
commands.add_typer(_request, name="request", rich_help_panel=_PANEL)
commands.add_typer(_hold, name="hold", rich_help_panel=_PANEL)

_DONE: Final = ("subject", "request", "state", "answer_by", "purge_from", "recorded")
_STATUS: Final = ("what", "item", "state", "since", "due_at", "who", "said")
_RETENTION: Final = ("category", "subject", "facts", "newest_at", "due_at")

SubjectArgument = Annotated[str, typer.Argument(metavar="SUBJECT", help="Opaque id of the person.")]
HandlerOption = Annotated[str, typer.Option("--handler", metavar="ACTOR", help="Opaque id of who took the request in.")]
ApproverOption = Annotated[str, typer.Option("--approver", metavar="ACTOR", help="Opaque id of who decides: not who took the request in.")]
JurisdictionOption = Annotated[str, typer.Option(metavar="NAME", help="Under which entry of the operating model: gdpr, pipeda.")]
ReceivedOption = Annotated[str | None, typer.Option("--received-at", metavar="TIME", help="When it was received; now by default.")]
BasisOption = Annotated[str, typer.Option(metavar="TEXT", help="On which basis; no personal content.")]
ReasonOption = Annotated[str, typer.Option(metavar="TEXT", help="Why; no personal content.")]
NumberOption = Annotated[int, typer.Option(min=1, metavar="N", help="Number of the request.")]
HoldOption = Annotated[str, typer.Option("--id", metavar="ID", help="Id of the hold: a case, a claim.")]
ReviewOption = Annotated[str, typer.Option("--review-by", metavar="TIME", help="By when somebody looks at it again.")]


# Requests.


@_request.command("erasure")
def request_erasure(
    subject: SubjectArgument,
    jurisdiction: JurisdictionOption,
    handler: HandlerOption,
    received_at: ReceivedOption = None,
    ledger: LedgerOption = None,
) -> None:
    """Record that a person asked for erasure, and print by when they must be answered. `opsledger erase` decides on it."""
    with opened(ledger) as host:
        done = host.erase(subject, jurisdiction=jurisdiction, handled_by=handler, received_at=instant(received_at))
    _say_requested(done.request.number, done.request.answer_by, new=bool(done.recorded))


@_request.command("access")
def request_access(
    subject: SubjectArgument,
    jurisdiction: JurisdictionOption,
    handler: HandlerOption,
    received_at: ReceivedOption = None,
    ledger: LedgerOption = None,
) -> None:
    """Record that a person asked what is held on them, and print by when they must be answered. `opsledger access` answers it."""
    from opsledger.domain import subject as subjects

    with opened(ledger) as host:
        actor = host.by(handler, role="privacy", at=instant(received_at))
        receipt = actor.record(subjects.request_access, subject, jurisdiction=jurisdiction, handled_by=handler)
        request = subjects.open_request(host.state(subjects.Subject, subject), "access")
    assert request is not None
    _say_requested(request.number, request.answer_by, new=receipt.position is not None)


@_request.command("extend")
def extend(
    subject: SubjectArgument, number: NumberOption, reason: ReasonOption, handler: HandlerOption, ledger: LedgerOption = None
) -> None:
    """Record that the person was told that the answer takes longer, and print by when they must be answered now."""
    from opsledger.domain import subject as subjects

    with opened(ledger) as host:
        actor = host.by(handler, role="privacy")
        receipt = actor.record(subjects.extend_answer, subject, number=number, reason=reason, handled_by=handler)
    (extended,) = receipt.facts
    _say_requested(number, extended.answer_by, new=True)


@_request.command("refuse-access")
def refuse_access(
    subject: SubjectArgument, number: NumberOption, basis: BasisOption, approver: ApproverOption, ledger: LedgerOption = None
) -> None:
    """Record that access was refused, on which basis, and until when nothing of the person's is erased."""
    from opsledger.domain import subject as subjects

    with opened(ledger) as host:
        actor = host.by(approver, role="privacy")
        receipt = actor.record(subjects.refuse_access, subject, number=number, basis=basis, decided_by=approver)
    (refused,) = receipt.facts
    say(f"Request {number} was refused; what is held is kept until {plain(refused.keep_until)}.")


def _say_requested(number: int, answer_by: datetime, *, new: bool) -> None:
    say(f"Request {number} {'is recorded' if new else 'was recorded already'}; the person must be answered before:")
    typer.echo(plain(answer_by))


# Holds.


@_hold.command("place")
def place_hold(
    subject: SubjectArgument,
    id: HoldOption,
    reason: ReasonOption,
    review_by: ReviewOption,
    by: Annotated[str, typer.Option("--by", metavar="ACTOR", help="Opaque id of who places it.")],
    ledger: LedgerOption = None,
) -> None:
    """Keep a person's data, whatever is requested, until the hold is released."""
    from opsledger.domain import subject as subjects

    given: dict[str, Any] = {"hold_id": id, "reason": reason, "review_by": instant(review_by), "placed_by": by}
    with opened(ledger) as host:
        receipt = host.by(by, role="privacy").record(subjects.place_hold, subject, **given)
    _say_recorded(receipt, f"Hold {id} is placed", f"Hold {id} stands already")


@_hold.command("review")
def review_hold(
    subject: SubjectArgument,
    id: HoldOption,
    reason: ReasonOption,
    review_by: ReviewOption,
    by: Annotated[str, typer.Option("--by", metavar="ACTOR", help="Opaque id of who reviewed it.")],
    ledger: LedgerOption = None,
) -> None:
    """Record that a hold was looked at and stays."""
    from opsledger.domain import subject as subjects

    given: dict[str, Any] = {"hold_id": id, "reason": reason, "review_by": instant(review_by), "reviewed_by": by}
    with opened(ledger) as host:
        receipt = host.by(by, role="privacy").record(subjects.review_hold, subject, **given)
    _say_recorded(receipt, f"Hold {id} was reviewed and stays", f"The review of hold {id} is recorded already")


@_hold.command("release")
def release_hold(
    subject: SubjectArgument,
    id: HoldOption,
    reason: ReasonOption,
    requested_by: Annotated[str, typer.Option("--requested-by", metavar="ACTOR", help="Opaque id of who asks for it.")],
    approver: Annotated[str, typer.Option("--approver", metavar="ACTOR", help="Opaque id of who approves it: somebody else.")],
    ledger: LedgerOption = None,
) -> None:
    """End a hold; one person asks for it and another approves."""
    from opsledger.domain import subject as subjects

    given: dict[str, Any] = {"hold_id": id, "reason": reason, "requested_by": requested_by, "approved_by": approver}
    with opened(ledger) as host:
        receipt = host.by(approver, role="privacy").record(subjects.release_hold, subject, **given)
    _say_recorded(receipt, f"Hold {id} is released", f"Hold {id} was released already")


def _say_recorded(receipt: Receipt, done: str, already: str) -> None:
    say(f"{already}; nothing was recorded." if receipt.position is None else f"{done}, recorded at position {receipt.position}.")


# Access.


@commands.command(rich_help_panel=_PANEL)
def access(
    subject: SubjectArgument,
    into: Annotated[Path, typer.Option("--into", metavar="FILE", help="Where the export goes, as JSON, for its owner alone to read.")],
    by: Annotated[str, typer.Option("--by", metavar="ACTOR", help="Opaque id of who gives it out.")],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What an erasure will call the export; the file's name by default.")
    ] = None,
    ledger: LedgerOption = None,
) -> None:
    """Write all that is held on a person, opened, into a file, and record that it was exported.

    It answers an open request for access. Words of other people stay sealed. The file is out of the ledger's reach from then on.
    """
    with opened(ledger) as host:
        try:
            file = os.fdopen(os.open(into, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")
        except OSError as error:
            raise BadInput("access.file", f"{into} cannot be made ({error.strerror}); name a new file in a folder that is there.") from None
        try:
            with file:
                given = host.subject_access(subject, name=name or into.name, given_by=by)
                file.write(written(given.document) + "\n")
        except BaseException:
            into.unlink()
            raise
    facts = given.receipt.facts[0].facts if given.receipt.facts else len(given.document["facts"])
    say(f"Wrote {counted(facts, 'fact')} on subject {subject} into {into}, recorded at position {given.receipt.position}.")


# Erasure.


@commands.command(rich_help_panel=_PANEL)
def erase(
    subject: Annotated[str | None, typer.Argument(metavar="[SUBJECT]", help="Opaque id of the person.")] = None,
    approver: Annotated[
        str | None, typer.Option("--approver", metavar="ACTOR", help="Opaque id of who decides: not who took the request in.")
    ] = None,
    basis: BasisOption = "",
    outcome: Annotated[str, typer.Option(metavar="granted|refused|restricted", help="What is decided.")] = "granted",
    handler: Annotated[
        str | None, typer.Option("--handler", metavar="ACTOR", help="Record the request too, as taken in by this actor.")
    ] = None,
    jurisdiction: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the request: an entry of the operating model: gdpr, pipeda.")
    ] = None,
    received_at: ReceivedOption = None,
    again: Annotated[
        bool, typer.Option("--again", help="Of all people: destroy keys that came back, and go on where something was cut off.")
    ] = False,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Decide on a person's request for erasure and carry it out: keys destroyed, derived data cleared, every part tried.

    Without a decision it goes on with one that was cut off. With --again, after a key store was put back from a copy, it destroys
    again what came back.
    """
    if (subject is None) != again:
        raise BadInput("erase.whom", "Name one person to erase, or give --again to go through all who were.")
    if outcome not in ("granted", "refused", "restricted"):
        raise BadInput("erase.outcome", f"'{outcome}' is no decision; write granted, refused or restricted.")
    with opened(ledger) as host, progress("erase") as told:
        from opsledger.app import erasing

        if subject is None:
            done = erasing.again(host, progress=told)
        else:
            decided = cast(Literal["granted", "refused", "restricted"], outcome)
            given: dict[str, Any] = {"jurisdiction": jurisdiction, "handled_by": handler, "received_at": instant(received_at)}
            done = [erasing.erase(host, subject, decided_by=approver, outcome=decided, basis=basis, progress=told, **given)]
        remains = [_remains(host, each.subject) for each in done if "subject.keys_destroyed" in each.recorded]
    _show_done(done, format)
    for each in done:
        if each.request.state == "requested":
            say(f"Request {each.request.number} of subject {each.subject} waits for a decision: give --approver and --basis.")
    for said in dict.fromkeys(remains):
        say(f"Copies of the keys may still be in: {said}.")
    if again and not done:
        say("Every key is as the log says; nothing was to be done.")


@commands.command(rich_help_panel=_PANEL)
def purge(
    subjects: Annotated[
        list[str] | None, typer.Argument(metavar="[SUBJECT]...", help="Opaque ids; by default all for whom it is time.")
    ] = None,
    approver: Annotated[
        str | None, typer.Option("--approver", metavar="ACTOR", help="Who decides to remove them before it is time.")
    ] = None,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why they are removed before it is time.")] = "",
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """Remove the sealed parts of erased people from beside the log. Facts and proofs stay; `opsledger verify parts` says who decided.

    On SQLite the file is written anew, for which writers wait.
    """
    from opsledger.app import erasing
    from opsledger.domain.concept import SYSTEM

    with opened(ledger) as host:
        done = erasing.purge(host, subjects, decided_by=approver or SYSTEM, reason=reason)
        remains = [_remains(host, each.subject) for each in done if "subject.parts_purged" in each.recorded]
    _show_done(done, format)
    say(f"Sealed parts of {counted(len(remains), 'subject')} were removed.")
    for said in dict.fromkeys(remains):
        say(f"Copies of them may still be in: {said}.")


@commands.command("erasure-status", rich_help_panel=_PANEL)
def erasure_status(subject: SubjectArgument, ledger: LedgerOption = None, format: FormatOption = Format.TABLE) -> None:
    """Print what a person asked for and how far it is, their holds, their keys, and the exports that were made."""
    from opsledger.app.holdings import standing

    with opened(ledger) as host:
        state, history = standing(host, subject)
        keys = host.keys.held(subject)
        if not history and not keys:
            raise Unknown("subject.unknown", f"Nothing personal of subject {subject} is held, and nothing was requested. Look at the id.")
        rows = [*_requests(state), *_holds(state)]
    rows += [{"what": "key", "item": key.key_id, "state": key.state} for key in keys]
    rows += [{"what": "export", "item": name, "state": "given", "since": at} for name, at in state.exports]
    show(rows, _STATUS, format)


def _requests(state: Subject) -> list[dict[str, Any]]:
    rows = []
    for number, each in sorted(state.requests.items()):
        open_one = each.state in ("requested", "restricted")
        due = each.answer_by if open_one else each.purge_from if each.state in ("completed", "purge_decided") else each.keep_until
        said = f"{each.jurisdiction}{', extended' if each.extended else ''}"
        who = each.decided_by or each.handled_by
        rows.append(
            {
                "what": each.kind,
                "item": str(number),
                "state": each.state,
                "since": each.requested_at,
                "due_at": due,
                "who": who,
                "said": said,
            }
        )
    return rows


def _holds(state: Subject) -> list[dict[str, Any]]:
    return [
        {"what": "hold", "item": id, "state": "lasts", "due_at": hold.review_by, "who": hold.placed_by, "said": hold.reason}
        for id, hold in sorted(state.holds.items())
    ] + [{"what": "hold", "item": id, "state": "released"} for id in sorted(state.released)]


@commands.command(rich_help_panel=_PANEL)
def retention(
    at: Annotated[str | None, typer.Option(metavar="TIME", help="As of when; now by default.")] = None,
    ledger: LedgerOption = None,
    format: FormatOption = Format.TABLE,
) -> None:
    """List whose words the operating model has kept long enough, by category: who is due to be erased."""
    from opsledger.app.holdings import retention_due

    with opened(ledger) as host, progress("retention") as told:
        rows = retention_due(host, instant(at) or host.now(), told)
    show(rows, _RETENTION, format)
    say(f"Kept long enough: the words of {counted(len({row['subject'] for row in rows}), 'subject')}.")


def _show_done(done: Sequence[Done], format: Format) -> None:
    rows = [
        {
            "subject": each.subject,
            "request": each.request.number,
            "state": each.request.state,
            "answer_by": each.request.answer_by,
            "purge_from": each.request.purge_from,
            "recorded": ", ".join(topic.removeprefix("subject.") for topic in each.recorded) or None,
        }
        for each in done
    ]
    show(rows, _DONE, format)


def _remains(host: OpsLedger, subject: str) -> str:
    """Return where copies may still be, as was recorded last."""
    return next(
        str(recorded.fact.remains) for recorded in reversed(host.history(f"subject:{subject}")) if hasattr(recorded.fact, "remains")
    )
