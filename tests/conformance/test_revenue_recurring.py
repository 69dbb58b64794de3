"""Published and derived cases of recurring revenue, churn and retention, through the product's own facts, tables and arithmetic.

Runs the cases of these areas in every file of `--cases DIR` that says `"format": "opsledger cases v1"`. Cases of one area are told
apart by the keys of their inputs; one of a shape that is not known fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from opsledger.domain import fx
from opsledger.domain import subscription as s
from opsledger.domain.billing import Cycle, Discount, Period, ProrationRule, Terms
from opsledger.domain.recorded import Recorded
from opsledger.policies.billing_periods import Interval, boundary
from opsledger.policies.instants import at, micros
from opsledger.policies.known import Known, PublishedModel
from opsledger.policies.money import minor, rounded, shown
from opsledger.policies.months import months
from opsledger.policies.mrr import (
    PRESETS,
    Revenue,
    RollForward,
    gross_churn,
    gross_retention,
    logo_churn,
    monthly,
    net_churn,
    net_retention,
    pooled_retention,
    quick_ratio,
)
from opsledger.policies.operating_model import default_model
from opsledger.projections.revenue.lines import fold, start
from opsledger.projections.revenue.movements import rows

FORMAT = "opsledger cases v1"
Case = dict[str, Any]
MONTH, YEAR = Interval("month"), Interval("year")
INTERVALS = {
    "daily": Interval("day"),
    "weekly": Interval("week"),
    "four_weekly": Interval("week", 4),
    "monthly": MONTH,
    "quarterly": Interval("month", 3),
    "semiannual": Interval("month", 6),
    "annual": YEAR,
}
WORDS = {"new": "new_business"}
DATASET = {"expansion": "upgrade", "contraction": "downgrade"}


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


def ratio(exact: Fraction | None, places: int = 4) -> str:
    assert exact is not None
    return str(rounded(exact, places))


class Customer:
    """One customer's facts, and the rows that the product makes of them."""

    def __init__(self) -> None:
        self.streams: dict[str, list[Recorded]] = {}
        self.position = 0

    def tell(self, stream: str, when: datetime, topic: str, event: Any) -> None:
        self.position += 1
        facts = self.streams.setdefault(stream, [])
        facts.append(Recorded(self.position, stream, len(facts) + 1, topic, micros(when), micros(when), event))

    def subscribe(
        self, id: str, when: str, amount: Any, interval: Interval = MONTH, *, discount: Discount | None = None, currency: str = "USD"
    ) -> None:
        began = day(when)
        terms = Terms(
            plan_id="p",
            plan_version=1,
            interval=interval.unit,
            interval_count=interval.count,
            pricing="flat",
            unit_amount_minor=cents(amount),
            currency=currency,
        )
        created = s.Created(created_at=began, customer_id="C-1", terms=terms, discount=discount, proration=ProrationRule(), zone="UTC")
        self.tell(f"subscription:{id}", began, "subscription.created", created)
        cycle = Cycle(anchor_at=began, zone="UTC", tzdata="2026a")
        period = Period(number=0, starts_at=began, ends_at=began)
        activated = s.Activated(activated_at=began, customer_id="C-1", terms=terms, discount=discount, cycle=cycle, period=period)
        self.tell(f"subscription:{id}", began, "subscription.activated", activated)

    def happen(self, id: str, when: str, kind: Any, at_field: str, **said: Any) -> None:
        terms = self.streams[f"subscription:{id}"][0].fact.terms
        event = kind(**{at_field: day(when)}, customer_id="C-1", terms=terms, **said)
        self.tell(f"subscription:{id}", day(when), f"subscription.{at_field.removesuffix('_at')}", event)

    def end(self, id: str, when: str) -> None:
        self.happen(id, when, s.Ended, "ended_at", end_reason="cancelled_voluntary")

    def movements(self, rule: Revenue | None = None) -> list[Case]:
        model = default_model().model_copy(update={"revenue": rule or Revenue()})
        known = Known(1, (PublishedModel("m", 1, 0, model, months("UTC")),))
        states: dict[str, Any] = {}
        for stream, facts in self.streams.items():
            states[stream] = start(stream)
            for recorded in sorted(facts, key=lambda each: each.occurred_at):
                states[stream] = fold(states[stream], recorded)
        names = ("customer_id", "seq", "occurred_at", "month", "kind", "change", "id", "reason", "currency", "amount", "before", "after")
        more = ("reporting", "rate", "reported", "reported_before", "reported_after", "last_position")
        return [dict(zip((*names, *more), row, strict=True)) for row in rows("C-1", states, known)["mrr_movements"]]

    def by_month(self, names: Iterable[str], rule: Revenue | None = None) -> list[str]:
        """What is reported at the end of each month."""
        told = self.movements(rule)
        return [text(sum(each["reported"] for each in told if each["month"] <= name)) for name in names]


