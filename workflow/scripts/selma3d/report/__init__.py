"""The report: one self-contained HTML page that reads like the results section of a paper."""

from .page import write_report

__all__ = ["write_report"]
