"""Training: dataset, splits, configuration and fits."""
