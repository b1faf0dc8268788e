"""The loader under the name by which MLflow models that were logged before version 1.0 import it."""

from scoring.artifact.saved_model import load_scorer as load_scorer
