"""Is a population whole? Checked from its files alone, and a key of the ledger's that the reader has from elsewhere.

Every leaf of the range is there and leads to the checkpoint that was signed; the facts before and after it were recorded outside the
period; every fact of the control's topics among them is in the file as it was recorded, and nothing else is.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from opsledger.audit.findings import Checked
from opsledger.audit.leaf import Leaf, read_leaf
from opsledger.audit.merkle import HASH_SIZE, Frontier, leaf_hash, verify_consistency
from opsledger.audit.note import VerifierKey, open_checkpoint, unbase64
from opsledger.domain.controls import CONTROLS, Control
from opsledger.errors import BadInput, Unproven
from opsledger.policies.instants import parse
from opsledger.replay.evidence.population import COLUMNS, Count, Period, Statement, belongs, beside, envelope

__all__ = ["check_population", "read_statement"]


def check_population(file: Path, keys: Sequence[VerifierKey]) -> Checked:
    """Return what the check of an exported population came to; `keys` are the ledger's, by which its checkpoint must be signed.

    Raises BadInput where the files cannot be read.
    """
    statement = read_statement(file)
    result = Checked("population")
    if hashlib.sha256(_content(file)).hexdigest() != statement.sha256:
        result.find(f"{file.name} is not the file that the statement was made for; its SHA-256 is another.")
    rows = _rows(file, result)
    if len(rows) != statement.population:
        result.find(f"The statement counts {statement.population} facts in the population, and {file.name} has {len(rows)}.")
    _control(statement, result)
    if statement.leaves is None:
        result.leave("Whether anything was left out: no leaves were exported; ask for them with --leaves.")
        return result
    leaves = list(_leaves(file.with_name(statement.leaves)))
    if _in_order(statement, leaves, result):
        _rooted(statement, leaves, keys, result)
        _bounded(statement, [leaf for leaf, _ in leaves], result)
        _whole(statement, [leaf for leaf, _ in leaves if statement.first <= leaf.position <= statement.last], rows, result)
    return result


def read_statement(file: Path) -> Statement:
    """Return the statement beside a population's file. Raises BadInput where there is none, or it is malformed."""
    path = beside(file, "statement.json")
    try:
        return msgspec.json.decode(_content(path), type=Statement, strict=True)
    except msgspec.MsgspecError as error:
        raise BadInput(
            "population.statement", f"{path.name} is no statement of a population: {error}; take it from where it was made."
        ) from None


def _control(statement: Statement, result: Checked) -> None:
    """Compare what the statement says that the control means with what this program means by it."""
    known = CONTROLS.get(statement.control)
    if known is None:
        result.leave(
            f"What the control '{statement.control}' means: this program has none of that name; its topics were {statement.topics}."
        )
    elif (known.topics, known.late) != (statement.topics, bool(statement.bounds)):
        result.leave(
            f"What the control '{statement.control}' means: the statement takes {', '.join(statement.topics)}, this program takes "
            f"{', '.join(known.topics)}{' that are late' if known.late else ''}."
        )


def _in_order(statement: Statement, leaves: Sequence[tuple[Leaf, bytes]], result: Checked) -> bool:
    """Return whether the leaves are those of the positions that the statement shows, each once."""
    found = [leaf.position for leaf, _ in leaves]
    if found != list(range(statement.shown_first, statement.shown_last + 1)):
        result.find(
            f"The statement shows the leaves of positions {statement.shown_first} to {statement.shown_last}, and these are not they: "
            f"there are {len(found)}."
        )
        return False
    if not statement.shown_first <= statement.first <= statement.last + 1 <= statement.shown_last + 1:
        result.find(f"The statement's range, positions {statement.first} to {statement.last}, does not lie within what it shows.")
        return False
    for leaf, _ in leaves:
        if leaf.origin != statement.origin:
            result.find(f"The leaf of position {leaf.position} is of {leaf.origin}, and the statement of {statement.origin}.")
            return False
    return True


def _rooted(statement: Statement, leaves: Sequence[tuple[Leaf, bytes]], keys: Sequence[VerifierKey], result: Checked) -> None:
    """Lead from the leaves to the checkpoint."""
    tree, inner = _frontier(statement), Frontier()
    for leaf, data in leaves:
        tree.append(leaf_hash(data))
        if statement.first <= leaf.position <= statement.last:
            inner.append(leaf_hash(data))
    result.count("leaves", len(leaves))
    if tree.root() != _hash(statement.tree) or inner.root() != _hash(statement.root):
        result.find("The leaves do not have the roots that the statement names; one of them was changed.")
        return
    if statement.checkpoint is None:
        result.leave("Whether the ledger is the one that was signed: no checkpoint covers the range; sign one, and export again.")
        return
    if not keys:
        result.leave("Whether the checkpoint is the ledger's: give its verifier key, which you have from elsewhere, with --key.")
        return
    try:
        checkpoint = open_checkpoint(statement.checkpoint, keys, statement.origin)
        if statement.shown_last:
            proof = [_hash(each) for each in statement.consistency]
            verify_consistency(statement.shown_last, checkpoint.size, tree.root(), checkpoint.root, proof)
    except Unproven as error:
        result.find(error.sentence)
        return
    if statement.by == "recorded" and statement.shown_last == statement.last and checkpoint.size > statement.last:
        result.find(f"The checkpoint covers {checkpoint.size} facts, and the leaf after position {statement.last} was left out.")


