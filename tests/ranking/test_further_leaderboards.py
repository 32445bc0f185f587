"""Further leaderboards: tasks with and without self-supervision, given and open data, readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from score_tables import settings, spots
from selma3d.challenge.checking import check
from selma3d.challenge.edition import Edition
from selma3d.ranking.track import rank_track


def leaderboards(repository: Path, name: str) -> dict[str, object]:
    """The further leaderboards of an edition as it is published here."""
    file = repository / "config" / "editions" / f"{name}.yaml"
    edition = check(Edition, yaml.safe_load(file.read_text()), file.name)
    return {"leaderboards": edition.plain()["ranking"]["leaderboards"]}


def further(table: pd.DataFrame, **changes: object) -> dict[str, dict[str, int]]:
    """Places by entrant, by leaderboard in its order."""
    rows = rank_track(table, settings(**changes), track="per-type")["further_leaderboards"]
    return {
        name: {f"{r.method} {r.init}": r.place for r in own.itertuples()}
        for name, own in rows.groupby("leaderboard", sort=False)
    }


def dice(
    means: Mapping[str, Sequence[float]], structures: Sequence[str], **details: object
) -> pd.DataFrame:
    """Rows of methods, a Dice a structure, each of two cases; NaN: no such structure."""
    return pd.concat(
        [
            spots(method, [value] * 2, structure=structure, **details)
            for method, values in means.items()
            for structure, value in zip(structures, values, strict=True)
            if not np.isnan(value)
        ]
    )


def test_2025_ranks_each_task_with_and_without_self_supervision(repository: Path) -> None:
    """cellpose segments no vessels; wnet3d starts from nothing, and learns from bare images."""
    found = further(
        pd.concat(
            [
                *(
                    dice({"unet": (0.8, 0.3)}, ("cfos", "vessel"), init="masked", seed=seed)
                    for seed in (0, 1, 2)
                ),
                dice({"unet": (0.7, 0.6)}, ("cfos", "vessel"), init="scratch"),
                dice({"swin": (0.9, 0.2)}, ("cfos", "vessel"), init="scratch"),
                dice(
                    {"wnet3d": (0.85, np.nan), "cellpose": (0.75, np.nan)},
                    ("cfos", "vessel"),
                    init="default",
                ),
            ]
        ),
        groups={"isolated": ["cfos"], "contiguous": ["vessel"]},
        without_labels=["wnet3d"],
        **leaderboards(repository, "selma2025"),
    )
    assert found == {
        "isolated-with": {"wnet3d default": 1, "unet masked": 2},
        "isolated-without": {"swin scratch": 1, "cellpose default": 2, "unet scratch": 3},
        "contiguous-with": {"unet masked": 1},
        "contiguous-without": {"unet scratch": 1, "swin scratch": 2},
    }


GROUPS_2026 = {
    "dense-isolated": ["cfos"],
    "sparse-isolated": ["plaque"],
    "dense-contiguous": ["vessel"],
    "sparse-contiguous": ["axon"],
}
# Ranks in the first three groups: a 1 1 3, b 2 3 1, c 3 2 2.
RANKED = {"a": (0.9, 0.9, 0.1), "b": (0.5, 0.1, 0.9), "c": (0.1, 0.5, 0.5)}


@pytest.mark.parametrize(
    ("axons", "at_once", "types_first"),
    [
        # Means over groups 1.67, 2, 2.33; over types (1 + 3) / 2, (2.5 + 1) / 2, (2.5 + 2) / 2.
        (None, ["a", "b", "c"], ["b", "a", "c"]),
        # With two groups a type both are the same.
        ({"a": 0.1, "b": 0.9, "c": 0.5}, ["b", "a", "c"], ["b", "a", "c"]),
    ],
)
def test_both_readings_of_the_last_step_of_2026_differ_where_a_group_has_no_scores(
    repository: Path, axons: dict[str, float] | None, at_once: list[str], types_first: list[str]
) -> None:
    structures = ("cfos", "plaque", "vessel", *(["axon"] if axons else []))
    means = {m: (*own, *([axons[m]] if axons else [])) for m, own in RANKED.items()}
    found = further(
        dice(means, structures),
        groups={g: s for g, s in GROUPS_2026.items() if s[0] in structures},
        **leaderboards(repository, "selma2026"),
    )
    assert [name.split()[0] for name in found["task-1"]] == at_once
    assert [name.split()[0] for name in found["types-first"]] == types_first


def test_what_learnt_from_other_data_is_ranked_in_task_2_of_2026_alone(repository: Path) -> None:
    scored = ("cfos", "plaque", "vessel")
    packed = dice({"a": (0.95, 0.95, 0.95)}, scored, init="pack-atlas")
    container = dice({"theirs": (0.97, 0.97, 0.97)}, scored, init="default")
    found = further(
        pd.concat([dice(RANKED, scored), packed, container]),
        groups=GROUPS_2026,
        of_other_data=["theirs"],
        **leaderboards(repository, "selma2026"),
    )
    assert sorted(name.split()[0] for name in found["task-1"]) == [*RANKED]
    assert sorted(found["task-1"].values()) == [1, 2, 3]
    assert found["task-2"]["theirs default"] == 1
    assert found["task-2"]["a pack-atlas"] == 2
    assert len(found["task-2"]) == 5


def test_the_public_scorer_s_reading_weighs_every_case_of_a_type_alike(repository: Path) -> None:
    """One case of plaques, nine of c-Fos: a tie by group; b leads over all ten together."""
    table = pd.concat(
        [
            spots("a", [0.5] * 9),
            spots("a", [0.9], structure="plaque"),
            spots("b", [0.6] * 9),
            spots("b", [0.1], structure="plaque"),
        ]
    )
    pooled = table[table["metric"] == "dice"].groupby("method")["value"].mean()
    assert pooled["b"] > pooled["a"]
    found = further(table, groups=GROUPS_2026, **leaderboards(repository, "selma2026"))
    assert found["task-1"] == {"a scratch": 1, "b scratch": 1}
    assert found["pooled"] == {"b scratch": 1, "a scratch": 2}
