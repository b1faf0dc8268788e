"""Candidates of a comparison: references to runs and models, resolved to predictions and metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np

from scoring.artifact.model_folder import MANIFEST
from scoring.artifact.saved_model import SavedModel, columns_of
from scoring.deployment.loaded_model import SHIPPED
from scoring.deployment.open_model import open_model
from scoring.errors import ModelError, TrackingError
from scoring.evaluation.comparison import Side
from scoring.evaluation.earlier_labels import earlier_labels
from scoring.evaluation.evaluate import prediction_columns
from scoring.evaluation.metrics import PredictionColumns
from scoring.evaluation.paired_figures import align
from scoring.evaluation.results import Evaluation
from scoring.labels.own_scores import OwnScores
from scoring.progress import Reporter
from scoring.records.corpus import data_sha256, read_documents
from scoring.records.field_maps.lookup import FieldMaps
from scoring.records.files import OnFault
from scoring.records.record import Document
from scoring.settings import Settings
from scoring.storage.remote import is_remote_file
from scoring.storage.urls import is_remote, local_path
from scoring.tracking import (
    RunRecord,
    Store,
    exact_address,
    find_run,
    flat,
    read_columns,
    read_evaluation,
    read_run,
    run_of_version,
)
from scoring.training.dataset import LabelledDataset

_RUN_ID = re.compile(r"[0-9a-f]{6,32}")


@dataclass(frozen=True, slots=True)
class Reference:
    """A run or model named by the user: its specification, its run, and the model if it is loaded."""

    spec: str
    run: RunRecord | None
    saved: SavedModel | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One side of a comparison: parameters, data, features and predictions."""

    side: Side
    params: Mapping[str, str]
    data: Mapping[str, str]
    features: Mapping[str, Sequence[str]]
    predictions: PredictionColumns
    saved: SavedModel | None = None
    documents: Sequence[Document] = field(default=(), repr=False)


def split_arguments(arguments: Sequence[str | SavedModel], store: Store) -> tuple[list[Reference], list[str]]:
    """Split arguments into references to runs or models, and paths of records."""
    references: list[Reference] = []
    paths: list[str] = []
    for argument in arguments:
        run_id = None
        if isinstance(argument, SavedModel):
            references.append(Reference(argument.name, None, argument))
            continue
        if argument == SHIPPED:
            references.append(Reference(argument, None))
            continue
        if argument.startswith("models:/"):
            argument = exact_address(store, argument)
            run_id = run_of_version(store, argument)
        elif _is_model(argument):
            references.append(Reference(argument, None))
            continue
        elif argument.startswith("runs:/") or _RUN_ID.fullmatch(argument):
            prefix = argument.removeprefix("runs:/").removesuffix("/model")
            run_id = find_run(store, prefix) if _RUN_ID.fullmatch(prefix) else None
            if run_id is None and not Path(argument).exists():
                absent = f'no run or file {argument!r} in {store}: "scoring runs" lists the runs'
                raise TrackingError(store.lost or absent)
        if run_id is None:
            paths.append(argument)
        else:
            spec = argument if argument.startswith("models:/") else f"runs:/{run_id}"
            references.append(Reference(spec, read_run(store, run_id)))
    return references, paths


def _is_model(argument: str) -> bool:
    """Whether an argument is a model's folder or zip, local or remote."""
    if is_remote(argument):
        return argument.endswith(".zip") or is_remote_file(f"{argument.rstrip('/')}/{MANIFEST}")
    path = Path(local_path(argument))
    return path.is_file() if path.suffix == ".zip" else Path(path, MANIFEST).is_file()


def read_records(
    paths: Sequence[str],
    own_scores: OwnScores,
    field_maps: FieldMaps,
    stdin: BinaryIO | None,
    on_fault: OnFault,
    reporter: Reporter,
) -> list[Document]:
    """Read the records to score, labelled or not. Labels written by scoring count only on request."""

    def report_progress(done: int, total: int) -> None:
        reporter.step("reading", done, total)

    documents_read = read_documents(
        paths, stdin=stdin, field_maps=field_maps, on_fault=on_fault, on_progress=report_progress
    )
    documents = own_scores.put_to(documents_read)
    if not documents:
        raise ModelError("no usable records to compare on: name files or folders with records")
    own_scores.note(len(documents), sum(map(len, own_scores.names)), reporter)
    return documents


