"""The public functions for notebooks and programs: read, relate, train, score, explain, evaluate, compare.

The package exports them: ``import scoring; scoring.score("inbox")``. They use the same home, store and
settings as the command line, and give the same numbers.
"""
