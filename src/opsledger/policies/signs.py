"""Signs of life: when a source was heard, and when it had been silent for too long.

Signs are kept as spans, those less than a day apart as one: a silence shorter than a day is never too long, and a source that is
heard every second costs no more than one that is heard every hour. Instants and lengths are integer microseconds; whatever the order
in which signs come, the spans are the same.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from opsledger.policies.instants import DAY_S, SECOND
from opsledger.policies.intervals import Interval, union, without
from opsledger.policies.voices import FOREVER

__all__ = ["Sign", "alive", "heard", "last_sign", "missing"]

_DAY: Final = DAY_S * SECOND
_first, _last = attrgetter("first"), attrgetter("last")


class Sign(NamedTuple):
    """A source was heard from `first` to `last`, never silent for a day. `position` is that of the fact that says so of the last."""

    first: int
    last: int
    position: int


def heard(signs: list[Sign], sign: Sign) -> None:
    """Add a sign to signs that are in order, in place."""
    if signs and signs[-1].first <= sign.first < signs[-1].last + _DAY:  # a million signs come in the order of time
        last = max(signs[-1][1:], sign[1:])
        signs[-1] = Sign(signs[-1].first, *last)
        return
    low, high = bisect_right(signs, sign.first - _DAY, key=_last), bisect_left(signs, sign.last + _DAY, key=_first)
    near = [*signs[low:high], sign]
    last = max((each.last, each.position) for each in near)
    signs[low:high] = [Sign(min(each.first for each in near), *last)]


def last_sign(signs: Iterable[Sign], until: int) -> Sign | None:
    """Return the last sign of those that began before an instant; None: there was none."""
    return max((each for each in signs if each.first < until), key=lambda each: (each.last, each.position), default=None)


def alive(began: int, ended: int, limit: int, signs: Iterable[Sign]) -> list[Interval]:
    """Return when a source that is expected in [began, ended) was heard recently enough: within `limit` before, or since it began.

    Exactly the limit is recent enough, so that the silence begins there.
    """
    spans = [(began, began + limit), *((each.first, each.last + limit) for each in signs)]
    return union((max(began, low), min(ended, high)) for low, high in spans)


def missing(lives: Sequence[Interval], there: Iterable[Interval]) -> Iterator[tuple[int, int | None]]:
    """Yield when something was expected and not there, with when it came; None: it has not, or is expected no longer."""
    known = union(there)
    for low, high in lives:
        for begin, end in without([(low, high)], known):
            yield begin, end if end < min(high, FOREVER) else None
