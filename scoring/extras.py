"""Optional packages by the extra that installs them, and the error if one is missing."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from scoring.errors import ScoringError

DISTRIBUTION = "news-scoring"


class Extra(NamedTuple):
    """An extra: what it is needed for, as a message says it, and the modules that it installs."""

    needs: str
    modules: tuple[str, ...]


_RUN = ("mlflow", "sqlalchemy", "alembic", "narwhals", "pandas")
_REPORT = ("matplotlib", "jinja2", "markupsafe", "pandas", "pyarrow")

EXTRAS = {
    "parquet": Extra("Parquet needs PyArrow", ("pyarrow",)),
    "frames": Extra("data frames need pandas, narwhals and PyArrow", ("narwhals", "pandas", "pyarrow")),
    "track": Extra("runs and registered models need MLflow", _RUN),
    "report": Extra("reports, plots and stored predictions need Matplotlib, Jinja and PyArrow", _REPORT),
    "train": Extra(
        "training with an MLflow run needs MLflow, Matplotlib, Jinja and PyArrow", (*_RUN, *_REPORT)
    ),
    "serve": Extra(
        "the service needs FastAPI and uvicorn",
        ("fastapi", "uvicorn", "httptools", "jinja2", "markupsafe", "prometheus_client"),
    ),
    "sklearn": Extra("estimators need scikit-learn", ("sklearn", "narwhals")),
    "dask": Extra("a cluster needs Dask", ("dask", "distributed", "fsspec", "pyarrow", "sklearn")),
    "tune": Extra("tuning needs Optuna", ("optuna",)),
    "feeds": Extra("RSS and Atom need feedparser", ("feedparser",)),
    "remote": Extra("URLs such as s3://BUCKET need fsspec", ("fsspec",)),
    "ui": Extra("MLflow's UI needs the full MLflow package", (*_RUN, "flask")),
}
"""All extras but ``all``, which installs them together."""

_EXTRA_OF: dict[str, str] = {}
for _name, _extra in EXTRAS.items():
    for _module in _extra.modules:
        _EXTRA_OF.setdefault(_module, _name)


class MissingExtraError(ScoringError, ImportError):
    """A package that an extra installs is missing; the message has the command that installs it."""


def require(*extras: str) -> None:
    """Check that the packages of extras are installed, without importing them.

    Raises
    ------
    MissingExtraError
        If one is missing; one command installs all that is missing.

    Examples
    --------
    >>> require("train", "report")
    """
    missing = [name for name in extras if not all(map(_is_installed, EXTRAS[name].modules))]
    if missing:
        raise MissingExtraError(_message(*missing))


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def install_command(*extras: str) -> str:
    """The command that installs extras.

    Examples
    --------
    >>> print(install_command("tune"))
    pip install 'news-scoring[tune]'
    """
    return f"pip install '{DISTRIBUTION}[{','.join(extras)}]'"


def _message(*extras: str) -> str:
    needs = "; ".join(EXTRAS[name].needs for name in extras)
    return f"{needs}: {install_command(*extras)}"


def missing_extra(error: BaseException) -> MissingExtraError | None:
    """The error with the command that installs a missing module; None if no extra installs it.

    Examples
    --------
    >>> print(missing_extra(ModuleNotFoundError("No module named 'optuna'", name="optuna")))
    tuning needs Optuna: pip install 'news-scoring[tune]'
    """
    if not isinstance(error, ImportError) or isinstance(error, MissingExtraError):
        return error if isinstance(error, MissingExtraError) else None
    extra = _EXTRA_OF.get((error.name or "").partition(".")[0])
    return None if extra is None else MissingExtraError(_message(extra))


@contextmanager
def naming_extras(*extras: str) -> Iterator[None]:
    """Replace the error of a missing optional module by one that names its extra.

    Parameters
    ----------
    *extras : str
        Extras to name first, if several install the module.

    Examples
    --------
    >>> with naming_extras():
    ...     raise ModuleNotFoundError("No module named 'optuna'", name="optuna")
    Traceback (most recent call last):
    scoring.extras.MissingExtraError: tuning needs Optuna: pip install 'news-scoring[tune]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        for extra in extras:
            if module in EXTRAS[extra].modules:
                raise MissingExtraError(_message(extra)) from error
        missing = missing_extra(error)
        if missing is None:
            raise
        raise missing from error
