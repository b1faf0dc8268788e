"""Whether a training that is made again gives the same model, as one value that every interface prints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

import msgspec

from scoring.artifact.model_folder import PARTS, ModelFiles
from scoring.evaluation.comparison import ValueDiff, diff

_MAX_CHARS = 40  # of a value that is shown as it is; a longer one is told by its hash


class FigureChange(msgspec.Struct, frozen=True):
    """A figure that is not the same number; None on the side that has none."""

    name: str
    first: float | None
    second: float | None


class Reproduction(msgspec.Struct, frozen=True, kw_only=True):
    """What came of making a training again; in each pair the first is the run, the second is now.

    Parameters
    ----------
    run_id, run_name : str
        The run that was made again.
    model : str
        Its model, by name and version.
    n_records : int
        Records that were found to train on.
    is_trained : bool
        Whether a model was trained; none is where the data differ and that was not asked for.
    is_same : bool
        Whether each file of both models is the same to the byte, and every figure the same number.
    data, code, versions, machine : tuple of Unlike
        What differs in the records, in the working folder's commit and this package, in the libraries, and
        in the computer.
    parts : tuple of ValueDiff
        Parts of the models that differ.
    figures : tuple of FigureChange
        Figures on the held-back records that differ.
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
    """Parts of two models that differ: boosters, and what stands in the manifest.

    Parameters
    ----------
    first, second : ModelFiles
        The models' files, which need not be of this version of the package.

    Returns
    -------
    tuple of Unlike
        By part, what it is: the value itself where it is short, else its hash. Empty where all are the same.
    """
    return diff(dict(_parts(first)), dict(_parts(second)))


def diff_metrics(first: Mapping[str, float], second: Mapping[str, float]) -> tuple[FigureChange, ...]:
    """Figures that are not the same number, also those that one side has not.

    Examples
    --------
    >>> unlike_figures({"quality_mae": 2.5, "quality_r2": 0.9}, {"quality_mae": 2.5, "quality_r2": 0.875})
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
    del fields["files"]  # the hashes of what stands above
    training = msgspec.json.decode(fields.pop("training"), type=dict[str, msgspec.Raw])
    for name, raw in {**{f"training.{name}": raw for name, raw in training.items()}, **fields}.items():
        value = msgspec.json.format(bytes(raw), indent=-1)
        yield name, value.decode() if len(value) <= _MAX_CHARS else _short_hash(value)


def _short_hash(data: bytes) -> str:
    return f"sha256 {hashlib.sha256(data).hexdigest()[:8]}"
