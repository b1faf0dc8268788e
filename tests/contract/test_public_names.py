"""Public names of the package."""

from __future__ import annotations

import subprocess
import sys

import pytest

import scoring

PUBLIC = [
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
    "RecordModel",
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


def test_public_names_are_these() -> None:
    assert scoring.__all__ == sorted(scoring.__all__)
    assert scoring.__all__ == [name for name in PUBLIC if name != "RecordModel"]  # needs an extra
    assert dir(scoring) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_is_there(name: str) -> None:
    value = getattr(scoring, name)
    assert getattr(value, "__name__", name) == name


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="module 'scoring' has no attribute 'publish'"):
        _ = scoring.publish


def test_import_alone_loads_no_other_module() -> None:
    source = "import sys, scoring; print([name for name in sys.modules if name.startswith('scoring.')])"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
