"""Learning curve: the error of a section's quality as a function of the number of its labels.

Each number of labels is drawn several times, since the error of a single small draw is largely chance. If the
section is left out of the shared fit because it has few labels, that fit is made once for all draws.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.errors import ModelError, shown
from scoring.evaluation.metrics import compute
from scoring.features.as_of import parse_as_of
from scoring.model.quality import QualityModel
from scoring.model.scorer import rounded
from scoring.training.config import TrainConfig
from scoring.training.dataset import LabelledDataset, cutoffs_before
from scoring.training.fit import fit_quality, validation_mask
from scoring.training.parallel import fit_pool
from scoring.training.quality import QualityFit
from scoring.training.section_plan import SectionPlan, rank_sections, with_policies
from scoring.training.splits import Mask, test_mask
from scoring.training.training_set import TrainingSet

COUNTS = (20, 50, 100, 200)
N_DRAWS = 20
MAX_FULL_FITS = 3  # draws of a section that is part of the shared fit; each of them needs a full fit
METRICS = (
    "quality_mae",
    "quality_within_1",
    "quality_interval_coverage",
    "quality_interval_width",
)


class CurvePoint(msgspec.Struct, frozen=True):
    """Metrics of a section's quality on its test block, for one number of its labels.

    Parameters
    ----------
    section : str
        Name of the section.
    n_labels, n_pool : int
        Labels in each draw, and labels that could be drawn.
    n_records : int
        Records of the test block.
    draws : tuple of dict of str to float
        Metrics of each draw: see :data:`METRICS`.
    figures : dict of str to float
        Summary of the draws: see :func:`summarize`. Empty if there are no draws.
    error : str
        Why training or evaluation failed; empty if it did not.
    """

    section: str
    n_labels: int
    n_pool: int
    n_records: int
    draws: tuple[dict[str, float], ...] = ()
    figures: dict[str, float] = {}
    error: str = ""


@dataclass(frozen=True)
class SectionCurve:
    """The records that the learning curve of one section is computed from.

    Parameters
    ----------
    name : str
        Name of the section; empty for records of no section.
    training : TrainingSet
        `n_records` records before the test blocks: the section's, which are drawn from, and all others.
    test : TrainingSet
        The section's test block.
    config : TrainConfig
        Fit options and seed.
    num_threads : int
        Threads of LightGBM; they do not change the models.
    """

    name: str
    training: TrainingSet
    test: TrainingSet
    config: TrainConfig
    num_threads: int = 1

    @cached_property
    def pool(self) -> NDArray[np.intp]:
        """Rows of the training set that are the section's, shape (n_pool,)."""
        return np.flatnonzero(self._sections == self.name)

    def sizes(self, counts: Iterable[int]) -> list[int]:
        """Numbers of labels to draw, ascending; all numbers above the size of the pool become that size."""
        return sorted({min(count, len(self.pool)) for count in counts})

    def point(self, n_labels: int, n_draws: int) -> CurvePoint:
        """Fit on each draw of some labels, and evaluate on the test block.

        Parameters
        ----------
        n_labels : int
            Labels in each draw; see :meth:`sizes`.
        n_draws : int
            Draws, >= 1; only one of the whole pool, and at most :data:`MAX_FULL_FITS` if the section is part
            of the shared fit.
        """
        name, n_pool, n_records = self.name or "(none)", len(self.pool), len(self.test.table)
        try:
            draws = self._evaluated_draws(n_labels, n_draws)
        except ModelError as error:
            return CurvePoint(name, n_labels, n_pool, n_records, error=str(error))
        return CurvePoint(name, n_labels, n_pool, n_records, tuple(draws), summarize(draws))

    def draw(self, n_labels: int, n_draws: int) -> list[Mask]:
        """Masks of the training records of each draw, shape (n_records,): the drawn labels and all others.

        They depend only on the seed and the number of labels.
        """
        random = np.random.default_rng([self.config.seed, n_labels])
        masks = []
        for _ in range(n_draws if n_labels < len(self.pool) else 1):
            mask = self._sections != self.name
            mask[random.choice(self.pool, n_labels, replace=False)] = True
            masks.append(mask)
        return masks

    def is_apart(self, mask: Mask) -> bool:
        """Whether the shared fit on the records of a mask equals the fit on the other sections alone."""
        is_other, options = self._sections != self.name, self.config.model.sections
        is_validation = self._validation(mask)
        return np.array_equal(is_validation[is_other], self._validation(is_other)[is_other]) and all(
            self.name in rank_sections(Counter(self._sections[part]), options)[1]
            for part in (mask, mask & ~is_validation)
        )

    def _validation(self, mask: Mask) -> Mask:
        """The validation block of the records of a mask, as a mask of all, shape (n_records,)."""
        sections = self._sections[mask].tolist()
        is_validation = np.zeros(len(mask), dtype=bool)
        is_validation[mask] = validation_mask(self.training.moments[mask], sections, self.config.split)
        return is_validation

    @cached_property
    def _sections(self) -> NDArray[np.object_]:
        return np.array(self.training.sections, dtype=object)

    @cached_property
    def _others(self) -> QualityFit:
        """Fit on the other sections."""
        others = self.training.take(self._sections != self.name)
        return fit_quality(others, self.config, num_threads=self.num_threads)

    def _evaluated_draws(self, n_labels: int, n_draws: int) -> list[dict[str, float]]:
        for n_records, where in ((len(self.pool), "before"), (len(self.test.table), "in")):
            if not n_records:
                raise ModelError(f"got no record {where} the test block, expected some")
        masks = self.draw(n_labels, n_draws)
        if all(map(self.is_apart, masks)):
            others = self._others
            with fit_pool(self.num_threads, len(self.training.table)) as pool:
                policies = [
                    pool.executor.submit(self._with_policy, others, mask, pool.num_threads) for mask in masks
                ]
                return [self._evaluate(policy.result()) for policy in policies]
        fits = (
            fit_quality(self.training.take(mask), self.config, num_threads=self.num_threads)
            for mask in masks[:MAX_FULL_FITS]
        )
        return [self._evaluate(fit.model) for fit in fits]

    def _with_policy(self, others: QualityFit, mask: Mask, num_threads: int = 1) -> QualityModel:
        """The fit on the other sections, with the policy of the section's records of a mask."""
        is_other = self._sections != self.name
        is_shared, y = np.zeros(len(mask), dtype=bool), self.training.labels.quality.copy()
        is_shared[is_other], y[is_other] = others.plan.is_shared, others.plan.y
        plan = SectionPlan(self._sections[mask], is_shared[mask], y[mask], {}, (self.name,))
        drawn = self.training.take(mask)
        return with_policies(
            others.model,
            plan,
            drawn.table,
            drawn.labels.quality,
            drawn.copies,
            self.config.model,
            num_threads=num_threads,
        )

    def _evaluate(self, model: QualityModel) -> dict[str, float]:
        """Metrics of the rounded quality on the test block."""
        table = self.test.table
        expected, spread = model.estimate(table, self.num_threads)
        quality, low, high = rounded(expected, *model.interval(table, expected, spread), model.steps)
        columns = {
            "quality": self.test.labels.quality,
            "quality_predicted": quality,
            "quality_low": low,
            "quality_high": high,
            "heat": np.full(len(table), np.nan),
        }
        return compute(columns, names=METRICS)


