"""Figures of the challenge; each is a function of tables, drawn in one style.

FIGURES lists those of a track's ranking, which `drawing` draws; `histories` and `panels` draw those
that show trainings and images. Importing the list does not import matplotlib: Snakemake reads it
whenever it starts.
"""

from .catalogue import FIGURES, Figure

__all__ = ["FIGURES", "Figure"]
