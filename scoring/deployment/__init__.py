"""Resolve models, compare candidates, and activate a champion."""
