"""Fixtures for hosts that test with pytest."""
