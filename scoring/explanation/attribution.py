"""Feature attributions of a record's scores, as reasons in words, the largest first."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scoring.explanation.counterfactuals import counterfactuals
from scoring.explanation.results import Explanation, Reason
from scoring.features.as_of import AsOf, known_coverage, moment_of
from scoring.features.column import Column
from scoring.features.coverage import best_of
from scoring.features.encoding import ALL_COLUMNS, topic_columns
from scoring.features.extraction import extracted
from scoring.features.table import FeatureTable, Floats, assemble, extract
from scoring.model import cascade
from scoring.model.quality import QualityModel
from scoring.model.rubric import TERMS, Rubric
from scoring.model.scorer import Scorer
from scoring.model.section_policy import SectionPolicy
from scoring.model.targets import TARGETS, Targets
from scoring.records.record import Coverage, Document, Record

MAX_EXPLAINED = 1000  # records sampled for mean contributions
_MIN_CONTRIBUTION = 0.005
FLOOR = "floor"
_PROVIDER_FEATURES = frozenset(
    {
        *("provider_host", "provider_section", "provider_form", "is_provider_known", "provider_image_count"),
        *("has_provider_domain", "is_host_provider", "host_depth", "provider_seen_count"),
        "provider_quality_mean",
    }
)
_DERIVED = {
    "quality": "quality of the record, as predicted",
    "heat": "heat of the record, as predicted",
    "quality_margin": "quality minus that of the best coverage",
    "rubric_quality": "quality predicted by the rubric",
    "topics": "topics of the record",
    TERMS: "words of the title under its topics",
    FLOOR: "no quality is below the lowest label",
}


class Contribution(NamedTuple):
    """A feature, its meaning, and its mean absolute contribution to the quality; points."""

    feature: str
    meaning: str
    points: float


def explain(scorer: Scorer, document: Document, as_of: AsOf = None) -> Explanation:
    """Explain the scores of one record.

    Quality: the rubric's points and the booster's SHAP values (Lundberg et al., 2020), in points; they sum to
    the predicted quality. Lead and published: SHAP values at the predicted quality, in log-odds. Heat: the
    quality and the contribution of the coverage, in points, if the record leads.

    Parameters
    ----------
    scorer : Scorer
        Model that scores the record.
    document : Document
        Record to explain.
    as_of : datetime, timedelta or None
        Coverage later than this moment (aware UTC, or an age after publication) is ignored.

    Returns
    -------
    Explanation
        Of the labels that the model has.
    """
    record = scorer.sections.placed(document.record, document.path)
    features = extracted(document, as_of, scorer.sections)
    table = assemble([features.row])
    predictions = scorer.predict(table)
    feature_text = _FeatureText(scorer.models.quality, table, record, as_of, scorer.targets)
    quality_base, quality = _explain_quality(scorer.models.quality, table, feature_text)
    predicted_quality = predictions.quality
    if (steps := scorer.models.quality.steps) is not None:
        rest = float(predicted_quality[0]) - quality_base - sum(reason.contribution for reason in quality)
        text = f"the nearest of the ratings {steps.lowest_} to {steps.highest_}, in steps of {steps.step_}"
        quality = (*quality, Reason("rating", text, rest))
    heat = scorer.models.cascade.heat_if_lead(table, predicted_quality)
    names = scorer.models.cascade.names
    lead_contributions = scorer.models.cascade.lead.contributions(
        scorer.models.cascade.lead_matrix(table, predicted_quality)
    )[0]
    published_contributions = scorer.models.cascade.published.contributions(
        scorer.models.cascade.published_matrix(table, predicted_quality, predictions.heat)
    )[0]
    base = {
        "quality": quality_base,
        "lead": float(lead_contributions[-1]),
        "heat": 0.0,
        "published": float(published_contributions[-1]),
    }
    reasons = {
        "quality": quality,
        "lead": (
            *feature_text.best_coverage(),
            *feature_text.reasons(names["lead"], lead_contributions[:-1], predicted_quality, heat),
        ),
        "heat": feature_text.heat(bool(predictions.is_lead[0]), float(predicted_quality[0]), float(heat[0])),
        "published": feature_text.reasons(
            names["published"], published_contributions[:-1], predicted_quality, predictions.heat
        ),
    }
    shown = [name for name in reasons if ("heat" if name == "lead" else name) in scorer.targets]
    return Explanation(
        next(scorer.scores_of([features], predictions)),
        float(predictions.heat_expected[0]) if "heat" in scorer.targets else None,
        {name: base[name] for name in shown},
        {name: reasons[name] for name in shown},
        counterfactuals(scorer, record, as_of),
    )


def quality_reasons(model: QualityModel, document: Document, as_of: AsOf = None) -> tuple[Reason, ...]:
    """Reasons for the predicted quality of a document, in points, the largest first; see :func:`explain`."""
    record = model.encoder.sections_.placed(document.record, document.path)
    table = assemble([extract(record, as_of)])
    return _explain_quality(model, table, _FeatureText(model, table, record, as_of))[1]


def named_coverage(entry: Coverage) -> str:
    """Describe a related record: title, provider, date, quality."""
    date = f", {entry.published_at:%Y-%m-%d %H:%M}" if entry.published_at else ""
    provider = entry.provider.domain or entry.provider.name or "unknown provider"
    return f"{entry.title!r} ({provider}{date}), quality {entry.quality}"


def mean_contributions(model: QualityModel, table: FeatureTable) -> tuple[Contribution, ...]:
    """Mean absolute contribution of each feature to the predicted quality, the largest first.

    Parameters
    ----------
    model : QualityModel
        Quality model.
    table : FeatureTable
        Features of the records; a sample of :data:`MAX_EXPLAINED` is used.

    Returns
    -------
    tuple of Contribution
    """
    chosen = np.zeros(len(table), dtype=bool)
    chosen[np.unique(np.linspace(0, len(table) - 1, MAX_EXPLAINED).astype(int))] = True
    _, points = quality_contributions(model, table.take(chosen))
    meanings = {
        column.name: column.meaning for column in (*ALL_COLUMNS, *topic_columns(model.encoder))
    } | _DERIVED
    means = [
        Contribution(name, meanings.get(name, name), float(np.abs(values).mean()))
        for name, values in points.items()
    ]
    reported = [contribution for contribution in means if contribution.points >= _MIN_CONTRIBUTION]
    return tuple(sorted(reported, key=lambda contribution: (-contribution.points, contribution.feature)))


def quality_contributions(model: QualityModel, table: FeatureTable) -> tuple[float, dict[str, Floats]]:
    """Base value, and points by feature, shapes (n_records,); their sum is the quality, not rounded."""
    X = model.matrix(table)
    shap = model.booster.contributions(X)
    means = model.rubric.means_
    points: dict[str, Floats] = {}
    for name, values in model.rubric.parts(table).items():
        points[reported_name(name)] = points.get(reported_name(name), 0.0) + values - means[name]
    for name, values in zip(model.names, shap[:, :-1].T, strict=True):
        points[reported_name(name)] = points.get(reported_name(name), 0.0) + values
    base = model.rubric.intercept_ + sum(means.values()) + float(shap[0, -1])
    for rows, policy in model.policies_of(table):
        _add_policy(points, policy, table, rows, base)
    points[FLOOR] = model.estimate(table)[0] - base - sum(points.values())
    return base, points


def _add_policy(
    points: dict[str, Floats],
    policy: SectionPolicy,
    table: FeatureTable,
    rows: NDArray[np.intp],
    base: float,
) -> None:
    """Scale the points of a section's records, and add what its policy adds to each feature."""
    for values in points.values():
        values[rows] *= policy.scale_
    # What the policy changes for all of its records is a contribution of the section.
    for_all = np.full(len(rows), (policy.scale_ - 1.0) * base + policy.difference_.intercept_)
    own_points = {"topic_section": for_all, **policy.difference_.parts(table.take(rows))}
    for name, values in own_points.items():
        points.setdefault(reported_name(name), np.zeros(len(table)))[rows] += values


