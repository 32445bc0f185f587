"""Sentences on the labels that scores stand on, and on what the ranking makes of scores."""

from __future__ import annotations

from ..challenge.display import Display
from ..ranking.tables import Tables
from . import labels
from .ranking_rows import is_degenerate, segmented


def doubtful(tables: Tables, display: Display) -> list[str]:
    """A sentence a structure whose labels are doubtful in some cases."""
    sentences = []
    for structure, cases in tables["references"].groupby("structure", sort=False):
        own = cases[cases["doubtful"].astype(bool)]
        if len(own):
            moved = labels.number(own["moved_dice"].mean(), "dice")
            best = labels.number(own[["oracle_dice", "best_dice"]].max(axis=1).mean(), "dice")
            sentences.append(
                f"{display.structure(structure)}: labels doubtful in {len(own)} of "
                f"{labels.count(len(cases), 'case')}: there the best threshold chosen with the "
                f"truth and every entrant stay below the label moved by one voxel (mean Dice "
                f"{best} beside {moved}). Scores there tell more of the annotator than of a method."
            )
    return sentences


def reachable(tables: Tables, display: Display) -> list[str]:
    """A sentence a structure: oracle, moved label, best and median entrant, means over cases."""
    sentences = []
    for structure, cases in tables["references"].groupby("structure", sort=False):
        means = {
            name: labels.number(cases[f"{name}_dice"].mean(), "dice")
            for name in ("moved", "oracle", "best", "median")
        }
        sentences.append(
            f"{display.structure(structure)}: mean Dice of the label moved by one voxel "
            f"{means['moved']}, of the oracle threshold {means['oracle']}, of each case's best "
            f"entrant {means['best']}, of its median entrant {means['median']} "
            f"({labels.count(len(cases), 'case')})."
        )
    return sentences


def weights(tables: Tables, display: Display) -> str:
    """One sentence: which metrics weigh most in the mean rank, and which least."""
    shares = tables["weights"]
    if shares.empty:
        return ""
    parts = []
    most, least = shares["weight"].max(), shares["weight"].min()
    for weight in dict.fromkeys((most, least)):
        own = shares[(shares["weight"] - weight).abs() < 1e-9]
        names = [
            f"{display.structure(row.structure)}, "
            f"{labels.metric_name(row.metric, arrow=False, unit=False)}"
            for row in own.itertuples()
        ]
        who = "; ".join(names) if len(names) <= 4 else labels.count(len(names), "metric")
        each = " each" if len(names) > 1 else ""
        parts.append(f"{100 * weight:.3g} %{each} for {who}")
    if len(parts) == 1:
        return f"In the mean rank every metric of a structure weighs alike: {parts[0]}."
    return f"What a metric weighs in the mean rank: at most {parts[0]}; at least {parts[1]}."


def degenerate(tables: Tables, display: Display) -> list[str]:
    """A sentence a structure and metric that has nothing but the empty mask's values."""
    means = tables["by_metric"]
    if means.empty:
        return []
    empty = means[means.apply(is_degenerate, axis=1) & segmented(means)]
    sentences = []
    for (structure, metric), rows in empty.groupby(["structure", "metric"], sort=False):
        names = [display.entrant(row.method, row.init) for row in rows.itertuples()]
        scored = len(means[(means["structure"] == structure) & (means["metric"] == metric)])
        who = "every entrant" if len(names) == scored else labels.listed(names)
        first = (rows["rank"] == 1).any()
        sentences.append(
            f"{display.structure(structure)}, "
            f"{labels.metric_name(metric, arrow=False, unit=False)}: in every case {who} "
            f"{'has' if len(names) == 1 or who == 'every entrant' else 'have'} the value that an "
            f"empty mask has (∅)"
            f"{'; the first rank there is the rule’s and shows no skill' if first else ''}."
        )
    return sentences
