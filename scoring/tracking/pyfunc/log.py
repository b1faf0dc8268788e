"""Log a model as an MLflow pyfunc that calls this package's scorer."""

from __future__ import annotations

import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scoring.artifact.model_folder import ModelInterface, interface_of
from scoring.explanation.frames import ERROR
from scoring.model.score import Score, kind_of, score_fields
from scoring.records.field_maps.field_map import FieldMap
from scoring.records.json_text import NESTED_FIELDS
from scoring.tracking.provenance import REQUIREMENTS, version_tags
from scoring.tracking.store import load_mlflow

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature
    from mlflow.types import Schema

PACKAGE = Path(__file__).parents[2]
VERSION = "scoring_version"
"""Metadata key of a logged model for the version of its code."""
SERVED_MODEL = Path(__file__).with_name("loader.py")
# Not needed to score records, so not logged: whole packages, and parts of the readers.
_LEFT_OUT = frozenset(
    {
        *("api", "audit", "cli", "deployment", "distributed", "inbox", "labels", "plots"),
        *("report", "service", "sklearn", "workflows", "synthetic", "survey", "__pycache__", "_models"),
    }
)
_SOURCE_TAGS = ("mlflow.user", "mlflow.source.")

TEXT_FIELDS = (
    "title",
    "excerpt",
    "publishedDateTime",
    "originalUrl",
    "webUrl",
    "ampWebUrl",
    "cdnAmpWebUrl",
    "category",
    "type",
    "path",
)
EXAMPLE: dict[str, Any] = {
    "title": "A lighthouse keeper maps the winter storms",
    "excerpt": "Forty years of notes, now open to all.",
    "publishedDateTime": "2021-03-04T05:06:07Z",
    "originalUrl": "https://example.org/lighthouse",
    "provider": {"name": "Example", "domain": "example.org"},
    "topics": ["Weather"],
    "related": [{"title": "Storms, mapped", "quality": 12, "provider": {"domain": "example.com"}}],
}


def log_model(client: MlflowClient, run_id: str, model_folder: Path) -> LoggedModel:
    """Log a saved model in a run, as a pyfunc that includes this package's code.

    Uses only the client: ``mlflow.pyfunc.log_model`` would use the caller's store and active run.
    """
    entities = load_mlflow().entities
    run = client.get_run(run_id)
    tags = {name: value for name, value in run.data.tags.items() if name.startswith(_SOURCE_TAGS)}
    model = client.create_logged_model(
        run.info.experiment_id, name="model", source_run_id=run_id, tags=tags, params=run.data.params
    )
    client.log_outputs(run_id, [entities.LoggedModelOutput(model.model_id, step=0)])
    with tempfile.TemporaryDirectory() as folder:
        _save_pyfunc(model, Path(folder, "model"), model_folder, copy_code(Path(folder, "code")))
        client.log_model_artifacts(model.model_id, str(Path(folder, "model")))
    return client.finalize_logged_model(model.model_id, "READY")


def copy_code(folder: Path) -> Path:
    """Copy the code that scores into a folder, and return the copy of the package.

    Only Python files are copied, and no package that a model does not need.
    """

    def ignore(parent: str, names: list[str]) -> set[str]:
        return {
            name
            for name in names
            if name in _LEFT_OUT or not (name.endswith(".py") or Path(parent, name).is_dir())
        }

    return Path(shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=ignore))


def _save_pyfunc(model: LoggedModel, folder: Path, model_folder: Path, code: Path) -> None:
    import pandas as pd

    mlflow = load_mlflow()
    interface = interface_of(model_folder)
    path = list(sys.path)
    try:
        mlflow.pyfunc.save_model(
            path=str(folder),
            mlflow_model=mlflow.models.Model(
                artifact_path=model.artifact_location,
                model_uuid=model.model_id,
                run_id=model.source_run_id,
                model_id=model.model_id,
                metadata={VERSION: version_tags()["version.scoring"]},
            ),
            python_model=str(SERVED_MODEL),
            artifacts={"model": str(model_folder)},
            # The code itself, not a requirement: an index may have another package of that name.
            code_paths=[str(code)],
            pip_requirements=[f"{name}=={metadata.version(name)}" for name in REQUIREMENTS],
            signature=signature(interface),
            input_example=pd.DataFrame([_example(interface.field_map)]),
        )
    finally:
        # MLflow may inspect the model's imports, which leaves a copy of this package first in the path.
        sys.path[:] = path
    for compiled in folder.rglob("__pycache__"):
        shutil.rmtree(compiled, ignore_errors=True)


def _example(field_map: FieldMap | None) -> dict[str, Any]:
    """The example, its texts under the keys of a field map, nested where these are."""
    if field_map is None:
        return EXAMPLE
    example: dict[str, Any] = {}
    for field, name in (("title", "title"), ("excerpt", "excerpt"), ("original_url", "originalUrl")):
        for source in field_map.fields.get(field, ())[:1]:
            if source.kind == "key":
                *outer, key = source.name.split(".")
                inner = example
                for part in outer:
                    inner = inner.setdefault(part, {})
                inner[key] = EXAMPLE[name]
    return example


def record_schema(model_folder: Path | None) -> Schema:
    """Return the columns of labelled records: those that a model takes, and the labels.

    Without a model folder they are those of scoring's own layout.
    """
    types = load_mlflow().types
    interface = ModelInterface() if model_folder is None else interface_of(model_folder)
    labels = {"quality": "long", "heat": "long", "published": "boolean"}
    columns = list(signature(interface).inputs)
    names = {column.name for column in columns}
    columns += [
        types.ColSpec(kind, name, required=False) for name, kind in labels.items() if name not in names
    ]
    schema: Schema = types.Schema(columns)
    return schema


def signature(interface: ModelInterface = ModelInterface()) -> ModelSignature:  # noqa: B008 -- frozen
    """Return the signature of the MLflow model of some labels.

    In scoring's own layout only ``title`` is required. The other fields have any type: nested ones may be
    objects or JSON text, dates may be times, and a column without a value has no type at all. The columns of
    a field map are its keys, of any type; none is required. The scores of labels that the model does not have
    are missing values, so they are optional; so are all scores of a row that cannot be used.
    """
    models, types = load_mlflow().models, load_mlflow().types
    anything = types.schema.AnyType()
    if (field_map := interface.field_map) is None:
        inputs = [types.ColSpec("string", "title")]
        inputs += [
            types.ColSpec(anything, name, required=False)
            for name in (*TEXT_FIELDS, *NESTED_FIELDS)
            if name != "title"
        ]
    else:
        names = {key.partition(".")[0] for key in field_map.keys} | {"path"}
        inputs = [types.ColSpec(anything, name, required=False) for name in sorted(names)]
    # Whole numbers are doubles, so that they can be missing: Spark takes the types from here.
    kinds = {"str": "string", "int": "double", "float": "double", "bool": "boolean"}
    texts = types.schema.Array(types.DataType.string)
    present = score_fields(interface.targets)
    outputs = [
        types.ColSpec(kinds.get(kind_of(name), texts), name, required=name in present)
        for name in Score.__struct_fields__
    ]
    outputs.append(types.ColSpec("string", ERROR, required=False))
    params = types.ParamSchema([types.ParamSpec("as_of", "string", default=None)])
    result: ModelSignature = models.ModelSignature(types.Schema(inputs), types.Schema(outputs), params)
    return result
