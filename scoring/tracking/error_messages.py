"""One-line messages for errors of a store."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from scoring.credentials import mask_credentials

_MAX_CHARS = 300
_NO_MLFLOW = "is this the address of an MLflow server?"
# Messages of libraries and their meaning; the first match applies.
_MEANINGS = (
    (r"too many (\d+) error responses", r"the server answered \1 each time"),
    (r"endpoint \S+ failed with error code (401|403)\b", r"the server answered \1: user, password or token?"),
    (r"endpoint \S+ failed with error code (\d+)", rf"the server answered \1: {_NO_MLFLOW}"),
    (
        r"(?i)registered model with name=(\S+) not found",
        r'there is no registered model \1: "scoring promote RUN" makes a run its champion',
    ),
    (
        r"(?i)registered model alias (\S+) not found",
        r'no version has the alias \1: "scoring promote RUN" makes a run the champion',
    ),
    (r"response body was not in a valid JSON format", f"the server answered with a page: {_NO_MLFLOW}"),
)
# Libraries through which MLflow accesses databases, servers and object stores, by module of their errors.
_LIBRARIES = {"alembic", "mlflow", "pyarrow", "sqlalchemy", "sqlite3"}
_LIBRARIES |= {"azure", "boto3", "botocore", "google", "paramiko", "requests", "s3transfer", "urllib3"}
_LIBRARIES |= {"MySQLdb", "mysql", "psycopg", "psycopg2", "pymssql", "pymysql", "pyodbc"}
# Packages of modules for databases and object stores, if the package has another name.
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
    """Return the first line of the underlying system error, without credentials.

    Examples
    --------
    >>> cause_of(OSError(28, "No space left on device"))
    '[Errno 28] No space left on device'
    """
    deepest = error
    for cause in _chain(error):
        if isinstance(cause, ModuleNotFoundError) and cause.name:
            return _missing(cause.name)
        if isinstance(cause, (OSError, sqlite3.Error)):
            deepest = cause
    if getattr(deepest, "sqlite_errorname", "") == "SQLITE_READONLY_DIRECTORY":
        return "its folder is not writable, but SQLite needs a journal there"
    text = mask_credentials(str(deepest).strip() or type(deepest).__name__)
    if schema := _SCHEMA.search(text):
        return _schema(schema[1])
    for pattern, meaning in _MEANINGS:
        if match := re.search(pattern, text):
            return match.expand(meaning)
    return text.splitlines()[0][:_MAX_CHARS]


def is_of_store(error: Exception) -> bool:
    """Whether an error comes from the store or a library that accesses it; any other is a bug."""
    if isinstance(error, ImportError):
        return not (error.name or "").startswith("scoring")
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _LIBRARIES


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _missing(module: str) -> str:
    """Message for a missing module that the store needs."""
    name = module.partition(".")[0]
    return f"it needs {module}, which is not installed: pip install {_PACKAGES.get(name, name)}"


def _schema(revision: str) -> str:
    """Message for tables of an older or newer version of MLflow."""
    import mlflow

    known = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
    if any(known.glob(f"{revision}_*.py")):
        return f"its tables are of an older MLflow ({revision}): copy it, then run `mlflow db upgrade URI`"
    return f"its tables are of an MLflow newer than this one, {mlflow.__version__} ({revision})"
