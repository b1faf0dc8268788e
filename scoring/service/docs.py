"""API documentation: the OpenAPI document, and an HTML page without scripts."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from scoring.service.openapi import describe
from scoring.service.problem_details import KINDS

router = APIRouter(include_in_schema=False)


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The OpenAPI document."""
    return Response(msgspec.json.encode(await _description(request)), media_type="application/json")


@router.get("/docs")
async def docs(request: Request) -> Response:
    """The HTML page."""
    page = (
        _environment()
        .get_template("docs.html.j2")
        .render(document=await _description(request), kinds=KINDS, base=str(request.base_url).rstrip("/"))
    )
    return Response(page, media_type="text/html")


@router.get("/docs/style.css")
async def style() -> Response:
    """The style sheet of the page."""
    return Response(_style(), media_type="text/css")


async def _description(request: Request) -> dict[str, Any]:
    """The OpenAPI document; built once for each model, in a thread, since its examples are scored."""
    state = request.app.state
    served = state.manager.current
    if getattr(state, "described", ("",))[0] != served.saved.sha256:
        document = await asyncio.to_thread(describe, request.app, served, state.options.limits)
        state.described = served.saved.sha256, document
    description: dict[str, Any] = state.described[1]
    return description


@cache
def _style() -> bytes:
    return files("scoring.service").joinpath("templates", "docs.css").read_bytes()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("scoring.service"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = _shown
    environment.filters["kind"] = _kind
    return environment


def _shown(value: object) -> str:
    """Text of an example."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _kind(schema: dict[str, Any]) -> str:
    """Short name of a schema's type."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(_kind(option) for option in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items') or {})}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"{_kind(schema['additionalProperties'])} by name"
    return str(schema.get("format") or schema.get("type") or "any")
