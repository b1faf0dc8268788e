"""scikit-learn estimators whose samples are records."""

from scoring.extras import naming_extras

with naming_extras("sklearn"):
    from scoring.sklearn.heat import HeatRegressor
    from scoring.sklearn.published import PublishedClassifier
    from scoring.sklearn.quality import QualityRegressor

__all__ = ["HeatRegressor", "PublishedClassifier", "QualityRegressor"]
