"""The one place that ties the parts together: open a ledger, record, read, tick.

ledger       OpsLedger, what a host holds
recording    load, decide, seal, append; again on a conflict
batch        several records in one transaction
taking       facts of other systems, each record once
reading      promises from the log, tables kept up with it
ticking      what time alone asks for
governing    policies and calendars as this process knows them
"""

from opsledger.app.ledger import OpsLedger
from opsledger.app.reading import Promised
from opsledger.app.recording import Receipt
from opsledger.app.taking import Taken, TakenIn
from opsledger.app.ticking import Ticked

__all__ = ["OpsLedger", "Promised", "Receipt", "Taken", "TakenIn", "Ticked"]
