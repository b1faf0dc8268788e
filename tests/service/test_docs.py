"""The service's own documentation is true."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from scoring.explanation.results import Explanation
from scoring.model.score import Score
from scoring.service.problem_details import KINDS, Problem


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    schema: dict[str, Any] = client.get("/openapi.json").json()
    return schema


def test_examples_are_answered_as_the_document_says(client: TestClient, document: dict[str, Any]) -> None:
    operation = document["paths"]["/v1/score"]["post"]
    examples = operation["responses"]["200"]["content"]["application/json"]["examples"]
    for kind, content in operation["requestBody"]["content"].items():
        for example in content["examples"].values():
            value = example["value"]
            body = value if isinstance(value, str) else json.dumps(value)
            answer = client.post("/v1/score", content=body, headers={"content-type": kind})
            assert answer.status_code == 200
            assert "422" not in answer.text
    record = operation["requestBody"]["content"]["application/json"]["examples"]["one"]["value"]
    assert client.post("/v1/score", json=record).json() == examples["one"]["value"]
    assert client.post("/v1/score?explain=true", json=record).json() == examples["with reasons"]["value"]
    many = client.post("/v1/score", json=[record, 7]).json()
    faulty = examples["many, one of them faulty"]["value"]
    assert many[0] == faulty[0]
    assert faulty[1].items() <= many[1].items()


def test_answers_have_the_types_that_the_document_names(client: TestClient, document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    kinds: dict[str, Any] = {"Score": Score, "Explanation": Explanation, "Problem": Problem}
    for name, kind in kinds.items():
        assert schemas[name]["properties"].keys() == set(kind.__struct_fields__)
    msgspec.convert(client.get("/v1/model").json(), dict)
    assert client.get("/v1/model").json().keys() == schemas["ModelInfo"]["properties"].keys()


def test_the_page_shows_all_and_loads_nothing_from_elsewhere(
    client: TestClient, document: dict[str, Any]
) -> None:
    page = client.get("/docs").text
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in page
    assert set(KINDS) <= set(re.findall(r'<tr id="([\w-]+)">', page))
    loaded = re.findall(r'(?:src|href)="([^"#][^"]*)"', page)
    assert loaded == ["docs/style.css", "openapi.json"]
    for address in loaded:
        assert client.get(f"/{address}").status_code == 200
    assert "<script" not in page
    assert "style=" not in page


def test_what_a_proxy_is_called_by_is_shown_escaped(client: TestClient) -> None:
    page = client.get("/docs", headers={"host": "<b>.example"}).text
    assert "<b>" not in page
