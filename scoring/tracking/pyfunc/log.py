"""Log a model as an MLflow pyfunc that calls this package's scorer."""

from __future__ import annotations

import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scoring.artifact.saved_model import targets_of_folder
from scoring.model.score import Score, kind_of, score_fields
from scoring.model.targets import TARGETS, Targets
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
NESTED_FIELDS = ("provider", "topics", "images", "related")
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
            signature=signature(targets_of_folder(model_folder)),
            input_example=pd.DataFrame([EXAMPLE]),
        )
    finally:
        # MLflow may inspect the model's imports, which leaves a copy of this package first in the path.
        sys.path[:] = path
    for compiled in folder.rglob("__pycache__"):
        shutil.rmtree(compiled, ignore_errors=True)


def signature(targets: Targets = TARGETS) -> ModelSignature:
    """Return the signature of the MLflow model of some labels, in which only ``title`` is required.

    Nested fields have any type, so that they may be objects or JSON text. The scores of labels that the model
    does not have are missing values, so they are optional.
    """
    models, types = load_mlflow().models, load_mlflow().types
    inputs = [types.ColSpec("string", name, required=name == "title") for name in TEXT_FIELDS]
    inputs += [types.ColSpec(types.schema.AnyType(), name, required=False) for name in NESTED_FIELDS]
    kinds = {"str": "string", "int": "long", "float": "double", "bool": "boolean"}
    texts = types.schema.Array(types.DataType.string)
    present = score_fields(targets)
    outputs = [
        types.ColSpec(kinds.get(kind_of(name), texts), name, required=name in present)
        for name in Score.__struct_fields__
    ]
    params = types.ParamSchema([types.ParamSpec("as_of", "string", default=None)])
    result: ModelSignature = models.ModelSignature(types.Schema(inputs), types.Schema(outputs), params)
    return result
