"""Write results of workflows to frames, plots and files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from scoring.evaluation.comparison import Comparison
from scoring.evaluation.results import Evaluation, Figure
from scoring.extras import naming_extras, require
from scoring.storage.remote_output import output_folder
from scoring.storage.urls import name_of
from scoring.workflows.displayed import Displayed, metrics_line

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Plot


class WithEvaluation(Displayed):
    """Methods of results that have an evaluation."""

    evaluation: Evaluation

    def _summary(self) -> str:
        return f"evaluated on {self.evaluation.n_records:,} records: {metrics_line(self.evaluation.figures)}"

    @naming_extras("frames")
    def to_frame(self) -> pd.DataFrame:
        """Return the metrics, one per row.

        Returns
        -------
        DataFrame of shape (n_metrics, 3 + n_baselines)
            Indexed by metric: ``value``, ``low`` and ``high`` (95 % interval, NaN if not computed), and the
            value of each baseline.
        """
        import pandas as pd

        rows = figure_rows(self.evaluation.figures, self.evaluation.baselines)
        return pd.DataFrame(rows).set_index("metric") if rows else pd.DataFrame()

    @naming_extras("frames")
    def predictions(self) -> pd.DataFrame:
        """Return the labels and predictions, one record per row: see :class:`scoring.Evaluation`.

        Returns
        -------
        DataFrame of shape (n_records, n_columns)
        """
        import pandas as pd

        frame = pd.DataFrame(self.evaluation.predictions)
        return frame.assign(published_at=frame["published_at"].dt.tz_localize("UTC"))

    def plot(self) -> dict[str, Plot]:
        """Draw the evaluation.

        Returns
        -------
        dict of str to matplotlib Figure
            Plots by name, without those of labels that the model has not learned.
        """
        from scoring.plots import evaluation_figures

        return evaluation_figures(self.evaluation)

    def save(self, folder: str | Path) -> None:
        """Write the metrics, the predictions and the plots.

        Parameters
        ----------
        folder : str or Path
            Output folder or its URL, created if missing; files with the same names are replaced.
        """
        from scoring.tracking import write_evaluation

        with output_folder(Path(folder)) as local:
            write_evaluation(self.evaluation, self.plot(), local)


def require_outputs(output: Path | None, *, is_tracked: bool) -> None:
    """Check, before any work, that the packages that write the results are installed.

    Raises
    ------
    MissingExtraError
        If a package that the files or the run need is missing.
    """
    if is_tracked:
        require("track", "report")
    elif output is not None:
        require("report")


def figure_rows(
    figures: dict[str, Figure], baselines: dict[str, dict[str, float]]
) -> list[dict[str, object]]:
    """Metrics as rows: value, interval, and the value of each baseline."""
    return [
        {"metric": name, "value": figure.value, "low": figure.low, "high": figure.high}
        | {baseline: values.get(name) for baseline, values in baselines.items()}
        for name, figure in figures.items()
    ]


class Comparisons(Displayed, tuple[Comparison, ...]):
    """A tuple: the comparison of the first model or run with each other model or run."""

    def _summary(self) -> str:
        if not self:
            return "of no models"
        others = ", ".join(comparison.second.name for comparison in self)
        return f"of {self[0].first.name} with {others}, on {self[0].n_labelled:,} labelled records"

    @naming_extras("frames")
    def to_frame(self) -> pd.DataFrame:
        """Return the differences of metrics, one per row.

        Returns
        -------
        DataFrame of shape (n_models * n_metrics, 8)
            ``model`` (name of the second model), ``metric``, ``first`` and ``second`` (value of the metric
            for each model), ``gain`` (above 0 if the second model is better), ``low`` and ``high`` (95 %
            interval of the gain), and ``verdict``.
        """
        import pandas as pd

        columns = ["model", "metric", "first", "second", "gain", "low", "high", "verdict"]
        rows = [
            (comparison.second.name, name, row.first, row.second, row.gain, row.low, row.high, row.verdict)
            for comparison in self
            for name, row in comparison.differences.items()
        ]
        return pd.DataFrame(rows, columns=columns)

    def plot(self) -> dict[str, Plot]:
        """Draw the differences of metrics.

        Returns
        -------
        dict of str to matplotlib Figure
            Plots by name of the second model or run.
        """
        from scoring.plots.comparison import differences_figure

        return {comparison.second.name: differences_figure(comparison.differences) for comparison in self}

    def save(self, folder: str | Path) -> list[Path]:
        """Write a page for each comparison.

        Parameters
        ----------
        folder : str or Path
            Output folder or its URL, created if missing; files with the same names are replaced.

        Returns
        -------
        list of Path
            Paths of the pages, in the order of the comparisons.
        """
        from scoring.report.comparison import comparison_report

        names = [f"comparison-{number}.html" for number, _ in enumerate(self, start=1)]
        with output_folder(Path(folder)) as local:
            local.mkdir(parents=True, exist_ok=True)
            for name, comparison in zip(names, self, strict=True):
                (local / name).write_text(comparison_report(comparison), encoding="utf-8")
        return [Path(name_of(folder), name) for name in names]
