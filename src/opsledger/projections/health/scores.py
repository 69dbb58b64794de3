"""health_score: how well does each customer do, and how sure is that? health_contribution: which measure gives and takes how much?

Grain: health_score, one row per customer, UTC day and version of the health model; health_contribution, one row per metric of those.
Days run from the first on which activity was counted to the last one closed. A score is of its day as known at the end of the tables:
what is typed in late restates the days whose windows contain it. Contributions minus deductions are the score, exactly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple

from opsledger.domain import health_model as m
from opsledger.domain import health_override as o
from opsledger.domain import ledger as l
from opsledger.domain.recorded import Recorded
from opsledger.policies import documents
from opsledger.policies.health import RISKS, Band, HealthModel, Line, Measured, Risks, Score, band_of, score
from opsledger.policies.instants import micros
from opsledger.policies.known import Known
from opsledger.policies.money import rounded
from opsledger.projections import kinds
from opsledger.projections.customers import activity, renewals, surveys
from opsledger.projections.health.measures import History, Staged, midnight
from opsledger.projections.health.memo import Followed, Made, first_day, kept, told
from opsledger.projections.health.sources import Plan, Ticket, fold_plan, fold_ticket
from opsledger.projections.kinds import Gathered, Rows
from opsledger.projections.revenue import subscriptions
from opsledger.projections.table import Row, Table, instant, integer, text

__all__ = [
    "HEALTH_CONTRIBUTION",
    "HEALTH_SCORE",
    "PROJECTIONS",
    "Judged",
    "Version",
    "fold",
    "judge",
    "judged",
    "rows",
    "start",
    "subjects",
    "tell",
]

_EPOCH: Final = date(1970, 1, 1)
_TREND_DAYS: Final = 28
EVERYWHERE: Final = ("health_model", "ledger")

_WHICH = (
    text("customer_id", "Opaque id of the customer."),
    text("as_of_day", "UTC day, at the end of which it is, for example 2026-03-14."),
    text("model_version", "Id under which the health model was published."),
)

HEALTH_SCORE = Table(
    "health_score",
    "One row per customer, UTC day from the first activity to the last closed day, and version of the health model.",
    key=("customer_id", "as_of_day", "model_version"),
    columns=(
        *_WHICH,
        integer("score_x10", "Computed score in tenths of a point, 0 to 1000; null: nothing was measured."),
        text("band", "red, yellow or green by the computed score; unknown: less was measured than the model asks for."),
        integer("coverage_bp", "Share of the weights that was measured, in basis points, rounded down."),
        text("stage", "onboarding, renewal, adopting or mature: by which weights it is scored."),
        integer("trend_28d_x10", "Score less that of 28 days before, in tenths of a point; null: one of them is missing."),
        integer("override_score_x10", "Score that somebody put in its place; null: nobody did, or it expired or was cleared."),
        instant("override_expires_at", "From when it holds no longer; null: there is none."),
        integer("final_score_x10", "The override where there is one, else the computed score."),
        text("final_band", "Band of that."),
        text("model_digest", "SHA-256 of the model."),
        integer("last_position", "Position of the newest fact used."),
    ),
    indexes=(("as_of_day", "final_band"),),
)

HEALTH_CONTRIBUTION = Table(
    "health_contribution",
    "One row per score and metric, risk, and the stage. Of a score, contributions minus deductions are the score.",
    key=("customer_id", "as_of_day", "model_version", "metric"),
    columns=(
        *_WHICH,
        text("metric", "Name of the metric or risk; stage: what decided about the weights."),
        text("category", "Category of the metric; risk; stage."),
        text("raw_value", "What was measured, part by part, rounded to four places; null: nothing was."),
        integer("subscore_bp", "What that is worth in basis points; null: not measured, or a risk."),
        integer("weight_bp", "Weight of the metric in this stage, 10000 of all metrics, measured or not."),
        integer("contribution_x10", "What it gives, in tenths of a point."),
        integer("deduction_x10", "What it takes, in tenths of a point, limit and cap applied."),
        text("missing_reason", "Why it was not measured; null: it was."),
        integer("evidence_count", "On how many facts it rests."),
        integer("first_position", "Position of the first of them; null: there is none."),
        integer("final_position", "Position of the last of them; null: there is none."),
        text("evidence_sha256", "SHA-256 of their positions in ascending order, in decimal, with commas between them."),
        integer("last_position", "Position of the newest fact used, that of the model included."),
    ),
)


class Version(NamedTuple):
    """A version of the health model as it was published. Days count from 1970-01-01."""

    name: str
    model: HealthModel
    digest: str
    scores_from: int | None
    scores_to: int | None  # last day; null: it was not retired
    position: int


@dataclass(slots=True)
class _Days:
    """The last UTC day that was closed."""

    closed: int | None = None


@dataclass(slots=True)
class _Versions:
    name: str
    version: Version | None = None


@dataclass(slots=True)
class _Overrides:
    customer_id: str
    said: list[tuple[int, int, o.Fact]] = field(default_factory=list)  # when, position

    def at(self, instant: int) -> tuple[o.Set, int] | None:
        """Return what stands at an instant, with the newest position; None where nothing does."""
        said = sorted((each for each in self.said if each[0] <= instant), key=lambda each: each[:2])
        last = said[-1][2] if said else None
        return (last, said[-1][1]) if isinstance(last, o.Set) and instant < micros(last.expires_at) else None


@dataclass(frozen=True, slots=True)
class Judged:
    """A customer's day by one version of the model, with what it was computed from."""

    day: int
    version: Version
    staged: Staged
    measured: Mapping[str, Measured]
    risks: Risks
    risk_evidence: Mapping[str, tuple[int, ...]]
    score: Score


