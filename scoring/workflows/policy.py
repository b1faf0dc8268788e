"""Write the learned policy of a model in words, or the rules that differ between two models or sections."""

from __future__ import annotations

from dataclasses import dataclass

from scoring.artifact.saved_model import SavedModel
from scoring.deployment.open_model import open_model
from scoring.deployment.resolve_model import resolve
from scoring.errors import ModelError, TrackingError
from scoring.explanation.policy import (
    PolicyDifference,
    PolicyLine,
    compare_rules,
    policy_differences,
    policy_lines,
)
from scoring.progress import SILENT, Reporter
from scoring.settings import Settings


@dataclass(frozen=True, slots=True)
class ComparedPolicies:
    """Names of two policies, and the rules that differ between them.

    Sections that only one of two models knows are not compared.
    """

    first: str
    second: str
    differences: list[PolicyDifference]
    only_first: tuple[str, ...] = ()
    only_second: tuple[str, ...] = ()


def policy(
    *,
    model: str | None = None,
    section: str | None = None,
    settings: Settings,
    reporter: Reporter = SILENT,
) -> list[PolicyLine]:
    """Write the learned policy of a model in words.

    Parameters
    ----------
    model : str, optional
        See :func:`scoring.deployment.resolve_model.resolve`.
    section : str, optional
        Only the rules that hold for this section.
    settings : Settings
        Home and store.
    reporter : Reporter
        Receives a warning if the model is neither the requested one nor the champion.

    Returns
    -------
    list of PolicyLine

    Raises
    ------
    ModelError
        If the model holds no rules, or not those of the section.
    """
    return lines_of(open_model(model, settings, reporter, is_whole=False), section)


def compare_policies(
    first: str,
    second: str,
    *,
    model: str | None = None,
    section: str | None = None,
    settings: Settings,
    reporter: Reporter = SILENT,
) -> ComparedPolicies:
    """Find the rules that differ between two sections of a model, or between two models.

    Parameters
    ----------
    first, second : str
        Two sections of the model; else two models, see :func:`scoring.deployment.resolve_model.resolve`.
    model, section, settings, reporter
        See :func:`policy`; the section is for two models.

    Returns
    -------
    ComparedPolicies

    Raises
    ------
    ModelError
        If a model cannot be found, or holds no rules.
    """
    if section is None and (saved := _with_sections(first, second, model, settings, reporter)) is not None:
        of_sections = [lines_of(saved, name) for name in (first, second)]
        return ComparedPolicies(first, second, policy_differences(*of_sections))
    models = [open_model(name, settings, reporter, is_whole=False) for name in (first, second)]
    sides = [lines_of(saved, section) for saved in models]
    names = (models[0].name, models[1].name)
    if section is not None:
        return ComparedPolicies(*names, policy_differences(*sides))
    compared = compare_rules(models[0].models.rules, models[1].models.rules)
    return ComparedPolicies(*names, list(compared.differences), compared.only_first, compared.only_second)


def _with_sections(
    first: str, second: str, model: str | None, settings: Settings, reporter: Reporter
) -> SavedModel | None:
    """The model whose sections two names are; None if they are not.

    Two models can be compared where there is no champion, or none can be found.

    Raises
    ------
    ModelError
        If the model was named, but cannot be found or has only one of the sections.
    """
    try:
        loaded = resolve(model, settings, is_whole=False)
    except (ModelError, TrackingError):
        if model is not None:
            raise
        return None
    unknown = [name for name in (first, second) if name not in _sections(loaded.saved)]
    if len(unknown) == 1 and model is not None:
        raise _unknown_section(loaded.saved, unknown[0])
    if unknown:
        return None
    if loaded.resolved.warning is not None:
        reporter.warn(loaded.resolved.warning)
    return loaded.saved


def _unknown_section(saved: SavedModel, section: str) -> ModelError:
    known = ", ".join(repr(name) for name in _sections(saved))
    return ModelError(f"{saved.name}: section: got {section!r}, expected one of {known}")


def _sections(saved: SavedModel) -> list[str]:
    return [name for group in saved.models.rules for name in group.sections]


def lines_of(saved: SavedModel, section: str | None) -> list[PolicyLine]:
    """Write the rules of a loaded model in words; see :func:`policy`."""
    if not saved.models.rules:
        raise ModelError(f"{saved.name}: got a model without rules; train it again with this version")
    if section is not None and section not in _sections(saved):
        raise _unknown_section(saved, section)
    return policy_lines(saved.models.rules, section, saved.models.changes)
