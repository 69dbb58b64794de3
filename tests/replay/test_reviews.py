"""Reviews of the audit trail, through the ledger: independence, ranges, checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
from verified import register

from opsledger.app import OpsLedger
from opsledger.app.sealing import introduce_key
from opsledger.audit.leaf import LeafWriter
from opsledger.audit.merkle import leaf_hash, root
from opsledger.audit.note import Checkpoint, Note, sign_note
from opsledger.audit.ranges import root_between, told_root
from opsledger.audit.sealing import origin_of
from opsledger.audit.signing import SigningKey
from opsledger.domain import audit_trail, calendar
from opsledger.errors import BadInput, OpsledgerError, Refused, Unproven
from opsledger.policies import documents
from opsledger.policies.operating_model import default_calendars
from opsledger.testing.plugin import Clock
from tampering import attack


def review(ledger: OpsLedger, reviewer: str = "u-eve", **given: object) -> audit_trail.Reviewed:
    (made,) = ledger.review_audit_trail(reviewer, **{"findings": 0, "conclusion": "In order", **given}).facts  # type: ignore[arg-type]
    return made


def signed(ledger: OpsLedger, key: SigningKey | None = None) -> tuple[SigningKey, Note]:
    """Return the ledger's signing key, and a checkpoint over what it holds now."""
    if key is None:
        key = SigningKey.generate(origin_of(ledger.store))
        introduce_key(ledger, key, proposed_by="u-sec", approved_by="u-cto")
    sealed = ledger.seal(key)
    assert sealed.checkpoint is not None
    return key, Note.parse(sealed.checkpoint.note)


def test_the_first_review_begins_at_the_first_fact_and_each_next_one_where_the_last_ended(history: OpsLedger) -> None:
    first = review(history)
    assert (first.first, first.last, first.reviewed_by) == (1, 10, "u-eve")
    register(history, "T-3")
    second = review(history)
    assert (second.first, second.last) == (11, 12)


def test_a_review_holds_the_root_over_the_leaves_of_its_range(history: OpsLedger) -> None:
    writer = LeafWriter(origin_of(history.store))
    leaves = [leaf_hash(writer.data(row)) for row in history.store.page(4, 3)]
    assert review(history, first=5, last=7).root == told_root(root(leaves))


def test_a_reviewer_may_come_again_though_the_review_stands_in_the_range(history: OpsLedger) -> None:
    review(history)
    assert review(history, first=1).last == 11


def test_who_recorded_in_the_range_does_not_review_it_and_may_review_another(history: OpsLedger) -> None:
    with pytest.raises(Refused, match="u-7 took part at position 5 and cannot review positions 1 to 10"):
        review(history, "u-7")
    assert review(history, "u-7", first=1, last=4).last == 4


def test_who_asked_for_or_approved_something_in_the_range_does_not_review_it(history: OpsLedger) -> None:
    hours = default_calendars()["business"].model_copy(update={"holidays": ()})
    given = {"definition": documents.canonical(hours), "proposed_by": "u-fay", "approved_by": "u-gus"}
    history.by("u-clerk").record(calendar.publish, "night", **given)
    for reviewer in ("u-fay", "u-gus", "u-clerk"):
        with pytest.raises(Refused, match=f"{reviewer} took part at position 11"):
            review(history, reviewer)


@pytest.mark.parametrize(("first", "last"), [(0, 5), (5, 11), (6, 5), (11, None)])
def test_a_range_that_the_ledger_has_not_is_one_sentence(history: OpsLedger, first: int, last: int | None) -> None:
    with pytest.raises(BadInput, match="The ledger has positions 1 to 10"):
        review(history, first=first, last=last)


