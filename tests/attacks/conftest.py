"""A ledger of each kind, signed and about to be attacked."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attacked import World, play

from opsledger.app import OpsLedger
from opsledger.audit.sealing import origin_of
from opsledger.audit.signing import SigningKey
from opsledger.testing.plugin import Clock


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest) -> OpsLedger:
    made: OpsLedger = request.getfixturevalue("opsledger_sqlite" if request.param == "sqlite" else "opsledger_pg")
    return made


@pytest.fixture
def world(request: pytest.FixtureRequest, ledger: OpsLedger, opsledger_clock: Clock) -> Iterator[World]:
    key = SigningKey.generate(origin_of(ledger.store))
    schema = f"?schema={ledger.url.schema}" if ledger.url.kind == "postgresql" else ""
    base = str(request.getfixturevalue("opsledger_postgres_url")) if schema else ""
    made = World(ledger, opsledger_clock, key, f"{base}{schema.replace('?', '&') if '?' in base else schema}")
    play(made)
    ledger.catch_up()
    assert [row.position for row in ledger.store.page(0, 99)] == list(range(1, 12))
    report = made.verify_kept()
    assert report.code == 0, list(report.lines())
    assert report.assurance is not None
    assert (report.assurance.level, report.assurance.covered, report.assurance.exposed) == ("L1", 9, 2)
    yield made
    if made.ledger is not ledger:
        made.ledger.close()


@pytest.fixture
def copy(world: World, tmp_path: Path) -> Path:
    """Give a copy of an SQLite ledger as it stands, as a backup is."""
    target = tmp_path / "copy.db"
    with closing(sqlite3.connect(world.ledger.url.path)) as source, closing(sqlite3.connect(target)) as into:
        source.backup(into)
    return target
