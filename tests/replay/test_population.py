"""Populations: what is exported, and that nobody can leave out, add or change a fact of it unseen."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from verified import register

from opsledger.app import OpsLedger
from opsledger.app.sealing import introduce_key
from opsledger.audit.findings import Checked
from opsledger.audit.merkle import leaf_hash, root
from opsledger.audit.note import VerifierKey
from opsledger.audit.ranges import root_between, told_root
from opsledger.audit.sealing import origin_of
from opsledger.audit.signing import SigningKey
from opsledger.domain import ticket
from opsledger.domain.controls import Control, control
from opsledger.errors import BadInput, OpsledgerError, Unproven
from opsledger.policies.instants import at, micros
from opsledger.policies.support import Priority
from opsledger.replay.evidence.completeness import check_population
from opsledger.replay.evidence.populating import export_population
from opsledger.replay.evidence.population import COLUMNS, Period, Statement, beside
from opsledger.testing.plugin import Clock
from tampering import attack

MORNING = ("2026-03-02T09:05:00Z", "2026-03-02T10:15:00Z")


def export(
    ledger: OpsLedger,
    folder: Path,
    name: str = "all.jsonl",
    of: str | Control = "audit-trail",
    period: tuple[str, str] = MORNING,
    **given: Any,
) -> tuple[Path, Statement]:
    chosen = control(of) if isinstance(of, str) else of
    begin, end = (micros(at(each)) for each in period)
    into = folder / name
    between = Period(begin, end, given.pop("happened", False))
    given = {"now": micros(ledger.now()), "leaves": True, **given}
    return into, export_population(ledger.store, ledger.seals, chosen, between, into, **given)


def facts(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def sealed(history: OpsLedger, opsledger_clock: Clock) -> tuple[OpsLedger, VerifierKey]:
    """The small history, then a key at position 11, a ticket at 12 and a checkpoint over all twelve; it is noon."""
    key = SigningKey.generate(origin_of(history.store))
    introduce_key(history, key, proposed_by="u-sec", approved_by="u-cto")
    opsledger_clock.set("2026-03-02T12:00:00Z")
    register(history, "T-3")
    history.seal(key)
    return history, key.verifier


# What is exported.


def test_a_period_is_a_range_of_positions_from_its_beginning_to_before_its_end(history: OpsLedger, tmp_path: Path) -> None:
    assert [row.recorded_at for row in history.store.page(6, 4)] == [
        micros(at(f"2026-03-02T{wall}:00Z")) for wall in ("09:10", "10:00", "10:10", "10:20")
    ]
    for begin, end, positions in (
        ("09:10:00", "10:10:00", [7, 8]),
        ("09:10:00.000001", "10:10:00.000001", [8, 9]),
        ("00:00:00", "10:20:00", [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("09:30:00", "09:40:00", []),
    ):
        name = f"{begin.replace(':', '')}.jsonl"
        into, statement = export(history, tmp_path, name, period=(f"2026-03-02T{begin}Z", f"2026-03-02T{end}Z"))
        assert [fact["position"] for fact in facts(into)] == positions
        assert list(range(statement.first, statement.last + 1)) == positions
        assert statement.facts == statement.population == len(positions)


def test_every_column_is_there_with_the_bytes_as_they_are_stored(history: OpsLedger, tmp_path: Path) -> None:
    into, _ = export(history, tmp_path)
    stored = {row.position: row for row in history.store.page(0, 20)}
    for fact in facts(into):
        row = stored[fact["position"]]
        assert tuple(fact) == COLUMNS
        assert fact["state"].encode() == row.state
        assert (micros(at(fact["occurred_at"])), micros(at(fact["recorded_at"]))) == (row.occurred_at, row.recorded_at)
        assert all(fact[name] == getattr(row, name) for name in COLUMNS if name not in ("state", "occurred_at", "recorded_at"))


def test_csv_has_the_same_facts(history: OpsLedger, tmp_path: Path) -> None:
    lines, _ = export(history, tmp_path)
    table, _ = export(history, tmp_path, "all.csv")
    with table.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [{name: "" if value is None else str(value) for name, value in fact.items()} for fact in facts(lines)] == rows


def test_only_facts_of_the_control_are_written_and_all_are_counted(history: OpsLedger, tmp_path: Path) -> None:
    into, statement = export(history, tmp_path, of="tickets", period=("2026-03-01", "2026-03-02T10:00:00Z"))
    assert [(fact["position"], fact["topic"]) for fact in facts(into)] == [(5, "ticket.registered"), (6, "ticket.registered")]
    assert {topic: (count.range, count.population) for topic, count in statement.found.items()} == {
        "calendar.published": (2, 0),
        "ledger.created": (1, 0),
        "policy.published": (1, 0),
        "ticket.registered": (2, 2),
        "ticket.responded": (1, 0),
    }


def test_by_happening_the_whole_ledger_is_looked_at(history: OpsLedger, tmp_path: Path) -> None:
    history.by("u-7", role="support", at=at("2026-03-02T09:30:00Z")).record(ticket.update_customer, "T-2", message="Found it")
    into, statement = export(history, tmp_path, period=("2026-03-02T09:30:00Z", "2026-03-02T10:10:00Z"), happened=True)
    assert [fact["position"] for fact in facts(into)] == [8, 11]
    assert (statement.first, statement.last, statement.by) == (1, 11, "happened")


def test_late_entries_are_those_of_the_model_known_then(history: OpsLedger, tmp_path: Path) -> None:
    history.by("u-7", role="support", at=at("2026-02-27T09:30:00Z")).record(
        ticket.register, "L-1", customer_id="C-1", requester_id="p-1", channel="email", priority=Priority.LOW, summary=None
    )
    into, statement = export(
        history, tmp_path, of="late-entries", period=("2026-03-01", "2026-03-02T10:20:00.000001Z"), now=micros(at("2026-03-03"))
    )
    assert [fact["position"] for fact in facts(into)] == [11]
    assert [(bound.position, bound.seconds) for bound in statement.bounds] == [(4, 86_400)]
    history.catch_up()
    assert [row["position"] for row in history.tables.select("late_entry")] == [11]


def test_the_statement_holds_the_roots_of_the_range_and_of_the_tree(history: OpsLedger, tmp_path: Path) -> None:
    _, statement = export(history, tmp_path)
    assert (statement.first, statement.last, statement.shown_first, statement.shown_last) == (7, 9, 6, 10)
    assert statement.root == told_root(root_between(history.store, 7, 9))
    assert statement.tree == told_root(root_between(history.store, 1, 10))
    leaves = [leaf_hash(base64.b64decode(line)) for line in beside(tmp_path / "all.jsonl", "leaves").read_text().splitlines()]
    assert statement.root == told_root(root(leaves[1:4]))
    assert (statement.simulated, statement.checkpoint, statement.consistency) == (True, None, ())


def test_the_same_period_gives_the_same_bytes_whenever_it_is_exported(history: OpsLedger, tmp_path: Path) -> None:
    one, _ = export(history, tmp_path, "one.jsonl")
    register(history, "T-9")
    other, _ = export(history, tmp_path, "other.jsonl")
    assert one.read_bytes() == other.read_bytes()
    assert beside(one, "leaves").read_bytes() == beside(other, "leaves").read_bytes()


# What is refused, and then nothing lies there.


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"period": (MORNING[1], MORNING[0])}, "is no period that is over"),
        ({"period": (MORNING[0], MORNING[0])}, "is no period that is over"),
        ({"period": ("2026-03-02", "2026-03-02T10:20:00.000001Z")}, "is no period that is over"),
        ({"name": "all.txt"}, "neither JSON lines nor CSV"),
        ({"checkpoint": "no note"}, "no signed note"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence_and_leaves_no_file(
    history: OpsLedger, tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    with pytest.raises(OpsledgerError, match=said):
        export(history, folder, **given)
    assert list(folder.iterdir()) == []


def test_evidence_is_not_written_over(history: OpsLedger, tmp_path: Path) -> None:
    for name in ("all.jsonl", "all.jsonl.leaves", "all.jsonl.statement.json"):
        folder = tmp_path / f"with {name}"
        folder.mkdir()
        (folder / name).write_text("mine", encoding="utf-8")
        with pytest.raises(BadInput, match="evidence is not written over"):
            export(history, folder)
        assert [(path.name, path.read_text()) for path in folder.iterdir()] == [(name, "mine")]


def test_a_log_that_was_edited_since_it_was_signed_exports_nothing(sealed: tuple[OpsLedger, VerifierKey], tmp_path: Path) -> None:
    ledger, _ = sealed
    attack(ledger, "UPDATE ledger_event SET recorded_by = 'u-8' WHERE position = 6")
    folder = tmp_path / "evidence"
    folder.mkdir()
    with pytest.raises(Unproven):
        export(ledger, folder)
    assert list(folder.iterdir()) == []


# Whether a population is whole, checked without the ledger.


def check(file: Path, *keys: VerifierKey) -> Checked:
    return check_population(file, keys)


@pytest.mark.parametrize("name", ["all.jsonl", "all.csv"])
@pytest.mark.parametrize("of", ["audit-trail", "tickets", "late-entries"])
@pytest.mark.parametrize("happened", [False, True])
def test_a_whole_population_is_clean(sealed: tuple[OpsLedger, VerifierKey], tmp_path: Path, name: str, of: str, happened: bool) -> None:
    ledger, key = sealed
    file, statement = export(ledger, tmp_path, name, of, happened=happened)
    result = check(file, key)
    assert (result.verdict, result.findings, result.undecided) == ("clean", [], [])
    assert result.looked_at["facts in the range"] == statement.facts


def test_without_leaves_a_checkpoint_or_a_key_nothing_is_proved_and_that_is_said(
    history: OpsLedger, sealed: tuple[OpsLedger, VerifierKey], tmp_path: Path
) -> None:
    file, _ = export(history, tmp_path, "bare.jsonl", leaves=False)
    assert [said.partition(":")[0] for said in check(file, sealed[1]).undecided] == ["Whether anything was left out"]
    file, _ = export(history, tmp_path)
    assert [said.partition(":")[0] for said in check(file).undecided] == ["Whether the checkpoint is the ledger's"]


def test_a_range_that_reaches_the_end_of_what_is_signed_is_undecided(sealed: tuple[OpsLedger, VerifierKey], tmp_path: Path) -> None:
    ledger, key = sealed
    file, statement = export(ledger, tmp_path, period=("2026-03-02", "2026-03-02T13:00:00Z"), now=micros(at("2026-03-03")))
    assert statement.shown_last == statement.last == 12
    assert [said.partition(":")[0] for said in check(file, key).undecided] == ["Whether more was recorded in the period"]


def test_a_key_of_somebody_else_proves_nothing(sealed: tuple[OpsLedger, VerifierKey], tmp_path: Path) -> None:
    ledger, _ = sealed
    file, _ = export(ledger, tmp_path)
    stranger = SigningKey.generate(origin_of(ledger.store)).verifier
    assert "signed by none of the keys" in check(file, stranger).findings[0].sentence


def restated(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the statement of a population as its exporter could, the file's own digest made to fit."""
    path = beside(file, "statement.json")
    said = json.loads(path.read_text(encoding="utf-8"))
    change(said)
    said["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    path.write_text(json.dumps(said), encoding="utf-8")


def lines_of(file: Path, change: Callable[[list[str]], list[str]]) -> None:
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(change(lines)), encoding="utf-8")


