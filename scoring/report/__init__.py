"""Reports for people: one HTML page that needs nothing else, no network and no script."""

from scoring.report.comparison import comparison_report
from scoring.report.evaluation import evaluation_report

__all__ = ["comparison_report", "evaluation_report"]
