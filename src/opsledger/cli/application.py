"""The program: its modules of commands, and what becomes of errors.

Exit codes: 0 done, 1 findings, 2 it could not be done (one sentence on stderr says why), 130 interrupted.
A module of commands has `commands`, a Typer application, or adds to the group of another module; it is listed here by its name.
"""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

from opsledger.cli.output import say
from opsledger.errors import OpsledgerError

__all__ = ["app"]

_MODULES: Final = (
    "keeping",
    "replaying",
    "reading",
    "reporting",
    "reporting_operations",
    "reporting_customers",
    "backtesting",
    "proving",
    "sealing",
    "governing",
    "importing",
    "auditing",
    "exporting",
    "erasing",
    "tending",
    "schema",
    "showing",
)
_TRACEBACK: Final = "OPSLEDGER_TRACEBACK"


class _Program(TyperGroup):
    """Turns errors into sentences and exit codes."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()  # here, where it is known what to do about a reader that has gone
        except KeyboardInterrupt:
            raise typer.Exit(130) from None
        except BrokenPipeError:  # the reader of our output, such as head, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except OpsledgerError as error:
            raise _told(str(error)) from None
        except OSError as error:
            raise _told(f"{error.filename or 'A file'} cannot be used: {error.strerror or error}. [file]") from None
        except Exception as error:
            if type(error).__module__.startswith(("typer.", "click.")):
                raise _usage(error) from None
            raise _told(
                f"This should not have happened: {type(error).__name__}: {str(error).rstrip('.')}. Set {_TRACEBACK}=1 to see where. [bug]"
            ) from None


def _usage(error: Any) -> Exception:
    """Return wrong usage as one sentence; what else the command line's own library raises, such as an exit, as it is."""
    if not hasattr(error, "format_message") or type(error).__name__ == "NoArgsIsHelpError":
        return error  # type: ignore[no-any-return]  # an exception of a library that types none
    command = error.ctx.command_path if error.ctx is not None else "opsledger"
    return _told(f"{error.format_message()} See `{command} --help`. [usage]")


def _told(sentence: str) -> typer.Exit:
    if os.environ.get(_TRACEBACK):
        say(traceback.format_exc().rstrip())
    say(sentence)
    return typer.Exit(2)


app: Final = typer.Typer(
    name="opsledger",
    cls=_Program,
    help="A ledger for operations: what was promised, what happened, and proof of both.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name in _MODULES:
    if (added := getattr(import_module(f"opsledger.cli.{name}"), "commands", None)) is not None:
        app.add_typer(added)
