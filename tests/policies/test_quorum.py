"""The vote of locations: who must agree, who is silent, and when the vote changes."""

from __future__ import annotations

from decimal import Decimal

import pytest

from opsledger.policies.quorum import Quorum, Voice, Word, decide, vote
from opsledger.policies.timeline import State, Stretch

TWO = Quorum(2)
MOST = Quorum(2, Decimal(18))


@pytest.mark.parametrize(
    ("up", "degraded", "down", "expected", "state"),
    [
        (1, 0, 2, 3, "down"),
        (2, 0, 1, 3, "up"),
        (1, 0, 1, 2, "up"),  # one alone does not bring it down
        (1, 1, 1, 3, "degraded"),  # two agree that it is not well
        (1, 1, 0, 2, "up"),
        (0, 0, 1, 3, "unknown"),  # one alone says too little
        (1, 0, 0, 3, "unknown"),
        (0, 0, 0, 3, "unknown"),
        (0, 0, 0, 0, "unknown"),
        (0, 0, 1, 1, "down"),  # where one alone is expected, its word is the vote
        (1, 0, 0, 1, "up"),
    ],
)
def test_two_must_agree_and_two_must_speak(up: int, degraded: int, down: int, expected: int, state: State) -> None:
    assert decide(TWO, up=up, degraded=degraded, down=down, expected=expected) == state


@pytest.mark.parametrize(
    ("up", "of", "state"), [(9, 50, "down"), (10, 50, "up"), (2, 15, "down"), (3, 15, "up"), (1, 1, "up"), (0, 1, "down")]
)
def test_a_share_is_exceeded_strictly(up: int, of: int, state: State) -> None:
    assert decide(MOST, up=up, degraded=0, down=of - up, expected=of) == state


def test_a_share_counts_those_that_report_once_enough_of_them_do() -> None:
    assert decide(MOST, up=1, degraded=0, down=1, expected=9) == "up"
    assert decide(MOST, up=1, degraded=0, down=0, expected=9) == "unknown"


def said(location: str, *words: tuple[int, int, State | None]) -> Voice:
    return Voice(location, [Word(at, position, state, f"probe:{location}") for at, position, state in words])


def told(*voices: Voice, rule: Quorum = TWO, begin: int = 0, end: int = 100) -> list[Stretch]:
    return list(vote(rule, voices, begin, end))


def test_the_vote_changes_when_the_second_location_agrees_and_when_one_of_them_no_longer_does() -> None:
    found = told(
        said("us", (0, 1, "up"), (10, 3, "down"), (30, 5, "up")),
        said("eu", (0, 2, "up"), (20, 4, "down"), (40, 6, "up")),
    )
    assert found == [
        Stretch(0, 20, "up", "probe:eu", 2, "up: us, eu"),
        Stretch(20, 30, "down", "probe:eu", 4, "down: us, eu"),
        Stretch(30, 100, "up", "probe:us", 5, "down: eu; up: us"),
    ]


def test_words_of_one_instant_are_heard_together() -> None:
    found = told(said("us", (0, 1, "up"), (10, 3, "down")), said("eu", (0, 2, "down"), (10, 4, "up")))
    assert [(each.start, each.stop, each.state) for each in found] == [(0, 100, "up")]


def test_what_was_said_before_the_period_holds_in_it_and_what_is_said_after_it_does_not() -> None:
    found = told(said("us", (0, 1, "down"), (60, 2, "up")), begin=50, end=60)
    assert found == [Stretch(50, 60, "down", "probe:us", 1, "down: us")]


def test_nobody_who_is_expected_leaves_the_state_unknown() -> None:
    assert told() == [Stretch(0, 100, "unknown")]
    assert told(said("us", (0, 1, "up"), (40, 2, None))) == [
        Stretch(0, 40, "up", "probe:us", 1, "up: us"),
        Stretch(40, 100, "unknown", "probe:us", 2, None),
    ]


def test_a_silent_location_is_named() -> None:
    assert told(said("us", (0, 1, "up")), said("eu", (0, 2, "unknown")))[0].vote == "up: us; silent: eu"


def test_a_period_without_length_has_no_stretch() -> None:
    assert told(said("us", (0, 1, "up")), begin=10, end=10) == []
