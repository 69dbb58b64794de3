"""Other tools' exports, turned into facts."""
