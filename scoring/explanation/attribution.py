"""Why a record has its scores: what each feature adds, in words, largest first."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

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
from scoring.records.record import Coverage, Document, Record

MAX_EXPLAINED = 1000  # records that an average over many looks at
_MIN_CONTRIBUTION = 0.005
_FLOOR = "floor"
_WHO = frozenset(
    {
        *("provider_host", "provider_section", "provider_form", "is_provider_known", "provider_image_count"),
        *("has_provider_domain", "is_host_provider", "host_depth", "provider_seen_count"),
        "provider_quality_mean",
    }
)
_DERIVED = {
    "quality": "quality of the record, as predicted",
    "heat": "heat of the record, as predicted",
    "quality_margin": "quality beyond the best coverage's",
    "rubric_quality": "what the points so far tell of the rest",
    "topics": "topics of the record",
    TERMS: "words of the title under its topics",
    _FLOOR: "no record is worth less than the lowest label",
}


class Contribution(NamedTuple):
    """A feature, what it means, and how far it moves the expected quality on average; points, >= 0."""

    feature: str
    meaning: str
    points: float


def explain(scorer: Scorer, document: Document, as_of: AsOf = None) -> Explanation:
    """Explain the scores of one record.

    Quality: the rubric's points and the booster's SHAP values (Lundberg et al., 2020) add up to the
    expected quality, in points. Lead and published: SHAP values of the likeliest quality, in log-odds.
    Heat: the quality and what the coverage adds, in points, if the record leads.

    Parameters
    ----------
    scorer : Scorer
        The model.
    document : Document
        The record.
    as_of : datetime, timedelta or None
        Coverage newer than this moment (aware UTC, or so long after publication) is unseen.

    Returns
    -------
    Explanation
    """
    record = document.record
    features = extracted(document, as_of)
    table = assemble([features.row])
    predictions = scorer.predict(table)
    words = _Words(scorer.models.quality, table, record, as_of)
    quality_base, quality = _explain_quality(scorer.models.quality, table, words)
    likeliest = predictions.quality
    heat = scorer.models.cascade.heat_if_lead(table, likeliest)
    leads = scorer.models.cascade.lead.contributions(cascade.lead_matrix(table, likeliest))[0]
    shown = scorer.models.cascade.published.contributions(
        cascade.published_matrix(table, likeliest, predictions.heat)
    )[0]
    return Explanation(
        next(scorer.scores_of([features], predictions)),
        float(predictions.heat_expected[0]),
        {"quality": quality_base, "lead": float(leads[-1]), "heat": 0.0, "published": float(shown[-1])},
        {
            "quality": quality,
            "lead": (*words.leader(), *words.reasons(cascade.LEAD_NAMES, leads[:-1], likeliest, heat)),
            "heat": words.heat(bool(predictions.is_lead[0]), float(likeliest[0]), float(heat[0])),
            "published": words.reasons(cascade.PUBLISHED_NAMES, shown[:-1], likeliest, predictions.heat),
        },
        counterfactuals(scorer, record, as_of),
    )


def quality_reasons(model: QualityModel, record: Record, as_of: AsOf = None) -> tuple[Reason, ...]:
    """Reasons of one record's expected quality, in points, the largest first; see :func:`explain`."""
    table = assemble([extract(record, as_of)])
    return _explain_quality(model, table, _Words(model, table, record, as_of))[1]


def named_coverage(entry: Coverage) -> str:
    """A related record in words: title, who published it and when, quality."""
    when = f", {entry.published_at:%Y-%m-%d %H:%M}" if entry.published_at else ""
    place = entry.provider.domain or entry.provider.name or "unknown provider"
    return f"{entry.title!r} ({place}{when}), quality {entry.quality}"


def mean_contributions(model: QualityModel, table: FeatureTable) -> tuple[Contribution, ...]:
    """What each feature adds to or takes from the expected quality, on average over records; largest first.

    Parameters
    ----------
    model : QualityModel
        The model.
    table : FeatureTable
        Records; of many, :data:`MAX_EXPLAINED` spread over the table stand for all.

    Returns
    -------
    tuple of Contribution
    """
    chosen = np.zeros(len(table), dtype=bool)
    chosen[np.unique(np.linspace(0, len(table) - 1, MAX_EXPLAINED).astype(int))] = True
    _, points = _parts_of_quality(model, table.take(chosen))
    meanings = {
        column.name: column.meaning for column in (*ALL_COLUMNS, *topic_columns(model.encoder))
    } | _DERIVED
    means = [
        Contribution(name, meanings.get(name, name), float(np.abs(values).mean()))
        for name, values in points.items()
    ]
    told = [one for one in means if one.points >= _MIN_CONTRIBUTION]
    return tuple(sorted(told, key=lambda one: (-one.points, one.feature)))


