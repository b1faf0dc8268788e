"""What the service says of itself: OpenAPI, with examples that the model at work has answered."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import cleandoc
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

import scoring
from scoring.features.moment import EXPECTED
from scoring.model.explain import explain
from scoring.model.results import Explanation, Score
from scoring.records.decode import decode_json
from scoring.records.record import Record
from scoring.service.bodies import JSON, JSON_LINES, MARKDOWN
from scoring.service.keeper import Served
from scoring.service.options import Bounds
from scoring.service.problems import KINDS, MEDIA_TYPE, Problem
from scoring.service.status import ModelInfo
from scoring.tracking import EXAMPLE

_MARKDOWN = """\
---
title: A lighthouse keeper maps the winter storms
publishedDateTime: "2021-03-04T05:06:07Z"
provider:
  name: Example
  domain: example.org
topics:
  - Weather
---
"""
_SCHEMAS = (Record, Score, Explanation, Problem, ModelInfo)
_STATUSES = {
    401: "A token is needed, and none that is known was given.",
    403: "A page of another origin asks.",
    405: "The address does not take this method.",
    408: "The body did not arrive in time.",
    413: "The body is too large, or holds too many records; `limit` names which.",
    415: "The type of the content is none that is read.",
    421: "The service is not addressed by this name.",
    422: "The query, the body or the single record cannot be used; `faults` has all that is wrong with it.",
    500: "A defect; the log tells more under the `request_id`.",
    503: "There is too much to do, or the service begins or stops; `Retry-After` tells when to ask again.",
}


def describe(app: FastAPI, served: Served, bounds: Bounds) -> dict[str, Any]:
    """The OpenAPI document.

    Parameters
    ----------
    app : FastAPI
        What other parts of the service say of their addresses.
    served : Served
        The model at work, which answers the examples.
    bounds : Bounds
        What a request may ask for.

    Returns
    -------
    dict
    """
    document = get_openapi(
        title="scoring",
        version=scoring.__version__,
        summary="What incoming records of a news curation site are worth.",
        routes=app.routes,
    )
    _, components = msgspec.json.schema_components(_SCHEMAS, ref_template="#/components/schemas/{name}")
    for schema in components.values():
        schema["description"] = cleandoc(schema.get("description", ""))
    components["Record"] |= {"required": ["title"]}
    document.setdefault("components", {}).setdefault("schemas", {}).update(components)
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "password": {"type": "http", "scheme": "basic", "description": "The token as the password."},
    }
    document["security"] = [{"token": []}, {"password": []}, {}]
    document["paths"] |= {
        "/v1/score": {"post": _score(served, bounds)},
        "/v1/model": {"get": _get("Tell which model is at work", JSON, _ref("ModelInfo"))},
        "/metrics": {"get": _get("Tell the counts, as Prometheus reads them", "text/plain", _TEXT)},
        "/healthz": {"get": _get("Tell that the process answers", "text/plain", _TEXT)},
        "/readyz": {"get": _get("Tell whether records can be scored", "text/plain", _TEXT)},
    }
    return document


_TEXT = {"type": "string"}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _get(summary: str, media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {
            "200": {"description": "As asked.", "content": {media_type: {"schema": schema}}},
            **_problems([401, 405, 421, 500, 503]),
        },
    }


def _problems(statuses: Sequence[int]) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": _ref("Problem")}}
    return {str(one): {"description": _STATUSES[one], "content": content} for one in statuses}


def _score(served: Served, bounds: Bounds) -> dict[str, Any]:
    record = _ref("Record")
    document = decode_json(msgspec.json.encode(EXAMPLE), "-", 1)
    score = msgspec.to_builtins(next(served.scorer.score([document])))
    explained = msgspec.to_builtins(explain(served.scorer, document))
    fault = {"type": "/docs#record", "title": KINDS["record"], "status": 422}
    fault["detail"] = "got '7', expected the fields of a record"
    one = {"anyOf": [_ref("Score"), _ref("Explanation"), _ref("Problem")]}
    lines = "\n".join(msgspec.json.encode(EXAMPLE).decode() for _ in range(2)) + "\n"
    return {
        "summary": "Score records",
        "description": f"One record, or up to {bounds.records:,} of them as an array or as JSON lines. "
        f"A single record is answered by its scores, or by a problem. Many are answered in their order, "
        f"each by its scores or, at its place, by the problem that keeps it from having any. A body has at "
        f"most {bounds.body_bytes:,} bytes, a record {bounds.record_bytes:,} bytes, {bounds.topics:,} "
        f"topics and {bounds.coverage:,} related records; its labels are not looked at.",
        "parameters": [
            {
                "name": "as_of",
                "in": "query",
                "description": f"See no coverage newer than this: {EXPECTED}.",
                "schema": _TEXT,
                "examples": {
                    "moment": {"value": "2021-03-04T12:00:00Z"},
                    "age": {"value": "published+6h"},
                },
            },
            {
                "name": "explain",
                "in": "query",
                "description": f"Give the reasons too, of at most {bounds.explained} records.",
                "schema": {"type": "boolean", "default": False},
            },
        ],
        "requestBody": {
            "required": True,
            "content": {
                JSON: {
                    "schema": {"anyOf": [record, {"type": "array", "items": record}]},
                    "examples": {"one": {"value": EXAMPLE}, "many": {"value": [EXAMPLE, EXAMPLE]}},
                },
                JSON_LINES: {"schema": _TEXT, "examples": {"two lines": {"value": lines}}},
                MARKDOWN: {"schema": _TEXT, "examples": {"a file": {"value": _MARKDOWN}}},
            },
        },
        "responses": {
            "200": {
                "description": "Scores, in the order of the records.",
                "content": {
                    JSON: {
                        "schema": {"anyOf": [*one["anyOf"], {"type": "array", "items": one}]},
                        "examples": {
                            "one": {"value": score},
                            "with reasons": {"value": explained},
                            "many, one of them faulty": {"value": [score, fault]},
                        },
                    },
                    JSON_LINES: {"schema": _TEXT},
                },
            },
            **_problems([401, 403, 408, 413, 415, 421, 422, 500, 503]),
        },
    }