def recount(said: dict[str, Any]) -> None:
    """Have the statement count one answer less."""
    said["population"] -= 1
    said["found"]["ticket.responded"]["population"] -= 1


def test_a_fact_that_was_left_out_is_named_also_when_the_statement_fits(sealed: tuple[OpsLedger, VerifierKey], tmp_path: Path) -> None:
    ledger, key = sealed
    file, _ = export(ledger, tmp_path)
    lines_of(file, lambda lines: lines[1:])
    assert check(file, key).findings[0].sentence.startswith("all.jsonl is not the file that the statement was made for;")
    restated(file, recount)
    sentences = [finding.sentence for finding in check(file, key).findings]
    assert sentences == [
        "Position 7 (ticket.responded in ticket:T-1) belongs to the population and was left out.",
        "The counts of the statement are not those of the leaves.",
    ]


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ('"recorded_by": "u-7"', '"recorded_by": "u-8"', "recorded_by"),
        ('"occurred_at": "2026-03-02T10:00', '"occurred_at": "2026-03-02T09:00', "occurred_at"),
        ("awaiting_customer", "awaiting_vendor", "state"),
        ('"source": null', '"source": "x"', "source"),
    ],
)
def test_a_fact_that_was_changed_is_named_with_its_column(
    sealed: tuple[OpsLedger, VerifierKey], tmp_path: Path, old: str, new: str, column: str
) -> None:
    ledger, key = sealed
    file, _ = export(ledger, tmp_path)
    lines_of(file, lambda lines: [line.replace(old, new) if '"position": 8,' in line else line for line in lines])
    restated(file, lambda said: None)
    assert [finding.sentence for finding in check(file, key).findings] == [
        f"Position 8 (ticket.paused in ticket:T-1) has another {column} in the file than in the ledger."
    ]


