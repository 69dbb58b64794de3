"""Incidents: what happened when, who led, how long it took."""
