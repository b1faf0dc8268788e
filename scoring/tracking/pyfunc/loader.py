"""The file that MLflow runs to load the model: it is copied beside the saved model and run from there.

It imports public names alone, so that a model that was logged today loads with later versions.
"""

import mlflow

from scoring import RecordModel

mlflow.models.set_model(RecordModel())
