"""Reviews of the audit trail, through the ledger: independence, ranges, checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
from verified import check_of, only, places, register, verified

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


# Verified again.


def reviewed_twice(history: OpsLedger) -> tuple[audit_trail.Reviewed, audit_trail.Reviewed]:
    """Review positions 1 to 7 at 11 without a checkpoint; and, after a key at 12, 8 to 12 at 13 with the checkpoint over 12 facts."""
    first = review(history, last=7)
    _, note = signed(history)
    second = review(history, checkpoint=str(note))
    history.seal()
    assert ((second.first, second.last), history.store.head().position) == ((8, 12), 13)
    return first, second


def rewritten(history: OpsLedger, position: int, old: str, new: str) -> None:
    """Write something else into stored bytes."""
    state = history.store.page(position - 1, 1)[0].state.decode()
    assert state.count(old) == 1
    attack(history, f"UPDATE ledger_event SET state = CAST('{state.replace(old, new)}' AS BLOB) WHERE position = {position}")


def test_reviews_of_what_stands_there_are_clean(history: OpsLedger) -> None:
    reviewed_twice(history)
    check = check_of(verified(history, "reviews"), "reviews")
    assert (check.verdict, check.looked_at) == ("clean", {"reviews": 2})


def test_a_fact_that_was_changed_after_its_review_is_told_by_the_position_of_the_review(history: OpsLedger) -> None:
    first, _ = reviewed_twice(history)
    attack(history, "UPDATE ledger_event SET role = 'admin' WHERE position = 6", "DELETE FROM ledger_hash")
    history.seal()
    assert verified(history, "integrity").code == 0, "whoever changed it made the seals anew"
    report = verified(history, "reviews")
    assert places(report, "reviews") == [(11, "audit_trail:self", "state.root"), (13, "audit_trail:self", "state.checkpoint")]
    findings = check_of(report, "reviews").findings
    assert findings[0].sentence == (
        "Position 11 is a review of positions 1 to 7 by u-eve; the facts there are not those that were reviewed."
    )
    assert (findings[0].expected, findings[0].found) == (first.root, told_root(root_between(history.store, 1, 7)))
    assert findings[1].sentence == (
        f"Position 13 is a review with a checkpoint of 12 facts of {origin_of(history.store)}, and the log does not begin with them."
    )


def test_a_fact_that_is_gone_leaves_its_review_without_ground(history: OpsLedger) -> None:
    reviewed_twice(history)
    attack(history, "DELETE FROM ledger_event WHERE position = 9")
    report = verified(history, "reviews")
    assert places(report, "reviews") == [(13, "audit_trail:self", "state.root"), (13, "audit_trail:self", "state.checkpoint")]
    sentence = check_of(report, "reviews").findings[0].sentence
    assert sentence == "Position 13 is a review of positions 8 to 12 by u-eve; not all of them stand before it."


@pytest.mark.parametrize("column", ["root", "checkpoint", "range"])
def test_a_review_that_was_changed_is_not_of_what_stands_there(history: OpsLedger, column: str) -> None:
    _, second = reviewed_twice(history)
    assert second.checkpoint is not None
    other = {
        "root": (second.root, "A" * 43 + "="),
        "checkpoint": (second.checkpoint.root, "A" * 43 + "="),
        "range": ('"last":12', '"last":13'),
    }
    rewritten(history, 13, *other[column])
    expected = "state.checkpoint" if column == "checkpoint" else "state.root"
    assert places(verified(history, "reviews"), "reviews") == [(13, "audit_trail:self", expected)]


def test_a_review_with_a_checkpoint_of_another_log_is_named(history: OpsLedger) -> None:
    reviewed_twice(history)
    rewritten(history, 13, origin_of(history.store), "opsledger/elsewhere")
    sentence = only(verified(history, "reviews"), "reviews").sentence
    assert sentence.endswith("a checkpoint of 12 facts of opsledger/elsewhere, which is another log than this one.")
