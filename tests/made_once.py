"""What all processes of a test run share: the first that needs it makes it, the others read it."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

Made = TypeVar("Made")


def made_once(shared: Path, name: str, make: Callable[[Path], Made]) -> Made:
    """Return what `make` returns for a folder of this name; only the first of several processes calls it.

    The value is pickled; what it refers to is in the folder, and nobody changes it afterwards.
    """
    folder, value = shared / name, shared / f"{name}.pickle"
    with FileLock(shared / f"{name}.lock"):
        if not value.exists():
            shutil.rmtree(folder, ignore_errors=True)  # left by a call that failed
            folder.mkdir(mode=0o700)
            value.write_bytes(pickle.dumps(make(folder)))
    made: Made = pickle.loads(value.read_bytes())  # noqa: S301 -- written above
    return made
