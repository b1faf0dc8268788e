"""Reproduction of a training run: differences between the original and the repeated model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import msgspec

from scoring.artifact.model_folder import PARTS, ModelFiles
from scoring.evaluation.comparison import ValueDiff, diff

_MAX_CHARS = 40  # longer values are shown as a hash


class FigureChange(msgspec.Struct, frozen=True):
    """A metric that differs; None on a side without it."""

    name: str
    first: float | None
    second: float | None


class Reproduction(msgspec.Struct, frozen=True, kw_only=True):
    """Result of repeating a training; in each pair the first is the run, the second the repetition.

    Parameters
    ----------
    run_id, run_name : str
        The repeated run.
    model : str
        Name and version of its model.
    n_records : int
        Number of training records found.
    is_trained : bool
        Whether a model was trained; not if the data differ, unless requested.
    is_same : bool
        Whether all files are identical to the byte, and all metrics equal.
    data, code, versions, machine : tuple of ValueDiff
        Differences in the records, the code (commit and package), the libraries, and the computer.
    parts : tuple of ValueDiff
        Differing parts of the models.
    figures : tuple of FigureChange
        Differing metrics on the test block.
    """

    run_id: str
    run_name: str
    model: str
    n_records: int
    is_trained: bool
    is_same: bool
    data: tuple[ValueDiff, ...]
    code: tuple[ValueDiff, ...]
    versions: tuple[ValueDiff, ...]
    machine: tuple[ValueDiff, ...]
    parts: tuple[ValueDiff, ...]
    figures: tuple[FigureChange, ...]


def diff_parts(first: ModelFiles, second: ModelFiles) -> tuple[ValueDiff, ...]:
    """Differing parts of two models: boosters, and entries of the manifest.

    Parameters
    ----------
    first, second : ModelFiles
        Files of the models; other versions of the package are allowed.

    Returns
    -------
    tuple of ValueDiff
        By part: the value if short, else its hash. Empty if all are equal.
    """
    return diff(dict(_parts(first)), dict(_parts(second)))


def diff_metrics(first: Mapping[str, float], second: Mapping[str, float]) -> tuple[FigureChange, ...]:
    """Differing metrics, including those of one side only.

    Examples
    --------
    >>> diff_metrics({"quality_mae": 2.5, "quality_r2": 0.9}, {"quality_mae": 2.5, "quality_r2": 0.875})
    (FigureChange(name='quality_r2', first=0.9, second=0.875),)
    """
    return tuple(
        FigureChange(name, first.get(name), second.get(name))
        for name in {**first, **second}
        if first.get(name) != second.get(name)
    )


def _parts(files: ModelFiles) -> Iterator[tuple[str, str]]:
    for part in PARTS:
        text = files.text_of(part)
        n_trees = text.count("\nTree=")
        yield part, f"{n_trees} trees, {_short_hash(text.encode())}"
    fields = msgspec.json.decode(files.manifest, type=dict[str, msgspec.Raw])
    del fields["files"]  # hashes of the parts above
    training = msgspec.json.decode(fields.pop("training"), type=dict[str, msgspec.Raw])
    for name, raw in {**{f"training.{name}": raw for name, raw in training.items()}, **fields}.items():
        value = msgspec.json.format(bytes(raw), indent=-1)
        yield name, value.decode() if len(value) <= _MAX_CHARS else _short_hash(value)


def _short_hash(data: bytes) -> str:
    return f"sha256 {hashlib.sha256(data).hexdigest()[:8]}"
