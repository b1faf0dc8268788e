"""Train on a Dask cluster: workers read records, extract features and train the boosters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from scoring.distributed.partitions import count_lines, number_lines, plan
from scoring.distributed.storage import find
from scoring.errors import RecordError
from scoring.features.sections import learn_sections, rule_named
from scoring.labels.own_scores import open_own_scores
from scoring.progress import Reporter
from scoring.records.field_maps.lookup import field_maps_of
from scoring.records.files import OnFault
from scoring.settings import Settings
from scoring.training.config import TrainConfig
from scoring.training.dataset import LabelledDataset
from scoring.training.lightgbm_trainer import BoosterTrainer
from scoring.training.read_dataset import archives_of, dataset_of, mapped_rule
from scoring.workflows.cluster import ClusterOptions, mapped, opened
from scoring.workflows.training_pipeline import until_of, with_records


@contextmanager
def opened_training(
    paths: Sequence[str],
    config: TrainConfig,
    *,
    place: ClusterOptions,
    settings: Settings,
    has_own_scores: bool = False,
    on_fault: OnFault,
    reporter: Reporter,
) -> Iterator[tuple[LabelledDataset, BoosterTrainer]]:
    """Read the training records on the workers; yield the data set and a booster trainer for it.

    Parameters
    ----------
    paths : sequence of str
        Folders, files or addresses: see :func:`scoring.distributed.storage.find`.
    config : TrainConfig
        Split and fit options.
    place : ClusterOptions
        The cluster.
    settings : Settings
        Number of processes of a local cluster, and the journal.
    has_own_scores : bool
        Whether to use labels written by scoring: see :mod:`scoring.labels.own_scores`.
    on_fault, reporter
        Callback for unusable records; receiver of progress.

    Yields
    ------
    tuple of LabelledDataset and BoosterTrainer

    Raises
    ------
    RecordError
        If a path has no records.
    ModelError
        If no record has a quality and a date.
    ScoringError
        If the cluster or a store cannot be used.
    """
    n_faults = 0

    def count_fault(error: RecordError) -> None:
        nonlocal n_faults
        n_faults += 1
        on_fault(error)

    with opened(place, settings) as cluster:
        from scoring.distributed.lightgbm_trainer import ClusterTrainer
        from scoring.distributed.training_data import read_archive

        field_maps = field_maps_of(paths, settings)
        partitions = plan(mapped(find(paths), field_maps), place.partition_mb * 10**6)
        partitions = number_lines(partitions, partial(cluster.each, count_lines, name="count lines"))
        has_links = config.split.apart == "stories"
        own_scores = open_own_scores(settings, is_used=has_own_scores, reporter=reporter)
        documents, archive = read_archive(
            cluster,
            partitions,
            has_links=has_links,
            has_digests=not own_scores.journal.is_empty,
            relabel=own_scores.without,
            on_fault=count_fault,
            reporter=reporter,
        )
        until = until_of(config)
        corpus = dataset_of(
            documents,
            n_faults,
            reporter=reporter,
            until=until,
            extractor=archive,
            own_scores=own_scores,
            sections=(
                rule_named(settings.section)
                or mapped_rule(field_maps)
                or learn_sections(archives_of(documents, paths))
            ),
            wanted=config.labels,
        )
        corpus = replace(corpus, field_map=field_maps.only)
        yield with_records(corpus), ClusterTrainer(cluster, reporter)
