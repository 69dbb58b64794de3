"""Other tools' exports -> facts.

servicenow          import_servicenow: an incident log, one incident one ticket
servicenow_rows     its lines, checked and in UTC
servicenow_facts    what a row says that the rows before it did not
event_log           import_event_log: any ticket system's events in CSV, one row one event of a ticket
event_log_mapping   what a host says of such a file; mappings/ holds those that we ship
event_log_rows      its lines, checked and in UTC
event_log_times     how its times are written
event_log_facts     what a row says that the rows before it did not
statuspage          import_statuspage: a status page's history, one entry one incident or maintenance window
statuspage_entries  what an entry says, checked and in UTC
statuspage_facts    its facts
upptime             import_upptime: an uptime monitor's history, with what it watches
upptime_probes      what a row says that the rows before it did not
prometheus          classic and native histograms -> windows of measurement
otlp                histograms of OpenTelemetry -> windows of measurement
histograms          what both have in common
openslo             OpenSLO's SLOs -> objectives, and objectives -> SLOs
openslo_documents   its documents, checked, and written as they were
sloth               Sloth's service levels -> objectives and rules of burn alerts
yaml_documents      YAML with exact decimals
history             the calendars and the operating model that late history needs
run                 one run of any importer: what it set aside, counted and came to
files               lines of plain and compressed files
"""
