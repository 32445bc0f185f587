"""Table of metrics: one entry has all that scoring, ranking and figures need to know of a metric.

A formula is named, not imported: the table is read wherever Snakemake starts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ...system.errors import InputError

VESSEL_LIKE, SPOT_LIKE = "vessel-like", "spot-like"
STRUCTURE_TYPES = (VESSEL_LIKE, SPOT_LIKE)
ROBUST = "robust"
DESCRIBE = "describe"  # in place of a profile: metrics that are shown and not ranked
TRUTH, PREDICTED = "truth_", "predicted_"  # before the name of a quantity in score tables
LENGTH_UNIT = "µm or voxels"  # micrometres where the voxel size is known

# Facts about a case's truth that decide what an undefined value means; see `describe_truth`.
TRUTH_FACTS = (
    "truth_voxels",
    "truth_skeleton_voxels",
    "truth_betti0",
    "truth_betti1",
    "truth_diagonal",
)


@dataclass(frozen=True)
class Metric:
    """Facts about a metric that are known without computing it.

    worst: the value that stands for one that a prediction left undefined; a number, or the truth
    fact that holds it. profiles: {profile or "describe": structure types it is computed for}.
    undefined_by: {profile: truth fact}; where that fact is 0, no prediction can be held
    responsible for an undefined value. formula: `module:function` beside this table, of a
    `Comparison`; profile_formulas: {profile: the same} where a profile computes it otherwise.
    of_empty: {profile: an empty prediction's value} where that is not the worst.
    """

    name: str
    label: str
    direction: Literal["higher", "lower"]
    lowest: float
    highest: float
    unit: str
    worst: float | str
    profiles: Mapping[str, tuple[str, ...]]
    undefined_by: Mapping[str, str]
    edge_cases: str
    formula: str
    profile_formulas: Mapping[str, str] = field(default_factory=dict)
    of_empty: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Quantity:
    """A number that is read off a mask; truth and prediction are compared in it, not ranked.

    Score tables hold it with TRUTH or PREDICTED before its name.
    """

    name: str
    label: str
    unit: str
    structure_types: tuple[str, ...]


@dataclass(frozen=True)
class Profile:
    """A set of metric definitions; `inferred` where the organisers' formulas are not published."""

    name: str
    label: str
    inferred: bool
    source: str


PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("selma2024", "SELMA3D 2024", False, "the organisers' scoring code, quirks kept"),
        Profile(
            "selma2025",
            "SELMA3D 2025 (inferred)",
            True,
            "formulas of 2024, Hausdorff distance as MONAI; their Betti matching is not published",
        ),
        Profile("selma2026", "SELMA3D 2026", False, "the organisers' scoring code"),
        Profile(
            ROBUST,
            "robust",
            False,
            "ours: as 2024 and 2026, but empty masks, missed structures and straight bars of even "
            "width are scored as a reader expects",
        ),
    )
}

