"""Relations: the related records of each record, as :func:`scoring.relate` gives them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from scoring.features.as_of import AsOf, moment_of
from scoring.records.record import Document
from scoring.stories.derived_coverage import links_among
from scoring.stories.links import LinkModel


class RelatedRecord(msgspec.Struct, frozen=True):
    """A record that is related to another.

    Parameters
    ----------
    path : str
        Its file.
    line : int
        Its line, from 1, if the file has several records, else 0.
    probability : float
        Estimated probability that a site would list it; 0 to 1.
    """

    path: str
    line: int
    probability: float


class Relations(msgspec.Struct, frozen=True):
    """The related records of a record: an estimate.

    Parameters
    ----------
    path : str
        Its file; ``-`` is standard input.
    line : int
        Its line, from 1, if the file has several records, else 0.
    copies : tuple of RelatedRecord
        Records of the same address, or of nearly the same title within a short time; most probable first.
    story : tuple of RelatedRecord
        Other records of the same story; most probable first.
    """

    path: str
    line: int
    copies: tuple[RelatedRecord, ...]
    story: tuple[RelatedRecord, ...]


def relations_of(documents: Sequence[Document], model: LinkModel, as_of: AsOf = None) -> Iterator[Relations]:
    """Find the related records of each document among the others.

    Parameters
    ----------
    documents : sequence of Document
        The archive; the lists of its records are not used.
    model : LinkModel
        Learned links.
    as_of : datetime, timedelta or None
        Records later than this moment (aware UTC), or than so long after each record's publication, are
        unseen; None uses all.

    Yields
    ------
    Relations
        In the order of the documents.
    """
    links = links_among([document.record for document in documents], model)
    found: list[list[tuple[int, float, bool]]] = [[] for _ in documents]
    columns = (links.later, links.earlier, links.probability, links.is_copy)
    for later, earlier, probability, is_copy in zip(*(column.tolist() for column in columns), strict=True):
        found[later].append((earlier, probability, is_copy))
        found[earlier].append((later, probability, is_copy))
    for document, rows in zip(documents, found, strict=True):
        moment = moment_of(document.record, as_of)
        seen = [
            (RelatedRecord(other.path, other.line_in_path, round(probability, 3)), is_copy)
            for row, probability, is_copy in sorted(rows, key=lambda row: (-row[1], row[0]))
            if (other := documents[row]).record.published_at is not None
            and (moment is None or other.record.published_at <= moment)
        ]
        yield Relations(
            document.path,
            document.line_in_path,
            tuple(record for record, is_copy in seen if is_copy),
            tuple(record for record, is_copy in seen if not is_copy),
        )
