"""An erasure that is cut off after any of its steps, by a kill, is completed by the next call: nothing is lost, nothing is done twice."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from erasing_worker import EFFECTS, cut, erase
from people import STEPS, WORDS, Office

from opsledger.app import OpsLedger, erasing
from opsledger.ledger.personal import Erased
from opsledger.policies.instants import iso, micros
from opsledger.testing.plugin import Clock

WORKER = Path(__file__).with_name("erasing_worker.py")
ORDER = [
    *["_record"] * 2,
    *["mark", "wipe", "destroy"],
    *["_record"] * 4,
    *["mark", "purge", "wipe"],
    "_record",
]
"""What has an effect, in the order in which it is done. The first wipe is within destroying the keys."""

ALL = [*STEPS, "purge_decided", "parts_purged"]


@pytest.fixture
def url(office: Office, request: pytest.FixtureRequest) -> str:
    """Give the URL by which another process opens the ledger."""
    where = office.ledger.url
    if where.kind == "sqlite":
        return where.shown
    base = str(request.getfixturevalue("opsledger_postgres_url"))
    return f"{base}{'&' if '?' in base else '?'}schema={where.schema}"


def completed(url: str, clock: Clock) -> None:
    """See that a program that knows nothing of the one before completes the erasure, and that all is as if it had not been cut."""
    with OpsLedger.open(url, clock=clock) as ledger:
        office = Office(ledger, clock)
        erase(ledger, clock)
        office.is_erased()
        assert office.topics() == ALL, "each step is recorded once"
        assert ledger.store.part_keys().keys() == {key.key_id for key in ledger.keys.held("p-2")}
        assert [key.state for key in ledger.keys.held("p-1")] == ["destroyed"]
        office.clean()
        assert office.summary("T-3") == WORDS["T-3"]


def test_the_steps_are_those_that_are_cut_between(office: Office, url: str) -> None:
    done = subprocess.run(
        [sys.executable, str(WORKER), url, iso(micros(office.clock.now)), "0"], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ORDER
    completed(url, office.clock)


@pytest.mark.parametrize("after", range(1, len(ORDER)))
def test_killed_after_any_step(office: Office, url: str, after: int) -> None:
    command = [sys.executable, str(WORKER), url, iso(micros(office.clock.now)), str(after)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout.split(), done.stderr) == (-9, ORDER[:after], "")
    if after >= 3:  # marked, so nothing of theirs is readable whatever else is still to be done
        assert [office.summary(id) for id in ("T-1", "T-2")] == [Erased(), Erased()]
    completed(url, office.clock)


class _Cut(BaseException):
    """The end of a process, as far as the code can tell."""


@pytest.mark.parametrize("effects", range(4, 9))  # destroying keys has four, and would never end with fewer
def test_cut_off_again_and_again_it_ends(office: Office, url: str, monkeypatch: pytest.MonkeyPatch, effects: int) -> None:
    """Each try is cut off after so many effects, repeated ones included; each gets further than the one before."""

    def end() -> None:
        raise _Cut

    for _ in range(len(ORDER)):
        with monkeypatch.context() as patched:
            for place, name in EFFECTS:
                patched.setattr(place, name, getattr(place, name))
            cut(effects, end, lambda name: None)
            with OpsLedger.open(url, clock=Clock(iso(micros(office.clock.now)))) as ledger:
                try:
                    erase(ledger, office.clock)
                except _Cut:
                    continue
                break
    else:
        pytest.fail("it did not end")
    completed(url, office.clock)


def test_all_that_were_cut_off_are_gone_on_with_in_one_call(office: Office, url: str) -> None:
    for subject in ("p-1", "p-2"):
        office.ask(subject)
        office.ledger.by("u-9").record(
            erasing.s.decide_erasure, subject, outcome="granted", basis="Art. 17(1)(b)", decided_by="u-9", keys=_named(office, subject)
        )
    done = erasing.again(office.ledger)
    assert [(each.subject, each.request.state) for each in done] == [("p-1", "completed"), ("p-2", "completed")]
    assert [office.summary(id) for id in WORDS] == [Erased()] * 3
    assert erasing.again(office.ledger) == []
    office.clock.now += timedelta(minutes=1)
    office.clean()


def _named(office: Office, subject: str) -> tuple[Any, ...]:
    return tuple(erasing.s.KeyNamed(key_id=key.key_id, commitment=key.commitment) for key in office.ledger.keys.held(subject))
