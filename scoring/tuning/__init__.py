"""Tuning: the search for a better configuration."""
