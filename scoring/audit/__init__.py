"""Audit: labels that look wrong."""
