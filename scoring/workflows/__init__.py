"""Workflows: one verb a module, between the interfaces and the packages below."""
