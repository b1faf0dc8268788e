"""Readers of an archive to compare: scoring's own and other YAML and front-matter parsers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import yaml

from scoring.errors import RecordError
from scoring.features.reading import read_features
from scoring.records.corpus import read_documents


def _stop(error: RecordError) -> None:
    raise error


def _block(file: str) -> bytes:
    return Path(file).read_bytes().split(b"\n---", 1)[0]


def bare(files: Sequence[str]) -> None:
    """Read the bytes only."""
    for file in files:
        Path(file).read_bytes()


def scoring_reader(files: Sequence[str]) -> None:
    """Read typed and validated records."""
    for _ in read_documents(files, on_fault=_stop):
        pass


def scoring_features(files: Sequence[str], n_processes: int = 1) -> None:
    """Read features, which is what processes exchange."""
    for _ in read_features(files, n_processes=n_processes, on_fault=_stop):
        pass


def pyyaml_one(file: str) -> None:
    """Parse one file with PyYAML's C loader; the result is discarded, not pickled."""
    yaml.load(_block(file), Loader=yaml.CSafeLoader)


def pyyaml(files: Sequence[str], n_processes: int = 1) -> None:
    """Parse with PyYAML's C loader, without types or validation."""
    if n_processes == 1:
        for file in files:
            pyyaml_one(file)
        return
    with get_context("fork").Pool(n_processes) as pool:
        for _ in pool.imap_unordered(pyyaml_one, files, chunksize=16):
            pass


def python_frontmatter(files: Sequence[str]) -> None:
    """Parse with python-frontmatter, which uses PyYAML's C loader."""
    import frontmatter

    for file in files:
        frontmatter.load(file)


def ruamel(files: Sequence[str]) -> None:
    """Parse with ruamel.yaml, which preserves comments and order."""
    from ruamel.yaml import YAML

    parser = YAML()
    for file in files:
        parser.load(_block(file))


def installed() -> dict[str, Callable[[Sequence[str]], None]]:
    """Installed competitors by name."""
    rivals = {
        "frontmatter": ("python-frontmatter", python_frontmatter),
        "ruamel.yaml": ("ruamel.yaml", ruamel),
    }
    return {name: way for module, (name, way) in rivals.items() if _is_installed(module)}


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
