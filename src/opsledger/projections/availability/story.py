"""How a month of a service came about, as a person would say it: every stretch with its state, its cause and its verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from opsledger.policies.instants import SECOND, iso, micros
from opsledger.policies.known import Known
from opsledger.policies.timeline import Judged
from opsledger.projections.availability.months import Availability, Reckoned
from opsledger.projections.availability.sources import Source
from opsledger.projections.kinds import Line

__all__ = ["stretch_line", "tell"]


def tell(table: str, row: Mapping[str, Any], states: Mapping[str, Source], known: Known) -> Sequence[Line]:
    """Return what a row of sla_month or availability_interval comes from, line by line."""
    months = Availability(row["service_id"], states, known).months()
    month = next(each for each in months if (each.terms.slo_id, each.month.name) == (row["slo_id"], row["month"]))
    if table == "availability_interval":
        return [stretch_line(each) for each in month.stretches if each.start == micros(row["from_at"])]
    return [_terms(month), *map(stretch_line, month.stretches), *_sums(month)]


def _terms(month: Reckoned) -> Line:
    terms = month.terms
    window = f"the {terms.rolling_days} days before" if terms.rolling_days else "calendar month"
    text = (
        f"{terms.slo_id} version {terms.version}, {month.month.name} in {terms.months.zone} ({window}): at least {terms.target_pct} %, "
        f"told by {terms.rules.measured_by}, from {_shown(month.begin)} to {_shown(month.end)}{'' if month.complete else ', so far'}."
    )
    return Line(text, (terms.position,))


def stretch_line(part: Judged) -> Line:
    """Return a stretch in words, with the fact that made it so."""
    parts = [f"{_shown(part.start)} to {_shown(part.stop)}, {_length(part.stop - part.start)}: {part.state}"]
    if part.vote is not None:
        parts.append(f"when that began the locations said {part.vote}")
    verdict = "is taken out" if part.scheduled else f"counts as {part.counts_as}"
    parts.append(verdict if part.reason is None else f"{verdict}: {part.reason}{f' ({part.window_id})' if part.window_id else ''}")
    if part.cause is not None:
        parts.append(f"since {part.cause}, position {part.position}")
    return Line("; ".join(parts) + ".", () if not part.position else (part.position,))


def _sums(month: Reckoned) -> Iterator[Line]:
    cells, (removed, counted) = month.cells, month.reckoning
    yield Line(
        f"Together {_length(cells.period)}: up {_length(cells.up)} and {_length(cells.up_scheduled)} in what is taken out, "
        f"down {_length(cells.down)} and {_length(cells.down_scheduled)} in it, unknown {_length(cells.unknown + cells.unknown_scheduled)}."
    )
    for denominator, what in ((removed, "taken out"), (counted, "counted as up")):
        yield Line(f"With planned maintenance {what}: {_percent(denominator.share)}, {_verdict(denominator.met(month.terms.target_pct))}.")
    chosen = "taken out" if month.terms.maintenance_leaves == "numerator_and_denominator" else "counted as up"
    yield Line(f"The operating model {month.terms.policy} has it {chosen}: {_verdict(month.met)}.")


def _verdict(met: bool | None) -> str:
    return "nothing was measured" if met is None else "met" if met else "missed"


def _percent(share: Fraction | None) -> str:
    """Return a share for reading, cut to six places, so that what is missed never reads as met."""
    if share is None:
        return "no figure"
    millionths = share.numerator * 100_000_000 // share.denominator
    return f"{millionths // 1_000_000}.{millionths % 1_000_000:06d} %"


def _length(length: int) -> str:
    """Return a length as days and clock time, for example 2 d 03:04:05."""
    seconds, fraction = divmod(length, SECOND)
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600:02d}:{rest % 3600 // 60:02d}:{rest % 60:02d}" + (f".{fraction:06d}" if fraction else "")
    return f"{days} d {clock}" if days else clock


def _shown(instant: int) -> str:
    return iso(instant).replace(".000000Z", "Z")
