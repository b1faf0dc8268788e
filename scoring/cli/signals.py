"""SIGINT and SIGTERM handling: a command ends within two seconds, at a second signal immediately.

Python handles signals in the main thread, between bytecode instructions. A watcher thread learns of a signal
at once, even while the main thread is inside a library (LightGBM, SQLite, a lock), and ends the process if
the main thread does not in time. That is safe at any moment: files are replaced atomically, and the next run
cleans up what a killed one leaves in the store.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

GRACE_SECONDS = 1.5
"""Time for the main thread to end by itself."""

_NUMBERS = (signal.SIGINT, signal.SIGTERM)
_wakeup_writers: list[int] = []  # write end of the wakeup pipe, while it is installed
_received: list[int] = []


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """Make SIGINT raise KeyboardInterrupt and SIGTERM SystemExit, and end the process soon after either.

    Outside the main thread it does nothing: only the main thread handles signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = os.pipe()
    for pipe_end in (reader, writer):
        os.set_blocking(pipe_end, False)
    _wakeup_writers[:], _received[:] = [writer], []
    descriptor = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    for number, handler in ((signal.SIGINT, _interrupt), (signal.SIGTERM, _exit)):
        if before[number] is not signal.SIG_IGN:  # a background process ignores SIGINT
            signal.signal(number, handler)
    os.register_at_fork(after_in_child=_reset_after_fork)
    threading.Thread(target=_watch_pipe, args=(reader,), name="signals", daemon=True).start()
    try:
        yield
    finally:
        if _wakeup_writers:
            signal.set_wakeup_fd(descriptor)
            for number, previous in before.items():
                signal.signal(number, previous)
        _wakeup_writers.clear()
        os.close(writer)  # ends the watcher thread


def release() -> None:
    """Restore default handlers, for a command that handles signals itself and may need longer to end."""
    if _wakeup_writers:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _wakeup_writers.clear()


def exit_if_received() -> None:
    """End the process at once if a signal was received; the command has been unwound by now.

    Exit handlers of libraries may take long, or fail because their work was interrupted.
    """
    if _received:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        _end_process(_received[0])


def _receive(number: int) -> None:
    _received.append(number)
    logging.disable()  # libraries would log tracebacks of the requested interruption


def _interrupt(number: int, _: FrameType | None) -> None:
    _receive(number)
    raise KeyboardInterrupt


def _exit(number: int, _: FrameType | None) -> None:
    _receive(number)
    raise SystemExit(128 + number)


def _watch_pipe(reader: int) -> None:
    """Wait for a signal, then for the end of the command or a second signal."""
    # The system delivers a signal to any thread that does not block it. This thread blocks all of them, so
    # that the main thread can block a signal that comes too early.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    first = _next_signal(reader, None)
    if first and _next_signal(reader, GRACE_SECONDS) is not None:
        _end_process(first)
    os.close(reader)


def _next_signal(reader: int, seconds: float | None) -> int | None:
    """Number of the next signal; 0 after the timeout, None if the pipe is closed."""
    while select.select([reader], [], [], seconds)[0]:
        number = os.read(reader, 1)
        if not number:
            return None
        if number[0] in _NUMBERS:
            return number[0]
    return 0


def _end_process(number: int) -> None:
    """End this process and its children at once, without Python's exit handlers."""
    for child in multiprocessing.active_children():
        with contextlib.suppress(OSError, ValueError):
            child.kill()
    os._exit(128 + number)


def _reset_after_fork() -> None:
    """Restore default signal handling in a forked child, so that it does not write to the parent's pipe."""
    if _wakeup_writers:
        release()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
