"""An example: a simulated year of a small software business, the same for the same seed.

Busy Mondays, breaches, a bad day, late entries, corrections with two people, a holiday published on short notice, a new
version of the operating model. It is the demo, the benchmarks' input and the tests' fixture.
"""

from opsledger.example.year import write

__all__ = ["write"]
