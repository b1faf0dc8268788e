"""The setting ``coverage: derive``: archives without lists get the coverage that is found in them."""

from __future__ import annotations

from collections.abc import Sequence

from scoring.artifact.links_file import SavedLinks, load_links
from scoring.errors import SettingsError
from scoring.features.extraction import extracted
from scoring.features.table import assemble
from scoring.model.scorer import Scorer
from scoring.progress import Reporter
from scoring.records.corpus import archive_names
from scoring.records.record import Document
from scoring.settings import Settings
from scoring.stories.derived_coverage import CoverageDeriver, derive_coverage, n_derived


def expected(links: SavedLinks) -> str:
    """What is to be expected of links, in words."""
    rule = links.model.rule
    return (
        f"where they were learned, {rule.precision_:.0%} of later links were listed, and {rule.recall_:.0%} "
        "of what was listed was found"
    )


def deriver_of(settings: Settings, reporter: Reporter) -> CoverageDeriver | None:
    """What derives the coverage of a dataset; None unless the setting asks for it.

    Raises
    ------
    ModelError
        If the links cannot be used.
    """
    return coverage_deriver(settings, reporter) if settings.coverage == "derive" else None


def coverage_deriver(settings: Settings, reporter: Reporter) -> CoverageDeriver:
    """What derives coverage by the links of the settings; the reporter notes that it is an estimate.

    Raises
    ------
    ModelError
        If the links cannot be used.
    """
    links = load_links(settings.links)
    reporter.note(
        "coverage of archives without lists is derived, an estimate: "
        f"it is found by {links.name}, and {expected(links)}"
    )
    return CoverageDeriver(links.name, links.model)


def note_as_listed(settings: Settings, reporter: Reporter) -> None:
    """Say that a command takes the coverage that records list, if the setting asks to derive it."""
    if settings.coverage == "derive":
        reporter.note(
            "coverage is not derived here: records are taken with the coverage that they list; "
            "to derive it, use scoring score, or scoring.derive_coverage in Python"
        )


def refuse_on_cluster(settings: Settings) -> None:
    """Refuse to derive coverage on a cluster.

    Raises
    ------
    SettingsError
        If the setting asks for it.
    """
    if settings.coverage == "derive":
        raise SettingsError(
            "coverage: derive cannot be used with a cluster, whose workers see a part of the archive each: "
            "leave out --dask, or set coverage to listed"
        )


def derived_for_scoring(
    documents: Sequence[Document], paths: Sequence[str], deriver: CoverageDeriver, scorer: Scorer
) -> list[Document]:
    """Documents with derived coverage; without a label, the quality of a related record is a prediction.

    Parameters
    ----------
    documents : sequence of Document
        All documents of the paths.
    paths : sequence of str
        The paths, as given.
    deriver : CoverageDeriver
        From :func:`coverage_deriver`.
    scorer : Scorer
        Predicts the quality of records without a label.
    """
    qualities = [document.labels.quality for document in documents]
    unknown = [row for row, quality in enumerate(qualities) if quality is None]
    if unknown:
        rows = [extracted(documents[row], None, scorer.sections).row for row in unknown]
        for row, quality in zip(unknown, scorer.predict(assemble(rows)).quality, strict=True):
            qualities[row] = int(quality)
    return derive_coverage(documents, archive_names(documents, paths), deriver.model, qualities)


def derived_note(documents: Sequence[Document]) -> str:
    """Say how many records have derived coverage; empty if none has."""
    count = n_derived(documents)
    return f"coverage of {count} records is derived from the archive, an estimate" if count else ""
