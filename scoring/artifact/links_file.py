"""File of learned links: one JSON file, apart from the model folders.

Links are learned from an archive with lists of related records and used on archives without, so they belong
to no scoring model. The file is checked before LightGBM reads it, as those of a model are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from scoring.artifact.lightgbm_validation import MAX_EXPONENT, check_text
from scoring.artifact.model_folder import decoded, read_file
from scoring.errors import ModelError
from scoring.model.booster import Booster
from scoring.settings import default_model_folder
from scoring.storage.replacement import open_replacement
from scoring.storage.urls import name_of
from scoring.stories.links import LinkModel, LinkRule
from scoring.stories.title_index import FEATURES

SHIPPED = "links.json"
_FORMAT = "scoring links"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class SavedLinks:
    """Learned links with the SHA-256 of their file, whose first eight digits are their version."""

    model: LinkModel
    sha256: str

    @property
    def name(self) -> str:
        """Name and version."""
        return f"links@{self.sha256[:8]}"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    format_version: int
    rule: LinkRule
    booster: str


def save_links(file: Path, model: LinkModel) -> SavedLinks:
    """Write learned links into a file, which is replaced in one step.

    Raises
    ------
    ModelError
        If it cannot be written.
    """
    content = _File(_FORMAT, FORMAT_VERSION, model.rule, model.booster.text)
    data = msgspec.json.format(msgspec.json.encode(content, order="sorted"), indent=1) + b"\n"
    try:
        with open_replacement(file) as target:
            target.write(data)
    except OSError as error:
        raise ModelError(f"{name_of(file)}: cannot write the links: {error.strerror or error}") from error
    return SavedLinks(model, hashlib.sha256(data).hexdigest())


def load_links(file: Path | None = None) -> SavedLinks:
    """Read and check learned links.

    Parameters
    ----------
    file : Path, optional
        File of :func:`save_links`. Default: the shipped one.

    Raises
    ------
    ModelError
        If it cannot be read, has another format, or has invalid values.
    """
    path = default_model_folder().parent / SHIPPED if file is None else file
    data = read_file(path)
    name = name_of(path)
    content: _File = decoded(name, data, _File)
    if content.format != _FORMAT or content.format_version != FORMAT_VERSION:
        raise ModelError(
            f"{name}: got format {content.format!r} version {content.format_version}, "
            f"expected {_FORMAT!r} version {FORMAT_VERSION}"
        )
    if not _is_valid(content.rule):
        raise ModelError(f"{name}: rule: got an invalid value, expected probabilities and hours above 0")
    check_text(content.booster, name, MAX_EXPONENT)
    booster = Booster(content.booster)
    if booster.n_features != len(FEATURES):
        raise ModelError(f"{name}: got {booster.n_features} features, expected {len(FEATURES)}")
    return SavedLinks(LinkModel(content.rule, booster), hashlib.sha256(data).hexdigest())


def _is_valid(rule: LinkRule) -> bool:
    probabilities = (rule.threshold_, rule.coverage_threshold_, rule.precision_, rule.recall_)
    hours = (rule.window_hours_, rule.copy_gap_hours_)
    return (
        all(0 <= value <= 1 for value in probabilities)
        and all(0 <= value < 1e6 for value in hours)
        and all(abs(weight) < 1e3 for weight in rule.words_.values())
    )
