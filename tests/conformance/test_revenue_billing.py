"""Published and derived cases of proration, billing periods, usage and money, through the product's own arithmetic and ledger.

Runs the cases of these areas in every file of `--cases DIR` that says `"format": "opsledger cases v1"`. Cases of one area are told
apart by the keys of their inputs; one of a shape that is not known fails.
"""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from opsledger.app import OpsLedger, metering
from opsledger.policies.billing_periods import Interval, boundary, stubs
from opsledger.policies.credits import amount_minor
from opsledger.policies.instants import at, parse
from opsledger.policies.money import exponent, half_up, minor, rounded, shown
from opsledger.policies.proration import Change, Rule, Share, change, prorated, remaining, share
from opsledger.policies.usage import Entry, Tier, after_close, counted, plain, rated, restated

FORMAT = "opsledger cases v1"
Case = dict[str, Any]
DAYS, DAYS_OLD, SECONDS = Rule("day"), Rule("day", "old"), Rule("second")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    area = metafunc.function.__name__.removeprefix("test_")
    found = []
    for path in sorted(Path(metafunc.config.getoption("--cases")).glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("format") == FORMAT:
            cases = [case for case in document["cases"] if case.get("area") == area]
            found += [pytest.param(case, id=f"{path.stem}-{case['id']}") for case in cases]
    metafunc.parametrize("case", found)


def cents(amount: Any) -> int:
    return minor(str(amount), "USD")


def text(amount_minor: int) -> str:
    return shown(amount_minor, "USD")


def left(rule: Rule, period: list[str], when: str) -> Share:
    return remaining(rule, parse(period[0]), parse(period[1]), parse(when))


def came(given: Case, rule: Rule = DAYS, old: str = "old", new: str = "new") -> Change:
    return change(cents(given[old]), cents(given[new]), left(rule, given["period"], given["change"]))


def calendar_month(start: str) -> list[str]:
    first = date.fromisoformat(start).replace(day=1)
    return [first.isoformat(), boundary(first, Interval("month"), 1).isoformat()]


def following(day: str) -> date:
    return boundary(date.fromisoformat(day), Interval("day"), 1)


def test_proration(case: Case) -> None:
    given = case["inputs"]
    by_shape = {
        ("period_end", "period_start", "service_end", "service_start"): fraction_of_a_period,
        ("bill_day", "change", "start"): leading_and_trailing_stubs,
        ("change", "new_price", "old_price", "period"): priced_change,
        ("cancel", "period", "price"): cancellation,
        ("bill_day", "fixed_days", "price", "start"): months_of_fixed_length,
        ("period", "price", "start", "target"): periods_in_days,
        ("billing", "price_cents", "start"): calendar_billing,
        ("billing", "new", "old", "tax_pct", "upgrade"): upgrade_with_tax,
        ("billing", "last_fee_cents", "new", "old", "period_days", "remaining_days", "tax_pct"): capped_upgrade,
        ("period", "price_cents", "started", "terminated"): in_arrears,
        ("elapsed", "new", "old"): elapsed_share,
        ("change", "new", "old", "period"): second_and_day if "second" in case["expected"] else day_mode,
        ("change", "period", "qty", "unit"): quantity_change,
    }
    shape = tuple(sorted(given))
    if shape not in by_shape:
        pytest.fail(f"no rule for a proration of {', '.join(shape)}")
    said = by_shape[shape](given, case)
    assert case["expected"].keys() <= said.keys()
    assert {key: said[key] for key in case["expected"]} == case["expected"]


def fraction_of_a_period(given: Case, case: Case) -> Case:
    dates = [date.fromisoformat(given[name]) for name in ("service_start", "service_end", "period_start", "period_end")]
    return {"fraction": str(rounded(share(*dates).fraction, 9))}


def leading_and_trailing_stubs(given: Case, case: Case) -> Case:
    parts = stubs(date.fromisoformat(given["start"]), date.fromisoformat(given["change"]), given["bill_day"])
    lines = [rounded(share(*part).fraction, 9) for part in parts]
    shown = [str(line) if line % 1 else str(int(line)) for line in lines]
    return {"stubs": shown, "cycles": str(sum(lines))}


def priced_change(given: Case, case: Case) -> Case:
    line = came(given, DAYS, "old_price", "new_price")
    net = text(-line.net_minor)
    return {"credit": text(line.credit_minor), "charge": text(line.charge_minor), "account_credit": net, "account_credit_used": net}


def cancellation(given: Case, case: Case) -> Case:
    line = change(cents(given["price"]), 0, left(DAYS, given["period"], given["cancel"]))
    return {"credit": text(line.credit_minor), "account_credit": text(-line.net_minor)}


def months_of_fixed_length(given: Case, case: Case) -> Case:
    start = date.fromisoformat(given["start"])
    following_bill = next(part for part in stubs(start, boundary(start, Interval("month"), 1), given["bill_day"]))
    part = share(*following_bill, fixed_month_days=given["fixed_days"])
    actual = text(prorated(cents(given["price"]), share(*following_bill)))
    assert all(actual == amount for name, amount in case.get("peers_disagree", {}).items() if name.startswith("actual_days"))
    amount = text(prorated(cents(given["price"]), part))
    return {"days": part.part, "fraction": str(rounded(part.fraction, 9)), "amount": amount}


def periods_in_days(given: Case, case: Case) -> Case:
    found = re.fullmatch(r"P(\d+)([DWMY])", given["period"])
    assert found is not None, f"no rule for a period of {given['period']}"
    units: dict[str, Any] = {"D": "day", "W": "week", "M": "month", "Y": "year"}
    interval, start = Interval(units[found[2]], int(found[1])), date.fromisoformat(given["start"])
    periods, number = [], 0
    while (begins := boundary(start, interval, number)) <= date.fromisoformat(given["target"]):
        number += 1
        periods.append([begins.isoformat(), boundary(start, interval, number).isoformat()])
    return {"periods": periods, "total": str(Decimal(str(given["price"])) * len(periods))}


def calendar_billing(given: Case, case: Case) -> Case:
    assert given["billing"] == "calendar"
    return {"cents": prorated(given["price_cents"], left(DAYS, calendar_month(given["start"]), given["start"]))}


def upgrade_with_tax(given: Case, case: Case) -> Case:
    assert given["billing"] == "calendar"
    part = left(DAYS, calendar_month(given["upgrade"]), given["upgrade"])
    return taxed(given, part, None)


def capped_upgrade(given: Case, case: Case) -> Case:
    return taxed(given, Share(given["remaining_days"], given["period_days"]), given["last_fee_cents"])


def taxed(given: Case, part: Share, charged: int | None) -> Case:
    credit = prorated(given["old"], part, at_most_minor=charged, tax_bp=100 * given["tax_pct"])
    return {"charge_cents": prorated(given["new"], part), "credit_note_cents": credit}


def in_arrears(given: Case, case: Case) -> Case:
    """Dates of these cases belong to what they end."""
    used = share(date.fromisoformat(given["started"]), following(given["terminated"]), *whole(given))
    return {"cents": prorated(given["price_cents"], used)}


def whole(given: Case) -> tuple[date, date]:
    return date.fromisoformat(given["period"][0]), following(given["period"][1])


def elapsed_share(given: Case, case: Case) -> Case:
    rest = 1 - Fraction(given["elapsed"])
    line = change(cents(given["old"]), cents(given["new"]), Share(rest.numerator, rest.denominator))
    return {**signed(line, case), "next_invoice": text(cents(given["new"]) + line.net_minor)}


def signed(line: Change, case: Case) -> Case:
    """Some sources write a credit as a negative amount, some as a positive one."""
    below = str(case["expected"].get("credit", "-")).startswith("-")
    credit = line.credit_minor if below else -line.credit_minor
    said = {"credit": text(credit), "charge": text(line.charge_minor), "net": text(line.net_minor)}
    return {**said, "net_credit": text(-line.net_minor)}


def second_and_day(given: Case, case: Case) -> Case:
    """These cases bill the difference of the prices as one line, rounded once, rather than credit and charge."""
    rules = {"second": SECONDS, "day_change_day_new": DAYS, "day_change_day_old": DAYS_OLD}
    difference = cents(given["new"]) - cents(given["old"])
    return {name: text(prorated(difference, left(rule, given["period"], given["change"]))) for name, rule in rules.items()}


def day_mode(given: Case, case: Case) -> Case:
    line = came(given)
    used = cents(given["old"]) + line.credit_minor
    return {**signed(line, case), "used": text(used), "next_invoice": text(cents(given["new"]) + line.net_minor)}


def quantity_change(given: Case, case: Case) -> Case:
    before, after = (cents(given["unit"]) * quantity for quantity in given["qty"])
    for name, expected in case.get("peers_disagree", {}).items():
        if name.startswith("half-open"):
            said = signed(change(before, after, left(DAYS, given["period"], given["change"])), case)
            assert {key: said[key] for key in expected} == expected
    rule = DAYS_OLD if "change day on the OLD" in case["policy"] else DAYS
    line = change(before, after, left(rule, given["period"], given["change"]))
    return {**signed(line, case), "used": text(before + line.credit_minor)}


def test_billing_anchor(case: Case) -> None:
    given = case["inputs"]
    anchor, interval = date.fromisoformat(given["anchor"]), Interval(given["interval"], given.get("count", 1))
    dates = [boundary(anchor, interval, number).isoformat() for number in range(given["n"] + 1)]
    assert {"dates": dates} == case["expected"]


def test_usage(case: Case, opsledger_sqlite: OpsLedger) -> None:
    given = case["inputs"]
    match sorted(given):
        case ["events"]:
            assert {"sum": metered(opsledger_sqlite, given["events"])} == case["expected"]
        case ["billed_p1", "price", "seen_cumulative", "seen_p1"]:
            assert late_usage(given) == case["expected"]
        case ["billed", "cumulative", "tiers"]:
            now = rated(Decimal(str(given["cumulative"])), tiers_of(given["tiers"]), "volume", "JPY")  # amounts without cents
            lines = restated(given["billed"], now)
            assert {"reversal": lines.reversal_minor, "new": lines.new_minor, "net": lines.net_minor} == case["expected"]
        case ["events", "service_period_to", "stored_at_lt"]:
            entries = [Entry(parse(each["t"]), parse(each["stored"]), Decimal(str(each["v"]))) for each in given["events"]]
            runs = [counted(entries, parse(given["service_period_to"]), parse(before)) for before in given["stored_at_lt"]]
            assert {f"run_{number}": int(quantity) for number, quantity in enumerate(runs, 1)} == case["expected"]
        case unknown:
            pytest.fail(f"no rule for usage of {', '.join(unknown)}")


def metered(ledger: OpsLedger, events: list[list[Any]]) -> int:
    """Send the events one after the other, as a source that repeats itself does, and read the table."""
    for source, event_id, quantity in events:
        event = metering.Event(event_id, "C-1", "S-1", "calls", Decimal(str(quantity)), at("2026-03-01T10:00:00Z"))
        metering.meter(ledger, "svc", [event], source=source)
    (row,) = ledger.tables.select("usage_period", at_least=ledger.store.head().position)
    assert row["conflicts"] == 0
    return int(row["quantity"])


def late_usage(given: Case) -> Case:
    price, billed, seen, cumulative = (Decimal(str(given[name])) for name in ("price", "billed_p1", "seen_p1", "seen_cumulative"))
    delta = after_close(billed, seen, cumulative, keep_periods=False)
    kept = after_close(billed, seen, cumulative, keep_periods=True)
    assert sum(delta) == sum(kept)
    return {
        "delta": {"period_2": plain(delta.current * price)},
        "period_preserving": {"period_1_correction": plain(kept.correction * price), "period_2": plain(kept.current * price)},
        "total_new": int(sum(delta) * price),
    }


def tiers_of(said: str) -> list[Tier]:
    """Read `<=15 @10, >=16 @5 on whole volume`."""
    found = re.findall(r"(<=|>=)\s*(\d+)\s*@\s*([\d.]+)", said)
    assert found and "whole volume" in said, f"no rule for the tiers {said}"
    return [Tier(Decimal(bound) if sign == "<=" else None, Decimal(price)) for sign, bound, price in found]


def test_money(case: Case) -> None:
    given = case["inputs"]
    match sorted(given):
        case ["amount"]:
            assert {name: text(rounding(name, given["amount"])) for name in case["expected"]} == case["expected"]
        case ["currencies"]:
            assert {code: exponent(code) for code in given["currencies"]} == case["expected"]
        case unknown:
            pytest.fail(f"no rule for money of {', '.join(unknown)}")


def rounding(name: str, amount: str) -> int:
    """Round to cents: half up is the product's own; others are there for contracts that say so."""
    if name == "half_up":
        return half_up(Fraction(amount) * 100)
    places = len(amount.partition(".")[2])
    whole, share_pct = int(Decimal(amount).scaleb(places)), Decimal(100).scaleb(2 - places)
    kind: Any = name
    return amount_minor(whole, share_pct, kind)
