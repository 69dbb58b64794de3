"""What hosts and we test with.

spec        given, when, then for decisions, without a database
scenarios   a history in business words and the rows that it must give, in a file, through a real ledger
strategies  for Hypothesis: zones and instants, calendars, histories of tickets, steps of incidents
postgres    a PostgreSQL server that tests start themselves
plugin      fixtures for pytest
"""

from opsledger.testing.spec import Spec, at, default_known, known_with, recorded

__all__ = ["Spec", "at", "default_known", "known_with", "recorded"]
