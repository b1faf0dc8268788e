"""SIGINT and SIGTERM: a command ends within two seconds, and at the second one at once.

Python handles a signal in the main thread, between two of its own instructions. A thread that waits beside
it learns of the signal at once, also while the main thread is in a library (LightGBM, SQLite, a lock), and
ends the process where the main thread has not done so in time. That is safe at any moment: files are
replaced whole, and what a killed run leaves in the store the next one sweeps.
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
"""How long the main thread has to end by itself."""

_NUMBERS = (signal.SIGINT, signal.SIGTERM)
_writers: list[int] = []  # the descriptor that the system writes numbers of signals to, while it does
_received: list[int] = []


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt and SIGTERM SystemExit, and end the process soon after either.

    Outside of the main thread it does nothing: signals are the main thread's.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = os.pipe()
    for end in (reader, writer):
        os.set_blocking(end, False)
    _writers[:], _received[:] = [writer], []
    descriptor = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    before = {number: signal.getsignal(number) for number in _NUMBERS}
    for number, handler in ((signal.SIGINT, _interrupt), (signal.SIGTERM, _exit)):
        if before[number] is not signal.SIG_IGN:  # as of a process in the background
            signal.signal(number, handler)
    os.register_at_fork(after_in_child=_forget)
    threading.Thread(target=_watch, args=(reader,), name="signals", daemon=True).start()
    try:
        yield
    finally:
        if _writers:
            signal.set_wakeup_fd(descriptor)
            for number, old in before.items():
                signal.signal(number, old)
        _writers.clear()
        os.close(writer)  # the thread ends


def release() -> None:
    """Leave signals to a command that handles them itself: it may need longer to end."""
    if _writers:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _writers.clear()


def end_if_received() -> None:
    """End the process where a signal has told it to: what broke off its work has been cleared away by now.

    What libraries would still do at the end of the process may take long, or fail where they were broken off.
    """
    if _received:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        _end(_received[0])


def _receive(number: int) -> None:
    _received.append(number)
    logging.disable()  # libraries log, with a trace, that their work was broken off: that was asked for


def _interrupt(number: int, _: FrameType | None) -> None:
    _receive(number)
    raise KeyboardInterrupt


def _exit(number: int, _: FrameType | None) -> None:
    _receive(number)
    raise SystemExit(128 + number)


def _watch(reader: int) -> None:
    """Wait for a signal, then for the end or a second signal."""
    # The system gives a signal to any thread that lets it in: to this one none, so that the main thread may
    # hold back what comes too early for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    first = _next(reader, None)
    if first and _next(reader, GRACE_SECONDS) is not None:
        _end(first)
    os.close(reader)


def _next(reader: int, seconds: float | None) -> int | None:
    """The number of the next signal; 0 where there is none in this time, None once there will be none."""
    while select.select([reader], [], [], seconds)[0]:
        number = os.read(reader, 1)
        if not number:
            return None
        if number[0] in _NUMBERS:
            return number[0]
    return 0


def _end(number: int) -> None:
    """End this process and those that it has started; nothing of Python's own is waited for."""
    for child in multiprocessing.active_children():
        with contextlib.suppress(OSError, ValueError):
            child.kill()
    os._exit(128 + number)


def _forget() -> None:
    """In a forked process: signals are its own, and not to be told to the one that it was forked from."""
    if _writers:
        release()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
