"""Packages that are handed arrays and answer with masks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from selma3d.challenge.source import Source
from selma3d.images import PatchFile, PredictionFile
from selma3d.images.volume_file import write_volume
from selma3d.methods.cases import CasesToSegment
from selma3d.methods.peers import one_program
from selma3d.methods.peers.environment import Environment
from selma3d.methods.peers.examples import Windows, windows
from selma3d.system.errors import InputError
from small_peers import patches_and_split, picture, two_cases

# Notes what it was given; its masks are right, or broken in the one way that the settings name.
STAND_IN = """
import json, pathlib, sys
import numpy as np
folder = pathlib.Path(sys.argv[1])
task = json.loads((folder / "task.json").read_text())
parts = [part for part in folder.iterdir() if part.is_dir()]
given = {part.name: [np.load(f).shape for f in sorted(part.glob("*.npy"))] for part in parts}
pathlib.Path(task["settings"]["notes"]).write_text(json.dumps([task, given]))
fault = task["settings"].get("fault")
for path in sorted((folder / "cases").glob("*.npy")):
    mask = np.load(path) > 500
    if fault == "crash": sys.exit("no memory left")
    if fault == "axes": mask = mask.T
    if fault == "values": mask = mask * 255
    if fault == "pickle": mask = np.array([{"a": 1}], object)
    if fault != "absent" or path.stem == "0000": np.save(folder / "masks" / path.name, mask)
"""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment whose interpreter is this one."""
    python = tmp_path / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return python.parent.parent


def volume(folder: Path, shape: tuple[int, ...] = (12, 16, 20)) -> Path:
    write_volume(folder / "v.h5", folder / "v.tsv", picture(4, shape)[0], sample="v")
    return folder / "v.h5"


def segmented(folder: Path, environment: Path, **settings: object) -> Path:
    (folder / "program.py").write_text(STAND_IN)
    given = {"notes": str(folder / "notes.json"), **settings}
    one_program.segment_cases(
        [Source("cells", *patches_and_split(folder), 0)],
        [(volume(folder), 0)],
        CasesToSegment(two_cases(folder), 0, folder / "p.h5", method="peer", structure="cells"),
        program=folder / "program.py",
        environment=Environment(environment),
        settings=one_program.ProgramSettings.read(given),
        program_log=folder / "program.log",
    )
    return folder / "p.h5"


def test_a_program_is_handed_patches_windows_and_cases_and_its_masks_are_stored(
    tmp_path, environment
):
    asked = {"number": 3, "shape": [8, 8, 8]}
    found = segmented(tmp_path, environment, windows=asked)
    with PatchFile(tmp_path / "cases.h5") as cases, PredictionFile(found) as predictions:
        assert predictions.ids == cases.ids
        for case in cases.ids:
            assert np.array_equal(predictions.mask(case), cases.mask(case))
    task, given = json.loads((tmp_path / "notes.json").read_text())
    assert (task["threads"], task["gpu"]) == (1, False)
    assert given["train"] == [[8, 10, 12]] * 4  # two patches, each with its mask
    assert given["validation"] == [[8, 10, 12]] * 2
    assert given["windows"] == [[8, 8, 8]] * 3


def test_a_program_that_asks_for_no_windows_is_given_none(tmp_path, environment):
    segmented(tmp_path, environment)
    assert "windows" not in json.loads((tmp_path / "notes.json").read_text())[1]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("crash", "found 1; last line: no memory left"),
        ("absent", "0001.npy: expected the mask of case '.*', found no file"),
        ("axes", r"expected \(8, 10, 12\) voxels of 0 and 1, found \(12, 10, 8\)"),
        ("values", "with values from 0 to 255"),
        ("pickle", "0000.npy: expected an array of numbers"),
    ],
)
def test_a_program_that_fails_or_breaks_the_contract_is_one_error_and_no_predictions(
    tmp_path, environment, fault, message
):
    with pytest.raises(InputError, match=message):
        segmented(tmp_path, environment, fault=fault)
    assert not (tmp_path / "p.h5").exists()


def test_windows_are_the_same_for_a_seed_and_a_volume_too_small_is_named(tmp_path):
    volumes = [(volume(tmp_path), 0)]
    first, again = (list(windows(volumes, Windows(number=5, shape=(4, 4, 4)), 1)) for _ in range(2))
    assert all(map(np.array_equal, first, again))
    with pytest.raises(InputError, match=r"v.h5: expected at least a window's shape \(16, 8, 8\)"):
        list(windows(volumes, Windows(number=1, shape=(16, 8, 8)), 1))
    with pytest.raises(InputError, match="expected unannotated ones"):
        list(windows([], Windows(number=1, shape=(4, 4, 4)), 1))
