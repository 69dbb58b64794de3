"""How facts are proven."""
