"""How a replay's receipt is written and compared, for the command `replay`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from opsledger.audit.findings import Checked
from opsledger.cli.opening import content
from opsledger.cli.output import conclude, say
from opsledger.errors import BadInput, Unproven

if TYPE_CHECKING:
    from opsledger.app import OpsLedger
    from opsledger.audit.note import Signer
    from opsledger.replay.tables import AsOf, Tables

__all__ = ["Repeated", "write_receipt"]


def write_receipt(host: OpsLedger, tables: Tables, shown: AsOf, file: Path, signer: Signer | None) -> None:
    """Write the receipt of a replay into a new file, signed where a key is given."""
    from opsledger.audit.note import sign_note
    from opsledger.replay.evidence.repeating import make_receipt

    text = str(make_receipt(host.store, host.seals, host.url, tables, shown))
    with file.open("x", encoding="utf-8", newline="") as opened:
        opened.write(text if signer is None else str(sign_note(text, signer)))
    say(f"Wrote the receipt {file}, {'unsigned' if signer is None else f'signed by {signer.verifier.name}'}.")


class Repeated:
    """A receipt whose replay is repeated on a ledger."""

    def __init__(self, host: OpsLedger, file: Path) -> None:
        from opsledger.audit.sealing import origin_of
        from opsledger.replay.evidence.receipt import read_receipt

        self.receipt, self._note = read_receipt(content(file))
        self._host, ours = host, origin_of(host.store)
        if self.receipt.origin != ours:
            raise BadInput(
                "receipt.other_ledger", f"{file} is a receipt of {self.receipt.origin}, and this ledger is {ours}; open that one."
            )

    def as_of(self) -> AsOf:
        """Return what the replay showed. Ends the command where the ledger is shorter than it was."""
        from opsledger.replay.asof import as_of

        head, result = self._host.store.head().position, Checked("receipt")
        if self.receipt.position > head:
            result.find(f"The receipt is of {self.receipt.position} facts, and the ledger has {head}: its end was cut off.")
            conclude(result)
        return as_of(self._host.store, position=self.receipt.position, effective_at=self.receipt.effective_at)

    def compare(self, tables: Tables, shown: AsOf, keys: Sequence[str]) -> Checked:
        """Return what the repetition came to; say by what it was made otherwise, and by whom the receipt is signed."""
        from opsledger.replay.evidence.repeating import compare_receipts, differing_versions, make_receipt

        now = make_receipt(self._host.store, self._host.seals, self._host.url, tables, shown)
        result = compare_receipts(self.receipt, now, self._host.store, tables)
        self._signed(keys, result)
        others = differing_versions(self.receipt.versions, now.versions)
        for other in others:
            say(f"Made by something else: {other}.")
        if others and any(finding.table for finding in result.findings):
            result.leave("Whether the ledger or the program is the reason; repeat it with what the receipt names.")
        return result

    def _signed(self, keys: Sequence[str], result: Checked) -> None:
        """Check who signed: a key that is given, or one that the ledger introduced."""
        from opsledger.audit.note import VerifierKey, open_note
        from opsledger.replay.checks.seals import introduced_keys

        if self._note is None:
            say("The receipt is not signed.")
            return
        known = [*(VerifierKey.parse(each) for each in keys), *(each.key for each in introduced_keys(self._host.store))]
        if not keys and not {(each.name, each.id) for each in known} & {(each.name, each.id) for each in self._note.signatures}:
            names = ", ".join(sorted({each.name for each in self._note.signatures}))
            result.leave(
                f"Whether the receipt is as it was signed by {names}: give its verifier key, which you have from elsewhere, with --key."
            )
            return
        try:
            signed = open_note(self._note, known)
        except Unproven as error:
            result.find(error.sentence)
        else:
            say(f"The receipt is signed by {', '.join(each.name for each in signed)}.")
