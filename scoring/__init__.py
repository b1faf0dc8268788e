"""Score incoming records of a news curation site: quality, heat, published.

Three lines are enough::

    import scoring

    for score in scoring.score("inbox"):
        print(score.path, score.quality, score.heat, score.published)

Names are loaded on first use: ``import scoring`` imports nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scoring.api.evaluation import compare, evaluate, measure_drift
    from scoring.api.frames import read_frame
    from scoring.api.inference import derive_coverage, explain, extract_features, relate, score
    from scoring.api.inputs import read_records
    from scoring.api.labelling import suggest, validate
    from scoring.api.model import Model, load_model
    from scoring.api.promotion import promote
    from scoring.api.training import backtest, train
    from scoring.errors import (
        Fault,
        FeatureError,
        FieldMapError,
        HomeError,
        ModelError,
        RecordError,
        ScoringError,
        SettingsError,
        TrackingError,
    )
    from scoring.evaluation.comparison import Comparison
    from scoring.evaluation.results import Evaluation, Figure, Slice
    from scoring.explanation.results import Explanation, Reason
    from scoring.model.score import Score
    from scoring.records.field_maps.field_map import FieldMap
    from scoring.records.record import Coverage, Document, Image, Labels, Provider, Record
    from scoring.settings import Settings, load_settings
    from scoring.stories.relations import RelatedRecord, Relations
    from scoring.tracking.pyfunc.record_model import RecordModel as RecordModel  # not in __all__

__all__ = [
    "Comparison",
    "Coverage",
    "Document",
    "Evaluation",
    "Explanation",
    "Fault",
    "FeatureError",
    "FieldMap",
    "FieldMapError",
    "Figure",
    "HomeError",
    "Image",
    "Labels",
    "Model",
    "ModelError",
    "Provider",
    "Reason",
    "Record",
    "RecordError",
    "RelatedRecord",
    "Relations",
    "Score",
    "ScoringError",
    "Settings",
    "SettingsError",
    "Slice",
    "TrackingError",
    "__version__",
    "backtest",
    "compare",
    "derive_coverage",
    "evaluate",
    "explain",
    "extract_features",
    "load_model",
    "load_settings",
    "measure_drift",
    "promote",
    "read_frame",
    "read_records",
    "relate",
    "score",
    "suggest",
    "train",
    "validate",
]

__version__: str  # of the installed distribution, read when asked for

_MODULES = {
    "scoring.api.evaluation": "compare evaluate measure_drift",
    "scoring.api.frames": "read_frame",
    "scoring.api.inference": "derive_coverage explain extract_features relate score",
    "scoring.api.inputs": "read_records",
    "scoring.api.labelling": "suggest validate",
    "scoring.api.model": "Model load_model",
    "scoring.api.promotion": "promote",
    "scoring.api.training": "backtest train",
    "scoring.errors": (
        "Fault FeatureError FieldMapError HomeError ModelError RecordError ScoringError SettingsError "
        "TrackingError"
    ),
    "scoring.evaluation.comparison": "Comparison",
    "scoring.evaluation.results": "Evaluation Figure Slice",
    "scoring.explanation.results": "Explanation Reason",
    "scoring.model.score": "Score",
    "scoring.records.field_maps.field_map": "FieldMap",
    "scoring.records.record": "Coverage Document Image Labels Provider Record",
    "scoring.settings": "Settings load_settings",
    "scoring.stories.relations": "RelatedRecord Relations",
    "scoring.tracking.pyfunc.record_model": "RecordModel",
}
_OF_EXTRAS = ("RecordModel",)
"""Names that need an extra to be imported, which ``from scoring import *`` therefore leaves out."""

_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # as slow as all that --help needs

        return version("news-scoring")  # the import's name belongs to another project on the index
    if name not in _HOMES:
        raise AttributeError(f"module 'scoring' has no attribute '{name}'")
    from scoring.extras import naming_extras

    try:
        with naming_extras("track"):  # RecordModel is MLflow's
            return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if not str(error.name).startswith("scoring."):
            raise
        raise ImportError(
            f"scoring.{name}: {__path__[0]} is the code of an MLflow model, which can only score: "
            "import scoring before the model is loaded"
        ) from error


def __dir__() -> list[str]:
    return sorted([*__all__, *_OF_EXTRAS])
