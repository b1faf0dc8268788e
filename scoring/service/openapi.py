"""OpenAPI document of the service, with example answers of the current model."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import cleandoc
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

import scoring
from scoring.explanation.attribution import explain
from scoring.explanation.results import Explanation
from scoring.features.as_of import EXPECTED
from scoring.model.score import Score
from scoring.records.decode import decode_json
from scoring.records.record import Record
from scoring.service.model_manager import Served
from scoring.service.options import RequestLimits
from scoring.service.problem_details import KINDS, MEDIA_TYPE, Problem
from scoring.service.request_body import JSON, JSON_LINES, MARKDOWN
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
    401: "A token is needed; none or an unknown one was given.",
    403: "The request comes from a page of another origin.",
    405: "This path does not support the method.",
    408: "The body did not arrive in time.",
    413: "The body is too large, or holds too many records; `limit` says which.",
    415: "The content type is not supported.",
    421: "The service does not answer to this host name.",
    422: "The query, the body or the single record is invalid; `faults` lists everything that is wrong.",
    500: "A defect; see the log entries with this `request_id`.",
    503: "The service is overloaded, starting or stopping; retry after `Retry-After` seconds.",
}


def describe(app: FastAPI, served: Served, limits: RequestLimits) -> dict[str, Any]:
    """The OpenAPI document.

    Parameters
    ----------
    app : FastAPI
        The application, with its routes.
    served : Served
        The current model, which scores the examples.
    limits : RequestLimits
        Limits of a request.

    Returns
    -------
    dict
    """
    document = get_openapi(
        title="scoring",
        version=scoring.__version__,
        summary="Scores of incoming records for a news curation site.",
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
        "/v1/score": {"post": _score(served, limits)},
        "/v1/model": {
            "get": _get("The current model and its metrics on held-back records", JSON, _ref("ModelInfo"))
        },
        "/metrics": {"get": _get("Metrics in the format of Prometheus", "text/plain", _TEXT)},
        "/healthz": {"get": _get("Liveness: the process answers", "text/plain", _TEXT)},
        "/readyz": {"get": _get("Readiness: records can be scored", "text/plain", _TEXT)},
    }
    return document


_TEXT = {"type": "string"}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _get(summary: str, media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {
            "200": {"description": "Success.", "content": {media_type: {"schema": schema}}},
            **_problems([401, 405, 421, 500, 503]),
        },
    }


def _problems(statuses: Sequence[int]) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": _ref("Problem")}}
    return {str(status): {"description": _STATUSES[status], "content": content} for status in statuses}


def _score(served: Served, limits: RequestLimits) -> dict[str, Any]:
    record = _ref("Record")
    document = decode_json(msgspec.json.encode(EXAMPLE), "-", 1)
    score = msgspec.to_builtins(next(served.scorer.score([document])))
    explained = msgspec.to_builtins(explain(served.scorer, document))
    fault = {"type": "/docs#record", "title": KINDS["record"], "status": 422}
    fault["detail"] = "got '7', expected the fields of a record"
    result = {"anyOf": [_ref("Score"), _ref("Explanation"), _ref("Problem")]}
    lines = "\n".join(msgspec.json.encode(EXAMPLE).decode() for _ in range(2)) + "\n"
    return {
        "summary": "Score records",
        "description": f"One record, or up to {limits.records:,} of them as an array or as JSON lines. "
        f"A single record returns its scores, or a problem. Several return a list in the same order, "
        f"with scores or a problem for each. Limits: {limits.body_bytes:,} bytes a body, "
        f"{limits.record_bytes:,} bytes a record, {limits.topics:,} topics and "
        f"{limits.coverage:,} related records of a record. Labels of records are ignored.",
        "parameters": [
            {
                "name": "as_of",
                "in": "query",
                "description": f"Ignore coverage newer than this: {EXPECTED}.",
                "schema": _TEXT,
                "examples": {
                    "moment": {"value": "2021-03-04T12:00:00Z"},
                    "age": {"value": "published+6h"},
                },
            },
            {
                "name": "explain",
                "in": "query",
                "description": f"Also return the reasons, for at most {limits.explained} records.",
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
                        "schema": {"anyOf": [*result["anyOf"], {"type": "array", "items": result}]},
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
