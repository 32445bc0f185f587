"""Programs with the platform's interface, and several methods as one."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from selma3d.images import PatchFile, PredictionFile, PredictionWriter
from selma3d.methods import submission
from selma3d.methods.cases import CasesToSegment
from selma3d.methods.vote import vote
from selma3d.system.errors import InputError
from small_peers import two_cases

SLUGS = {"input": "images/light-sheet", "output": "images/mask"}
STAND_IN = """
import os, sys, pathlib, SimpleITK
given, asked, fault = sys.argv[1:]
(path,) = pathlib.Path(given, "images/light-sheet").iterdir()
image = SimpleITK.ReadImage(str(path))
mask = SimpleITK.Cast(image > 500, SimpleITK.sitkUInt8) * (255 if fault == "labels" else 1)
if fault == "crash": sys.exit("out of memory")
if fault == "axes": mask = SimpleITK.PermuteAxes(mask, (2, 1, 0))
if fault == "probabilities": mask = SimpleITK.Cast(mask, SimpleITK.sitkFloat32) * 0.7
names = {"nothing": [], "two": ["a.mha", "b.mha"]}.get(fault, ["output.mha"])
for name in names:
    SimpleITK.WriteImage(mask, str(pathlib.Path(asked, "images/mask", name)))
place = pathlib.Path(asked, {
    "linked folder": "images/mask", "linked parent": "images", "linked root": "",
    "linked file": "images/mask/output.mha", "pipe": "images/mask/output.mha",
    "no folder": "images/mask",
}.get(fault, "nowhere"))
if place.exists():
    host = pathlib.Path(asked, "../host")
    place.rename(host)
    if fault == "pipe": os.mkfifo(place)
    elif fault != "no folder": place.symlink_to(host.resolve())
"""


def submitted(folder, fault):
    (folder / "program.py").write_text(STAND_IN)
    command = [sys.executable, "{here}/program.py", "{input}", "{output}", fault]
    submission.segment_cases(
        CasesToSegment(two_cases(folder), 0, folder / "p.h5", method="team", structure="cells"),
        command,
        minutes=1,
        places={"here": folder},
        slugs=SLUGS,
        program_log=folder / "program.log",
    )


@pytest.mark.parametrize("fault", ["none", "labels"])
def test_a_program_segments_every_case_through_the_platforms_interface(tmp_path, fault):
    submitted(tmp_path, fault)
    with PatchFile(tmp_path / "cases.h5") as cases, PredictionFile(tmp_path / "p.h5") as found:
        assert found.ids == cases.ids
        for case in cases.ids:
            assert np.array_equal(found.mask(case), cases.mask(case))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("crash", "exit code 0, found 1; last line: out of memory"),
        ("axes", "expected one channel of shape"),
        ("probabilities", "expected labels"),
        ("nothing", "expected one mask .* found none"),
        ("two", "found a.mha, b.mha"),
        ("linked folder", "output: mask: expected files and folders, found a link to /"),
        ("linked parent", "output: images: expected files and folders, found a link to /"),
        ("linked root", "output: output: expected files and folders, found a link to /"),
        ("linked file", "output.mha: expected files and folders, found a link to /"),
        ("pipe", "output.mha: expected a file, found a pipe"),
        ("no folder", "expected a folder mask, found none"),
    ],
)
def test_a_program_that_fails_the_interface_is_one_error_and_no_predictions(
    tmp_path, fault, message
):
    with pytest.raises(InputError, match=message):
        submitted(tmp_path, fault)
    assert not (tmp_path / "p.h5").exists()


def member(path, mask, probability=None):
    mask = np.array(mask, np.uint8).reshape(1, 1, -1)
    if probability is not None:
        probability = np.array(probability).reshape(mask.shape)
    with PredictionWriter(path, path.stem, "cells", "default") as writer:
        writer.add("case", mask, probability)
    return path


def voted(folder, members, combine):
    names = {"method": "ensemble", "structure": "cells", "run": "default"}
    vote(members, folder / "e.h5", combine=combine, **names)
    with PredictionFile(folder / "e.h5") as found:
        return found.mask("case").ravel().tolist(), found.probability("case")


def test_a_majority_is_more_than_half(tmp_path):
    rows = {"a": [1, 1, 1, 0], "b": [1, 1, 0, 0], "c": [1, 0, 0, 0]}
    members = [member(tmp_path / f"{name}.h5", mask) for name, mask in rows.items()]
    assert voted(tmp_path, members, "majority") == ([1, 1, 0, 0], None)
    assert voted(tmp_path, members[:2], "majority")[0] == [1, 1, 0, 0]


def test_a_mean_takes_probabilities_where_they_are_stored_and_masks_where_not(tmp_path):
    sure = member(tmp_path / "a.h5", [1, 1, 0], [0.9, 0.5, 0.3])
    plain = member(tmp_path / "b.h5", [0, 1, 0])
    mask, probability = voted(tmp_path, [sure, plain], "mean")
    assert mask == [0, 1, 0]
    assert np.allclose(probability.ravel(), [0.45, 0.75, 0.15], atol=1e-3)


def test_members_that_differ_and_an_ensemble_of_one_are_errors(tmp_path):
    one, other = member(tmp_path / "a.h5", [1, 0]), member(tmp_path / "b.h5", [1, 0, 0])
    with pytest.raises(InputError, match="expected shape"):
        voted(tmp_path, [one, other], "majority")
    with pytest.raises(InputError, match="at least two"):
        voted(tmp_path, [one], "majority")
    with pytest.raises(InputError, match="expected one of majority, mean"):
        voted(tmp_path, [one, other], "median")
    assert not (tmp_path / "e.h5").exists()