def test_a_fact_that_does_not_belong_there_or_stands_twice_is_named(sealed: tuple[OpsLedger, VerifierKey], tmp_path: Path) -> None:
    ledger, key = sealed
    whole, _ = export(ledger, tmp_path, "whole.jsonl")
    file, _ = export(ledger, tmp_path, "tickets.jsonl", "tickets", period=("2026-03-01", "2026-03-02T10:15:00Z"))
    lines_of(file, lambda lines: [*lines, whole.read_text(encoding="utf-8").splitlines(keepends=True)[0], lines[0]])
    sentences = [finding.sentence for finding in check(file, key).findings]
    assert "Position 5 is in tickets.jsonl twice." in sentences
    assert "Position 7 is in the file and does not belong to the population." in sentences


def test_a_leaf_that_was_left_out_changed_or_put_elsewhere_is_found(sealed: tuple[OpsLedger, VerifierKey], tmp_path: Path) -> None:
    ledger, key = sealed
    for number, change in enumerate(
        (
            lambda lines: lines[:1] + lines[2:],
            lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
            lambda lines: lines[:-1],
            lambda lines: [lines[0], altered(lines[1]), *lines[2:]],
        )
    ):
        file, _ = export(ledger, tmp_path, f"{number}.jsonl")
        lines_of(beside(file, "leaves"), change)
        assert check(file, key).verdict == "findings", number


