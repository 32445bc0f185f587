"""Items that a report on a challenge owes its readers, with what is known of each.

Items of BIAS (Maier-Hein et al. 2020, challenges), Metrics Reloaded (Maier-Hein, Reinke et al.
2024, metrics) and CLAIM (Tejani et al. 2024, models in medical imaging) that a run can tell, or
that its configuration can (`disclosure`). What nobody stated is a slot, and says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from ..challenge.disclosure import Disclosure
from ..challenge.display import Display
from ..ranking.tables import Tables
from . import labels, pretraining_findings
from .table_formats import Printed


@dataclass(frozen=True)
class Account:
    """Facts that the ranking tables do not hold.

    training_patches: by structure. recipes: a line on each method that learns, by its
    name. hashes: of the test cases' contents by structure. released: day of the workflow's commit.
    """

    disclosure: Disclosure = field(default_factory=Disclosure)
    training_patches: Mapping[str, int] = field(default_factory=dict)
    recipes: Mapping[str, str] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)
    released: str = ""


def index_hashes(indexes: Iterable[str | Path]) -> dict[str, str]:
    """By structure a hash of its index, which holds those of images and masks, in twelve digits."""
    return {
        path.parent.name: f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
        for path in map(Path, indexes)
    }


def accounted(
    account: Account, tracks: Mapping[str, Tables], faults: Sequence[str], display: Display
) -> Printed:
    """Item, who asks for it, and what is known here."""
    told = account.disclosure
    patches = [f"{display.structure(k)} {n}" for k, n in account.training_patches.items()]
    recipes = [f"{display.method(k)}: {line}" for k, line in account.recipes.items()]
    hashes = [f"{display.structure(name)} {found}" for name, found in account.hashes.items()]
    items = [
        ("Recipes", "BIAS, CLAIM", ". ".join(recipes) or "no method learns"),
        ("Training patches", "BIAS, CLAIM", ", ".join(patches) or _slot("the splits")),
        ("Trainings an entrant", "CLAIM", _trainings(tracks)),
        ("Tuning of each arm", "BIAS, CLAIM", told.tuning or _slot("disclosure.tuning")),
        ("Failed and missing runs", "BIAS, CLAIM", _failed(tracks, faults, told)),
        (
            "Looks at the test cases",
            "CLAIM",
            str(told.test_looks) if told.test_looks else _slot("disclosure.test_looks"),
        ),
        ("Annotators", "BIAS, CLAIM", told.annotators or _slot("disclosure.annotators")),
        ("Doubtful labels", "Metrics Reloaded", _doubtful(tracks)),
        ("Declared analysis", "CLAIM", _declared(tracks)),
        ("Hashes of the test cases", "BIAS", ", ".join(hashes) or _slot("the indexes")),
        ("Day of the workflow’s commit", "BIAS", account.released or _slot("git")),
        ("Cost", "BIAS", _cost(tracks)),
        ("Interests and funding", "BIAS", told.conflicts or _slot("disclosure.conflicts")),
    ]
    return Printed(pd.DataFrame(items, columns=["Item", "Asked by", "Here"]), text_columns=3)


def _slot(where: str) -> str:
    return f"not stated ({where})"


def _trainings(tracks: Mapping[str, Tables]) -> str:
    parts = []
    for track, tables in tracks.items():
        seeds = tables["gains"]["seeds"].dropna()
        if len(seeds):
            least, most = int(seeds.min()), int(seeds.max())
            parts.append(f"{track}: {least if least == most else f'{least} to {most}'} seeds")
    return "; ".join(parts) or "no method was trained from scratch and pretrained"


def _failed(tracks: Mapping[str, Tables], faults: Sequence[str], told: Disclosure) -> str:
    gaps = sum(len(tables["missing"]) for tables in tracks.values())
    known = f"{labels.count(len(faults), 'fault')} of predictions, {labels.count(gaps, 'gap')}"
    known += " (listed with each track)" if gaps else ""
    return f"{known}; trainings that failed: {told.failed_runs or _slot('disclosure.failed_runs')}"


def _doubtful(tracks: Mapping[str, Tables]) -> str:
    for tables in tracks.values():
        references = tables["references"]
        if len(references):
            doubtful = int(references["doubtful"].astype(bool).sum())
            return f"{doubtful} of {labels.count(len(references), 'case')}"
    return "no references were computed"


def _declared(tracks: Mapping[str, Tables]) -> str:
    for tables in tracks.values():
        verdicts = tables["verdicts"]
        if len(verdicts):
            return pretraining_findings.declaration(verdicts.iloc[0])
    return "none"


def _cost(tracks: Mapping[str, Tables]) -> str:
    parts = []
    for track, tables in tracks.items():
        cost = tables["cost"]
        if len(cost):
            cpu, gpu = cost["cpu_hours"].sum(), cost["gpu_hours"].sum()
            parts.append(f"{track}: {labels.number(cpu)} CPU hours, {labels.number(gpu)} GPU hours")
    return "; ".join(parts) or "not measured"
