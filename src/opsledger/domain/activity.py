"""Activity: what a customer's people did, counted by day or by occasion, never by person.

    users active, feature used, cases completed, api called      counts of a UTC day
    training invited, training attended                          counts of a session
    community contributed, feedback submitted                    single acts

One stream per customer and UTC month, `activity:C-7/2026-03`. Facts enter by `ledger.by(...).observe`; the decisions are for those
who record few, and for corrections. Two observations of the same thing (`identity`): the one that happened later counts, of two of
the same time the one recorded later; so a day that is counted again, with what came late, takes the place of the first count.
Source: Operating Model, "Customer Health Monitoring".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Final, Literal, assert_never

from pydantic import Field

from opsledger.domain.concept import Moment, another, concept, starts
from opsledger.domain.corrections import check_held
from opsledger.domain.fact import At, Personal, Subject, fact
from opsledger.errors import Refused

__all__ = [
    "COUNTS",
    "Activity",
    "ApiCalled",
    "CasesCompleted",
    "CommunityContributed",
    "Count",
    "CountCorrected",
    "Fact",
    "FeatureUsed",
    "FeedbackSubmitted",
    "Observation",
    "TrainingAttended",
    "TrainingInvited",
    "UsersActive",
    "attend_training",
    "complete_cases",
    "contribute",
    "correct_count",
    "count_api_calls",
    "count_users",
    "evolve",
    "identity",
    "invite_to_training",
    "month_of",
    "stream_of",
    "submit_feedback",
    "use_feature",
]

Count = Annotated[int, Field(ge=0)]
Counted = Literal["daily", "weekly", "monthly", "users", "cases", "calls", "errors", "invited", "attended", "contributions", "submissions"]

# Facts. `counted_until` is the end of the day, or earlier where the day is not over: never when somebody counted.


@fact("activity.users_active", at="counted_until")
class UsersActive:
    """How many different people of a customer used the product on a day, and up to its end in the days before."""

    counted_until: At
    customer_id: str
    day: date  # UTC
    daily: Count
    weekly: Count | None = None  # in the 7 days that end with this one; null: not known
    monthly: Count | None = None  # in the 28 days that end with this one; null: not known


@fact("activity.feature_used", at="counted_until")
class FeatureUsed:
    """How many people of a customer used a feature on a day."""

    counted_until: At
    customer_id: str
    day: date
    feature: str
    users: Count


@fact("activity.cases_completed", at="counted_until")
class CasesCompleted:
    """How many cases a customer processed to their end on a day."""

    counted_until: At
    customer_id: str
    day: date
    cases: Count


@fact("activity.api_called", at="counted_until")
class ApiCalled:
    """How often a customer called the API on a day, and how many of the calls failed."""

    counted_until: At
    customer_id: str
    day: date
    calls: Count
    errors: Count


@fact("activity.training_invited", at="invited_at")
class TrainingInvited:
    """People of a customer were invited to a training session; said anew where it is moved."""

    invited_at: At
    customer_id: str
    session_id: str
    session_at: At  # when it is planned to be held
    invited: Count  # people, all that are invited by then


@fact("activity.training_attended", at="held_at")
class TrainingAttended:
    """A training session was held, and so many people of a customer came."""

    held_at: At
    customer_id: str
    session_id: str
    attended: Count


@fact("activity.community_contributed", at="contributed_at")
class CommunityContributed:
    """Somebody of a customer contributed to the community."""

    contributed_at: At
    customer_id: str
    contribution_id: str
    kind: str  # a word of one's own, for example answer
    contributions: Count = 1


@fact("activity.feedback_submitted", at="submitted_at")
class FeedbackSubmitted:
    """Somebody of a customer told us what they think of the product."""

    submitted_at: At
    customer_id: str
    feedback_id: str
    kind: str  # a word of one's own, for example idea
    submissions: Count = 1


@fact("activity.count_corrected", at="corrected_at", corrects=lambda _: None)  # a correction, though of no time
class CountCorrected:
    """A count of an earlier fact was another than it says."""

    corrected_at: At
    customer_id: str
    corrects: int  # position of that fact
    what: Counted  # which of its counts
    was: int
    now: Count
    requested_by: str
    approved_by: str
    subject_id: Subject
    reason: Personal[str]


Observation = (
    UsersActive | FeatureUsed | CasesCompleted | ApiCalled | TrainingInvited | TrainingAttended | CommunityContributed | FeedbackSubmitted
)
Fact = (
    UsersActive
    | FeatureUsed
    | CasesCompleted
    | ApiCalled
    | TrainingInvited
    | TrainingAttended
    | CommunityContributed
    | FeedbackSubmitted
    | CountCorrected
)

COUNTS: Final[Mapping[type, tuple[Counted, ...]]] = {
    UsersActive: ("daily", "weekly", "monthly"),
    FeatureUsed: ("users",),
    CasesCompleted: ("cases",),
    ApiCalled: ("calls", "errors"),
    TrainingInvited: ("invited",),
    TrainingAttended: ("attended",),
    CommunityContributed: ("contributions",),
    FeedbackSubmitted: ("submissions",),
}
"""The fields of each observation that are counts, which a correction may name."""


def identity(event: Observation) -> tuple[str, str]:
    """Return what an observation is of, within its customer: its kind, and the day, session or act."""
    match event:
        case UsersActive() | CasesCompleted() | ApiCalled():
            return type(event).__name__, event.day.isoformat()
        case FeatureUsed():
            return type(event).__name__, f"{event.day.isoformat()} {event.feature}"
        case TrainingInvited() | TrainingAttended():
            return type(event).__name__, event.session_id
        case CommunityContributed():
            return type(event).__name__, event.contribution_id
        case FeedbackSubmitted():
            return type(event).__name__, event.feedback_id
        case _:
            assert_never(event)


def month_of(event: Observation) -> str:
    """Return the UTC month to which an observation belongs, for example 2026-03: that of the day that is counted, or of the act."""
    match event:
        case UsersActive() | FeatureUsed() | CasesCompleted() | ApiCalled():
            when = event.day
        case TrainingInvited():
            when = event.invited_at.date()
        case TrainingAttended():
            when = event.held_at.date()
        case CommunityContributed():
            when = event.contributed_at.date()
        case FeedbackSubmitted():
            when = event.submitted_at.date()
        case _:
            assert_never(event)
    return f"{when.year:04d}-{when.month:02d}"


def stream_of(event: Observation) -> str:
    """Return the stream to which an observation belongs, for example activity:C-7/2026-03."""
    return f"activity:{event.customer_id}/{month_of(event)}"


# State. Decisions compare with the stream's history; there is little else to know.


@dataclass(frozen=True, slots=True)
class Activity:
    """Of whom a stream speaks."""

    customer_id: str


@concept("activity", observed=True)
def evolve(activity: Activity | None, event: Fact) -> Activity:
    """Return the activity after `event`."""
    return activity or Activity(event.customer_id)


# Decisions. Return the facts to record; `()` when there is nothing to add.


@starts
def count_users(
    activity: Activity | None,
    now: Moment,
    /,
    *,
    customer_id: str,
    day: date,
    daily: int,
    weekly: int | None = None,
    monthly: int | None = None,
) -> tuple[Fact, ...]:
    """Record how many people used the product on a UTC day, up to `now.at` or the day's end, and in the 7 and 28 days up to then."""
    until = _until(now, day)
    known = [count for count in (daily, weekly, monthly) if count is not None]
    if known != sorted(known):
        raise Refused("activity.counts", f"{daily} people of a day, {weekly} of 7 and {monthly} of 28 days cannot be; count them again.")
    return _new(now, UsersActive(counted_until=until, customer_id=customer_id, day=day, daily=daily, weekly=weekly, monthly=monthly))


