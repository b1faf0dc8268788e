"""The data frames under the name by which MLflow models that were logged before version 1.0 import them."""

from scoring.tracking.pyfunc.dataframe import read_as_of as read_as_of
from scoring.tracking.pyfunc.dataframe import read_rows as read_rows
from scoring.tracking.pyfunc.dataframe import write_scores as write_scores
