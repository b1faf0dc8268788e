"""Training: data set, splits, configuration and every fit."""
