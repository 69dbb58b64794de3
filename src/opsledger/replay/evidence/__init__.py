"""What an auditor carries away of a replay: receipts, closed periods, populations, packs."""