def altered(line: str) -> str:
    """Return a leaf that says that somebody else recorded the fact."""
    return base64.b64encode(base64.b64decode(line).replace(b"u-7", b"u-8")).decode() + "\n"


def test_a_period_cut_short_is_found_by_the_fact_beside_the_range(sealed: tuple[OpsLedger, VerifierKey], tmp_path: Path) -> None:
    ledger, key = sealed
    file, _ = export(ledger, tmp_path, period=(MORNING[0], "2026-03-02T10:05:00Z"))

    def longer(said: dict[str, Any]) -> None:
        said["end"] = "2026-03-02T10:15:00.000000Z"

    restated(file, longer)
    assert [finding.sentence for finding in check(file, key).findings] == [
        "Position 9 is outside the range and was recorded in the period."
    ]


def test_the_fact_after_the_range_cannot_be_held_back(sealed: tuple[OpsLedger, VerifierKey], tmp_path: Path) -> None:
    ledger, key = sealed
    file, _ = export(ledger, tmp_path)
    shorter, _ = export(ledger, tmp_path, "shorter.jsonl", period=(MORNING[0], "2026-03-02T10:05:00Z"))
    lines_of(beside(shorter, "leaves"), lambda lines: lines[:-1])
    tree, consistency = proof_of(ledger, 8)

    def hidden(said: dict[str, Any]) -> None:
        said.update(shown_last=8, end="2026-03-02T10:15:00.000000Z", tree=tree, consistency=consistency)

    restated(shorter, hidden)
    assert "the leaf after position 8 was left out" in check(shorter, key).findings[0].sentence
    assert check(file, key).verdict == "clean"


