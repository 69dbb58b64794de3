"""Published and derived cases of recovery, through the product's own decisions and rows.

Runs the cases of this area of every file of `--cases DIR` (default: the product's own copy). A case says by its keys what is given; one
that says what no rule here knows fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from opsledger.domain import restore
from opsledger.domain.recorded import in_business_order
from opsledger.policies.instants import SECOND
from opsledger.projections.recovery.recovery import RESTORE, fold, rows, start
from opsledger.testing import Spec, at
from opsledger.testing.spec import recorded

TITLE, AREA = "opsledger platform operations cases", "recovery"
MINUTE_US = 60_000_000
Case = dict[str, Any]
FAILURE = at("2026-03-02T10:20:00Z")
spec = Spec("restore:R-1")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    found = []
    for path in sorted(Path(metafunc.config.getoption("--cases")).glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("title") == TITLE:
            found += [pytest.param(case, id=f"{path.stem}-{case['id']}") for case in document["cases"] if case["area"] == AREA]
    metafunc.parametrize("case", found)


def row(failed: datetime, recovered: datetime, restored: datetime) -> dict[str, Any]:
    """Return the row of a restore of the database, for which the default operating model makes the source's promises."""
    facts = spec.when(restore.start, at=failed, service_id="database", failed_at=failed, cause="other").facts
    facts += spec.given(*facts).when(restore.complete, at=restored, recovered_to=recovered).facts
    told = start(spec.stream)
    history = [recorded(fact, spec.stream, i, spec.known.position + i) for i, fact in enumerate(facts, 1)]
    for each in in_business_order(history):
        told = fold(told, each)
    (made,) = rows("database", {spec.stream: told}, spec.known)["restore"]
    return dict(zip([column.name for column in RESTORE.columns], made, strict=True))


def instants(texts: Iterable[str]) -> list[datetime]:
    """Return times that follow one another, written whole, or 10:20 or 10:20:30 of one day or the next."""
    found: list[datetime] = []
    for text in texts:
        when = at(text) if "T" in text else at(f"2026-03-02T{text if text.count(':') == 2 else f'{text}:00'}Z")
        found.append(when + timedelta(days=1) if found and "T" not in text and when < found[-1] else when)
    return found


def met(name: str, seconds: Any) -> Any:
    """Return whether a length, or each of several, keeps its target."""
    if isinstance(seconds, list):
        return [met(name, each) for each in seconds]
    length = timedelta(seconds=seconds)
    made = row(FAILURE, FAILURE, FAILURE + length) if name == "rto" else row(FAILURE, FAILURE - length, FAILURE)
    return made[f"{name}_met"]


def test_recovery(case: Case) -> None:
    given = case["given"]
    match sorted(given):
        case ["failure", "last_recoverable", "restored"]:
            recovered, failed, restored = instants(given[name] for name in ("last_recoverable", "failure", "restored"))
            made = row(failed, recovered, restored)
            ours = {f"{name}_met": made[f"{name}_met"] for name in ("rpo", "rto")}
            ours |= {f"{name}_min": Fraction(made[f"{name}_us"], MINUTE_US) for name in ("rpo", "rto")}
            ours |= {f"{name}_s": Fraction(made[f"{name}_us"], SECOND) for name in ("rpo", "rto")}
        case ["rpo_s", "rto_s"] | ["rpo_s"] | ["rto_s"] as names:
            ours = {f"{name[:3]}_met": met(name[:3], given[name]) for name in names}
        case unknown:
            pytest.fail(f"no rule for a case of recovery that gives {unknown}")
    expect = case["expect"]
    assert ours.keys() >= expect.keys(), f"no rule for {expect.keys() - ours.keys()}"
    assert {key: ours[key] for key in expect} == expect
