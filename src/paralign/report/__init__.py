"""Reports: one offline HTML page, Markdown and CSV from the result files of runs. Reads no models."""

from paralign.report.write import ReportPaths, write_report

__all__ = ["ReportPaths", "write_report"]