def day(said: str) -> datetime:
    return at(f"{said}T00:00:00Z" if len(said) == 10 else said)


def spans(periods: Iterable[tuple[str, str, Any]]) -> Customer:
    """A customer of a data set in which each period of each price stands by itself."""
    customer = Customer()
    for number, (begins, ends, amount) in enumerate(periods):
        customer.subscribe(f"S-{number}", begins, amount)
        customer.end(f"S-{number}", ends)
    return customer


def test_mrr(case: Case) -> None:
    given = case["inputs"]
    shape = tuple(sorted(given))
    by_shape = {
        ("events",): life_of_a_customer,
        ("annual", "monthly"): many_subscribers,
        ("net", "tax"): without_tax,
        ("coupon", "list"): coupon,
        ("annual", "period", "requested"): agreed_end,
        ("mrr", "paused"): pause,
        ("churn", "mrr", "return_"): comes_back,
        ("end", "mrr", "start"): short_stay,
        ("mrr_eur", "rates"): rates,
        ("churn", "contraction", "expansion", "fx", "new", "reactivation", "start"): identity,
        ("periods",): periods_of_a_data_set,
    }
    if shape in by_shape:
        by_shape[shape](given, case)
    elif shape and set(shape) <= set(INTERVALS):
        told = {name: text(monthly(cents(amount), INTERVALS[name])) for name, amount in given.items()}
        assert (told if len(told) > 1 else {"mrr": next(iter(told.values()))}) == case["expected"]
    elif "csv" in given or "spine_start" in given:
        data_set(given, case)
    else:
        pytest.fail(f"no rule for recurring revenue of {', '.join(shape)}")


def life_of_a_customer(given: Case, case: Case) -> None:
    """A year's price, one a month beside it, each cancelled, and several a month later; one event a month."""
    customer, running, number = Customer(), [], 0
    for month, event in enumerate(given["events"], 1):
        when = f"2026-{month:02d}-10"
        if event.startswith(("-", "cancel")):
            customer.end(running.pop(), when)
            continue
        found = re.fullmatch(r"(?:(yearly) |\+|(\d+) x )(\d+)(?:/mo)?", event)
        assert found is not None, f"no rule for '{event}'"
        amount = int(found[3]) * int(found[2] or 1)
        number += 1
        customer.subscribe(f"S-{number}", when, amount, YEAR if found[1] else MONTH)
        running.append(f"S-{number}")
    told = [[WORDS.get(each["kind"], each["kind"]), text(each["amount"])] for each in customer.movements()]
    assert told == case["expected"]["movements"]


def many_subscribers(given: Case, case: Case) -> None:
    total = sum(count * monthly(cents(price), INTERVALS[name]) for name, (count, price) in given.items())
    assert text(total) == case["expected"]["mrr"]


def without_tax(given: Case, case: Case) -> None:
    """Terms of a subscription are without tax."""
    customer = Customer()
    customer.subscribe("S-1", "2026-01-01", given["net"])
    assert customer.by_month(["2026-01"]) == [case["expected"]["mrr"]]


def coupon(given: Case, case: Case) -> None:
    found = re.fullmatch(r"(\d+)% repeating (\d+) months", given["coupon"])
    assert found is not None, f"no rule for the coupon {given['coupon']}"
    ends = boundary(date(2026, 1, 1), MONTH, int(found[2]))
    customer = Customer()
    customer.subscribe("S-1", "2026-01-01", given["list"], discount=discounted(found[1], ends.isoformat()))
    names = [f"2026-{month:02d}" for month in range(1, 2 + int(found[2]))]
    assert customer.by_month(names) == case["expected"]["by_month"]
    last = customer.movements()[-1]
    assert [last["kind"], text(last["amount"]), last["month"]] == [*case["expected"][f"movement_month_{len(names)}"], names[-1]]
    for name, expected in case.get("peers_disagree", {}).items():
        if name == "Stripe (finite coupons ignored)":
            assert customer.by_month(names, PRESETS["stripe"]) == expected
        if name.startswith("Stripe") and name.endswith("forever coupon"):
            lasting = Customer()
            lasting.subscribe("S-1", "2026-01-01", given["list"], discount=discounted(found[1]))
            assert lasting.by_month(names, PRESETS["stripe"]) == expected


