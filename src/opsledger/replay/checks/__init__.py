"""The checks of `opsledger verify`, one module each. `opsledger.replay.verify` names and runs them.

task          what a check works with, and how it names a place
fold          every fact decodes, says of itself what its envelope says, and its stream evolves
promises      every due time stamped in a fact is the one derived from what was known at its position
projections   the tables are equal to the log folded anew

Those that know no domain are in `opsledger.audit`.
"""
