"""Benchmarks: what an act costs beside the same act done with the usual tool, measured in the same run.

    python -m benchmarks            prints the page and writes it to docs/benchmarks.md
    python -m benchmarks --quick    tiny sizes, to see that everything runs; proves nothing

append         one append, durable, and under a foreign snapshot
importing      bulk import with source ids
rebuild        all tables built anew: speed, growth, memory
live           from an append to the tables, calm and beside a rebuild
opening        the state of a stream of a thousand facts
requests       one request counted, a month of windows merged and rebuilt
business_time  a difference in business time over months and decades
proving        the integrity of a long log, the proof of one of its facts, and appends beside a sealer
verifying      facts per second of the other checks

measuring, report, place, stock, ledgers and workers are what they share.
"""
