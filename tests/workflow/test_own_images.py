"""The example of config/README.md for a lab's own images works as it is printed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
import tifffile

from selma3d.challenge import Challenge
from selma3d.challenge.config import read_config
from selma3d.images import PatchFile, VolumeFile
from selma3d.images.conversion.patch_conversion import PatchSettings, convert_patches
from selma3d.images.conversion.volume_conversion import channel_sources, convert_volume
from tiny_challenge import ENVIRONMENT

FILES = ("config/editions/mylab.yaml", "config/samples/mylab.tsv", "config/mylab.yaml")
SHAPE = (24, 40, 40)


@pytest.fixture
def checkout(repository: Path, tmp_path: Path) -> Path:
    """A repository with the example's files in it, and the lab's images beside it."""
    root = tmp_path / "selma3d"
    for folder in ("config", "workflow", "profiles"):
        shutil.copytree(repository / folder, root / folder)
    shutil.copy(repository / "Snakefile", root)
    text = (repository / "config" / "README.md").read_text(encoding="utf-8")
    text = text.partition("By hand, an edition needs")[2].partition("\n## ")[0]
    printed = re.findall(r"```(?:yaml|tsv)\n(.*?)```", text, re.DOTALL)
    for file, content in zip(FILES, printed, strict=True):
        (root / file).write_text(content, encoding="utf-8")
    draw_lab(tmp_path / "mylab")
    return root


def draw_lab(folder: Path) -> None:
    """Bright tubes on a noisy ground, in the files that the example names."""
    random = np.random.default_rng(0)
    (folder / "labelled").mkdir(parents=True)
    planes = folder / "mouse1" / "left_488"
    planes.mkdir(parents=True)
    for z in range(40):
        tifffile.imwrite(planes / f"left_{z:03d}.tif", tubes(random, (1, 64, 64))[0][0])
    (planes / "Thumbs.db").write_bytes(b"\0")
    for name in ("m1_a.tif", "m1_b.mha", "m2_a.nii.gz", "m3_a.npy"):
        stem, _, suffix = name.partition(".")
        image, mask = tubes(random, SHAPE)
        for path, voxels in ((f"{stem}.{suffix}", image), (f"{stem}_mask.{suffix}", mask)):
            place = folder / "labelled" / path
            if suffix == "tif":
                tifffile.imwrite(place, voxels, imagej=True, metadata={"axes": "ZYX"})
            elif suffix == "mha":
                SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels), str(place))
            elif suffix == "nii.gz":
                nibabel.save(nibabel.Nifti1Image(voxels.transpose(2, 1, 0), np.eye(4)), place)
            else:
                np.save(place, voxels)


def tubes(random: np.random.Generator, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros(shape, np.uint8)
    for _ in range(4):
        y, x = random.integers(4, shape[1] - 4, 2)
        mask[:, y : y + 3, x : x + 3] = 1
    return (random.normal(300, 30, shape) + 400.0 * mask).astype(np.uint16), mask


def test_the_files_as_printed_are_planned_and_converted(checkout, tmp_path, monkeypatch):
    monkeypatch.chdir(checkout)
    challenge = Challenge(read_config(checkout, [checkout / "config" / "mylab.yaml"]), checkout)
    assert [run.name for run in challenge.runs("unet", "neurite")] == ["scratch-nall-f0-s0"]
    archive = Path(challenge.archives["images"].folder)
    for kind, ids in (("patch", ["m1-a", "m1-b", "m2-a"]), ("case", ["m3-a"])):
        images = challenge.images("neurite", kind)
        convert_patches(
            archive,
            images.folder,
            images.rows,
            tmp_path / f"{kind}.h5",
            tmp_path / f"{kind}.tsv",
            structure="neurite",
            settings=PatchSettings("cases" if kind == "case" else "patches"),
        )
        assert PatchFile(tmp_path / f"{kind}.h5").ids == ids
    row = challenge.volume("neurite", "left")
    convert_volume(
        channel_sources(archive, row.images),
        tmp_path / "left.h5",
        tmp_path / "left.tsv",
        tmp_path / "work",
        specimen=row.specimen,
        sample=row.sample,
        voxel_size_um=None,
    )
    with VolumeFile(tmp_path / "left.h5") as volume:
        assert (volume.channels, *volume.shape) == (1, 40, 64, 64)


@pytest.mark.editions
def test_the_example_runs_to_its_report(checkout):
    ran = subprocess.run(
        [sys.executable, "-m", "snakemake", "--configfile", FILES[2], "--cores", "1"],
        cwd=checkout,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert (checkout / "results" / "mylab" / "report.html").exists()
