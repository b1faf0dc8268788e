"""Log a model as an MLflow pyfunc that calls this package's scorer."""

from __future__ import annotations

import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scoring.artifact.model_folder import field_map_of
from scoring.model.score import Score
from scoring.records.field_map import FieldMap
from scoring.records.rows import NESTED_FIELDS
from scoring.tracking.provenance import REQUIREMENTS
from scoring.tracking.store import load_mlflow

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature

PACKAGE = Path(__file__).parents[2]
SERVED_MODEL = Path(__file__).with_name("loader.py")
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
        _save_pyfunc(model, Path(folder, "model"), model_folder)
        client.log_model_artifacts(model.model_id, str(Path(folder, "model")))
    return client.finalize_logged_model(model.model_id, "READY")


def _save_pyfunc(model: LoggedModel, folder: Path, model_folder: Path) -> None:
    import pandas as pd

    mlflow = load_mlflow()
    field_map = field_map_of(model_folder)
    path = list(sys.path)
    try:
        mlflow.pyfunc.save_model(
            path=str(folder),
            mlflow_model=mlflow.models.Model(
                artifact_path=model.artifact_location,
                model_uuid=model.model_id,
                run_id=model.source_run_id,
                model_id=model.model_id,
            ),
            python_model=str(SERVED_MODEL),
            artifacts={"model": str(model_folder)},
            # The code itself, not a requirement: an index may have another package of that name.
            code_paths=[str(PACKAGE)],
            pip_requirements=[f"{name}=={metadata.version(name)}" for name in REQUIREMENTS],
            signature=signature(field_map),
            input_example=pd.DataFrame([EXAMPLE if field_map is None else _mapped_example(field_map)]),
        )
    finally:
        # MLflow may inspect the model's imports, which leaves a copy of this package first in the path.
        sys.path[:] = path
    for compiled in folder.rglob("__pycache__"):
        shutil.rmtree(compiled, ignore_errors=True)


def _mapped_example(field_map: FieldMap) -> dict[str, Any]:
    """The texts of the example under the keys of a field map, nested where these are."""
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


def signature(field_map: FieldMap | None = None) -> ModelSignature:
    """Return the signature of the MLflow model.

    In scoring's own layout only ``title`` is required, and nested fields have any type, so that they may be
    objects or JSON text. The columns of a field map are its keys, of any type; none is required.
    """
    models, types = load_mlflow().models, load_mlflow().types
    anything = types.schema.AnyType()
    if field_map is None:
        inputs = [types.ColSpec("string", name, required=name == "title") for name in TEXT_FIELDS]
        inputs += [types.ColSpec(anything, name, required=False) for name in NESTED_FIELDS]
    else:
        names = {key.partition(".")[0] for key in field_map.keys} | {"path"}
        inputs = [types.ColSpec(anything, name, required=False) for name in sorted(names)]
    kinds = {"str": "string", "int": "long", "float": "double", "bool": "boolean"}
    texts = types.schema.Array(types.DataType.string)
    outputs = [types.ColSpec(kinds.get(kind, texts), name) for name, kind in Score.__annotations__.items()]
    params = types.ParamSchema([types.ParamSpec("as_of", "string", default=None)])
    result: ModelSignature = models.ModelSignature(types.Schema(inputs), types.Schema(outputs), params)
    return result
