"""Subscriptions, usage, and recurring revenue as it moved."""
