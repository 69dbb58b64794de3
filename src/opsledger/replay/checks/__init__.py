"""The checks of `opsledger verify`, one module each. `opsledger.replay.verify` names and runs them.

task          what a check works with, and how it names a place
seals         every fact is the one that was sealed, and the checkpoints, those kept elsewhere too, fit the log
reviews       every review of the audit trail is of the facts that stand at its positions
personal      every sealed part is the one that its fact names, and the key store does what the log says
fold          every fact decodes, says of itself what its envelope says, and its stream evolves
promises      every due time stamped in a fact is the one derived from what was known at its position
projections   the tables are equal to the log folded anew
closes        every period that was closed is computed again as known then, and says what was reported

Those that know no domain are in `opsledger.audit`.
"""
