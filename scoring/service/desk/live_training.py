"""Training from the desk: one at a time, in a process of its own, and never promoted unasked."""

from __future__ import annotations

import asyncio
import logging
import os
import time
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
from filelock import FileLock, Timeout

from scoring.errors import ScoringError
from scoring.inbox.rows import Row
from scoring.model.score import Score
from scoring.records.file_names import name_of
from scoring.service.desk.live_inbox import LiveInbox
from scoring.service.desk.training_commands import environment, next_step, retrain_command, score_command
from scoring.service.desk.training_state import (
    LOCK,
    PAGE,
    ChangedDecision,
    Outcome,
    Status,
    TrainingResult,
    TrainingState,
    read_state,
    result_of,
    write_state,
)
from scoring.service.model_manager import ModelManager
from scoring.service.options import ServiceOptions
from scoring.service.problem_details import ProblemError
from scoring.storage.home import LOCK_MODE, prepare_home

VERSION = "training"
"""Name of the version of the training in the status events."""

PRIORITY = 10
"""Added to the niceness of the process, so that scores and the desk come first."""

END_SECONDS = 5.0
"""Time that a terminated process has to end before it is killed; seconds."""

_WRITE_SECONDS = 1.0  # least time between two writes of the progress
_LINE_BYTES = 1_000_000
_WITH_FAULTS, _REFUSED = 1, 3  # exit codes of a command that has done its work
_LOG = logging.getLogger(__name__)


class _Step(msgspec.Struct, frozen=True):
    """A line of progress."""

    name: str
    done: int
    total: int | None


