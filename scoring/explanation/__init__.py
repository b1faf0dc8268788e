"""Explanation: what each feature adds to a score, and what would change it."""
