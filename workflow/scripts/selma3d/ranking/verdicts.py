"""Verdicts on what pretraining gains: declared endpoints in a fixed order, the rest exploratory.

An endpoint's verdict follows from its own pairs of runs, so that no other entrant changes it.

The endpoints are tested one after the other, each at 5 %, as long as each one before has shown a
difference (gain or harm): the chance to claim any difference where none exists then stays at 5 %
(fixed sequence: Maurer, Hothorn and Lehmacher 1995). All after the first endpoint without a
difference are exploratory: estimates and intervals, no verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd

from ..challenge.analysis import Analysis, Design
from ..scoring.metrics import METRICS
from ..system.errors import InputError
from .crossed_effects import MARGIN_LEVEL, Gain, GainGrid, mean_gain
from .heterogeneity import Heterogeneity, heterogeneity
from .run_pairs import ArmComparison, paired
from .statistics import signed_rank_p
from .tables import table

SCRATCH, SCRATCH_LONG = "scratch", "scratch-long"
GAIN, HARM, NO_RELEVANT_GAIN = "gain", "harm", "no relevant gain"
INCONCLUSIVE, NOT_ANSWERABLE, EXPLORATORY = "inconclusive", "not answerable", "exploratory"
PRIMARY, UNSEEN, SMALLEST_BUDGET = "primary", "unseen", "smallest-budget"
AGAINST_LONG = "against-scratch-long"
ENDPOINTS = (PRIMARY, UNSEEN, SMALLEST_BUDGET, AGAINST_LONG)


@dataclass(frozen=True)
class Judgement:
    """An endpoint's estimate and verdict.

    signed_rank_p: of specimens' mean gains, a check beside the t test; smallest_signed_rank_p: the
    least that so many specimens can reach. NaN where specimens are unknown or the endpoint is not
    answerable: the test does not see that trainings vary.
    imputed: pairs with a worst value for a missing or undefined one. unpaired: runs (folds × seeds)
    that only one arm has, which are left out.
    """

    endpoint: str
    comparison: ArmComparison
    estimate: Gain
    heterogeneity: Heterogeneity
    signed_rank_p: float
    smallest_signed_rank_p: float
    imputed: int
    unpaired: int
    verdict: str
    margin: float

    @property
    def statement(self) -> str:
        """The verdict in a line, with its interval and where the margin lies."""
        return _statement(self.estimate, self.verdict, self.margin)


def judge(
    scores: pd.DataFrame, analysis: Analysis, targets: Mapping[str, str]
) -> tuple[Judgement, ...]:
    """The declared endpoints in their order.

    scores: of one track and one metric profile; columns structure, specimen (empty where it is
    unknown), case, method, init, budget, fold, seed, metric, value, fault. Missing and undefined
    values have been settled: each value is a number; fault is "" where it is the prediction's own.
    targets: structure -> the fine-tuned model that segments it. Structures of one model share its
    trainings; a structure that is not named has trainings of its own.
    Raises InputError where a pair of runs lacks a case.
    """
    judgements = []
    testing = True
    for endpoint, comparison in _declared(scores, analysis):
        judgement = _estimated(scores, endpoint, comparison, analysis.margin, targets)
        if testing:
            judgement = replace(judgement, verdict=verdict_of(judgement.estimate, analysis.margin))
        testing = testing and judgement.verdict in (GAIN, HARM)
        judgements.append(judgement)
    return tuple(judgements)


def judge_alone(
    scores: pd.DataFrame,
    name: str,
    comparison: ArmComparison,
    margin: float,
    targets: Mapping[str, str],
) -> Judgement:
    """The verdict on one comparison, tested by itself; scores and errors as in `judge`."""
    judgement = _estimated(scores, name, comparison, margin, targets)
    return replace(judgement, verdict=verdict_of(judgement.estimate, margin))


def _declared(scores: pd.DataFrame, analysis: Analysis) -> Iterator[tuple[str, ArmComparison]]:
    """The endpoints that these scores allow; all but the primary one may be absent."""
    declared = analysis.primary
    if declared.metric not in METRICS:
        raise InputError(
            f"analysis.primary.metric: expected one of {', '.join(METRICS)}, "
            f"found {declared.metric!r}"
        )
    primary = ArmComparison(
        method=declared.method,
        init=declared.pretext,
        against=SCRATCH,
        metric=declared.metric,
        budget=str(declared.budget),
        structures=declared.structures or (),
    )
    own = scores[(scores["method"] == primary.method) & (scores["metric"] == primary.metric)]
    arms = own[own["init"].isin([primary.init, SCRATCH])]
    yield PRIMARY, primary
    if analysis.unseen:
        yield UNSEEN, replace(primary, structures=analysis.unseen)
    smallest = min({primary.budget, *arms["budget"]}, key=_size)
    if smallest != primary.budget:
        yield SMALLEST_BUDGET, replace(primary, budget=smallest)
    if SCRATCH_LONG in set(own["init"]):
        yield AGAINST_LONG, replace(primary, against=SCRATCH_LONG)


def _size(budget: str) -> float:
    return float(budget) if budget.isdigit() else np.inf


def _estimated(
    scores: pd.DataFrame,
    endpoint: str,
    comparison: ArmComparison,
    margin: float,
    targets: Mapping[str, str],
) -> Judgement:
    """An endpoint's estimate, without a verdict as yet."""
    pairs = {name: paired(scores, comparison, name) for name in comparison.structures}
    lacking = [name for name, found in pairs.items() if found is None]
    grids = [
        found.grid(targets.get(name, name))
        for name, found in pairs.items()
        if found and not lacking
    ]
    estimate = mean_gain(grids) if grids else _no_pairs(lacking)
    p, smallest = (np.nan, np.nan) if estimate.reason else _signed_rank(grids)
    return Judgement(
        endpoint=endpoint,
        comparison=comparison,
        estimate=estimate,
        heterogeneity=heterogeneity(grids, estimate),
        signed_rank_p=p,
        smallest_signed_rank_p=smallest,
        imputed=sum(found.imputed for found in pairs.values() if found),
        unpaired=sum(found.unpaired for found in pairs.values() if found),
        verdict=NOT_ANSWERABLE if estimate.reason else EXPLORATORY,
        margin=margin,
    )