@starts
def use_feature(activity: Activity | None, now: Moment, /, *, customer_id: str, day: date, feature: str, users: int) -> tuple[Fact, ...]:
    """Record how many people used a feature on a UTC day, up to `now.at` or the day's end."""
    return _new(now, FeatureUsed(counted_until=_until(now, day), customer_id=customer_id, day=day, feature=feature, users=users))


@starts
def complete_cases(activity: Activity | None, now: Moment, /, *, customer_id: str, day: date, cases: int) -> tuple[Fact, ...]:
    """Record how many cases were processed to their end on a UTC day, up to `now.at` or the day's end."""
    return _new(now, CasesCompleted(counted_until=_until(now, day), customer_id=customer_id, day=day, cases=cases))


@starts
def count_api_calls(activity: Activity | None, now: Moment, /, *, customer_id: str, day: date, calls: int, errors: int) -> tuple[Fact, ...]:
    """Record the calls of the API on a UTC day, up to `now.at` or the day's end, and how many of them failed."""
    if errors > calls:
        raise Refused("activity.counts", f"Of {calls} calls {errors} cannot have failed; count them again.")
    return _new(now, ApiCalled(counted_until=_until(now, day), customer_id=customer_id, day=day, calls=calls, errors=errors))


@starts
def invite_to_training(
    activity: Activity | None, now: Moment, /, *, customer_id: str, session_id: str, session_at: datetime, invited: int
) -> tuple[Fact, ...]:
    """Record how many people are invited to a session, and when it is to be held."""
    made = TrainingInvited(invited_at=now.at, customer_id=customer_id, session_id=session_id, session_at=session_at, invited=invited)
    return _new(now, made)


