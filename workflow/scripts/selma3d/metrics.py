"""Metrics for Python users: scores of one predicted mask, and the table of all metrics.

    from selma3d.metrics import score_case
    score_case(truth, prediction, structure_type="vessel-like", profile="selma2024")

The code lies in `selma3d.scoring.metrics`; computing parts are imported when they are first used,
since the table alone is read wherever Snakemake starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .scoring.metrics import METRICS, PROFILES

if TYPE_CHECKING:
    from .scoring.metrics.case_scores import describe_case, prepare_truth, score_case

__all__ = ["METRICS", "PROFILES", "describe_case", "prepare_truth", "score_case"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .scoring.metrics import case_scores

    return getattr(case_scores, name)


def __dir__() -> list[str]:
    return __all__
