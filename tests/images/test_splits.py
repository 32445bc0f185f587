"""Splits into training, validation and test, and the order in which budgets take patches."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selma3d.images.splits import (
    COLUMNS,
    check_disjoint,
    make_split,
    read_split,
    training_patches,
    validation_patches,
)
from selma3d.system.atomic import write_table
from selma3d.system.errors import InputError
from selma3d.system.randomness import numpy_generator

FIFTHS = {"validation": 0.2, "test": 0.2}
# Of 20 patches without a specimen, split from seed 0: fold 0 for seeds 0 and 1, fold 1 for seed 0.
ORDERS = (
    ["007", "011", "016", "017", "019", "005", "010", "006", "018", "009", "008", "004"],
    ["009", "011", "007", "008", "016", "005", "018", "017", "019", "004", "010", "006"],
    ["003", "019", "002", "011", "009", "017", "016", "008", "010", "001", "000", "018"],
)


def index_of(specimens: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"id": [f"{i:03d}" for i in range(len(specimens))], "specimen": specimens})


def split_of(specimens: list[str], **options) -> pd.DataFrame:
    settings = {
        "structure": "vessel",
        "role_of": None,
        "fractions": FIFTHS,
        "cases_given": False,
        "seed": 0,
    }
    return make_split(index_of(specimens), **settings | options)


def patches_in(split: pd.DataFrame, role: str, fold: int = 0) -> list[str]:
    here = split[(split["fold"] == fold) & (split["role"] == role)]
    return sorted(here["patch"].unique())


def test_the_same_seed_gives_the_same_table():
    specimens = ["a"] * 5 + ["b"] * 4 + ["c"] * 3 + ["d"] * 4 + [""] * 6
    pd.testing.assert_frame_equal(split_of(specimens), split_of(specimens))


def test_another_seed_draws_another_test_set():
    drawn = {tuple(patches_in(split_of([""] * 20, seed=seed), "test")) for seed in range(8)}
    assert len(drawn) > 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", ""]), min_size=8, max_size=30),
    st.integers(0, 5),
)
def test_no_specimen_has_two_roles_in_a_fold(specimens, seed):
    try:
        split = split_of(specimens, seed=seed)
    except InputError:
        return  # too few specimens for so many roles
    known = split[split["specimen"] != ""]
    assert (known.groupby(["fold", "specimen"])["role"].nunique() == 1).all()
    for fold in split["fold"].unique():
        roles = [patches_in(split, role, fold) for role in ("train", "validation", "test")]
        assert all(roles)
        assert sorted([*roles[0], *roles[1], *roles[2]]) == index_of(specimens)["id"].tolist()
        assert roles[2] == patches_in(split, "test", 0)


def test_unknown_specimens_are_split_in_contiguous_blocks_and_it_is_said():
    split = split_of([""] * 24)
    assert set(split["grouped_by"]) == {"index-block"}
    for fold in range(3):
        for role in ("validation", "test"):
            ids = [int(patch) for patch in patches_in(split, role, fold)]
            assert ids == list(range(ids[0], ids[0] + len(ids)))
            assert len(ids) in (4, 5)


def test_known_specimens_are_said_to_be_the_rule():
    split = split_of(["a", "a", "b", "c", "d", ""])
    assert split[split["fold"] == 0]["grouped_by"].tolist() == ["specimen"] * 5 + ["index-block"]


def test_a_volume_may_show_a_specimen_that_only_a_fold_beyond_those_asked_for_holds_out():
    split = split_of(list("ab"), role_of={"a": "training", "b": "validation"}, cases_given=True)
    assert check_disjoint([split], ["a"], folds=[0]) == "checked"
    with pytest.raises(InputError, match="fold 1: specimen 'a': expected validation only"):
        check_disjoint([split], ["a"], folds=range(2))


def test_folds_validate_on_different_patches():
    split = split_of(list("aabbccddee"))
    validated = [set(validation_patches(split, fold)) for fold in range(4)]
    assert len(set.union(*validated)) == sum(map(len, validated))


def test_given_roles_win():
    specimens = ["a"] * 8 + ["b"] * 8 + ["c"] * 4
    roles = {"a": "validation", "b": "training", "c": "test"}
    split = split_of(specimens, role_of=roles)
    assert patches_in(split, "validation") == [f"{i:03d}" for i in range(8)]
    assert patches_in(split, "train") == [f"{i:03d}" for i in range(8, 16)]
    assert patches_in(split, "test") == [f"{i:03d}" for i in range(16, 20)]


def test_published_split_of_the_nuclei_is_taken_as_given():
    roles = {f"{i:03d}": "training" for i in range(8)} | {"008": "validation"}
    roles |= {f"{i:03d}": "test" for i in range(9, 12)}
    split = split_of([""] * 12, role_of=roles)
    assert patches_in(split, "validation") == ["008"]
    assert patches_in(split, "test") == ["009", "010", "011"]


def test_two_specimens_with_given_roles_make_two_folds_and_no_third():
    roles = {"a": "training", "b": "validation"}
    split = split_of(list("aaabb"), role_of=roles, cases_given=True)
    assert patches_in(split, "train", 0) == patches_in(split, "validation", 1)
    assert patches_in(split, "test") == []
    with pytest.raises(InputError, match=r"split of vessel: expected fold 2, found folds \[0, 1\]"):
        validation_patches(split, 2)


def test_given_cases_leave_all_patches_to_training_and_validation():
    assert patches_in(split_of(list("aabbcc"), cases_given=True), "test") == []


def test_test_specimens_given_by_role_stay_out_of_training_even_with_given_cases():
    split = split_of(list("aabbcc"), cases_given=True, role_of={"c": "test"})
    assert patches_in(split, "test") == ["004", "005"]


@pytest.mark.parametrize(
    ("specimens", "options", "message"),
    [
        ("aaaa", {"cases_given": True}, "at least 2 specimens or blocks"),
        ("aabb", {}, "expected 3 specimens or blocks"),
        ("aabb", {"role_of": {"a": "train"}}, "expected training, validation, test, found 'train'"),
        ("aabbcc", {"role_of": {"000": "test"}}, "specimen 'a': expected one role"),
        (
            "aabb",
            {"role_of": {"a": "training", "b": "training"}, "cases_given": True},
            "found all given to training",
        ),
    ],
)
def test_splits_that_cannot_be_are_refused(specimens, options, message):
    with pytest.raises(InputError, match=message):
        split_of(list(specimens), **options)


def test_budgets_are_nested_and_differ_between_seeds_and_folds():
    split = split_of([""] * 30)
    for fold in (0, 1):
        for seed in (0, 1):
            everything = training_patches(split, fold, seed)
            for budget in range(1, len(everything) + 1):
                assert training_patches(split, fold, seed, budget) == everything[:budget]
    assert training_patches(split, 0, 0) != training_patches(split, 0, 1)
    assert sorted(training_patches(split, 0, 0)) == sorted(training_patches(split, 0, 1))


def test_the_order_is_drawn_from_structure_split_seed_fold_and_seed_alone():
    split = split_of([""] * 30, seed=4)
    train = patches_in(split, "train", fold=1)
    places = numpy_generator(4, "vessel", "budget order", 1, 7).permutation(len(train))
    placed = dict(zip(places.tolist(), train, strict=True))
    assert training_patches(split, 1, 7) == [placed[place] for place in range(len(train))]
    shuffled = split.sample(frac=1, random_state=0)
    assert training_patches(shuffled, 1, 7) == training_patches(split, 1, 7)


def test_the_order_holds_training_patches_only():
    split = split_of([""] * 20)
    assert sorted(training_patches(split, 0, 0)) == patches_in(split, "train")


def test_orders_are_those_that_earlier_results_were_made_with():
    split = split_of([""] * 20)
    assert training_patches(split, 0, 0) == ORDERS[0]
    assert training_patches(split, 0, 1) == ORDERS[1]
    assert training_patches(split, 1, 0) == ORDERS[2]


@pytest.mark.parametrize("budget", [0, 13, -1])
def test_budget_beyond_the_training_set_is_refused(budget):
    split = split_of([""] * 20)
    assert len(training_patches(split, 0, 0)) == 12
    with pytest.raises(InputError, match="budget from 1 to 12"):
        training_patches(split, 0, 0, budget)


def test_unknown_fold_is_refused():
    with pytest.raises(InputError, match="split of vessel: expected fold 7, found folds"):
        training_patches(split_of([""] * 20), 7, 0)


def test_table_survives_the_disk(tmp_path):
    split = split_of(["007"] * 3 + ["", ""] + list("abcd"))
    write_table(split, tmp_path / "split.tsv")
    pd.testing.assert_frame_equal(
        read_split(tmp_path / "split.tsv"), split, check_dtype=False, check_exact=True
    )
    assert tuple(split.columns) == COLUMNS


def test_known_specimens_apart_are_checked():
    split = split_of(list("aabbccdd"))
    trained = split.loc[(split["role"] == "train") & (split["fold"] == 0), "specimen"].unique()
    assert check_disjoint([split], [*trained, "another"], folds=[0]) == "checked"


@pytest.mark.parametrize("role", ["validation", "test"])
def test_held_out_specimen_among_the_pretraining_volumes_is_refused(role):
    split = split_of(list("aabbccdd"))
    held = split.loc[(split["role"] == role) & (split["fold"] == 0), "specimen"].iloc[0]
    with pytest.raises(InputError, match=f"'{held}': expected {role} only.*pretraining volumes"):
        check_disjoint([split], [held], folds=[0])


def test_specimen_tested_in_one_structure_and_trained_in_another_is_refused():
    first = split_of(list("abc"), role_of={"a": "training", "b": "validation", "c": "test"})
    second = split_of(list("cde"), role_of={"c": "training", "d": "validation", "e": "test"})
    with pytest.raises(InputError, match="'c': expected test only, found it in training"):
        check_disjoint([first, second], [], folds=[0])


def test_unknown_specimens_are_not_checkable():
    assert check_disjoint([split_of([""] * 20)], ["a"], folds=[0]) == "not checkable"
    assert check_disjoint([split_of(list("abcde"))], [""], folds=[0]) == "not checkable"
