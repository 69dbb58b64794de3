"""Commands that seal and prove: seal, checkpoint, key, restored, prove, check-proof, compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from opsledger.cli.opening import LedgerOption, content, opened
from opsledger.cli.output import Format, FormatOption, say, show
from opsledger.cli.progress import progress
from opsledger.errors import BadInput, OpsledgerError, Unknown
from opsledger.policies.instants import iso, moment

if TYPE_CHECKING:
    from opsledger.app import OpsLedger

__all__ = ["commands"]

commands = typer.Typer()
_PANEL: Final = "Prove"
_key = typer.Typer(no_args_is_help=True, help="The key that signs checkpoints: create, show, rotate.")
_checkpoint = typer.Typer(no_args_is_help=True, help="Signed checkpoints: list, show, carry away.")
commands.add_typer(_key, name="key", rich_help_panel=_PANEL)
commands.add_typer(_checkpoint, name="checkpoint", rich_help_panel=_PANEL)

KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        envvar="OPSLEDGER_SIGNING_KEY_FILE",
        metavar="FILE",
        help="The signing key; by default ops.signing beside an SQLite ledger ops.db, else in .opsledger of the home folder.",
    ),
]
AnchorOption = Annotated[
    list[str] | None,
    typer.Option("--anchor", envvar="OPSLEDGER_ANCHORS", metavar="WHERE", help="directory:PATH, git:PATH or command:PROGRAM; repeatable."),
]
ProposerOption = Annotated[str, typer.Option("--proposer", metavar="ACTOR", help="Opaque id of who proposes it.")]
ApproverOption = Annotated[str, typer.Option("--approver", metavar="ACTOR", help="Opaque id of who approves it: somebody else.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why.")]
VKeyOption = Annotated[list[str], typer.Option("--key", metavar="VKEY", help="The log's verifier key, name+id+key; repeatable.")]


@commands.command(rich_help_panel=_PANEL)
def seal(
    sign: Annotated[bool, typer.Option("--sign/--no-sign", help="Sign a checkpoint too; needs the signing key.")] = True,
    key_file: KeyFileOption = None,
    anchor: AnchorOption = None,
    ledger: LedgerOption = None,
) -> None:
    """Add what is recorded to the Merkle tree, sign a checkpoint over it, print it, and carry it away.

    A checkpoint protects once it is elsewhere: until then an owner of the database can make the whole log anew.
    """
    from opsledger.audit.signing import load_key
    from opsledger.replay.checks.seals import introduced_keys

    with opened(ledger) as host:
        if sign and not introduced_keys(host.store):
            sign = False
            say("Nothing is signed: the ledger has no signing key yet; `opsledger key create` makes one.")
        signer = load_key(_key_path(host, key_file)) if sign else None
        with progress("seal") as told:
            sealed = host.seal(signer, told)
        say(f"Sealed up to position {sealed.size}.")
        if sign and sealed.checkpoint is not None:
            typer.echo(sealed.checkpoint.note, nl=False)
            _carry(sealed.checkpoint.note, anchor)


# Keys.


@_key.command("create")
def create(proposer: ProposerOption, approver: ApproverOption, key_file: KeyFileOption = None, ledger: LedgerOption = None) -> None:
    """Make the signing key of a ledger, in a file of mode 0600, and record its public half; give auditors the key that is printed."""
    from opsledger.app.sealing import introduce_key
    from opsledger.audit.sealing import origin_of
    from opsledger.audit.signing import create_key
    from opsledger.domain import ledger as facts

    with opened(ledger) as host:
        stands = host.state(facts.Ledger, "self").key
        if stands is not None:
            raise BadInput("key.stands", f"The ledger signs with {stands} already; `opsledger key rotate` brings another.")
        path = _key_path(host, key_file)
        key = create_key(path, origin_of(host.store))
        try:
            introduce_key(host, key, proposed_by=proposer, approved_by=approver)
        except OpsledgerError:
            path.unlink()  # it was never used
            raise
        say(f"The signing key is in {path}; whoever has it can sign for the ledger.")
        typer.echo(str(key.verifier))


@_key.command("show")
def show_keys(ledger: LedgerOption = None, format: FormatOption = Format.TABLE) -> None:
    """Print the verifier keys that the ledger introduced, newest last."""
    from opsledger.replay.checks.seals import introduced_keys

    with opened(ledger) as host:
        rows = [
            {
                "position": each.position,
                "verifier_key": str(each.key),
                "endorsed": None if each.replaces is None else each.endorsement is not None,
            }
            for each in introduced_keys(host.store)
        ]
    show(rows, ("position", "verifier_key", "endorsed"), format)


@_key.command("rotate")
def rotate(
    into: Annotated[Path, typer.Option("--into", metavar="FILE", help="Where the new signing key goes.")],
    proposer: ProposerOption,
    approver: ApproverOption,
    reason: ReasonOption = "",
    lost: Annotated[bool, typer.Option("--lost", help="The key in use was lost or stolen and endorses nothing; needs a reason.")] = False,
    key_file: KeyFileOption = None,
    ledger: LedgerOption = None,
) -> None:
    """Make another signing key, endorsed by the one in use, and record it. From then on checkpoints are signed by the new one."""
    from opsledger.app.sealing import introduce_key
    from opsledger.audit.sealing import origin_of
    from opsledger.audit.signing import create_key, load_key

    with opened(ledger) as host:
        old = None if lost else load_key(_key_path(host, key_file))
        key = create_key(into, origin_of(host.store))
        try:
            introduce_key(host, key, proposed_by=proposer, approved_by=approver, old=old, reason=reason)
        except OpsledgerError:
            into.unlink()
            raise
        say(f"The new signing key is in {into}; sign with it from now on.")
        typer.echo(str(key.verifier))


# Checkpoints.


@_checkpoint.command("list")
def list_checkpoints(ledger: LedgerOption = None, format: FormatOption = Format.TABLE) -> None:
    """List the checkpoints that were signed: how many facts each covers, and when it was made, by the signer's clock."""
    with opened(ledger) as host:
        rows = [{"size": each.size, "created_at": moment(each.created_at)} for each in host.seals.checkpoints()]
    show(rows, ("size", "created_at"), format)


