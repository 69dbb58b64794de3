"""What was promised, as data: the operating model, business calendars, SLA metrics and the one clock fold.

instants          integer microseconds and the texts they come from
zones             local time from the pinned tz database
calendar          business hours: written by people, compiled to instants, counted in O(log n)
clock             one fold for every SLA clock
availability      exact shares of time: budgets, uptime, credits
operating_model   the targets and rules, read from YAML
known             models and calendars as known at a position of the ledger
"""