def discounted(percent: str, ends: str | None = None) -> Discount:
    return Discount(discount_id="D-1", off_bp=100 * int(percent), ends_at=None if ends is None else day(ends))


def agreed_end(given: Case, case: Case) -> None:
    customer = Customer()
    customer.subscribe("S-1", given["period"][0], given["annual"], YEAR)
    customer.happen("S-1", given["requested"], s.CancellationScheduled, "scheduled_at", cancel_at=day(given["period"][1]))
    customer.end("S-1", given["period"][1])
    last = customer.movements()[-1]
    assert last["kind"] == "churn"
    assert {"churn_month": last["month"], "amount": text(last["amount"])} == case["expected"]
    for name, expected in case.get("peers_disagree", {}).items():
        if name.startswith("Stripe"):
            assert [each["month"] for each in customer.movements(PRESETS["stripe"]) if each["kind"] == "churn"] == [expected]


def pause(given: Case, case: Case) -> None:
    began, ended = given["paused"]
    customer = Customer()
    customer.subscribe("S-1", "2026-01-01", given["mrr"])
    customer.happen("S-1", began, s.Paused, "paused_at", subject_id="subscription:S-1")
    customer.happen("S-1", ended, s.Resumed, "resumed_at")
    names = {"may": "2026-05", "june": "2026-06", "july": "2026-07"}
    told = customer.by_month(names[name] for name in case["expected"])
    assert told == list(case["expected"].values())
    assert [each["kind"] for each in customer.movements()] == ["new", "contraction", "expansion"]
    assert len(customer.movements(PRESETS["polar"])) == 1


def comes_back(given: Case, case: Case) -> None:
    customer = spans([("2025-12-10", given["churn"], given["mrr"])])
    customer.subscribe("S-9", given["return_"], given["mrr"])
    last = customer.movements()[-1]
    assert {"type": last["kind"], "amount": text(last["amount"])} == case["expected"]
    assert customer.movements(PRESETS["maxio"])[-1]["kind"] == case.get("peers_disagree", {}).get("Maxio (90-day window)", "new")


def short_stay(given: Case, case: Case) -> None:
    customer = spans([(given["start"], given["end"], given["mrr"])])
    told = {each["kind"]: text(each["amount"]) for each in customer.movements()}
    assert {**told, "net": customer.by_month([given["end"][:7]])[0]} == case["expected"]
    assert customer.movements(PRESETS["profitwell"]) == []


def rates(given: Case, case: Case) -> None:
    """Each rate holds from the beginning of its month."""
    customer = Customer()
    for name, rate in given["rates"].items():
        since = day(f"{name}-01")
        said = fx.RatePublished(published_at=since, base="EUR", quote="USD", rate=Decimal(rate), holds_from=since, provider="bank")
        customer.tell("fx:EUR/USD", since, "fx.rate_published", said)
    first, second = sorted(given["rates"])
    customer.subscribe("S-1", f"{first}-01", given["mrr_eur"], currency="EUR")
    rule = Revenue(reporting_currency="USD")
    may, june = customer.by_month([first, second], rule)
    moved = {each["kind"]: each["reported"] for each in customer.movements(rule) if each["month"] == second}
    said_so = {"may": may, "june": june, "expansion": text(moved.get("expansion", 0)), "fx_impact": text(moved["fx"])}
    assert said_so == case["expected"]


def identity(given: Case, case: Case) -> None:
    month = RollForward(**{name: cents(amount) for name, amount in given.items()})
    assert {"end": text(month.end), "net_new": text(month.net_new)} == case["expected"]


def periods_of_a_data_set(given: Case, case: Case) -> None:
    told = [[each["month"], DATASET.get(each["kind"], each["kind"]), each["amount"]] for each in spans(given["periods"]).movements()]
    assert told == [[month, word, cents(amount)] for month, word, amount in case["expected"]["movements"]]


