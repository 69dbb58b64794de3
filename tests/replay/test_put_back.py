"""Tables that no longer fit: the log was put back, or the text of a view is another one."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from opsledger.app import OpsLedger
from opsledger.errors import Unavailable
from opsledger.replay.digest import digests
from tampering import attack


def test_tables_that_go_further_than_the_log_are_told_and_rebuilt(history: OpsLedger) -> None:
    attack(history, "DELETE FROM ledger_event WHERE position > 7")
    with OpsLedger.open(history.url.shown, clock=lambda: history.now()) as again:
        with pytest.raises(Unavailable, match=r"The tables go to position 10 and the log ends at 7: .* run `opsledger rebuild`"):
            again.catch_up()
        again.tables.rebuild()
        assert again.catch_up() == 7
        assert again.tables.as_of().position == 7
        assert again.verify("projections").code == 0
        assert again.tables.rebuild()[0].rows == 0


@pytest.mark.parametrize("which", ["sqlite", "postgresql"])
def test_views_whose_text_is_another_one_are_made_again(which: str, request: pytest.FixtureRequest) -> None:
    ledger: OpsLedger = request.getfixturevalue("opsledger_sqlite" if which == "sqlite" else "opsledger_pg")
    ledger.catch_up()
    before = digests(ledger.tables.tables)
    with ledger.tables.tables.writing() as connection:
        tracking = ledger.tables.tables.schema.tracking
        connection.execute(sa.update(tracking).where(tracking.c.name.like("view:%")).values(fingerprint="of an older program"))
        ledger.tables.tables.schema.prepare(connection)
    assert digests(ledger.tables.tables) == before
    assert ledger.tables.select("support_queue") == []
