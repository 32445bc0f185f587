"""References of cases beside what entrants reach, and cases whose labels are doubtful."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from ..scoring.score_tables import CASE, ENTRANT
from .tables import COLUMNS, table

COMPARED = ("dice", "tolerant_dice", "surface_dice", "centroid_f1")


def case_references_table(
    references: pd.DataFrame, values: pd.DataFrame, doubtful: Collection[tuple[str, str]]
) -> pd.DataFrame:
    """One row a case with references: what its labels allow, and the best and median entrant.

    references: of `scoring.references`. values: a row an entrant, case and metric of COMPARED at
    the whole label budget, seeds averaged. doubtful: of `doubtful_cases`. Column `entrants`: how
    many were scored on the case.
    """
    if references.empty:
        return table("references", [])
    rows = []
    for case in references.to_dict("records"):
        key = (case["structure"], case["case"])
        own = values[(values["structure"] == key[0]) & (values["case"] == key[1])]
        by_metric = dict(iter(own.groupby("metric")))
        if "dice" not in by_metric:
            continue
        dice = by_metric["dice"].sort_values(["value", *ENTRANT], ascending=[False, True, True])
        best = dice.iloc[0]
        rows.append(
            {
                **{name: case[name] for name in COLUMNS["references"] if name in case},
                "entrants": len(dice),
                "best_method": best["method"],
                "best_init": best["init"],
                **{
                    f"{which}_{metric}": getattr(by_metric[metric]["value"], function)()
                    for metric in COMPARED
                    if metric in by_metric
                    for which, function in (("best", "max"), ("median", "median"))
                },
                "doubtful": key in doubtful,
            }
        )
    return table("references", rows)


def doubtful_cases(references: pd.DataFrame, values: pd.DataFrame) -> set[tuple[str, str]]:
    """(structure, case) where the oracle and every entrant stay below the moved label's Dice.

    There a score tells more of the annotator than of a method.
    """
    dice = values[values["metric"] == "dice"]
    best = dice.groupby(CASE)["value"].max()
    doubtful = set()
    for case in references.itertuples():
        key = (case.structure, str(case.case))
        if key in best.index and max(case.oracle_dice, best[key]) < case.moved_dice:
            doubtful.add(key)
    return doubtful
