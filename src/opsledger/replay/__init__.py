"""How facts are read again."""