def proof_of(ledger: OpsLedger, size: int) -> tuple[str, list[str]]:
    from opsledger.audit.sealing import sealed_tree

    tree = sealed_tree(ledger.seals, ledger.seals.size())
    return told_root(root_between(ledger.store, 1, size)), [told_root(each) for each in tree.consistency_proof(size)]


def test_a_ledger_made_anew_does_not_lead_to_the_checkpoint(sealed: tuple[OpsLedger, VerifierKey], tmp_path: Path) -> None:
    ledger, key = sealed
    file, statement = export(ledger, tmp_path)
    attack(ledger, "UPDATE ledger_event SET recorded_by = 'u-8' WHERE position = 8")
    attack(ledger, "DELETE FROM ledger_checkpoint", "DELETE FROM ledger_hash")
    forged, _ = export(ledger, tmp_path, "forged.jsonl")

    def bound(said: dict[str, Any]) -> None:
        said.update(checkpoint=statement.checkpoint, consistency=list(statement.consistency))

    restated(forged, bound)
    assert "does not show that the tree" in check(forged, key).findings[0].sentence
    assert check(file, key).verdict == "clean"


def test_a_statement_that_means_something_else_by_the_control_is_undecided(history: OpsLedger, tmp_path: Path) -> None:
    narrow = Control("incidents", "Some of them.", ("none",), ("incident.declared",))
    file, _ = export(history, tmp_path, of=narrow)
    assert "the statement takes incident.declared, this program takes incident.*" in check(file).undecided[0]
    strange, _ = export(history, tmp_path, "strange.jsonl", Control("refunds", "All.", ("none",), ("refund.*",)))
    assert "this program has none of that name" in check(strange).undecided[0]


@pytest.mark.parametrize("what", ["file", "statement.json", "leaves"])
def test_a_file_that_is_missing_or_malformed_is_one_sentence(sealed: tuple[OpsLedger, VerifierKey], tmp_path: Path, what: str) -> None:
    ledger, key = sealed
    file, _ = export(ledger, tmp_path)
    path = file if what == "file" else beside(file, what)
    for text in ("{}\n", "[1]\n", "\u20ac\n", '{"position": "x"}\n', None):
        if text is None:
            path.unlink()
        else:
            path.write_text(text, encoding="utf-8")
        with pytest.raises(BadInput) as caught:
            check(file, key)
        assert caught.value.sentence.endswith(".")


def test_both_databases_give_populations_that_are_whole(opsledger_pg: OpsLedger, opsledger_clock: Clock, tmp_path: Path) -> None:
    key = SigningKey.generate(origin_of(opsledger_pg.store))
    introduce_key(opsledger_pg, key, proposed_by="u-sec", approved_by="u-cto")
    register(opsledger_pg, "T-1")
    opsledger_clock.forward(hours=1)
    register(opsledger_pg, "T-2")
    opsledger_pg.seal(key)
    file, statement = export(opsledger_pg, tmp_path, of="tickets", period=("2026-03-01", "2026-03-02T10:00:00Z"))
    assert (check(file, key.verifier).verdict, statement.population) == ("clean", 1)