class LiveTraining:
    """The training of a service; all methods are called in the event loop.

    Parameters
    ----------
    live : LiveInbox
        The inbox, and its pages.
    manager : ModelManager
        Has the model that a trained one is compared with.
    options : ServiceOptions
        Archive, and settings with the home.

    Attributes
    ----------
    fault : str
        Why the state of the latest training could not be read; empty if it could.
    """

    def __init__(self, live: LiveInbox, manager: ModelManager, options: ServiceOptions) -> None:
        self._live, self._manager, self._options = live, manager, options
        self._home = options.settings.home
        self._lock = FileLock(self._home / LOCK, timeout=0, mode=LOCK_MODE, thread_local=False)
        self.fault = ""
        self._state: TrainingState | None = None
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._is_cancelled = False
        self._written_at = 0.0
        self._version = 0
        self._last_message = ""

    @property
    def archive(self) -> tuple[str, ...]:
        """Paths of the labelled records to train on; empty if the service does not know any."""
        return self._options.archive

    def current(self) -> TrainingState | None:
        """The latest training of the home, also one of another process; None if there is none."""
        if self._task is not None:
            return self._state
        try:
            state, self.fault = read_state(self._home), ""
        except ScoringError as error:
            state, self.fault = None, str(error)
        if state is not None and state.status == "running" and self._has_lock():
            fault = "the service ended during the training: start it again"
            if self._state is not None and self._state.id == state.id:  # its end could not be written
                state = self._state
            else:
                state = msgspec.structs.replace(state, status="interrupted", fault=fault)
            self._keep(state)
            self._lock.release()
        return state

    def start(self, by: str, client: str) -> TrainingState:
        """Start a training, unless one is running; return the one that runs.

        Raises
        ------
        ProblemError
            If there is no archive to train on.
        """
        current = self.current()
        if current is not None and current.status == "running":
            return current
        if not self.archive:
            raise ProblemError(
                404, "not-found", "no archive to train on: start the service with --archive PATH"
            )
        prepare_home(self._home)
        if not self._has_lock():
            raise ProblemError(503, "busy", "somebody else has just started a training: look again")
        self._is_cancelled, self._last_message = False, ""
        state = TrainingState(
            id=uuid4().hex,
            status="running",
            started_at=datetime.now(UTC),
            by=by,
            client=client,
            served=self._live.saved.name,
            stage="starting",
        )
        try:
            (self._home / PAGE).unlink(missing_ok=True)
            write_state(self._home, state)
        except OSError as error:
            self._lock.release()
            why = error.strerror or "a disk error"
            raise ProblemError(503, "busy", f"{self._home}: {why}: nothing was started") from None
        self._state = state
        self._task = asyncio.create_task(self._run())
        self._announce()
        return self._state

    def cancel(self, job: str) -> TrainingState | None:
        """Cancel a training, if it is still running; return its state, which follows soon.

        Raises
        ------
        ProblemError
            If another process of the service runs it.
        """
        current = self.current()
        if current is not None and current.status == "running" and current.id == job:
            if self._task is None:
                raise ProblemError(503, "busy", "another process of the service runs the training: try again")
            self._is_cancelled = True
            if self._process is not None:
                _terminate(self._process)
        return current

    async def close(self) -> None:
        """End a training, since the service is stopping."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        try:
            result = await self._train()
            self._end("done", result=result)
        except asyncio.CancelledError:
            self._end("interrupted", fault="the service was stopped during the training: start it again")
            raise
        except _FailedError as error:
            self._end("cancelled" if self._is_cancelled else "failed", fault=str(error))
        except (ScoringError, OSError) as error:
            self._end("failed", fault=str(error))
        except Exception as error:  # an unexpected error ends the training, not the service
            # The traceback without the message, which may quote a record.
            fields = {"error": type(error).__name__, "trace": traceback.format_tb(error.__traceback__)}
            _LOG.error("defect", extra={"fields": fields})
            self._end("failed", fault="an internal error: see the log of the service")
        finally:
            self._task = self._process = None
            self._lock.release()
            self._announce()

    async def _train(self) -> TrainingResult:
        """Train and judge; then score the inbox with the new model, if there is one."""
        resolved, settings = self._manager.current.resolved, self._options.settings
        output = await self._output(retrain_command(self.archive, resolved, settings))
        if not output.strip():
            raise _FailedError(self._last_message or "the training ended without a result")
        outcome = msgspec.json.decode(output, type=Outcome)
        step = next_step(outcome.run_id, resolved, settings) if outcome.run_id else ""
        result = result_of(outcome, has_page=(self._home / PAGE).is_file(), next_step=step)
        inbox = self._options.inbox
        if inbox is None or outcome.run_id is None:
            return result
        self._update(_Step("scoring the inbox", 0, None))
        lines = await self._output(score_command(inbox, outcome.run_id, settings))
        rows = self._live.inbox.since(0).rows
        n_compared, changes = await asyncio.to_thread(
            changed_decisions, lines, rows, name_of(os.path.join(inbox, ""))
        )
        return msgspec.structs.replace(result, n_compared=n_compared, changes=changes)

    async def _output(self, command: list[str]) -> bytes:
        """Run a command at low priority, and follow its progress; return what it prints."""
        if self._is_cancelled:
            raise _FailedError("")
        pipe = asyncio.subprocess.PIPE
        self._process = process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            env=environment(self._options.settings),
            limit=_LINE_BYTES,
            start_new_session=True,  # a Ctrl-C at the terminal stops the service, which then ends the process
        )
        assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 -- for the types
        self._end_if_cancelled(process)  # while it was being started
        try:
            with suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, process.pid, PRIORITY)
            output, _ = await asyncio.gather(process.stdout.read(), self._follow(process.stderr))
            code = await process.wait()
        except BaseException:
            await _end_process(process)
            raise
        if code not in (0, _WITH_FAULTS, _REFUSED) or self._is_cancelled:
            raise _FailedError(self._last_message or f"the training ended with exit code {code}")
        return output

    def _end_if_cancelled(self, process: asyncio.subprocess.Process) -> None:
        if self._is_cancelled:
            _terminate(process)

    async def _follow(self, messages: asyncio.StreamReader) -> None:
        """Take in the progress, and keep the last message, which says why a command fails."""
        while line := await messages.readline():
            try:
                self._update(msgspec.json.decode(line, type=_Step))
            except msgspec.DecodeError:
                self._last_message = line.decode(errors="replace").strip().removeprefix("error: ")

    def _update(self, step: _Step) -> None:
        assert self._state is not None  # noqa: S101 -- set by start
        is_new = step.name != self._state.stage
        self._state = msgspec.structs.replace(self._state, stage=step.name, done=step.done, total=step.total)
        if is_new or time.monotonic() - self._written_at >= _WRITE_SECONDS:
            self._written_at = time.monotonic()
            self._keep(self._state)
            self._announce()

    def _end(self, status: Status, *, fault: str = "", result: TrainingResult | None = None) -> None:
        assert self._state is not None  # noqa: S101 -- set by start
        fault = "" if status == "cancelled" else fault
        self._state = msgspec.structs.replace(
            self._state, status=status, fault=fault, result=result, ended_at=datetime.now(UTC)
        )
        _LOG.info("training ended", extra={"fields": {"status": status}})
        self._keep(self._state)

    def _keep(self, state: TrainingState) -> None:
        """Write a state; one that cannot be written, as on a full disk, is known to this process alone."""
        try:
            write_state(self._home, state)
        except OSError as error:
            _LOG.warning("training state not written", extra={"fields": {"error": error.strerror}})

    def _has_lock(self) -> bool:
        """Take the lock, unless another process has it."""
        try:
            self._lock.acquire()
        except Timeout:
            return False
        return True

    def _announce(self) -> None:
        self._version += 1
        self._live.announce(VERSION, self._version)


def changed_decisions(lines: bytes, rows: list[Row], prefix: str) -> tuple[int, tuple[ChangedDecision, ...]]:
    """Compare the decisions of rows with those of another model.

    Parameters
    ----------
    lines : bytes
        Scores of the other model, as lines of JSON; paths begin with the folder of the inbox.
    rows : list of Row
        Rows of the inbox, with the scores of the service's model.
    prefix : str
        Name of the folder, with a slash at its end.

    Returns
    -------
    tuple of (int) and (tuple of ChangedDecision)
        Number of records that both have decided; those that they decide differently.
    """
    decided = {}
    for line in lines.splitlines():
        score = msgspec.json.decode(line, type=Score)
        if score.published is not None:
            decided[score.path.removeprefix(prefix)] = score.published
    before = {row.path: row.score.published for row in rows if row.score is not None}
    both = [path for path, published in before.items() if published is not None and path in decided]
    changes = [
        ChangedDecision(path, bool(before[path]), decided[path])
        for path in both
        if before[path] != decided[path]
    ]
    return len(both), tuple(changes)


class _FailedError(Exception):
    """A command has failed or was ended; with its last message."""


def _terminate(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()


async def _end_process(process: asyncio.subprocess.Process) -> None:
    """Terminate a process, and kill it if it does not end."""
    _terminate(process)
    try:
        await asyncio.wait_for(process.wait(), END_SECONDS)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
