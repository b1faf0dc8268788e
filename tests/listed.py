"""A synthetic archive with lists, and links that were learned from one."""

from __future__ import annotations

from pathlib import Path

import pytest

from scoring.records.record import Document
from scoring.records.synthetic.generate import sample_documents
from scoring.stories.links import LinkModel
from scoring.training.links import fit_links
from tests.made_once import made_once


def dated(n_records: int, seed: int) -> list[Document]:
    """A synthetic archive with lists, in the order of publication."""
    documents = [
        Document(f"{number}.md", 0, "", record, labels)
        for number, (record, labels) in enumerate(sample_documents(n_records=n_records, seed=seed))
    ]
    return sorted(documents, key=lambda document: (str(document.record.published_at), document.record.title))


@pytest.fixture(scope="session")
def links(shared_folder: Path) -> LinkModel:
    def make(_: Path) -> LinkModel:
        model = fit_links(dated(800, 3))
        assert model is not None
        return model

    return made_once(shared_folder, "links", make)
