"""A service on the small model, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from scoring.records.synthetic.generate import sample_documents
from scoring.service.app import create_app
from scoring.service.options import ServiceOptions
from scoring.settings import Settings
from scoring.workflows.train import TrainOutcome

Serve = Callable[..., TestClient]


@pytest.fixture
def serve(training: TrainOutcome, settings: Settings) -> Iterator[Serve]:
    """Starts a service; options go before those that all tests share."""
    with ExitStack() as stack:

        def start(**options: Any) -> TestClient:
            given: dict[str, Any] = {"settings": settings, "model": training.model} | options
            app = create_app(ServiceOptions(**given))
            return stack.enter_context(TestClient(app, raise_server_exceptions=False))

        yield start


@pytest.fixture
def client(serve: Serve) -> TestClient:
    """A service of which everybody may ask anything."""
    return serve()


@pytest.fixture(scope="session")
def lines() -> list[bytes]:
    """40 records, as JSON."""
    return [msgspec.json.encode(record) for record, _ in sample_documents(n_records=40, seed=5)]