def _no_pairs(lacking: Sequence[str]) -> Gain:
    return Gain(
        gain=np.nan,
        specimens=0,
        trainings=0,
        conditional=False,
        reason=f"{NOT_ANSWERABLE}: no pair of runs on {', '.join(lacking) or 'any structure'}",
    )


def verdict_of(estimate: Gain, margin: float) -> str:
    """Gain or harm where the 95 % interval leaves out 0; else what the margin says."""
    if estimate.reason:
        return NOT_ANSWERABLE
    low, high = estimate.interval()
    if low > 0:
        return GAIN
    if high < 0:
        return HARM
    return NO_RELEVANT_GAIN if _within(estimate, margin) else INCONCLUSIVE


def _within(estimate: Gain, margin: float) -> bool:
    """Two one-sided tests at 5 %: the 90 % interval lies inside ± margin."""
    low, high = estimate.interval(MARGIN_LEVEL)
    return -margin < low and high < margin


def _statement(estimate: Gain, verdict: str, margin: float) -> str:
    if estimate.reason:
        return estimate.reason
    low, high = estimate.interval()
    interval = f"between {_signed(low)} and {_signed(high)}"
    line = f"{verdict}: {_signed(estimate.gain)}, {interval}"
    if verdict == INCONCLUSIVE:
        line = f"{verdict}: the gain lies {interval}; this design would detect "
        line += f"{estimate.detectable:.2g} at 80 %"
    if verdict != EXPLORATORY:
        line += f"; {_beside_margin(estimate, margin)}"
    if estimate.conditional:
        line += "; over trainings only, on these very images"
    return line


def _beside_margin(estimate: Gain, margin: float) -> str:
    low, high = estimate.interval(MARGIN_LEVEL)
    if _within(estimate, margin):
        return f"smaller than the margin of {margin:g} by its 90 % interval"
    if low > margin or high < -margin:
        return f"larger than the margin of {margin:g} by its 90 % interval"
    return f"whether it is larger than the margin of {margin:g} is open"


def _signed(value: float) -> str:
    return f"{value:+#.2g}".removesuffix(".").replace("-", "−")


def smallest_signed_rank_p(specimens: int) -> float:
    """The least two-sided p of a signed-rank test of so many specimens: all gains of one sign."""
    return float(min(1.0, 2.0 ** (1 - specimens)))


def _signed_rank(grids: Sequence[GainGrid]) -> tuple[float, float]:
    """P of the test of specimens' means, and the smallest possible one."""
    if not all(grid.known for grid in grids):
        return np.nan, np.nan
    of_specimen: dict[str, list[float]] = {}
    for grid in grids:
        for specimen, gains in zip(grid.specimens, grid.values, strict=True):
            of_specimen.setdefault(specimen, []).append(float(gains.mean()))
    means = [np.mean(gains) for gains in of_specimen.values()]
    return signed_rank_p(means), smallest_signed_rank_p(len(means))


def verdicts_table(
    judgements: Iterable[Judgement], analysis: Analysis, design: Design | None = None
) -> pd.DataFrame:
    """A row a judgement; structures joined by commas.

    `declaration` is the digest of analysis and design, `declared` the day stated for it, or "".
    """
    said = {"declaration": analysis.digest(design), "declared": analysis.declared or ""}
    rows = [row_of(judgement) | said for judgement in judgements]
    return table("verdicts", rows)


def row_of(judgement: Judgement) -> dict[str, object]:
    """All that a table may say of a judgement."""
    comparison, estimate = judgement.comparison, judgement.estimate
    low, high = estimate.interval()
    low90, high90 = estimate.interval(MARGIN_LEVEL)
    return {
        **asdict(comparison),
        **asdict(estimate),
        "endpoint": judgement.endpoint,
        "verdict": judgement.verdict,
        "structures": ",".join(comparison.structures),
        "p": estimate.p,
        "low": low,
        "high": high,
        "low90": low90,
        "high90": high90,
        "margin": judgement.margin,
        "detectable": estimate.detectable,
        "between_structures": judgement.heterogeneity.between,
        "predicted_low": judgement.heterogeneity.low,
        "predicted_high": judgement.heterogeneity.high,
        "signed_rank_p": judgement.signed_rank_p,
        "smallest_signed_rank_p": judgement.smallest_signed_rank_p,
        "imputed": judgement.imputed,
        "unpaired": judgement.unpaired,
        "statement": judgement.statement,
    }
