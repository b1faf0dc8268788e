"""Description of a run in MLflow: a verdict in one sentence, then the metrics beside the baselines."""

from __future__ import annotations

from collections.abc import Iterator

from scoring.evaluation.metrics import LOWER_IS_BETTER
from scoring.evaluation.results import Evaluation
from scoring.tracking.metric_names import HEADLINES

_JUDGED = ("quality_mae", "published_brier", "heat_mae")  # the first that the model has


def run_note(evaluation: Evaluation, description: str = "") -> str:
    """Return the description of a run as Markdown.

    Parameters
    ----------
    evaluation : Evaluation
        Metrics with their intervals, and the baselines.
    description : str
        First paragraph; may be empty.

    Returns
    -------
    str
        Description, verdict, and a table of the headline metrics.
    """
    parts = (description.strip(), verdict(evaluation), "\n".join(_table(evaluation)))
    return "\n\n".join(filter(None, parts))


def verdict(evaluation: Evaluation) -> str:
    """Compare the predictions with the best baseline in one sentence; empty if there are no metrics."""
    name = next((name for name in _JUDGED if name in evaluation.figures), None)
    if name is None:
        return ""
    figure = evaluation.figures[name]
    interval = "" if figure.low is None else f" (95 % interval {figure.low:.3g} to {figure.high:.3g})"
    text = f"`{name}` is {figure.value:.3g}{interval} on {evaluation.n_records:,} records"
    if evaluation.begins_at and evaluation.ends_at:
        text += f" of {evaluation.begins_at:%Y-%m-%d} to {evaluation.ends_at:%Y-%m-%d}"
    others = {baseline: values[name] for baseline, values in evaluation.baselines.items() if name in values}
    if not others:
        return f"{text}; there is no baseline to compare with."
    best = min(others, key=lambda baseline: others[baseline])  # of all of these metrics, less is better
    value = others[best]
    if figure.value >= value or not value:
        return f"{text}: not better than the baseline {best} ({value:.3g})."
    gain = 100 * (1 - figure.value / value)
    return f"{text}: {gain:.0f} % lower than the best baseline, {best} ({value:.3g})."


def _table(evaluation: Evaluation) -> Iterator[str]:
    """Rows of the headline metrics; the best value of each is bold."""
    names = [name for name in HEADLINES if name in evaluation.figures]
    if not names:
        return
    yield "| " + " | ".join(("metric", "model", "95 % interval", *evaluation.baselines)) + " |"
    yield "|" + "---|" * (3 + len(evaluation.baselines))
    for name in names:
        figure = evaluation.figures[name]
        values = [figure.value, *(values.get(name) for values in evaluation.baselines.values())]
        best = (min if name in LOWER_IS_BETTER else max)(value for value in values if value is not None)
        model, *others = (
            "" if value is None else f"**{value:.3f}**" if value == best else f"{value:.3f}"
            for value in values
        )
        interval = "" if figure.low is None else f"{figure.low:.3f} to {figure.high:.3f}"
        yield "| " + " | ".join((f"`{name}`", model, interval, *others)) + " |"
