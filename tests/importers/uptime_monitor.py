"""A tiny uptime monitor's history, written by the tests that read it, and what a ledger made of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from opsledger.app import OpsLedger
from opsledger.importers.upptime import ImportResult, import_upptime

HEADER = "commit,committed_at,subject,slug,url,status,code,response_time_ms,last_updated,start_time"
CONFIGURATION = """\
owner: example-lab
repo: status
sites:
  - name: Shop
    url: https://shop.example
  - name: Shop (API)
    url: https://api.shop.example
"""


def probed(at: str, status: str = "up", *, slug: str = "shop", code: str | None = None, commit: str = "") -> str:
    """Return a row; `at` as `2026-01-31T23:15:00Z`."""
    number = code or {"up": "200", "down": "0"}.get(status, "500")
    return f'{commit or f"c{at}"},{at},"{slug}, {status}",{slug},https://x.example,{status},{number},87,{at},2026-01-01T00:00:00Z'


def write(folder: Path, *rows: str, header: str = HEADER, configuration: str | None = CONFIGURATION) -> Path:
    """Write a history into a folder and return the folder."""
    folder.mkdir(exist_ok=True)
    (folder / "probes.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    if configuration is not None:
        (folder / "upptimerc.yml").write_text(configuration, encoding="utf-8")
    return folder


def take(ledger: OpsLedger, folder: Path, **options: Any) -> ImportResult:
    return import_upptime(ledger, folder, **options)