def start(stream: str) -> Followed:
    """Return the state of a stream before its first fact."""
    return Followed(_start(stream))


def fold(state: Followed, recorded: Recorded) -> Followed:
    """Return the state after one fact more."""
    state.told = _fold(state.told, recorded)
    state.days.append(first_day(recorded.concept, recorded))
    return state


def _start(stream: str) -> Any:
    concept, _, id = stream.partition(":")
    match concept:
        case "health_model":
            return _Versions(id)
        case "health_override":
            return _Overrides(id)
        case "ledger":
            return _Days()
        case "ticket":
            return Ticket()
        case "onboarding":
            return Plan(stream)
        case "survey_response":
            return surveys.start_response(stream)
        case "renewal":
            return renewals.start(stream)
        case "subscription":
            return subscriptions.start(stream)
        case _:
            return activity.start(stream)


def _fold(state: Any, recorded: Recorded) -> Any:
    match state:
        case _Versions():
            return _publish(state, recorded)
        case _Overrides():
            event = recorded.fact
            at = event.set_at if isinstance(event, o.Set) else event.cleared_at
            state.said.append((micros(at), recorded.position, event))
            return state
        case _Days():
            if isinstance(recorded.fact, l.DayClosed):
                state.closed = max(state.closed or 0, (recorded.fact.day - _EPOCH).days)
            return state
        case Ticket():
            return fold_ticket(state, recorded)
        case Plan():
            return fold_plan(state, recorded)
        case surveys.Response():
            return surveys.fold_response(state, recorded)
        case renewals.Told():
            return renewals.fold(state, recorded)
        case subscriptions.Told():
            return subscriptions.fold(state, recorded)
        case _:
            return activity.fold(state, recorded)


def _publish(state: _Versions, recorded: Recorded) -> _Versions:
    event, held = recorded.fact, state.version
    if isinstance(event, m.Published) and held is None:
        model = documents.restored(HealthModel, event.document)
        since = (event.scores_from - _EPOCH).days if event.scores_from is not None else None
        state.version = Version(state.name, model, event.digest, since, None, recorded.position)
    elif isinstance(event, m.Retired) and held is not None:
        last = (event.retired_at.date() - _EPOCH).days - 1
        state.version = held._replace(scores_to=last if held.scores_to is None else min(last, held.scores_to))
    return state


def subjects(state: Followed) -> Collection[str]:
    """Return the customer of whom a stream speaks."""
    if isinstance(state.told, subscriptions.Told):
        return {step.after.customer_id for step in subscriptions.course(state.told)}
    return (state.told.customer_id,) if state.told.customer_id else ()


def judged(
    states: Mapping[str, Any], day: int | None = None, version: str | None = None, *, known: Collection[int] = ()
) -> Iterator[Judged]:
    """Yield the days of one customer in their order, each by all versions that score it; or one day, or one version, alone.

    Days that are `known` are left out.
    """
    states = told(states)
    closed = next((each.closed for each in states.values() if isinstance(each, _Days)), None)
    versions = [each.version for each in states.values() if isinstance(each, _Versions) and each.version is not None]
    versions = [each for each in versions if version is None or each.name == version]
    if closed is None or not versions:
        return
    history = History(states)
    if history.first_day is None:
        return
    days = range(history.first_day, closed + 1)
    for each in days if day is None else range(day, day + 1) if day in days else ():
        if each not in known:
            yield from judge(history, each, [model for model in versions if _scores(model, each)])


