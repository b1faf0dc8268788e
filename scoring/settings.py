"""Settings with their origins, and the folder of the shipped model.

A setting is taken from the first of these sources that has it: an option of the command, the environment
(``SCORING_SEED`` for ``seed``), ``scoring.yaml`` in the working folder, ``[tool.scoring]`` in its
``pyproject.toml``, the default.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections import ChainMap
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_type_hints

import msgspec
from msgspec import Meta

from scoring.credentials import mask_credentials
from scoring.errors import SettingsError

_YAML = "scoring.yaml"
_TOML = "pyproject.toml [tool.scoring]"
_SCHEME = re.compile(r"[a-z][a-z0-9+.\-]+:/")  # pathlib removes the second slash

_TEXT = "a text that is not empty"
_MLFLOW_VARIABLES = {
    "MLFLOW_TRACKING_URI": "tracking_uri",
    "MLFLOW_EXPERIMENT_NAME": "experiment",
    "MLFLOW_EXPERIMENT_ID": "experiment_id",
    "MLFLOW_RUN_ID": "run_id",
    "MLFLOW_RUN_NAME": "run_name",
    "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": "system_metrics",
}
_DEFAULT = "default"

JOURNAL = "journal.jsonl"
"""Name of the journal in the home."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings common to all commands.

    Parameters
    ----------
    home : Path
        Folder of the tracking store, caches and artifacts; absolute.
    tracking_uri : str
        MLflow store; a SQLite file in ``home`` unless set. ``SCORING_TRACKING_URI`` wins over
        ``MLFLOW_TRACKING_URI``.
    experiment : str
        MLflow experiment of runs. ``SCORING_EXPERIMENT`` wins over ``MLFLOW_EXPERIMENT_NAME``.
    experiment_id : str or None
        Id of the MLflow experiment of runs, instead of its name (``MLFLOW_EXPERIMENT_ID``).
    run_id : str or None
        Existing MLflow run that receives what the command logs (``MLFLOW_RUN_ID``).
    run_name : str or None
        Name of the MLflow run (``MLFLOW_RUN_NAME``).
    system_metrics : bool
        Whether to log processor, memory, disk and network use during the command
        (``MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING``).
    registered_model : str
        Name of the registered model.
    journal : Path
        Journal of the labels that scoring wrote (:mod:`scoring.labels.journal`); absolute, in ``home`` unless
        set.
    model : str or None
        Model to score with: a folder, ``models:/NAME@ALIAS``, ``runs:/ID`` or ``shipped``; None for the
        champion.
    section : str
        What names the section of a record in training: ``topic`` (the topic that the records of a section
        share), ``folder``, or ``field NAME`` (``category``, ``type`` or ``featuredContent``).
    fields : Path or None
        Field map (:mod:`scoring.records.field_maps.field_map`): as an option, of all files; otherwise of
        those whose archive has no ``scoring-fields.yaml``. None for scoring's own layout. Absolute.
    coverage : str
        ``listed``: the coverage of a record is what it lists; ``derive``: in an archive without any list,
        what is found in the archive itself, an estimate, in training, evaluation and scoring.
    links : Path or None
        File of learned links of related records (``scoring relate --learn``); absolute, None for the shipped
        ones.
    seed : int
        Random seed; >= 0.
    threads : int
        Number of training threads and reading processes; >= 1.
    cache_mb : int
        Size limit of the feature cache in ``home``; MB, 0 disables it.
    log_level : str
        ``debug``, ``info``, ``warning`` or ``error``.
    store_origin : str
        Origin of ``tracking_uri``, as from :func:`settings_origins`; not a setting.
    fields_origin, experiment_origin, experiment_id_origin : str
        Origins of ``fields``, ``experiment`` and ``experiment_id``; not settings.

    Examples
    --------
    >>> load_settings(seed=7).seed
    7
    """

    home: Annotated[Path, Meta(description="the path of a folder")]
    tracking_uri: Annotated[str, Meta(min_length=1, description=_TEXT)]
    journal: Annotated[Path, Meta(description="the path of a file")]
    experiment: Annotated[str, Meta(min_length=1, description=_TEXT)] = "scoring"
    experiment_id: Annotated[Annotated[str, Meta(min_length=1)] | None, Meta(description=_TEXT)] = None
    run_id: Annotated[Annotated[str, Meta(min_length=1)] | None, Meta(description=_TEXT)] = None
    run_name: Annotated[Annotated[str, Meta(min_length=1)] | None, Meta(description=_TEXT)] = None
    system_metrics: Annotated[bool, Meta(description="true or false")] = False
    registered_model: Annotated[
        str, Meta(min_length=1, pattern=r"^[^/:]+$", description="a name without / and :")
    ] = "scoring"
    model: Annotated[Annotated[str, Meta(min_length=1)] | None, Meta(description=_TEXT)] = None
    section: Annotated[
        str,
        Meta(
            pattern=r"^(topic|folder|field (category|type|featuredContent))$",
            description="'topic', 'folder' or 'field NAME', NAME being category, type or featuredContent",
        ),
    ] = "topic"
    fields: Annotated[Path | None, Meta(description="the path of a file")] = None
    coverage: Annotated[Literal["listed", "derive"], Meta(description="'listed' or 'derive'")] = "listed"
    links: Annotated[Path | None, Meta(description="the path of a file")] = None
    seed: Annotated[int, Meta(ge=0, lt=2**31, description=f"an integer from 0 to {2**31 - 1}")] = 0
    threads: Annotated[int, Meta(ge=1, description="an integer of 1 or more")] = msgspec.field(
        default_factory=lambda: min(2, os.cpu_count() or 1)
    )
    cache_mb: Annotated[int, Meta(ge=0, description="an integer of 0 or more")] = 256
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="'debug', 'info', 'warning' or 'error'"),
    ] = "warning"
    store_origin: str = _DEFAULT
    fields_origin: str = _DEFAULT
    experiment_origin: str = _DEFAULT
    experiment_id_origin: str = _DEFAULT

    @property
    def is_store_named(self) -> bool:
        """Whether the store was set explicitly, or is not the home's default store."""
        return self.store_origin != _DEFAULT or self.tracking_uri != own_store(self.home)

    def __repr__(self) -> str:
        # A URI may contain credentials, and a repr ends up in logs.
        return mask_credentials(super().__repr__())