@starts
def attend_training(activity: Activity | None, now: Moment, /, *, customer_id: str, session_id: str, attended: int) -> tuple[Fact, ...]:
    """Record that a session was held, and how many people came; none is a number too."""
    return _new(now, TrainingAttended(held_at=now.at, customer_id=customer_id, session_id=session_id, attended=attended))


@starts
def contribute(activity: Activity | None, now: Moment, /, *, customer_id: str, contribution_id: str, kind: str) -> tuple[Fact, ...]:
    """Record a contribution to the community."""
    return _new(now, CommunityContributed(contributed_at=now.at, customer_id=customer_id, contribution_id=contribution_id, kind=kind))


@starts
def submit_feedback(activity: Activity | None, now: Moment, /, *, customer_id: str, feedback_id: str, kind: str) -> tuple[Fact, ...]:
    """Record that somebody told us what they think."""
    return _new(now, FeedbackSubmitted(submitted_at=now.at, customer_id=customer_id, feedback_id=feedback_id, kind=kind))


def correct_count(
    activity: Activity,
    now: Moment,
    /,
    *,
    corrects: int,
    what: Counted,
    was: int,
    to: int,
    reason: str,
    requested_by: str,
    approved_by: str,
) -> tuple[Fact, ...]:
    """Record that a count of the fact at position `corrects` was another. Zero takes an act back. Another person approves."""
    another(approved_by, requested_by, "this correction")
    named = now.recorded(corrects).fact
    if what not in COUNTS.get(type(named), ()):
        raise Refused("correction.not_counted", f"Position {corrects} says nothing of {what}; name a count that it has.")
    said = [each.fact.now for each in now.history if _corrects(each.fact, corrects, what)]
    check_held(corrects, said[-1] if said else getattr(named, what), was)
    if to == was:
        return ()
    corrected = CountCorrected(
        corrected_at=now.at,
        customer_id=activity.customer_id,
        corrects=corrects,
        what=what,
        was=was,
        now=to,
        requested_by=requested_by,
        approved_by=approved_by,
        subject_id=now.stream,
        reason=reason,
    )
    return (corrected,)


def _corrects(event: Fact, position: int, what: Counted) -> bool:
    return isinstance(event, CountCorrected) and event.corrects == position and event.what == what


def _until(now: Moment, day: date) -> datetime:
    """Return until when a day is counted at `now.at`: its end, once it is over."""
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    if now.at < begin:
        raise Refused("activity.not_yet", f"{day.isoformat()} has not begun; count it when it has.")
    return min(now.at, datetime.fromordinal(day.toordinal() + 1).replace(tzinfo=UTC))


def _new(now: Moment, made: Observation) -> tuple[Fact, ...]:
    """Return what is observed, unless the stream says the same of the same thing already."""
    if now.stream != stream_of(made):
        raise Refused("activity.stream", f"This belongs to the id {stream_of(made).partition(':')[2]}, not to {now.id}.")
    known = [each.fact for each in now.history if not isinstance(each.fact, CountCorrected) and identity(each.fact) == identity(made)]
    return () if made in known[-1:] else (made,)
