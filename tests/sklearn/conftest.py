"""Labelled records as a frame, and a configuration of few trees."""

from __future__ import annotations

import msgspec
import pandas as pd
import pytest

from scoring.records.field_maps.map_file import parse_field_map
from scoring.records.synthetic.generate import sample_documents
from scoring.training.config import SectionConfig, TrainConfig
from tests.sites import QUICK

LABELS = ["quality", "heat", "published"]
CONFIG = TrainConfig(model=msgspec.structs.replace(QUICK, sections=SectionConfig(design="shared")))
KEYS = {
    "title": "headline",
    "topics": "tags",
    "publishedDateTime": "date",
    "quality": "points",
    "heat": "warmth",
}
FIELDS = parse_field_map(
    "fields: {title: headline, topics: tags, published_at: date, excerpt: excerpt, provider: provider,"
    " images: images, related: related, original_url: originalUrl, web_url: webUrl, type: type,"
    " category: category, amp_web_url: ampWebUrl, cdn_amp_web_url: cdnAmpWebUrl}\n"
    "labels: {quality: points, heat: warmth, published: published}"
)
"""Field map of the frames whose columns are renamed by KEYS."""


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
