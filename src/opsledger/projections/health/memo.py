"""What a customer's days came to, kept while tables are live: a day that is closed, or a fact of today, judges no day of the past again.

A stream's state remembers of each of its facts from which day on it can say anything. The days before the first such day of all facts
that are new since the last time are as they were. A stream that was folded anew, as after a correction, makes all days anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from opsledger.domain import activity as a
from opsledger.domain import ledger as l
from opsledger.domain import subscription as s
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import DAY_S, SECOND
from opsledger.projections.table import Row

__all__ = ["Followed", "Made", "Memo", "first_day", "kept", "told"]

_EPOCH: Final = date(1970, 1, 1)
_DAY: Final = DAY_S * SECOND
_NEVER: Final = 2**31
_COUNTED: Final = (a.UsersActive, a.FeatureUsed, a.CasesCompleted, a.ApiCalled)
_ANY_DAY: Final = (a.TrainingInvited, a.TrainingAttended, a.CommunityContributed, a.FeedbackSubmitted, s.Retracted)


@dataclass(slots=True)
class Followed:
    """The state of a stream, with the first day that each of its facts can say anything of."""

    told: Any
    days: list[int] = field(default_factory=list)
    memo: Memo | None = None  # of the customer whose first stream this is; never packed, since nothing is kept before rows are made


@dataclass(slots=True)
class Made:
    """What one day came to: the scores by version with the newest fact used, and the rows of them."""

    scores: dict[str, tuple[int | None, int]]
    of_score: list[Row]
    of_metric: list[Row]


@dataclass(slots=True)
class Memo:
    """What a customer's days came to, from which facts: how many of each stream."""

    customer_id: str
    used: dict[str, tuple[Followed, int]] = field(default_factory=dict)
    days: dict[int, Made] = field(default_factory=dict)


def told(states: Mapping[str, Any]) -> dict[str, Any]:
    """Return states as their folds left them, without what is followed."""
    return {stream: state.told if isinstance(state, Followed) else state for stream, state in states.items()}


def first_day(concept: str, recorded: Recorded) -> int:
    """Return the first day, counted from 1970-01-01, that a fact can say anything of. A model speaks of all of them."""
    event = recorded.fact
    if concept == "health_model" or isinstance(event, _ANY_DAY):
        return 0
    if isinstance(event, l.DayClosed):
        return _NEVER
    day = recorded.occurred_at // _DAY
    return min(day, (event.day - _EPOCH).days) if isinstance(event, _COUNTED) else day


def kept(customer_id: str, states: Mapping[str, Any], everywhere: Sequence[str]) -> dict[int, Made]:
    """Return what the days of a customer came to that are as they were, to be added to; it is kept with their first stream."""
    own = next((state for stream, state in states.items() if stream.partition(":")[0] not in everywhere), None)
    if not isinstance(own, Followed):
        return {}
    memo = own.memo
    if memo is None or memo.customer_id != customer_id:
        memo = own.memo = Memo(customer_id)
    changed = _changed(memo.used, states)
    memo.days = {day: made for day, made in memo.days.items() if day < changed}
    memo.used = {stream: (state, len(state.days)) for stream, state in states.items()}
    return memo.days


def _changed(used: Mapping[str, tuple[Followed, int]], states: Mapping[str, Any]) -> int:
    """Return the first day of which something is said that was not said before."""
    first = _NEVER
    for stream, state in states.items():
        before, count = used.get(stream, (state, 0))
        if before is not state:
            return 0
        first = min([first, *state.days[count:]])
    return first
