"""Fixtures of an object store on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from scoring.storage.remote import opened


@pytest.fixture(scope="session")
def object_store() -> Iterator[None]:
    """An object store on loopback; where it is and its keys are in the environment."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        yield
    server.stop()


@pytest.fixture
def bucket(object_store: None) -> str:
    """The address of an empty bucket."""
    name = f"news-{uuid4().hex[:8]}"
    opened(f"s3://{name}")[0].mkdir(name)
    return f"s3://{name}"
