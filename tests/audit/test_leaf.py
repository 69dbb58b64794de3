"""The leaf of a fact: its bytes never change, every column is in it, and it reads back.

`pytest tests/audit/test_leaf.py --update-golden` adds the golden files that are missing. It never changes one.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from opsledger.app import OpsLedger
from opsledger.audit.leaf import Leaf, LeafWriter, read_leaf
from opsledger.audit.merkle import leaf_hash
from opsledger.domain import ticket
from opsledger.errors import BadInput
from opsledger.ledger.envelope import Row
from opsledger.policies.support import Priority

GOLDEN = Path(__file__).parent / "golden"
ORIGIN = "ops.example.com/ledger"
WRITER = LeafWriter(ORIGIN)
NUMBERS = ("position", "version", "revision", "occurred_at", "recorded_at")
TEXTS = ("stream", "topic", "recorded_by", "role", "command_id", "correlation_id", "causation_id", "source", "source_id")
OPTIONAL = frozenset(TEXTS[5:])

PLAIN = Row(
    position=5,
    stream="ticket:T-1042",
    version=2,
    topic="ticket.responded",
    revision=1,
    state=b'{"responded_at":"2026-03-02T09:30:00Z"}',
    occurred_at=1_772_443_800_000_000,
    recorded_at=1_772_443_801_250_000,
    recorded_by="u-7",
    role="support",
    command_id="7f3c2b1a",
    correlation_id=None,
    causation_id=None,
    source=None,
    source_id=None,
)
IMPORTED = PLAIN._replace(
    position=2**40,
    stream="ticket:T-Zürich-\N{SNOWMAN}",
    occurred_at=-1,
    role="",
    correlation_id="",
    causation_id="c-9",
    source="servicenow",
    source_id="INC0000045#1",
    state=b"",
)
SEALED = PLAIN._replace(
    topic="ticket.registered",
    revision=3,
    state=b'{"customer_id":"C-1","requester_id":"p-1","summary":{"part":"' + b"ab" * 32 + b'","key":"' + b"cd" * 16 + b'"}}',
)
EXAMPLES = {"plain": PLAIN, "imported": IMPORTED, "sealed": SEALED}


def spelled(origin: str, row: Row) -> bytes:
    """Write a leaf as the documentation says it, piece by piece."""
    made = b"opsledger/leaf/v1\n"
    made += len(origin.encode()).to_bytes(4, "big") + origin.encode()
    for name in NUMBERS:
        made += getattr(row, name).to_bytes(8, "big", signed=True)
    texts = [getattr(row, name) for name in TEXTS]
    for text in texts:
        made += (-1 if text is None else len(text.encode())).to_bytes(4, "big", signed=True)
    for text in texts:
        made += b"" if text is None else text.encode()
    return made + sha256(row.state).digest()


# Golden bytes.


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_bytes_of_a_leaf_are_what_they_always_were(name: str, request: pytest.FixtureRequest) -> None:
    path, row = GOLDEN / f"leaf.v1.{name}.json", EXAMPLES[name]
    if request.config.getoption("--update-golden") and not path.exists():
        shown = {**row._asdict(), "state": row.state.decode()}
        leaf = spelled(ORIGIN, row)
        written = {"origin": ORIGIN, "row": shown, "leaf_hex": leaf.hex(), "hash_hex": sha256(b"\x00" + leaf).hexdigest()}
        path.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    if not path.exists():
        pytest.fail(
            f"There is no {path.name}: nothing would hold these bytes. Run with --update-golden and commit what it adds.", pytrace=False
        )
    golden = json.loads(path.read_text(encoding="utf-8"))
    assert Row(**{**golden["row"], "state": golden["row"]["state"].encode()}) == row
    assert LeafWriter(golden["origin"]).data(row).hex() == golden["leaf_hex"]
    assert LeafWriter(golden["origin"]).hash(row).hex() == golden["hash_hex"]


def test_every_golden_leaf_belongs_to_an_example() -> None:
    assert {path.name for path in GOLDEN.glob("leaf.*")} == {f"leaf.v1.{name}.json" for name in EXAMPLES}


# Every column is covered.

INTEGERS = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(["", "a", "ab", "\x00", "é", "ticket:T-1"])


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """Draw any row, in any columns that fit."""
    values: dict[str, Any] = {name: draw(INTEGERS) for name in NUMBERS}
    values |= {name: draw(TEXT | st.none() if name in OPTIONAL else TEXT) for name in TEXTS}
    return Row(**values, state=draw(st.binary(max_size=40)))


@given(rows(), TEXT)
def test_a_leaf_is_written_as_the_documentation_says_and_reads_back(row: Row, origin: str) -> None:
    writer = LeafWriter(origin)
    data = writer.data(row)
    assert data == spelled(origin, row)
    assert writer.hash(row) == leaf_hash(data)
    assert writer.hashes([row, row]) == [leaf_hash(data)] * 2
    leaf, after = read_leaf(data + b"what comes after")
    assert after == b"what comes after"
    columns = {name: value for name, value in row._asdict().items() if name != "state"}
    assert leaf == Leaf(origin=origin, digest=sha256(row.state).digest(), **columns)


@given(rows(), st.data())
def test_another_value_in_any_column_is_another_leaf(row: Row, data: st.DataObject) -> None:
    column = data.draw(st.sampled_from(Row._fields))
    values = INTEGERS if column in NUMBERS else st.binary() if column == "state" else TEXT | st.none() if column in OPTIONAL else TEXT
    changed = row._replace(**{column: data.draw(values)})
    assume(changed != row)
    assert WRITER.data(changed) != WRITER.data(row)
    assert WRITER.hash(changed) != WRITER.hash(row)


@given(rows(), rows())
def test_two_rows_are_two_leaves(one: Row, other: Row) -> None:
    assert (WRITER.data(one) == WRITER.data(other)) is (one == other)


@pytest.mark.parametrize("first", range(len(TEXTS) - 1))
def test_a_character_that_moves_from_one_text_to_the_next_is_another_leaf(first: int) -> None:
    one, two = TEXTS[first], TEXTS[first + 1]
    before, after = PLAIN._replace(**{one: "ab", two: "c"}), PLAIN._replace(**{one: "a", two: "bc"})
    assert WRITER.data(before) != WRITER.data(after)


@pytest.mark.parametrize("column", sorted(OPTIONAL))
def test_no_text_is_another_leaf_than_an_empty_one(column: str) -> None:
    assert WRITER.data(PLAIN._replace(**{column: ""})) != WRITER.data(PLAIN._replace(**{column: None}))


def test_the_same_row_of_another_log_is_another_leaf() -> None:
    assert LeafWriter("ops.example.com/other").data(PLAIN) != WRITER.data(PLAIN)


def test_the_columns_of_the_log_are_those_of_the_leaf(opsledger_sqlite: OpsLedger, opsledger_pg: OpsLedger) -> None:
    """A column that is added to the log and not to the leaf would not be proven."""
    with closing(sqlite3.connect(opsledger_sqlite.url.path)) as connection:
        in_sqlite = [name for _, name, *_ in connection.execute("PRAGMA table_info(ledger_event)")]
    columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = 'ledger_event'"
    with psycopg.connect(opsledger_pg.url.conninfo) as connection:
        in_postgres = [name for (name,) in connection.execute(columns, (opsledger_pg.url.schema,))]
    covered = {*Leaf._fields, "state"} - {"origin", "digest"}
    assert set(in_sqlite) == set(in_postgres) == set(Row._fields) == {*NUMBERS, *TEXTS, "state"} == covered


def test_the_facts_of_one_history_have_the_same_leaves_on_both_databases(opsledger_sqlite: OpsLedger, opsledger_pg: OpsLedger) -> None:
    found = []
    for ledger in (opsledger_sqlite, opsledger_pg):
        person = {"customer_id": "C-1", "requester_id": "p-1", "channel": "email", "summary": None}
        ledger.by("u-7", role="support", key="k-1").record(ticket.register, "T-Zürich", priority=Priority.HIGH, **person)
        ledger.by("u-8", correlation_id="c-1").record(ticket.respond, "T-Zürich")
        found.append([row._replace(command_id="") for row in ledger.store.page(0, 100)])  # which is made at random
    assert len(found[0]) == 6
    assert WRITER.hashes(found[0]) == WRITER.hashes(found[1]) == [leaf_hash(spelled(ORIGIN, row)) for row in found[0]]


@given(st.lists(rows(), max_size=5))
def test_leaves_made_together_are_those_made_one_by_one(made: list[Row]) -> None:
    assert WRITER.hashes(made) == WRITER.hashes([tuple(row) for row in made]) == [WRITER.hash(row) for row in made]


# What is no leaf.


@pytest.mark.parametrize("column", Row._fields)
@pytest.mark.parametrize("value", [None, 1.5, 0.0, "", "1", b"", b"1", 2**63, "\ud800"])
def test_a_column_that_holds_what_does_not_belong_there_has_no_leaf(column: str, value: object) -> None:
    belongs = {int: NUMBERS, str: TEXTS, bytes: ("state",), type(None): OPTIONAL}.get(type(value), ())
    if column in belongs and value not in (2**63, "\ud800"):
        assert WRITER.data(PLAIN._replace(**{column: value})) == spelled(ORIGIN, PLAIN._replace(**{column: value}))
        return
    with pytest.raises(BadInput, match=r"has no leaf; .*\[leaf\.misfit\]"):
        WRITER.hash(PLAIN._replace(**{column: value}))
    with pytest.raises(BadInput, match=r"has no leaf; .*\[leaf\.misfit\]"):
        WRITER.hashes([PLAIN, PLAIN._replace(**{column: value}), IMPORTED])


def test_what_is_cut_or_tagged_otherwise_is_no_leaf() -> None:
    data = WRITER.data(IMPORTED)
    for length in range(len(data)):
        with pytest.raises(BadInput, match=r"\[leaf\.malformed\]"):
            read_leaf(data[:length])
    for other in (b"opsledger/leaf/v2\n" + data[18:], data[1:], b"\x00" + data):
        with pytest.raises(BadInput, match=r"\[leaf\.malformed\]"):
            read_leaf(other)


@pytest.mark.parametrize(
    ("at", "length"),
    [(18, -1), (18, 2**31 - 1), (84, -1), (84, -2), (104, -2), (84, 2**31 - 1)],
    ids=["no origin", "a long origin", "no stream", "less than none", "less than none where there may be none", "a long stream"],
)
def test_lengths_that_cannot_be_are_no_leaf(at: int, length: int) -> None:
    """The origin's length stands at byte 18, the lengths of the nine texts from byte 84 on."""
    data = WRITER.data(PLAIN)
    assert data[18:22] == len(ORIGIN).to_bytes(4, "big")
    assert data[84:88] == len(PLAIN.stream).to_bytes(4, "big")
    with pytest.raises(BadInput, match=r"\[leaf\.malformed\]"):
        read_leaf(data[:at] + length.to_bytes(4, "big", signed=True) + data[at + 4 :])


def test_bytes_that_are_no_text_are_no_leaf() -> None:
    data = WRITER.data(PLAIN)
    at = data.index(b"ticket:T-1042")
    with pytest.raises(BadInput, match=r"\[leaf\.malformed\]"):
        read_leaf(data[:at] + b"\xff" + data[at + 1 :])
