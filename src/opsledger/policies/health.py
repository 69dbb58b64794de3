"""Health scores, in integers: how well a customer does, and which measure gives how much of it.

    base  = sum(weight * subscore) / sum(weight), of the metrics that were measured
    score = max(0, base - min(limit, deductions)), not above the cap where a cancellation is agreed

Subscores are basis points, scores tenths of a point from 0 to 1000. Contributions are shares of the base by largest remainder, so
that contributions minus deductions are the score exactly. Weights, bounds and bands are data, published as facts; what is measured
how stands in `projections.health_measures`. Source: Operating Model, "Customer Health Monitoring"; the bands are those of Gainsight.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Final, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from opsledger.errors import BadInput
from opsledger.policies.money import allocate, half_up
from opsledger.policies.support import Section

__all__ = [
    "BP",
    "DEFAULT",
    "RISKS",
    "STAGES",
    "Band",
    "Bands",
    "Bounds",
    "Drop",
    "HealthModel",
    "Line",
    "Measured",
    "Metric",
    "Part",
    "RiskRules",
    "Risks",
    "Score",
    "Stage",
    "StageWeights",
    "band_of",
    "coverage_bp",
    "decay",
    "deductions",
    "lin",
    "score",
    "subscore",
    "weighted",
]

Stage = Literal["onboarding", "renewal", "adopting", "mature"]
Band = Literal["red", "yellow", "green", "unknown"]
STAGES: Final[tuple[Stage, ...]] = ("onboarding", "renewal", "adopting", "mature")
RISKS: Final = ("declining_usage", "increased_tickets", "low_satisfaction", "contract_concerns")
BP: Final = 10_000
TOP_X10: Final = 1000
_EXACT: Final = Context(prec=40, rounding=ROUND_HALF_EVEN)  # correctly rounded, so the same everywhere
Points = Annotated[int, Field(ge=0, le=TOP_X10, description="Tenths of a point.")]


class Bounds(Section):
    """Which value of a part is worth nothing and which one all, in basis points of 1; reversed where less is better."""

    part: str
    nothing_bp: int
    all_bp: int
    adopting: tuple[int, int] | None = Field(default=None, description="The same two while a customer is adopting.")
    prior_bp: int = Field(default=0, description="What `prior_n` answers of nobody say: few answers are pulled towards it.")
    prior_n: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.nothing_bp == self.all_bp or (self.adopting is not None and self.adopting[0] == self.adopting[1]):
            raise ValueError(f"the two bounds of {self.part} are the same; where would half be?")
        return self


class Metric(Section):
    """A metric: its category, its weight within it, and the parts whose mean it is."""

    name: str
    category: str
    weight: int = Field(gt=0)
    parts: tuple[Bounds, ...] = Field(min_length=1)


class StageWeights(Section):
    """What the categories weigh in a stage of a customer's life; those not named weigh nothing."""

    stage: Stage
    categories: dict[str, Annotated[int, Field(gt=0)]]


class Drop(Section):
    """From which fall of usage on so much is deducted."""

    fall_bp: int = Field(gt=0, le=BP)
    points_x10: Points


class RiskRules(Section):
    """What is deducted for which risk, in tenths of a point, and how much at most."""

    drops: tuple[Drop, ...] = (Drop(fall_bp=2000, points_x10=50), Drop(fall_bp=3500, points_x10=100), Drop(fall_bp=5000, points_x10=150))
    more_tickets_x10: Points = 50
    tickets_at_least: int = Field(default=3, gt=0)
    tickets_times: int = Field(default=2, gt=0)
    urgent_ticket_x10: Points = 100
    detractor_x10: Points = 50
    low_csat_x10: Points = 50
    low_csat_below_bp: int = 5000
    low_csat_n: int = Field(default=3, gt=0)
    no_forecast_x10: Points = 50
    past_due_x10: Points = 100
    past_due_days: int = Field(default=15, gt=0)
    limit_x10: Points = 300
    cancellation_cap_x10: Points = 250


