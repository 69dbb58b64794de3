"""All projections and views: those that the modules of this folder and its packages list in `PROJECTIONS`, and those that a host adds.

A host adds its own by entry points of the group `opsledger.projections`: one projection or view, or a tuple of them.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import walk_packages
from types import ModuleType

from opsledger import projections as ours
from opsledger.projections.kinds import Entity, Entry, Gathered, Knowing, Kpi, Projection, Sql, View

__all__ = ["kpis", "projections", "views"]


def projections() -> tuple[Projection, ...]:
    """Return the projections that keep tables."""
    return tuple(each for each in _all() if isinstance(each, Entity | Knowing | Gathered | Entry))


@cache
def views() -> tuple[View, ...]:
    """Return the views over those tables, each after the views that it reads."""
    waiting = {each.name: each for each in _all() if isinstance(each, View)}
    reads = {name: [other for other in waiting if other != name and other in view.sql(Sql("sqlite"))] for name, view in waiting.items()}
    ordered: dict[str, View] = {}
    while waiting:
        ready = [name for name in waiting if all(other in ordered for other in reads[name])]
        if not ready:
            raise TypeError(f"The views {', '.join(waiting)} read each other in a circle.")
        ordered.update((name, waiting.pop(name)) for name in ready)
    return tuple(ordered.values())


@cache
def kpis() -> tuple[Kpi, ...]:
    """Return the key figures that the modules here list in `KPIS`, by name."""
    found = [each for module in _modules() for each in getattr(module, "KPIS", ())]
    names = [each.name for each in found]
    if len(names) > len(set(names)):
        raise TypeError(f"A key figure is given twice, among {', '.join(sorted(names))}.")
    return tuple(sorted(found, key=lambda each: each.name))


@cache
def _modules() -> tuple[ModuleType, ...]:
    return tuple(import_module(found.name) for found in walk_packages(ours.__path__, f"{ours.__name__}."))


@cache
def _all() -> tuple[Projection | View, ...]:
    found: list[Projection | View] = []
    for module in _modules():
        found += getattr(module, "PROJECTIONS", ())
    for entry in sorted(entry_points(group="opsledger.projections"), key=lambda entry: entry.name):
        added = entry.load()
        found += added if isinstance(added, tuple | list) else [added]
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1:
            raise TypeError(f"Two projections are called {name}; the one that a host adds needs another name.")
    return tuple(found)
