"""Customers: what they do, how they were brought in, what they answer, whether they stay."""