class Bands(Section):
    """Up to which score a customer is red and yellow, both included, and how much must have been measured."""

    red_to_x10: Points = 500
    yellow_to_x10: Points = 750
    coverage_bp: int = Field(default=5000, ge=0, le=BP)


class HealthModel(Section):
    """A scorecard: metrics with weights and bounds, what the categories weigh in each stage, risks and bands."""

    metrics: tuple[Metric, ...] = Field(min_length=1)
    stages: tuple[StageWeights, ...]
    risks: RiskRules = RiskRules()
    bands: Bands = Bands()

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        names = [metric.name for metric in self.metrics]
        if len(names) > len(set(names)) or not {*RISKS, "stage"}.isdisjoint(names):
            raise ValueError("a metric is there twice, or called as a risk or the stage is")
        if sorted(each.stage for each in self.stages) != sorted(STAGES):
            raise ValueError(f"each of the stages {', '.join(STAGES)} needs its weights, once")
        unknown = {name for each in self.stages for name in each.categories} - {metric.category for metric in self.metrics}
        if unknown:
            raise ValueError(f"no metric is of the category {min(unknown)}, which has a weight")
        return self

    def weights(self, stage: Stage) -> dict[str, int]:
        """Return the weight of each metric in a stage, in the order of the metrics, 10000 in all; 0: it does not count there."""
        categories = next(each.categories for each in self.stages if each.stage == stage)
        given = dict(zip(categories, allocate(BP, list(categories.values())), strict=True))
        weights: dict[str, int] = {}
        for category, all_of_it in given.items():
            own = [metric for metric in self.metrics if metric.category == category]
            weights.update(zip((each.name for each in own), allocate(all_of_it, [each.weight for each in own]), strict=True))
        return {metric.name: weights.get(metric.name, 0) for metric in self.metrics}


class Part(NamedTuple):
    """A part of a metric as it was measured; `n` is how many answers it rests on, decayed, where it has a prior."""

    name: str
    value: Fraction
    n: Fraction = Fraction(0)


class Measured(NamedTuple):
    """A metric as it was measured: those of its parts that are known; or why none is. The facts that it rests on, by position."""

    parts: tuple[Part, ...] = ()
    missing: str | None = None
    evidence: tuple[int, ...] = ()


class Risks(NamedTuple):
    """What endangers a customer, as it was measured."""

    fall: Fraction | None = None  # of usage against the 28 days before; null: not measured
    tickets: int = 0  # of 28 days
    tickets_before: Fraction = Fraction(0)  # the same, usually
    urgent: bool = False  # a critical ticket is open, or one that was late
    detractors: int = 0
    csat: tuple[int, int] = (0, 0)  # favourable answers, answers
    unforecast: bool = False  # a renewal is near, and nobody said how likely it is
    past_due_days: int = 0
    cancelled: bool = False  # an end is agreed on


class Line(NamedTuple):
    """What a metric or risk gives and takes, in tenths of a point. `subscore_bp` is None where it was not measured."""

    name: str
    weight_bp: int
    subscore_bp: int | None
    contribution_x10: int
    deduction_x10: int


class Score(NamedTuple):
    """A score with the lines of which it is the sum; None where nothing was measured."""

    score_x10: int | None
    band: Band
    coverage_bp: int
    lines: tuple[Line, ...]


def lin(value: Fraction, nothing: Fraction, everything: Fraction) -> int:
    """Return where a value lies between two bounds, in basis points, rounded half up: outside it is 0 or 10000."""
    if nothing == everything:
        raise BadInput("health.bounds", f"Both bounds are {nothing}; give two that differ.")
    # (value - nothing) / (everything - nothing), in integers: a score asks for a dozen of these a day and customer.
    part = (value.numerator * nothing.denominator - nothing.numerator * value.denominator) * everything.denominator
    whole = (everything.numerator * nothing.denominator - nothing.numerator * everything.denominator) * value.denominator
    if whole < 0:
        part, whole = -part, -whole
    return 0 if part <= 0 else BP if part >= whole else (2 * BP * part + whole) // (2 * whole)


