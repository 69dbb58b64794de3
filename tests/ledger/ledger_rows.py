"""Rows as short as a test can say them."""

from __future__ import annotations

from typing import Any

from opsledger.ledger.envelope import Append, NewFact

MINUTE = 60_000_000
MARCH = 1_772_442_000_000_000
"""2026-03-02T09:00:00Z in microseconds."""


def fact(stream: str, version: int, **said: Any) -> NewFact:
    """Return a fact that happened on 2026-03-02 at nine, unless it is said otherwise."""
    values = {
        "topic": "test.happened",
        "revision": 1,
        "state": b'{"n":1}',
        "occurred_at": MARCH,
        "recorded_at": None,
        "recorded_by": "u-7",
        "role": "support",
        "command_id": "c-1",
    }
    return NewFact(stream=stream, version=version, **{**values, **said})


def facts(stream: str, first: int, last: int, **said: Any) -> list[NewFact]:
    """Return facts of one stream with versions from `first` to `last`."""
    return [fact(stream, version, **said) for version in range(first, last + 1)]


def append(*rows: NewFact, **more: Any) -> Append:
    """Return one transaction."""
    return Append(facts=rows, **more)
