"""Ways to read an archive: with the parsers that others would take, each for all that it knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import yaml

from scoring.errors import RecordError
from scoring.features.extraction import read_features
from scoring.records.corpus import read_documents


def _stop(error: RecordError) -> None:
    raise error


def _block(file: str) -> bytes:
    return Path(file).read_bytes().split(b"\n---", 1)[0]


def bare(files: Sequence[str]) -> None:
    """Read the bytes, and do nothing with them."""
    for file in files:
        Path(file).read_bytes()


def ours(files: Sequence[str]) -> None:
    """Records, typed and checked."""
    for _ in read_documents(files, on_fault=_stop):
        pass


def our_features(files: Sequence[str], n_processes: int = 1) -> None:
    """Their features, which is what goes from one process to another."""
    for _ in read_features(files, n_processes=n_processes, on_fault=_stop):
        pass


def pyyaml_one(file: str) -> None:
    """One file through PyYAML's C loader; what it holds is thrown away, not pickled."""
    yaml.load(_block(file), Loader=yaml.CSafeLoader)


def pyyaml(files: Sequence[str], n_processes: int = 1) -> None:
    """PyYAML's C loader alone: neither types nor checks."""
    if n_processes == 1:
        for file in files:
            pyyaml_one(file)
        return
    with get_context("fork").Pool(n_processes) as pool:
        for _ in pool.imap_unordered(pyyaml_one, files, chunksize=16):
            pass


def python_frontmatter(files: Sequence[str]) -> None:
    """python-frontmatter, which has PyYAML's C loader below it."""
    import frontmatter

    for file in files:
        frontmatter.load(file)


def ruamel(files: Sequence[str]) -> None:
    """ruamel.yaml, which keeps comments and order for a round trip."""
    from ruamel.yaml import YAML

    parser = YAML()
    for file in files:
        parser.load(_block(file))


def installed() -> dict[str, Callable[[Sequence[str]], None]]:
    """The rivals that are at hand, by name."""
    rivals = {
        "frontmatter": ("python-frontmatter", python_frontmatter),
        "ruamel.yaml": ("ruamel.yaml", ruamel),
    }
    return {name: way for module, (name, way) in rivals.items() if _is_there(module)}


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
