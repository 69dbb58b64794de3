"""Erasing, decision by decision: what stands against it, and in which order it goes."""

from __future__ import annotations

from typing import Any

import pytest
from person import ERASED, KEY, asked, completed, decided, derived, destroyed, on, placed, purge_decided, spec

from opsledger.domain import subject as s
from opsledger.domain.concept import SYSTEM
from opsledger.testing import at

GRANT: dict[str, Any] = {"at": on("10:00"), "outcome": "granted", "basis": "Art. 17(1)(b)", "decided_by": "u-9", "keys": (KEY,)}


def words(concept: str, day: str = "02-01") -> s.Held:
    return s.Held(concept=concept, facts=2, newest_at=on("09:00", day))


def test_a_granted_erasure_names_the_keys_and_what_was_looked_at() -> None:
    held = (words("ticket"),)
    spec.given(asked()).when(s.decide_erasure, **GRANT, held=held).then(decided(held=held))


def test_who_took_the_request_in_does_not_decide_on_it() -> None:
    spec.given(asked()).when(s.decide_erasure, **{**GRANT, "decided_by": "u-7"}).then_refused("name another approver")


def test_a_decision_has_a_basis_a_request_and_comes_after_it() -> None:
    spec.given(asked()).when(s.decide_erasure, **{**GRANT, "basis": " "}).then_refused("subject.no_basis")
    spec.given(asked()).when(s.decide_erasure, **{**GRANT, "at": on("08:59")}).then_refused("subject.too_early")
    spec.given(asked(s.AccessRequested)).when(s.decide_erasure, **GRANT).then_refused("it is none")
    spec.given(asked(), decided()).when(s.decide_erasure, **GRANT).then_refused("it was granted already")


# What stands against it.


def test_a_hold_refuses_with_its_reason_and_lets_restrict() -> None:
    spec.given(placed(), asked()).when(s.decide_erasure, **GRANT).then_refused("case-3 (a claim), keeps the data")
    restrict = {**GRANT, "outcome": "restricted", "basis": "Art. 17(3)(e)"}
    (restricted,) = spec.given(placed(), asked()).when(s.decide_erasure, **restrict).facts
    assert (restricted.outcome, restricted.keys) == ("restricted", ())


def test_a_released_hold_refuses_no_more() -> None:
    released = s.HoldReleased(released_at=on("09:30"), hold_id="case-3", reason="settled", requested_by="u-7", approved_by="u-8")
    spec.given(placed(), asked(), released).when(s.decide_erasure, **GRANT).then(decided())


def test_a_hold_whose_review_is_overdue_still_holds() -> None:
    overdue = placed(review_by=on("09:00", "03-02"))
    spec.given(overdue, asked()).when(s.decide_erasure, **GRANT).then_refused("subject.held")


def test_an_open_request_for_access_is_answered_first() -> None:
    access = asked(s.AccessRequested, number=2)
    spec.given(asked(), access).when(s.decide_erasure, **GRANT).then_refused("answer request 2 first")
    given = s.AccessGiven(given_at=on("09:30"), number=2, name="x", facts=1, opened=1, given_by="u-8")
    spec.given(asked(), access, given).when(s.decide_erasure, **GRANT).then(decided())


def test_after_refused_access_there_is_time_to_complain() -> None:
    access = asked(s.AccessRequested, number=2)
    refused = s.AccessRefused(refused_at=on("09:30"), number=2, basis="b", decided_by="u-9", keep_until=on("10:00"))
    spec.given(asked(), access, refused).when(s.decide_erasure, **{**GRANT, "at": on("09:59")}).then_refused("subject.recourse")
    spec.given(asked(), access, refused).when(s.decide_erasure, **GRANT).then(decided())


def test_retention_refuses_until_its_last_instant() -> None:
    """The operating model keeps the words of incidents for 24 months after the newest of them."""
    held = (words("incident"), words("ticket"))
    refused = spec.given(asked()).when(s.decide_erasure, **GRANT, held=held)
    refused.then_refused("keeps incident_record for 24 months")
    refused.then_refused("until 2028-02-01T09:00:00.000000Z")
    last = {**GRANT, "at": at("2028-02-01T08:59:59.999999Z")}
    spec.given(asked()).when(s.decide_erasure, **last, held=held).then_refused("subject.retained")
    assert spec.given(asked()).when(s.decide_erasure, **{**GRANT, "at": at("2028-02-01T09:00Z")}, held=held).facts


def test_streams_that_no_category_names_are_not_retained() -> None:
    assert spec.given(asked()).when(s.decide_erasure, **GRANT, held=(words("refund"),)).facts


def test_refusing_needs_no_way_to_be_free() -> None:
    (refused,) = spec.given(placed(), asked()).when(s.decide_erasure, **{**GRANT, "outcome": "refused"}).facts
    assert (refused.outcome, refused.keys) == ("refused", ())


def test_what_is_restricted_stays_open_until_it_is_granted_or_refused() -> None:
    restrict = {**GRANT, "outcome": "restricted"}
    spec.given(asked(), decided("restricted")).when(s.decide_erasure, **restrict).then_nothing()
    spec.given(asked(), decided("restricted", "09:30")).when(s.decide_erasure, **GRANT).then(decided())
    assert spec.given(asked(), decided("restricted")).when(s.decide_erasure, **{**GRANT, "outcome": "refused"}).facts


# Step by step.

DESTROY: dict[str, Any] = {"at": on("10:01"), "keys": (KEY,), "receipt": "local:1", "remains": "backups"}
DERIVE: dict[str, Any] = {"at": on("10:02"), "tables": ("ticket",), "caches": ("keys in memory",)}
COMPLETE: dict[str, Any] = {"at": on("10:03"), "parts": 3, "missing": 0, "opened": 0}


