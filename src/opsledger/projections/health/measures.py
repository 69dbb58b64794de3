"""What a health score is made of: the measures of one customer on any past day, each with the facts that it rests on.

A day's windows end with it: what happened later says nothing of it, what is typed in late does. Rates of use are means of the days
that were counted, so that a day that nobody counted is no fall.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from statistics import median
from typing import Any, Final, NamedTuple

from opsledger.policies.health import Measured, Part, Risks, Stage, decay
from opsledger.policies.instants import DAY_S, SECOND, moment
from opsledger.policies.surveys import DETRACTORS_TO, NPS_SCALE
from opsledger.projections.customers import activity, customers, renewals, surveys
from opsledger.projections.health.sources import Plan, Plans, Said, Subscriptions, Ticket

__all__ = ["History", "Staged", "midnight"]

WINDOW: Final = 28
_LEAST_DAYS: Final = 7  # of a window that were counted, for its mean to be one
_LEAST_USERS, _LEAST_CASES = 1, Fraction(10, WINDOW)  # a day: below that a fall says nothing
_ADOPTING_DAYS: Final = 180
_RENEWAL_STAGE, _RENEWAL_NEAR = 120, 90
_AFTER_GO_LIVE: Final = 90
_DAY: Final = DAY_S * SECOND
_FAVOURABLE_TICKET: Final = 4  # of 1 to 5
_FOREVER: Final = 2**63


class Staged(NamedTuple):
    """In which stage of its life a customer is, and the facts that say so."""

    stage: Stage
    evidence: tuple[int, ...]


class _Counted:
    """The observations of one kind, by day."""

    def __init__(self, seen: Sequence[activity.Seen]) -> None:
        self.seen = sorted(seen, key=lambda each: (each.day, each.position))
        self.days = [each.day for each in self.seen]

    def window(self, day: int, length: int = WINDOW) -> list[activity.Seen]:
        """Return what was observed of the `length` days that end with `day`."""
        return self.seen[bisect_left(self.days, day - length + 1) : bisect_right(self.days, day)]


class _Answer(NamedTuple):
    age_days: int
    score: int | None
    favourable_from: int
    positions: tuple[int, ...]


def midnight(day: int) -> int:
    """Return the instant at which a day, counted from 1970-01-01, is over, in microseconds."""
    return (day + 1) * _DAY


class History:
    """All that is known of one customer, to be measured on any day."""

    def __init__(self, states: Mapping[str, Any]) -> None:
        def of(kind: type) -> list[Any]:
            return [state for state in states.values() if isinstance(state, kind)]

        seen = list(activity.seen(of(activity.Told)))
        self._seen = {kind: _Counted([each for each in seen if each.kind == kind]) for kind in {each.kind for each in seen}}
        self._customer: customers.Told | None = next(iter(of(customers.Told)), None)
        self._tickets: list[Ticket] = sorted(of(Ticket), key=lambda ticket: ticket.registered_at)
        self._registered = [ticket.registered_at for ticket in self._tickets]
        self._endangering = [ticket for ticket in self._tickets if ticket.dangerous(_FOREVER)]
        self._answered = sorted((said.at, said.position, number, said.value) for number, said in _answers_of(self._tickets))
        self._satisfaction: tuple[int, tuple[int, int, tuple[int, ...]]] | None = None  # the day asked last
        self._responses: list[surveys.Response] = of(surveys.Response)
        self._renewals: list[renewals.Told] = of(renewals.Told)
        self._subscriptions = Subscriptions(of(Subscriptions.TOLD))
        self._plans = Plans(of(Plan))
        self.first_day = min((each.day for each in seen), default=None)

    def measured(self, day: int) -> dict[str, Measured]:
        """Return the metrics as they were on a day."""
        measures: dict[str, Callable[[int], Measured]] = {
            "active_users": self._active_users,
            "feature_adoption": self._features,
            "case_volume": self._cases,
            "api_usage": self._api,
            "ticket_frequency": self._ticket_frequency,
            "training_attendance": self._training,
            "community_participation": self._community,
            "feedback_submission": self._feedback,
            "nps": self._nps,
            "csat": self._csat,
            "renewal_probability": self._forecast,
            "expansion_opportunities": self._expansion,
            "onboarding_progress": self._onboarding,
        }
        return {name: measure(day) for name, measure in measures.items()}

    def stage(self, day: int) -> Staged:
        """Return the stage on a day: being onboarded, close to a renewal, new, or none of these."""
        end = midnight(day)
        plan, standing = self._plans.at(end), self._subscriptions.at(end)
        evidence = (*plan.positions, *standing.positions)
        if plan.open and plan.go_live is not None and day < plan.go_live + _AFTER_GO_LIVE:
            return Staged("onboarding", evidence)
        if standing.renews_within(_RENEWAL_STAGE):
            return Staged("renewal", evidence)
        since = standing.activated_at
        return Staged("adopting" if since is not None and end - since < _ADOPTING_DAYS * _DAY else "mature", evidence)

    # Usage.

    def _window(self, kind: str, day: int, length: int = WINDOW) -> list[activity.Seen]:
        counted = self._seen.get(kind)
        return counted.window(day, length) if counted is not None else []

    def _entitled(self, day: int) -> tuple[Any, tuple[int, ...]]:
        since = customers.entitled_at(self._customer, midnight(day) - 1) if self._customer is not None else None
        return (None, ()) if since is None else (since.said, (since.position,))

    def _active_users(self, day: int) -> Measured:
        window = self._window("UsersActive", day)
        entitled, said = self._entitled(day)
        weekly = _last(each.counts[1] for each in window if each.day > day - 7)
        monthly = _last(each.counts[2] for each in window)
        parts = []
        if weekly is not None and entitled is not None and entitled.seats:
            parts.append(Part("wau_of_seats", Fraction(weekly, entitled.seats)))
        if monthly:
            parts.append(Part("dau_of_mau", Fraction(sum(each.counts[0] or 0 for each in window), len(window) * monthly)))
        return _measured(parts, "no_seats" if weekly is not None else "not_counted", window, said)

    def _features(self, day: int) -> Measured:
        window = self._window("FeatureUsed", day)
        entitled, said = self._entitled(day)
        if entitled is None or not entitled.features:
            return _measured([], "no_features_agreed", window, said)
        if not window:
            return _measured([], "not_counted", window, said)
        used = [each.what for each in window if each.counts[0]]
        adopted = sum(used.count(feature) >= 2 for feature in set(entitled.features))
        return _measured([Part("features", Fraction(adopted, len(set(entitled.features))))], "", window, said)

    def _cases(self, day: int) -> Measured:
        entitled, said = self._entitled(day)
        window = self._window("CasesCompleted", day)
        expected = Fraction(entitled.cases_per_28_days, WINDOW) if entitled is not None and entitled.cases_per_28_days else None
        earlier: list[activity.Seen] = []
        if expected is None:
            earlier, expected = self._baseline("CasesCompleted", day)
        return _measured(_of_baseline("cases_of_baseline", window, expected), _why(window), [*earlier, *window], said)

    def _api(self, day: int) -> Measured:
        entitled, said = self._entitled(day)
        window = self._window("ApiCalled", day)
        if entitled is None or not entitled.api:
            return _measured([], "not_entitled", [], said)
        earlier, expected = self._baseline("ApiCalled", day)
        parts = _of_baseline("calls_of_baseline", window, expected)
        if calls := sum(each.counts[0] or 0 for each in window):
            parts.append(Part("error_share", Fraction(sum(each.counts[1] or 0 for each in window), calls)))
        return _measured(parts, _why(window), [*earlier, *window], said)

    def _baseline(self, kind: str, day: int) -> tuple[list[activity.Seen], Fraction | None]:
        """Return the median day of the three windows before, of those that were counted, with what it rests on."""
        earlier = [self._window(kind, day - back * WINDOW) for back in (3, 2, 1)]
        means = [mean for window in earlier if (mean := _mean(window)) is not None]
        return [each for window in earlier for each in window], Fraction(median(means)) if means else None

    # Engagement.

    def _ticket_counts(self, day: int, windows: int) -> tuple[list[int], tuple[int, ...]]:
        """Return how many tickets came in each of the windows that end with `day`, the newest first."""
        end, counts, evidence = midnight(day), [0] * windows, []
        since, until = (bisect_left(self._registered, at) for at in (end - windows * WINDOW * _DAY, end))
        for ticket in self._tickets[since:until]:
            back = (end - 1 - ticket.registered_at) // (WINDOW * _DAY)
            evidence += ticket.positions(end, "registered", "withdrawn")
            counts[back] += not ticket.last(end, "withdrawn")
        return counts, tuple(evidence)

    def _ticket_frequency(self, day: int) -> Measured:
        window = self._window("UsersActive", day)
        monthly = _last(each.counts[2] for each in window)
        (tickets,), evidence = self._ticket_counts(day, 1)
        parts = [Part("per_100_users", Fraction(100 * tickets, monthly))] if monthly else []
        return _measured(parts, "not_counted" if monthly is None else "no_users", window, evidence)

    def _training(self, day: int) -> Measured:
        invited, attended = self._window("TrainingInvited", day, 90), self._window("TrainingAttended", day, 90)
        sessions = {each.what for each in invited}
        asked = sum((decay(day - each.day, 45) * (each.counts[0] or 0) for each in invited), Fraction(0))
        came = sum((decay(day - each.day, 45) * (each.counts[0] or 0) for each in attended if each.what in sessions), Fraction(0))
        return _measured([Part("attended", came / asked)] if asked else [], "not_invited", [*invited, *attended])

    def _community(self, day: int) -> Measured:
        entitled, said = self._entitled(day)
        if entitled is None or not entitled.community:
            return _measured([], "not_entitled", [], said)
        window = self._window("CommunityContributed", day, 90)
        return _measured([Part("contributions", Fraction(sum(each.counts[0] or 0 for each in window)))], "", window, said)

    def _feedback(self, day: int) -> Measured:
        window = self._window("FeedbackSubmitted", day, 180)
        return _measured([Part("submissions", Fraction(sum(each.counts[0] or 0 for each in window)))], "", window)

    # Satisfaction.

    def _answers(self, survey_type: str, day: int, length: int) -> list[_Answer]:
        end, found = midnight(day), []
        for response in self._responses:
            answer = response.answer(end - 1) if response.survey_type == survey_type else None
            if answer is not None and answer.at >= end - length * _DAY:
                corrected = response.corrected.get(answer.position)
                positions = (answer.position,) if corrected is None else (answer.position, corrected[1])
                found.append(_Answer((end - 1 - answer.at) // _DAY, answer.score, answer.scale.favourable_from, positions))
        return found

    def _nps(self, day: int) -> Measured:
        answers = self._answers("nps", day, 365)
        said = [(decay(each.age_days, 180), _promotes(each.score)) for each in answers if each.score is not None]
        weight = sum((each for each, _ in said), Fraction(0))
        parts = [Part("net_promoters", sum((each * says for each, says in said), Fraction(0)) / weight, weight)] if weight else []
        return _measured(parts, "no_answers", [], _positions(answers))

    def _satisfied(self, day: int) -> tuple[int, int, tuple[int, ...]]:
        """Return favourable answers and answers of 90 days, to surveys and about tickets, with what they rest on."""
        if self._satisfaction is not None and self._satisfaction[0] == day:
            return self._satisfaction[1]
        end, answers = midnight(day), self._answers("csat", day, 90)
        since, until = (bisect_left(self._answered, (at,)) for at in (end - 90 * _DAY, end))
        last = {number: (value, position) for _, position, number, value in self._answered[since:until]}  # of each ticket
        answers += [_Answer(0, value, _FAVOURABLE_TICKET, (position,)) for value, position in last.values()]
        given = [each.score >= each.favourable_from for each in answers if each.score is not None]
        self._satisfaction = day, (sum(given), len(given), _positions(answers))
        return self._satisfaction[1]

    def _csat(self, day: int) -> Measured:
        favourable, n, evidence = self._satisfied(day)
        return _measured([Part("favourable", Fraction(favourable, n), Fraction(n))] if n else [], "no_answers", [], evidence)

    def _forecast_at(self, day: int, length: int) -> tuple[int | None, tuple[int, ...]]:
        """Return the last forecast of so many days in basis points, with what it rests on."""
        end, last = midnight(day), None
        for told in self._renewals:
            for position, (event, at) in told.forecasts.items():
                if end - length * _DAY <= at < end and (last is None or (at, position) > last[:2]):
                    right, newest = told.corrected.get(position, (event.probability_bp, position))
                    last = (at, position, right, newest)
        return (None, ()) if last is None else (last[2], tuple(sorted({last[1], last[3]})))

    def _forecast(self, day: int) -> Measured:
        probability, evidence = self._forecast_at(day, 60)
        parts = [Part("forecast", Fraction(probability, 10_000))] if probability is not None else []
        return _measured(parts, "no_forecast", [], evidence)

    def _expansion(self, day: int) -> Measured:
        end = midnight(day)
        assessed = [position for told in self._renewals for at, position in told.assessed if at < end]
        found = [each for told in self._renewals for each in renewals.opportunities(told, end - 1).values()]
        standing = self._subscriptions.at(end)
        evidence = (*assessed, *self._identified(end), *standing.positions)
        if not assessed and not found:
            return Measured((), "not_assessed", ())
        mrr = standing.mrr(moment(end - 1))
        if not mrr:
            return _measured([], "no_mrr", [], evidence)
        more = [each.said for each in found if each.status == "open" and each.said.currency in mrr]
        return _measured([Part("open_of_mrr", sum((each.mrr_minor / mrr[each.currency] for each in more), Fraction(0)))], "", [], evidence)

    def _identified(self, end: int) -> list[int]:
        found: list[int] = []
        for told in self._renewals:
            found += [said[1] for several in told.identified.values() for said in several if said[0] < end]
            found += [said[1] for several in told.ended.values() for said in several if said[0] < end]
        return found

    def _onboarding(self, day: int) -> Measured:
        plan = self._plans.at(midnight(day))
        parts = [Part("done", Fraction(plan.done, plan.counted))] if plan.counted else []
        return _measured(parts, "not_onboarded", [], plan.positions)

    # Risks.

    def risks(self, day: int) -> tuple[Risks, dict[str, tuple[int, ...]]]:
        """Return what endangers the customer on a day, and by risk the facts that say so."""
        end = midnight(day)
        fall, fell = self._fall(day)
        counts, counted = self._ticket_counts(day, 4)
        urgent = [ticket for ticket in self._endangering if ticket.urgent(end)]
        near = [position for ticket in self._endangering if ticket.dangerous(end) for position in ticket.positions(end)]
        asked = self._answers("nps", day, 90)
        favourable, n, answered = self._satisfied(day)
        standing = self._subscriptions.at(end)
        forecast, forecasts = self._forecast_at(day, 30)
        risks = Risks(
            fall=fall,
            tickets=counts[0],
            tickets_before=Fraction(median(counts[1:])),
            urgent=bool(urgent),
            detractors=sum(each.score is not None and each.score <= DETRACTORS_TO for each in asked),
            csat=(favourable, n),
            unforecast=forecast is None and standing.renews_within(_RENEWAL_NEAR),
            past_due_days=standing.past_due_days,
            cancelled=standing.cancelled,
        )
        return risks, {
            "declining_usage": _positions(fell),
            "increased_tickets": tuple(sorted({*counted, *near})),
            "low_satisfaction": tuple(sorted({*_positions(asked), *answered})),
            "contract_concerns": tuple(sorted({*forecasts, *standing.positions})),
        }

    def _fall(self, day: int) -> tuple[Fraction | None, list[activity.Seen]]:
        """Return how far users or cases fell against the 28 days before, the worse of both, with what it rests on."""
        falls, used = [], []
        for kind, least in (("UsersActive", Fraction(_LEAST_USERS)), ("CasesCompleted", _LEAST_CASES)):
            now, before = self._window(kind, day), self._window(kind, day - WINDOW)
            used += [*before, *now]
            means = _mean(now), _mean(before)
            if means[0] is not None and means[1] is not None and means[1] >= least:
                falls.append(1 - means[0] / means[1])
        return max(falls, default=None), used


def _answers_of(tickets: Sequence[Ticket]) -> Iterator[tuple[int, Said]]:
    """Yield what was answered to surveys about tickets, with the number of the ticket."""
    for number, ticket in enumerate(tickets):
        yield from ((number, said) for said in ticket.said if said.what == "answered")


def _measured(parts: Sequence[Part], missing: str, seen: Sequence[activity.Seen], more: Sequence[int] = ()) -> Measured:
    evidence = tuple(sorted({*(each.position for each in seen), *more}))
    return Measured(tuple(parts), None if parts else missing, evidence)


def _mean(window: Sequence[activity.Seen]) -> Fraction | None:
    """Return the mean day of a window; None where too few of its days were counted."""
    return Fraction(sum(each.counts[0] or 0 for each in window), len(window)) if len(window) >= _LEAST_DAYS else None


def _of_baseline(part: str, window: Sequence[activity.Seen], expected: Fraction | None) -> list[Part]:
    if not window or not expected:
        return []
    return [Part(part, Fraction(sum(each.counts[0] or 0 for each in window), len(window)) / expected)]


def _why(window: Sequence[activity.Seen]) -> str:
    return "no_baseline" if window else "not_counted"


def _last(counts: Any) -> int | None:
    """Return the last count that is known."""
    found: int | None = None
    for count in counts:
        found = count if count is not None else found
    return found


def _positions(several: Sequence[Any]) -> tuple[int, ...]:
    return tuple(sorted({position for each in several for position in getattr(each, "positions", None) or (each.position,)}))


def _promotes(score: int) -> int:
    return 1 if score >= NPS_SCALE.favourable_from else -1 if score <= DETRACTORS_TO else 0
