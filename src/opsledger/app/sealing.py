"""Sealing and proving, for a ledger that is open: leaves added, checkpoints signed, keys introduced, facts proved.

Adding leaves needs no key. Who signs gives a signer, which a process that only records never has.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from opsledger.audit.checkpoints import endorsement_text
from opsledger.audit.leaf import LeafWriter
from opsledger.audit.note import Note, Signer, VerifierKey
from opsledger.audit.proof import Proof, check_proof
from opsledger.audit.sealing import Progress, add_leaves, origin_of, sealed_tree, sign
from opsledger.domain import ledger
from opsledger.domain.concept import SYSTEM
from opsledger.errors import KeysError, Refused, Unknown, Unproven
from opsledger.ledger.seals import StoredCheckpoint
from opsledger.ledger.url import LedgerUrl
from opsledger.policies.instants import micros
from opsledger.replay.checks.seals import introduced_keys

if TYPE_CHECKING:
    from opsledger.app.ledger import OpsLedger
    from opsledger.app.recording import Receipt

__all__ = ["Sealed", "introduce_key", "prove", "seal", "signing_path"]


class Sealed(NamedTuple):
    """How many facts are sealed, and the newest checkpoint; None where none was signed yet."""

    size: int
    checkpoint: StoredCheckpoint | None


def seal(host: OpsLedger, signer: Signer | None = None, progress: Progress | None = None) -> Sealed:
    """Seal what is recorded; with a signer also sign a checkpoint over it. Raises KeysError for a key that the log did not introduce."""
    if signer is not None:
        _in_use(host, signer.verifier)
    size = add_leaves(host.store, host.seals, progress=progress)
    if signer is None:
        return Sealed(size, host.seals.newest())
    return Sealed(size, sign(host.seals, signer, origin_of(host.store), micros(host.now())))


def introduce_key(
    host: OpsLedger, signer: Signer, *, proposed_by: str = SYSTEM, approved_by: str = SYSTEM, old: Signer | None = None, reason: str = ""
) -> Receipt:
    """Record the key by which checkpoints are signed from here on. `old`, the one in use, endorses it unless it was lost or stolen."""
    origin, verifier = origin_of(host.store), signer.verifier
    if verifier.name != origin:
        raise KeysError("signing.other_log", f"The signing key is of {verifier.name}, and this log is {origin}; make one for it.")
    stands = _stands(host)
    if old is not None and str(old.verifier) != stands:
        raise KeysError("signing.not_in_use", f"The old key that was given is not the one in use, {stands}; give that one.")
    if old is not None:  # what the old key can still say, it says before it goes: all that was recorded under it
        seal(host, old)
    endorsement = None if old is None else base64.b64encode(old.sign(endorsement_text(origin, verifier))).decode()
    return host.by(approved_by, role="approver").record(
        ledger.introduce_key,
        "self",
        key=str(verifier),
        replaces=stands,
        endorsement=endorsement,
        reason=reason,
        proposed_by=proposed_by,
        approved_by=approved_by,
    )


def prove(host: OpsLedger, position: int, *, payload: bool = False) -> Proof:
    """Return the proof that a fact is in the log as it was signed last; with its stored bytes, or without.

    Raises Unknown where there is no such fact, Refused where no checkpoint covers it yet. Stored bytes hold no personal content,
    only digests of what is sealed.
    """
    rows = host.store.page(position - 1, 1, until=position) if position > 0 else []
    if not rows:
        raise Unknown("position.unknown", f"There is no position {position}; the newest is {host.store.head().position}.")
    newest = host.seals.newest()
    if newest is None or newest.size < position:
        covered = "none was signed yet" if newest is None else f"the newest covers {newest.size}"
        raise Refused("proof.not_covered", f"No checkpoint covers position {position}, {covered}; seal and sign, and ask again.")
    leaf = LeafWriter(origin_of(host.store)).data(rows[0])
    path = sealed_tree(host.seals, newest.size).inclusion_proof(position - 1)
    proof = Proof(position - 1, tuple(path), Note.parse(newest.note), leaf + (rows[0].state if payload else b""))
    try:
        check_proof(proof, [each.key for each in introduced_keys(host.store)], origin_of(host.store))
    except Unproven as error:
        raise Unproven(
            error.code, f"Position {position} cannot be proved: {error.sentence} The log was changed; run `opsledger verify`."
        ) from None
    return proof


def signing_path(where: LedgerUrl, ledger_id: str) -> Path:
    """Return where the signing key of a ledger lies unless it is named: beside an SQLite ledger, else in the home folder."""
    return where.beside("signing") if where.kind == "sqlite" else Path.home() / ".opsledger" / f"{ledger_id}.signing"


def _in_use(host: OpsLedger, key: VerifierKey) -> None:
    stands = _stands(host)
    if str(key) != stands:
        what = "none was introduced" if stands is None else f"the one in use is {stands}"
        raise KeysError("signing.not_in_use", f"The log does not know the signing key {key}: {what}; introduce it with `opsledger key`.")


def _stands(host: OpsLedger) -> str | None:
    known: ledger.Ledger = host.state(ledger.Ledger, "self")
    return known.key
