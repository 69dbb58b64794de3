"""A table of subscription periods (csv) -> subscriptions, each with its beginning and its end.

    ledger = OpsLedger.open("sqlite:///ops.db")
    import_subscriptions(ledger, Path("subscription_periods.csv"), currency="USD")

Columns: subscription_id, customer_id, start_date, end_date (empty: it runs), monthly_amount; dates are UTC days and the end is not part
of the period. A period that ends on the day on which the customer's next one begins is followed by it without a gap.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from opsledger.app.recording import checked_id
from opsledger.app.taking import Taken, recognise
from opsledger.domain import subscription as s
from opsledger.domain.billing import ProrationRule, Terms, cycle_from
from opsledger.errors import BadInput
from opsledger.importers.files import Unreadable, lines, sha256
from opsledger.importers.run import ImportResult, Quarantined, Run
from opsledger.policies.money import exponent, minor

if TYPE_CHECKING:
    from opsledger.app import OpsLedger

__all__ = ["COLUMNS", "import_subscriptions"]

Progress = Callable[[int, int], None]
"""Told (done, of) in rows."""

COLUMNS: Final = ("subscription_id", "customer_id", "start_date", "end_date", "monthly_amount")
_BATCH: Final = 1000


class _Period(NamedTuple):
    row: int  # line of the file; the header is line 1
    source_id: str
    customer_id: str
    starts_at: datetime
    ends_at: datetime | None
    monthly_minor: int
    content: bytes


def import_subscriptions(
    ledger: OpsLedger, path: Path | str, *, currency: str = "USD", source: str = "subscriptions", progress: Progress | None = None
) -> ImportResult:
    """Take in the periods of a file; return what was new, known and set aside.

    A row is known by its subscription_id, and its subscription is called after source and id: subscriptions-17. The same file again
    adds nothing. Set aside, and listed in `import_quarantine`, are rows that changed since, that cannot be read, that begin in the
    future, or whose end has not come yet (unfinished). Why a customer left is not said, so that all ends are `expired`. Raises
    BadInput where the file is no such table; then nothing was recorded.
    """
    path = Path(path)
    checked_id(source), exponent(currency)
    count = sum(1 for _ in _read(path, currency))  # to its end, before anything of it is recorded
    digest = sha256(path)
    run = Run.start(ledger, source, file_name=path.name, sha256=digest, zone="UTC", rows=count)
    history, done = _read(path, currency), 0
    while batch := list(islice(history, _BATCH)):
        _take(run, batch, currency)
        done += len(batch)
        if progress is not None:
            progress(done, count)
    return run.finish(rows=count, sha256=digest, policy_ref=None)


def _take(run: Run, batch: list[_Period | Quarantined], currency: str) -> None:
    """Record what is new in a batch."""
    aside = [each for each in batch if isinstance(each, Quarantined)]
    told = [each for each in batch if isinstance(each, _Period)]
    first: dict[str, _Period] = {}
    for each in told:
        first.setdefault(each.source_id, each)
    seen = recognise(run.ledger, run.source, {id: each.content for id, each in first.items()})
    now, records, known = run.ledger.now(), list[Taken](), 0
    for each in told:
        if each.source_id in seen.changed or each.content != first[each.source_id].content:
            aside.append(Quarantined(each.row, "changed", each.source_id))
        elif each.source_id in seen.known or each is not first[each.source_id]:
            known += 1
        elif each.starts_at > now:
            aside.append(Quarantined(each.row, "future", each.source_id, "start_date"))
        elif each.ends_at is not None and each.ends_at > now:
            aside.append(Quarantined(each.row, "unfinished", each.source_id, "end_date"))
        else:
            stream = f"subscription:{run.source}-{each.source_id}"
            records.append(Taken(each.source_id, tuple((stream, event) for event in _facts(each, currency)), each.content))
    run.take(records, sorted(aside, key=lambda each: each.row), known=known)


def _facts(period: _Period, currency: str) -> Iterator[s.Fact]:
    terms = Terms(
        plan_id="imported", plan_version=1, interval="month", pricing="flat", unit_amount_minor=period.monthly_minor, currency=currency
    )
    at, customer_id = period.starts_at, period.customer_id
    cycle = cycle_from(at, "UTC")
    yield s.Created(created_at=at, customer_id=customer_id, terms=terms, proration=ProrationRule(unit="none"), zone="UTC")
    yield s.Activated(activated_at=at, customer_id=customer_id, terms=terms, cycle=cycle, period=cycle.period(terms.length, 0))
    if period.ends_at is not None:
        yield s.Ended(ended_at=period.ends_at, customer_id=customer_id, end_reason="expired", terms=terms)


def _read(path: Path, currency: str) -> Iterator[_Period | Quarantined]:
    """Yield what each line after the header says. Raises BadInput where the file is no table of periods."""
    source = lines(path)
    header = next(csv.reader([next(source, b"").decode("utf-8-sig", errors="replace")]), [])
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise BadInput(
            "import.not_periods",
            f"'{path.name}' is not a table of subscription periods: its first line lacks {missing[0]}; give it with a header.",
        )
    for row, line in enumerate(source, 2):
        if line.strip():
            try:
                yield _period(row, line, header, currency)
            except Unreadable as error:
                yield Quarantined(row, "malformed", column=error.column)


def _period(row: int, line: bytes, header: list[str], currency: str) -> _Period:
    try:
        fields = next(csv.reader([line.decode("utf-8").rstrip("\r\n")], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        raise Unreadable from None
    if len(fields) != len(header):
        raise Unreadable
    said = dict(zip(header, fields, strict=True))
    starts_at = _day(said, "start_date")
    ends_at = _day(said, "end_date") if said["end_date"] else None
    if ends_at is not None and ends_at <= starts_at:
        raise Unreadable("end_date")
    ids = _id(said, "subscription_id"), _id(said, "customer_id")
    return _Period(row, *ids, starts_at, ends_at, _amount(said, currency), "\n".join(said[name] for name in COLUMNS).encode())


def _id(said: Mapping[str, str], column: str) -> str:
    try:
        return checked_id(said[column])
    except BadInput:
        raise Unreadable(column) from None


def _day(said: Mapping[str, str], column: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(said[column]), time(), UTC)
    except ValueError:
        raise Unreadable(column) from None


def _amount(said: Mapping[str, str], currency: str) -> int:
    try:
        amount = Decimal(said["monthly_amount"])
    except InvalidOperation:
        raise Unreadable("monthly_amount") from None
    if not amount.is_finite() or amount < 0 or amount.scaleb(exponent(currency)) % 1:  # a part of a cent is no amount
        raise Unreadable("monthly_amount")
    return minor(amount, currency)
