"""The report: figures, tables and one self-contained page that reads like a results section."""