@_checkpoint.command("show")
def show_checkpoint(
    size: Annotated[int | None, typer.Option(metavar="N", help="The one over so many facts; the newest by default.")] = None,
    anchor: AnchorOption = None,
    ledger: LedgerOption = None,
) -> None:
    """Print a checkpoint, a signed note, to be kept elsewhere; with --anchor also carry it away."""
    with opened(ledger) as host:
        found = {each.size: each for each in host.seals.checkpoints()}
    chosen = max(found, default=0) if size is None else size
    if chosen not in found:
        what = (
            f"of {size} facts; there are those of {', '.join(map(str, found)) or 'none'}"
            if size is not None
            else "yet; run `opsledger seal`"
        )
        raise Unknown("checkpoint.unknown", f"No checkpoint was signed {what}.")
    typer.echo(found[chosen].note, nl=False)
    _carry(found[chosen].note, anchor)


@commands.command(rich_help_panel=_PANEL)
def restored(
    lost_to: Annotated[int, typer.Option("--lost-to", metavar="P", help="The last position that is known to have been there.")],
    reason: ReasonOption,
    requested_by: Annotated[str, typer.Option("--requested-by", metavar="ACTOR", help="Opaque id of who asked for it.")],
    approver: ApproverOption,
    checkpoint: Annotated[Path | None, typer.Option(metavar="FILE", help="The newest checkpoint known of what is lost.")] = None,
    ledger: LedgerOption = None,
) -> None:
    """Record that the database was put back from a backup, and which positions are lost by it. Do so before anything else is recorded."""
    from opsledger.domain import ledger as facts

    note = "" if checkpoint is None else content(checkpoint).decode(errors="replace")
    with opened(ledger) as host:
        receipt = host.by(approver, role="approver").record(
            facts.restore,
            "self",
            lost_from=host.store.head().position + 1,
            lost_to=lost_to,
            checkpoint=note,
            reason=reason,
            requested_by=requested_by,
            approved_by=approver,
        )
        say(f"Recorded the restore at position {receipt.position}; rebuild the tables, and tell whoever keeps checkpoints.")