class Origin(NamedTuple):
    """A setting with its value (credentials masked) and origin."""

    name: str
    value: str | int | None
    origin: str


def load_settings(**overrides: Any) -> Settings:
    """Load the settings from all sources.

    Parameters
    ----------
    **overrides
        Values that override all sources (a command's options); None is ignored.

    Returns
    -------
    Settings
        Checked settings.

    Raises
    ------
    SettingsError
        If a file cannot be parsed, has an unknown setting, or a value is invalid.
    """
    given = {name: value for name, value in overrides.items() if value is not None}
    by_source = _read_sources(given)
    values = ChainMap(*by_source.values())
    types = {
        field.name: field.type for field in msgspec.structs.fields(Settings) if field.name in setting_names()
    }
    checked: dict[str, Any] = {"home": Path(".scoring")}
    faults = []
    for name, value in values.items():
        if name not in types:
            known = ", ".join(types)
            faults.append(f"{_origin_of(name, by_source)}: {name}: no such setting, expected one of {known}")
            continue
        try:
            checked[name] = msgspec.convert(value, types[name], strict=False, dec_hook=_path)
        except msgspec.ValidationError:
            (meta,) = get_type_hints(Settings, include_extras=True)[name].__metadata__
            got = mask_credentials(repr(value))
            faults.append(f"{_origin_of(name, by_source)}: {name}: got {got}, expected {meta.description}")
    if faults:
        raise SettingsError("\n".join(faults))
    checked["home"] = home = _absolute(checked["home"])
    if not home.is_absolute():
        origin = _origin_of("home", by_source)
        raise SettingsError(f"{origin}: home: got the URL of a store, expected a local folder")
    for name in ("journal", "links", "fields"):
        if checked.get(name) is not None:
            checked[name] = _absolute(checked[name])
    defaults: dict[str, Any] = {
        "tracking_uri": own_store(home),
        "store_origin": _origin_of("tracking_uri", by_source),
        "fields_origin": _origin_of("fields", by_source),
        "experiment_origin": _origin_of("experiment", by_source),
        "experiment_id_origin": _origin_of("experiment_id", by_source),
        "journal": home / JOURNAL,
    }
    return Settings(**defaults | checked)


