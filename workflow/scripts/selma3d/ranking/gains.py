"""Gains of pretraining: each pretrained init against scratch, pair by pair.

A pair is the same method, case, label budget, fold and seed, so both models learnt from the same
training patches. `scratch-long` is compared as any other init. Ensembles are no single models and
have no partner: they are left out.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..challenge.run import NO_INIT, is_ensemble
from ..scoring.metrics import METRICS
from .aggregation import Settled
from .discipline import Floats
from .resampling import Resampling
from .statistics import ROUNDING, holm, percentile_interval, signed_rank_p, too_few
from .tables import COLUMNS, table

SCRATCH = "scratch"
_PAIR = ["method", "structure", "case", "unit", "metric", "budget", "fold", "seed"]
_COMPARISON = ["method", "init", "structure", "metric", "budget"]
_DESCRIPTION = ["seen", "known_specimens"]


def gains_tables(settled: Settled, resampling: Resampling) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables gains and gains_by_specimen.

    gain is pretrained - scratch in units of the metric: means over a specimen's cases and folds
    for each seed, then over seeds and specimens. Intervals resample specimens and seeds; p is of a
    two-sided Wilcoxon signed-rank test of the specimens' gains, Holm within a structure, metric and
    budget. Where a case's specimen is unknown, `specimen` in gains_by_specimen reads "case <id>".
    """
    pairs = _pairs(settled)
    by_unit = (
        pairs.groupby([*_COMPARISON, *_DESCRIPTION, "unit", "seed", "case"], as_index=False)[
            ["scratch", "pretrained"]
        ]
        .mean()  # folds
        .groupby([*_COMPARISON, *_DESCRIPTION, "unit", "seed"], as_index=False)[
            ["scratch", "pretrained"]
        ]
        .mean()  # cases
    )
    by_unit = by_unit.assign(gain=by_unit["pretrained"] - by_unit["scratch"])
    cases = pairs.groupby(_COMPARISON)["case"].nunique()
    imputed = pairs.groupby(_COMPARISON)["imputed"].sum()
    unpaired = _unpaired_runs(settled)
    rows = [
        _gain(dict(zip(_COMPARISON, key, strict=True)), group, resampling)
        | {
            "cases": int(cases[key]),
            "imputed": int(imputed[key]),
            "unpaired": unpaired.get(key[:3] + key[4:], 0),
        }
        for key, group in by_unit.groupby(_COMPARISON)
    ]
    for row in rows:
        row["note"] = "; ".join(_notes(row))
    gains = table("gains", rows)
    adjusted = gains.groupby(["structure", "metric", "budget"])["p"].transform(
        lambda p: holm(p.to_numpy(float))
    )
    gains["p_holm"] = adjusted.astype(float)
    by_specimen = by_unit.rename(columns={"unit": "specimen"})
    return gains, by_specimen[list(COLUMNS["gains_by_specimen"])]


def _pairs(settled: Settled) -> pd.DataFrame:
    values = settled.values[~settled.values["absent"]]
    scratch = values.loc[values["init"] == SCRATCH, [*_PAIR, "value", "fault"]]
    single = ~values["init"].map(is_ensemble).astype(bool)
    pretrained = values[single & ~values["init"].isin([SCRATCH, NO_INIT])]
    pairs = pretrained.merge(scratch, on=_PAIR, suffixes=("_pretrained", "_scratch"))
    return pairs.rename(
        columns={"value_pretrained": "pretrained", "value_scratch": "scratch"}
    ).assign(imputed=(pairs["fault_pretrained"] != "") | (pairs["fault_scratch"] != ""))


def _unpaired_runs(settled: Settled) -> dict[tuple[str, ...], int]:
    """Runs (folds × seeds) that only one side has, by method, init, structure and budget."""
    values = settled.values[~settled.values["absent"]]
    runs = values.groupby(["method", "init", "structure", "budget"])[["fold", "seed"]].apply(
        lambda rows: frozenset(rows.itertuples(index=False, name=None))
    )
    return {
        (method, init, structure, budget): len(own ^ runs[method, SCRATCH, structure, budget])
        for (method, init, structure, budget), own in runs.items()
        if (method, SCRATCH, structure, budget) in runs.index
    }


def _gain(
    comparison: dict[str, str], by_unit: pd.DataFrame, resampling: Resampling
) -> dict[str, object]:
    gains = by_unit.pivot_table("gain", "unit", "seed").to_numpy()  # (units, seeds)
    known = bool(by_unit["known_specimens"].iloc[0])
    reason = too_few(len(gains), known=known)
    of_units = gains.mean(axis=1)
    sign = 1 if METRICS[comparison["metric"]].direction == "higher" else -1
    low, high = (
        (np.nan, np.nan)
        if reason
        else percentile_interval(_replicates(gains, comparison["structure"], resampling))
    )
    return {
        **comparison,
        "seen": bool(by_unit["seen"].iloc[0]),
        "specimens": len(gains) if known else 0,
        "seeds": gains.shape[1],
        "scratch": by_unit["scratch"].mean(),
        "pretrained": by_unit["pretrained"].mean(),
        "gain": of_units.mean(),
        "better": (np.round(sign * of_units, ROUNDING) > 0).mean(),
        "low": low,
        "high": high,
        "p": np.nan if reason else signed_rank_p(of_units),
        "reason": reason,
    }


def _replicates(gains: Floats, structure: str, resampling: Resampling) -> Floats:
    """(replicates,): mean gain of resampled specimens and seeds."""
    units, seeds = gains.shape
    unit_weights = resampling.unit_counts(structure, units) / units
    seed_weights = resampling.seed_counts(seeds) / seeds
    return np.einsum("ru,us,rs->r", unit_weights, gains, seed_weights)


def _notes(row: dict[str, object]) -> list[str]:
    notes = [row["reason"]] if row["reason"] else []
    if row["unpaired"]:
        notes.append(f"runs without a partner, left out: {row['unpaired']}")
    if row["imputed"]:
        notes.append(f"pairs with worst values for missing or undefined ones: {row['imputed']}")
    if row["seeds"] == 1:
        notes.append("one seed: variation between trainings not covered")
    return notes