def judge(history: History, day: int, versions: Sequence[Version]) -> Iterator[Judged]:
    """Yield a day of what is known of a customer by each of some versions, whether they are published for that day or not."""
    if versions:
        staged, measured, (risks, evidence) = history.stage(day), history.measured(day), history.risks(day)
        for known in versions:
            yield Judged(day, known, staged, measured, risks, evidence, score(known.model, staged.stage, measured, risks))


def _scores(version: Version, day: int) -> bool:
    return (version.scores_from is None or day >= version.scores_from) and (version.scores_to is None or day <= version.scores_to)


def rows(customer_id: str, states: Mapping[str, Any], known: Known) -> Rows:
    """Return the rows of one customer."""
    overrides = next((each for each in told(states).values() if isinstance(each, _Overrides)), None)
    days = kept(customer_id, states, EVERYWHERE)
    for each in judged(states, known=frozenset(days)):
        made = days.setdefault(each.day, Made({}, [], []))
        lines = list(_contributions(customer_id, each))
        newest = max(line[-1] for line in lines)
        earlier = days.get(each.day - _TREND_DAYS)
        before = earlier.scores.get(each.version.name, (None, 0)) if earlier is not None else (None, 0)
        made.scores[each.version.name] = each.score.score_x10, newest
        made.of_metric += lines
        made.of_score.append(_score(customer_id, each, before, overrides, newest))
    in_order = [days[day] for day in sorted(days)]
    return {
        "health_score": [row for made in in_order for row in made.of_score],
        "health_contribution": [row for made in in_order for row in made.of_metric],
    }


def _score(customer_id: str, each: Judged, before: tuple[int | None, int], overrides: _Overrides | None, newest: int) -> Row:
    computed, version = each.score.score_x10, each.version
    standing = overrides.at(midnight(each.day) - 1) if overrides is not None else None
    final, band = computed, each.score.band
    if standing is not None:
        final, band = standing[0].score_x10, _band(version, standing[0].score_x10)
    return (
        customer_id,
        _said(each.day),
        version.name,
        computed,
        each.score.band,
        each.score.coverage_bp,
        each.staged.stage,
        computed - before[0] if computed is not None and before[0] is not None else None,
        standing[0].score_x10 if standing is not None else None,
        micros(standing[0].expires_at) if standing is not None else None,
        final,
        band,
        version.digest,
        max(newest, before[1], standing[1] if standing is not None else 0),
    )


def _band(version: Version, score_x10: int) -> Band:
    return band_of(score_x10, version.model.bands)


def _contributions(customer_id: str, each: Judged) -> Iterator[Row]:
    which = (customer_id, _said(each.day), each.version.name)
    categories = {metric.name: metric.category for metric in each.version.model.metrics}
    position = each.version.position
    for line in each.score.lines:
        if line.name in RISKS:
            evidence = each.risk_evidence[line.name]
            yield (*which, line.name, "risk", None, None, 0, 0, line.deduction_x10, None, *_evidence(evidence, position))
        else:
            measured = each.measured.get(line.name, Measured((), "not_measurable"))
            missing = measured.missing if line.subscore_bp is None else None
            given = (_raw(measured), line.subscore_bp, line.weight_bp, line.contribution_x10, 0, missing)
            yield (*which, line.name, categories[line.name], *given, *_evidence(measured.evidence, position))
    yield (*which, "stage", "stage", each.staged.stage, None, 0, 0, 0, None, *_evidence(each.staged.evidence, position))


def _raw(measured: Measured) -> str | None:
    return ", ".join(f"{part.name} {rounded(part.value, 4)}" for part in measured.parts) or None


@lru_cache(maxsize=1024)  # what does not change from one day to the next is most of it
def _evidence(positions: tuple[int, ...], model: int) -> Row:
    """Return count, first, last and digest of the facts that something rests on, and the newest that was used."""
    held = sorted(set(positions))
    digest = hashlib.sha256(",".join(map(str, held)).encode()).hexdigest()
    return len(held), held[0] if held else None, held[-1] if held else None, digest, max([model, *held[-1:]])


