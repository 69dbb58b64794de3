"""Other tools' exports -> facts.

servicenow        import_servicenow: an incident log, one incident one ticket
servicenow_rows   its lines, checked and in UTC
servicenow_facts  what a row says that the rows before it did not
history           the calendars and the operating model that late history needs
run               one run of any importer: what it set aside, counted and came to
files             lines of plain and compressed files
"""
