"""Drift: how far new records are from a model's training records."""
