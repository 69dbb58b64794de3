"""Changes and freezes, and whether changes kept the rules."""
