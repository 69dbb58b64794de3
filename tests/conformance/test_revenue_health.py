"""Published and derived cases of health scores, through the product's own arithmetic.

Runs the cases of this area in every file of `--cases DIR` that says `"format": "opsledger cases v1"`. Cases are told apart by the
keys of their inputs; one of a shape that is not known fails.
"""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from opsledger.app import OpsLedger
from opsledger.domain import activity
from opsledger.policies.health import DEFAULT, band_of, coverage_bp, weighted
from opsledger.policies.health_presets import (
    FIVES,
    LICENCE_USE,
    SIXTIES,
    banded_by_age,
    impact,
    missing_as,
    percent_mean,
    pointed,
    trend_band,
    trend_pct,
)
from opsledger.policies.instants import at
from opsledger.policies.money import half_up, rounded

FORMAT = "opsledger cases v1"
Case = dict[str, Any]
COMPONENTS = {"predictive": 7, "engagement": 5, "usage": 8, "csm": 3}  # weights that the title of such a case prints


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    found = []
    for path in sorted(Path(metafunc.config.getoption("--cases")).glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("format") == FORMAT:
            cases = [case for case in document["cases"] if case.get("area") == "health"]
            found += [pytest.param(case, id=f"{path.stem}-{case['id']}") for case in cases]
    metafunc.parametrize("case", found)


def text(exact: Fraction, places: int = 2) -> str:
    return str(rounded(exact, places))


def test_health(case: Case, opsledger_sqlite: OpsLedger) -> None:
    if sorted(case["inputs"]) == ["mau", "mean_dau"]:
        assert stickiness(case["inputs"], opsledger_sqlite) == case["expected"]
        return
    by_shape = {
        ("csm", "engagement", "predictive", "usage"): components,
        ("states",): points,
        ("scores", "weights"): scores,
        ("states", "weights"): states,
        ("now", "prev"): trend,
        ("scores",): bands,
        ("age_months", "utilisation"): by_age,
        ("impact", "range", "values"): on_a_line,
    }
    shape = tuple(sorted(case["inputs"]))
    if shape not in by_shape:
        pytest.fail(f"no rule for a health score of {', '.join(shape)}")
    assert by_shape[shape](case["inputs"], case) == case["expected"]


def components(given: Case, case: Case) -> Case:
    assert f"weights {','.join(map(str, COMPONENTS.values()))}" in case["title"], "no rule for other weights"
    means = {name: half_up(percent_mean(each)) if isinstance(each, list) else each for name, each in given.items()}
    total = weighted({name: Fraction(each) for name, each in means.items()}, COMPONENTS)
    assert total is not None
    return {"engagement": str(means["engagement"]), "usage": str(means["usage"]), "score": str(half_up(total))}


def points(given: Case, case: Case) -> Case:
    assert "10/5/0" in case["policy"], f"no rule for {case['policy']}"
    for name, said in case.get("peers_disagree", {}).items():
        if "100/60/0" in name:
            assert text(pointed(given["states"], SIXTIES)) == said
    return {"score": text(pointed(given["states"], FIVES))}


def scores(given: Case, case: Case) -> Case:
    """Scores with their weights, by name or by place; what is missing drops out with its weight."""
    held, weights = given["scores"], given["weights"]
    if isinstance(held, list):
        held, weights = (dict(enumerate(each)) for each in (held, weights))
    exact = {str(name): None if each is None else Fraction(each) for name, each in held.items()}
    weights = {str(name): each for name, each in weights.items()}
    for name, said in case.get("peers_disagree", {}).items():
        if "missing = " in name:
            assert text(known(exact, weights, 0 if "missing = 0" in name else 50)) == said
    said = {"score": text(known(exact, weights))}
    if "coverage" in case["expected"]:
        present = sum(weight for name, weight in weights.items() if exact[name] is not None)
        said["coverage"] = str(Decimal(coverage_bp(present, sum(weights.values()))).scaleb(-4).quantize(Decimal("0.01")))
    return said


def known(exact: dict[str, Fraction | None], weights: dict[str, int], neutral: int | None = None) -> Fraction:
    total = weighted(exact if neutral is None else missing_as(exact, neutral), weights)
    assert total is not None
    return total


def states(given: Case, case: Case) -> Case:
    return {"score": half_up(pointed(given["states"], SIXTIES, given["weights"]))}


def trend(given: Case, case: Case) -> Case:
    trends = [trend_pct(now, given["prev"]) for now in given["now"]]
    return {"trend": [str(half_up(each)) for each in trends], "band": [trend_band(each) for each in trends]}


def bands(given: Case, case: Case) -> Case:
    return {"bands": [band_of(10 * each, DEFAULT.bands) for each in given["scores"]]}


def by_age(given: Case, case: Case) -> Case:
    return {"bands": [banded_by_age(given["utilisation"], age, LICENCE_USE) for age in given["age_months"]]}


def on_a_line(given: Case, case: Case) -> Case:
    span, ends = tuple(given["range"]), tuple(given["impact"])
    for name in case.get("peers_disagree", {}):
        outside = Fraction(name.rpartition(" ")[2])
        assert impact(outside, span, ends, bounded=True) is None
    found = [impact(Fraction(value), span, ends) for value in given["values"]]
    return {"impact": [text(each, 1) for each in found if each is not None]}


def stickiness(given: Case, ledger: OpsLedger) -> Case:
    """The mean of two days, through the table of days."""
    for number, daily in enumerate((given["mean_dau"] - 3, given["mean_dau"] + 3)):
        counted = {"customer_id": "C-1", "day": date(2026, 2, 1 + number), "daily": daily, "monthly": given["mau"]}
        ledger.by("u-1", at=at(f"2026-02-{2 + number:02d}")).record(activity.count_users, "C-1/2026-02", **counted)
    (row,) = ledger.tables.select("customer_activity_day", at_least=ledger.store.head().position, day="2026-02-02")
    return {"stickiness": text(Fraction(row["dau_mau_bp"], 10_000))}
