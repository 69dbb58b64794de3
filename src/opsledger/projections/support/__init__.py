"""What customers asked and were promised: tickets, their promises, the queue and its figures."""
