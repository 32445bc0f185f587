"""The report: figures, tables and one self-contained page that reads like a results section."""

from .page import Results, write_report

__all__ = ["Results", "write_report"]
