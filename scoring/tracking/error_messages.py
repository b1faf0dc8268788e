"""What went wrong in a store, in one plain line."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
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
# What MLflow reaches databases, servers and object stores through, by the modules of their errors.
_LIBRARIES = {"alembic", "mlflow", "pyarrow", "sqlalchemy", "sqlite3"}
_LIBRARIES |= {"azure", "boto3", "botocore", "google", "paramiko", "requests", "s3transfer", "urllib3"}
_LIBRARIES |= {"MySQLdb", "mysql", "psycopg", "psycopg2", "pymssql", "pymysql", "pyodbc"}
# Modules that reach databases and object stores, by the package that brings each where another name does.
_PACKAGES = {
    "psycopg2": "psycopg2-binary",
    "psycopg": "'psycopg[binary]'",
    "MySQLdb": "mysqlclient",
    "mysql": "mysql-connector-python",
    "cx_Oracle": "cx-Oracle",
    "google": "google-cloud-storage",
    "azure": "azure-storage-blob azure-identity",
}
_SCHEMA = re.compile(r"out-of-date database schema \(found version (\w+)")


def cause_of(error: BaseException) -> str:
    """The first line of the system's own error, which libraries wrap in theirs, without credentials.

    Examples
    --------
    >>> cause_of(OSError(28, "No space left on device"))
    '[Errno 28] No space left on device'
    """
    deepest = error
    for link in _chain(error):
        if isinstance(link, ModuleNotFoundError) and link.name:
            return _missing(link.name)
        if isinstance(link, (OSError, sqlite3.Error)):
            deepest = link
    if getattr(deepest, "sqlite_errorname", "") == "SQLITE_READONLY_DIRECTORY":
        return "its folder cannot be written, where SQLite needs a journal"
    text = mask_credentials(str(deepest).strip() or type(deepest).__name__)
    if schema := _SCHEMA.search(text):
        return _schema(schema[1])
    for pattern, meaning in _MEANINGS:
        if found := re.search(pattern, text):
            return found.expand(meaning)
    return text.splitlines()[0][:_MAX_CHARS]


def is_of_store(error: Exception) -> bool:
    """Whether an error comes from the store, or from a library that reaches it; any other is a defect."""
    if isinstance(error, ImportError):
        return not (error.name or "").startswith("scoring")
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _LIBRARIES


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _missing(module: str) -> str:
    """What to do about a module that the store needs and that is not installed."""
    name = module.partition(".")[0]
    return f"it needs {module}, which is not installed: pip install {_PACKAGES.get(name, name)}"


def _schema(revision: str) -> str:
    """What to do about tables that this MLflow does not know as its own: they are older, or newer."""
    import mlflow

    known = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
    if any(known.glob(f"{revision}_*.py")):
        return f"its tables are of an older MLflow ({revision}): copy it, then run `mlflow db upgrade URI`"
    return f"its tables are of an MLflow newer than this one, {mlflow.__version__} ({revision})"
