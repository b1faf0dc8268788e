"""Demo: a synthetic archive, a model trained on it, and an inbox of records without labels."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec

from scoring.errors import ScoringError, naming
from scoring.progress import SILENT, Reporter
from scoring.records.files import OnFault
from scoring.records.synthetic.generate import write_sample
from scoring.settings import JOURNAL, Settings, own_store
from scoring.storage.lock import only_one
from scoring.storage.replacement import open_replacement
from scoring.storage.urls import name_of, refuse_remote
from scoring.tracking import Store, read_report, read_run
from scoring.training.config import TrainConfig
from scoring.workflows.train import train

MARK = "scoring-demo.txt"
"""File that marks the folder of a demo."""

N_ARCHIVE, N_NEW, N_INBOX = 400, 80, 24
_ARCHIVE_DAYS, _NEW_DAYS, _INBOX_DAYS = 360, 40, 4
_MARK_TEXT = b'Made by "scoring demo", which starts the desk on it again. Delete the folder for a new demo.\n'


class Demo(msgspec.Struct, frozen=True):
    """The files of a demo.

    Parameters
    ----------
    folder : Path
        All of them.
    is_new : bool
        Whether they were made now, not by an earlier demo.
    """

    folder: Path
    is_new: bool = True

    @property
    def archive(self) -> Path:
        """Folder of the labelled records."""
        return self.folder / "archive"

    @property
    def inbox(self) -> Path:
        """Folder of the records without labels."""
        return self.folder / "inbox"

    @property
    def model(self) -> Path:
        """Folder of the model."""
        return self.folder / "model"

    @property
    def report(self) -> Path:
        """The report of the training."""
        return self.folder / "report.html"

    @property
    def settings(self) -> Settings:
        """Settings of the demo alone: a home and a store in its folder."""
        home = self.folder.absolute() / "home"
        return Settings(
            home=home,
            tracking_uri=own_store(home),
            journal=home / JOURNAL,
            experiment="demo",
        )


def make_demo(folder: Path, *, now: datetime, on_fault: OnFault, reporter: Reporter = SILENT) -> Demo:
    """Write a synthetic archive and inbox, and train a model; or find those of an earlier demo.

    Parameters
    ----------
    folder : Path
        Output folder: new, empty, or that of an earlier demo. If that demo was interrupted, it is made anew.
    now : datetime
        Current time, aware UTC: the records of the inbox are of the last days.
    on_fault, reporter
        Callback for unusable records; receiver of progress.

    Returns
    -------
    Demo

    Raises
    ------
    ScoringError
        If the folder has other content, or cannot be written.
    """
    refuse_remote(folder, "the demo", "its service reads and writes there")
    demo = Demo(folder)
    with naming(folder):
        if _is_demo(folder) and demo.report.exists():
            return msgspec.structs.replace(demo, is_new=False)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).write_bytes(_MARK_TEXT)
    with only_one(folder, "demo", now=now):  # another one may be writing its files
        if demo.report.exists():
            return msgspec.structs.replace(demo, is_new=False)
        return _make(demo, now=now, on_fault=on_fault, reporter=reporter)


def _make(demo: Demo, *, now: datetime, on_fault: OnFault, reporter: Reporter) -> Demo:
    """Write the files of a demo, in place of those that an interrupted one has left."""
    with naming(demo.folder):
        for part in (demo.archive, demo.inbox, demo.model, demo.settings.home):
            if part.exists():
                shutil.rmtree(part)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    inbox_begins_at = today - timedelta(days=_INBOX_DAYS)
    new_begins_at = inbox_begins_at - timedelta(days=_NEW_DAYS)
    write_sample(
        demo.archive,
        n_records=N_ARCHIVE,
        seed=1,
        begins_at=new_begins_at - timedelta(days=_ARCHIVE_DAYS),
        days=_ARCHIVE_DAYS,
        on_progress=partial(reporter.step, "writing the archive"),
    )
    write_sample(
        demo.inbox,
        n_records=N_INBOX,
        seed=3,
        is_labelled=False,
        begins_at=inbox_begins_at,
        days=_INBOX_DAYS,
        on_progress=partial(reporter.step, "writing the inbox"),
    )
    trained = train(
        [str(demo.archive)],
        config=TrainConfig(name="demo"),
        settings=demo.settings,
        now=now,
        output=demo.model,
        on_fault=on_fault,
        reporter=reporter,
    )
    write_sample(  # labelled since the training, so that the desk can train on something new
        demo.archive / "new",
        n_records=N_NEW,
        seed=2,
        begins_at=new_begins_at,
        days=_NEW_DAYS,
        on_progress=partial(reporter.step, "writing newer records"),
    )
    store = Store(demo.settings.tracking_uri, demo.settings.home)
    with open_replacement(demo.report) as file:  # the last: a demo without a report is made anew
        file.write(read_report(store, read_run(store, str(trained.run_id))))
    return demo


def _is_demo(folder: Path) -> bool:
    """Whether a demo made the folder; False for a new or empty one."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    if not (folder / MARK).is_file():
        got = f"got a folder or file that no demo made (it has no {MARK})"
        raise ScoringError(f"{name_of(folder)}: {got}: name a new folder with --output")
    return True
