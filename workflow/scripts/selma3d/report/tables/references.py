"""References of each case, beside which its scores are read. Moved label: Dice of the label and
itself moved by one voxel, mean over six directions, a stand-in for a second annotator. Oracle: the
best single threshold, chosen with the truth; a reference, not a ceiling. Best, median: of the
entrants. Within a voxel: Dice with a tolerance of one voxel; surface Dice: of a voxel's diagonal.
Centroid F1: objects found within 10 µm, or 5 voxels where the voxel size is unknown; chance: as
many points as there are objects, thrown at random. Labels are doubtful where the oracle and every
entrant stay below the moved label: scores there tell more of the annotator than of a method.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ...challenge.display import Display
from .. import labels
from ..table_formats import Printed

PLACE = 3.2
IN_A_PAPER = "Table of references a case"
SOURCES = ("references",)
DOUBTFUL = "labels doubtful"


def printed(references: pd.DataFrame, display: Display) -> Printed:
    """A case a row; of the three further metrics the oracle, the best and the median entrant."""
    rows = []
    for case in references.to_dict("records"):
        specimen = case["specimen"] if pd.notna(case["specimen"]) else ""
        rows.append(
            {
                "Structure": display.structure(case["structure"]),
                "Case": f"{case['case']} ({specimen})" if specimen else str(case["case"]),
                "Labels": DOUBTFUL if case["doubtful"] else "",
                "Objects": f"{case['objects']:.0f}",
                "Size (voxels)": labels.number(case["object_voxels"]),
                "Moved label, Dice": labels.number(case["moved_dice"], "dice"),
                "Oracle, Dice": labels.number(case["oracle_dice"], "dice"),
                "Best, Dice": labels.number(case["best_dice"], "dice"),
                "Median, Dice": labels.number(case["median_dice"], "dice"),
                "Within a voxel": _three(case, "tolerant_dice"),
                "Surface Dice": _three(case, "surface_dice"),
                "Centroid F1": _three(case, "centroid_f1"),
                "Chance, F1": labels.number(case["chance_centroid_f1"], "centroid_f1"),
            }
        )
    return Printed(pd.DataFrame(rows), text_columns=3)


def _three(case: Mapping[str, Any], metric: str) -> str:
    values = [case[f"{which}_{metric}"] for which in ("oracle", "best", "median")]
    return " / ".join(labels.number(value, metric) for value in values)
