"""Burn alerts: the rule fires when both windows have more than the limit, strictly; of time at the very microsecond."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from opsledger.policies.burning import Episode, Point, Rule, Shares, Timeline, Turn, of_requests, paired, shares_at

Interval = tuple[int, int]


@st.composite
def timelines(draw: st.DrawFn) -> tuple[list[Interval], list[Interval]]:
    """What is measured of a time, and what of that is bad: at most one stretch in each."""
    edges = sorted(draw(st.sets(st.integers(0, 120), min_size=2, max_size=10)))
    measured = list(zip(edges[::2], edges[1::2], strict=False))
    bad = []
    for low, high in measured:
        begin, end = sorted(draw(st.tuples(st.integers(low, high), st.integers(low, high))))
        if begin < end:
            bad.append((begin, end))
    return measured, bad


RULES = st.builds(
    lambda short, more, tenths: Rule(short + more, short, Fraction(tenths, 10)), st.integers(1, 9), st.integers(1, 40), st.integers(1, 9)
)


def looked_at_every_instant(measured: list[Interval], bad: list[Interval], rule: Rule, end: int) -> list[Turn]:
    def held(stretches: list[Interval], low: int, high: int) -> int:
        return sum(max(0, min(high, stop) - max(low, start)) for start, stop in stretches)

    turns: list[Turn] = []
    for at in range(end + 1):
        lows = (max(0, at - rule.long), max(0, at - rule.short))
        shares = Shares(*(held(stretches, low, at) for low in lows for stretches in (bad, measured)))
        if not turns or shares.exceed(rule.limit) is not turns[-1].fires:
            turns.append(Turn(at, shares.exceed(rule.limit), shares))
    return turns


@given(timelines(), RULES)
def test_an_alert_on_time_turns_at_the_first_instant_at_which_the_rule_holds_or_no_longer_does(
    told: tuple[list[Interval], list[Interval]], rule: Rule
) -> None:
    measured, bad = told
    assert Timeline(0, measured, bad).turns(200, rule) == looked_at_every_instant(measured, bad, rule, 200)


POINTS = st.lists(
    st.tuples(st.integers(1, 100), st.integers(0, 20), st.integers(0, 20)).map(lambda each: Point(each[0], each[1] + each[2], each[2])),
    max_size=20,
).map(sorted)


@given(POINTS, RULES, st.integers(0, 100))
def test_an_alert_on_requests_turns_at_the_ends_of_windows(points: list[Point], rule: Rule, since: int) -> None:
    before = [point for point in points if point.at <= since]
    after = [point for point in points if point.at > since]
    turns: list[Turn] = []
    for at in sorted({point.at for point in after}):
        shares = shares_at(points, at, rule)
        if not turns or shares.exceed(rule.limit) is not turns[-1].fires:
            turns.append(Turn(at, shares.exceed(rule.limit), shares))
    assert of_requests(before, after, rule) == turns


def test_exactly_the_limit_does_not_fire_and_one_more_bad_request_does() -> None:
    rule = Rule(3600, 300, Fraction("14.4") * Fraction(1, 1000))
    assert not Shares(144, 10_000, 144, 10_000).exceed(rule.limit)
    assert Shares(145, 10_000, 145, 10_000).exceed(rule.limit)
    assert not Shares(145, 10_000, 144, 10_000).exceed(rule.limit)
    assert not Shares(144, 10_000, 145, 10_000).exceed(rule.limit)


def test_windows_without_requests_do_not_fire() -> None:
    assert not Shares(0, 0, 0, 0).exceed(Fraction(1, 1000))


def test_a_window_reaches_back_from_its_end_without_its_beginning() -> None:
    points = [Point(100, 10, 10), Point(400, 10, 0)]
    assert shares_at(points, 400, Rule(301, 300, Fraction(1, 2))) == Shares(10, 20, 0, 10)


def test_turns_pair_up_to_alerts_and_the_last_may_be_open() -> None:
    shares = Shares(1, 2, 1, 2)
    turns = [Turn(at, fires, shares) for at, fires in ((0, False), (5, True), (6, True), (9, False), (12, True))]
    assert paired(turns) == [Episode(5, 9, shares), Episode(12, None, shares)]