def scored(
    named: Sequence[Reference], documents: list[Document], settings: Settings, reporter: Reporter
) -> tuple[list[Candidate], tuple[str, ...]]:
    """Score the records with each model."""
    dataset = LabelledDataset(documents, 0, 0, data_sha256(document.sha256 for document in documents))
    all_records = np.ones(len(documents), dtype=bool)
    sections: Sequence[str] = ()  # of the records, by the first model's rule
    paths = [document.name for document in documents]
    candidates, notes = [], []
    for done, reference in enumerate(named):
        reporter.step("scoring", done, len(named))
        saved = reference.saved or open_model(reference.spec, settings, reporter)
        # Each model has its own rule for the section of a record, and its features depend on it.
        records = dataset.under(saved.scorer.sections).as_seen(all_records)
        own_sections = np.asarray(records.sections, dtype=object)
        sections = sections or records.sections
        records = replace(records, sections=sections)
        predictions = prediction_columns(saved.scorer, records, paths, num_threads=settings.threads)
        training = saved.manifest.training
        trained_to = training.ends_at.replace(tzinfo=None)
        n_known = int((records.moments <= np.datetime64(trained_to)).sum())
        side = _side(reference, saved.name)
        if n_known:
            notes.append(
                f"{side.name}: {n_known} of {len(documents)} records are not newer than its training records "
                f"(to {trained_to:%Y-%m-%d}); on these the metrics are in-sample"
            )
        under_own_rule = {**predictions, "section": own_sections}
        if note := earlier_labels(under_own_rule, saved.models.changes, side.name):
            notes.append(note)
        data = {
            **(_data_of_run(reference.run) if reference.run else {}),
            "sha256": training.data_sha256,
            "n_all": str(training.n_records),
            "trained_from": f"{training.begins_at:%Y-%m-%d}",
            "trained_to": f"{training.ends_at:%Y-%m-%d}",
            **{f"n_all in {name or '(none)'}": str(count) for name, count in training.sections.items()},
        }
        params = {name: str(value) for name, value in flat(msgspec.to_builtins(training.config)).items()}
        columns = columns_of(saved.models)
        candidates.append(Candidate(side, params, data, columns, predictions, saved, documents))
    reporter.step("scoring", len(named), len(named))
    return candidates, tuple(notes)


def logged(
    named: Sequence[Reference], store: Store, reporter: Reporter
) -> tuple[list[Candidate], tuple[str, ...]]:
    """Read the logged predictions of each run, aligned on the records that all runs share."""
    evaluations: list[Evaluation] = []
    for done, reference in enumerate(named):
        reporter.step("reading", done, len(named))
        if reference.run is None:
            raise ModelError(
                f"{reference.spec}: got a model folder, which has no logged predictions, expected runs, or "
                "records for the models to score"
            )
        evaluations.append(read_evaluation(store, reference.run))
    reporter.step("reading", len(named), len(named))
    sides = [
        _side(reference, reference.run.summary.model) for reference in named if reference.run is not None
    ]
    predictions = [evaluation.predictions for evaluation in evaluations]
    aligned = align(predictions, [side.name for side in sides])
    n_common = len(aligned[0]["path"])
    candidates, notes = [], []
    for reference, side, evaluation, columns in zip(named, sides, evaluations, aligned, strict=True):
        run = reference.run
        assert run is not None  # noqa: S101 -- refused above
        if evaluation.n_records > n_common:
            notes.append(f"{side.name}: {n_common} of its {evaluation.n_records} test records are shared")
        data = _data_of_run(run) | {
            "judged_from": _day(evaluation.begins_at),
            "judged_to": _day(evaluation.ends_at),
        }
        candidates.append(Candidate(side, run.params, data, read_columns(store, run), columns))
    return candidates, tuple(notes)


def _side(reference: Reference, model: str) -> Side:
    if reference.run is None:
        return Side(model, None, model)
    summary = reference.run.summary
    return Side(f"{summary.name} {summary.run_id[:8]}", summary.run_id, model)


def _data_of_run(run: RunRecord) -> dict[str, str]:
    counts = {name: value for name, value in run.summary.metrics.items() if name.startswith("n_")}
    return {
        "sha256": run.summary.data_sha256,
        "path": run.data_path,
        **{name: f"{value:.0f}" for name, value in sorted(counts.items())},
    }


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else ""
