"""Reviews: every review of the audit trail is of the facts that stand at its positions, and of a checkpoint that they lead to.

A review holds the Merkle root over its range. Who rewrites a fact that was reviewed, hashes and signatures with it, must rewrite the
review too, or it shows here, without anything that was kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from opsledger.audit.ranges import Positions, roots_between, told_root
from opsledger.audit.sealing import origin_of
from opsledger.domain.audit_trail import Reviewed
from opsledger.domain.recorded import Recorded
from opsledger.ledger.codec import read_all
from opsledger.replay.checks.task import Task

__all__ = ["reviews"]


def reviews(task: Task) -> None:
    """Compute the roots that every review says, over the facts as they stand."""
    found = [recorded for recorded in read_all(task.store.streams("audit_trail:")) if recorded.position <= task.head]
    reviewed = [recorded for recorded in found if isinstance(recorded.fact, Reviewed)]
    possible = {each for recorded in reviewed for each in _ranges(recorded.fact) if 0 < each[0] <= each[1] < recorded.position}
    roots = {each: None if root is None else told_root(root) for each, root in roots_between(task.store, possible, task.told).items()}
    task.result.count("reviews", len(reviewed))
    for recorded in reviewed:
        _check_root(recorded, roots, task)
        _check_checkpoint(recorded, roots, task)


def _ranges(event: Reviewed) -> Iterator[Positions]:
    yield event.first, event.last
    if event.checkpoint is not None:
        yield 1, event.checkpoint.size


def _check_root(recorded: Recorded, roots: dict[Positions, str | None], task: Task) -> None:
    event: Reviewed = recorded.fact
    root = roots.get((event.first, event.last))
    if root == event.root:
        return
    what = f"Position {recorded.position} is a review of positions {event.first} to {event.last} by {event.reviewed_by}"
    why = "the facts there are not those that were reviewed" if root else "not all of them stand before it"
    _find(f"{what}; {why}.", "state.root", event.root, root, recorded, task)


def _check_checkpoint(recorded: Recorded, roots: dict[Positions, str | None], task: Task) -> None:
    event: Reviewed = recorded.fact
    if event.checkpoint is None:
        return
    what = f"Position {recorded.position} is a review with a checkpoint of {event.checkpoint.size} facts of {event.checkpoint.origin}"
    origin, root = origin_of(task.store), roots.get((1, event.checkpoint.size))
    if event.checkpoint.origin != origin:
        _find(f"{what}, which is another log than this one.", "state.checkpoint", origin, event.checkpoint.origin, recorded, task)
    elif root != event.checkpoint.root:
        _find(f"{what}, and the log does not begin with them.", "state.checkpoint", event.checkpoint.root, root, recorded, task)


def _find(sentence: str, column: str, expected: str, found: str | None, recorded: Recorded, task: Task) -> None:
    task.result.find(sentence, position=recorded.position, stream=recorded.stream, column=column, expected=expected, found=found)
