"""Burning: when the budget of an objective burned too fast, exactly and without polling.

Requests are counted at the end of each window of measurement; time is looked at continuously, and an alert opens at the microsecond
at which both shares have passed the limit. A rule fires while the long and the short window before an instant both have more bad
than `limit` of all, strictly. Instants and lengths are integer microseconds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import NamedTuple

__all__ = ["Episode", "Point", "Rule", "Shares", "Timeline", "Turn", "of_requests", "paired", "shares_at"]


class Rule(NamedTuple):
    """Two windows, and the share of bad that both must exceed: factor * (1 - target)."""

    long: int
    short: int
    limit: Fraction


class Point(NamedTuple):
    """What was counted up to an instant since the point before."""

    at: int
    total: int
    bad: int


class Shares(NamedTuple):
    """What both windows hold at an instant."""

    long_bad: int
    long_total: int
    short_bad: int
    short_total: int

    def exceed(self, limit: Fraction) -> bool:
        """Return whether both have more bad than the limit, strictly."""
        over, of = limit.numerator, limit.denominator
        return self.long_bad * of > over * self.long_total and self.short_bad * of > over * self.short_total

    def margins(self, limit: Fraction) -> tuple[int, int]:
        """Return by how much each window has more bad than the limit, in a unit of its own; above 0 it has."""
        over, of = limit.numerator, limit.denominator
        return self.long_bad * of - over * self.long_total, self.short_bad * of - over * self.short_total


class Turn(NamedTuple):
    """From this instant on a rule fires, or does not."""

    at: int
    fires: bool
    shares: Shares


class Episode(NamedTuple):
    """An alert in [opened, closed); None: it has not closed. The shares are those at its opening."""

    opened: int
    closed: int | None
    shares: Shares


def of_requests(before: Sequence[Point], points: Sequence[Point], rule: Rule) -> list[Turn]:
    """Return where a rule turns at `points`, with those `before` in its windows; all in order. The first point always is a turn."""
    known = [*before, *points]
    times = [point.at for point in known]
    totals = list(accumulate((point.total for point in known), initial=0))
    bads = list(accumulate((point.bad for point in known), initial=0))
    over, of = rule.limit.numerator, rule.limit.denominator
    turns: list[Turn] = []
    fired: bool | None = None
    long = short = 0
    for place in range(len(before), len(known)):
        at, up_to = times[place], place + 1
        if up_to < len(known) and times[up_to] == at:
            continue  # windows that end together are looked at together
        while times[long] <= at - rule.long:
            long += 1
        while times[short] <= at - rule.short:
            short += 1
        fires = (bads[up_to] - bads[short]) * of > over * (totals[up_to] - totals[short]) and (bads[up_to] - bads[long]) * of > over * (
            totals[up_to] - totals[long]
        )
        if fires is not fired:
            both = (bads[up_to] - bads[long], totals[up_to] - totals[long], bads[up_to] - bads[short], totals[up_to] - totals[short])
            turns.append(Turn(at, fires, Shares(*both)))
            fired = fires
    return turns


def shares_at(points: Sequence[Point], at: int, rule: Rule) -> Shares:
    """Return what both windows before an instant hold; points in order."""
    times = [point.at for point in points]
    end = bisect_right(times, at)
    long, short = (points[bisect_right(times, at - length) : end] for length in (rule.long, rule.short))
    return Shares(*(sum(counts) for held in (long, short) for counts in ([point.bad for point in held], [point.total for point in held])))


class _Amount:
    """How much of time has a mark up to each instant, from stretches in order."""

    def __init__(self, stretches: Iterable[tuple[int, int]]) -> None:
        self._stretches = list(stretches)
        self._starts = [start for start, _ in self._stretches]
        self._up_to = list(accumulate((stop - start for start, stop in self._stretches), initial=0))

    def until(self, at: int) -> int:
        """Return how much there is before an instant."""
        return self._with(bisect_right(self._starts, at), at)

    def all_until(self, instants: Iterable[int]) -> list[int]:
        """Return how much there is before each of many instants, which rise."""
        found, place, starts = [], 0, self._starts
        for at in instants:
            while place < len(starts) and starts[place] <= at:
                place += 1
            found.append(self._with(place, at))
        return found

    def _with(self, place: int, at: int) -> int:
        if not place:
            return 0
        start, stop = self._stretches[place - 1]
        return self._up_to[place - 1] + min(at, stop) - start


class Timeline:
    """A time that is measured, and what of it is bad: stretches in order, the bad ones within the measured, from `begin` on."""

    def __init__(self, begin: int, measured: Iterable[tuple[int, int]], bad: Iterable[tuple[int, int]]) -> None:
        self.begin = begin
        measured, bad = list(measured), list(bad)
        self._edges = {edge for stretch in (*measured, *bad) for edge in stretch}
        self._measured, self._bad = _Amount(measured), _Amount(bad)

    def shares(self, at: int, rule: Rule) -> Shares:
        """Return what both windows before an instant hold."""
        since = (max(self.begin, at - rule.long), max(self.begin, at - rule.short))
        return Shares(*(amount.until(at) - amount.until(each) for each in since for amount in (self._bad, self._measured)))

    def turns(self, end: int, rule: Rule) -> list[Turn]:
        """Return where a rule turns in [begin, end]; the beginning always is a turn.

        Between the instants at which an edge of a stretch enters or leaves a window everything grows evenly; so a share passes the
        limit at most once between two of them, and where it does is computed.
        """
        moved = (edge + length for edge in (*self._edges, self.begin) for length in (0, rule.long, rule.short))
        cuts = sorted({self.begin, end, *(at for at in moved if self.begin < at < end)})
        found = self._shares(cuts, rule)
        turns = [Turn(self.begin, found[0].exceed(rule.limit), found[0])]
        for (low, before), (high, after) in pairwise(zip(cuts, found, strict=True)):
            crossings = _crossings(low, high, before.margins(rule.limit), after.margins(rule.limit))
            for at, shares in [*((at, self.shares(at, rule)) for at in crossings), (high, after)]:
                if (fires := shares.exceed(rule.limit)) is not turns[-1].fires:
                    turns.append(Turn(at, fires, shares))
        return turns

    def _shares(self, instants: Sequence[int], rule: Rule) -> list[Shares]:
        long, short = ([max(self.begin, at - length) for at in instants] for length in (rule.long, rule.short))
        bad, measured = self._bad.all_until(instants), self._measured.all_until(instants)
        held = (
            (amount, since)
            for since in (long, short)
            for amount, since in ((bad, self._bad.all_until(since)), (measured, self._measured.all_until(since)))
        )
        columns = [[now - then for now, then in zip(amount, since, strict=True)] for amount, since in held]
        return [Shares(*each) for each in zip(*columns, strict=True)]


def _crossings(low: int, high: int, before: tuple[int, int], after: tuple[int, int]) -> list[int]:
    """Return the first whole instants in (low, high) at which either margin, which changes evenly, is on another side of 0."""
    instants = set()
    for first, last in zip(before, after, strict=True):
        if (first > 0) is not (last > 0):
            # Above 0 strictly after the crossing, or no longer from the crossing on.
            steps = Fraction(-first * (high - low), last - first)
            instants.add(low + (steps.__floor__() + 1 if last > 0 else steps.__ceil__()))
    return sorted(at for at in instants if low < at < high)


def paired(turns: Iterable[Turn]) -> list[Episode]:
    """Return the alerts that turns in order of time open and close."""
    found: list[Episode] = []
    opened: Turn | None = None
    for turn in turns:
        if turn.fires and opened is None:
            opened = turn
        elif not turn.fires and opened is not None:
            found.append(Episode(opened.at, turn.at, opened.shares))
            opened = None
    if opened is not None:
        found.append(Episode(opened.at, None, opened.shares))
    return found