def _explain_quality(
    model: QualityModel, table: FeatureTable, feature_text: _FeatureText
) -> tuple[float, tuple[Reason, ...]]:
    """Base value and reasons, which sum to the predicted quality."""
    base, points = quality_contributions(model, table)
    floor_points = float(points.pop(FLOOR)[0])
    reasons = [Reason(name, feature_text.describe(name), float(values[0])) for name, values in points.items()]
    reasons.append(Reason(FLOOR, f"no quality is below {model.floors(table)[0]:g}", floor_points))
    return base, _largest_first(reasons)


def reported_name(name: str) -> str:
    """Name under which a feature is reported: all provider features are one reason."""
    return "provider_domain" if name in _PROVIDER_FEATURES else name


def _largest_first(reasons: list[Reason]) -> tuple[Reason, ...]:
    """Reasons by absolute contribution; negligible ones are merged, so that the sum is preserved."""
    reported = [reason for reason in reasons if abs(reason.contribution) >= _MIN_CONTRIBUTION]
    remainder = sum(reason.contribution for reason in reasons) - sum(
        reason.contribution for reason in reported
    )
    reported.sort(key=lambda reason: -abs(reason.contribution))
    return (
        (*reported, Reason("others", "everything else", remainder))
        if abs(remainder) > 1e-9
        else tuple(reported)
    )


