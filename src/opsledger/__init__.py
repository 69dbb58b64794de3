"""A ledger for operations: what was promised, what happened, and proof of both."""
