"""Maintenance judged by its rules, and what is credited for what was missed."""
