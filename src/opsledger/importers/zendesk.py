"""Zendesk's export -> facts about tickets: its tables made into one log, taken in as a mapping says.

    ledger = OpsLedger.open("sqlite:///desk.db")
    import_zendesk(ledger, Path("export"))

What the words of a desk mean is the mapping `mappings/zendesk.yaml`; a host with states of its own gives another.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from opsledger.domain.concept import SYSTEM
from opsledger.importers.cases import Progress, approved
from opsledger.importers.event_log import log_of, take_in_events
from opsledger.importers.event_log_mapping import EventLog, shipped
from opsledger.importers.files import sha256
from opsledger.importers.run import ImportResult
from opsledger.importers.zendesk_tables import found, read

if TYPE_CHECKING:
    from opsledger.app import OpsLedger

__all__ = ["check_zendesk", "import_zendesk"]


def check_zendesk(folder: Path | str, mapping: EventLog | None = None, *, proposer: str | None = None, approver: str = SYSTEM) -> None:
    """Raise what an import of these arguments would, as far as its tables' first lines tell: before a ledger is made for it."""
    mapping = mapping or shipped("zendesk")
    approved(mapping.source, proposer, approver)
    next(read(found(Path(folder)), mapping), None)


def import_zendesk(
    ledger: OpsLedger,
    folder: Path | str,
    mapping: EventLog | None = None,
    *,
    proposer: str | None = None,
    approver: str = SYSTEM,
    progress: Progress | None = None,
) -> ImportResult:
    """Take in the tables of an export (ticket, ticket_field_history, ticket_comment, user, as .csv, .csv.gz or .csv.xz).

    Each row is known by its ticket and what it says happened; the same export again adds nothing, a later one its new rows. Rows are
    counted as records: those of `ticket` twice, as opened and as they stand. What is of a ticket that the export lacks is set
    aside as orphaned: nobody knows when that was opened. Texts are not taken in. Everything else is as for any event log,
    see `import_event_log`. Raises BadInput where the folder is no such export, Refused where the approver is the proposer.
    """
    folder, mapping = Path(folder), mapping or shipped("zendesk")
    files = found(folder)

    def digest() -> str:
        """Return one hash over the tables' own, in the order of their names."""
        return hashlib.sha256("".join(f"{sha256(path)}  {name}\n" for name, path in sorted(files.items())).encode()).hexdigest()

    log = log_of(folder.name, mapping, lambda: read(files, mapping), digest)
    return take_in_events(ledger, log, mapping, proposer=proposer, approver=approver, progress=progress)
