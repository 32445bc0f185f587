"""Volumes registered by another package, in its own environment; what is wrong is one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from selma3d.challenge.config import Registration
from selma3d.images import write_volume
from selma3d.methods.peers.brainreg import register, write_atlas_regions
from selma3d.methods.peers.environment import Environment
from selma3d.system.errors import InputError
from stand_in_brainreg import ATLAS, ORIENTATION, REGIONS, stand_in_brainreg

SHAPE, SIZE = (30, 50, 41), (4.0, 2.0, 3.0)  # 120 × 100 × 123 µm


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(stand_in_brainreg(tmp_path / "O'Brien's environment"))


def registered(
    folder: Path, environment: Environment, size=SIZE, channel: int = 0, **changes: object
) -> Path:
    """Register a volume of two channels; the folder of what is written."""
    image = np.random.default_rng(0).integers(100, 900, (2, *SHAPE)).astype(np.uint16)
    write_volume(folder / "v.h5", folder / "v.tsv", image, sample="v", voxel_size_um=size)
    names, written = folder / "names.csv", folder / "registered here"
    write_atlas_regions(ATLAS, names, environment, folder / "log")
    written.mkdir()
    asked = Registration(**{"atlas": ATLAS, "orientation": ORIENTATION} | changes)
    register(
        folder / "v.h5", asked, channel, written, folder / "work",
        names=names, environment=environment, program_log=folder / "log",
    )  # fmt: skip
    return written


def test_brainreg_gets_the_channel_on_the_atlas_s_grid_and_its_files_are_kept(
    tmp_path: Path, environment: Environment
) -> None:
    written = registered(tmp_path, environment, channel=1)
    image = np.random.default_rng(0).integers(100, 900, (2, *SHAPE)).astype(np.uint16)[1]
    coarse = tifffile.imread(written / "downsampled.tiff")[::-1, :, ::-1]
    assert (coarse.shape, coarse.dtype) == ((12, 10, 12), np.uint16)
    # A voxel of 10 µm holds the voxels that it touches, 3 × 5 × 4 or 5 of them.
    assert coarse[4, 2, 0] == pytest.approx(image[10:13, 10:15, 0:4].mean(), abs=0.5)
    assert not (tmp_path / "work").exists()
    kept = {path.name for path in written.iterdir()}
    assert kept >= {"brainreg.json", "volumes.csv", "registered_atlas.tiff", "boundaries.tiff"}
    names = pd.read_csv(written / "structures.csv").set_index("id")
    assert names.loc[list(REGIONS), "name"].tolist() == list(REGIONS.values())
    assert names.loc[549, "structure_id_path"] == "/997/549/"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": None}, r"v\.h5: voxel_size_um: expected one, .* found none \(state voxel_size"),
        ({"channel": 2}, r"registration\.channel: expected 0 to 1, of .*v\.h5, found 2"),
        ({"orientation": "asr"}, r"last line: niftyreg: registration failed"),
    ],
)
def test_what_cannot_be_registered_is_told_in_one_line(
    tmp_path: Path, environment: Environment, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message) as told:
        registered(tmp_path, environment, **changes)
    assert "\n" not in str(told.value)
    assert not any((tmp_path / "registered here").iterdir())


@pytest.mark.parametrize(
    ("atlas", "found"),
    [
        ("allen_mose_25um", "allen_mose_25um is not a valid atlas name!"),
        ("uneven_10um", r"expected voxels of 10.0 µm along each axis, found 50 × 10 × 10 µm"),
    ],
)
def test_an_atlas_that_does_not_serve_is_named_with_its_key(
    tmp_path: Path, environment: Environment, atlas: str, found: str
) -> None:
    with pytest.raises(InputError, match=rf"registration\.atlas: '{atlas}': .*{found}"):
        write_atlas_regions(atlas, tmp_path / "names.csv", environment, tmp_path / "log")
    assert not (tmp_path / "names.csv").exists()
