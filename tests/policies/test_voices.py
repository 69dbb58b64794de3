"""What a location says: until it changes its mind, falls silent, or is not expected to speak."""

from __future__ import annotations

from opsledger.policies.quorum import Word
from opsledger.policies.timeline import State
from opsledger.policies.voices import FOREVER, Coverage, Watch, voice


def words(*said: tuple[int, State]) -> list[Word]:
    return [Word(at, position, state, "probe:us") for position, (at, state) in enumerate(said, 1)]


def told(said: list[Word], covered: tuple[Coverage, ...] = (), watches: tuple[Watch, ...] = ()) -> list[tuple[int, State | None]]:
    """Return what is said from when on, what is said again left out."""
    found: list[tuple[int, State | None]] = []
    for word in voice("us", [said], covered, watches).words:
        if word.at == FOREVER:
            continue
        if found and found[-1][0] == word.at:
            found.pop()
        if not found or found[-1][1] != word.state:
            found.append((word.at, word.state))
    return found


def covered(start: int, stop: int, state: State | None = None) -> Coverage:
    return Coverage(start, stop, 90, state, "probe:us")


def watch(start: int = 0, stop: int = FOREVER, silent_after: int | None = 60) -> Watch:
    return Watch(start, stop, silent_after, "monitor:m", 80, 81)


def test_without_a_monitor_what_was_said_last_holds_and_nothing_is_expected_before_the_first_word() -> None:
    assert told(words((10, "up"), (500, "down"))) == [(10, "up"), (500, "down")]


def test_silence_ends_what_is_known_exactly_when_it_has_lasted_so_long() -> None:
    assert told(words((10, "up"), (70, "up"), (131, "up")), watches=(watch(),)) == [
        (0, "unknown"),
        (10, "up"),
        (130, "unknown"),
        (131, "up"),
        (191, "unknown"),
    ]


def test_a_coverage_tells_that_what_was_said_goes_on_and_silence_counts_from_its_end() -> None:
    assert told(words((10, "up")), (covered(10, 1000),), (watch(),)) == [(0, "unknown"), (10, "up"), (1060, "unknown")]


def test_a_coverage_after_a_silence_says_what_was_said_last() -> None:
    assert told(words((10, "down")), (covered(500, 600),), (watch(),)) == [
        (0, "unknown"),
        (10, "down"),
        (70, "unknown"),
        (500, "down"),
        (660, "unknown"),
    ]


def test_a_coverage_may_say_the_state_itself() -> None:
    assert told([], (covered(500, 600, "up"),), (watch(),)) == [(0, "unknown"), (500, "up"), (660, "unknown")]
    assert told([], (covered(500, 600),), (watch(),)) == [(0, "unknown")]  # in which state, nobody has said


def test_a_coverage_that_comes_late_fills_the_silence() -> None:
    before = told(words((10, "up"), (500, "up")), watches=(watch(),))
    after = told(words((10, "up"), (500, "up")), (covered(10, 500),), (watch(),))
    assert (70, "unknown") in before
    assert after == [(0, "unknown"), (10, "up"), (560, "unknown")]


def test_a_location_that_a_monitor_names_is_expected_before_it_speaks_and_no_longer_once_that_is_retired() -> None:
    assert told(words((10, "up")), watches=(watch(0, 100, None),)) == [(0, "unknown"), (10, "up"), (100, None)]
    assert told(words((10, "up"), (150, "down")), watches=(watch(0, 100, None),)) == [(0, "unknown"), (10, "up"), (100, None)]


def test_words_of_before_the_registration_are_heard() -> None:
    assert told(words((10, "up")), watches=(watch(50, 100, None),)) == [(10, "up"), (100, None)]


def test_between_two_registrations_nothing_is_expected_and_the_last_word_holds_after_it() -> None:
    assert told(words((10, "up")), watches=(watch(0, 100, None), watch(200, 300, None))) == [
        (0, "unknown"),
        (10, "up"),
        (100, None),
        (200, "up"),
        (300, None),
    ]


def test_the_shortest_silence_of_several_monitors_counts_and_each_counts_from_when_it_is_known() -> None:
    both = (watch(0, FOREVER, 600), watch(100, FOREVER, 60))
    assert told(words((10, "up")), watches=both) == [(0, "unknown"), (10, "up"), (610, "unknown")]
    assert told(words((10, "up"), (100, "up")), watches=both) == [(0, "unknown"), (10, "up"), (160, "unknown")]


def test_streams_of_two_months_are_heard_as_one() -> None:
    march, april = words((10, "up")), [Word(100, 9, "down", "probe:us/2026-04")]
    heard = [word for word in voice("us", [march, april], (), ()).words if word.state in ("up", "down")]
    assert [(word.at, word.state) for word in heard] == [(10, "up"), (100, "down")]
