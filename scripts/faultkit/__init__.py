"""What scripts/faults does to a store. Python's standard library alone."""
