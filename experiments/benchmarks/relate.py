"""Related records found without lists, compared with the lists of the archive, which are hidden.

    python experiments/benchmarks/relate.py ARCHIVE
    python experiments/benchmarks/relate.py --smoke

Links are learned on the lists of the first half of the records by time; the second half is the test block.
The baselines are similarities of texts for the same pairs, with the threshold that is best on the first half.
Leads are predicted from the true quality and the coverage by the booster that a training fits; in the first
half, each quarter's coverage is derived with links learned on the others.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
from blocks import markdown
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import TfidfVectorizer
from timing import machine

from scoring.features.as_of import AsOf, moment_of
from scoring.features.story import listed_pairs
from scoring.features.table import FeatureTable, Floats, assemble, extract
from scoring.model.cascade import NOT_LEADING
from scoring.progress import SILENT
from scoring.records.record import Document, Record
from scoring.records.synthetic.generate import write_sample
from scoring.stories.derived_coverage import links_among, with_links
from scoring.stories.links import LinkModel, Links, joined
from scoring.stories.title_index import Rows, TitleIndex
from scoring.training.cascade import CascadeLabels, fit_cascade
from scoring.training.config import ModelConfig
from scoring.training.links import best_f1, fit_links
from scoring.training.read_dataset import read_dataset
from scoring.training.training_set import as_floats

N_FOLDS = 4
STEP = 100_000  # pairs at a time
BLOCKS = {"both records in the test block": True, "the later record in the test block": False}
GOALS = {"F1, both records in the test block": 0.36, "copies: precision": 0.94}
LEAD_GOALS = {"with later records": 0.84, "with earlier records only": 0.83}

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Archive:
    """Records by time, the pairs that they list, and the first row of the test block."""

    documents: list[Document]
    listed: NDArray[np.intp]
    half: int

    @property
    def records(self) -> list[Record]:
        """The records without their lists."""
        return [msgspec.structs.replace(document.record, related=()) for document in self.documents]

    def is_listed(self, later: Rows, earlier: Rows) -> Mask:
        """Whether pairs are listed, shape (n_pairs,)."""
        n_records = len(self.documents)
        keys = self.listed[:, 1] * n_records + self.listed[:, 0]
        return np.isin(later * n_records + earlier, keys)

    def n_listed(self, *, is_both: bool) -> int:
        """Listed pairs of the test block: both records in it, or the later one."""
        return int(np.count_nonzero(self.listed[:, 0 if is_both else 1] >= self.half))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("archive", nargs="?", metavar="ARCHIVE", help="folder of records with lists")
    parser.add_argument("--smoke", action="store_true", help="a dry run on synthetic records")
    parser.add_argument("--sample-records", type=int, default=800, help="synthetic records of a dry run")
    parser.add_argument("--threads", type=int, default=1, help="threads of LightGBM")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        if options.smoke:
            write_sample(Path(folder) / "sample", n_records=options.sample_records, seed=1)
            options.archive = f"{folder}/sample"
        if not options.archive or not Path(options.archive).is_dir():
            parser.error("expected a folder ARCHIVE (or --smoke)")
        run(read(options.archive), options.threads)
    return 0


def read(folder: str) -> Archive:
    """Labelled records with a date."""
    documents = read_dataset([folder], stdin=None, on_fault=print, reporter=SILENT).documents
    listed = sorted(listed_pairs([document.record for document in documents]))
    return Archive(documents, np.array(listed, dtype=np.intp).reshape(-1, 2), len(documents) // 2)


def run(archive: Archive, threads: int) -> None:
    """Print all tables."""
    model = fit_links(archive.documents[: archive.half], num_threads=threads)
    if model is None:
        raise SystemExit("the first half lists too few related records")
    rule = model.rule
    print(f"{machine()}, {threads} threads\n")
    print(
        f"{len(archive.documents)} records, {len(archive.listed)} listed pairs. Links learned on the first "
        f"{archive.half}: window {rule.window_hours_:g} h, {len(rule.words_)} words, threshold "
        f"{rule.threshold_:g}, for coverage {rule.coverage_threshold_:g}; copies from a similarity of "
        f"{rule.copy_similarity_:g} within {rule.copy_gap_hours_:g} h\n"
    )
    links = links_among(archive.records, model, min(rule.threshold_, rule.coverage_threshold_))
    print_pairs(archive, model, links)
    is_coverage = (links.probability >= rule.coverage_threshold_) | links.is_copy
    print_leads(archive, links.take(is_coverage), threads)


def print_pairs(archive: Archive, model: LinkModel, links: Links) -> None:
    """Precision, recall and F1 of pairs in the test block."""
    scores = scored_pairs(archive, model)
    later, earlier = scores.pop("later").astype(np.intp), scores.pop("earlier").astype(np.intp)
    is_listed = archive.is_listed(later, earlier)
    rows, figures = [], {}
    is_link = links.probability >= model.rule.threshold_
    for name, is_both in BLOCKS.items():
        n_listed = archive.n_listed(is_both=is_both)
        ours = links.take(is_link)
        cells = figures_of(archive, ours.later, ours.earlier, n_listed, is_both=is_both)
        figures[f"F1, {name}"] = cells[2]
        rows.append([name, "links", *(f"{cell:.3f}" for cell in cells)])
        cells = chained(archive, ours, n_listed, is_both=is_both)
        rows.append([name, "links, chained to whole stories", *(f"{cell:.3f}" for cell in cells)])
        in_block = (earlier if is_both else later) >= archive.half
        for baseline, values in scores.items():
            threshold, *_ = best_f1(
                values[later < archive.half],
                is_listed[later < archive.half],
                int(np.count_nonzero(archive.listed[:, 1] < archive.half)),
            )
            chosen = values >= threshold
            cells = figures_of(archive, later[chosen], earlier[chosen], n_listed, is_both=is_both)
            rows.append([name, baseline, *(f"{cell:.3f}" for cell in cells)])
        recall = np.count_nonzero(is_listed & in_block) / n_listed
        best = [1.0, recall, 2 * recall / (1 + recall)]
        rows.append([name, "a perfect choice among the compared pairs", *(f"{cell:.3f}" for cell in best)])
    print(markdown(["pairs", "by", "precision", "recall", "F1"], rows), end="\n\n")
    copies = links.is_copy & (links.later >= archive.half)
    is_right = archive.is_listed(links.later[copies], links.earlier[copies])
    precision = float(is_right.mean()) if len(is_right) else 0.0
    figures["copies: precision"] = precision
    print(f"Copies whose later record is in the test block: {copies.sum()}, precision {precision:.3f}\n")
    for name, goal in GOALS.items():
        print(f"- {name}: {figures[name]:.3f} (at least {goal}: {_verdict(figures[name], goal)})")
    print()


def chained(archive: Archive, links: Links, n_listed: int, *, is_both: bool) -> tuple[float, float, float]:
    """Precision, recall and F1 in the test block if all records of a chain of links are related."""
    n_records = len(archive.documents)
    edges = coo_array((np.ones(len(links.later)), (links.later, links.earlier)), shape=(n_records, n_records))
    story = connected_components(edges, directed=False)[1]
    n_all, n_first = np.bincount(story), np.bincount(story[: archive.half], minlength=story.max() + 1)
    n_later = n_all - n_first
    n_found = n_later * (n_later - 1) // 2 + (0 if is_both else n_later * n_first)
    listed = archive.listed[archive.listed[:, 0 if is_both else 1] >= archive.half]
    n_right = int(np.count_nonzero(story[listed[:, 0]] == story[listed[:, 1]]))
    found = int(n_found.sum())
    return n_right / max(found, 1), n_right / n_listed, 2 * n_right / max(found + n_listed, 1)


def scored_pairs(archive: Archive, model: LinkModel) -> dict[str, Floats]:
    """The compared pairs, with the similarities of the baselines."""
    blocks = list(TitleIndex(model.rule.window_hours_, model.rule.words_).add(archive.records))
    later = np.concatenate([block.later for block in blocks])
    earlier = np.concatenate([block.earlier for block in blocks])
    texts = {
        "TF-IDF of titles": [record.title for record in archive.records],
        "TF-IDF of titles and excerpts": [f"{record.title} {record.excerpt}" for record in archive.records],
    }
    scores = {"later": later.astype(float), "earlier": earlier.astype(float)}
    for name, values in texts.items():
        X = TfidfVectorizer(sublinear_tf=True).fit(values[: archive.half]).transform(values)
        parts = [
            np.asarray(X[later[i : i + STEP]].multiply(X[earlier[i : i + STEP]]).sum(axis=1)).ravel()
            for i in range(0, len(later), STEP)
        ]
        scores[name] = np.concatenate(parts)
    scores["title similarity"] = np.concatenate([block.feature("title_similarity") for block in blocks])
    return scores


def figures_of(
    archive: Archive, later: Rows, earlier: Rows, n_listed: int, *, is_both: bool
) -> tuple[float, float, float]:
    """Precision, recall and F1 of links in the test block."""
    in_block = (earlier if is_both else later) >= archive.half
    n_right = int(np.count_nonzero(archive.is_listed(later[in_block], earlier[in_block])))
    n_found = int(in_block.sum())
    return n_right / max(n_found, 1), n_right / n_listed, 2 * n_right / max(n_found + n_listed, 1)


def print_leads(archive: Archive, links: Links, threads: int) -> None:
    """Accuracy of who leads, by the coverage that is known."""
    found = out_of_fold(archive, links, threads)
    listed = [document.record for document in archive.documents]
    derived = [document.record for document in with_links(archive.documents, found)]
    heats = as_floats([document.labels.heat for document in archive.documents])
    is_lead = heats[archive.half :] > NOT_LEADING
    rows = [["never a lead", *[f"{1 - is_lead.mean():.3f}"] * 2]]
    ages: dict[str, AsOf] = {"with later records": None, "with earlier records only": timedelta(0)}
    accuracies = {}
    coverages = {"listed coverage": listed, "derived coverage": derived, "no coverage": archive.records}
    for name, records in coverages.items():
        cells = []
        for age_name, age in ages.items():
            accuracies[name, age_name] = lead_accuracy(archive, records, age, threads)
            cells.append(f"{accuracies[name, age_name]:.3f}")
        rows.append([name, *cells])
    print(markdown(["accuracy of leads, test block", *ages], rows), end="\n\n")
    for age_name, goal in LEAD_GOALS.items():
        value = accuracies["derived coverage", age_name]
        verdict = f"at least {goal}: {_verdict(value, goal)}"
        print(f"- leads by derived coverage, {age_name}: {value:.3f} ({verdict})")


def out_of_fold(archive: Archive, links: Links, threads: int) -> Links:
    """Links of the test block, and those of the first half by models that have not seen their quarter."""
    first_half = archive.documents[: archive.half]
    parts = [links.take(links.later >= archive.half)]
    fold = np.arange(archive.half) * N_FOLDS // archive.half
    for number in range(N_FOLDS):
        others = [document for document, own in zip(first_half, fold, strict=True) if own != number]
        model = fit_links(others, num_threads=threads)
        if model is not None:
            found = links_among(archive.records[: archive.half], model, model.rule.coverage_threshold_)
            parts.append(found.take(fold[found.later] == number))
    return joined(parts)


def lead_accuracy(archive: Archive, records: Sequence[Record], age: AsOf, threads: int) -> float:
    """Share of the test block whose leads are predicted right from quality and coverage."""
    table: FeatureTable = assemble([extract(record, moment_of(record, age)) for record in records])
    labels = [document.labels for document in archive.documents]
    quality = as_floats([label.quality for label in labels])
    heat = as_floats([label.heat for label in labels])
    published = as_floats([label.published for label in labels])
    is_first = np.arange(len(labels)) < archive.half
    earlier = CascadeLabels(quality[is_first], heat[is_first], published[is_first])
    cascade = fit_cascade(table.take(is_first), earlier, ModelConfig(), num_threads=threads, seed=0)
    probability = cascade.lead_probability(table.take(~is_first), quality[~is_first])
    return float(((probability >= 0.5) == (heat[~is_first] > NOT_LEADING)).mean())


def _verdict(value: float, least: float) -> str:
    return "reached" if value >= least else "**not reached**"


if __name__ == "__main__":
    sys.exit(main())
