"""The tables that a ranking consists of, and their columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..system.tables import read_tsv

Tables = Mapping[str, pd.DataFrame]  # of a track, by name

COLUMNS: dict[str, tuple[str, ...]] = {
    "cases": (
        *("method", "init", "budget", "structure", "scored_as", "seen", "specimen", "case"),
        *("metric_profile", "metric", "value", "imputed", "doubtful"),
    ),
    "by_metric": (
        *("method", "init", "structure", "scored_as", "seen", "metric"),
        *("mean", "sd", "low", "high", "rank"),
        *("cases", "specimens", "missing", "nan_prediction", "dropped_truth", "as_empty"),
    ),
    "further_leaderboards": (
        *("leaderboard", "title", "place", "method", "init", "mean_rank", "cases"),
        *("place_low", "place_high"),
    ),
    "weights": ("group", "structure", "metric", "weight"),
    "references": (
        *("structure", "specimen", "case", "objects", "object_voxels", "foreground"),
        *("length_unit", "oracle_threshold", "oracle_dice", "moved_dice", "entrants"),
        *("best_method", "best_init", "best_dice", "median_dice", "doubtful"),
        *("oracle_tolerant_dice", "best_tolerant_dice", "median_tolerant_dice"),
        *("oracle_surface_dice", "best_surface_dice", "median_surface_dice"),
        *("oracle_centroid_f1", "best_centroid_f1", "median_centroid_f1", "chance_centroid_f1"),
    ),
    "described": (
        *("method", "init", "structure", "scored_as", "metric"),
        *("mean", "sd", "pooled", "cases", "imputed"),
    ),
    "quantities": (
        *("method", "init", "structure", "specimen", "case", "quantity", "truth", "predicted"),
    ),
    "agreement": (
        *("method", "init", "structure", "quantity", "truth", "predicted", "bias", "low", "high"),
        *("relative", "concordance", "cases", "missing"),
    ),
    "bootstrap": ("method", "init", "replicate", "place", "mean_rank"),
    "pairwise": (
        *("structure", "metric", "method_a", "init_a", "method_b", "init_b"),
        *("specimens", "difference", "p", "p_holm", "note"),
    ),
    "rules": ("rule", "method", "init", "place"),
    "stability": ("comparison", "tau_mean", "tau_low", "tau_high", "replicates"),
    "gains": (
        *("method", "init", "structure", "seen", "metric", "budget", "specimens", "cases", "seeds"),
        *("scratch", "pretrained", "gain", "low", "high", "p", "degrees"),
        *("specimen_sd", "training_sd", "rest_sd", "note"),
    ),
    "verdicts": (
        *("endpoint", "verdict", "method", "init", "against", "metric", "budget", "structures"),
        *("gain", "low", "high", "low90", "high90", "p", "standard_error", "degrees"),
        *("specimens", "trainings", "specimen_sd", "training_sd", "rest_sd", "conditional"),
        *("margin", "detectable", "between_structures", "predicted_low", "predicted_high"),
        *("signed_rank_p", "smallest_signed_rank_p", "imputed", "unpaired", "statement"),
        *("declaration", "declared"),
    ),
    "controls": (
        *("control", "method", "init", "against", "metric", "budget", "structures"),
        *("expected", "found", "passed", "gain", "low", "high", "detectable"),
        *("specimens", "trainings", "statement"),
    ),
    "gains_by_specimen": (
        *("method", "init", "structure", "seen", "metric", "budget", "specimen", "seed"),
        *("scratch", "pretrained", "gain"),
    ),
    "curves": (
        *("method", "init", "structure", "metric", "budget", "patches"),
        *("mean", "low", "high", "specimens"),
    ),
    "gap": ("method", "init", "scored_as", "metric", "side", "seen_mean", "unseen_mean", "gap"),
    "profiles": ("structure", "metric", "cases", "changed", "predictions", "changed_predictions"),
    "profile_places": ("method", "init", "place_profile", "place_robust"),
    "missing": ("method", "structure", "run", "case", "what"),
}

RANKING_TABLES = ("leaderboard", *COLUMNS)


def table(name: str, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """A table with all of its columns, also where it has no rows."""
    return pd.DataFrame(list(rows), columns=list(COLUMNS[name]))


def read_tables(paths: Iterable[str | Path]) -> dict[str, pd.DataFrame]:
    """The ranking tables of a track, by name, from their files."""
    return {Path(path).stem: read_tsv(path, dtype={"case": str}) for path in paths}


def read_tracks(paths: Iterable[str | Path]) -> dict[str, dict[str, pd.DataFrame]]:
    """The ranking tables of several tracks, each in its folder, by track and by name."""
    files: dict[str, list[Path]] = {}
    for path in map(Path, paths):
        files.setdefault(path.parent.name, []).append(path)
    return {track: read_tables(own) for track, own in files.items()}


def leaderboard_columns(groups: Iterable[str]) -> list[str]:
    """Columns of the leaderboard, whose groups the edition names."""
    return [
        *("place", "method", "init", "mean_rank"),
        *(f"rank {group}" for group in groups),
        *("cases", "missing", "nan_prediction", "dropped_truth"),
        *("place_low", "place_high", "note"),
    ]
