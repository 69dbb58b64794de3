"""How facts are proven: checks of the log as it is stored, which know nothing of what its facts mean.

findings     what a check came to, shared by all checks
continuity   nothing is missing, nothing is doubled, no time runs backwards
leaf         what of a fact is proven: every column of its row, and the digest of its stored bytes
merkle       the tree over leaves, its proofs and their verification (RFC 6962)
tiles        the tree as it is stored and read, 256 hashes side by side (C2SP tlog-tiles)
note         texts that are signed, and checkpoints (C2SP signed-note, tlog-checkpoint)
signing      the key that signs, in a file for its owner alone
proof        the proof of one fact, as a text (C2SP tlog-proof)
pack         a range of the log in one file, for auditors; `verify_auditpack.py` reads it, and nothing else of ours
tilefiles    the tree in files, for whoever monitors logs (C2SP tlog-tiles)

Checks that fold facts stand in `opsledger.replay.verify`, which also puts all of them into one report.
"""
