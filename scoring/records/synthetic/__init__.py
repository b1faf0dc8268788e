"""Synthetic records with a known policy: what ``scoring sample`` writes."""
