"""How facts are proven: checks of the log as it is stored, which know nothing of what its facts mean.

findings     what a check came to, shared by all checks
continuity   nothing is missing, nothing is doubled, no time runs backwards

Checks that fold facts stand in `opsledger.replay.verify`, which also puts all of them into one report.
"""
