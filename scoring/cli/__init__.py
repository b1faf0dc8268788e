"""The command line: :mod:`scoring.cli.app` has the commands of each room."""

from scoring.cli.app import app, main

__all__ = ["app", "main"]
