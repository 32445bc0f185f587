"""The table of every case: each entrant's score on it, in the first metric of its structure."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..challenge.display import Display
from ..ranking.tables import Tables
from . import labels
from .ranking_rows import in_order, metrics_of, ranked_cases
from .table_formats import Printed


def first_row(track: str, structure: str) -> str:
    """The id of the first row of a structure, which scores on the page link to."""
    return f"rows-{track}-{structure}"


def printed_cases(
    track: str, tables: Tables, display: Display, shown: Mapping[tuple[str, str], str]
) -> Printed | None:
    """A case a row, an entrant a column, best first; None where nothing has been scored.

    shown: where on the page a case's images are, by structure and case. Scores of several seeds
    and folds are averaged; "–" where a score is undefined.
    """
    cases = ranked_cases(tables)
    if cases.empty:
        return None
    entrants, metrics = in_order(tables, cases), metrics_of(cases)
    rows, links, ids = [], [], []
    for structure, own in cases.groupby("structure", sort=False):
        metric = metrics[structure][0]
        own = own[own["metric"] == metric]
        means = own.pivot_table(
            index="case", columns=["method", "init"], values="value", sort=False
        )
        about = own.drop_duplicates("case").set_index("case")
        for case, scores in means.iterrows():
            specimen = about.loc[case, "specimen"]
            doubtful = " (labels doubtful)" if bool(about.loc[case, "doubtful"]) else ""
            rows.append(
                {
                    "Case": f"{case}{doubtful}",
                    "Structure": display.structure(structure),
                    "Specimen": "unknown" if pd.isna(specimen) or not specimen else str(specimen),
                    "Metric": labels.metric_name(metric),
                    **{
                        display.entrant(*entrant): labels.number(
                            scores.get(entrant, float("nan")), metric
                        )
                        for entrant in entrants
                    },
                }
            )
            links.append({"Case": shown.get((structure, str(case)), "")})
        ids += [first_row(track, structure), *[""] * (len(means) - 1)]
    return Printed(pd.DataFrame(rows), text_columns=4, links=pd.DataFrame(links), ids=tuple(ids))