def _bounded(statement: Statement, leaves: Sequence[Leaf], result: Checked) -> None:
    """Check that the range is the whole period: what was recorded before and after it was recorded outside."""
    if statement.by == "happened":
        return
    begin, end = parse(statement.begin), parse(statement.end)
    for leaf in leaves:
        within = statement.first <= leaf.position <= statement.last
        if within != (begin <= leaf.recorded_at < end):
            where = "in the range and was recorded outside the period" if within else "outside the range and was recorded in the period"
            result.find(f"Position {leaf.position} is {where}.", position=leaf.position, stream=leaf.stream)
    if statement.shown_last == statement.last:
        result.leave(
            f"Whether more was recorded in the period: nothing that is signed comes after position {statement.last}; export later."
        )


def _whole(statement: Statement, range_: Sequence[Leaf], rows: dict[int, dict[str, Any]], result: Checked) -> None:
    """Compare the facts that belong to the population with those that are in the file."""
    control = Control(statement.control, statement.meaning, statement.frameworks, statement.topics, late=bool(statement.bounds))
    period = Period(parse(statement.begin), parse(statement.end), statement.by == "happened")
    due = {leaf.position: leaf for leaf in range_ if belongs(leaf, control, period, statement.bounds)}
    for position, leaf in due.items():
        where: dict[str, Any] = {"position": position, "stream": leaf.stream}
        if position not in rows:
            result.find(f"Position {position} ({leaf.topic} in {leaf.stream}) belongs to the population and was left out.", **where)
        elif (column := _otherwise(leaf, rows[position])) is not None:
            result.find(
                f"Position {position} ({leaf.topic} in {leaf.stream}) has another {column} in the file than in the ledger.", **where
            )
    for position in sorted(rows.keys() - due.keys()):
        result.find(f"Position {position} is in the file and does not belong to the population.", position=position)
    looked_at, taken = Counter(leaf.topic for leaf in range_), Counter(leaf.topic for leaf in due.values())
    if statement.found != {topic: Count(count, taken[topic]) for topic, count in looked_at.items()} or statement.facts != len(range_):
        result.find("The counts of the statement are not those of the leaves.")
    result.count("facts in the range", len(range_))
    result.count("facts of the population", len(due))


def _otherwise(leaf: Leaf, row: dict[str, Any]) -> str | None:
    """Return the first column in which a line of the file differs from what was recorded."""
    said = envelope(leaf)
    for name, value in said.items():
        if row[name] != value and row[name] != ("" if value is None else str(value)):
            return name
    return None if hashlib.sha256(str(row["state"]).encode()).digest() == leaf.digest else "state"


# Files.


def _rows(file: Path, result: Checked) -> dict[int, dict[str, Any]]:
    rows: dict[int, dict[str, Any]] = {}
    for row in _lines(file):
        position = int(row["position"])
        if position in rows:
            result.find(f"Position {position} is in {file.name} twice.", position=position)
        rows[position] = row
    return rows


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    try:
        with file.open(encoding="utf-8", newline="") as opened:
            lines = csv.DictReader(opened, strict=True) if file.suffix == ".csv" else map(json.loads, opened)
            for row in lines:
                if tuple(row) != COLUMNS or not str(row["position"]).isdecimal():
                    raise ValueError("a line has other columns than a population has")
                yield row
    except (ValueError, TypeError, csv.Error) as error:
        raise BadInput("population.malformed", f"{file.name} is no population as it was exported: {error}.") from None


def _leaves(path: Path) -> Iterator[tuple[Leaf, bytes]]:
    """Yield each leaf with its bytes. A leaf is taken as it is written; what it says is proved by its hash."""
    for number, line in enumerate(_content(path).decode(errors="replace").splitlines(), 1):
        data = unbase64(line)
        leaf, rest = read_leaf(data) if data is not None else (None, b"")
        if data is None or leaf is None or rest:
            raise BadInput("population.leaves", f"Line {number} of {path.name} is no leaf; take the file from where it was made.")
        yield leaf, data


def _frontier(statement: Statement) -> Frontier:
    nodes = b"".join(_hash(each) for each in statement.before)
    return Frontier.from_bytes((statement.shown_first - 1).to_bytes(8, "big") + nodes)


def _hash(text: str) -> bytes:
    value = unbase64(text)
    if value is None or len(value) != HASH_SIZE:
        raise BadInput(
            "population.statement", f"The statement names the hash {text[:60]!r}, which is none; take it from where it was made."
        )
    return value


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInput("population.missing", f"{path} cannot be read ({error.strerror}); a population comes with all its files.") from None
