"""Proof: the integrity of a long log, the proof of one of its facts, and what an append costs while somebody seals.

The log is the example's year in copies, sealed and signed. Integrity is set beside one SHA-256 call for each stored state in one
thread, which the check cannot be as fast as: it makes three for each fact, and reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import cycle
from statistics import median
from time import monotonic
from typing import Final

from benchmarks import ledgers
from benchmarks.append import appending
from benchmarks.measuring import Spread, alternate, percentile, profile, ratios, spread, timed, typical
from benchmarks.place import KINDS, Kind, Place, Sizes, named
from benchmarks.report import ABOUT_ONE, Row, Section, Target, duration, rate, rounds
from benchmarks.workers import Worker
from opsledger.app import OpsLedger
from opsledger.app.sealing import introduce_key
from opsledger.audit.merkle import HASH_SIZE, root
from opsledger.audit.sealing import origin_of
from opsledger.audit.signing import SigningKey
from opsledger.ledger.store import pages

__all__ = ["measure"]

_TARGETS: Final = {1: Target("at least", 15), 2: Target("at least", 25)}
_MILLISECONDS: Final = Target("at most", 10)  # the design says milliseconds; this is our reading of it
_HASHED: Final = 200_000  # states, of which the rate is taken
_PROOFS: Final = 200
_STATE: Final = b'{"published_at":"2026-03-02T09:00:00Z","message":"' + b"x" * 150 + b'"}'


def measure(place: Place) -> Section:
    """Measure on both databases."""
    rows: list[Row] = []
    notes: list[str] = []
    for kind in KINDS:
        made, spent = _proofs(place, kind)
        rows += made
        notes.append(f"Where the time of the check goes on {named(kind)}, in one process: {spent}.")
    for kind in KINDS:
        made, note = _beside_a_sealer(place, kind)
        rows += made
        notes.append(note)
    sizes = place.sizes
    return Section(
        "Proof",
        f"{rounds(sizes.proofs).capitalize()}; no fact is kept from one to the next. The hashes are of states that stand in memory: "
        "nothing is read for them. With two processes the check is timed from the call, the start of the other process included. A proof "
        f"is `OpsLedger.prove`, which reads the fact and the tree and checks what it gives; the median of {_PROOFS} facts. Beside a "
        f"sealer: appends by the bare store, one after the other for {duration(sizes.sealed_s)}, with and without another process that "
        "adds leaves each second or after 1,000 facts, as `opsledger watch` does; the mean of all appends and the slowest in a hundred; "
        f"{rounds(sizes.sealed_rounds)}.",
        rows,
        notes,
    )


def _proofs(place: Place, kind: Kind) -> tuple[list[Row], str]:
    with ledgers.create(place.url(kind), place.sizes.proved) as ledger:
        key = SigningKey.generate(origin_of(ledger.store))
        introduce_key(ledger, key)
        ledger.seal(key)
        facts = ledger.store.head().position
        states = [row.state for page in pages(ledger.store, 0, min(facts, _HASHED)) for row in page]

        def hashed() -> float:
            return len(states) / timed(lambda: [hashlib.sha256(state).digest() for state in states])

        def checked(workers: int) -> float:
            return facts / timed(lambda: _clean(ledger, workers))

        acts: dict[str, Callable[[], float]] = {"hash": hashed, "1": lambda: checked(1), "2": lambda: checked(2)}
        alternate(acts, 1)  # files and statements
        found = alternate(acts, place.sizes.proofs)
        rows = [_integrity(found, processes, facts, kind) for processes in (1, 2)]
        rows.append(_proof(ledger, facts, place.sizes, kind))
        return rows, profile(lambda: _clean(ledger, 1))


def _clean(ledger: OpsLedger, workers: int) -> None:
    report = ledger.verify("integrity", workers=workers)
    assert report.code == 0, "\n".join(report.lines())


def _integrity(found: dict[str, list[float]], processes: int, facts: int, kind: Kind) -> Row:
    ours, theirs = found[str(processes)], found["hash"]
    return Row(
        f"verify integrity, {facts:,} facts, {named(kind)}, {processes} process{'es' if processes > 1 else ''}",
        "one SHA-256 call for each state",
        rate(median(ours), "facts"),
        rate(median(theirs), "states"),
        spread([100 * each / other for each, other in zip(ours, theirs, strict=True)]),
        unit="%",
        target=_TARGETS[processes],
    )


def _proof(ledger: OpsLedger, facts: int, sizes: Sizes, kind: Kind) -> Row:
    """Prove facts from all over the log, beside the tree hashed up again from its leaf hashes, for which nothing is read."""
    step = max(1, facts // _PROOFS)
    positions = cycle(range(1, facts, step))
    stored = ledger.seals.hashes(0, 0, facts)
    leaves = [stored[at : at + HASH_SIZE] for at in range(0, len(stored), HASH_SIZE)]
    found = alternate(
        {
            "proof": lambda: typical(lambda: ledger.prove(next(positions), payload=True), _PROOFS),
            "tree": lambda: timed(lambda: root(leaves)),
        },
        sizes.proofs,
    )
    ours = spread([1e3 * each for each in found["proof"]])
    return Row(
        f"proof of one of {facts:,} facts, {named(kind)}",
        "the tree hashed up from leaf hashes in memory",
        duration(median(found["proof"])),
        duration(median(found["tree"])),
        ours,
        unit="ms",
        target=_MILLISECONDS,
    )


def _beside_a_sealer(place: Place, kind: Kind) -> tuple[list[Row], str]:
    """Append with and without another process that seals."""
    sizes, url = place.sizes, place.url(kind)
    alone: list[list[float]] = []
    beside: list[list[float]] = []
    sealed = []
    with OpsLedger.create(url) as ledger:
        act = appending(ledger.store, _STATE)
        _appends(act, sizes.sealed_s / 4)
        for number in range(sizes.sealed_rounds):
            ledger.seal()  # what was recorded without a sealer is not its work
            with_sealer = [True, False] if number % 2 else [False, True]
            for sealing in with_sealer:
                if not sealing:
                    alone.append(_appends(act, sizes.sealed_s))
                    ledger.seal()
                    continue
                sealer = Worker("seal", url)
                sealer.go()
                beside.append(_appends(act, sizes.sealed_s))
                sealed.append(sealer.result())
    rows = [
        _appended("one append beside a sealer", alone, beside, lambda taken: sum(taken) / len(taken), kind, ABOUT_ONE),
        _appended("one append beside a sealer, p99", alone, beside, lambda taken: percentile(taken, 0.99), kind, None),
    ]
    facts, acts = sum(each["facts"] for each in sealed), sum(each["sealings"] for each in sealed)
    return (
        rows,
        f"On {named(kind)} the sealer sealed {facts:,} facts in {acts} sealings, which took it {median(_busy(sealed)):.0%} of the time.",
    )


def _busy(sealed: list[dict[str, float]]) -> list[float]:
    return [each["busy_s"] / each["lasted_s"] for each in sealed]


def _appends(act: Callable[[], object], lasting_s: float) -> list[float]:
    """Return the seconds that each append took."""
    end = monotonic() + lasting_s
    taken: list[float] = []
    while monotonic() < end or not taken:
        taken.append(timed(act))
    return taken


def _appended(
    what: str,
    alone: list[list[float]],
    beside: list[list[float]],
    of: Callable[[list[float]], float],
    kind: Kind,
    target: Target | None,
) -> Row:
    ours, theirs = list(map(of, beside)), list(map(of, alone))
    value: Spread = ratios(ours, theirs)
    return Row(
        f"{what}, {named(kind)}",
        "itself without one",
        duration(median(ours)),
        duration(median(theirs)),
        value,
        target=target,
        remark="" if target else "no target",
    )
