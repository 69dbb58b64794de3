"""customer_activity_day: how much was the product used by each customer, day by day?

Grain: one row per customer and UTC day of which something was counted. A day counted twice, a correction or a late count restates the
days whose windows contain it. Null: nobody counted; zero: somebody did, and there was nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Final, NamedTuple

from opsledger.domain import activity as a
from opsledger.domain.fact import fact_type
from opsledger.domain.recorded import Recorded
from opsledger.policies.instants import DAY_S, SECOND, micros
from opsledger.policies.known import Known
from opsledger.policies.money import half_up
from opsledger.projections.customers import customers
from opsledger.projections.kinds import Gathered, Line, Rows
from opsledger.projections.table import Row, Table, integer, text

__all__ = ["CUSTOMER_ACTIVITY_DAY", "PROJECTIONS", "Seen", "Told", "fold", "rows", "seen", "start", "subjects", "tell"]

MONTH_DAYS: Final = 28
_EPOCH: Final = date(1970, 1, 1)

CUSTOMER_ACTIVITY_DAY = Table(
    "customer_activity_day",
    "One row per customer and UTC day of which something was counted.",
    key=("customer_id", "day"),
    columns=(
        text("customer_id", "Opaque id of the customer."),
        text("day", "UTC day, for example 2026-03-14."),
        integer("dau", "Different people who used the product on the day; null: not counted."),
        integer("wau", "Different people in the 7 days that end with it; null: not known."),
        integer("mau", "Different people in the 28 days that end with it; null: not known."),
        integer("seats", "Users who might use the product at the end of the day; null: nothing is said."),
        integer("dau_28d_sum", "dau added over the 28 days that end with it."),
        integer("dau_28d_count", "On how many of those days dau was counted."),
        integer("dau_mau_bp", "Mean dau of those days / mau in basis points, rounded half up; null: one is not known, or mau is 0."),
        integer("features_used", "Features that somebody used on the day; null: not counted."),
        integer("cases", "Cases processed to their end on the day; null: not counted."),
        integer("api_calls", "Calls of the API on the day; null: not counted."),
        integer("api_errors", "Of them, those that failed; null: not counted."),
        integer("training_invited", "People who were invited to sessions planned for the day; null: there were none."),
        integer("training_attended", "People who came to sessions held on the day; null: there were none."),
        integer("contributions", "Contributions to the community on the day; null: none is known."),
        integer("submissions", "Pieces of feedback on the day; null: none is known."),
        integer("superseded_count", "Observations of the day in whose place a later one stands."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("day",),),
)

_Kind = str
_COLUMNS: Final[dict[_Kind, tuple[str, ...]]] = {
    "UsersActive": ("dau", "wau", "mau"),
    "CasesCompleted": ("cases",),
    "ApiCalled": ("api_calls", "api_errors"),
    "TrainingInvited": ("training_invited",),
    "TrainingAttended": ("training_attended",),
    "CommunityContributed": ("contributions",),
    "FeedbackSubmitted": ("submissions",),
}


class Seen(NamedTuple):
    """An observation that counts, corrections applied. `day` counts from 1970-01-01; `what` is the feature, session or act, if any."""

    kind: str  # the name of its class, for example UsersActive
    what: str
    day: int
    counts: tuple[int | None, ...]  # in the order of `domain.activity.COUNTS`
    at: int  # when it happened, in microseconds
    position: int  # of the newest fact used: the observation, or a correction of it


class _Held(NamedTuple):
    what: str
    day: int
    counts: tuple[int | None, ...]
    at: int
    position: int


@dataclass(slots=True)
class Told:
    """What one stream says of one customer in a month: of each identity the observation that counts."""

    customer_id: str = ""
    held: dict[tuple[str, str], _Held] = field(default_factory=dict)
    superseded: dict[int, list[int]] = field(default_factory=dict)  # day -> positions of facts in whose place others stand
    corrected: dict[int, dict[int, tuple[int, int]]] = field(default_factory=dict)  # position -> place -> (right count, position)


def start(stream: str) -> Any:
    """Return the state of a stream before its first fact, of activity or of a customer."""
    return customers.start(stream) if stream.startswith("customer:") else Told()


def fold(told: Any, recorded: Recorded) -> Any:
    """Return the state after one fact more."""
    if isinstance(told, customers.Told):
        return customers.fold(told, recorded)
    event = recorded.fact
    told.customer_id = event.customer_id
    if isinstance(event, a.CountCorrected):
        places = next(names for names in a.COUNTS.values() if event.what in names)
        known = told.corrected.setdefault(event.corrects, {})
        place = places.index(event.what)
        if place not in known or known[place][1] < recorded.position:
            known[place] = event.now, recorded.position
        return told
    identity = a.identity(event)
    # The time of the fact, not of the envelope: a stream of counts has no beginning before which nothing can have happened.
    at = micros(getattr(event, fact_type(type(event)).at))
    held = _Held(_what(event), _day(event), _counts(event), at, recorded.position)
    before = told.held.get(identity)
    if before is not None:
        gone, held = sorted((before, held), key=lambda each: (each.at, each.position))
        told.superseded.setdefault(gone.day, []).append(gone.position)
    told.held[identity] = held
    return told


def _what(event: a.Observation) -> str:
    return event.feature if isinstance(event, a.FeatureUsed) else "" if hasattr(event, "day") else a.identity(event)[1]


def _day(event: a.Observation) -> int:
    match event:
        case a.TrainingInvited():
            return micros(event.session_at) // (DAY_S * SECOND)
        case a.TrainingAttended():
            return micros(event.held_at) // (DAY_S * SECOND)
        case a.CommunityContributed():
            return micros(event.contributed_at) // (DAY_S * SECOND)
        case a.FeedbackSubmitted():
            return micros(event.submitted_at) // (DAY_S * SECOND)
        case _:
            return (event.day - _EPOCH).days


def _counts(event: a.Observation) -> tuple[int | None, ...]:
    return tuple(getattr(event, name) for name in a.COUNTS[type(event)])


def subjects(told: Any) -> Collection[str]:
    """Return the customer of whom a stream speaks."""
    return (told.customer_id,)


def seen(tolds: Sequence[Told]) -> Iterator[Seen]:
    """Yield the observations of one customer that count, by their identities. Others who read activity take them from here."""
    newest: dict[tuple[str, str], Seen] = {}
    for told in tolds:
        for (kind, key), held in told.held.items():
            corrected = told.corrected.get(held.position, {})
            counts = tuple(corrected[i][0] if i in corrected else count for i, count in enumerate(held.counts))
            position = max(held.position, *(at for _, at in corrected.values())) if corrected else held.position
            made = Seen(kind, held.what, held.day, counts, held.at, position)
            # A session that was planned anew in another month stands in two streams.
            if (kind, key) not in newest or (newest[kind, key].at, newest[kind, key].position) < (made.at, made.position):
                newest[kind, key] = made
    for _, each in sorted(newest.items()):
        yield each


@dataclass(slots=True)
class _Day:
    counts: dict[str, int | None] = field(default_factory=dict)
    features: int | None = None
    superseded: int = 0
    newest: int = 0


def rows(customer_id: str, states: Mapping[str, Any], known: Known) -> Rows:
    """Return the rows of one customer."""
    days = _days([each for each in states.values() if isinstance(each, Told)])
    customer = next((each for each in states.values() if isinstance(each, customers.Told)), None)
    return {"customer_activity_day": [_row(customer_id, day, days, customer) for day in sorted(days)]}


def _days(tolds: Sequence[Told]) -> dict[int, _Day]:
    days: dict[int, _Day] = {}
    for each in seen(tolds):
        day = days.setdefault(each.day, _Day())
        day.newest = max(day.newest, each.position)
        if each.kind == "FeatureUsed":
            day.features = (day.features or 0) + ((each.counts[0] or 0) > 0)
        else:
            for column, count in zip(_COLUMNS[each.kind], each.counts, strict=True):
                known = day.counts.get(column)
                day.counts[column] = count if known is None else known + (count or 0)
    for told in tolds:
        for at, positions in told.superseded.items():
            if at in days:
                days[at].superseded += len(positions)
                days[at].newest = max(days[at].newest, *positions)
    return days


def _row(customer_id: str, at: int, days: Mapping[int, _Day], customer: customers.Told | None) -> Row:
    day = days[at]
    window = [days[i] for i in range(at - MONTH_DAYS + 1, at + 1) if i in days and days[i].counts.get("dau") is not None]
    total, counted, mau = sum(each.counts["dau"] or 0 for each in window), len(window), day.counts.get("mau")
    entitled = customers.entitled_at(customer, (at + 1) * DAY_S * SECOND - 1) if customer is not None else None
    return (
        customer_id,
        (_EPOCH + timedelta(days=at)).isoformat(),
        day.counts.get("dau"),
        day.counts.get("wau"),
        mau,
        entitled.said.seats if entitled is not None else None,
        total,
        counted,
        half_up(Fraction(10_000 * total, counted * mau)) if counted and mau else None,
        day.features,
        *(day.counts.get(name) for name in ("cases", "api_calls", "api_errors")),
        *(day.counts.get(name) for name in ("training_invited", "training_attended", "contributions", "submissions")),
        day.superseded,
        max(day.newest, entitled.position if entitled is not None else 0, *(each.newest for each in window)),
    )


def tell(table: str, row: Mapping[str, Any], states: Mapping[str, Any], known: Known) -> Sequence[Line]:
    """Return what a day's row comes from: what was counted on it, and on how many days before."""
    at = (date.fromisoformat(row["day"]) - _EPOCH).days
    counted = list(seen([each for each in states.values() if isinstance(each, Told)]))
    lines = [Line(_said(each), (each.position,)) for each in counted if each.day == at]
    before = [each for each in counted if each.kind == "UsersActive" and at - MONTH_DAYS < each.day < at]
    if before:
        lines.append(Line(f"{len(before)} of the 27 days before it, for the mean", tuple(each.position for each in before)))
    customer = next((each for each in states.values() if isinstance(each, customers.Told)), None)
    entitled = customers.entitled_at(customer, (at + 1) * DAY_S * SECOND - 1) if customer is not None else None
    return [*lines, *([Line(f"{entitled.said.seats} seats", (entitled.position,))] if entitled is not None else [])]


def _said(each: Seen) -> str:
    names = next(names for kind, names in a.COUNTS.items() if kind.__name__ == each.kind)
    counts = ", ".join(f"{name} {'not known' if count is None else count}" for name, count in zip(names, each.counts, strict=True))
    return f"{each.what}: {counts}" if each.what else counts


PROJECTIONS = (
    Gathered(
        "customer_activity_day",
        1,
        concepts=("activity", "customer"),
        tables=(CUSTOMER_ACTIVITY_DAY,),
        start=start,
        fold=fold,
        subjects=subjects,
        rows=rows,
        tell=tell,
    ),
)
