"""Tuning: hyperparameter search."""
