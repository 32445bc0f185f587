"""The same trained models judged by the old analysis and by the new one, side by side.

The old one (commit efe9cad) drew specimens and seeds with replacement for an interval, tested the
mean gains of specimens by signed ranks, corrected over all pretexts and networks of a structure
(Holm), and counted in how many specimens a pretext was better. The new one has the crossed t
interval and a verdict with a margin, which no other entrant changes; here every comparison is given
the verdict that it would have as a primary endpoint. Of a report, only what was declared has one.
Run: PYTHONPATH=workflow/scripts python benchmarks/old_and_new_analysis.py results/demo/scores
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from selma3d.challenge.run import is_ensemble
from selma3d.ranking.aggregation import settle
from selma3d.ranking.crossed_effects import GainGrid, mean_gain
from selma3d.ranking.run_pairs import ArmComparison, paired
from selma3d.ranking.statistics import holm, signed_rank_p
from selma3d.ranking.verdicts import verdict_of
from selma3d.scoring.score_tables import TrackScores, read_scores
from selma3d.system.randomness import numpy_generator

SCRATCH, REPLICATES, FEWEST_SPECIMENS = "scratch", 1000, 6


def old_interval(gains: np.ndarray) -> tuple[float, float]:
    """Percentile bootstrap over specimens and seeds of gains (specimens, seeds)."""
    random = numpy_generator(0, "old")
    n, s = gains.shape
    of_specimens = random.multinomial(n, np.full(n, 1 / n), REPLICATES) / n
    of_seeds = random.multinomial(s, np.full(s, 1 / s), REPLICATES) / s
    means = np.einsum("ru,us,rs->r", of_specimens, gains, of_seeds)
    return tuple(np.percentile(means, [2.5, 97.5]))


def both(
    scores: pd.DataFrame, profile: str, track: str, metric: str, margin: float
) -> pd.DataFrame:
    """A row a method, pretext and structure with every patch: both intervals and both answers."""
    values = settle(TrackScores.of(scores, track), profile).values
    values = values[(values["budget"] == "all") & (values["metric"] == metric)]
    rows = []
    for (method, init, structure), _ in values.groupby(["method", "init", "structure"]):
        if init in (SCRATCH, "default") or is_ensemble(init):
            continue
        comparison = ArmComparison(method, init, SCRATCH, metric, "all", (structure,))
        pairs = paired(values, comparison, structure)
        if pairs is None:
            continue
        grid = pairs.grid(structure)
        rows.append(
            {"structure": structure, "method": method, "init": init, **_judged(grid, margin)}
        )
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    adjusted = table.groupby("structure")["old p"].transform(lambda p: holm(p.to_numpy(float)))
    table.insert(table.columns.get_loc("old p") + 1, "old p, Holm", adjusted)
    significant = adjusted < 0.05
    upward = table["gain"] > 0
    table["old answer"] = np.select(
        [adjusted.isna(), significant & upward, significant],
        ["not tested", "better", "worse"],
        "no gain could be shown",
    )
    return table


def _judged(grid: GainGrid, margin: float) -> dict[str, object]:
    gains = np.asarray(grid.values)
    of_specimens = gains.mean(axis=1)
    tested = grid.known and len(gains) >= FEWEST_SPECIMENS
    estimate = mean_gain([grid])
    low, high = estimate.interval()
    return {
        "n × s": f"{gains.shape[0]} × {gains.shape[1]}",
        "gain": estimate.gain,
        "better in": f"{(of_specimens > 0).sum()} of {len(gains)}",
        "old interval": _interval(*old_interval(gains)) if tested else "none",
        "old p": signed_rank_p(of_specimens) if tested else np.nan,
        "new interval": "none" if estimate.reason else _interval(low, high),
        "new verdict": verdict_of(estimate, margin),
        "detects": estimate.detectable,
        "sd specimens, trainings, rest": " ".join(
            f"{sd:.3f}" for sd in (estimate.specimen_sd, estimate.training_sd, estimate.rest_sd)
        ),
    }


def _interval(low: float, high: float) -> str:
    return f"{low:+.3f} to {high:+.3f}"


def main() -> None:
    """Print the table of a folder of score tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scores", type=Path, help="results/<edition>/scores")
    parser.add_argument("--profile", default="selma2024")
    parser.add_argument("--track", default="per-type")
    parser.add_argument("--metric", default="dice")
    parser.add_argument("--margin", type=float, default=0.02)
    options = parser.parse_args()
    scores = read_scores(sorted(options.scores.glob("*/*.tsv")))
    table = both(scores, options.profile, options.track, options.metric, options.margin)
    if table.empty:
        print("No method was scored both from scratch and pretrained with every patch.")
        return
    print(table.round(3).to_string(index=False))


if __name__ == "__main__":
    main()
