"""Machine-readable results: JSON, JSON lines, CSV and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import IO, Any

import msgspec

from scoring.evaluation.results import Evaluation
from scoring.model.score import Score, score_fields, targets_of
from scoring.model.targets import TARGETS


def to_json(value: Any) -> str:
    """One line of JSON; evaluations are written without the predictions of single records.

    Examples
    --------
    >>> to_json({"quality_mae": 2.5})
    '{"quality_mae":2.5}'
    """
    return msgspec.json.encode(_plain(value), enc_hook=str).decode()


def score_lines(scores: Iterable[Score], form: str, *, has_labels: bool = False) -> Iterator[str]:
    """Lines of ``jsonl`` or ``csv``, each as soon as its score is available.

    Parameters
    ----------
    scores : iterable of Score
        Scores, in output order.
    form : str
        ``jsonl``, ``csv`` or ``markdown``. CSV begins with a header, has the columns of the labels that the
        model has, and joins warnings with ``; ``. A Markdown table begins after the last score.
    has_labels : bool
        Whether these are written scores, which have the outcome of each label.

    Yields
    ------
    str
        A line without its line feed. (A CSV value that contains a line feed keeps it, in quotes.)
    """
    if form == "jsonl":
        yield from map(to_json, scores)
        return
    if form == "markdown":
        from scoring.cli.tables.markdown import markdown_lines  # imports rich

        yield from markdown_lines(scores)
        return
    scores = iter(scores)
    first = next(scores, None)
    fields = score_fields(TARGETS if first is None else targets_of(first))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="")
    writer.writerow([*fields, *(["labels"] if has_labels else [])])
    yield buffer.getvalue()
    for score in chain([] if first is None else [first], scores):
        buffer.seek(0)
        buffer.truncate()
        row = [getattr(score, name) for name in fields[:-1]] + ["; ".join(score.warnings)]
        labels = getattr(score, "labels", {})
        writer.writerow(row + (["; ".join(map(" ".join, labels.items()))] if has_labels else []))
        yield buffer.getvalue()


def write_scores(scores: Iterable[Score], form: str, file: IO[bytes]) -> int:
    """Write scores as ``jsonl``, ``csv``, ``markdown`` or ``parquet``; return their number."""
    if form == "parquet":
        return _write_parquet(list(scores), file)
    n_lines = {"csv": -1, "markdown": -2}.get(form, 0)  # the header is not a score
    for line in score_lines(scores, form):
        file.write(line.encode() + b"\n")
        n_lines += 1
    return n_lines


def _plain(value: Any) -> Any:
    """The value as JSON accepts it, without the predictions of single records."""
    if isinstance(value, Evaluation):
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        del fields["predictions"]
        return fields
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _write_parquet(scores: list[Score], file: IO[bytes]) -> int:
    from pyarrow import parquet

    from scoring.model.score_schema import score_table

    parquet.write_table(score_table(scores), file)
    return len(scores)
