"""Recovery points, restores, drills, integrity checks and automation."""
