"""Integrity and checkpoints, with what only facts can tell: which keys sign, and what was lost by a restore."""

from __future__ import annotations

from opsledger.audit.checkpoints import (
    Assurance,
    Introduced,
    Level,
    Notes,
    Superseded,
    check_kept,
    check_keys,
    check_stored,
    read_notes,
)
from opsledger.audit.findings import Checked
from opsledger.audit.integrity import begins
from opsledger.audit.integrity import integrity as check_integrity
from opsledger.audit.note import VerifierKey
from opsledger.audit.sealing import origin_of
from opsledger.domain.fact import fact_type
from opsledger.domain.ledger import KeyIntroduced, Restored
from opsledger.errors import BadInput
from opsledger.ledger.codec import read_all
from opsledger.ledger.seals import Seals
from opsledger.ledger.store import Store
from opsledger.replay.checks.task import Task

__all__ = ["assurance", "checkpoints", "integrity", "introduced_keys"]


def introduced_keys(store: Store) -> list[Introduced]:
    """Return the signing keys that the log introduced, in order."""
    found = []
    topic = fact_type(KeyIntroduced).topic  # of the many facts of the ledger itself these few are read
    for recorded in read_all(row for row in store.stream("ledger:self") if row.topic == topic):
        if isinstance(event := recorded.fact, KeyIntroduced):
            replaces = None if event.replaces is None else VerifierKey.parse(event.replaces)
            found.append(Introduced(recorded.position, VerifierKey.parse(event.key), replaces, event.endorsement))
    return found


def integrity(task: Task) -> None:
    """Check every fact against what was sealed."""
    try:
        sizes = _notes(task).sizes
    except BadInput:
        sizes = set()  # `checkpoints` says which note cannot be read
    task.outside.roots = _roots(task, task.result, sizes)


def checkpoints(task: Task) -> None:
    """Check the signing keys, the checkpoints that the database holds, and those that were kept elsewhere."""
    notes = _notes(task)
    if task.outside.roots is None:
        task.outside.roots = _roots(task, Checked("integrity"), notes.sizes)
    check_keys(notes, task.result)
    check_stored(notes, task.outside.roots, task.head, task.result)
    recorded_at = lambda position: task.store.page(position - 1, 1)[0].recorded_at  # noqa: E731  # asked of a few
    task.outside.covered, task.outside.timed = check_kept(notes, task.outside.roots, task.head, task.result, recorded_at)


def assurance(task: Task) -> Assurance:
    """Return how far the verdict of `checkpoints` reaches."""
    covered = min(task.outside.covered, task.head)
    oldest = task.store.page(covered, 1)
    level: Level = "L0" if not covered else "L2" if task.outside.timed else "L1"
    contradicted = not covered and bool(task.outside.kept)
    return Assurance(level, covered, task.head - covered, oldest[0].recorded_at if oldest else None, contradicted)


def _roots(task: Task, result: Checked, sizes: set[int]) -> dict[int, bytes]:
    seals, outside = _seals(task), task.outside
    looking = task.executor.look
    return check_integrity(task.store, seals, task.head, result, sizes=sizes, since=outside.since, progress=task.told, looking=looking)


def _notes(task: Task) -> Notes:
    outside = task.outside
    if outside.notes is None:
        origin = origin_of(task.store)
        stored = _seals(task).checkpoints()
        kept = read_notes(outside.kept, origin, outside.received)
        begin = begins(outside.since, task.head)
        outside.notes = Notes(origin, stored, kept, introduced_keys(task.store), outside.trusted, _superseded(task), begin)
    return outside.notes


def _superseded(task: Task) -> list[Superseded]:
    """Return what restores lost that the verifier knows of. Raises BadInput where there is no such restore."""
    restores = {
        recorded.position: Superseded(recorded.position, recorded.fact.lost_from, recorded.fact.lost_to)
        for recorded in read_all(task.store.stream("ledger:self"))
        if isinstance(recorded.fact, Restored)
    }
    for position in task.outside.accepted:
        if position not in restores:
            known = ", ".join(map(str, restores)) or "none"
            raise BadInput("verify.no_restore", f"Position {position} records no restore; of those there are: {known}.")
    return [restores[position] for position in task.outside.accepted]


def _seals(task: Task) -> Seals:
    if task.seals is None:
        raise BadInput("verify.no_seals", "The seals of the ledger were not given; use OpsLedger.verify, which gives them.")
    return task.seals
