"""What hosts and we test with.

spec        given, when, then for decisions, without a database
strategies  for Hypothesis: zones and instants, calendars, histories of tickets
postgres    a PostgreSQL server that tests start themselves
plugin      fixtures for pytest
"""

from opsledger.testing.spec import Spec, at, default_known, known_with, recorded

__all__ = ["Spec", "at", "default_known", "known_with", "recorded"]
