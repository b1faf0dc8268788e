"""What went wrong in a store, in one plain line."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from scoring.settings import mask_credentials

_MAX_CHARS = 300
_NO_MLFLOW = "is this the address of an MLflow server?"
# What libraries say, and what it means; the first that is found counts.
_MEANINGS = (
    (r"too many (\d+) error responses", r"the server answered \1 each time"),
    (r"endpoint \S+ failed with error code (401|403)\b", r"the server answered \1: user, password or token?"),
    (r"endpoint \S+ failed with error code (\d+)", rf"the server answered \1: {_NO_MLFLOW}"),
    (r"response body was not in a valid JSON format", f"the server answered with a page: {_NO_MLFLOW}"),
)
_SCHEMA = re.compile(r"out-of-date database schema \(found version (\w+)")


def cause_of(error: BaseException) -> str:
    """The first line of the system's own error, which libraries wrap in theirs, without credentials.

    Examples
    --------
    >>> cause_of(OSError(28, "No space left on device"))
    '[Errno 28] No space left on device'
    """
    deepest, link = error, error.__cause__ or error.__context__
    while link is not None:
        if isinstance(link, (OSError, sqlite3.Error)):
            deepest = link
        link = link.__cause__ or link.__context__
    if getattr(deepest, "sqlite_errorname", "") == "SQLITE_READONLY_DIRECTORY":
        return "its folder cannot be written, where SQLite needs a journal"
    text = mask_credentials(str(deepest).strip() or type(deepest).__name__)
    if schema := _SCHEMA.search(text):
        return _schema(schema[1])
    for pattern, meaning in _MEANINGS:
        if found := re.search(pattern, text):
            return found.expand(meaning)
    return text.splitlines()[0][:_MAX_CHARS]


def _schema(revision: str) -> str:
    """What to do about tables that this MLflow does not know as its own: they are older, or newer."""
    import mlflow

    known = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
    if any(known.glob(f"{revision}_*.py")):
        return f"its tables are of an older MLflow ({revision}): copy it, then run `mlflow db upgrade URI`"
    return f"its tables are of an MLflow newer than this one, {mlflow.__version__} ({revision})"
