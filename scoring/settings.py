"""The settings, where each comes from, and where the model that ships lies.

A setting is taken from the first of these that has it: an option of the command, the environment
(``SCORING_SEED`` for ``seed``), ``scoring.yaml`` in the working folder, ``[tool.scoring]`` in its
``pyproject.toml``, the default.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections import ChainMap
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from scoring.errors import SettingsError

_YAML = "scoring.yaml"
_TOML = "pyproject.toml [tool.scoring]"
# The user and password before a host, and secrets in the query.
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]+(?=@)|(?<=[?&])(?:password|token|secret)=[^&\s]*", re.IGNORECASE)

# Where pydantic's own words do not follow "expected".
_EXPECTED = {
    "path_type": "the path of a folder",
    "string_too_short": "a text that is not empty",
    "string_pattern_mismatch": "a name without / and :",
}


class Settings(BaseModel):
    """What every command needs to know of the place where it runs.

    Parameters
    ----------
    home : Path
        Folder of the tracking store, caches and artifacts; absolute.
    tracking_uri : str
        MLflow store; a SQLite file in ``home`` unless set. ``SCORING_TRACKING_URI`` wins over
        ``MLFLOW_TRACKING_URI``.
    experiment : str
        MLflow experiment that runs go to.
    registered_model : str
        Name under which models are registered.
    model : str or None
        Model to score with: a folder, ``models:/NAME@ALIAS`` or ``runs:/...``; None for the one that ships.
    seed : int
        Seed of everything that draws; >= 0.
    threads : int
        Threads of training, and processes of reading; >= 1.
    cache_mb : int
        Bound of the features that are kept in ``home``; MB, 0 keeps none.
    log_level : str
        ``debug``, ``info``, ``warning`` or ``error``.

    Examples
    --------
    >>> load_settings(seed=7).seed
    7
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    home: Path = Field(default=Path(".scoring"), validate_default=True)
    # Not in the repr: an address may bear credentials, and a repr ends up in logs.
    tracking_uri: str = Field(
        default_factory=lambda earlier: f"sqlite:///{earlier['home'] / 'mlflow.db'}", min_length=1, repr=False
    )
    experiment: str = Field(default="scoring", min_length=1)
    registered_model: str = Field(default="scoring", min_length=1, pattern=r"^[^/:]+$")
    model: str | None = Field(default=None, min_length=1)
    seed: int = Field(default=0, ge=0, lt=2**31)
    threads: int = Field(default_factory=lambda: min(2, os.cpu_count() or 1), ge=1)
    cache_mb: int = Field(default=256, ge=0)
    log_level: Literal["debug", "info", "warning", "error"] = "warning"

    @field_validator("home")
    @classmethod
    def _make_absolute(cls, home: Path) -> Path:
        return home.expanduser().absolute()


class Origin(NamedTuple):
    """A setting, its value as it may be shown (credentials masked), and where it comes from."""

    name: str
    value: str | int | None
    origin: str


def load_settings(**overrides: Any) -> Settings:
    """Settings of this place and moment.

    Parameters
    ----------
    **overrides
        Values that win over every source (a command's options); None leaves a setting to the sources.

    Returns
    -------
    Settings
        Checked settings.

    Raises
    ------
    SettingsError
        If a file cannot be parsed, has a key that is no setting, or a value cannot be used.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    found = _found(given)
    try:
        return Settings.model_validate(dict(ChainMap(*found.values())))
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(part, found) for part in error.errors())) from None


def settings_origins(**overrides: Any) -> list[Origin]:
    """Tell each setting with its value and its origin.

    Parameters
    ----------
    **overrides
        As for :func:`load_settings`.

    Returns
    -------
    list of Origin
        One for each setting, in the order of the fields. The origin is for example
        ``option --seed``, ``environment MLFLOW_TRACKING_URI``, ``scoring.yaml`` or ``default``.

    Raises
    ------
    SettingsError
        As :func:`load_settings` does.
    """
    settings = load_settings(**overrides)
    found = _found({name: value for name, value in overrides.items() if value is not None})
    origins = []
    for name in Settings.model_fields:
        value = getattr(settings, name)
        shown = value if isinstance(value, int) or value is None else mask_credentials(str(value))
        origins.append(Origin(name, shown, _origin_of(name, found)))
    return origins


def mask_credentials(text: str) -> str:
    """Text with user names, passwords and tokens of the addresses in it replaced.

    Examples
    --------
    >>> mask_credentials("https://me:hidden@mlflow.example.com/api?token=abc")
    'https://***@mlflow.example.com/api?***'
    >>> mask_credentials("https://me:p@ss@mlflow.example.com")
    'https://***@mlflow.example.com'
    """
    return _CREDENTIALS.sub("***", text)


def sqlite_file(uri: str) -> Path | None:
    """The file of a SQLite store, absolute; None for any other store.

    Examples
    --------
    >>> sqlite_file("sqlite:////srv/news/mlflow.db")
    PosixPath('/srv/news/mlflow.db')
    """
    scheme, _, path = uri.partition(":///")
    return Path(path.partition("?")[0].removeprefix("file:")).absolute() if scheme == "sqlite" else None


def default_model_folder() -> Path:
    """Folder of the model that ships, in an installed package and in a checkout alike.

    Returns
    -------
    Path
        ``_models/default`` inside the package where a wheel put it, else ``models/default`` of the checkout.
    """
    package = Path(__file__).resolve().parent
    installed = package / "_models" / "default"
    return installed if installed.is_dir() else package.parent / "models" / "default"


def _found(given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What each source has, under the names that messages give them, the strongest first."""
    mlflow_uri = os.environ.get("MLFLOW_TRACKING_URI")
    return {
        "option": given,
        "environment": _read_environment(),
        "environment MLFLOW_TRACKING_URI": {"tracking_uri": mlflow_uri} if mlflow_uri else {},
        _YAML: _read_yaml(Path("scoring.yaml")),
        _TOML: _read_toml(Path("pyproject.toml")),
    }


def _read_environment() -> dict[str, Any]:
    variables = {name.upper(): value for name, value in os.environ.items() if value}
    names = {name: f"SCORING_{name.upper()}" for name in Settings.model_fields}
    return {name: variables[variable] for name, variable in names.items() if variable in variables}


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    import yaml  # most places have no such file

    try:
        return _as_mapping(yaml.safe_load(path.read_text("utf-8")), _YAML)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"{path}: cannot be read as YAML: {error}") from error


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read as TOML: {error}") from error
    tools = content.get("tool", {})
    return _as_mapping(tools.get("scoring") if isinstance(tools, dict) else None, _TOML)


def _as_mapping(content: object, origin: str) -> dict[str, Any]:
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"{origin}: got {type(content).__name__}, expected names of settings with values")
    return {str(key): value for key, value in content.items()}


def _origin_of(key: str, found: dict[str, dict[str, Any]]) -> str:
    source = next((source for source, values in found.items() if key in values), "default")
    if source == "option":
        return f"option --{key.replace('_', '-')}"
    return f"environment SCORING_{key.upper()}" if source == "environment" else source


def _explain(part: Any, found: dict[str, dict[str, Any]]) -> str:
    """One line for one thing that pydantic found wrong."""
    key = str(part["loc"][0])
    origin = _origin_of(key, found)
    if part["type"] == "extra_forbidden":
        return f"{origin}: {key}: no such setting, expected one of {', '.join(Settings.model_fields)}"
    got = mask_credentials(repr(part["input"]))
    expected = _EXPECTED.get(part["type"], part["msg"].removeprefix("Input should be "))
    return f"{origin}: {key}: got {got}, expected {expected}"
