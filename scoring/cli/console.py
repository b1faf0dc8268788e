"""The terminal that a command talks to: results on stdout, everything else on stderr."""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import typer

from scoring.cli.streams import flush_messages, silence
from scoring.errors import RecordError, ScoringError, shown

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress, TaskID
    from rich.segment import Segment


class OutputLostError(Exception):
    """Standard output does not take results, and there is nothing left to do without it."""


@dataclass
class Terminal:
    """What a person asked to see, and the ways to show it; also the reporter of the workflows.

    Parameters
    ----------
    is_quiet : bool
        Show results and errors only.
    is_verbose : bool
        Show progress in detail.
    is_debug : bool
        Show everything, traces of errors included.

    Attributes
    ----------
    n_faults : int
        Records that could not be used so far.
    is_refused : bool
        Whether a limit was passed: the work was done, and its answer is no.
    ends_with_output : bool
        Whether there is nothing left to do once the results cannot be printed. Else the work goes on to its
        end, and the exit code tells.
    lost_output : OSError or None
        Why results could not be printed.

    Examples
    --------
    >>> terminal = Terminal(is_quiet=True)
    >>> terminal.note("heard by nobody")
    >>> terminal.out("a result")
    a result
    """

    is_quiet: bool = False
    is_verbose: bool = False
    is_debug: bool = False
    n_faults: int = field(default=0, init=False)
    is_refused: bool = field(default=False, init=False)
    ends_with_output: bool = field(default=False, init=False)
    lost_output: OSError | None = field(default=None, init=False)
    _progress: Progress | None = field(default=None, init=False)
    _tasks: dict[str, TaskID] = field(default_factory=dict, init=False)
    _is_done_with_progress: bool = field(default=False, init=False)

    def set_up_logging(self, level: str) -> None:
        """Send the log to stderr from ``level`` up, or from what the flags ask for where that is lower."""
        asked = logging.DEBUG if self.is_debug else logging.INFO if self.is_verbose else logging.ERROR
        numeric = (
            logging.ERROR if self.is_quiet else min(asked, logging.getLevelNamesMapping()[level.upper()])
        )
        # Libraries below a warning talk of themselves, not of the records.
        logging.basicConfig(
            level=max(numeric, logging.WARNING),
            format="%(levelname)s %(name)s: %(message)s",
            stream=sys.stderr,
        )
        logging.getLogger("scoring").setLevel(numeric)

    def out(self, text: str) -> None:
        """Print one line of the result."""
        self._make_room()
        with self.printing():
            print(text)

    def show(self, *views: RenderableType) -> None:
        """Print tables and other views for people."""
        from rich.segment import Segments

        self._make_room()
        console = self._console()
        self.flush()
        # rich itself would end the process where its output goes nowhere; as it is, it has none to flush.
        with self.printing():
            with console.capture() as capture:
                for view in views:
                    console.print(Segments(map(_shown_part, console.render(view))), end="")
            print(capture.get(), end="")

    def flush(self) -> None:
        """See that all results that were printed have gone out."""
        with self.printing():
            sys.stdout.flush()

    @contextmanager
    def printing(self) -> Iterator[None]:
        """Print results: from the first that standard output does not take, none is printed.

        Raises
        ------
        OutputLostError
            If it does not take them, and there is nothing else to do.
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
        try:
            print(text, file=sys.stderr)
        except OSError:
            silence(sys.stderr)  # there is no other place to say so

    def on_fault(self, error: RecordError) -> None:
        """Print everything that is wrong with a record, and count the record."""
        self.n_faults += 1
        self.error(str(error))

    def note(self, text: str) -> None:
        """Print something that a person may want to know."""
        if not self.is_quiet:
            self.error(text)

    def warn(self, text: str) -> None:
        """Print something that a person has to know, also where they asked for results and errors only."""
        self.error(f"warning: {text}")

    def step(self, name: str, done: int, total: int | None) -> None:
        """Move the bar of one kind of work; there are bars on a terminal only."""
        if self.is_quiet or self._is_done_with_progress or not sys.stderr.isatty():
            return
        if self._progress is None:
            from rich.console import Console
            from rich.progress import Progress

            # stdout stays what it is: rich would send it to the bars' stream, and it may be a pipe.
            self._progress = Progress(console=Console(stderr=True), transient=True, redirect_stdout=False)
            self._progress.start()
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._tasks[name], completed=done, total=total)

    def close(self) -> None:
        """Take the bars away for good."""
        self._is_done_with_progress = True
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def _make_room(self) -> None:
        # Bars and results on the same screen would overwrite each other.
        if sys.stdout.isatty():
            self.close()

    @staticmethod
    def _console() -> Console:
        from rich.console import Console

        console = Console(highlight=False, soft_wrap=False)
        if not console.is_terminal:
            # Nothing limits a line in a pipe or a file; a cut column could not be read back.
            console.width = max(console.width, 200)
        return console


def _shown_part(part: Segment) -> Segment:
    """A part of a view without what a terminal obeys, which a record may hold; rich says its own apart."""
    if part.control:
        return part
    return part._replace(text="\n".join(map(shown, part.text.split("\n"))))


def exit_code(terminal: Terminal, work: Callable[[], None]) -> int:
    """Do a command's work; whatever becomes of it is an exit code."""
    try:
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
        terminal.error(f"error: {_told(error)}")
        return 2
    except typer.BadParameter:
        raise  # Typer shows the usage with it
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


def _told(error: ScoringError | OSError) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{shown(os.fsdecode(error.filename))}: {error.strerror}"
    return str(error)


def _print_trace() -> None:
    with suppress(OSError):
        traceback.print_exc()