def section_curves(
    corpus: LabelledDataset, config: TrainConfig, *, section: str | None = None, num_threads: int = 1
) -> list[SectionCurve]:
    """Split the records for the learning curve of each section.

    Parameters
    ----------
    corpus : LabelledDataset
        Labelled records.
    config : TrainConfig
        Split, fit options and seed.
    section : str, optional
        The only section of interest. Default: every section.
    num_threads : int
        Threads of LightGBM.

    Returns
    -------
    list of SectionCurve
        By name.

    Raises
    ------
    ModelError
        If no record has that section, or none precedes the test blocks.
    """
    sections = np.array(corpus.sections, dtype=object)
    names = {name or "(none)": name for name in sorted(set(corpus.sections))}
    if section is not None and section not in names:
        expected = ", ".join(map(shown, names))
        raise ModelError(f"section: got {shown(section)!r}, expected one of: {expected}")
    # Only the quality is fitted, so forecasts of heat by age are not needed.
    model = msgspec.structs.replace(config.model, forecast_ages_hours=())
    config = msgspec.structs.replace(config, model=model)
    is_test = test_mask(corpus.moments, corpus.sections, config.split)
    training = corpus.training_split(is_test, cutoffs_before(corpus, is_test, config.split.gap_hours), config)
    as_of = parse_as_of(config.as_of) if config.as_of else None
    return [
        SectionCurve(
            names[name],
            training,
            corpus.as_seen(is_test & (sections == names[name]), as_of),
            config,
            num_threads,
        )
        for name in (names if section is None else [section])
    ]


def summarize(draws: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Summarize draws: median error and median share within 1 point, means of the others, extreme errors.

    Examples
    --------
    >>> draws = [{"quality_mae": error, "quality_interval_width": 9 * error} for error in (1.0, 1.5, 5.0)]
    >>> summarize(draws)
    {'quality_mae': 1.5, 'quality_mae_best': 1.0, 'quality_mae_worst': 5.0, 'quality_interval_width': 22.5}
    """
    figures: dict[str, float] = {}
    for name in METRICS:
        values = [draw[name] for draw in draws if name in draw]
        if not values:
            continue
        is_interval = name.startswith("quality_interval")
        figures[name] = float(np.mean(values) if is_interval else np.median(values))
        if name == "quality_mae":
            figures |= {f"{name}_best": min(values), f"{name}_worst": max(values)}
    return figures
