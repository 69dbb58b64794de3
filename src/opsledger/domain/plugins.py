"""Concepts: the modules of this folder, and those that a host adds by entry points of the group `opsledger.concepts`.

Importing a module declares its concepts and facts; so a new concept is a new module here, and nothing else.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules

from opsledger import domain

__all__ = ["load_concepts"]


@cache
def load_concepts() -> None:
    """Declare every concept and its facts, once."""
    for module in iter_modules(domain.__path__):
        import_module(f"{domain.__name__}.{module.name}")
    for entry in sorted(entry_points(group="opsledger.concepts"), key=lambda entry: entry.name):
        entry.load()
