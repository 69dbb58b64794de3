"""What each location says in a vote: its changes of state, until it has been silent for too long, while it is expected to speak.

A change holds until the next one. Where a monitor's silence may last only so long, it holds that long beyond the last word, and
nothing is known after that; a coverage tells that the location went on reporting without a change. Integer microseconds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from typing import Final, NamedTuple

from opsledger.policies.quorum import Voice, Word
from opsledger.policies.timeline import State

__all__ = ["FOREVER", "Coverage", "Watch", "voice"]

FOREVER: Final = 1 << 62


class Coverage(NamedTuple):
    """A location reported without a gap in [start, stop). `state` is that of the start; None: as its changes say."""

    start: int
    stop: int
    position: int
    state: State | None
    stream: str


class Watch(NamedTuple):
    """A monitor names the location in [start, stop). `silent_after` is how long its silence may last; None: for ever."""

    start: int
    stop: int
    silent_after: int | None
    stream: str
    position: int  # of the fact by which it does
    stop_position: int = 0  # of the one by which it no longer does


def voice(location: str, changes: Sequence[Iterable[Word]], covered: Iterable[Coverage], watches: Sequence[Watch]) -> Voice:
    """Return what a location says. `changes` come from its streams, each in the order of time.

    A location is expected to speak while a monitor names it, the first one from its first word on where that is earlier; one
    that no monitor ever names, from its first word on.
    """
    coverages = sorted(covered)
    stated = [Word(each.start, each.position, each.state, each.stream) for each in coverages if each.state is not None]
    words = merge(*changes, stated)
    first = next(words, None)
    heard = words if first is None else _with(first, words)
    if any(watch.silent_after is not None for watch in watches):
        heard = _until_silent(heard, coverages, _silence(watches))
    return Voice(location, _while_expected(heard, _expected(first, watches)))


def _with(first: Word, rest: Iterator[Word]) -> Iterator[Word]:
    yield first
    yield from rest


def _silence(watches: Sequence[Watch]) -> Callable[[int], int]:
    """Return a function from an instant to how long silence may last then: the shortest that a monitor of the time names."""
    edges = sorted({edge for watch in watches for edge in (watch.start, watch.stop)})
    spans = [-1, *edges]
    lengths = []
    for edge in spans:
        named = [watch.silent_after for watch in watches if watch.start <= edge < watch.stop and watch.silent_after is not None]
        lengths.append(min(named, default=FOREVER))
    return lambda at: lengths[max(0, bisect_right(spans, at) - 1)]


def _until_silent(words: Iterable[Word], coverages: Sequence[Coverage], silence: Callable[[int], int]) -> Iterator[Word]:
    """Yield words, and "unknown" from where nobody has heard of the location for too long until it is heard again."""
    last: Word | None = None
    by_word = by_coverage = 0  # up to when something is known by either
    newest = Word(0, 0, "unknown", "")
    covers = [Word(each.start, each.position, None, each.stream) for each in coverages]
    stops = iter([each.stop for each in coverages])
    for word in merge(words, covers, key=lambda each: each.at):
        known = max(by_word, by_coverage)
        if last is not None and word.at > known:
            yield newest._replace(at=known, state="unknown")
        if word.state is None:
            stop = next(stops)
            if last is not None and word.at > known:
                yield Word(word.at, word.position, last.state, word.stream)
            by_coverage = max(by_coverage, stop + silence(stop))
        else:
            yield word
            last, by_word = word, word.at + silence(word.at)
        newest = word
    if last is not None:
        yield newest._replace(at=max(by_word, by_coverage), state="unknown")


def _expected(first: Word | None, watches: Sequence[Watch]) -> list[tuple[Word, Word]]:
    """Return when a location is expected to speak, as words at the edges."""
    if first is not None and not watches:
        return [(first, first._replace(at=FOREVER))]
    spans: list[tuple[Word, Word]] = []
    for watch in sorted(watches):
        begin, end = (
            Word(watch.start, watch.position, None, watch.stream),
            Word(watch.stop, watch.stop_position, None, watch.stream),
        )
        if not spans or watch.start > spans[-1][1].at:
            spans.append((begin, end))
        elif watch.stop > spans[-1][1].at:
            spans[-1] = (spans[-1][0], end)
    if first is not None and first.at < spans[0][0].at:
        spans[0] = (first, spans[0][1])
    return spans


def _while_expected(words: Iterable[Word], spans: Sequence[tuple[Word, Word]]) -> Iterator[Word]:
    """Yield words as far as they are said while the location is expected to speak; before its first one nothing is known."""
    if len(spans) == 1 and spans[0][1].at == FOREVER:  # the usual case, in which a million words go by
        yield spans[0][0]._replace(state="unknown")
        yield from words
        return
    begins = [(span[0].at, 0, span[0]) for span in spans]
    ends = [(span[1].at, 1, span[1]) for span in spans]
    state: State | None = "unknown"
    expected = False
    for _, kind, word in merge(begins, ends, ((word.at, 2, word) for word in words), key=lambda each: each[:2]):
        if kind == 2:
            state = word.state
        else:
            expected = kind == 0
        if kind == 1:
            yield word._replace(state=None)
        elif expected:
            yield word._replace(state=state)
