"""Labelled records as a frame, and a configuration of few trees."""

from __future__ import annotations

import msgspec
import pandas as pd
import pytest

from scoring.records.synthetic.generate import sample_documents
from scoring.training.config import TrainConfig
from tests.sites import QUICK

LABELS = ["quality", "heat", "published"]
CONFIG = TrainConfig(model=QUICK)


@pytest.fixture(scope="package")
def labelled() -> pd.DataFrame:
    """200 records with their labels, by date; tests do not change it."""
    return pd.DataFrame(
        [
            msgspec.to_builtins(record) | msgspec.to_builtins(labels)
            for record, labels in sample_documents(n_records=200, seed=1)
        ]
    )


@pytest.fixture(scope="package")
def records(labelled: pd.DataFrame) -> pd.DataFrame:
    """The same records without labels."""
    return labelled.drop(columns=LABELS)
