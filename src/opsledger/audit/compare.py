"""Two checkpoints of one log: a history and its continuation, or a fork, which no honest log has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from opsledger.audit.note import Checkpoint
from opsledger.errors import BadInput

__all__ = ["Comparison", "compare_checkpoints"]


class Comparison(NamedTuple):
    """What two checkpoints are to each other."""

    verdict: Literal["consistent", "fork", "unknown"]
    sentence: str


def compare_checkpoints(one: Checkpoint, other: Checkpoint, root: Callable[[int], bytes | None] | None) -> Comparison:
    """Compare two checkpoints, signatures checked, of one log; `root` gives the roots of the log itself, None where it is shorter.

    Of one size they need no log. Of two sizes they are a continuation if the log has both roots; if it has one of them and
    is long enough for the other, that other was signed over a history that the log does not have.
    """
    if one.origin != other.origin:
        raise BadInput("compare.two_logs", f"One is a checkpoint of {one.origin}, the other of {other.origin}; compare two of one log.")
    small, large = sorted((one, other), key=lambda checkpoint: checkpoint.size)
    if small.size == large.size:
        if small.root == large.root:
            return Comparison("consistent", f"Both are of the same {small.size} facts.")
        return Comparison("fork", f"A fork: two different logs of {small.size} facts were signed as {one.origin}.")
    if small.size == 0:
        return Comparison("consistent", "The smaller one is of an empty log, which every log continues.")
    if root is None:
        return Comparison("unknown", "They are of different sizes, and no log was given that could connect them.")
    has_small, has_large = (root(each.size) == each.root for each in (small, large))
    if has_small and has_large:
        return Comparison("consistent", f"The log of {large.size} facts continues the one of {small.size}.")
    if root(large.size) is None:
        return Comparison("unknown", f"The log that was given ends before {large.size} facts, and cannot connect them.")
    if has_small or has_large:
        wrong = large if has_small else small
        return Comparison(
            "fork", f"A fork: the checkpoint of {wrong.size} facts was signed over another history than the log and the other one."
        )
    return Comparison("unknown", "The log that was given fits neither of them, and cannot connect them.")
