"""Splits of annotated patches: training, validation and test by specimen, and the order of budgets.

Patches of one specimen stay together. Where specimens are unknown, neighbouring ids may be one
animal: patches then go together in contiguous blocks of ids, and the table says so.

The table has every fold that can be had and no run's seed, so asking for more folds, seeds or
budgets changes no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from ..system.errors import InputError
from ..system.randomness import numpy_generator
from ..system.tables import read_tsv

COLUMNS = ("structure", "patch", "specimen", "role", "fold", "grouped_by", "split_seed")
GIVEN_ROLES = ("training", "validation", "test")
SPECIMEN, INDEX_BLOCK = "specimen", "index-block"

Group = tuple[str, ...]  # patch ids that stay together


def make_split(
    index: pd.DataFrame,
    *,
    structure: str,
    role_of: Mapping[str, str] | None,
    fractions: Mapping[str, float],
    cases_given: bool,
    seed: int,
) -> pd.DataFrame:
    """The split table of one structure: one row a patch and fold, in the columns `COLUMNS`.

    `index` is that of patches.h5 (id, specimen). `role_of` gives specimens or patches the role
    training, validation or test, and wins over chance; `fractions` (validation, test) says which
    share of the patches to draw for roles that were given to none. Test is the same in all folds.
    Fold 0 has the given roles; further folds exchange validation and training, every group being
    validated on at most once, until none is left; a fold does not depend on those after it. No
    test patches are drawn where `cases_given`.
    Raises InputError where the groups do not suffice, or given roles divide a specimen.
    """
    groups = _groups(index, role_of or {}, fractions)
    drawn = {role: fractions.get(role, 0.0) * len(index) for role in ("test", "validation")}
    if cases_given:
        drawn["test"] = 0.0
    test = _test_groups(groups, drawn["test"], numpy_generator(seed, structure, "test"), structure)
    pool = {group: role for group, role in groups.items() if group not in test}
    generator = numpy_generator(seed, structure, "validation")
    specimen_of = dict(zip(index["id"], index["specimen"], strict=True))
    rows = []
    for fold, validated in enumerate(
        _validation_groups(pool, drawn["validation"], generator, structure)
    ):
        role = {patch: "test" for group in test for patch in group}
        for group in pool:
            role |= dict.fromkeys(group, "validation" if group in validated else "train")
        rows += [
            (
                structure,
                patch,
                specimen_of[patch],
                role[patch],
                fold,
                SPECIMEN if specimen_of[patch] else INDEX_BLOCK,
                seed,
            )
            for patch in sorted(role, key=_natural)
        ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def read_split(tsv: str | Path) -> pd.DataFrame:
    """Read a split table. Raises InputError for another table, and for numbers that are none."""
    frame = read_tsv(tsv, "a split table", COLUMNS, dtype=str, keep_default_na=False)
    try:
        return frame.astype({"fold": int, "split_seed": int})
    except (ValueError, OverflowError) as error:
        raise InputError(f"{tsv}: expected whole numbers in fold, split_seed: {error}") from None


def training_patches(
    split: pd.DataFrame, fold: int, seed: int, budget: int | str = "all"
) -> list[str]:
    """The first `budget` training patches in the order of this fold and seed; `all`: every one.

    The order is a pure function of the structure, the split's own seed, fold and seed, the same for
    all methods. Raises InputError for a budget larger than the training set, or a fold that is not
    in the split.
    """
    train = sorted(_of(split, "train", fold)["patch"], key=_natural)
    structure, split_seed = split["structure"].iloc[0], int(split["split_seed"].iloc[0])
    generator = numpy_generator(split_seed, structure, "budget order", fold, seed)
    order = [train[at] for at in np.argsort(generator.permutation(len(train)))]
    if budget == "all":
        return order
    if not 1 <= int(budget) <= len(order):
        raise InputError(
            f"split of {structure}: fold {fold}: expected a budget from 1 to "
            f"{len(order)} training patches or 'all', found {budget}"
        )
    return order[: int(budget)]


def validation_patches(split: pd.DataFrame, fold: int) -> list[str]:
    """The validation patches of a fold, the same for all budgets and seeds."""
    return _of(split, "validation", fold)["patch"].tolist()


def training_set_sizes(splits: Iterable[pd.DataFrame]) -> dict[str, int]:
    """The number of training patches in the first fold, which is budget `all`, by structure."""
    return {split["structure"].iloc[0]: len(_of(split, "train", 0)) for split in splits}


def check_disjoint(
    splits: Iterable[pd.DataFrame],
    volume_specimens: Iterable[str],
    *,
    folds: Iterable[int],
) -> str:
    """Check that no validation or test specimen is trained or pretrained on in any of `folds`.

    `splits` are all that feed one model, `volume_specimens` those of the volumes that its encoder
    sees. Specimens of test cases that were given are checked in the samples table.

    Returns `checked`, or `not checkable` where a specimen is unknown.
    Raises InputError naming the specimen, or a fold that a split does not have.
    """
    tables = list(splits)
    pretrained = set(volume_specimens)
    for fold in folds:
        roles = ("train", "validation", "test")
        rows = {role: [_of(table, role, fold) for table in tables] for role in roles}
        specimens = {role: {s for t in rows[role] for s in t["specimen"]} for role in roles}
        held_out = dict.fromkeys(specimens["validation"], "validation")
        held_out |= dict.fromkeys(specimens["test"], "test")
        for use, used in (("training", specimens["train"]), ("pretraining volumes", pretrained)):
            for specimen in sorted(used & held_out.keys() - {""}):
                raise InputError(
                    f"split: fold {fold}: specimen {specimen!r}: expected "
                    f"{held_out[specimen]} only, found it in {use} too (give it one role in the "
                    "samples table, or fewer folds)"
                )
    known = {specimen for table in tables for specimen in table["specimen"]}
    return "checked" if "" not in known | pretrained else "not checkable"


def held_out_specimens(splits: Iterable[pd.DataFrame], folds: Iterable[int]) -> set[str]:
    """Known specimens of validation and test patches in any of `folds`."""
    tables = list(splits)
    return {
        specimen
        for fold in folds
        for table in tables
        for role in ("validation", "test")
        for specimen in _of(table, role, fold)["specimen"]
        if specimen
    }


def _of(split: pd.DataFrame, role: str, fold: int) -> pd.DataFrame:
    here = split[split["fold"] == fold]
    if here.empty:
        found = sorted(split["fold"].unique().tolist())
        raise InputError(
            f"split of {split['structure'].iloc[0]}: expected fold {fold}, found folds {found}: "
            "no specimen or block is left to validate on (fewer folds, a smaller share "
            "split.validation, or leave specimens empty to split by blocks of ids)"
        )
    return here[here["role"] == role]


def _groups(
    index: pd.DataFrame, role_of: Mapping[str, str], fractions: Mapping[str, float]
) -> dict[Group, str]:
    """Patches that stay together -> the role that they were given, or `""`."""
    roles = {
        patch: role_of.get(patch) or role_of.get(specimen, "")
        for patch, specimen in zip(index["id"], index["specimen"], strict=True)
    }
    strange = [role for role in roles.values() if role and role not in GIVEN_ROLES]
    if strange:
        raise InputError(
            f"samples table: role: expected {', '.join(GIVEN_ROLES)}, found {strange[0]!r}"
        )
    ordered = index.sort_values("id", key=lambda ids: ids.map(_natural))
    groups: dict[Group, str] = {}
    for specimen, rows in ordered[ordered["specimen"] != ""].groupby("specimen"):
        found = {roles[patch] for patch in rows["id"]}
        if len(found) > 1:
            raise InputError(
                f"samples table: specimen {specimen!r}: expected one role for all its patches, "
                f"found {' and '.join(sorted(role or 'none' for role in found))}"
            )
        groups[tuple(rows["id"])] = found.pop()
    unknown = ordered.loc[ordered["specimen"] == "", "id"].tolist()
    shares = [share for share in fractions.values() if share > 0]
    size = max(1, round(len(unknown) * min(shares, default=0.5)))
    for role, run in groupby(unknown, key=roles.__getitem__):
        groups |= dict.fromkeys(_blocks(list(run), size), role)
    return groups


def _blocks(patches: Sequence[str], size: int) -> list[Group]:
    """Contiguous blocks of about `size`: the fewer borders, the fewer neighbours are parted."""
    count = max(1, round(len(patches) / size))
    borders = [round(i * len(patches) / count) for i in range(count + 1)]
    return [tuple(patches[a:b]) for a, b in pairwise(borders)]


def _test_groups(
    groups: Mapping[Group, str], target: float, generator: np.random.Generator, structure: str
) -> list[Group]:
    """The groups given as test, else about `target` patches of those without a role."""
    given = [group for group, role in groups.items() if role == "test"]
    if given or target <= 0:
        return given
    free = [group for group, role in groups.items() if not role]
    taken = _take(free, target, len(groups) - 2, generator)
    if not taken:
        raise InputError(
            f"split of {structure}: expected 3 specimens or blocks for training, validation and "
            f"test, found {len(groups)}, {len(free)} of them without a role (give test roles in "
            "the samples table, or test cases)"
        )
    return taken


def _validation_groups(
    pool: Mapping[Group, str], target: float, generator: np.random.Generator, structure: str
) -> list[list[Group]]:
    """One list of groups a fold, no group twice; fold 0 has the given ones."""
    given = [group for group, role in pool.items() if role == "validation"]
    if not pool or (target <= 0 and not given):
        return [[]]
    if len(pool) < 2:
        raise InputError(
            f"split of {structure}: expected at least 2 specimens or blocks for training and "
            f"validation, found {len(pool)} (leave specimens empty to split by blocks of ids)"
        )
    target = sum(map(len, given)) or target
    chosen: list[list[Group]] = [given] if given else []
    while True:
        unused = [group for group in pool if not any(group in groups for groups in chosen)]
        # Beyond fold 0, groups that were given to training take their turn.
        free = unused if chosen else [group for group in unused if not pool[group]]
        taken = _take(free, target, len(pool) - 1, generator)
        if taken:
            chosen.append(taken)
        elif chosen:
            return chosen
        else:
            raise InputError(
                f"split of {structure}: fold 0: expected a specimen or block to validate on, "
                "found all given to training (give one the role validation)"
            )


def _take(
    groups: Sequence[Group], target: float, most: int, generator: np.random.Generator
) -> list[Group]:
    """Up to `most` groups with about `target` patches; among groups that fit alike, by chance."""
    left = [groups[i] for i in generator.permutation(len(groups))]
    taken: list[Group] = []
    while left and len(taken) < most:
        missing = target - sum(map(len, taken))
        best = min(left, key=lambda group: abs(missing - len(group)))
        if taken and abs(missing - len(best)) >= abs(missing):
            break
        taken.append(best)
        left.remove(best)
    return taken


def _natural(text: str) -> tuple[str | int, ...]:
    return tuple(int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text))
