"""The vote of several locations on a service. No location alone brings it down where others are expected to speak.

    unknown    fewer than the quorum report at all
    down       at least the quorum say that it is down
    degraded   at least the quorum say that it is down or degraded
    up         otherwise

The quorum is never more than the locations that are expected: where there is one, its word is the vote. A rule may name a share
instead: up while strictly more than that share of those that report say so. Instants are integer microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from heapq import merge
from typing import Final, NamedTuple

from opsledger.policies.timeline import State, Stretch

__all__ = ["Quorum", "Voice", "Word", "decide", "vote"]


class Quorum(NamedTuple):
    """How many locations must agree; or which share of those that report must say up, in percent."""

    at_least: int
    healthy_above_pct: Decimal | None = None


class Word(NamedTuple):
    """What a location says from an instant on. None: it is not expected to say anything."""

    at: int
    position: int  # of the fact that says it, or after which it is so
    state: State | None
    stream: str


class Voice(NamedTuple):
    """A location and its words, in the order of time and position."""

    location: str
    words: Iterable[Word]


def decide(rule: Quorum, *, up: int, degraded: int, down: int, expected: int) -> State:
    """Return what a number of locations say together. Those expected that say nothing are the rest."""
    reporting = up + degraded + down
    needed = min(rule.at_least, expected)
    if reporting < max(needed, 1):
        return "unknown"
    if rule.healthy_above_pct is not None:
        return "up" if 100 * (up + degraded) > Fraction(rule.healthy_above_pct) * reporting else "down"
    if down >= needed:
        return "down"
    return "degraded" if down + degraded >= needed else "up"


def vote(rule: Quorum, voices: Sequence[Voice], begin: int, end: int) -> Iterator[Stretch]:
    """Yield [begin, end) cut where the vote changes. Words of one instant are heard together; the last is the cause."""
    said: list[State | None] = [None] * len(voices)
    decided: dict[tuple[State | None, ...], tuple[State, str | None]] = {}  # the same few votes come again and again
    now = Stretch(begin, end, "unknown", vote=_text(voices, said))
    heard = _heard(voices)
    following = next(heard, None)
    while following is not None and following[0] < end:
        at, _, place, word = following
        said[place] = word.state
        following = next(heard, None)
        if following is not None and following[0] == at:
            continue
        votes = tuple(said)
        if votes not in decided:
            decided[votes] = _decided(rule, votes), _text(voices, votes)
        (state, text), start = decided[votes], max(at, begin)
        if state != now.state or (start == begin and now.cause is None):
            if start > now.start:
                yield now._replace(stop=start)
            now = Stretch(start, end, state, word.stream, word.position, text)
    if now.start < end:
        yield now


def _heard(voices: Sequence[Voice]) -> Iterator[tuple[int, int, int, Word]]:
    """Yield all words in the order of time and position, each as (time, position, place of who says it, word)."""

    def placed(place: int, words: Iterable[Word]) -> Iterator[tuple[int, int, int, Word]]:
        return ((word.at, word.position, place, word) for word in words)

    return iter(merge(*(placed(place, voice.words) for place, voice in enumerate(voices))))


def _decided(rule: Quorum, said: Sequence[State | None]) -> State:
    expected = len(said) - said.count(None)
    return decide(rule, up=said.count("up"), degraded=said.count("degraded"), down=said.count("down"), expected=expected)


_SHOWN: Final[tuple[tuple[State, str], ...]] = (("down", "down"), ("degraded", "degraded"), ("up", "up"), ("unknown", "silent"))


def _text(voices: Sequence[Voice], said: Sequence[State | None]) -> str | None:
    """Return who says what, for example "down: eu, us; up: ap". None: nobody is expected to say anything."""
    parts = []
    for state, word in _SHOWN:
        names = [voice.location for voice, each in zip(voices, said, strict=True) if each == state]
        if names:
            parts.append(f"{word}: {', '.join(names)}")
    return "; ".join(parts) or None
