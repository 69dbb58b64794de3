"""What hosts and we test with."""
