"""Attacks on what makes tables of the log, and what no log can show. Numbers as in docs/explanation/proof.md."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest
from attacked import World, check_of, found

from opsledger.app import OpsLedger, Taken
from opsledger.audit.findings import Checked
from opsledger.domain import fact, ticket
from opsledger.policies.instants import at
from opsledger.projections.governance import audit_trail
from opsledger.replay.asof import as_of, replay
from opsledger.replay.evidence.receipt import Receipt
from opsledger.replay.evidence.repeating import compare_receipts, differing_versions, make_receipt
from opsledger.replay.scratch import scratch_tables

PROGRAM = """
import json, sys
from opsledger.app import OpsLedger
from opsledger.replay.asof import as_of, replay
from opsledger.replay.digest import digests
from opsledger.replay.scratch import scratch_tables
with OpsLedger.open(sys.argv[1]) as ledger, scratch_tables() as tables:
    replay(ledger.store, tables, as_of(ledger.store))
    print(json.dumps(digests(tables)))
"""


def replayed(ledger: OpsLedger, then: Receipt | None = None) -> tuple[Receipt, Checked | None]:
    """Replay the ledger, and return the receipt; with an earlier one also what comparing them came to."""
    with scratch_tables() as tables:
        shown = as_of(ledger.store)
        replay(ledger.store, tables, shown)
        now = make_receipt(ledger.store, ledger.seals, ledger.url, tables, shown)
        return now, None if then is None else compare_receipts(then, now, ledger.store, tables)


def url_of(world: World) -> str:
    url = world.ledger.url
    return f"sqlite:///{url.path}" if url.kind == "sqlite" else world.url


# 26, 27, 28: other code.


def test_26_a_replay_by_other_code_gives_other_rows_which_are_named_and_by_which_code_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt, _ = replayed(world.ledger)
    _, same = replayed(world.ledger, receipt)
    assert same is not None and same.verdict == "clean"
    with monkeypatch.context() as other:
        other.setattr(audit_trail, "summary", lambda fact: "otherwise")
        _, differing = replayed(world.ledger, receipt)
    assert differing is not None
    (finding,) = differing.findings
    assert (finding.table, finding.keys) == ("audit_trail", tuple((position,) for position in range(1, 12)))
    elsewhere = replace(receipt.versions, source="0" * 64)
    assert differing_versions(elsewhere, receipt.versions) == [f"source was {'0' * 64} and is {receipt.versions.source}"]


def test_27_code_that_does_not_give_the_same_twice_is_found_by_folding_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = count()
    monkeypatch.setattr(audit_trail, "summary", lambda fact: f"as the clock said: {next(numbers)}")
    assert sum(difference.rows for difference in world.ledger.tables.rebuild()) == 11
    report = world.verify_kept("integrity", "checkpoints", "projections")
    assert set(found(report)) == {"projections"}
    assert [finding.table for finding in check_of(report, "projections").findings] == ["audit_trail"]


def test_27_two_processes_with_another_zone_hash_seed_and_locale_give_the_same_tables(world: World) -> None:
    told = []
    for zone, seed, locale in (("UTC", "0", "C"), ("Asia/Kathmandu", "4711", "de_DE.UTF-8")):
        environment = {**os.environ, "TZ": zone, "PYTHONHASHSEED": seed, "LC_ALL": locale}
        done = subprocess.run([sys.executable, "-c", PROGRAM, url_of(world)], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        told.append(json.loads(done.stdout))
    receipt, _ = replayed(world.ledger)
    assert told[0] == told[1] == {each.name: each.digest for each in receipt.tables}


@pytest.fixture
def other_upcast() -> Iterator[None]:
    """Have older revisions of a fact read otherwise, as a program does that was changed."""
    kind = fact.fact_type("ticket.responded")
    fact._TYPES["ticket.responded"] = replace(kind, upcasts={0: lambda values: values})
    yield
    fact._TYPES["ticket.responded"] = kind


def test_28_a_program_that_reads_older_facts_otherwise_is_another_one_by_the_receipt(world: World, request: pytest.FixtureRequest) -> None:
    receipt, _ = replayed(world.ledger)
    request.getfixturevalue("other_upcast")
    now, compared = replayed(world.ledger, receipt)
    assert compared is not None and compared.verdict == "clean", "no fact here is of an older revision"
    assert [said.partition(" ")[0] for said in differing_versions(receipt.versions, now.versions)] == ["topics"]
    assert world.verify_kept("integrity", "checkpoints").code == 0, "what is stored is as it was"


# 45: what was never recorded.


def test_45_what_was_never_recorded_is_missed_by_nobody_at_any_level(world: World) -> None:
    """T-1 was answered a second time by telephone, and nobody typed it in. The next checkpoint covers a log without it."""
    world.keep()
    for report in (world.verify(), world.verify_kept(), world.verify_timed()):
        assert report.code == 0, list(report.lines())
    assured = world.verify_timed("checkpoints").assurance
    assert assured is not None
    assert (assured.level, assured.exposed) == ("L2", 0), "nor is it said to be exposed: it is not there to be"


def test_45_of_what_another_system_hands_over_every_record_is_answered_for(world: World) -> None:
    """Where facts come from another system, a record left out shows there: each is new, known, or changed and listed."""
    importer = world.ledger.by("importer")
    records = [Taken(f"row-{n}", (("ticket:T-2", ticket.Resumed(resumed_at=at(f"2026-03-02T09:0{n}:00Z"))),)) for n in (3, 4, 5)]
    first = importer.observe(records[:2], source="elsewhere")
    again = importer.observe(records, source="elsewhere")
    assert (first.new, first.known, again.new, again.known) == (2, 0, 1, 2)
    assert world.ledger.store.taken("elsewhere", [each.source_id for each in records]).keys() == {"row-3", "row-4", "row-5"}
