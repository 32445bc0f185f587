"""How long a ranking takes: 1,000 bootstraps of 10 methods × 300 cases × 4 metrics, one core.

Run: PYTHONPATH=workflow/scripts OMP_NUM_THREADS=1 python benchmarks/ranking.py
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd

from selma3d.ranking.ranking_rules import RULES
from selma3d.ranking.settings import RankingSettings
from selma3d.ranking.track import rank_track
from selma3d.scoring.metrics import METRICS, TRUTH_FACTS, metrics_of
from selma3d.scoring.score_tables import SCORE_COLUMNS

METHODS, CASES, CASES_OF_A_SPECIMEN, SEEDS, REPLICATES = 10, 300, 3, 3, 1000
PROFILE, STRUCTURE, SCORED_AS = "selma2024", "vessel", "vessel-like"
LIMIT_SECONDS = 10.0


def simulated_scores() -> pd.DataFrame:
    """Scores of all methods, seeds and cases, with the rows that scoring writes."""
    generator = np.random.default_rng(0)
    rows = []
    for method in range(METHODS):
        for seed in range(SEEDS):
            skill = generator.normal(0.02 * method, 0.01)
            for case in range(CASES):
                specimen, difficulty = case // CASES_OF_A_SPECIMEN, 0.3 * np.sin(case)
                quality = np.clip(0.5 + skill + difficulty + generator.normal(0, 0.1), 0, 1)
                for profile, metric, value in _values(quality):
                    rows.append(
                        (
                            *("benchmark", "final", "per-type", STRUCTURE, SCORED_AS, True),
                            *(f"animal-{specimen:03}", f"{case:03}"),
                            *(f"method-{method}", "scratch", "all", 0, seed),
                            *(profile, metric, value),
                        )
                    )
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _values(quality: float) -> Iterator[tuple[str, str, float]]:
    for profile in (PROFILE, "robust"):
        for metric in metrics_of(profile, SCORED_AS):
            higher = METRICS[metric].direction == "higher"
            yield profile, metric, quality if higher else np.round(50 * (1 - quality))
    for fact in TRUTH_FACTS:
        yield "describe", fact, 100.0
    yield "describe", "missing", 0.0


def seconds(call: Callable[[], object]) -> float:
    """How long `call` takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Time the whole ranking, all tables included, under each rule."""
    metrics = metrics_of(PROFILE, SCORED_AS)
    print(
        f"{REPLICATES} bootstraps × {METHODS} methods × {CASES} cases × {len(metrics)} metrics "
        f"({SEEDS} seeds, {CASES // CASES_OF_A_SPECIMEN} specimens), all tables of a track:"
    )
    scores = simulated_scores()
    for rule in RULES:
        settings = RankingSettings(rule=rule, metric_profile=PROFILE, bootstrap=REPLICATES)
        taken = seconds(partial(rank_track, scores, settings, track="per-type"))
        verdict = "within" if taken < LIMIT_SECONDS else "OVER"
        print(f"  {rule:<16} {taken:6.2f} s, {verdict} {LIMIT_SECONDS:g} s")


if __name__ == "__main__":
    main()