def _said(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()


def tell(table: str, row: Mapping[str, Any], states: Mapping[str, Any], known: Known) -> Sequence[kinds.Line]:
    """Return what a score comes from, the heaviest first; of a contribution, that line alone."""
    day = (date.fromisoformat(row["as_of_day"]) - _EPOCH).days
    each = next(judged(states, day, row["model_version"]))
    if table == "health_contribution":
        return [_told(each, line) for line in each.score.lines if line.name == row["metric"]] or [_stage(each)]
    lines = [_told(each, line) for line in sorted(each.score.lines, key=_heaviest_first)]
    return [_head(row), *_overridden(row, states, day), _stage(each), _by_model(each), *lines, _sum(each)]


def _heaviest_first(line: Line) -> tuple[bool, bool, bool, int, int]:
    """Sort what gives first, then what was measured, then what was not, then what weighs nothing; what takes stands last."""
    return line.name in RISKS, not line.weight_bp, line.subscore_bp is None, -line.contribution_x10, -line.deduction_x10


def _by_model(each: Judged) -> kinds.Line:
    return kinds.Line(f"by the model {each.version.name}, SHA-256 {each.version.digest}", (each.version.position,))


def _sum(each: Judged) -> kinds.Line:
    given, taken = (sum(getattr(line, name) for line in each.score.lines) for name in ("contribution_x10", "deduction_x10"))
    return kinds.Line(f"{_points(given)} given, {_points(taken)} taken: {_points(given - taken)}")


def _head(row: Mapping[str, Any]) -> kinds.Line:
    trend = "" if row["trend_28d_x10"] is None else f", {_points(row['trend_28d_x10'], sign=True)} in 28 days"
    measured = f"{Decimal(row['coverage_bp']).scaleb(-2)} % of the weight was measured"
    said = "no score" if row["score_x10"] is None else f"{_points(row['score_x10'])} of 100, {row['band']}"
    return kinds.Line(f"{said}{trend}; {measured}")


def _overridden(row: Mapping[str, Any], states: Mapping[str, Any], day: int) -> list[kinds.Line]:
    overrides = next((each for each in told(states).values() if isinstance(each, _Overrides)), None)
    standing = overrides.at(midnight(day) - 1) if overrides is not None else None
    if standing is None:
        return []
    said, position = standing
    until = said.expires_at.isoformat()
    computed = "nothing was computed" if row["score_x10"] is None else f"computed was {_points(row['score_x10'])}, {row['band']}"
    line = f"overridden by {said.set_by} to {_points(said.score_x10)}, {row['final_band']}, until {until}; {computed}"
    return [kinds.Line(line, (position,))]


def _stage(each: Judged) -> kinds.Line:
    return kinds.Line(f"scored as a customer of the stage {each.staged.stage}", each.staged.evidence)


def _told(each: Judged, line: Line) -> kinds.Line:
    if line.name in RISKS:
        taken = f"-{_points(line.deduction_x10)}" if line.deduction_x10 else "nothing taken"
        return kinds.Line(f"{line.name}: {taken}", each.risk_evidence[line.name])
    measured = each.measured.get(line.name, Measured((), "not_measurable"))
    if not line.weight_bp:
        return kinds.Line(f"{line.name}: weighs nothing in this stage", measured.evidence)
    if line.subscore_bp is None:
        return kinds.Line(f"{line.name}: not measured, {(measured.missing or '').replace('_', ' ')}", measured.evidence)
    weight, worth = Decimal(line.weight_bp).scaleb(-2), Decimal(line.subscore_bp).scaleb(-2)
    return kinds.Line(
        f"{line.name}: +{_points(line.contribution_x10)}, {worth} of 100 at weight {weight} ({_raw(measured)})", measured.evidence
    )


def _points(tenths: int, *, sign: bool = False) -> str:
    return f"{Decimal(tenths).scaleb(-1):{'+' if sign else ''}.1f}"


PROJECTIONS = (
    Gathered(
        "health",
        1,
        concepts=("activity", "customer", "health_override", "onboarding", "renewal", "subscription", "survey_response", "ticket"),
        tables=(HEALTH_SCORE, HEALTH_CONTRIBUTION),
        start=start,
        fold=fold,
        subjects=subjects,
        rows=rows,
        everywhere=EVERYWHERE,
        tell=tell,
    ),
)
