"""The faults that scripts/faults injects. Uses only Python's standard library."""
