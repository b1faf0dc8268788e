"""A Python that has already imported everything, for tests that run many short programs.

A process that has imported all libraries forks once for each program. This module is that process too. A
small program stands in for the interpreter: started like one, with `-m scoring ...`, it passes on arguments,
environment, folder, open standard streams and the limit on the size of files, and ends as the fork ends.

Not for tests of what is imported, of the locale, or of signals.
"""

from __future__ import annotations

import array
import atexit
import gc
import importlib
import io
import json
import locale
import os
import resource
import runpy
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
# Libraries that begin threads as they are imported would leave them behind in a fork.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
# Runs without `site`, in a hundredth of a second.
CLIENT = """
import array, json, os, resource, signal, socket, sys
streams = []
for number in range(3):
    try:
        os.fstat(number)
    except OSError:
        continue
    streams.append(number)
os.umask(mask := os.umask(0))
asked = {"arguments": sys.argv[2:], "environment": dict(os.environ), "folder": os.getcwd(), "umask": mask,
         "streams": streams, "limit": resource.getrlimit(resource.RLIMIT_FSIZE)}
server = socket.socket(socket.AF_UNIX)
server.connect(sys.argv[1])
if streams:
    server.sendmsg([b"f"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))])
else:
    server.sendmsg([b"f"])
with server.makefile("rw") as talk:
    print(json.dumps(asked), file=talk, flush=True)
    for number in streams:
        os.close(number)
    code = int(talk.readline() or -signal.SIGKILL)
if code < 0:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
    os.kill(os.getpid(), -code)
os._exit(code)
"""


@contextmanager
def warm_python(folder: Path, bare_store: Path) -> Iterator[str]:
    """Start the process; return the path of the stand-in for `sys.executable`.

    New stores of its programs are copies of `bare_store`, which is of MLflow.
    """
    address, program = folder / "socket", folder / "python"
    words = [sys.executable, "-I", "-S", "-c", CLIENT, str(address)]
    program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', "utf-8")
    program.chmod(0o700)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.warm_python", str(address), str(bare_store)],
        cwd=ROOT,
        env=os.environ | ONE_THREAD,
        stdin=subprocess.PIPE,  # it ends with this process
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield str(program)
        finally:
            process.stdin.close()


# What they import, besides what these import in turn.
MODULES = """
lightgbm matplotlib.figure mlflow.models.display_utils pandas pyarrow.parquet scipy.stats sklearn.linear_model
mlflow.store.model_registry.sqlalchemy_workspace_store mlflow.store.tracking.sqlalchemy_workspace_store
distributed.cli.dask_worker scoring.api scoring.cli.app scoring.workflows.train
"""


class _Program(NamedTuple):
    """A request: what the client has sent, and its standard streams by number."""

    asked: dict[str, Any]
    streams: dict[int, int]


def _read(client: socket.socket) -> _Program:
    _, ancillary, _, _ = client.recvmsg(1, socket.CMSG_SPACE(3 * array.array("i").itemsize))
    received = array.array("i")
    for _, _, data in ancillary:
        received.frombytes(data)
    with client.makefile("r") as talk:
        asked = json.loads(talk.readline())
    return _Program(asked, dict(zip(asked["streams"], received, strict=True)))


def _serve(address: str) -> _Program:
    """Fork for each request; returns only in the forks, with the request."""
    waiting = selectors.DefaultSelector()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    waiting.register(listener, selectors.EVENT_READ, None)
    waiting.register(sys.stdin, selectors.EVENT_READ, None)
    print("ready", flush=True)
    while True:
        key, _ = waiting.select()[0]
        if key.fileobj is sys.stdin:
            os._exit(0)
        if key.fileobj is listener:
            client, _ = listener.accept()
            program = _read(client)
            if (pid := os.fork()) == 0:
                waiting.close()
                listener.close()
                client.close()
                return program
            for stream in program.streams.values():
                os.close(stream)
            pidfd = os.pidfd_open(pid)
            for file in (pidfd, client):
                waiting.register(file, selectors.EVENT_READ, (pid, pidfd, client))
        else:
            pid, pidfd, client = key.data
            if key.fileobj is client:  # it is gone
                os.kill(pid, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            waiting.unregister(pidfd)
            waiting.unregister(client)
            os.close(pidfd)
            with client, suppress(OSError):
                client.sendall(f"{code}\n".encode())


def _become(program: _Program) -> None:
    """Take over the streams and the place of the client, as the interpreter does when it starts."""
    for number in range(3):
        os.close(number)
    for number, stream in program.streams.items():
        os.dup2(stream, number)
        os.close(stream)
    asked = program.asked
    os.setsid()
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    os.umask(asked["umask"])
    resource.setrlimit(resource.RLIMIT_FSIZE, tuple(asked["limit"]))
    # The interpreter leaves half of a compiled module behind, which then breaks all that import it.
    sys.dont_write_bytecode = asked["limit"][0] != resource.RLIM_INFINITY
    name, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    encoding = name or locale.getencoding()
    sys.stdin = sys.__stdin__ = _stream(0, "r", encoding, errors or "strict")  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _stream(1, "w", encoding, errors or "strict")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _stream(2, "w", encoding, "backslashreplace")  # type: ignore[misc]


def _stream(number: int, mode: str, encoding: str, errors: str) -> io.TextIOWrapper | None:
    try:
        os.fstat(number)
    except OSError:
        return None
    return open(number, mode, encoding=encoding, errors=errors, buffering=1 if number == 2 else -1)  # type: ignore[return-value]


def _run(arguments: list[str]) -> int:
    """Run a program; return its exit code."""
    try:
        _start(*arguments)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _start(kind: str, *rest: str) -> None:
    if kind == "-m":
        sys.argv = list(rest)
        sys.path.insert(0, os.getcwd())
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv = ["-c", *rest[1:]]
        sys.path.insert(0, "")
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 -- code of a test
    else:
        sys.argv = [kind, *rest]
        sys.path.insert(0, str(Path(kind).resolve().parent))
        runpy.run_path(kind, run_name="__main__")


@contextmanager
def without(name: str) -> Iterator[None]:
    """Let a package be absent while others are imported."""
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


def _main(address: str, bare_store: str) -> None:
    import scoring.tracking.store

    with without("polars"):  # MLflow imports it where it is, and it has threads
        scoring.tracking.store.load_mlflow()
        for module in MODULES.split():
            importlib.import_module(module)
    vars(scoring.tracking.store)["_create_sqlite"] = lambda path: shutil.copyfile(bare_store, path)
    sys.path.remove(os.getcwd())
    gc.freeze()  # no fork looks through what is imported
    _become(program := _serve(address))
    code = _run(program.asked["arguments"])
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream and stream.flush()
        except OSError:
            code = 120  # as Python's own
    os._exit(code)  # taking down all that was imported would take longer than most programs do


if __name__ == "__main__":
    _main(*sys.argv[1:])