@lru_cache(maxsize=1024)
def decay(age_days: int, half_life_days: int) -> Fraction:
    """Return what something of so many days ago still weighs, 2^(-age / half-life), to nine places."""
    halves = _EXACT.ln(Decimal(2)) * age_days / half_life_days
    return Fraction(int(_EXACT.exp(-halves).scaleb(9).to_integral_value(ROUND_HALF_EVEN)), 10**9)


def weighted(subscores: Mapping[str, Fraction | None], weights: Mapping[str, int]) -> Fraction | None:
    """Return the mean of what was measured, by weight; what was not (None) drops out with its weight. None where nothing was."""
    present = [(weights[name], each) for name, each in subscores.items() if each is not None]
    whole = sum(weight for weight, _ in present)
    return sum((weight * each for weight, each in present), Fraction(0)) / whole if whole else None


def coverage_bp(present: int, whole: int) -> int:
    """Return the share of weight that was measured, in basis points, rounded down: half is only half when it is."""
    return BP * present // whole if whole else 0


def band_of(score_x10: int, bands: Bands) -> Band:
    """Return the band of a score; the upper edges are included."""
    return "red" if score_x10 <= bands.red_to_x10 else "yellow" if score_x10 <= bands.yellow_to_x10 else "green"


def subscore(metric: Metric, measured: Measured, stage: Stage) -> int | None:
    """Return what a metric is worth in basis points: the mean of its parts that are known; None where none is."""
    known = {part.name: part for part in measured.parts}
    worth = []
    for bounds in metric.parts:
        if (part := known.get(bounds.part)) is not None:
            low, high = bounds.adopting if stage == "adopting" and bounds.adopting is not None else (bounds.nothing_bp, bounds.all_bp)
            value = part.value
            if bounds.prior_n:
                value = (part.n * value + bounds.prior_n * Fraction(bounds.prior_bp, BP)) / (part.n + bounds.prior_n)
            worth.append(lin(value, _share(low), _share(high)))
    return (2 * sum(worth) + len(worth)) // (2 * len(worth)) if worth else None  # the mean, rounded half up


@lru_cache(maxsize=1024)
def _share(basis_points: int) -> Fraction:
    return Fraction(basis_points, BP)


def deductions(rules: RiskRules, risks: Risks) -> dict[str, int]:
    """Return what each risk takes in tenths of a point, before the limit."""
    fallen = [each.points_x10 for each in rules.drops if risks.fall is not None and risks.fall >= Fraction(each.fall_bp, BP)]
    more = risks.tickets >= rules.tickets_at_least and risks.tickets >= rules.tickets_times * risks.tickets_before
    favourable, answers = risks.csat
    unhappy = answers >= rules.low_csat_n and BP * favourable < rules.low_csat_below_bp * answers
    late = risks.past_due_days >= rules.past_due_days
    return {
        "declining_usage": max(fallen, default=0),
        "increased_tickets": rules.more_tickets_x10 * more + rules.urgent_ticket_x10 * risks.urgent,
        "low_satisfaction": rules.detractor_x10 * (risks.detractors > 0) + rules.low_csat_x10 * unhappy,
        "contract_concerns": rules.no_forecast_x10 * risks.unforecast + rules.past_due_x10 * late,
    }


