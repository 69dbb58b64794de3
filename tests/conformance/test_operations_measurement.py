"""Published and derived cases of percentiles, throughput, burn rates and error budgets, through the product's own arithmetic.

Runs the cases of these areas of every file of `--cases DIR` (default: the product's own copy). A case says by its keys what is given;
one that says what no rule here knows fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from opsledger.policies import burn, percentiles, throughput
from opsledger.policies.buckets import Ladder, index_of, packed
from opsledger.policies.duration import duration
from opsledger.policies.tally import Quantile, Tally, Times

TITLE = "opsledger platform operations cases"
AREAS = ("percentile", "throughput", "burn_rate", "error_budget")
Case = dict[str, Any]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    area = metafunc.function.__name__.removeprefix("test_")
    assert area in AREAS
    found = []
    for path in sorted(Path(metafunc.config.getoption("--cases")).glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("title") == TITLE:
            found += [pytest.param(case, id=f"{path.stem}-{case['id']}") for case in document["cases"] if case["area"] == area]
    metafunc.parametrize("case", found)


def exact(number: Any) -> Fraction:
    return Fraction(str(number))


def like(ours: Any, stated: Any) -> bool:
    """Whether a number is the stated one, exact or rounded to nine places; several one by one; None where none is stated."""
    if isinstance(stated, list):
        return len(ours) == len(stated) and all(like(one, other) for one, other in zip(ours, stated, strict=True))
    if stated is None or isinstance(stated, bool):
        return bool(ours is stated)
    return ours is not None and abs(Fraction(ours) - exact(stated)) <= Fraction(1, 1_000_000)


def holds(ours: Case, expect: Case) -> None:
    """Assert that the product says everything that is expected."""
    assert ours.keys() >= expect.keys(), f"no rule for {expect.keys() - ours.keys()}"
    assert {key: ours[key] for key, stated in expect.items() if not like(ours[key], stated)} == {}


# Percentiles.


def histogram(pairs: Iterable[tuple[Any, int]]) -> list[percentiles.Bucket]:
    return [(None if bound == "+Inf" else exact(bound), count) for bound, count in pairs]


def many(text: str) -> Times:
    """What `1000 x 100 ms` says, in the buckets of a window."""
    count, milliseconds = re.fullmatch(r"(\d+) x (\d+) ms", text).groups()  # type: ignore[union-attr]  # else the case is none of ours
    us = int(milliseconds) * 1000
    steps, counts = packed({index_of(us): int(count)})
    return Times(int(count), (), Ladder(), 0, steps, counts, us, us)


def merged(*windows: Times) -> Tally:
    tally = Tally()
    for window in windows:
        tally.add(window)
    return tally


def listed(values: Any) -> list[int]:
    """The values of a case, or those that `10,20,...,200` says."""
    if isinstance(values, list):
        return values
    first, second, _, last = values.split(",")
    return list(range(int(first), int(last) + 1, int(second) - int(first)))


def contains(quantile: Quantile | None, us: int) -> bool:
    assert quantile is not None
    assert quantile.upper_us is not None
    return quantile.lower_us <= us <= quantile.upper_us and quantile.upper_us - quantile.lower_us <= us // 40


def test_percentile(case: Case) -> None:
    given, expect = case["given"], case["expect"]
    match given:
        case {"buckets": pairs, "q": shares}:
            holds({"value": [percentiles.interpolated(histogram(pairs), exact(share)) for share in shares]}, expect)
        case {"instances": rows, "le": bounds, "q": shares}:
            whole = percentiles.summed(histogram(zip(bounds, row, strict=True)) for row in rows)
            holds({"value": [percentiles.interpolated(whole, exact(share)) for share in shares]}, expect)
        case {"le": bounds, **jobs} if all(isinstance(counts, list) for counts in jobs.values()):
            shares = jobs.pop("q", ["0.3", "0.5"])
            rows = {job: histogram(zip(bounds, counts, strict=True)) for job, counts in jobs.items()}
            holds({job: [percentiles.interpolated(row, exact(share)) for share in shares] for job, row in rows.items()}, expect)
        case {"values": values, "p": shares}:
            holds({"value": [percentiles.nearest_rank(listed(values), share) for share in shares]}, expect)
        case {"buckets": pairs, "total": total, **rest} if (edge := next(iter(rest), "")).startswith("with_edge_"):
            share = Fraction(rest[edge], total)
            met = percentiles.share_met(rest[edge], total, Decimal(95))
            seen = percentiles.interpolated(histogram(pairs), Fraction(95, 100))
            holds({"interpolated_p95": seen, "exact_share": share, "met": met}, expect)
        case {"total": total, **rest} if bounds := [key for key in rest if key.startswith("below_")]:
            holds({"met": [percentiles.share_met(count, total, Decimal(95)) for count in rest[bounds[0]]]}, expect)
        case {"window_a": _, "window_b": _}:
            merging(given, expect)
        case {"value": value, "alpha": accuracy}:
            index, estimate = percentiles.relative_bucket(exact(value), exact(accuracy))
            holds({"index": index, "within": abs(estimate - value) <= exact(accuracy) * value}, expect)
        case _ if all(key.startswith("spike_") for key in given):
            ours: Case = {}
            for key, pairs in given.items():
                ours[key.replace("spike", "p95")] = percentiles.interpolated(histogram(pairs), Fraction(95, 100))
                ours[key.replace("spike", "bounds")] = percentiles.bounds(histogram(pairs), Fraction(95, 100))
            holds(ours, expect)
        case _:
            pytest.fail(f"no rule for percentiles given {sorted(given)}")


def merging(given: Case, expect: Case) -> None:
    """Percentiles of windows alone, their mean that means nothing, and the percentile of both, in milliseconds."""
    windows = {name[-1]: many(text) for name, text in given.items()}
    alone = {name: merged(window).quantiles(95)[0] for name, window in windows.items()}
    assert all(contains(alone[name], 1000 * expect[f"p95_{name}"]) for name in windows)
    together = merged(*windows.values())
    values = [window.min_us // 1000 for window in windows.values() for _ in range(window.timed) if window.min_us is not None]
    for name, stated in expect.items():
        if digits := re.fullmatch(r"merged_p(\d{2})(\d*)", name):
            share = Fraction(digits[1] + digits[2]) / 10 ** len(digits[2])
            assert percentiles.nearest_rank(values, share) == stated
            assert contains(together.quantiles(share)[0], 1000 * stated)
    assert like(percentiles.averaged([expect[f"p95_{name}"] for name in windows]), expect["average_of_p95"])


# Throughput.


def test_throughput(case: Case) -> None:
    given, expect = case["given"], case["expect"]
    match given:
        case {"per_minute": asked, "served": served}:
            load = throughput.load(asked, served)
            pct = None if load.served_share is None else 100 * load.served_share
            holds({"mean": load.mean, "peak": load.peak, "peak_served": load.peak_served, "served_pct": pct}, expect)
        case {"processed": processed, "backlog_end": backlogs}:
            promised = given.get("promised", 1000)
            pairs = zip(processed, backlogs, strict=True)
            holds({"met": [throughput.capacity_met(count, promised, backlog) for count, backlog in pairs]}, expect)
        case _:
            pytest.fail(f"no rule for throughput given {sorted(given)}")


# Burn rates.


def seconds(text: str) -> int:
    return duration(re.sub(r"m$", " min", text.replace("d", " days"))).seconds


def test_burn_rate(case: Case) -> None:
    given, expect = case["given"], case["expect"]
    match given:
        case {"period_d": days, "rows": rows}:
            holds({"factors": [burn.factor(Decimal(str(part)), days * 86_400, seconds(long)) for part, long, *_ in rows]}, expect)
        case {"period_d": days, "burn": rates}:
            times = [burn.exhausted_after(days * 86_400, exact(rate)) for rate in rates]
            holds({"hours": [None if time is None else time / 3600 for time in times]}, expect)
        case {"target": target, "long_ratio": long, "short_ratio": short}:
            rate = exact(given.get("burn", "14.4"))
            holds({"page": burn.fires(exact(long), exact(short), Decimal(target), rate)}, expect)
        case {"target": target, "burn": rate}:
            allowed = burn.allowed(Decimal(target))
            assert allowed == exact(expect["budget"])
            holds({"budget": allowed, "threshold": burn.threshold(Decimal(target), exact(rate))}, expect)
        case _:
            pytest.fail(f"no rule for burn rates given {sorted(given)}")


# Error budgets.


def test_error_budget(case: Case) -> None:
    given, expect = case["given"], case["expect"]
    match given:
        case {"total": total, "bad": bad, "target": target}:
            spent = burn.spent(total, bad, Decimal(target))
            holds({"budget": spent.budget, "remaining": spent.remaining, "remaining_pct": spent.remaining_pct}, expect)
        case {"period_s": period, "down_s": down, "target": target}:
            spent = burn.spent(period, down, Decimal(target))
            ours = {"budget_s": spent.budget, "remaining_s": spent.remaining, "remaining_pct": spent.remaining_pct}
            holds({**ours, "burn_full_month": burn.burn_rate(down, period, Decimal(target))}, expect)
        case {"slices": slices, "timeSliceTarget": target}:
            pairs = [(good, total) for good, total in slices]
            methods: list[burn.BudgetingMethod] = ["Occurrences", "Timeslices", "RatioTimeslices"]
            shares = {method: burn.achieved(pairs, method, Decimal(target)) for method in methods}
            holds({method: None if share is None else 100 * share for method, share in shares.items()}, expect)
        case {"children": children}:
            holds({"composite": burn.composite([Decimal(child) for child in children])}, expect)
        case {"rpm": rate, "days": days}:
            total = rate * 60 * 24 * days
            ours = {"total": total, "events_if_one_per_request": total, "events_if_1min_windows": 60 * 24 * days}
            ours |= {"budget_9995": burn.spent(total, 0, Decimal("99.95")).budget}
            holds({**ours, "error_limit_01pct": burn.spent(total, 0, Decimal("99.9")).budget}, expect)
        case {"total": total, "bad": list(counts)}:
            holds({"met": [burn.strictly_below(bad, total, Decimal(given.get("limit_pct", "0.1"))) for bad in counts]}, expect)
        case _:
            pytest.fail(f"no rule for error budgets given {sorted(given)}")
