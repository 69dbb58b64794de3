"""How a budget was spent, or why an alert opened, as a person would say it: the worst windows, or every stretch that was not up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from opsledger.domain import slo
from opsledger.policies.instants import SECOND, iso, micros
from opsledger.policies.known import Known
from opsledger.projections.availability.months import Availability
from opsledger.projections.availability.sources import Objectives, Source
from opsledger.projections.availability.story import stretch_line
from opsledger.projections.kinds import Line
from opsledger.projections.requests import spending
from opsledger.projections.requests.spending import Judged, Measure

__all__ = ["measure_of", "tell_requests", "tell_time"]

_WORST_OF_A_DAY: Final = 3
_WORST_OF_AN_ALERT: Final = 20


def measure_of(name: str) -> Measure:
    """Return what a measure asks of requests: errors, or below_150000_us."""
    return None if name == "errors" else int(name.removeprefix("below_").removesuffix("_us")) - 1


def tell_requests(table: str, row: Mapping[str, Any], states: Mapping[str, Any], known: Known) -> Sequence[Line]:
    """Return what a budget of requests, a burn rate or an alert of them comes from."""
    source = states[f"slo:{row['slo_id']}"]
    told: Objectives = source.told
    version = row.get("slo_version") or max(each.version for _, each in told.versions)
    position, published = next((position, each) for position, each in told.versions if each.version == version)
    days = spending.days_of(state for state in states.values() if isinstance(state, spending.Stream))
    windows = [each for day in days if day.series_id == published.series_id for each in day.judged(measure_of(row["measure"]))]
    head = Line(f"{row['slo_id']} version {version}: {_asked(published, row)}, of the series {published.series_id}.", (position,))
    if "from_at" in row:
        return [head, *_spent(row, windows)]
    return [head, *_burnt(row, windows)]


def tell_time(row: Mapping[str, Any], states: Mapping[str, Source], known: Known) -> Sequence[Line]:
    """Return what a burn rate or an alert of time comes from."""
    availability = Availability(row["service_id"], states, known)
    at = micros(row.get("opened_at") or row["at"])
    begin, end = at - row["long_s"] * SECOND, at if row.get("closed_at") is None else micros(row["closed_at"])
    months = [each for each in availability.months() if each.terms.slo_id == row["slo_id"] and each.month.start <= at <= each.end]
    if not months:
        return [Line("The objective holds no longer.")]
    terms = months[0].terms
    head = Line(f"{terms.slo_id} version {terms.version}: at least {terms.target_pct} %.", (terms.position,))
    near = [each for each in availability.timeline(terms.rules) if each.start < end and begin < each.stop and each.counts_as != "up"]
    return [head, *_shares(row, "us"), *map(stretch_line, near)]


def _asked(published: slo.Published, row: Mapping[str, Any]) -> str:
    if row["measure"] == "errors":
        return f"at least {published.target_pct} % without a failure"
    below_us = (measure_of(row["measure"]) or 0) + 1
    share = next(bound.share_pct for bound in published.latency if bound.below_us == below_us)
    return f"at least {share} % in less than {below_us} us"


def _spent(row: Mapping[str, Any], windows: list[Judged]) -> Iterator[Line]:
    begin, end = micros(row["from_at"]), micros(row["to_at"])
    by_day: dict[str, list[Judged]] = {}
    for window in windows:
        if begin <= window.started < end:
            by_day.setdefault(iso(window.started)[:10], []).append(window)
    quiet = [each for each in by_day.values() if not any(window.bad for window in each)]
    for day, within in sorted(by_day.items()):
        if any(window.bad for window in within):
            worst = tuple(window.position for window in _worst(within, _WORST_OF_A_DAY))
            yield Line(f"{day}: {_sum(within)}, the worst window at {iso(_worst(within, 1)[0].started)[11:16]} UTC.", worst)
    if quiet:
        yield Line(f"{_many(len(quiet), 'other day')}: {_sum([window for within in quiet for window in within])}.")
    unjudged = f", {row['unjudged']} not judged" if row["unjudged"] else ""
    yield Line(f"Together {row['bad']} bad of {row['total']}{unjudged}: of a budget of {row['budget']} there remain {row['remaining']}.")


def _burnt(row: Mapping[str, Any], windows: list[Judged]) -> Iterator[Line]:
    at = micros(row.get("opened_at") or row["at"])
    near = [window for window in windows if at - row["long_s"] * SECOND < window.ended <= at and window.bad]
    yield from _shares(row, "requests")
    for window in sorted(_worst(near, _WORST_OF_AN_ALERT), key=lambda each: each.started):
        yield Line(f"{iso(window.started)} to {iso(window.ended)}: {window.bad} bad of {window.total}.", (window.position,))
    if len(near) > _WORST_OF_AN_ALERT:
        yield Line(f"And {len(near) - _WORST_OF_AN_ALERT} more windows with bad requests.")


def _shares(row: Mapping[str, Any], unit: str) -> Iterator[Line]:
    for name in ("long", "short"):
        yield Line(
            f"In the {row[f'{name}_s']} s before: {row[f'{name}_bad']} bad of {row[f'{name}_total']} {unit}; the rule {row['rule']} allows "
            f"{row['factor']} times the budget's rate."
        )


def _worst(windows: list[Judged], most: int) -> list[Judged]:
    return sorted(windows, key=lambda window: (-window.bad, window.started, window.position))[:most]


def _sum(windows: list[Judged]) -> str:
    return f"{sum(window.bad for window in windows)} bad of {sum(window.total for window in windows)} in {_many(len(windows), 'window')}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
