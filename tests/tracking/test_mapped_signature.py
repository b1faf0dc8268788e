"""The MLflow model of an archive with a field map."""

from __future__ import annotations

import pandas as pd

from scoring.artifact.model_folder import ModelInterface
from scoring.records.field_maps.map_file import parse_field_map
from scoring.tracking.pyfunc.dataframe import read_rows
from scoring.tracking.pyfunc.log import signature

FIELDS = parse_field_map(
    "fields: {title: name, topics: extra.tags, provider.domain: {host: link}}\nlabels: {quality: stars}"
)


def test_the_columns_are_the_keys_of_the_map() -> None:
    inputs = signature(ModelInterface(FIELDS)).inputs
    assert inputs is not None
    assert inputs.input_names() == ["extra", "link", "name", "path", "stars"]
    assert not any(column.required for column in inputs.inputs)


def test_rows_are_read_by_the_map() -> None:
    row = {"name": "Rain", "link": "https://gulls.example/rain", "extra": {"tags": ["sea"]}, "stars": 4}
    [document] = read_rows(pd.DataFrame([row]), FIELDS)
    assert (document.record.title, document.record.topics) == ("Rain", ("sea",))
    assert (document.record.provider.domain, document.labels.quality) == ("gulls.example", 4)
