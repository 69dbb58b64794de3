"""How much was carried: gauges, load tests, batches."""
