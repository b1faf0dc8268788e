"""A page taken apart, and the values of a report that every test changes for itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import pytest

from scoring.artifact.saved_model import SavedModel
from scoring.evaluation.error_analysis import ErrorAnalysis, WorstError, WorstHeat, WorstPublished
from scoring.explanation.attribution import Contribution
from scoring.explanation.results import Reason
from scoring.report import evaluation_report
from scoring.workflows.train import TrainOutcome

VOID = {"meta", "link", "br", "wbr", "hr", "img", "input"}
Attributes = dict[str, str | None]


@dataclass
class Page(HTMLParser):
    """Elements in order, each with its attributes and its text; tags that do not match are an error."""

    html: str
    elements: list[tuple[str, Attributes, list[str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, Attributes, list[str]]] = []
        self.feed(self.html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"{tag} has an attribute twice"
        element = (tag, dict(attrs), list[str]())
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        for _, _, text in self.open:
            text.append(data)

    def all(self, *tags: str) -> list[tuple[str, Attributes, str]]:
        """Elements of these tags, with their text in one line."""
        return [(tag, of, " ".join("".join(text).split())) for tag, of, text in self.elements if tag in tags]

    def texts(self, *tags: str) -> list[str]:
        """Their texts."""
        return [text for _, _, text in self.all(*tags)]

    def rows(self, caption: str) -> list[list[str]]:
        """Cells of the rows of the table whose caption begins so."""
        start = next(
            at
            for at, (tag, _, text) in enumerate(self.elements)
            if tag == "caption" and "".join(text).strip().startswith(caption)
        )
        rows: list[list[str]] = []
        for tag, _, text in self.elements[start:]:
            if tag == "table":
                break
            if tag == "tr":
                rows.append([])
            elif tag in ("th", "td"):
                rows[-1].append(" ".join("".join(text).split()))
        return rows


@pytest.fixture(scope="session")
def make_page() -> Callable[[str], Page]:
    """Takes a page apart."""
    return Page


@pytest.fixture(scope="session")
def values(training: TrainOutcome, saved: SavedModel) -> dict[str, Any]:
    """What the report of the small training is made of."""
    miss = WorstError(
        path="news/a.md", title="A quiet day at the harbour", day="2018-11-09", provider="a.example",
        quality=84, predicted=52.4, low=40.0, high=63.5,
        reasons=(Reason("has_image", "the record has an image: no", -17.75),),
    )  # fmt: skip
    return {
        "evaluation": training.evaluation,
        "title": "Evaluation of small",
        "intro": "The model's scores against labels.",
        "training": saved.manifest.training,
        "data_path": "news",
        "data_sha256": "0123456789abcdef" * 4,
        "counts": {"train": 340, "test": 60},
        "account": ErrorAnalysis(
            (miss,),
            (
                Contribution("has_image", "the record has an image", 8.0),
                Contribution("title_chars", "length of the title", 2.0),
            ),
            (
                WorstHeat(
                    path="news/b.md",
                    title="",
                    day="2018-11-10",
                    provider="",
                    heat=-1,
                    predicted=1200,
                    lead_probability=0.75,
                ),
            ),
            (
                WorstPublished(
                    path="news/c.md",
                    title="<b>Gulls</b>",
                    day="2018-11-11",
                    provider="a.example",
                    published=False,
                    probability=0.875,
                ),
            ),
        ),
        "importances": [("title_chars", "quality", 3.0, 4), ("age_hours", "lead", 1.0, 2)],
    }


@pytest.fixture(scope="session")
def make_report(values: dict[str, Any]) -> Callable[..., str]:
    """Makes a report of these values, or of others in their place."""

    def make(**changes: Any) -> str:
        return evaluation_report(**(values | changes))

    return make


@pytest.fixture(scope="session")
def html(make_report: Callable[..., str]) -> str:
    """The report of the small training."""
    return make_report()


@pytest.fixture(scope="session")
def page(html: str) -> Page:
    """The same, taken apart."""
    return Page(html)
