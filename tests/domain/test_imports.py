"""A run of an importer, as it is recorded."""

from __future__ import annotations

import pytest

from opsledger.domain import imports
from opsledger.errors import Refused
from opsledger.testing import Spec, at

spec = Spec("import:servicenow/1")
NINE = at("2026-03-02T09:00:00Z")
TEN = at("2026-03-02T10:00:00Z")
FILE = {"source": "servicenow", "file_name": "log.csv.xz", "sha256": "0" * 64, "zone": "America/Sao_Paulo", "rows": 3}
STARTED = imports.Started(started_at=NINE, source="servicenow", file_name="log.csv.xz", sha256="0" * 64, zone="America/Sao_Paulo", rows=3)
FINISHED = imports.Finished(finished_at=TEN, rows=3, new=1, known=1, changed=1, quarantined=1, facts=4)


def test_the_start_names_the_file_and_its_zone() -> None:
    spec.when(imports.start, at=NINE, **FILE).then(STARTED)


@pytest.mark.parametrize("facts", [(STARTED,), (STARTED, FINISHED)])
def test_each_run_has_an_id_of_its_own(facts: tuple[object, ...]) -> None:
    spec.given(*facts).when(imports.start, at=TEN, **FILE).then_refused("give the next run another id")


def test_a_run_is_finished_once_the_whole_file_was_read() -> None:
    run = imports.evolve(None, STARTED)
    aside = imports.RowQuarantined(quarantined_at=TEN, row=2, source_id="INC1/0", reason="changed")
    dirt = imports.DirtCounted(counted_at=TEN, kind="same_minute", count=1, first_rows=(3,))
    for event in (aside, dirt):
        run = imports.evolve(run, event)
        assert run == imports.Import("servicenow", finished=False)
    assert imports.evolve(run, FINISHED) == imports.Import("servicenow", finished=True)


def test_a_run_begins_with_its_start() -> None:
    with pytest.raises(Refused, match="begins with its start, not with Finished"):
        imports.evolve(None, FINISHED)
