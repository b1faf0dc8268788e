"""Ownership of labels: the journal of labels that scoring wrote, and the rules for writing labels."""
