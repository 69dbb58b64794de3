"""Services, what watched them, and whether they were up as promised."""
