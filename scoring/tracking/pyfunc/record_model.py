"""The model that MLflow serves: a data frame of records in, a data frame of scores out.

Only MLflow uses it, through the file that is logged with the model (:mod:`scoring.tracking.pyfunc.loader`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from scoring.artifact.saved_model import load_scorer
from scoring.errors import ScoringError
from scoring.records.frame_rows import read_frame
from scoring.tracking.pyfunc.dataframe import read_as_of, write_results
from scoring.tracking.store import load_mlflow

mlflow = load_mlflow()
if TYPE_CHECKING:
    from mlflow.pyfunc.model import PythonModel, PythonModelContext
else:
    PythonModel, PythonModelContext = mlflow.pyfunc.PythonModel, mlflow.pyfunc.PythonModelContext


class RecordModel(PythonModel):
    """The MLflow model that a training logs: it scores a frame of records."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the saved model that was logged with this file.

        Parameters
        ----------
        context : PythonModelContext
            Context of MLflow; its artifact ``model`` is the folder of the model.
        """
        self.scorer = load_scorer(Path(context.artifacts["model"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Score the records.

        Parameters
        ----------
        context : PythonModelContext
            Context of MLflow; not used.
        model_input : DataFrame of shape (n_records, n_fields)
            Columns with the field names of the front matter; nested fields are objects or JSON text.
        params : dict, optional
            ``as_of`` as text: a date, a time or an age.

        Returns
        -------
        DataFrame of shape (n_records, n_score_fields + 1)
            In the order of the rows, with their index. ``error`` says why a row cannot be used; its scores
            are missing then, and the others are scored.

        Raises
        ------
        MlflowException
            If ``as_of`` is not a time, or the frame cannot be read: an invalid request (status 400).
        """
        try:
            as_of = read_as_of((params or {}).get("as_of"))
            read = read_frame(model_input, self.scorer.field_map)
            scores = self.scorer.score_together(read.documents, as_of)
            return write_results(read.read, scores, model_input.index)
        except ScoringError as error:
            raise mlflow.exceptions.MlflowException.invalid_parameter_value(str(error)) from error
