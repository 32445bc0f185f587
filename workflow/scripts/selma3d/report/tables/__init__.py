"""Tables of a track: each module makes the one that it is named after.

A new module here is a new table. It has a docstring, the caption; PLACE, its order in the report;
IN_A_PAPER, what papers call it; SOURCES, the ranking tables that it is made of; `rows(*sources)`,
what its TSV holds, where that is not the one source as it is; and `printed(rows, display)`, how it
is shown to readers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..catalogue import Catalogue

if TYPE_CHECKING:
    import pandas as pd

    from ...ranking.tables import Tables

TABLES = Catalogue("table", __name__, Path(__file__).parent)


def tsv_rows(name: str, tables: Tables) -> pd.DataFrame:
    """What a table's TSV holds, made of the ranking tables that are its sources."""
    module = TABLES[name]
    sources = [tables[source] for source in module.SOURCES]
    return module.rows(*sources) if hasattr(module, "rows") else sources[0]
