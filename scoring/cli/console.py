"""Console output of a command: results on stdout, everything else on stderr."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from scoring.cli.annotations import Level, annotation, fault_annotation
from scoring.cli.streams import flush_messages, silence
from scoring.errors import Fault, RecordError, ScoringError, shown
from scoring.extras import naming_extras

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress, TaskID
    from rich.segment import Segment

_PIPE_WIDTH = 100_000
_TO_LINE_START = "\r\x1b[2K"


class OutputLostError(Exception):
    """Standard output does not accept results, and the command has no other work to do."""


@dataclass
class Terminal:
    """Output of a command at the requested verbosity; also the reporter of the workflows.

    Parameters
    ----------
    is_quiet : bool
        Show results and errors only.
    is_verbose : bool
        Show progress in detail.
    is_debug : bool
        Show everything, tracebacks included.

    Attributes
    ----------
    n_faults : int
        Number of records so far that could not be used.
    is_refused : bool
        Whether the result is negative, as if a limit was exceeded: exit code 3.
    has_annotations : bool
        Whether faults, warnings, errors and summaries are GitHub workflow commands.
    ends_with_output : bool
        Whether the command stops once its results cannot be printed. Otherwise it completes its work, and
        the exit code reports the loss.
    lost_output : OSError or None
        First error in printing results.

    Examples
    --------
    >>> terminal = Terminal(is_quiet=True)
    >>> terminal.note("not shown")
    >>> terminal.out("a result")
    a result
    """

    is_quiet: bool = False
    is_verbose: bool = False
    is_debug: bool = False
    n_faults: int = field(default=0, init=False)
    is_refused: bool = field(default=False, init=False)
    has_annotations: bool = field(default=False, init=False)
    ends_with_output: bool = field(default=False, init=False)
    lost_output: OSError | None = field(default=None, init=False)
    _progress: Progress | None = field(default=None, init=False)
    _tasks: dict[str, TaskID] = field(default_factory=dict, init=False)
    _is_done_with_progress: bool = field(default=False, init=False)
    _status: str = field(default="", init=False)

    def set_up_logging(self, level: str) -> None:
        """Log to stderr from ``level`` up, or from the level of the flags if that is lower."""
        flag_level = logging.DEBUG if self.is_debug else logging.INFO if self.is_verbose else logging.ERROR
        numeric = (
            logging.ERROR if self.is_quiet else min(flag_level, logging.getLevelNamesMapping()[level.upper()])
        )
        # Below a warning, libraries log their own operation, not anything about the records.
        logging.basicConfig(
            level=max(numeric, logging.WARNING),
            format="%(levelname)s %(name)s: %(message)s",
            stream=sys.stderr,
        )
        logging.getLogger("scoring").setLevel(numeric)

    def out(self, text: str) -> None:
        """Print one line of the result."""
        self._clear_progress()
        self._erase_status()
        with self.printing():
            print(text)
        self._draw_status()

    def show(self, *views: RenderableType) -> None:
        """Print tables and other views for people."""
        from rich.segment import Segments

        self._clear_progress()
        console = self._console()
        self.flush()
        # rich would exit the process on a closed stdout; with captured output it has nothing to flush.
        with self.printing():
            with console.capture() as capture:
                for view in views:
                    console.print(Segments(map(_escaped_segment, console.render(view))), end="")
            print(capture.get(), end="")

    def flush(self) -> None:
        """Flush printed results to stdout."""
        with self.printing():
            sys.stdout.flush()

    @contextmanager
    def printing(self) -> Iterator[None]:
        """Print results; after the first failure no more are printed.

        Raises
        ------
        OutputLostError
            If stdout does not accept them and ``ends_with_output`` is set.
        """
        try:
            yield
        except OSError as error:
            self.lost_output = self.lost_output or error
            silence(sys.stdout)
        if self.lost_output is not None and self.ends_with_output:
            raise OutputLostError

    def error(self, text: str) -> None:
        """Print a message that is never suppressed."""
        self._erase_status()
        self._print_error(text + "\n")
        self._draw_status()

    def status(self, text: str) -> None:
        """Keep one line at the end of the screen that says what goes on; only on a terminal."""
        if not self.is_quiet and sys.stderr.isatty():
            self._erase_status()
            self._status = text
            self._draw_status()

    def _draw_status(self) -> None:
        if self._status:
            width = shutil.get_terminal_size().columns - 1
            self._print_error(shown(self._status)[:width], is_flushed=True)

    def _erase_status(self) -> None:
        if self._status:
            self._print_error(_TO_LINE_START, is_flushed=True)

    @staticmethod
    def _print_error(text: str, *, is_flushed: bool = False) -> None:
        try:
            print(text, end="", file=sys.stderr, flush=is_flushed)
        except OSError:
            silence(sys.stderr)  # the failure cannot be reported anywhere

    def on_fault(self, error: RecordError) -> None:
        """Print all faults of a record, and count the record."""
        self.n_faults += 1
        self.show_faults(error.faults)

    def show_faults(self, faults: Iterable[Fault]) -> None:
        """Print faults, one a line."""
        for fault in faults:
            self.error(fault_annotation(fault) if self.has_annotations else str(fault))

    def report(self, level: Level, text: str) -> None:
        """Print a summary (``notice``, which ``--quiet`` suppresses) or a fault of no single record."""
        if self.has_annotations:
            text = annotation(level, text)
        (self.note if level == "notice" else self.error)(text)

    def note(self, text: str) -> None:
        """Print a message that ``--quiet`` suppresses."""
        if not self.is_quiet:
            self.error(text)

    def warn(self, text: str) -> None:
        """Print a warning, also with ``--quiet``."""
        self.report("warning", text if self.has_annotations else f"warning: {text}")

    def step(self, name: str, done: int, total: int | None) -> None:
        """Update the progress bar of one task; there are bars only on a terminal."""
        if self.is_quiet or self._is_done_with_progress or not sys.stderr.isatty():
            return
        if self._progress is None:
            from scoring.cli.progress_bars import new_progress

            self._progress = new_progress()
            self._progress.start()
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._tasks[name], completed=done, total=total)

    def close(self) -> None:
        """Remove the progress bars and the status for good."""
        self._erase_status()
        self._status = ""
        self.close_bars()

    def close_bars(self) -> None:
        """Remove the progress bars for good."""
        self._is_done_with_progress = True
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _clear_progress(self) -> None:
        # Bars and results on one screen would overwrite each other.
        if sys.stdout.isatty():
            self.close_bars()

    @staticmethod
    def _console() -> Console:
        from rich.console import Console

        console = Console(highlight=False, soft_wrap=False)
        if not console.is_terminal:
            # A pipe or a file has no line length, and a truncated column could not be read back.
            console.width = _PIPE_WIDTH
        return console


def _escaped_segment(segment: Segment) -> Segment:
    """A segment with control characters of records escaped; rich keeps its own in ``control``."""
    if segment.control:
        return segment
    return segment._replace(text="\n".join(map(shown, segment.text.split("\n"))))


def exit_code(terminal: Terminal, work: Callable[[], None]) -> int:
    """Run a command and return its exit code, whatever it raises."""
    try:
        with naming_extras():
            work()
        terminal.flush()
    except OutputLostError:
        pass
    except KeyboardInterrupt:
        return 130
    except (ScoringError, OSError) as error:
        terminal.close()
        if terminal.is_debug:
            _print_trace()
        if terminal.has_annotations and isinstance(error, RecordError):
            terminal.show_faults(error.faults)
        else:
            terminal.report(
                "error", _message(error) if terminal.has_annotations else f"error: {_message(error)}"
            )
        return 2
    except typer.BadParameter:
        raise  # Typer adds the usage
    except Exception:
        terminal.close()
        _print_trace()
        terminal.error("error: this is a defect of scoring; please report it with the trace above")
        return 70
    finally:
        terminal.close()
        flush_messages()
    if terminal.lost_output is not None:
        if terminal.lost_output.errno == errno.EPIPE:
            return 141
        cause = "closed" if terminal.lost_output.errno == errno.EBADF else terminal.lost_output.strerror
        terminal.error(f"error: standard output: {cause}: results were lost")
        return 2
    if terminal.is_refused:
        return 3
    return 1 if terminal.n_faults else 0


def _message(error: ScoringError | OSError) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{shown(os.fsdecode(error.filename))}: {error.strerror}"
    return str(error)


def _print_trace() -> None:
    with suppress(OSError):
        traceback.print_exc()
