"""scikit-learn estimators whose samples are records."""

try:
    from scoring.sklearn.heat import HeatRegressor
    from scoring.sklearn.published import PublishedClassifier
    from scoring.sklearn.quality import QualityRegressor
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "sklearn":
        raise
    raise ImportError("estimators need scikit-learn: pip install 'news-scoring[sklearn]'") from error

__all__ = ["HeatRegressor", "PublishedClassifier", "QualityRegressor"]