def score(model: HealthModel, stage: Stage, measured: Mapping[str, Measured], risks: Risks) -> Score:
    """Return the score of what was measured. Where nothing was, there is none, and nothing is deducted."""
    weights = model.weights(stage)
    worth = {metric.name: subscore(metric, measured.get(metric.name, Measured()), stage) for metric in model.metrics}
    present = {name: weights[name] for name, each in worth.items() if each is not None and weights[name]}
    whole = sum(present.values())
    covered = coverage_bp(whole, BP)
    if not whole:
        lines = [Line(name, weight, worth[name], 0, 0) for name, weight in weights.items()]
        return Score(None, "unknown", covered, (*lines, *(Line(name, 0, None, 0, 0) for name in RISKS)))
    shares = {name: weight * (worth[name] or 0) for name, weight in present.items()}
    base = half_up(Fraction(sum(shares.values()), 10 * whole))
    given = dict(zip(shares, allocate(base, list(shares.values())), strict=True)) if base else {}
    taken, left = _taken(model.risks, risks, base)
    lines = [Line(name, weight, worth[name], given.get(name, 0), 0) for name, weight in weights.items()]
    lines += [Line(name, 0, None, 0, taken[name]) for name in RISKS]
    return Score(left, band_of(left, model.bands) if covered >= model.bands.coverage_bp else "unknown", covered, tuple(lines))


def _taken(rules: RiskRules, risks: Risks, base: int) -> tuple[dict[str, int], int]:
    """Return what each risk takes of a base, limit and cap applied, and what is left."""
    asked = deductions(rules, risks)
    total = min(sum(asked.values()), rules.limit_x10, base)
    taken = dict(zip(asked, allocate(total, list(asked.values())), strict=True)) if total else dict.fromkeys(asked, 0)
    above = max(0, base - total - rules.cancellation_cap_x10) if risks.cancelled else 0
    taken["contract_concerns"] += above
    return taken, base - total - above


def _metric(name: str, category: str, weight: int, *parts: Bounds) -> Metric:
    return Metric(name=name, category=category, weight=weight, parts=parts)


def _from(part: str, nothing_bp: int, all_bp: int, adopting: tuple[int, int] | None = None, prior: tuple[int, int] = (0, 0)) -> Bounds:
    return Bounds(part=part, nothing_bp=nothing_bp, all_bp=all_bp, adopting=adopting, prior_bp=prior[0], prior_n=prior[1])


DEFAULT: Final = HealthModel(
    metrics=(
        _metric("active_users", "usage", 15, _from("wau_of_seats", 1000, 6000, (500, 4500)), _from("dau_of_mau", 500, 3000)),
        _metric("feature_adoption", "usage", 12, _from("features", 2000, 8000, (1000, 6000))),
        _metric("case_volume", "usage", 12, _from("cases_of_baseline", 5000, 10_000, (2500, 7500))),
        _metric("api_usage", "usage", 6, _from("calls_of_baseline", 5000, 10_000), _from("error_share", 500, 50)),
        _metric("ticket_frequency", "engagement", 8, _from("per_100_users", 200_000, 50_000, (300_000, 100_000))),
        _metric("training_attendance", "engagement", 5, _from("attended", 0, 10_000)),
        _metric("community_participation", "engagement", 3, _from("contributions", 0, 30_000)),
        _metric("feedback_submission", "engagement", 4, _from("submissions", 0, 20_000)),
        _metric("nps", "satisfaction", 12, _from("net_promoters", -10_000, 10_000, prior=(3000, 5))),
        _metric("csat", "satisfaction", 10, _from("favourable", 0, 10_000, prior=(8000, 2))),
        _metric("renewal_probability", "satisfaction", 8, _from("forecast", 0, 10_000)),
        _metric("expansion_opportunities", "satisfaction", 5, _from("open_of_mrr", 0, 2000)),
        _metric("onboarding_progress", "onboarding", 1, _from("done", 0, 10_000)),
    ),
    stages=(
        StageWeights(stage="onboarding", categories={"onboarding": 50, "usage": 25, "satisfaction": 25}),
        StageWeights(stage="adopting", categories={"usage": 45, "engagement": 20, "satisfaction": 35}),
        StageWeights(stage="mature", categories={"usage": 45, "engagement": 20, "satisfaction": 35}),
        StageWeights(stage="renewal", categories={"usage": 40, "engagement": 15, "satisfaction": 45}),
    ),
)
"""The model `opsledger-health-1`, to be published under that id. The two priors stand for the portfolio: those of all customers would
make the score of one depend on the others."""