def test_a_review_is_bound_to_a_checkpoint_that_the_ledger_signed(history: OpsLedger) -> None:
    _, note = signed(history)
    register(history, "T-3")
    seen = review(history, last=11, checkpoint=str(note)).checkpoint
    assert seen is not None
    assert (seen.size, seen.origin) == (11, origin_of(history.store))
    assert f"{seen.origin}\n{seen.size}\n{seen.root}\n" == note.text
    history.catch_up()
    rows = history.tables.select("audit_trail_review")
    assert [(row["position"], row["reviewed_by"], row["first_position"], row["last_position"], row["checkpoint_size"]) for row in rows] == [
        (13, "u-eve", 1, 11, 11)
    ]


def test_a_checkpoint_must_cover_the_range(history: OpsLedger) -> None:
    _, note = signed(history)
    register(history, "T-3")
    with pytest.raises(Refused, match="covers 11 facts, and the range ends at 12"):
        review(history, checkpoint=str(note))


def test_a_checkpoint_that_the_ledger_did_not_sign_is_refused(history: OpsLedger) -> None:
    signed(history)
    origin = origin_of(history.store)
    forged = sign_note(str(Checkpoint(origin, 5, b"0" * 32)), SigningKey.generate(origin))
    with pytest.raises(Unproven, match="signed by none of the keys"):
        review(history, checkpoint=str(forged))


def test_a_checkpoint_of_a_ledger_without_a_key_is_refused(history: OpsLedger) -> None:
    origin = origin_of(history.store)
    note = sign_note(str(Checkpoint(origin, 5, b"0" * 32)), SigningKey.generate(origin))
    with pytest.raises(BadInput, match="has introduced no signing key"):
        review(history, checkpoint=str(note))


@pytest.mark.parametrize("note", ["", "a checkpoint", "x\n1\ny\n", "x\n1\ny\n\n— x y\n"])
def test_a_text_that_is_no_checkpoint_is_one_sentence(history: OpsLedger, note: str) -> None:
    signed(history)
    with pytest.raises(OpsledgerError, match="note"):
        review(history, checkpoint=note)


def test_a_ledger_that_was_edited_since_its_checkpoint_is_not_reviewed_with_it(history: OpsLedger) -> None:
    _, note = signed(history)
    attack(history, "UPDATE ledger_event SET recorded_by = 'u-8' WHERE position = 7")
    with pytest.raises(Unproven, match="The first 11 facts of the ledger are not those that were signed"):
        review(history, checkpoint=str(note))


def test_a_ledger_that_was_cut_is_not_reviewed_with_a_later_checkpoint(history: OpsLedger) -> None:
    key, _ = signed(history)
    register(history, "T-3")
    _, note = signed(history, key)
    attack(history, "DELETE FROM ledger_event WHERE position = 12")
    with pytest.raises(Unproven, match="covers 12 facts, and the ledger has 11"):
        review(history, checkpoint=str(note))


def test_both_databases_record_the_same_review(tmp_path: Path, opsledger_pg: OpsLedger, opsledger_clock: Clock) -> None:
    begins, made = opsledger_clock.now, []
    with OpsLedger.create(f"sqlite:///{tmp_path}/o.db", simulated=True, clock=opsledger_clock, ledger_id="0" * 32) as other:
        for ledger in (opsledger_pg, other):
            opsledger_clock.set(begins)
            register(ledger, "T-1")
            review(ledger, first=1, last=4)
            ledger.catch_up()
            (row,) = ledger.tables.select("audit_trail_review")
            del row["root"]  # command ids are made at random, and stand in the leaves
            made.append(row)
    assert made[0] == made[1]


def test_a_key_that_was_replaced_signs_no_later_checkpoint(history: OpsLedger) -> None:
    old, note = signed(history)
    new = SigningKey.generate(origin_of(history.store))
    introduce_key(history, new, proposed_by="u-sec", approved_by="u-cto", old=old, reason="It is a year old")
    assert review(history, last=11, checkpoint=str(note)).checkpoint is not None
    size = history.store.head().position
    late = sign_note(str(Checkpoint(origin_of(history.store), size, root_between(history.store, 1, size))), old)
    with pytest.raises(Unproven, match="signed by none of the keys"):
        review(history, first=1, checkpoint=str(late))
