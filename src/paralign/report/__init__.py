"""Result files in, one offline page out: HTML, Markdown and CSV. Never reads a model."""

from paralign.report.write import ReportPaths, write_report

__all__ = ["ReportPaths", "write_report"]
