"""Validation of a manifest's values beyond their types, for safe scoring and drift detection.

A correct hash proves that a manifest is unchanged, not that its author is benign.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from scoring.drift.reference_profile import (
    FAMILIES,
    FEATURES,
    PROFILED_FAMILIES,
    UNSEEN,
    Profile,
    profiled_scores,
)
from scoring.drift.reference_windows import ReferenceLimits
from scoring.errors import ModelError
from scoring.features.encoding import Encoder
from scoring.features.table import BODY_NAMES, NUMBER_NAMES, TEXT_NAMES
from scoring.model.conformal import MAX_ATOMS, ResidualDistribution
from scoring.model.rubric import TERMS, TOPICS, Rubric
from scoring.model.targets import TARGETS, Targets

if TYPE_CHECKING:
    from scoring.artifact.manifest import Manifest

MAX_NUMBER = 1e12
"""Maximum absolute value of a learned number: a thousand times the largest label, safe to sum in 64 bits."""

_Check = tuple[str, bool, str]


def check_manifest(manifest: Manifest, path: str) -> None:
    """Reject a manifest that no training could have produced.

    Parameters
    ----------
    manifest : Manifest
        Decoded manifest.
    path : str
        Path of the file, for messages.

    Raises
    ------
    ModelError
        If a part is missing, has an inconsistent length, is unsorted or is out of bounds; the message names
        the field.
    """
    for field, is_valid, expected in _checks(manifest):
        if not is_valid:
            raise ModelError(f"{path}: {field}: got an invalid value, expected {expected}")


def _checks(manifest: Manifest) -> Iterator[_Check]:
    policies = (manifest.policies, manifest.story_policies, manifest.rules, manifest.policy_changes)
    parts = (
        manifest.rubric,
        manifest.errors,
        manifest.label_steps,
        policies,
        manifest.medians,
        manifest.profile,
    )
    numbers = (number for part in parts for number in _all_numbers(part))
    yield "numbers", all(abs(number) <= MAX_NUMBER for number in numbers), f"none beyond {MAX_NUMBER:g}"
    yield from _encoder(manifest.encoder)
    yield from _rubric("rubric", manifest.rubric)
    yield from _errors("errors", manifest.errors)
    for section, policy in manifest.policies.items():
        name = f"policies: {section!r}"
        yield from _rubric(f"{name}: difference_", policy.difference_)
        yield from _errors(f"{name}: errors_", policy.errors_)
        yield f"{name}: constants_", policy.constants_.keys() <= set(NUMBER_NAMES), "names of features"
    for change in manifest.policy_changes:
        yield "policy_changes: since", change.since.utcoffset() == timedelta(0), "moments of UTC"
        are_counts = change.n_before >= 0 and change.n_since >= 0
        yield "policy_changes: n_before, n_since", are_counts, "numbers of records"
    is_probability = all(
        0 <= threshold <= 1 for threshold in (manifest.thresholds.lead, manifest.thresholds.published)
    )
    yield "thresholds", is_probability, "probabilities"
    if (leaders := manifest.leaders) is not None:
        are_counts = 0 <= leaders.n_sole_ <= leaders.n_leads_ <= MAX_NUMBER
        yield "leaders", are_counts and 0 <= leaders.published_ratio_ <= 1, "numbers of leads, and a share"
    is_ordered = manifest.targets == tuple(name for name in TARGETS if name in manifest.targets)
    yield "targets", bool(manifest.targets) and is_ordered, f"one or more of {TARGETS}, in order"
    if (steps := manifest.label_steps) is not None:
        is_valid = steps.step_ >= 2 and steps.lowest_ <= steps.highest_
        yield "label_steps", is_valid, "a step of 2 or more, and the lowest rating not above the highest"
    medians = manifest.medians
    has_all_targets = all(
        set(TARGETS) <= targets.keys() for targets in (medians.of_all_, medians.of_provider_)
    )
    yield "medians", has_all_targets and {"heat", "published"} <= medians.cuts_.keys(), f"those of {TARGETS}"
    if manifest.profile is not None:
        yield from _profile(manifest.profile, manifest.rubric, manifest.targets)


def _encoder(encoder: Encoder) -> Iterator[_Check]:
    # The levels are binary-searched, so they must be sorted.
    yield "encoder.levels_", sorted(encoder.levels_) == sorted(TEXT_NAMES), f"levels of {TEXT_NAMES}"
    for name, levels in (*encoder.levels_.items(), ("topics_", encoder.topics_)):
        yield f"encoder: {name}", _is_ascending(levels), "each once, in order"
    yield "encoder.body_", encoder.body_names in ((), BODY_NAMES), "the features of bodies, or none"
    providers = encoder.providers_
    is_valid = providers.strength > 0 and min(providers.counts_.values(), default=0) >= 0
    yield "encoder.providers_", is_valid, "counts of at least 0, and a strength above it"
    # Sums over all records, which are divided before use.
    is_within_limits = all(abs(number) <= MAX_NUMBER**1.5 for number in _all_numbers(providers))
    yield "encoder.providers_", is_within_limits, f"sums within {MAX_NUMBER**1.5:g}"


def _rubric(name: str, rubric: Rubric) -> Iterator[_Check]:
    yield f"{name}.numbers_", rubric.numbers_.keys() <= {*NUMBER_NAMES, *BODY_NAMES}, "names of features"
    yield f"{name}.hinges_", rubric.hinges_.keys() <= set(NUMBER_NAMES), "names of features"
    yield f"{name}.hinges_", all(rubric.hinges_.values()), "a knot or more for each"
    yield f"{name}.levels_", rubric.levels_.keys() <= {*TEXT_NAMES, TOPICS}, "names of features"


def _errors(name: str, errors: ResidualDistribution) -> Iterator[_Check]:
    n_groups = len(errors.edges_) + 1
    yield f"{name}.edges_", _is_ascending(errors.edges_), "edges in order"
    yield f"{name}.atoms_", len(errors.atoms_) == len(errors.weights_) == n_groups, f"{n_groups} groups"
    for support, probabilities in zip(errors.atoms_, errors.weights_, strict=True):
        yield (
            f"{name}.atoms_",
            0 < len(support) == len(probabilities) <= MAX_ATOMS,
            "as many atoms as weights",
        )
        is_valid = (
            all(probability >= 0 for probability in probabilities) and abs(sum(probabilities) - 1) < 1e-6
        )
        yield f"{name}.weights_", is_valid, "probabilities that sum to 1"
    widths = (errors.half_width_, errors.foreign_spread_, errors.unseen_provider_half_width_)
    yield name, min(widths) >= 0, "widths of at least 0"
    # The last edge separates records of unseen sections.
    yield f"{name}.foreign_spread_", not errors.foreign_spread_ or bool(errors.edges_), "an edge before it"


def _profile(profile: Profile, rubric: Rubric, targets: Targets) -> Iterator[_Check]:
    yield "profile.columns_", sorted(profile.columns_) == sorted(FEATURES), "bins of each feature"
    for name, histogram in profile.columns_.items():
        is_text = name in TEXT_NAMES or name == TOPICS
        n_bins = len(histogram.levels_) + 2 if is_text else len(histogram.edges_) + 3
        yield f"profile: {name}", len(histogram.counts_) == n_bins, f"{n_bins} counts"
        is_valid = (
            min(histogram.counts_) >= 0 and sum(histogram.counts_) > 0 and _is_ascending(histogram.edges_)
        )
        yield f"profile: {name}", is_valid, "counts of at least 0, not all 0, and edges in order"
        yield f"profile: {name}", histogram.family in PROFILED_FAMILIES, "a family of features"
    families = {histogram.family for histogram in profile.columns_.values()}
    yield "profile.columns_", families == set(PROFILED_FAMILIES), "each family of features"
    yield from _limits("distances_", profile.distances_, FEATURES, families, is_ratio=True)
    yield from _limits("unseen_", profile.unseen_, UNSEEN, UNSEEN)
    for name, means in (("scores_", profile.scores_), ("points_", profile.points_)):
        yield from _limits(name, means.shifts_, means.means_, means.means_)
    has_scores = set(profiled_scores(targets)) <= profile.scores_.means_.keys()
    yield "profile.scores_", has_scores, "means of each score"
    parts = (*rubric.numbers_, *rubric.hinges_, *rubric.levels_, TERMS)
    points = {f"points_by_{FAMILIES[name]}" for name in parts if "quality" in targets}
    yield "profile.points_", points <= profile.points_.means_.keys(), "means of each family's points"
    errors, n_groups = profile.errors_, len(profile.errors_.edges_) + 1
    yield "profile.errors_", _is_ascending(errors.edges_), "edges in order"
    for rows in (errors.counts_, errors.errors_):
        yield "profile.errors_", [len(row) for row in rows] == [2] * n_groups, f"{n_groups} pairs"


def _limits(
    name: str,
    limits: ReferenceLimits,
    typical: Sequence[str] | Mapping[str, Any],
    limit_names: set[str] | Sequence[str] | Mapping[str, Any],
    *,
    is_ratio: bool = False,
) -> Iterator[_Check]:
    sizes = limits.sizes_
    yield f"profile.{name}: sizes_", bool(sizes) and sizes[0] >= 1 and _is_ascending(sizes), "sizes in order"
    for rows, names in ((limits.usual_, typical), (limits.limits_, limit_names)):
        yield f"profile.{name}", set(names) <= rows.keys(), f"{len(names)} names"
        yield f"profile.{name}", all(len(row) == len(sizes) for row in rows.values()), "one for each size"
    if is_ratio:
        is_above = all(value > 0 for row in limits.usual_.values() for value in row)
        yield f"profile.{name}", is_above, "usual distances above 0"


def _is_ascending(values: Sequence[Any]) -> bool:
    return all(first < last for first, last in pairwise(values))


def _all_numbers(part: Any) -> Iterator[float]:
    """All numbers in a nested value."""
    if isinstance(part, int | float):
        yield part
    elif isinstance(part, msgspec.Struct):
        yield from _all_numbers(msgspec.structs.astuple(part))
    elif isinstance(part, Mapping):
        yield from _all_numbers(tuple(part.values()))
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _all_numbers(value)
