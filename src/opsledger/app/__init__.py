"""The one place that ties the parts together: open a ledger, record, read, tick.

ledger       OpsLedger, what a host holds
recording    load, decide, seal, append; again on a conflict
batch        several records in one transaction
taking       facts of other systems, each record once
measuring    a host's own requests counted, a window of them handed over
sealing      leaves, checkpoints, signing keys, proofs of facts
reading      promises from the log, tables kept up with it
ticking      what time alone asks for
closing      periods frozen as they were reported
reviewing    the audit trail reviewed by somebody independent
erasing      a person's keys destroyed, derived data purged, what is left tried; sealed parts purged later
holdings     what the ledger holds on a person, exported for them to read
governing    policies and calendars as this process knows them
"""

from opsledger.app.erasing import Done
from opsledger.app.holdings import Access
from opsledger.app.ledger import OpsLedger
from opsledger.app.reading import Promised
from opsledger.app.recording import Receipt
from opsledger.app.taking import Taken, TakenIn
from opsledger.app.ticking import Ticked

__all__ = ["Access", "Done", "OpsLedger", "Promised", "Receipt", "Taken", "TakenIn", "Ticked"]
