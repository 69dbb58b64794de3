"""Published and derived cases of surveys, through the product's own formulas.

Runs the cases of this area in every file of `--cases DIR` that says `"format": "opsledger cases v1"`. Which survey it is, is told by
what is asked of it; a case of a shape that is not known fails.
"""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opsledger.errors import BadInput
from opsledger.policies.operating_model import default_model
from opsledger.policies.surveys import ScaleRule, nps, nps_counts, rated

FORMAT = "opsledger cases v1"
Case = dict[str, Any]
SURVEYS = default_model().surveys


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" not in metafunc.fixturenames:
        return
    found = []
    for path in sorted(Path(metafunc.config.getoption("--cases")).glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("format") == FORMAT:
            cases = [case for case in document["cases"] if case.get("area") == "survey"]
            found += [pytest.param(case, id=f"{path.stem}-{case['id']}") for case in cases]
    metafunc.parametrize("case", found)


def hundredths(number: int) -> str:
    return str(Decimal(number).scaleb(-2))


def promoted(promoters: int, passives: int, detractors: int) -> dict[str, Any]:
    """Return all that is known of a net promoter score, as cases write it."""
    score = nps(promoters, passives, detractors)
    assert score is not None
    return {
        "promoters": promoters,
        "passives": passives,
        "detractors": detractors,
        "n": promoters + passives + detractors,
        "nps": hundredths(score.score_x100),
        "se": hundredths(score.se_x100),
        "ci95": [hundredths(score.low_x100), hundredths(score.high_x100)],
    }


def told(counts: dict[int, int], scale: ScaleRule) -> dict[str, Any]:
    """Return all that is known of answers on a scale, as cases write it."""
    answers = rated(counts, scale)
    assert answers is not None
    share = hundredths(answers.favourable_bp)
    return {"n": answers.n, "mean": hundredths(answers.mean_x100), "csat": share, "top_box": share}


def scale_of(case: Case) -> ScaleRule:
    """Return the scale of a case: customer satisfaction's where that is asked for, else effort's, or its shorter form."""
    if "csat" in case["expected"]:
        return SURVEYS.csat
    return SURVEYS.ces if "1..5" not in case["title"] + case["policy"] else ScaleRule(lowest=1, highest=5, favourable_from=4)


def test_survey(case: Case) -> None:
    given, expected = case["inputs"], case["expected"]
    match sorted(given):
        case ["detractors", "passives", "promoters"]:
            known = promoted(given["promoters"], given["passives"], given["detractors"])
        case ["scores"] if {"nps", "promoters", "detractors"} & expected.keys():
            known = promoted(*nps_counts(given["scores"]))
        case ["scores"]:
            known = told(dict(Counter(given["scores"])), scale_of(case))
        case ["counts"]:
            counts = {int(score): count for score, count in given["counts"].items()}
            known = told(counts, scale_of(case))
        case unknown:
            pytest.fail(f"no rule for a survey case that gives {unknown}")
    assert {name: known.get(name, "not computed") for name in expected} == expected


@pytest.mark.parametrize("score", [-1, 11, 9.5, True, "9", None])
def test_only_integers_of_the_scale_are_answers(score: Any) -> None:
    with pytest.raises(BadInput, match="whole numbers from 0 to 10"):
        nps_counts([9, score])


def test_where_nobody_answered_there_is_no_score() -> None:
    assert nps(0, 0, 0) is None
    assert rated({}, SURVEYS.csat) is None