_WITH_BETTI = ("selma2024", "selma2025", ROBUST)

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "dice", "Dice", "higher", 0, 1, "", 0.0,
            dict.fromkeys(PROFILES, STRUCTURE_TYPES), {},
            "1 where both masks are empty, 0 where one is",
            "overlap:dice",
        ),
        Metric(
            "betti0_error", "Betti-0 error", "lower", 0, math.inf, "components",
            "truth_betti0", dict.fromkeys(_WITH_BETTI, STRUCTURE_TYPES), {},
            "not normalised; against an empty mask, the other's Betti number",
            "topology:betti0_error",
        ),
        Metric(
            "betti1_error", "Betti-1 error", "lower", 0, math.inf, "tunnels",
            "truth_betti1", dict.fromkeys(_WITH_BETTI, (VESSEL_LIKE,)), {},
            "not normalised; against an empty mask, the other's Betti number",
            "topology:betti1_error",
        ),
        Metric(
            "cldice", "clDice", "higher", 0, 1, "", 0.0,
            dict.fromkeys(PROFILES, (VESSEL_LIKE,)),
            {"selma2026": "truth_skeleton_voxels"},
            "selma2024, selma2025: 1 where neither skeleton meets the other mask, so for an empty "
            "prediction too. selma2026: NaN there and where a skeleton is empty. robust: 1 where "
            "both masks are empty, 0 where one is or nothing meets; no component lacks a skeleton",
            "overlap:cldice_selma2024",
            {"selma2026": "overlap:cldice_selma2026", ROBUST: "overlap:cldice_robust"},
            {"selma2024": 1.0, "selma2025": 1.0},
        ),
        Metric(
            "panoptic_quality", "Panoptic quality", "higher", 0, 1, "", 0.0,
            {"selma2026": (SPOT_LIKE,), ROBUST: (SPOT_LIKE,)},
            {"selma2026": "truth_voxels"},
            "0 where no pair of objects is matched; both masks empty: NaN, in robust 1",
            "objects:panoptic_quality_selma2026",
            {ROBUST: "objects:panoptic_quality_robust"},
        ),
        Metric(
            "hausdorff95", "95 % Hausdorff distance", "lower", 0, math.inf, LENGTH_UNIT,
            "truth_diagonal",
            {"selma2025": (VESSEL_LIKE,)}, {"selma2025": "truth_voxels"},
            "NaN where a mask is empty",
            "surface:hausdorff95",
        ),
        Metric(
            "object_precision", "Object precision", "higher", 0, 1, "", 0.0,
            {DESCRIBE: STRUCTURE_TYPES}, {DESCRIBE: "truth_voxels"},
            "NaN where nothing is predicted",
            "objects:object_precision",
        ),
        Metric(
            "object_recall", "Object recall", "higher", 0, 1, "", 0.0,
            {DESCRIBE: STRUCTURE_TYPES}, {DESCRIBE: "truth_voxels"},
            "NaN where the truth is empty",
            "objects:object_recall",
        ),
        Metric(
            "count_error", "Relative count error", "lower", 0, math.inf, "", 1.0,
            {DESCRIBE: STRUCTURE_TYPES}, {DESCRIBE: "truth_voxels"},
            "NaN where the truth is empty",
            "objects:count_error",
        ),
        Metric(
            "surface_dice", "Surface Dice", "higher", 0, 1, "", 0.0,
            {DESCRIBE: STRUCTURE_TYPES}, {DESCRIBE: "truth_voxels"},
            "NaN where both masks are empty, 0 where one is",
            "surface:surface_dice",
        ),
        Metric(
            "average_surface_distance", "Average surface distance", "lower", 0, math.inf,
            LENGTH_UNIT, "truth_diagonal",
            {DESCRIBE: STRUCTURE_TYPES}, {DESCRIBE: "truth_voxels"},
            "NaN where a mask is empty",
            "surface:average_surface_distance",
        ),
        Metric(
            "tolerant_dice", "Dice within a voxel", "higher", 0, 1, "", 0.0,
            {DESCRIBE: STRUCTURE_TYPES}, {DESCRIBE: "truth_voxels"},
            "NaN where both masks are empty, 0 where one is",
            "overlap:tolerant_dice",
        ),
        Metric(
            "centroid_f1", "Centroid F1", "higher", 0, 1, "", 0.0,
            {DESCRIBE: STRUCTURE_TYPES}, {DESCRIBE: "truth_voxels"},
            "NaN where both masks are empty, 0 where one is",
            "centroids:centroid_f1",
        ),
        Metric(
            "length_error", "Relative length error", "lower", 0, math.inf, "", 1.0,
            {DESCRIBE: (VESSEL_LIKE,)}, {DESCRIBE: "truth_skeleton_voxels"},
            "NaN where the truth's skeleton has no length: it is empty, or of lone voxels",
            "centreline_length:length_error",
        ),
    )
}  # fmt: skip


QUANTITIES: Mapping[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        Quantity("objects", "Objects", "", STRUCTURE_TYPES),
        Quantity("voxels", "Foreground", "voxels", STRUCTURE_TYPES),
        Quantity(
            "length_density", "Length density", "mm/mm³ or voxels in 10⁶ voxels", (VESSEL_LIKE,)
        ),
        Quantity("radius", "Mean radius", LENGTH_UNIT, (VESSEL_LIKE,)),
        Quantity("branch_points", "Branch points", "", (VESSEL_LIKE,)),
    )
}


def quantities_of(structure_type: str) -> tuple[str, ...]:
    """Names of the quantities of a structure type. Raises InputError for an unknown type."""
    _check("structure type", structure_type, STRUCTURE_TYPES)
    return tuple(
        name for name, quantity in QUANTITIES.items() if structure_type in quantity.structure_types
    )


def metrics_of(profile: str, structure_type: str) -> tuple[str, ...]:
    """Names of the metrics of a profile (or of "describe") for a structure type, in table order.

    Raises InputError for an unknown profile or structure type.
    """
    _check("metric profile", profile, (*PROFILES, DESCRIBE))
    _check("structure type", structure_type, STRUCTURE_TYPES)
    return tuple(
        name
        for name, metric in METRICS.items()
        if structure_type in metric.profiles.get(profile, ())
    )


def undefined_by_truth(metric: str, facts: Mapping[str, float], profile: str) -> bool:
    """Whether the truth itself, not the prediction, leaves `metric` undefined in `profile`.

    facts: {truth fact: value}, as score tables hold them. Raises KeyError for an absent fact.
    """
    fact = METRICS[metric].undefined_by.get(profile)
    return fact is not None and facts[fact] == 0


def worst_value(metric: str, facts: Mapping[str, float]) -> float:
    """The value that replaces one that is missing or that a prediction left undefined.

    0 for bounded metrics, the image's diagonal for distances, the empty mask's error for errors.
    Raises KeyError for an absent fact.
    """
    worst = METRICS[metric].worst
    return facts[worst] if isinstance(worst, str) else worst


def degenerate_value(metric: str, facts: Mapping[str, float], profile: str) -> float:
    """The empty mask's value on a case: a prediction that has it need not have found anything.

    NaN where the truth is empty too, so that an empty mask is right. Raises KeyError for an absent
    fact.
    """
    if facts["truth_voxels"] == 0:
        return math.nan
    return METRICS[metric].of_empty.get(profile, worst_value(metric, facts))


def _check(what: str, found: str, known: tuple[str, ...]) -> None:
    if found not in known:
        raise InputError(f"{what}: expected {', '.join(known)}, found '{found}'")
