"""Stores on loopback: emulators of Google Cloud Storage and Azure Blob Storage, and an SFTP server."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

SECONDS = 60.0
"""Timeout of a server's start."""

INSTALL = "azurite is missing: npm install --global azurite, or set AZURITE to its azurite-blob"
# The account and the key that the emulator has for everybody.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class Store(NamedTuple):
    """A store: its URL, whether it checks the version in a write, and what makes its credential wrong."""

    url: str
    has_condition: bool
    spoil: Callable[[pytest.MonkeyPatch], None]


def free_port() -> int:
    """A port of loopback that no server listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until a server listens on a port of loopback."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < deadline, f"no server on port {port}"
            time.sleep(0.1)
        else:
            return


@contextmanager
def google(environment: pytest.MonkeyPatch, _: Path) -> Iterator[Store]:
    """Google Cloud Storage, as ``gcp-storage-emulator`` imitates it; yields a bucket."""
    from gcp_storage_emulator.handlers.buckets import create_bucket
    from gcp_storage_emulator.server import RequestHandler
    from gcp_storage_emulator.storage import Storage

    class Server(ThreadingHTTPServer):  # the emulator's own has one thread, which one client may keep
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Say nothing of clients that do not wait for the end of an answer."""

    storage = Storage(use_memory_fs=True)
    create_bucket("news", storage)
    server = Server(("127.0.0.1", 0), partial(RequestHandler, storage))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    port = server.server_port
    environment.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    environment.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    try:
        # It checks no credential, so there is no server instead.
        yield Store(
            "gs://news", False, lambda patch: patch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def azure(environment: pytest.MonkeyPatch, folder: Path) -> Iterator[Store]:
    """Azure Blob Storage, as ``azurite`` imitates it; yields a container."""
    import fsspec

    program = os.environ.get("AZURITE") or shutil.which("azurite-blob")
    if program is None:
        pytest.fail(
            "azurite is missing: npm install azurite, and set AZURITE to node_modules/.bin/azurite-blob"
        )
    port = free_port()

    def connection(key: str) -> str:
        endpoint = f"BlobEndpoint=http://127.0.0.1:{port}/{ACCOUNT}"
        return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={key};{endpoint};"

    def spoil(patch: pytest.MonkeyPatch) -> None:
        patch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection(KEY.swapcase()))

    options = ("--silent", "--skipApiVersionCheck", "--disableTelemetry", "--location", str(folder / "blobs"))
    process = subprocess.Popen([program, "--blobHost", "127.0.0.1", "--blobPort", str(port), *options])
    try:
        wait_for(port)
        environment.setenv("AZURE_STORAGE_CONNECTION_STRING", connection(KEY))
        fsspec.filesystem("abfs").mkdir("news")
        yield Store("abfs://news", has_condition=True, spoil=spoil)
    finally:
        process.terminate()
        process.wait()


@contextmanager
def sftp(environment: pytest.MonkeyPatch, folder: Path) -> Iterator[Store]:
    """An SFTP server, which admits a key of the test's own; yields a folder."""
    import asyncssh

    root, ssh = folder / "served", folder / "home" / ".ssh"
    (root / "news").mkdir(parents=True)
    ssh.mkdir(parents=True, mode=0o700)
    key, host_key = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    key.write_private_key(str(ssh / "id_ed25519"))
    (ssh / "id_ed25519").chmod(0o600)
    key.write_public_key(str(folder / "authorized"))
    port = free_port()
    (ssh / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key.export_public_key().decode()}")
    environment.setenv("HOME", str(ssh.parent))
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    class Served(asyncssh.SFTPServer):
        def __init__(self, channel: asyncssh.SSHServerChannel) -> None:
            super().__init__(channel, chroot=os.fsencode(root))

    async def listen() -> None:
        await asyncssh.listen(
            "127.0.0.1",
            port,
            server_host_keys=[host_key],
            authorized_client_keys=str(folder / "authorized"),
            sftp_factory=Served,
        )
        ready.set()

    def serve() -> None:
        loop.run_until_complete(listen())
        loop.run_forever()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(SECONDS), "the SFTP server does not start"
    try:
        yield Store(
            f"sftp://me@127.0.0.1:{port}/news", False, lambda patch: patch.setenv("HOME", str(folder))
        )
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


SERVERS = {"gs": google, "abfs": azure, "sftp": sftp}
