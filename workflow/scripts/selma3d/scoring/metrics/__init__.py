"""Metrics of a predicted mask against its truth.

METRICS is the table of them, PROFILES the sets of definitions that they are computed by:
`selma2024`, `selma2025` and `selma2026` as the organisers do, quirks included, and `robust`.
`describe_case` has further metrics, which are shown and not ranked.

Some definitions leave values undefined (NaN). To average them one must know the cause:
a prediction's NaN takes `worst_value`, a NaN that the truth causes (`undefined_by_truth`) drops the
case for every method. Both depend on the truth alone, through the few numbers of TRUTH_FACTS, so
score tables hold these (`describe_truth`) beside the values, and no one has to open a mask again.

`case_scores` computes; importing the table alone is quick, which Snakemake does whenever it starts.
"""

from .metric_table import (
    DESCRIBE,
    METRICS,
    PREDICTED,
    PROFILES,
    QUANTITIES,
    ROBUST,
    SPOT_LIKE,
    STRUCTURE_TYPES,
    TRUTH,
    TRUTH_FACTS,
    VESSEL_LIKE,
    Metric,
    Profile,
    Quantity,
    degenerate_value,
    metrics_of,
    quantities_of,
    undefined_by_truth,
    worst_value,
)

__all__ = [
    "DESCRIBE",
    "METRICS",
    "PREDICTED",
    "PROFILES",
    "QUANTITIES",
    "ROBUST",
    "SPOT_LIKE",
    "STRUCTURE_TYPES",
    "TRUTH",
    "TRUTH_FACTS",
    "VESSEL_LIKE",
    "Metric",
    "Profile",
    "Quantity",
    "degenerate_value",
    "metrics_of",
    "quantities_of",
    "undefined_by_truth",
    "worst_value",
]
