"""A prediction that breaks the contract is refused with the case, the fault and the cure."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from selma3d.images import PatchWriter
from selma3d.scoring.check import check_predictions, faults_of_runs
from selma3d.system.errors import InputError

SHAPE = (6, 8, 10)
TRUTH = np.zeros(SHAPE, np.uint8)
TRUTH[2:4, 2:5, 3:7] = 1


@pytest.fixture(scope="module")
def cases(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cases")
    with PatchWriter(folder / "cases.h5", folder / "cases.tsv", "cases") as writer:
        for case in ("001", "002", "003"):
            image = np.arange(TRUTH.size, dtype=np.uint16).reshape(1, *SHAPE)
            writer.add(case, image, TRUTH, "", None, {})
    return folder / "cases.h5"


def predictions(folder: Path, masks: dict[str, np.ndarray]) -> Path:
    """A prediction file as a program without our writer would store it."""
    path = folder / "default.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update(contract_version=1, kind="predictions")
        for case, mask in masks.items():
            file[f"{case}/mask"] = mask
    return path


def whole(**changes: np.ndarray | None) -> dict[str, np.ndarray]:
    masks = {"001": TRUTH, "002": TRUTH, "003": TRUTH} | {k[1:]: v for k, v in changes.items()}
    return {case: mask for case, mask in masks.items() if mask is not None}


def test_what_keeps_the_contract_is_described_case_by_case(cases, tmp_path):
    checked = check_predictions(predictions(tmp_path, whole()), cases)
    assert list(checked["case"]) == ["001", "002", "003"]
    assert checked["shape"].eq("6,8,10").all()
    assert np.allclose(checked["foreground"], TRUTH.mean())


FAULTS = {
    "missing case": (None, r"expected masks of 3 cases, found none of 002 \(predict every case"),
    "wrong shape": (TRUTH[:-1], r"case 002: expected .* \(6, 8, 10\), found \(5, 8, 10\).*padding"),
    "channels": (TRUTH[None], r"case 002: .*found \(1, 6, 8, 10\) \(drop what is beside Z,Y,X"),
    "swapped axes": (TRUTH.T, r"found \(10, 8, 6\) \(its axes are swapped: transpose it to Z,Y,X"),
    "probabilities": (TRUTH * np.float32(0.7), r"float32 between 0 and 0.7 \(probabilities: thre"),
    "logits": (TRUTH * np.float32(9.5) - 4, r"float32 -4.0 and 5.5 \(write mask > 0"),
    "0 and 255": (TRUTH * 255, r"found uint8 0 and 255 \(write mask > 0\)"),
    "labels": (np.arange(480, dtype=np.int32).reshape(SHAPE), r"labels of objects\? write mask >"),
    "NaN": (np.where(TRUTH, np.nan, 0), r"found float64 with 24 NaN or infinite voxels"),
    "another type": (TRUTH.astype(np.int64), r"found int64 0 and 1 \(write mask.astype"),
    "text": (np.full(SHAPE, b"x"), r"expected a mask of uint8, found \|S1"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line_with_file_case_and_cure(cases, tmp_path, fault):
    mask, message = FAULTS[fault]
    path = predictions(tmp_path, whole(_002=mask))
    with pytest.raises(InputError, match=message) as raised:
        check_predictions(path, cases)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


def test_the_first_fault_says_how_many_more_there_are(cases, tmp_path):
    path = predictions(tmp_path, whole(_001=None, _002=TRUTH * 255, _003=TRUTH.T))
    with pytest.raises(InputError, match=r"none of 001 .*; 2 more faults in this file$"):
        check_predictions(path, cases)


def test_a_group_without_a_mask_is_named(cases, tmp_path):
    path = predictions(tmp_path, whole(_002=None))
    with h5py.File(path, "a") as file:
        file["002/probability"] = TRUTH
    with pytest.raises(InputError, match="case 002: expected a dataset 'mask'"):
        check_predictions(path, cases)


def test_a_case_under_another_name_is_shown_beside_the_missing_one(cases, tmp_path):
    path = predictions(tmp_path, whole(_002=None) | {"2": TRUTH})
    with pytest.raises(InputError, match="found none of 002, but 2, which is no case"):
        check_predictions(path, cases)


def test_masks_that_someone_else_made_may_lack_cases_but_not_all(cases, tmp_path):
    some = predictions(tmp_path, whole(_002=None))
    assert list(check_predictions(some, cases, complete=False)["case"]) == ["001", "003"]
    with pytest.raises(InputError, match="expected masks of 3 cases"):
        check_predictions(predictions(tmp_path, {}), cases, complete=False)


def test_a_file_that_is_no_prediction_file_is_a_fault_of_its_run_alone(cases, tmp_path):
    good = predictions(tmp_path, whole())
    bad = tmp_path / "scratch-nall-f0-s0.h5"
    bad.write_bytes(b"no HDF5")
    faults = faults_of_runs([good, bad], cases, complete=True)
    assert list(faults) == ["scratch-nall-f0-s0"]
    assert "expected a whole HDF5 file" in faults["scratch-nall-f0-s0"]
