"""Rows of the ranking tables that several figures and tables show."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..challenge.display import Entrant
from ..ranking.tables import Tables
from ..ranking.verdicts import smallest_signed_rank_p
from ..scoring.metrics import METRICS
from ..scoring.score_tables import ENTRANT
from . import labels

LEVEL = 0.05  # of pairwise tests
NO_PAIRS = (
    "No method was run both from scratch and pretrained with every training patch, "
    "so there is no gain to show."
)

ONE_BUDGET = "All were trained on one number of patches: there is no curve over label budgets."
NO_GAINS = "No method was run both from scratch and pretrained, so there is no gain to show."


def ranked_cases(tables: Tables) -> pd.DataFrame:
    """Rows of `cases` that the ranking uses: the edition's own profile, every training patch."""
    cases = tables["cases"]
    profiles = [p for p in cases["metric_profile"].unique() if p not in ("robust", "describe")]
    profile = profiles[0] if profiles else "robust"
    return cases[(cases["metric_profile"] == profile) & (cases["budget"].astype(str) == "all")]


def case_ranks(cases: pd.DataFrame) -> pd.Series:
    """Rank of each entrant in each case and metric; ties share the lowest rank (1, 2, 2, 4)."""
    upward = cases["metric"].map(labels.is_higher_better)
    signed = cases["value"].where(~upward, -cases["value"])
    keys = [cases["structure"], cases["case"], cases["metric"]]
    return signed.groupby(keys).rank(method="min", na_option="bottom")


def in_order(tables: Tables, table: pd.DataFrame) -> list[Entrant]:
    """Entrants of `table`, best of the leaderboard first; those not ranked after them, by name."""
    return best_first(tables, table[ENTRANT].itertuples(index=False, name=None))


def best_first(tables: Tables, entrants: Iterable[Entrant]) -> list[Entrant]:
    """Entrants as `in_order` has those of a table."""
    ranked = list(tables["leaderboard"][ENTRANT].itertuples(index=False, name=None))
    present = set(entrants)
    return [e for e in ranked if e in present] + sorted(present - set(ranked))


def metrics_of(table: pd.DataFrame, by: str = "structure") -> dict[str, list[str]]:
    """{structure: its metrics}; structures as the table lists them, metrics in METRICS' order."""
    known = list(METRICS)
    return {
        name: sorted(group["metric"].unique(), key=known.index)
        for name, group in table.groupby(by, sort=False)
    }


def of_panel(table: pd.DataFrame, structure: str, metric: str) -> pd.DataFrame:
    """The rows of one panel."""
    return table[(table["structure"] == structure) & (table["metric"] == metric)]


def at_every_patch(tables: Tables, name: str) -> pd.DataFrame:
    """Rows of a table of gains with the whole label budget."""
    return tables[name][tables[name]["budget"].astype(str) == "all"]


def known_specimens(tables: Tables) -> pd.Series:
    """Number of known specimens of each structure; zero where they are unknown."""
    return at_every_patch(tables, "gains").groupby("structure")["specimens"].max()


def length_units(tables: Tables) -> dict[str, str]:
    """The unit of lengths on each structure, where the table `references` tells it."""
    return tables["references"].groupby("structure")["length_unit"].first().to_dict()


def extent_of(cases: pd.DataFrame) -> str:
    """Numbers of cases and of specimens of some rows, such as "6 cases of 2 specimens"."""
    specimens = cases["specimen"].replace("", np.nan).dropna().nunique()
    extent = labels.count(cases["case"].nunique(), "case")
    return f"{extent} of {labels.count(specimens, 'specimen')}" if specimens else extent


def segmented(means: pd.DataFrame | pd.Series) -> pd.Series | bool:
    """Whether an entrant has masks of any case of a structure, of rows of the ranking's by_metric.

    Where it has none, their means are the worst values, which stand in for them in ranks.
    """
    return means["missing"] < means["cases"]


def could_be_significant(pairs: pd.DataFrame) -> bool:
    """Whether any of a panel's pairs could be: the smallest possible p, after Holm's correction."""
    tested = pairs.dropna(subset="p_holm")
    if tested.empty:
        return False
    return smallest_signed_rank_p(int(tested["specimens"].max())) * len(tested) < LEVEL


def is_degenerate(mean: pd.Series) -> bool:
    """Whether a row of by_metric has the empty mask's value in every case."""
    return bool(mean["as_empty"] == mean["cases"] and mean["cases"])


def degenerate_mark(mean: pd.Series) -> str:
    """What is printed behind a mean that holds values of the empty mask; "" where none is."""
    if not mean["as_empty"]:
        return ""
    return " ∅" if is_degenerate(mean) else f" ∅ {mean['as_empty']:.0f}/{mean['cases']:.0f}"
