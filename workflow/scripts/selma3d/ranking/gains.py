"""Gains of pretraining: each pretrained init against scratch, structure by structure.

All of it is exploratory: estimates and intervals. What was declared beforehand has verdicts
(`verdicts`). `scratch-long` is compared as any other init. Ensembles have no partner and are left
out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
import pandas as pd

from ..challenge.run import NO_INIT, is_ensemble
from .aggregation import Settled
from .crossed_effects import Gain, mean_gain
from .run_pairs import ArmComparison, Paired, paired, sign_of
from .tables import table
from .verdicts import SCRATCH

ONE_TRAINING = "one training an arm: no interval"
CONDITIONAL = {
    True: "one specimen: the interval is over trainings only",
    False: "specimens unknown: the interval is over trainings only, on these cases",
}


def gains_tables(settled: Settled) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables gains and gains_by_specimen.

    gain is pretrained - scratch in units of the metric: means over a specimen's cases and folds
    for each seed, then over seeds and specimens. low, high and p are those of the crossed t
    interval (`crossed_effects`); NaN with one training. Where a case's specimen is unknown,
    `specimen` in gains_by_specimen reads "case <id>".
    """
    values = settled.values[~settled.values["absent"]]
    gains, by_specimen = [], []
    for rows, comparison in _comparisons(values):
        (structure,) = comparison.structures
        found = paired(rows, comparison, structure)
        if found is not None:
            seen = bool(rows["seen"].iloc[0])
            gains.append({"seen": seen, **_gain(found)})
            by_specimen += [{"seen": seen, **row} for row in _by_specimen(found)]
    return table("gains", gains), table("gains_by_specimen", by_specimen)


def _comparisons(values: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, ArmComparison]]:
    keys = ["method", "structure", "metric", "budget"]
    for (method, structure, metric, budget), rows in values.groupby(keys):
        for init in sorted(set(rows["init"]) - {SCRATCH, NO_INIT}):
            if not is_ensemble(init):
                yield rows, ArmComparison(method, init, SCRATCH, metric, budget, (structure,))


def _described(pairs: Paired) -> dict[str, object]:
    return asdict(pairs.comparison) | {"structure": pairs.structure}


def _gain(pairs: Paired) -> dict[str, object]:
    sign = sign_of(pairs.comparison.metric)
    estimate = mean_gain([pairs.grid(pairs.structure)])
    low, high = sorted(sign * bound for bound in estimate.interval())
    return {
        **_described(pairs),
        **asdict(estimate),
        "specimens": estimate.specimens if pairs.known else 0,
        "cases": len(pairs.cases),
        "seeds": len(pairs.seeds),
        "scratch": pairs.by_unit(pairs.against).mean(),
        "pretrained": pairs.by_unit(pairs.pretrained).mean(),
        "gain": sign * estimate.gain,
        "low": low,
        "high": high,
        "p": estimate.p,
        "note": "; ".join(_notes(pairs, estimate)),
    }


def _by_specimen(pairs: Paired) -> Iterator[dict[str, object]]:
    """A row a specimen and seed; a case and seed where specimens are unknown."""
    names = list(dict.fromkeys(pairs.units)) if pairs.known else [f"case {c}" for c in pairs.cases]
    average = pairs.by_unit if pairs.known else pairs.by_seed
    scratch, pretrained = average(pairs.against), average(pairs.pretrained)
    for (row, column), value in np.ndenumerate(scratch):
        yield {
            **_described(pairs),
            "specimen": names[row],
            "seed": pairs.seeds[column],
            "scratch": value,
            "pretrained": pretrained[row, column],
            "gain": pretrained[row, column] - value,
        }


def _notes(pairs: Paired, estimate: Gain) -> Iterator[str]:
    if len(pairs.seeds) == 1:
        yield ONE_TRAINING
    elif estimate.reason:
        yield estimate.reason
    elif estimate.conditional:
        yield CONDITIONAL[pairs.known]
    if pairs.unpaired:
        yield f"runs without a partner, left out: {pairs.unpaired}"
    if pairs.imputed:
        yield f"pairs with worst values for missing or undefined ones: {pairs.imputed}"
