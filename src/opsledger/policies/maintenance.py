"""Maintenance windows judged by the operating model: which rules a window keeps, and what of it does not count as downtime.

A window that fails a rule is no planned maintenance: all of it counts, and the verdict names the rule. Of a window that keeps
them all, the work between announced start and announced end is taken out, in the order of time, until the month's cap is used
up; what lies before, beyond or above counts. Instants and lengths are integer microseconds, intervals half-open.
Source: Operating Model, "Planned Maintenance".
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal, NamedTuple

from opsledger.policies.instants import DAY_S, SECOND
from opsledger.policies.intervals import Interval, meeting, union, without
from opsledger.policies.platform import Maintenance
from opsledger.policies.zones import local_time

__all__ = ["RULES", "Notice", "Rule", "Slot", "Verdict", "Window", "judge", "notified_at", "slot_on"]

Rule = Literal["cancelled", "emergency", "approval", "weekday", "week_of_month", "slot", "longest", "notice"]
RULES: Final[tuple[Rule, ...]] = ("cancelled", "emergency", "approval", "weekday", "week_of_month", "slot", "longest", "notice")
"""What may be against a window, in the order in which a verdict names it."""

_WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKS: Final = ("first", "second", "third", "fourth")


class Slot(NamedTuple):
    """The time of day that the rules allow, on the local date on which a window starts, as UTC microseconds."""

    day: date
    low: int
    high: int

    @property
    def month(self) -> str:
        """The calendar month of the rules' zone whose cap the window uses, for example 2026-03."""
        return f"{self.day.year:04d}-{self.day.month:02d}"


class Notice(NamedTuple):
    """An audience was told of the window as it is planned now."""

    audience: str
    sent_at: int


@dataclass(frozen=True, slots=True)
class Window:
    """A maintenance window as the rules see it. `planned` is what was announced last; `slot` is that of its start."""

    window_id: str
    rules: Maintenance
    emergency: bool
    planned: Interval
    slot: Slot
    notices: tuple[Notice, ...] = ()  # since the plan was last moved
    started_at: int | None = None  # None: nobody has said that work began
    ended_at: int | None = None  # None: nobody has said that work ended
    cancelled_at: int | None = None
    approved_at: int | None = None  # by the role that the rules name, for an emergency

    @property
    def work(self) -> Interval | None:
        """The work, to the announced end while nobody has said when it ended; None where none is known to have begun."""
        if self.started_at is None:
            return None
        ends = [each for each in (self.ended_at, self.cancelled_at) if each is not None]
        return self.started_at, max(self.started_at, min(ends, default=self.planned[1]))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of a window. Lengths in microseconds."""

    window_id: str
    month: str  # whose cap it uses
    failed: tuple[Rule, ...]  # empty: it is planned maintenance
    notified_at: int | None  # when the last of those who must be told first was; None: somebody was not
    notice: int | None  # from then to the announced start
    excluded: tuple[Interval, ...]  # does not count as downtime; no moment of a service is excluded by two windows
    over_cap: int  # of the work within the announced window, what counts because the month's cap was used up
    cap_used: int  # of the month's cap, after this window
    early: int  # work before the announced start, which counts
    overrun: int | None  # work beyond the announced end, which counts; None while it is not known when the work ended

    @property
    def qualifies(self) -> bool:
        """Whether it is planned maintenance, by every rule."""
        return not self.failed


def judge(windows: Iterable[Window]) -> tuple[Verdict, ...]:
    """Return the verdicts on all windows of one service, in the order of time: together, since they share each month's cap."""
    found: list[Verdict] = []
    taken: list[Interval] = []
    used: dict[str, int] = {}
    for window in sorted(windows, key=lambda each: (_begins(each), each.window_id)):
        failed = tuple(_failed(window))
        month = window.slot.month
        before = used.get(month, 0)
        low, high = _excludable(window)
        near = meeting(taken, low, high)  # a year of windows is not looked through for each of them
        fresh = [] if failed else without(union([(low, high)]), taken[near])
        excluded, length = _first(fresh, max(0, window.rules.monthly_cap * SECOND - before))
        taken[near] = union([*taken[near], *excluded])
        used[month] = before + length
        told = notified_at(window)
        found.append(
            Verdict(
                window_id=window.window_id,
                month=month,
                failed=failed,
                notified_at=told,
                notice=None if told is None else window.planned[0] - told,
                excluded=tuple(excluded),
                over_cap=sum(high - low for low, high in fresh) - length,
                cap_used=used[month],
                early=_early(window),
                overrun=_overrun(window),
            )
        )
    return tuple(found)


