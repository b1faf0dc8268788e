"""Evaluation: predictions compared with labels, and models compared with each other."""
