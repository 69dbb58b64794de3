"""Tiny status pages, written by the tests that read them, and what a ledger made of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from opsledger.app import OpsLedger
from opsledger.importers.statuspage import ImportResult, Terms, import_statuspage


def incident(id: str = "71", *updates: tuple[str, str], **fields: Any) -> dict[str, Any]:
    """Return an entry; updates as ("10:00", "Investigating"), of Monday, 2 February 2026."""
    told = updates or (("10:00", "Investigating"), ("10:40", "Monitoring"), ("11:00", "Resolved"))
    return {
        "id": id,
        "title": "Incident with Pages",
        "impact": "major",
        "components": ["Pages"],
        "updates": [{"at": f"2026-02-02T{at}:00Z", "status": status} for at, status in told],
        **fields,
    }


def maintenance(id: str = "81", **fields: Any) -> dict[str, Any]:
    """Return work on a Sunday between three and four in New York, published on the Thursday before, 62 hours earlier."""
    updates = [("2026-02-05T18:00:00Z", "Scheduled"), ("2026-02-08T08:00:00Z", "In progress"), ("2026-02-08T09:00:00Z", "Completed")]
    told = [{"at": at, "status": status} for at, status in updates]
    return {**incident(id), "title": "New disks", "impact": "maintenance", "updates": told, **fields}


def write(path: Path, *entries: object) -> Path:
    """Write entries as a history and return its path; bytes as they are."""
    path.write_bytes(b"".join((each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n" for each in entries))
    return path


def take(ledger: OpsLedger, path: Path, **terms: Any) -> ImportResult:
    return import_statuspage(ledger, path, terms=Terms(**terms))


def facts(ledger: OpsLedger, stream: str) -> list[object]:
    return [recorded.fact for recorded in ledger.history(stream)]


def quarantine(ledger: OpsLedger) -> list[tuple[int, str, str | None, str | None]]:
    """Return row, reason, id and unreadable field of what the newest run set aside."""
    ledger.catch_up()
    newest = ledger.tables.select("import_run")[-1]["import_id"]
    rows = ledger.tables.select("import_quarantine", import_id=newest)
    return [(row["row_number"], row["reason"], row["source_id"], row["unreadable_column"]) for row in rows]