def slot_on(rules: Maintenance, start: int) -> Slot:
    """Return the slot of the local date on which an instant lies. A wall time that the clock jumps over is the jump itself.

    Asks the tz database: decisions keep the answer in their facts, and replay never asks again.
    """
    second = start // SECOND
    local = local_time(rules.zone, second - 3 * DAY_S, second + 3 * DAY_S)
    days = local.read(second) // DAY_S
    low, high = (local.first(days * DAY_S + _wall(each)) * SECOND for each in (rules.slot_from, rules.slot_until))
    return Slot(date.fromordinal(date(1970, 1, 1).toordinal() + days), low, high)


def notified_at(window: Window) -> int | None:
    """Return when everybody whom the rules name had been told of the plan by one channel or another; None: not everybody was."""
    first: dict[str, int] = {}
    for notice in window.notices:
        first[notice.audience] = min(notice.sent_at, first.get(notice.audience, notice.sent_at))
    told = [first.get(audience) for audience in window.rules.notice_to]
    known = [each for each in told if each is not None]
    return max(known) if known and len(known) == len(told) else None


def _failed(window: Window) -> Iterable[Rule]:
    rules, (low, high) = window.rules, window.planned
    if window.cancelled_at is not None and window.started_at is None:
        yield "cancelled"
    if window.emergency:
        yield "emergency"
        if window.approved_at is None or window.approved_at > _begins(window):
            yield "approval"
        return  # the rules below are those of planned work
    if _WEEKDAYS[window.slot.day.weekday()] != rules.weekday:
        yield "weekday"
    if not _in_week(rules.week_of_month, window.slot.day):
        yield "week_of_month"
    if not window.slot.low <= low < high <= window.slot.high:
        yield "slot"
    if high - low > rules.longest * SECOND:
        yield "longest"
    told = notified_at(window)
    if rules.notice_to and (told is None or low - told < rules.notice * SECOND):
        yield "notice"


def _begins(window: Window) -> int:
    return window.planned[0] if window.started_at is None else window.started_at


def _excludable(window: Window) -> Interval:
    """Return the announced time in which work is known to have gone on; all of it where the rules say so."""
    low, high = window.planned
    if window.rules.excludes == "announced":
        return low, high
    if window.work is None:
        return low, low
    return max(low, window.work[0]), min(high, window.work[1])


def _first(spans: Sequence[Interval], room: int) -> tuple[list[Interval], int]:
    """Return the first `room` microseconds of spans in order, and how many those are."""
    kept: list[Interval] = []
    left = room
    for low, high in spans:
        if left > 0:
            kept.append((low, min(high, low + left)))
            left -= kept[-1][1] - low
    return kept, room - left


def _early(window: Window) -> int:
    return 0 if window.work is None else max(0, min(window.work[1], window.planned[0]) - window.work[0])


def _overrun(window: Window) -> int | None:
    if window.work is None or (window.ended_at is None and window.cancelled_at is None):
        return None
    return max(0, window.work[1] - max(window.work[0], window.planned[1]))


def _in_week(week: str, day: date) -> bool:
    if week == "last":
        return day.day + 7 > monthrange(day.year, day.month)[1]
    return week == "any" or (day.day - 1) // 7 == _WEEKS.index(week)


def _wall(text: str) -> int:
    """Return the seconds after midnight of a wall time such as 02:00."""
    hour, minute = text.split(":")
    return int(hour) * 3600 + int(minute) * 60
