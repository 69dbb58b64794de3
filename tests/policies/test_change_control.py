"""Authority by quorum and role, collisions of half-open windows, gaps between words."""

from __future__ import annotations

import pytest

from opsledger.policies.change_control import Approval, Authority, Booking, Collision, FreezeWindow, conflicts
from opsledger.policies.updates import Gap, gaps

ANN, BOB, EVE = Approval("ann", "manager"), Approval("bob", "cto"), Approval("eve", "legal")


@pytest.mark.parametrize(
    ("authority", "approvals", "sign_offs", "given"),
    [
        (Authority(0), [], [], True),
        (Authority(1), [], [], False),
        (Authority(1), [ANN], [], True),
        (Authority(2), [ANN, ANN], [], False),
        (Authority(2), [ANN, BOB], [], True),
        (Authority(1, ("cto",)), [ANN], [], False),
        (Authority(1, ("cto",)), [BOB], [], True),
        (Authority(2, ("cto",)), [BOB], [], False),
        (Authority(1, (), ("legal",)), [ANN], [], False),
        (Authority(1, (), ("legal",)), [ANN], [EVE], True),
        (Authority(1, (), ("legal",)), [ANN, EVE], [], False),  # an approval is no sign-off
        (Authority(1), [Approval("me", "cto")], [], False),  # who asked does not count
        (Authority(0, (), ("legal",)), [], [Approval("me", "legal")], False),
    ],
)
def test_authority_is_given_by_quorum_roles_and_sign_offs(
    authority: Authority, approvals: list[Approval], sign_offs: list[Approval], given: bool
) -> None:
    assert authority.given("me", approvals, sign_offs) is given


PLANNED = Booking("CHG-1", 100, 200, ("api",), "bob")


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (Booking("CHG-2", 199, 300, ("api", "web")), ["ci_already_scheduled"]),
        (Booking("CHG-2", 200, 300, ("api",)), []),
        (Booking("CHG-2", 0, 100, ("api",)), []),
        (Booking("CHG-2", 0, 101, ("web",), "bob"), ["assignee_already_scheduled"]),
        (Booking("CHG-2", 120, 130, ("api",), "bob"), ["ci_already_scheduled", "assignee_already_scheduled"]),
        (Booking("CHG-2", 120, 130, ("web",), "amy"), []),
        (Booking("CHG-1", 120, 130, ("api",), "bob"), []),  # itself
    ],
)
def test_changes_collide_where_their_windows_meet(other: Booking, found: list[str]) -> None:
    assert [each.kind for each in conflicts(PLANNED, [other], None, [])] == found


def test_nobody_named_is_nobody_busy() -> None:
    assert conflicts(PLANNED._replace(assignee_id=""), [Booking("CHG-2", 100, 200, ("web",))], None, []) == ()


@pytest.mark.parametrize(
    ("windows", "inside"),
    [
        ([(100, 200)], True),
        ([(0, 150), (150, 200)], True),
        ([(0, 150), (151, 300)], False),
        ([(101, 300)], False),
        ([], False),
        (None, True),
    ],
)
def test_the_whole_window_lies_in_maintenance_windows_where_it_is_bound_to_them(
    windows: list[tuple[int, int]] | None, inside: bool
) -> None:
    assert (conflicts(PLANNED, [], windows, []) == ()) is inside


@pytest.mark.parametrize(
    ("freeze", "frozen"),
    [
        (FreezeWindow("F-1", 199, 300), True),
        (FreezeWindow("F-1", 200, 300), False),
        (FreezeWindow("F-1", 0, 100), False),
        (FreezeWindow("F-1", 0, 101, ("api",)), True),
        (FreezeWindow("F-1", 0, 300, ("web",)), False),
        (FreezeWindow("F-1", 150, 150), False),  # lifted before it began
    ],
)
def test_a_freeze_holds_what_it_names_in_its_window(freeze: FreezeWindow, frozen: bool) -> None:
    assert conflicts(PLANNED, [], None, [freeze]) == ((Collision("in_freeze", "F-1"),) if frozen else ())


def test_a_change_of_nothing_named_is_held_by_every_freeze() -> None:
    assert conflicts(PLANNED._replace(ci_ids=()), [], None, [FreezeWindow("F-1", 0, 300, ("web",))]) == (Collision("in_freeze", "F-1"),)


def test_gaps_run_from_the_start_over_each_word_to_the_end() -> None:
    assert gaps(10, [30, 12], 40) == [Gap(10, 12), Gap(12, 30), Gap(30, 40)]
    assert gaps(10, [5, 50], 40) == [Gap(10, 40)]
    assert gaps(10, [], None) == [Gap(10, None)]


def test_a_word_at_the_last_instant_is_in_time() -> None:
    assert [Gap(10, 20).too_long_at(10), Gap(10, 21).too_long_at(10), Gap(10, None).too_long_at(10)] == [None, 20, 20]