def test_keys_are_destroyed_once_all_that_were_named() -> None:
    spec.given(asked(), decided()).when(s.record_keys_destroyed, **DESTROY).then(destroyed())
    spec.given(asked(), decided(), destroyed()).when(s.record_keys_destroyed, **DESTROY).then_nothing()
    spec.given(asked(), decided()).when(s.record_keys_destroyed, **{**DESTROY, "keys": ()}).then_refused("Key k-1 was to be destroyed too")
    spec.given(asked()).when(s.record_keys_destroyed, **DESTROY).then_refused("subject.not_granted")


def test_keys_that_came_back_are_destroyed_again_with_those_that_came_along() -> None:
    other = s.KeyNamed(key_id="k-2", commitment="c-2")
    again = {**DESTROY, "at": on("12:00"), "keys": (KEY, other), "again": True}
    spec.given(*ERASED).when(s.record_keys_destroyed, **again).then(destroyed("12:00", again=True, keys=(KEY, other)))


def test_derived_data_are_purged_after_the_keys_and_name_the_exports_that_were_made() -> None:
    export = s.AccessGiven(given_at=on("08:00"), number=None, name="case-1.json", facts=1, opened=1, given_by="u-8")
    exports = (s.Export(name="case-1.json", position=spec.known.position + 1),)
    before = (export, asked(), decided(), destroyed())
    spec.given(*before).when(s.record_derived_purged, **DERIVE).then(derived(exports=exports))
    spec.given(*before, derived()).when(s.record_derived_purged, **DERIVE).then_nothing()
    spec.given(asked(), decided()).when(s.record_derived_purged, **DERIVE).then_refused("its keys must be destroyed first")


def test_an_erasure_is_complete_when_no_part_opens() -> None:
    before = (asked(), decided(), destroyed(), derived())
    spec.given(*before).when(s.complete_erasure, **COMPLETE).then(completed())
    spec.given(*before).when(s.complete_erasure, **{**COMPLETE, "opened": 1}).then_refused("1 of 3 sealed parts of subject p-1 still open")
    spec.given(*before, completed()).when(s.complete_erasure, **COMPLETE).then_nothing()
    spec.given(*before[:3]).when(s.complete_erasure, **COMPLETE).then_refused("subject.order")


PURGE: dict[str, Any] = {"at": on("10:04", "04-02"), "keys": ("k-1",), "parts": 3, "decided_by": "u-9"}


def test_parts_are_purged_when_it_is_time_by_anybody() -> None:
    spec.given(*ERASED).when(s.decide_purge, **PURGE).then(purge_decided())
    on_the_line = {**PURGE, "at": on("10:03", "04-01"), "decided_by": SYSTEM}
    assert spec.given(*ERASED).when(s.decide_purge, **on_the_line).facts
    spec.given(*ERASED, purge_decided()).when(s.decide_purge, **PURGE).then_nothing()


@pytest.mark.parametrize(("more", "taken"), [({}, False), ({"reason": "asked to"}, True), ({"reason": "x", "decided_by": SYSTEM}, False)])
def test_before_it_is_time_a_person_decides_and_says_why(more: dict[str, Any], taken: bool) -> None:
    outcome = spec.given(*ERASED).when(s.decide_purge, **{**PURGE, "at": on("10:02", "04-01"), **more})
    if taken:
        outcome.then(purge_decided("10:02", "04-01", reason="asked to"))
    else:
        outcome.then_refused("stay until 2026-04-01T10:03:00.000000Z")


def test_nothing_is_purged_of_a_key_that_lives_or_before_the_erasure_is_complete() -> None:
    spec.given(*ERASED).when(s.decide_purge, **{**PURGE, "keys": ("k-1", "k-2")}).then_refused("Key k-2 is not known to be destroyed")
    spec.given(*ERASED[:4]).when(s.decide_purge, **PURGE).then_refused("complete the erasure first")


def test_purged_parts_are_recorded_once() -> None:
    done = {"at": on("10:05", "04-02"), "parts": 3, "remains": "backups"}
    purged = s.PartsPurged(purged_at=on("10:05", "04-02"), number=1, parts=3, remains="backups")
    spec.given(*ERASED, purge_decided()).when(s.record_parts_purged, **done).then(purged)
    spec.given(*ERASED, purge_decided(), purged).when(s.record_parts_purged, **done).then_nothing()
    spec.given(*ERASED).when(s.record_parts_purged, **done).then_refused("decide on it first")


# The log's word.


def fold(*facts: Any) -> s.Subject:
    state = s.Subject()
    for each in facts:
        state = s.evolve(state, each)
    return state


def test_from_the_decision_on_the_log_says_that_the_keys_are_gone() -> None:
    assert fold(asked()).forgotten == frozenset()
    assert (fold(asked(), decided()).forgotten, fold(asked(), decided()).destroyed) == ({"k-1"}, frozenset())
    assert fold(asked(), decided(), destroyed()).destroyed == {"k-1"}
    assert [fold(*facts).erased for facts in ((), (asked(),), (asked(), decided("refused")), (asked(), decided()), ERASED)] == [
        False,
        False,
        False,
        True,
        True,
    ]


def test_a_person_is_restricted_while_the_newest_decision_says_so() -> None:
    states = ((asked(),), (asked(), decided("restricted")), (asked(), decided("restricted"), decided("refused")))
    assert [fold(*facts).restricted for facts in states] == [False, True, False]


def test_a_key_that_came_along_later_is_forgotten_too() -> None:
    other = s.KeyNamed(key_id="k-2", commitment="c-2")
    assert fold(*ERASED, destroyed("12:00", again=True, keys=(KEY, other))).forgotten == {"k-1", "k-2"}