# Proofs.


@commands.command(rich_help_panel=_PANEL)
def prove(
    position: Annotated[int, typer.Argument(metavar="POSITION", help="Position of the fact.")],
    payload: Annotated[bool, typer.Option("--payload", help="Show the stored bytes too; personal content is not in them.")] = False,
    ledger: LedgerOption = None,
) -> None:
    """Print the proof that a fact is in the log as it was signed last: a text that `check-proof` checks without the ledger."""
    with opened(ledger) as host:
        typer.echo(str(host.prove(position, payload=payload)), nl=False)


@commands.command("check-proof", rich_help_panel=_PANEL)
def check_proof(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `prove` printed.")],
    key: VKeyOption,
    origin: Annotated[str | None, typer.Option(metavar="NAME", help="The log's name; by default that of the first key.")] = None,
) -> None:
    """Check a proof, without the ledger, with a verifier key that you have from elsewhere. Prints what it proves.

    Exit code 0: it holds; 1: it does not; 2: it cannot be read.
    """
    from opsledger.audit.note import VerifierKey
    from opsledger.audit.proof import Proof
    from opsledger.audit.proof import check_proof as check
    from opsledger.errors import Unproven

    keys = [VerifierKey.parse(each) for each in key]
    proof = Proof.parse(content(file))
    try:
        proven = check(proof, keys, origin or keys[0].name)
    except Unproven as error:
        say(str(error))
        raise typer.Exit(1) from None
    leaf, checkpoint = proven.leaf, proven.checkpoint
    typer.echo(f"Proved: {leaf.topic} in {leaf.stream} stands at position {leaf.position} of {leaf.origin},")
    typer.echo(f"happened at {iso(leaf.occurred_at)}, recorded at {iso(leaf.recorded_at)} by {leaf.recorded_by or 'nobody'},")
    typer.echo(f"in the log as it was signed with {checkpoint.size} facts. SHA-256 of its stored bytes: {leaf.digest.hex()}")
    if proven.state is not None:
        typer.echo(proven.state.decode(errors="replace"))


@commands.command(rich_help_panel=_PANEL)
def compare(
    one: Annotated[Path, typer.Argument(metavar="A", help="A checkpoint, as a note.")],
    other: Annotated[Path, typer.Argument(metavar="B", help="Another one of the same log.")],
    key: VKeyOption,
    evidence: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where both go if they are a fork; fork-A-B.txt by default.")
    ] = None,
    ledger: LedgerOption = None,
) -> None:
    """Compare two checkpoints of one log: is one the continuation of the other, or are they a fork?

    Two of one size need no ledger; else name one that holds the log. Exit code 0: consistent; 1: a fork; 2: could not be decided.
    """
    from opsledger.audit.compare import compare_checkpoints
    from opsledger.audit.note import VerifierKey, open_checkpoint
    from opsledger.audit.sealing import sealed_tree

    keys = [VerifierKey.parse(each) for each in key]
    notes = [content(path) for path in (one, other)]
    first, second = (open_checkpoint(note, keys, keys[0].name) for note in notes)
    if first.size == second.size:
        found = compare_checkpoints(first, second, None)
    else:
        with opened(ledger) as host:
            found = compare_checkpoints(
                first, second, lambda size: sealed_tree(host.seals, size).root() if size <= host.seals.size() else None
            )
    say(found.sentence)
    if found.verdict == "fork":
        path = evidence or Path(f"fork-{first.size}-{second.size}.txt")
        path.write_bytes(b"\n".join(notes))
        say(f"Both are in {path}: two signatures of one key, which cannot both be of an honest log.")
    raise typer.Exit({"consistent": 0, "fork": 1, "unknown": 2}[found.verdict])


def _key_path(host: OpsLedger, given: Path | None) -> Path:
    from opsledger.app.sealing import signing_path

    return given or signing_path(host.url, host.meta["ledger_id"])


def _carry(note: str, anchors: list[str] | None) -> None:
    from opsledger.audit.anchors import anchor

    for each in [anchor(said) for said in anchors or ()]:
        carried = each.carry(note)
        say(f"Carried to {carried.anchor}: {carried.receipt}")
