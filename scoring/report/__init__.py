"""HTML reports: self-contained pages without network access or scripts."""

from scoring.extras import naming_extras

with naming_extras("report"):
    from scoring.report.comparison import comparison_report
    from scoring.report.evaluation import evaluation_report

__all__ = ["comparison_report", "evaluation_report"]
