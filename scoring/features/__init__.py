"""Features of a record: one module for each family of signals, assembled into a table."""
