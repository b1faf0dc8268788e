"""Command line interface: :mod:`scoring.cli.app` registers the commands."""

from scoring.cli.app import app, main

__all__ = ["app", "main"]
