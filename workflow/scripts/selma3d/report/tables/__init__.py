"""Tables of a track: each module makes the one that it is named after.

A new module here is a new table. It has a docstring, the caption; PLACE, its order in the report;
IN_A_PAPER, what papers call it; SOURCES, the ranking tables that it is made of; `rows(*sources)`,
what its TSV holds; and `printed(rows, display)`, how it is shown to readers.
"""

from pathlib import Path

from ..catalogue import Catalogue

TABLES = Catalogue("table", __name__, Path(__file__).parent)
