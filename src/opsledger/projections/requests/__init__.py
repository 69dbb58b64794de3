"""Measured requests: windows, quantiles, error budgets and how fast they burn."""