def _parts_of_quality(model: QualityModel, table: FeatureTable) -> tuple[float, dict[str, Floats]]:
    """Base, and points of each record by feature, shapes (n_records,); all add up to the expected quality."""
    X = model.matrix(table)
    shap = model.booster.contributions(X)
    means = model.rubric.means_
    points: dict[str, Floats] = {}
    for name, values in model.rubric.parts(table).items():
        points[_merged(name)] = points.get(_merged(name), 0.0) + values - means[name]
    for name, values in zip(model.names, shap[:, :-1].T, strict=True):
        points[_merged(name)] = points.get(_merged(name), 0.0) + values
    base = model.rubric.intercept_ + sum(means.values()) + float(shap[0, -1])
    points[_FLOOR] = model.predict(X) - base - sum(points.values())
    return base, points


def _explain_quality(
    model: QualityModel, table: FeatureTable, words: _Words
) -> tuple[float, tuple[Reason, ...]]:
    """Base and reasons; with the base they add up to the expected quality."""
    base, points = _parts_of_quality(model, table)
    at_floor = float(points.pop(_FLOOR)[0])
    reasons = [Reason(name, words.of(name), float(values[0])) for name, values in points.items()]
    reasons.append(Reason(_FLOOR, f"no record is worth less than {model.rubric.floor_:g}", at_floor))
    return base, _largest_first(reasons)


def _merged(name: str) -> str:
    """Name under which a part is told: all that hangs on who published is one reason."""
    return "provider_domain" if name in _WHO else name


def _largest_first(reasons: list[Reason]) -> tuple[Reason, ...]:
    """Reasons by the size of what they add; the smallest together as one, so that nothing is lost."""
    told = [reason for reason in reasons if abs(reason.contribution) >= _MIN_CONTRIBUTION]
    rest = sum(reason.contribution for reason in reasons) - sum(reason.contribution for reason in told)
    told.sort(key=lambda reason: -abs(reason.contribution))
    return (*told, Reason("others", "everything else", rest)) if abs(rest) > 1e-9 else tuple(told)


class _Words:
    """Says features of one record in words."""

    def __init__(self, model: QualityModel, table: FeatureTable, record: Record, as_of: AsOf) -> None:
        encoder = model.encoder
        self.rubric: Rubric = model.rubric
        self.columns: dict[str, Column] = {
            column.name: column for column in (*ALL_COLUMNS, *topic_columns(encoder))
        }
        self.values = dict(zip(encoder.names, encoder.transform(table)[0], strict=True))
        self.levels = {name: str(table.text(name)[0]) for name in encoder.levels_}
        self.known_levels = encoder.levels_
        self.is_provider_known = self.levels["provider_domain"] in encoder.providers_.counts_
        self.record, self.table, self.as_of = record, table, as_of

    def of(self, name: str, value: float | None = None) -> str:
        """What a feature is and what it is here."""
        column = self.columns.get(name)
        meaning = column.meaning if column else _DERIVED.get(name, name)
        if name in self.levels:
            level = self.levels[name] or "missing"
            is_known = level in self.known_levels[name] or (
                name == "provider_domain" and self.is_provider_known
            )
            return f"{meaning}: {level}" if is_known else f"{meaning}: {level} (unknown to the model)"
        if name == TERMS:
            found = self.rubric.found_terms(self.table.topics[0], self.table.title_words[0])
            return f"{meaning}: {', '.join(found) or 'none that count'}"
        if name == "topics":
            return f"{meaning}: {', '.join(self.record.topics) or 'none'}"
        if value is None:
            value = self.values.get(name)
        return meaning if value is None else f"{meaning}: {self._spell(column, value)}"

    def _spell(self, column: Column | None, value: float) -> str:
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
        """Reasons of one of the cascade's boosters."""
        margin = float(quality[0] - self.table.number("coverage_quality_max")[0])
        own = {"quality": float(quality[0]), "heat": float(heat[0]), "quality_margin": margin}
        return _largest_first(
            [
                Reason(name, self.of(name, own.get(name)), float(value))
                for name, value in zip(names, values, strict=True)
            ]
        )

    def heat(self, is_lead: bool, quality: float, heat: float) -> tuple[Reason, ...]:
        """What heat is made of."""
        if not is_lead:
            return (
                Reason(
                    "lead",
                    f"another record leads its story; if this one led, {heat:.0f}",
                    cascade.NOT_LEADING,
                ),
            )
        count = self.table.number("coverage_count")[0]
        return (
            Reason("quality", self.of("quality", quality), quality),
            Reason("coverage_count", self.of("coverage_count", count), heat - quality),
        )

    def leader(self) -> tuple[Reason, ...]:
        """The coverage of highest quality, which leads the story if the record does not."""
        best = best_of(known_coverage(self.record, moment_of(self.record, self.as_of)))
        if best is None:
            return (Reason("coverage", "no other record of a known quality covers the story", 0.0),)
        return (Reason("coverage", f"the best of the coverage: {named_coverage(best)}", 0.0),)
