"""The model as MLflow keeps and serves it: a pyfunc from code that calls this package's own scorer."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scoring.model.results import Score
from scoring.tracking.provenance import REQUIREMENTS
from scoring.tracking.store import load_mlflow

if TYPE_CHECKING:
    from mlflow.models import ModelSignature
    from mlflow.models.model import ModelInfo

PACKAGE = Path(__file__).parents[1]
SERVED_MODEL = Path(__file__).with_name("served_model.py")

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


def log_model(model_folder: Path) -> ModelInfo:
    """Log the saved model in the active run, as a pyfunc that holds this package's code too."""
    import pandas as pd

    path = list(sys.path)
    try:
        info: ModelInfo = load_mlflow().pyfunc.log_model(
            name="model",
            python_model=str(SERVED_MODEL),
            artifacts={"model": str(model_folder)},
            # The package itself, not its name: an index may have another package of that name.
            code_paths=[str(PACKAGE)],
            pip_requirements=[f"{name}=={metadata.version(name)}" for name in REQUIREMENTS],
            signature=signature(),
            input_example=pd.DataFrame([EXAMPLE]),
        )
    finally:
        # MLflow tries the model on the example, and leaves a copy of this package first in the path.
        sys.path[:] = path
    return info


def signature() -> ModelSignature:
    """Fields that the MLflow model takes and gives: only ``title`` is required.

    Nested fields are of any type, so that they may come as objects or as JSON text.
    """
    models, types = load_mlflow().models, load_mlflow().types
    inputs = [types.ColSpec("string", name, required=name == "title") for name in TEXT_FIELDS]
    inputs += [types.ColSpec(types.schema.AnyType(), name, required=False) for name in NESTED_FIELDS]
    kinds = {"str": "string", "int": "long", "float": "double", "bool": "boolean"}
    texts = types.schema.Array(types.DataType.string)
    outputs = [types.ColSpec(kinds.get(kind, texts), name) for name, kind in Score.__annotations__.items()]
    params = types.ParamSchema([types.ParamSpec("as_of", "string", default=None)])
    result: ModelSignature = models.ModelSignature(types.Schema(inputs), types.Schema(outputs), params)
    return result
