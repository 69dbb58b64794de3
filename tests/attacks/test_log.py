"""Attacks on the log: what somebody with every right in the database can do to it, and what a verification says of it.

Numbers are those of the list of attacks in docs/explanation/proof.md. Level 0 verifies with what the database holds; level 1
with a checkpoint that was kept elsewhere. What cannot be found at a level is asserted to be reported as exposed there.
"""

from __future__ import annotations

import pytest
from attacked import World, check_of, found

from opsledger.audit.compare import compare_checkpoints
from opsledger.audit.leaf import LeafWriter
from opsledger.audit.merkle import root
from opsledger.audit.note import Checkpoint, Note, open_checkpoint, sign_note
from opsledger.audit.sealing import origin_of
from opsledger.audit.signing import SigningKey
from opsledger.domain import ledger as facts
from opsledger.domain import ticket
from opsledger.errors import BadInput
from opsledger.ledger.seals import Seals, StoredCheckpoint
from opsledger.policies.instants import at, micros

EDITS = {
    "1 payload": ("UPDATE ledger_event SET state = {other} WHERE position = 8", {8}),
    "2 topic": ("UPDATE ledger_event SET topic = 'ticket.update_published' WHERE position = 8", {8}),
    "3 recorded_at": ("UPDATE ledger_event SET recorded_at = recorded_at + 1 WHERE position = 8", {8}),
    "3 occurred_at": ("UPDATE ledger_event SET occurred_at = occurred_at - 60000000 WHERE position = 8", {8}),
    "4 version": ("UPDATE ledger_event SET version = 9 WHERE position = 8", {8}),
    "4 stream": ("UPDATE ledger_event SET stream = 'ticket:T-9' WHERE position = 8", {8}),
    "actor": ("UPDATE ledger_event SET recorded_by = 'u-8' WHERE position = 8", {8}),
    "role": ("UPDATE ledger_event SET role = 'admin' WHERE position = 8", {8}),
    "revision": ("UPDATE ledger_event SET revision = 2 WHERE position = 8", {8}),
    "command": ("UPDATE ledger_event SET command_id = 'x' WHERE position = 8", {8}),
    "correlation": ("UPDATE ledger_event SET correlation_id = '' WHERE position = 8", {8}),
    "causation": ("UPDATE ledger_event SET causation_id = 'x' WHERE position = 8", {8}),
    "source": ("UPDATE ledger_event SET source = 'sn', source_id = '1' WHERE position = 8", {8}),
    "7 a fact removed": ("DELETE FROM ledger_event WHERE position = 8", {8}),
    "29 a blank in the JSON": ("UPDATE ledger_event SET state = {spaced} WHERE position = 8", {8}),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_row_is_named_at_level_0(world: World, edit: str) -> None:
    statement, positions = EDITS[edit]
    spaced = "'" + world.ledger.store.page(7, 1)[0].state.replace(b",", b", ", 1).hex() + "'"
    world.attack(statement.format(other=world.bytes_of(world.state(9)), spaced=world.bytes_of(spaced)))
    assert found(world.verify("integrity"))["integrity"] == positions
    report = world.verify_kept("integrity", "checkpoints")
    assert report.code == 1
    assert found(report).get("checkpoints", {9}) == {9}, "nor does the checkpoint over it fit, where there is still a leaf to hash"


def test_5_positions_changed_in_turn_are_named(world: World) -> None:
    steps = ((8, 99), (9, 8), (99, 9))
    world.attack(*(f"UPDATE ledger_event SET position = {to} WHERE position = {was}" for was, to in steps))
    assert found(world.verify("integrity"))["integrity"] == {8, 9}


def test_6_stored_bytes_swapped_between_facts_are_two_bad_leaves(world: World) -> None:
    one, other = world.bytes_of(world.state(8)), world.bytes_of(world.state(9))
    world.attack(f"UPDATE ledger_event SET state = {other} WHERE position = 8", f"UPDATE ledger_event SET state = {one} WHERE position = 9")
    assert found(world.verify("integrity"))["integrity"] == {8, 9}


def remove_and_renumber(world: World) -> None:
    moved = [f"UPDATE ledger_event SET position = {position - 1} WHERE position = {position}" for position in (9, 10, 11)]
    world.attack("DELETE FROM ledger_event WHERE position = 8", *moved, "UPDATE ledger_event SET version = 2 WHERE position = 9")


def reseal(world: World) -> None:
    """Make the hashes of the log anew, as its owner can."""
    world.attack("DELETE FROM ledger_hash")
    world.ledger.seal()


def resign(world: World, key: SigningKey) -> None:
    """Sign the log anew at the sizes at which it was signed, as a holder of the key can."""
    sizes = [stored.size for stored in world.ledger.seals.checkpoints()]
    world.attack("DELETE FROM ledger_checkpoint", "DELETE FROM ledger_hash")
    world.ledger.seal()
    leaves = LeafWriter(origin_of(world.ledger.store)).hashes(world.ledger.store.page(0, 99))
    for size in sizes:
        note = sign_note(str(Checkpoint(key.verifier.name, size, root(leaves[:size]))), key)
        world.ledger.seals.keep(StoredCheckpoint(size, str(note), micros(world.clock())))


def test_8_a_fact_removed_and_the_rest_renumbered_shows_from_there_on(world: World) -> None:
    remove_and_renumber(world)
    assert found(world.verify("integrity"))["integrity"] == {8, 9, 10}
    cut = check_of(world.verify("integrity"), "integrity").findings[-1]
    assert "The seals go to position 11 and the log ends at 10" in cut.sentence


def test_9_hashed_anew_without_the_key_the_signed_checkpoint_no_longer_fits(world: World) -> None:
    remove_and_renumber(world)
    reseal(world)
    report = world.verify("integrity", "checkpoints")
    assert check_of(report, "integrity").verdict == "clean"
    assert found(report) == {"checkpoints": {9}}, "the checkpoint over 7 facts still does"


def test_10_signed_anew_by_the_holder_of_the_key_only_a_kept_checkpoint_tells(world: World) -> None:
    remove_and_renumber(world)
    resign(world, world.key)
    world.ledger.tables.rebuild()
    inside = world.verify("integrity", "checkpoints", "continuity")
    assert inside.code == 0
    assert inside.assurance is not None
    assert (inside.assurance.level, inside.assurance.exposed) == ("L0", 10), "and all of it is said to be exposed"
    outside = world.verify_kept("integrity", "checkpoints")
    assert found(outside) == {"checkpoints": {9}}
    assert "Keep the note" in check_of(outside, "checkpoints").findings[0].sentence
    assert outside.assurance is not None
    assert outside.assurance.covered == 7


def cut(world: World, size: int) -> None:
    world.attack(f"DELETE FROM ledger_event WHERE position > {size}")
    if any(stored.size > size for stored in world.ledger.seals.checkpoints()):
        world.attack(f"DELETE FROM ledger_checkpoint WHERE size > {size}")
    reseal(world)
    world.ledger.tables.rebuild()


def test_11_a_tail_cut_off_with_all_that_spoke_of_it_only_a_kept_checkpoint_tells(world: World) -> None:
    cut(world, 7)
    assert world.verify("integrity", "checkpoints", "continuity").code == 0
    report = world.verify_kept("integrity", "checkpoints")
    assert found(report) == {"checkpoints": {9}}
    assert (
        "kept-9.note covers 9 facts, and the log has 7: positions 8 to 9 are gone." in check_of(report, "checkpoints").findings[0].sentence
    )


def test_12_a_tail_that_no_checkpoint_covered_is_found_by_nobody_and_was_said_to_be_exposed(world: World) -> None:
    before = world.verify_kept("integrity", "checkpoints")
    assert before.assurance is not None
    assert (before.assurance.covered, before.assurance.exposed) == (9, 2)
    assert before.assurance.oldest == world.ledger.store.page(9, 1)[0].recorded_at
    assert "the 2 after position 9, the oldest recorded at 2026-03-02T09:05:00.000000Z" in list(before.lines())[-1]
    cut(world, 9)
    assert world.verify_kept("integrity", "checkpoints", "continuity").code == 0


def test_13_another_log_in_the_place_of_this_one_does_not_fit_what_was_kept(world: World) -> None:
    world.attack("UPDATE ledger_event SET recorded_by = 'u-9' WHERE recorded_by = 'u-7'")
    resign(world, world.key)
    assert world.verify("integrity", "checkpoints").code == 0
    assert found(world.verify_kept("integrity", "checkpoints")) == {"checkpoints": {7, 9}}


def test_13_a_log_signed_by_another_key_is_not_signed_for_those_who_trust_the_first(world: World) -> None:
    thief = SigningKey.generate(world.key.verifier.name)
    resign(world, thief)
    assert found(world.verify("checkpoints")) == {"checkpoints": {7, 9}}
    assert found(world.verify_kept("checkpoints"))["checkpoints"] == {7, 9}


def test_14_two_histories_for_two_auditors_are_a_fork(world: World) -> None:
    origin, key = world.key.verifier.name, world.key
    other = sign_note(str(Checkpoint(origin, 9, b"x" * 32)), key)
    one, two = (open_checkpoint(note, [key.verifier], origin) for note in (world.kept["kept-9.note"], str(other)))
    found = compare_checkpoints(one, two, None)
    assert (found.verdict, found.sentence) == ("fork", f"A fork: two different logs of 9 facts were signed as {origin}.")
    assert found_fork_of_two_sizes(world, two)


def found_fork_of_two_sizes(world: World, wrong: Checkpoint) -> bool:
    from opsledger.audit.sealing import sealed_tree

    small = Checkpoint.parse(Note.parse(world.kept["kept-7.note"]).text)
    root = lambda size: sealed_tree(world.ledger.seals, size).root() if size <= 11 else None  # noqa: E731
    assert compare_checkpoints(small, wrong, root).verdict == "fork"
    assert compare_checkpoints(small, Checkpoint.parse(Note.parse(world.kept["kept-9.note"]).text), root).verdict == "consistent"
    assert compare_checkpoints(small, wrong, None).verdict == "unknown"
    assert compare_checkpoints(small, Checkpoint(wrong.origin, 99, b"x" * 32), root).verdict == "unknown"
    return True


def restore(world: World) -> int:
    """Put the database back to where it stood at position 7, and go on."""
    cut(world, 7)
    world.reopen()
    world.clock.forward(minutes=5)
    people = {"requested_by": "u-1", "approved_by": "u-2", "reason": "The disk died"}
    position = world.record(facts.restore, "self", lost_from=8, lost_to=9, checkpoint=world.kept["kept-9.note"], **people)
    world.record(ticket.respond, "T-1")
    world.ledger.seal(world.key)
    world.ledger.catch_up()
    return position


def test_15_a_restore_shows_and_is_accepted_only_by_who_says_so(world: World) -> None:
    position = restore(world)
    assert position == 8
    assert found(world.verify_kept("checkpoints")) == {"checkpoints": {9}}
    report = world.ledger.verify(kept=world.kept, trusted=[world.key.verifier], accepted=[8])
    assert report.code == 0, list(report.lines())
    assert "the restore at position 8 lost, 8 to 9" in check_of(report, "checkpoints").restated[0].sentence
    assert report.assurance is not None
    assert report.assurance.covered == 7, "what was lost covers nothing"
    assert world.ledger.state(facts.Ledger, "self").incarnation == 2
    undecided = world.ledger.verify("checkpoints", kept=world.kept, accepted=[7])
    assert undecided.code == 2
    assert "Position 7 records no restore; of those there are: 8" in check_of(undecided, "checkpoints").undecided[0]


def test_16_a_fact_recorded_long_after_it_happened_is_taken_in_and_says_when_it_was_recorded(world: World) -> None:
    world.clock.set("2026-06-02T09:00:00Z")
    receipt = world.ledger.by("u-7", at=at("2026-03-02T09:02:30Z")).record(ticket.pause, "T-1", reason="awaiting_vendor")
    (row,) = world.ledger.store.page(11, 1)
    assert receipt.position == 12
    assert (row.occurred_at, row.recorded_at) == (micros(at("2026-03-02T09:02:30Z")), micros(at("2026-06-02T09:00:00Z")))
    assert world.verify_kept("integrity", "checkpoints", "continuity", "fold").code == 0
    (late,) = world.ledger.tables.select("late_entry", at_least=12, position=12)
    assert late["recorded_by"] == "u-7"


def test_17_a_clock_that_was_put_back_cannot_date_a_fact_before_its_predecessor(world: World) -> None:
    world.clock.set("2026-03-02T08:00:00Z")
    world.ledger.by("u-7").record(ticket.close, "T-1")
    before, after = world.ledger.store.page(10, 2)
    assert after.recorded_at == before.recorded_at
    assert world.verify("continuity").code == 0


def test_39_after_a_rotation_each_checkpoint_must_be_signed_by_the_key_of_its_time(world: World) -> None:
    from opsledger.app.sealing import introduce_key

    new = SigningKey.generate(world.key.verifier.name)
    introduce_key(world.ledger, new, proposed_by="u-1", approved_by="u-2", old=world.key)
    world.ledger.seal(new)
    assert check_of(world.verify("checkpoints"), "checkpoints").looked_at == {"keys": 2, "checkpoints": 4}
    assert world.verify("checkpoints").code == 0
    old = sign_note(str(Checkpoint.parse(Note.parse(world.ledger.seals.checkpoints()[-1].note).text)), world.key)
    world.attack("DELETE FROM ledger_checkpoint WHERE size > 11")
    with Seals(world.ledger.url) as seals:
        assert seals.keep(StoredCheckpoint(12, str(old), 0))
    assert found(world.verify("checkpoints")) == {"checkpoints": {12}}, "the old key signs no more"


def test_39_a_stolen_key_is_replaced_without_its_own_word_and_that_is_said(world: World) -> None:
    from opsledger.app.sealing import introduce_key

    new = SigningKey.generate(world.key.verifier.name)
    introduce_key(world.ledger, new, proposed_by="u-1", approved_by="u-2", reason="It was stolen")
    report = world.verify("checkpoints")
    assert report.code == 0
    assert "lost or stolen, and is endorsed by nobody" in check_of(report, "checkpoints").restated[0].sentence


def test_40_checkpoints_taken_out_of_their_table_are_missed(world: World) -> None:
    world.attack("DELETE FROM ledger_checkpoint WHERE size = 9")
    assert world.verify("integrity", "checkpoints").code == 0
    report = world.verify_kept("integrity", "checkpoints")
    assert found(report) == {"checkpoints": {9}}
    assert "the database no longer holds it" in check_of(report, "checkpoints").findings[0].sentence


def test_sealed_hashes_that_were_changed_are_named(world: World) -> None:
    world.attack(f"UPDATE ledger_hash SET hashes = {world.bytes_of(repr('00' * 64))} WHERE level = 0 AND first = 7")
    assert found(world.verify("integrity"))["integrity"] == {8, 9}


def test_bytes_turned_into_text_have_no_leaf_and_no_checkpoint_over_them_fits(world: World) -> None:
    if world.ledger.url.kind == "postgresql":
        return  # a column of PostgreSQL holds its own type alone
    world.attack("UPDATE ledger_event SET state = replace(state, 'T', 'X'), recorded_by = 'u-evil' WHERE position = 8")
    report = world.verify_kept("integrity", "checkpoints")
    assert found(report) == {"integrity": {8}, "checkpoints": {9}}
    assert report.assurance is not None
    assert (report.assurance.level, report.assurance.covered) == ("L1", 7), "the facts before it are still covered"


def test_a_note_that_cannot_be_read_hides_no_finding(world: World) -> None:
    world.attack("UPDATE ledger_event SET role = 'x' WHERE position = 8")
    report = world.ledger.verify("integrity", "checkpoints", kept={"bad.csv": "a,b"})
    assert found(report)["integrity"] == {8}
    assert "bad.csv: This is no signed note" in check_of(report, "checkpoints").undecided[0]
    assert report.assurance is not None
    assert report.assurance.level == "L0"
    with pytest.raises(BadInput, match="are compared by the check 'checkpoints', not by continuity; add it"):
        world.ledger.verify("continuity", kept={"kept.note": "x"})
