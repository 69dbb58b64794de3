"""A process of its own that writes to a ledger or reads it; what it says goes line by line to its standard output.

python ledger_worker.py write URL NAME COUNT     COUNT appends, each acknowledged by its positions; every fourth is on a
                                                 stream that all writers share, with retries when somebody was faster
python ledger_worker.py flood URL NAME           appends of all kinds of rows without end, until somebody kills it
python ledger_worker.py tail URL UNTIL           every position up to UNTIL as it comes
python ledger_worker.py seal URL UNTIL           adds leaves for what is recorded, again and again, up to UNTIL; says how far each time
python ledger_worker.py create URL NAME          creates the ledger, says its id
"""

from __future__ import annotations

import sys
import time
from itertools import count

from ledger_rows import append, facts

from opsledger.app import OpsLedger
from opsledger.audit.sealing import add_leaves
from opsledger.ledger.application import open_store
from opsledger.ledger.envelope import Part, Request, Source
from opsledger.ledger.seals import Seals
from opsledger.ledger.store import Store, StreamMoved
from opsledger.ledger.url import parse_url

SHARED = "ticket:shared"


def main(act: str, url: str, *more: str) -> None:
    store = None if act == "create" else open_store(parse_url(url))
    say("ready")
    sys.stdin.readline()  # all begin together
    if store is None:
        with OpsLedger.create(url, ledger_id=more[0]) as ledger:
            say(ledger.meta["ledger_id"], ledger.keys.mac("test", b"content"))
    else:
        {"write": write, "flood": flood, "tail": tail, "seal": seal}[act](store, *more)
        store.close()


def write(store: Store, name: str, times: str) -> None:
    conflicts = 0
    for i in range(int(times)):
        stream = SHARED if i % 4 == 3 else f"ticket:{name}"
        while True:
            version = store.heads([stream]).get(stream, 0) + 1
            if stream == SHARED:
                time.sleep(0.003)  # a decision takes its time, and others record meanwhile
            try:
                appended = store.append(append(*facts(stream, version, version + i % 3, command_id=f"{name}-{i}")))
                break
            except StreamMoved:
                conflicts += 1
        say(*range(appended.first_position, appended.first_position + i % 3 + 1))
    say("conflicts", conflicts)


def flood(store: Store, name: str) -> None:
    for i in count():
        id = f"{name}-{i}"
        appended = store.append(
            append(
                *facts(f"ticket:{name}", 5 * i + 1, 5 * i + 5, command_id=id),
                parts=[Part(id, "key", b"sealed " * 50)],
                requests=[Request(key=id, decision="d", stream="s", mac="m", version=1, first=0, facts=5)],
                sources=[Source("flood", id, "m")],
            )
        )
        say(appended.first_position, id)


def tail(store: Store, until: str) -> None:
    position = 0
    while position < int(until):
        store.wait(position, 10)
        for row in store.page(position, 50):
            position = row.position
            say(row.position, row.stream, row.version)


def seal(store: Store, until: str) -> None:
    with Seals(parse_url(sys.argv[2])) as seals:
        while (size := add_leaves(store, seals)) < int(until):
            say(size)
        say(size)


def say(*words: object) -> None:
    print(*words, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
