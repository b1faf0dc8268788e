"""scikit-learn's own checks of estimators.

They have arrays of numbers, which are no records. So each estimator gets a record for each row of numbers,
which depends on that row alone. It does not say much of the numbers, so no good scores are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator
from sklearn.utils.validation import check_is_fitted, validate_data

from scoring.records.record import Document
from scoring.sklearn import HeatRegressor, PublishedClassifier, QualityRegressor
from scoring.sklearn.base import RecordEstimator
from scoring.training.config import ModelConfig, RubricConfig, SectionConfig, TrainConfig
from scoring.training.fit import MIN_RECORDS

BOOSTERS = ("quality", "spread", "lead", "heat", "published", "settled_lead", "growth")
TINY = TrainConfig(
    model=msgspec.structs.replace(
        ModelConfig(),
        n_folds=2,
        rubric=RubricConfig(n_passes=2, n_term_rounds=1),
        sections=SectionConfig(design="shared", n_folds=2),
        **{
            name: msgspec.structs.replace(getattr(ModelConfig(), name), num_iterations=3) for name in BOOSTERS
        },
    )
)
BEGINS_AT = datetime(2018, 1, 1, tzinfo=UTC)

NO_ARRAY = "check_array_api_input"  # records are in no array
TRUTHS = "labels are true and false, or 1 and 0, and the check has others; the message names the row"
EXPECTED: dict[str, dict[str, str]] = {
    "QualityOfNumbers": {},
    "HeatOfNumbers": {},
    "PublishedOfNumbers": {
        "check_classifier_not_supporting_multiclass": TRUTHS,
        "check_classifiers_classes": TRUTHS,
        "check_classifiers_regression_target": TRUTHS,
    },
}


def record_of(numbers: NDArray[np.float64]) -> dict[str, Any]:
    tenths = [int(value) for value in np.clip(np.round(10 * numbers), -1e6, 1e6)]
    words = " ".join(f"w{column}x{abs(value)}" for column, value in enumerate(tenths))
    minutes = timedelta(minutes=sum(tenths) % 500_000)
    return {
        "title": f"Title {words}",
        "excerpt": "x" * (abs(tenths[0]) % 300),
        "publishedDateTime": (BEGINS_AT + minutes).isoformat(),
        "provider": {"domain": f"p{tenths[0] % 7}.example"},
        "topics": ["Sea", f"t{tenths[-1] % 5}"],
    }


class _OfNumbers(RecordEstimator):
    """Turns arrays of numbers into records, and checks that they are arrays of numbers."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.allow_nan = False
        for kind in (tags.regressor_tags, tags.classifier_tags):
            if kind is not None:
                kind.poor_score = True
        return tags

    def fit(self, X: Any, y: Any) -> Any:
        numbers, labels = validate_data(self, X, y)
        if self._target != "published":
            labels = np.abs(np.round(labels.astype(float)))
        elif not isinstance(labels[0], str) and len(np.unique(labels)) == 2:
            labels = labels == labels.max()
        n_copies = -(-MIN_RECORDS // len(labels))  # some checks have fewer samples than are needed
        records = [record_of(row) for row in numbers.astype(float)]
        super().fit(n_copies * records, np.tile(labels, n_copies))
        validate_data(self, X, skip_check_array=True)  # the fields of records are not those of the array
        return self

    def _begin(self, X: Any) -> tuple[list[Document], TrainConfig]:
        return super()._begin(X)[0], TINY  # not a parameter, which would make the names of the tests long

    def _read(self, X: Any) -> list[Document]:
        check_is_fitted(self)
        numbers = validate_data(self, X, reset=False).astype(float)
        return super()._read([record_of(row) for row in numbers])


class QualityOfNumbers(_OfNumbers, QualityRegressor):
    pass


class HeatOfNumbers(_OfNumbers, HeatRegressor):
    pass


class PublishedOfNumbers(_OfNumbers, PublishedClassifier):
    pass


def cases() -> Iterator[Any]:
    for kind in (QualityOfNumbers, HeatOfNumbers, PublishedOfNumbers):
        expected = EXPECTED[kind.__name__]
        checks = estimator_checks_generator(kind(), expected_failed_checks=expected, mark="xfail")
        # Heat is a regressor like quality.
        marks = [pytest.mark.exhaustive] if kind is HeatOfNumbers else []
        for case in checks:
            values, own_marks = getattr(case, "values", case), getattr(case, "marks", ())
            if name_of(values[1]) != NO_ARRAY:
                yield pytest.param(*values, marks=[*own_marks, *marks])


def name_of(value: Any) -> str:
    """Name of an estimator, or of a check, which is a partial function."""
    name: str = getattr(value, "func", type(value)).__name__
    return name


@pytest.mark.parametrize(("estimator", "check"), list(cases()), ids=name_of)
def test_check(estimator: Any, check: Any) -> None:
    check(estimator)


def test_tags_say_what_is_taken() -> None:
    for estimator in (QualityRegressor(), HeatRegressor(), PublishedClassifier()):
        tags = get_tags(estimator)
        taken = tags.input_tags
        assert (taken.dict, taken.allow_nan, taken.two_d_array, taken.sparse) == (True, True, False, False)
        assert tags.target_tags.required
        assert tags.requires_fit
        assert not tags.non_deterministic
    assert get_tags(PublishedClassifier()).classifier_tags.multi_class is False
