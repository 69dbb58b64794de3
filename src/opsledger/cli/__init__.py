"""The command line. `opsledger --help` lists the commands; docs/reference/commands.md describes each.

application   the program: its modules of commands, and what becomes of errors
opening       which ledger is meant, and how it and its tables are opened
output        rows on stdout in four formats, messages on stderr
progress      how far a long command is, on stderr
keeping       init, catch-up, rebuild, replay, tick, watch
reading       tables, select
reporting     report sla, queue, incidents, backlog
proving       verify, explain, show
governing     policy, calendar
importing     import
erasing       request, hold, access, erase, erasure-status, purge, retention
tending       stats, doctor
reference     the pages of docs/reference, from the declarations

Commands import what is heavy when they run, so that help is there at once.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the program with the arguments of this process."""
    try:
        from opsledger.cli.application import app

        app(prog_name="opsledger")
    except KeyboardInterrupt:  # before there was a command to interrupt
        sys.exit(130)