def data_set(given: Case, case: Case) -> None:
    """The whole data set is taken in by tests/importers/test_subscription_periods.py, where these figures are asked for too."""
    sums = by_customer()
    if "spine_start" in given:  # a months' table that begins too late loses them; nothing here begins but by facts
        assert all(expected == [] for expected in case["expected"].values())
        for customer in given["customers"]:
            assert [each["kind"] for each in sums[str(customer)].movements()][:1] == ["new"]
        return
    totals: dict[str, dict[str, int]] = {}
    for customer in sums.values():
        for each in customer.movements():
            month = totals.setdefault(each["month"], {})
            word = DATASET.get(each["kind"], each["kind"])
            month[word] = month.get(word, 0) + each["amount"]
    assert (len(sums), sum(len(each.streams) for each in sums.values())) == (given["customers"], given["rows"])
    told = {month: {word: Fraction(amount, 100) for word, amount in totals[month].items()} for month in case["expected"]}
    assert told == case["expected"]


def by_customer() -> Mapping[str, Customer]:
    path = Path(__file__).parents[2].parent / "shared" / "data" / "mrr" / "subscription_periods.csv"
    if not path.exists():
        pytest.skip("The third-party data of this test are not part of the repository: put them into ../shared/data beside the checkout.")
    found: dict[str, list[tuple[str, str, str]]] = {}
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        _, customer, begins, ends, amount = line.split(",")
        found.setdefault(customer, []).append((begins, ends, amount))
    return {customer: spans(periods) for customer, periods in found.items()}


def roll(given: Case) -> RollForward:
    names = ("start", "new", "reactivation", "expansion", "contraction", "churn")
    return RollForward(**{"start": 0, **{name: cents(given[name]) for name in names if name in given}})


def test_churn(case: Case) -> None:
    given = case["inputs"]
    match sorted(given):
        case ["churn", "contraction", "expansion", "reactivation", "start"]:
            month = roll(given)
            told = {"gross": ratio(gross_churn(month)), "net": ratio(net_churn(month, with_reactivation=True))}
        case ["end", "new", "start"]:
            change = cents(given["end"]) - cents(given["new"]) - cents(given["start"])
            moved = {"expansion": change} if change > 0 else {"contraction": -change}
            told = {"net": ratio(net_churn(RollForward(cents(given["start"]), new=cents(given["new"]), **moved)))}
        case ["churned", "churned_new", "new", "start"]:
            told = {"rate": ratio(logo_churn(given["start"], given["churned"], churned_new=given["churned_new"]))}
        case ["lost", "mrr"]:
            month = RollForward(sum(map(cents, given["mrr"])), churn=sum(map(cents, given["lost"])))
            told = {"logo": ratio(logo_churn(len(given["mrr"]), len(given["lost"]))), "revenue": ratio(gross_churn(month))}
        case unknown:
            pytest.fail(f"no rule for churn of {', '.join(unknown)}")
    assert told == case["expected"]


def test_retention(case: Case) -> None:
    given = case["inputs"]
    match sorted(given):
        case ["churn", "contraction", "expansion", "new", "reactivation", "start"]:
            month = roll(given)
            lost = gross_churn(month)
            assert lost is not None
            told = {"nrr": ratio(net_retention(month)), "grr": ratio(1 - lost)}
            for name, expected in case.get("peers_disagree", {}).items():
                if "reactivation offsets" in name:
                    assert ratio(net_retention(month, with_reactivation=True)) == expected
        case ["end", "start"]:
            pairs = [(cents(amount), cents(given["end"].get(name, 0))) for name, amount in given["start"].items()]
            net = Fraction(sum(end for _, end in pairs), sum(began for began, _ in pairs))
            told = {"grr": ratio(gross_retention(pairs)), "nrr": ratio(net)}
        case ["active"]:
            told = {name: ratio(pooled_retention(given["active"].values(), int(name[1:]))) for name in case["expected"]}
        case ["churn", "contraction", "expansion", "new"]:
            told = {"ratio": ratio(quick_ratio(roll(given)), 2)}
        case unknown:
            pytest.fail(f"no rule for retention of {', '.join(unknown)}")
    assert told == case["expected"]
