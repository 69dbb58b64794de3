"""As-of: the whole set of tables as it was known at one time, about another.

Known-at cuts every fact by when it was recorded. Effective-at then cuts happenings by when they happened, corrections
applied; corrections, policies and calendars are cut by known-at alone. Known-at T means effective-at T unless another is given.
"""

from __future__ import annotations

import sqlalchemy as sa

from opsledger.errors import BadInput
from opsledger.ledger.store import Store
from opsledger.policies.instants import iso
from opsledger.replay.build import Cut, Progress
from opsledger.replay.executor import SERIAL, Executor
from opsledger.replay.rebuild import fill
from opsledger.replay.tables import AsOf, Tables

__all__ = ["as_of", "replay"]


def as_of(store: Store, *, position: int | None = None, known_at: int | None = None, effective_at: int | None = None) -> AsOf:
    """Return what a replay shows, from a position or a time of knowledge (default: the head), and a time of effect."""
    if position is not None and known_at is not None:
        raise BadInput("replay.both", "A position and a known-at time both say what was known; give one of them.")
    head = store.head()
    if position is not None and not 0 < position <= head.position:
        raise BadInput("replay.position", f"The ledger has positions 1 to {head.position}; {position} is none of them.")
    if position is None:
        position = head.position if known_at is None else store.position_at(known_at)
    if position == 0:
        raise BadInput(
            "replay.nothing",
            f"Nothing was recorded by {iso(known_at or 0)}; ask for a later time, or for imported history by --effective-at.",
        )
    recorded_at = store.page(position - 1, 1)[0].recorded_at
    return AsOf(position, recorded_at, next(at for at in (effective_at, known_at, recorded_at) if at is not None))


def replay(store: Store, tables: Tables, shown: AsOf, progress: Progress | None = None, executor: Executor = SERIAL) -> None:
    """Write the tables as `shown` says into a database that is empty, or was left empty by a replay that broke off."""
    with tables.told(), tables.engine.connect() as connection:
        strange = set(sa.inspect(connection).get_table_names()) - set(tables.schema.metadata.tables)
        if strange or tables.standing():
            raise BadInput("replay.into", "The database to replay into has tables already; give a new file or an empty schema.")
    with tables.writing() as connection:
        tables.schema.prepare(connection)
    fill(store, tables, Cut(shown.position, shown.effective_at), shown, progress, executor)
