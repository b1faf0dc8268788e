"""What each incoming record of a news curation site is worth.

Names are loaded when they are first asked for, so that a program pays only for what it uses.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scoring.errors import (
        Fault,
        FeatureError,
        HomeError,
        ModelError,
        RecordError,
        ScoringError,
        SettingsError,
        TrackingError,
    )
    from scoring.evaluation.results import Evaluation, Figure, Slice
    from scoring.explanation.results import Explanation, Reason
    from scoring.model.score import Score
    from scoring.records.record import Coverage, Document, Image, Labels, Provider, Record
    from scoring.settings import Settings, load_settings

__all__ = [
    "Coverage",
    "Document",
    "Evaluation",
    "Explanation",
    "Fault",
    "FeatureError",
    "Figure",
    "HomeError",
    "Image",
    "Labels",
    "ModelError",
    "Provider",
    "Reason",
    "Record",
    "RecordError",
    "Score",
    "ScoringError",
    "Settings",
    "SettingsError",
    "Slice",
    "TrackingError",
    "__version__",
    "load_settings",
]

__version__: str  # of the installed distribution, read when asked for

_MODULES = {
    "scoring.errors": (
        "Fault FeatureError HomeError ModelError RecordError ScoringError SettingsError TrackingError"
    ),
    "scoring.model.score": "Evaluation Explanation Figure Reason Score Slice",
    "scoring.records.record": "Coverage Document Image Labels Provider Record",
    "scoring.settings": "Settings load_settings",
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # as slow as all that --help needs

        return version("news-scoring")  # the import's name belongs to another project on the index
    if name not in _HOMES:
        raise AttributeError(f"module 'scoring' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
