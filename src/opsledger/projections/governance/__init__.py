"""The rules and their keeping: policies, audit trail, closes, personal data, imports, findings."""
