"""A ledger for operations: what was promised, what happened, and proof of both.

from opsledger import OpsLedger
from opsledger.domain import ticket

with OpsLedger.open("sqlite:///ops.db") as ledger:
    ledger.by("u-7", role="support").record(ticket.respond, "T-1042")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opsledger import errors
    from opsledger.app import OpsLedger, Receipt

__all__ = ["OpsLedger", "Receipt", "errors"]


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: the command line starts without a database."""
    if name in ("OpsLedger", "Receipt"):
        from opsledger import app

        return getattr(app, name)
    if name == "errors":
        from importlib import import_module

        return import_module("opsledger.errors")
    raise AttributeError(f"opsledger has no {name}")
