"""Verification: facts per second of each check, beside one SHA-256 call for each stored state in one thread.

The check of integrity, for which the design names a rate, is measured over more facts by `benchmarks.proving`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from statistics import median
from typing import Final

from benchmarks import ledgers
from benchmarks.measuring import alternate, profile, spread, timed
from benchmarks.place import KINDS, Kind, Place, named
from benchmarks.report import Row, Section, rate, rounds
from opsledger.ledger.store import pages

__all__ = ["measure"]

_SAYS: Final = {
    "continuity": "the log is whole",
    "fold": "every fact decodes and evolves",
    "promises": "every due time derived again",
    "projections": "all tables built anew and compared",
}


def measure(place: Place) -> Section:
    """Measure every check on both databases, and say of SQLite where the time goes."""
    rows: list[Row] = []
    notes: list[str] = []
    for kind in KINDS:
        made, spent, facts = _checks(place, kind)
        rows += made
        notes += [f"Where the time goes on {named(kind)}: {spent}."] if spent else []
    return Section(
        "Verification",
        f"Each check alone over the {facts:,} facts of the example's year, in copies; {rounds(place.sizes.rebuilds)}; no fact is kept "
        "from one to the next. The hashes are of states that stand in memory: nothing is read for them.",
        rows,
        notes,
    )


def _checks(place: Place, kind: Kind) -> tuple[list[Row], str, int]:
    with ledgers.create(place.url(kind), place.sizes.events[0]) as ledger:
        facts = ledger.catch_up()
        states = [row.state for page in pages(ledger.store, 0, facts) for row in page]

        def hashed() -> float:
            return facts / timed(lambda: [hashlib.sha256(state).digest() for state in states])

        def checked(name: str) -> None:
            report = ledger.verify(name)
            assert report.code == 0, "\n".join(report.lines())

        def speed(name: str) -> Callable[[], float]:
            return lambda: facts / timed(lambda: checked(name))

        found = alternate({"hash": hashed, **{name: speed(name) for name in _SAYS}}, place.sizes.rebuilds)
        spent = "; ".join(f"{name}: {profile(speed(name))}" for name in _SAYS) if kind == "sqlite" else ""
    rows = [
        Row(
            f"verify {name}, {_SAYS[name]}, {named(kind)}",
            "one SHA-256 call for each state",
            rate(median(found[name]), "facts"),
            rate(median(found["hash"]), "states"),
            spread([100 * ours / theirs for ours, theirs in zip(found[name], found["hash"], strict=True)]),
            unit="%",
            remark="no target",
        )
        for name in _SAYS
    ]
    return rows, spent, facts