class _FeatureText:
    """Describes the features of one record in words."""

    def __init__(
        self,
        model: QualityModel,
        table: FeatureTable,
        record: Record,
        as_of: AsOf,
        targets: Targets = TARGETS,
    ) -> None:
        encoder = model.encoder
        self.targets = targets
        self.rubric: Rubric = model.rubric
        self.columns: dict[str, Column] = {
            column.name: column for column in (*ALL_COLUMNS, *topic_columns(encoder))
        }
        self.values = dict(zip(encoder.names, encoder.transform(table)[0], strict=True))
        self.levels = {name: str(table.text(name)[0]) for name in encoder.levels_}
        self.known_levels = encoder.levels_
        self.is_provider_known = self.levels["provider_domain"] in encoder.providers_.counts_
        self.record, self.table, self.as_of = record, table, as_of

    def describe(self, name: str, value: float | None = None) -> str:
        """Meaning of a feature and its value."""
        column = self.columns.get(name)
        meaning = column.meaning if column else _DERIVED.get(name, name)
        if name in self.levels:
            level = self.levels[name] or "missing"
            is_known = level in self.known_levels[name] or (
                name == "provider_domain" and self.is_provider_known
            )
            return f"{meaning}: {level}" if is_known else f"{meaning}: {level} (unknown to the model)"
        if name == TERMS:
            terms = self.rubric.found_terms(self.table.topics[0], self.table.title_words[0])
            return f"{meaning}: {', '.join(terms) or 'none with points'}"
        if name == "topics":
            return f"{meaning}: {', '.join(filter(None, self.record.topics)) or 'none'}"
        if value is None:
            value = self.values.get(name)
        if name == "provider_quality_mean" and value is not None and "quality" not in self.targets:
            return self._provider_mean(value)
        return meaning if value is None else f"{meaning}: {self._format(column, value)}"

    def _provider_mean(self, value: float) -> str:
        """Mean label of the provider, for a model without quality."""
        if "heat" in self.targets:
            return f"mean heat of the provider's training records, of leads without coverage: {value:,.2f}"
        return f"share of the provider's training records that were published, shrunk: {value:.0f} %"

    def _format(self, column: Column | None, value: float) -> str:
        if np.isnan(value):
            return "missing"
        if column is not None and column.type == "bool":
            return "yes" if value else "no"
        unit = f" {column.unit}" if column is not None and column.unit else ""
        if value == 1:
            unit = unit.removesuffix("s")
        return f"{value:,.0f}{unit}" if float(value).is_integer() else f"{value:,.2f}{unit}"

    def reasons(
        self, names: tuple[str, ...], values: Floats, quality: Floats, heat: Floats
    ) -> tuple[Reason, ...]:
        """Reasons of a booster of the cascade."""
        margin = float(quality[0] - self.table.number("coverage_quality_max")[0])
        derived_values = {"quality": float(quality[0]), "heat": float(heat[0]), "quality_margin": margin}
        return _largest_first(
            [
                Reason(name, self.describe(name, derived_values.get(name)), float(value))
                for name, value in zip(names, values, strict=True)
                if name != "quality" or "quality" in self.targets  # a stand-in contributes nothing
            ]
        )

    def heat(self, is_lead: bool, quality: float, heat: float) -> tuple[Reason, ...]:
        """Reasons of the heat."""
        if not is_lead:
            return (
                Reason(
                    "lead",
                    f"another record leads its story; if this one led, {heat:.0f}",
                    cascade.NOT_LEADING,
                ),
            )
        coverage_count = self.table.number("coverage_count")[0]
        if "quality" not in self.targets:
            alone = Reason("alone", f"the record without other coverage: {quality:,.0f}", quality)
        else:
            alone = Reason("quality", self.describe("quality", quality), quality)
        return (
            alone,
            Reason("coverage_count", self.describe("coverage_count", coverage_count), heat - quality),
        )

    def best_coverage(self) -> tuple[Reason, ...]:
        """The best coverage, which leads the story if the record does not."""
        best = best_of(known_coverage(self.record, moment_of(self.record, self.as_of)))
        if best is None:
            return (Reason("coverage", "no coverage of the story has a known quality", 0.0),)
        return (Reason("coverage", f"best coverage: {named_coverage(best)}", 0.0),)
