"""The model that is logged to MLflow and served by it."""
