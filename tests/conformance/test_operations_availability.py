"""Published and derived cases of allowed downtime, uptime and quorum, through the product's own months, votes and arithmetic.

Runs every case of these areas in every file of `--cases DIR`. Cases of an area are told apart by what they give; a kind that no
rule is known for fails. Numbers are exact decimals, or rounded to nine places: they are compared within a millionth.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from opsledger.policies.availability import Measured, budget, credit_pct, in_series, measured
from opsledger.policies.instants import DAY_S, SECOND, iso, parse
from opsledger.policies.months import months
from opsledger.policies.operating_model import default_model
from opsledger.policies.quorum import Quorum, Voice, Word, decide, vote
from opsledger.policies.timeline import MINUTE, Cells, State, Stretch, cells, judged, laid

AREAS = ("allowed_downtime", "uptime", "quorum")
DAY = parse("2026-06-10")  # where a case names times of day alone
NEAR = Fraction(1, 1_000_000)
Case = dict[str, Any]
Rule = Callable[[Case], Case]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    found = []
    for path in sorted(Path(metafunc.config.getoption("--cases")).glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        cases = document.get("cases", []) if isinstance(document, dict) else []
        found += [pytest.param(case, id=f"{path.stem}-{case['id']}") for case in cases if case.get("area") in AREAS]
    metafunc.parametrize("case", found)


def test_case(case: Case) -> None:
    kinds = [rule for keys, rule in RULES[case["area"]] if keys <= set(case["given"])]
    if not kinds and case["area"] == "uptime" and groups(case["given"]):
        kinds = [of_a_group]
    if not kinds:
        pytest.fail(f"no rule for a case of {case['area']} that gives {', '.join(case['given'])}")
    said = kinds[0](case["given"] | {"rule": f"{case['rule']}; {case['origin']}"})
    assert case["expect"].keys() <= said.keys(), f"nothing is said of {case['expect'].keys() - said.keys()}"
    for name, expected in case["expect"].items():
        assert alike(said[name], expected), f"{name}: the product says {said[name]}, the case {expected}"


def alike(said: Any, expected: Any) -> bool:
    """Return whether a value is the expected one; numbers and decimals within a millionth."""
    if isinstance(expected, list):
        return len(said) == len(expected) and all(map(alike, said, expected))
    if isinstance(said, Fraction | int) and not isinstance(said, bool):
        return abs(Fraction(said) - Fraction(str(expected))) <= NEAR
    return bool(said == expected)


# What cases give.


def instant(text: str) -> int:
    return DAY + parse(f"1970-01-01T{text}:00Z") if re.fullmatch(r"\d\d:\d\d", text) else parse(text)


def clock(at: int) -> str:
    return iso(at)[11:16]


def down(outages: Iterable[list[str | None]], end: int, state: State = "down") -> list[Stretch]:
    return sorted(Stretch(instant(a or ""), end if b is None else instant(b), state) for a, b in outages)


def told(begin: int, end: int, *layers: list[Stretch]) -> Cells:
    """Lay outages over a period as the product lays what incidents say, and add it up."""
    return cells(judged(laid(begin, end, "up", layers), (), begin, end))


def percent(share: Fraction | None) -> Fraction:
    assert share is not None
    return 100 * share


def month_of(seconds: int, *layers: list[Stretch]) -> Cells:
    """Lay outages over a period of so many seconds that begins with the month of the first."""
    begin = parse(iso(min(each.start for layer in layers for each in layer))[:7] + "-01")
    return told(begin, begin + seconds * SECOND, *layers)


# Allowed downtime.


def of_a_length(given: Case) -> Case:
    return {"allowed_s": [budget(given["period_s"], Decimal(target)) for target in given["targets"]]}


def of_a_month(given: Case) -> Case:
    month = months(given["zone"]).named(given["month"])
    seconds = (month.stop - month.start) // SECOND
    return {
        "start": iso(month.start).replace(".000000", ""),
        "end": iso(month.stop).replace(".000000", ""),
        "hours": Fraction(seconds, 3600),
        "allowed_s": budget(seconds, Decimal(given["target"])),
    }


# Uptime.


def of_outages(given: Case) -> Case:
    begin, end = map(instant, given["period"])
    end = min(end, parse(given["as_of"])) if "as_of" in given else end
    found = measured(told(begin, end, down(given["outages"], end))).counted
    return {"downtime_s": found.down / SECOND, "uptime_pct": percent(found.share), "met": found.met(Decimal(given.get("target", "100")))}


SPOKEN: dict[str, State] = {
    "operational": "up",
    "degraded": "degraded",
    "maintenance": "up",
    "partial_outage": "down",
    "full_outage": "down",
}


def of_states(given: Case) -> Case:
    begin, end = map(instant, given["period"])
    starts = [instant(at) for at, _ in given["states"]]
    spans = zip(starts, [*starts[1:], end], given["states"], strict=True)
    found = told(begin, end, [Stretch(low, high, SPOKEN[state]) for low, high, (_, state) in spans])
    return {
        "up_min": Fraction(found.up, MINUTE),
        "down_min": Fraction(found.down, MINUTE),
        "uptime_pct": percent(measured(found).counted.share),
    }


PARTIAL_WEIGHT = Decimal(30)  # as the status pages weigh a partial outage


def of_weights(given: Case) -> Case:
    up = given["period_min"] - given["major_min"] - given["partial_min"]  # what is slow alone weighs nothing
    found = measured(
        Cells(up=up + given["partial_min"], degraded=given["partial_min"], down=given["major_min"]), degraded_weight_pct=PARTIAL_WEIGHT
    )
    return {"weighted_min": found.counted.down, "uptime_pct": percent(found.counted.share)}


def of_weights_that_overlap(given: Case) -> Case:
    layers = [down(given["major"], 0), down(given["partial"], 0, "degraded")]
    found = measured(month_of(given["period_s"], *layers), degraded_weight_pct=PARTIAL_WEIGHT).counted
    return {"weighted_s": found.down / SECOND, "uptime_pct": percent(found.share)}


def groups(given: Case) -> dict[str, Any]:
    """Return the components of a case that gives their outages by their names."""
    return {name: value for name, value in given.items() if isinstance(value, list)} if "period_s" in given else {}


def of_a_group(given: Case) -> Case:
    layers = [down(outages, 0) for outages in groups(given).values()]
    group = measured(month_of(given["period_s"], *layers)).counted
    alone = [percent(measured(month_of(given["period_s"], layer)).counted.share) for layer in layers]
    return {
        "group_down_s": group.down / SECOND,
        "group_uptime_pct": percent(group.share),
        "mean_of_components_pct": sum(alone, Fraction(0)) / len(alone),
    }


def of_a_series(given: Case) -> Case:
    return {"composite_pct": 100 * in_series(Fraction(each) / 100 for each in given["components"])}


def by_rule(found: Cells) -> Case:
    """Return the uptime by each rule for unknown time."""
    names = {"excluded": "exclude_unknown_pct", "up": "unknown_is_up_pct", "down": "unknown_is_down_pct"}
    shares = {name: percent(measured(found, unknown_time=rule).removed.share) for rule, name in names.items()}  # type: ignore[arg-type]  # the three rules
    return shares | {"coverage_pct": 100 * Fraction(found.period - found.unknown, found.period)}


def of_unknown_time(given: Case) -> Case:
    up = given["period_s"] - given["down_s"] - given["unknown_s"]
    return by_rule(Cells(up=up, down=given["down_s"], unknown=given["unknown_s"]))


def of_beats(given: Case) -> Case:
    states: dict[str, State] = {"ok": "up", "unknown": "unknown", "fail": "down"}
    beats = [Stretch(at, at + 1, states[beat]) for at, beat in enumerate(given["beats"])]
    return by_rule(cells(judged(beats, (), 0, len(beats))))


def counted(outages: Iterable[int], *, minimum: int = 0, whole_minutes: bool = False) -> int:
    """Return what counts of outages of these lengths, each on its own, in microseconds."""
    found = 0
    for length in outages:
        stretches = [Stretch(0, length, "down"), Stretch(length, length + DAY_S * SECOND, "up")]
        found += cells(judged(stretches, (), 0, length + DAY_S * SECOND, minimum=minimum, whole_minutes=whole_minutes)).down
    return found


def of_whole_minutes(given: Case) -> Case:
    lengths = [each * SECOND for each in given["outage_s"]]
    return {
        "counted_min": Fraction(counted(lengths, whole_minutes=True), MINUTE),
        "elapsed_s": Fraction(counted(lengths), SECOND),
    }


def of_least_outages(given: Case) -> Case:
    stated = re.search(r"under (\d+) min", given["rule"])
    assert stated is not None, "the rule names the least outage"
    lengths = [each * MINUTE for each in given["outage_min"]]
    return {"counted_min": Fraction(counted(lengths, minimum=int(stated[1]) * MINUTE), MINUTE)}


OBJECT_STORE = [(Decimal("99.9"), Decimal(0)), (Decimal(99), Decimal(10)), (Decimal(95), Decimal(25)), (Decimal(0), Decimal(100))]


def of_error_rates(given: Case) -> Case:
    errors = sum((Fraction(rate) * count for rate, count in given["error_rates"].items()), Fraction(0))
    uptime = percent(Measured(given["intervals"], errors).share)
    return {"uptime_pct": uptime, "credit_pct": Fraction(credit_pct(OBJECT_STORE, uptime))}


def of_hours(given: Case) -> Case:
    return {"uptime_pct": percent(measured(Cells(up=given["period_h"] - given["down_h"], down=given["down_h"])).counted.share)}


# Quorum.


def of_shares(given: Case) -> Case:
    stated = re.search(r"(\d+)\s*%", given["rule"])
    assert stated is not None, "the case names the share"
    rule = Quorum(1, Decimal(stated[1]))
    said = [decide(rule, up=up, degraded=0, down=of - up, expected=of) for up, of in given["pairs"]]
    return {"status": ["healthy" if each == "up" else "unhealthy" for each in said]}


QUORUM = Quorum(default_model().availability.quorum)


def of_locations(given: Case) -> Case:
    stated = re.search(r"at least (\d+) of", given["rule"])
    voices = []
    for location, failures in given["fail"].items():
        edges: list[tuple[int, State]] = [(DAY, "up")]
        for low, high in failures:
            edges += [(instant(low), "down"), (instant(high), "up")]
        voices.append(Voice(location, [Word(at, place, state, location) for place, (at, state) in enumerate(edges)]))
    stretches = vote(Quorum(int(stated[1])) if stated else QUORUM, voices, DAY, DAY + DAY_S * SECOND)
    found = [each for each in stretches if each.state == "down"]
    return {
        "down": [[clock(each.start), clock(each.stop)] for each in found],
        "down_min": Fraction(sum(each.stop - each.start for each in found), MINUTE),
    }


def of_reports(given: Case) -> Case:
    said = []
    for report in given["reports"]:
        votes = list(report.values())
        counts = {"up": votes.count("ok"), "degraded": votes.count("degraded"), "down": votes.count("fail")}
        said.append(decide(QUORUM, **counts, expected=len(votes)))
    return {"status": said}


RULES: dict[str, list[tuple[set[str], Rule]]] = {
    "allowed_downtime": [({"period_s", "targets"}, of_a_length), ({"zone", "month", "target"}, of_a_month)],
    "uptime": [
        ({"period", "outages"}, of_outages),
        ({"period", "states"}, of_states),
        ({"period_min", "major_min", "partial_min"}, of_weights),
        ({"period_s", "major", "partial"}, of_weights_that_overlap),
        ({"components"}, of_a_series),
        ({"period_s", "down_s", "unknown_s"}, of_unknown_time),
        ({"beats"}, of_beats),
        ({"outage_s"}, of_whole_minutes),
        ({"outage_min"}, of_least_outages),
        ({"intervals", "error_rates"}, of_error_rates),
        ({"period_h", "down_h"}, of_hours),
    ],
    "quorum": [({"pairs"}, of_shares), ({"fail"}, of_locations), ({"reports"}, of_reports)],
}