def settings_origins(**overrides: Any) -> list[Origin]:
    """List each setting with its value and origin.

    Parameters
    ----------
    **overrides
        As for :func:`load_settings`.

    Returns
    -------
    list of Origin
        One per setting, in field order. The origin is for example ``option --seed``,
        ``environment MLFLOW_TRACKING_URI``, ``scoring.yaml`` or ``default``.

    Raises
    ------
    SettingsError
        As for :func:`load_settings`.
    """
    settings = load_settings(**overrides)
    by_source = _read_sources({name: value for name, value in overrides.items() if value is not None})
    origins = []
    for name in setting_names():
        value = getattr(settings, name)
        shown = value if isinstance(value, int) or value is None else mask_credentials(str(value))
        origins.append(Origin(name, shown, _origin_of(name, by_source)))
    return origins


def sqlite_file(uri: str) -> Path | None:
    """Return the absolute path of a SQLite store; None for any other store.

    Examples
    --------
    >>> sqlite_file("sqlite:////srv/news/mlflow.db")
    PosixPath('/srv/news/mlflow.db')
    """
    scheme, _, path = uri.partition(":///")
    return Path(path.partition("?")[0].removeprefix("file:")).absolute() if scheme == "sqlite" else None


def default_model_folder() -> Path:
    """Return the folder of the shipped model, in an installed package or a checkout.

    Returns
    -------
    Path
        ``_models/default`` in the installed package, otherwise ``models/default`` of the checkout.
    """
    package = Path(__file__).resolve().parent
    installed = package / "_models" / "default"
    return installed if installed.is_dir() else package.parent / "models" / "default"


def _read_sources(given: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Values by source, named as in messages, highest priority first."""
    return {
        "option": given,
        "environment": _read_environment(),
        **{
            f"environment {variable}": {name: value} if (value := os.environ.get(variable)) else {}
            for variable, name in _MLFLOW_VARIABLES.items()
        },
        _YAML: _read_yaml(Path("scoring.yaml")),
        _TOML: _read_toml(Path("pyproject.toml")),
    }


def _read_environment() -> dict[str, Any]:
    variables = {name.upper(): value for name, value in os.environ.items() if value}
    names = {name: f"SCORING_{name.upper()}" for name in setting_names()}
    return {name: variables[variable] for name, variable in names.items() if variable in variables}


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    import yaml  # only needed if the file exists

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


def _origin_of(key: str, by_source: dict[str, dict[str, Any]]) -> str:
    source = next((source for source, values in by_source.items() if key in values), _DEFAULT)
    if source == "option":
        return f"option --{key.replace('_', '-')}"
    return f"environment SCORING_{key.upper()}" if source == "environment" else source


def own_store(home: Path) -> str:
    """Return the address of the default store of a home."""
    return f"sqlite:///{home / 'mlflow.db'}"


def setting_names() -> list[str]:
    """Return the names of the settings."""
    return [name for name in Settings.__struct_fields__ if not name.endswith("_origin")]


def _absolute(path: Path) -> Path:
    """Absolute path; the URL of a remote file is unchanged."""
    if path.parts[:1] == ("file:",):
        return Path("/", *path.parts[1:])
    return path if _SCHEME.match(str(path)) else path.expanduser().absolute()


def _path(kind: type, value: object) -> object:
    """Convert text to a Path, which msgspec does not support."""
    return Path(value) if kind is Path and isinstance(value, str) else value
