"""The file that MLflow runs to load the model: it is copied beside the saved model and run from there.

It gives the library's own scores. Only MLflow imports it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from scoring.errors import ScoringError
from scoring.model.bundle import load_scorer
from scoring.tracking.rows import read_as_of, read_rows, write_scores
from scoring.tracking.store import load_mlflow

mlflow = load_mlflow()
if TYPE_CHECKING:
    from mlflow.pyfunc.model import PythonModel, PythonModelContext
else:
    PythonModel, PythonModelContext = mlflow.pyfunc.PythonModel, mlflow.pyfunc.PythonModelContext


class RecordModel(PythonModel):
    """Scores of records: a row in, a row out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the saved model that was logged with this file."""
        self.scorer = load_scorer(Path(context.artifacts["model"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Score the records.

        Raises
        ------
        MlflowException
            If any row is no record: an invalid request (status 400), whose message names every fault.
        """
        try:
            as_of = read_as_of((params or {}).get("as_of"))
            return write_scores(self.scorer.score(read_rows(model_input), as_of))
        except ScoringError as error:
            raise mlflow.exceptions.MlflowException.invalid_parameter_value(str(error)) from error


mlflow.models.set_model(RecordModel())
