"""A lab points at its folder and gets files that run, or is told what its files do not say."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
import tifffile
import yaml

from selma3d.challenge import Challenge
from selma3d.challenge.config import read_config
from selma3d.challenge.samples import Sample, read_table
from selma3d.images.new_edition import make
from selma3d.system.errors import InputError
from two_channel_files import FORMATS, SIZE

SHAPE = (6, 8, 10)
RANDOM = np.random.default_rng(0)


@pytest.fixture
def root(repository: Path, tmp_path: Path) -> Path:
    """What `new-edition` reads of a repository, to write in."""
    folder = tmp_path / "repository"
    shutil.copytree(repository / "config", folder / "config")
    return folder


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    folder = tmp_path / "O'Brien's images (2)"
    folder.mkdir()
    return folder


def grey(shape=SHAPE) -> np.ndarray:
    return RANDOM.integers(100, 900, shape, dtype=np.uint16)


def labels() -> np.ndarray:
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:4, 2:5, 3:6] = 1
    return mask


def save(path: Path, voxels: np.ndarray, size=None) -> None:
    """Write (Z,Y,X) as the extension says; size (z,y,x) in micrometres."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if ".nii" in path.name:
        image = nibabel.Nifti1Image(voxels.transpose(2, 1, 0), np.eye(4))
        if size:
            image.header.set_zooms(size[::-1])
            image.header.set_xyzt_units("micron")
        nibabel.save(image, path)
    elif path.suffix == ".mha":
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels), str(path))
    else:
        tifffile.imwrite(path, voxels, photometric="minisblack")


def save_planes(folder: Path, depth: int = 5) -> None:
    for z in range(depth):
        save(folder / f"z{z:03d}.tif", grey((20, 24)))


def annotated(lab: Path, *names: str, suffix=".nii.gz", size=None) -> None:
    for name in names:
        save(lab / "raw" / f"{name}{suffix}", grey(), size)
        save(lab / "gt" / f"{name}{suffix}", labels(), size)


def planned(root: Path, name: str = "mylab") -> Challenge:
    return Challenge(read_config(root, [root / "config" / f"{name}.yaml"]), root)


def rows(root: Path, name: str = "mylab") -> dict[str, Sample]:
    table = read_table(root / "config" / "samples" / f"{name}.tsv", Sample)
    return {row.sample: row for row in table}


def test_a_folder_of_patches_and_planes_becomes_an_edition_that_can_be_planned(root, lab, capsys):
    annotated(lab, "brain1_a", "brain2_a", "brain3_a", "brain3_b")
    save_planes(lab / "volumes" / "brain 4")
    save_planes(lab / "volumes" / "brain2" / "C00")
    save_planes(lab / "volumes" / "brain2" / "C01")
    made = make("mylab", lab, root)
    challenge = planned(root)
    (structure,) = challenge.structures
    assert structure == "o-brien-s-images-2"
    assert challenge.scored == (structure,)
    found = rows(root)
    assert found["brain1_a"].specimen == "brain1"
    assert found["brain1_a"].mask == "gt/brain1_a.nii.gz"
    assert found["brain-4"].image == "volumes/brain 4"
    assert found["brain2"].image == "volumes/brain2/C00,volumes/brain2/C01"
    assert found["brain2"].role == "test"  # its patches may test a model
    assert [row.sample for row in challenge.volumes(structure)] == ["brain-4"]
    assert challenge.archives["images"].folder == str(lab)
    said = capsys.readouterr().out
    assert "4 patches with masks: 6×8×10 (z,y,x), 1 channel, voxel size not stated" in said
    assert "1 volume: 5×20×24 (z,y,x), 2 channels (C00, C01)" in said
    for question in made.questions:
        file, _, number = made.where(question).partition(":")
        line = (root / file).read_text().splitlines()[int(number) - 1]
        assert line.startswith(question.line)


def test_the_small_start_is_one_training(root, lab):
    annotated(lab, "brain1", "brain2", "brain3")
    make("mylab", lab, root)
    challenge = planned(root)
    assert list(challenge.methods) == ["unet"]
    assert [run.name for run in challenge.runs("unet", next(iter(challenge.structures)))] == [
        "scratch-nall-f0-s0"
    ]


def test_voxel_sizes_of_headers_are_the_edition_s(root, lab):
    annotated(lab, "brain1", "brain2", "brain3", size=(6, 1.5, 1.5))
    made = make("mylab", lab, root)
    (structure,) = planned(root).structures.values()
    assert structure.voxel_size_um == (6, 1.5, 1.5)
    assert not any("voxel" in question.text for question in made.questions)


@pytest.mark.parametrize("kind", ["OME-Zarr 0.4", "Imaris", "BigDataViewer", "BigDataViewer's N5"])
def test_a_microscope_s_file_is_a_volume_with_its_channels_and_voxels(root, lab, capsys, kind):
    annotated(lab, "brain1", "brain2", "brain3", size=SIZE)
    (lab / "volumes").mkdir()
    name, write = FORMATS[kind]
    image = write(lab / "volumes" / name)
    make("mylab", lab, root)
    said = capsys.readouterr().out
    assert "1 volume: 9×20×31 (z,y,x), 2 channels (cfos, autofluorescence)" in said
    challenge = planned(root)
    (structure,) = challenge.structures
    (volume,) = challenge.volumes(structure)
    assert volume.image == f"volumes/{image.name}"
    assert challenge.structures[structure].voxel_size_um == SIZE


def test_each_folder_of_patches_is_a_structure_and_a_volume_of_none_is_not_placed(root, lab):
    for structure in ("Vessels", "cFos"):
        annotated(lab / structure, "m1", "m2", "m3", suffix=".tif")
    save_planes(lab / "scans" / "vessels" / "m4")
    save_planes(lab / "scans" / "m5")
    made = make("mylab", lab, root)
    structures = planned(root).structures
    assert set(structures) == {"vessels", "cfos"}
    assert structures["vessels"].scored_as == "vessel-like"
    assert rows(root)["m4"].structure == "vessels"
    assert "a volume of which structure? expected one of cfos, vessels" in made.unplaced["scans/m5"]


def test_masks_beside_their_images_are_found_by_the_end_of_the_name(root, lab):
    for name in "abc":
        save(lab / f"{name}.mha", grey())
        save(lab / f"{name}_mask.mha", labels())
    made = make("mylab", lab, root)
    assert {row.mask for row in rows(root).values()} == {"a_mask.mha", "b_mask.mha", "c_mask.mha"}
    (question,) = (q for q in made.questions if "which animals" in q.text)
    assert "For 3 of 3 no name says it" in question.text


def test_too_few_animals_are_said_and_the_split_goes_by_blocks(root, lab):
    annotated(lab, "brain1_a", "brain1_b", "brain1_c")
    made = make("mylab", lab, root)
    assert any("All are from brain1" in question.text for question in made.questions)
    assert {row.specimen for row in rows(root).values()} == {""}


def test_the_same_number_under_another_word_may_be_the_same_animal(root, lab):
    annotated(lab, "brain1", "brain2", "brain3")
    save_planes(lab / "unannotated" / "sample2")
    made = make("mylab", lab, root)
    assert rows(root)["sample2"].role == "test"
    assert any("is sample2 the same animal as brain2?" in q.text for q in made.questions)


def test_what_cannot_be_used_is_named_with_its_reason(root, lab):
    annotated(lab, "brain1", "brain2", "brain3", "empty", "shifted", "alone")
    save(lab / "gt" / "empty.nii.gz", np.zeros(SHAPE, np.uint8))
    save(lab / "gt" / "shifted.nii.gz", labels()[:-1])
    (lab / "gt" / "alone.nii.gz").unlink()
    save(lab / "gt" / "orphan.nii.gz", labels())
    (lab / "raw" / "torn.mha").write_bytes(b"NDims = 3")
    save(lab / "raw" / "a,b.nii.gz", grey())
    outside = lab.parent / "outside.nii.gz"
    save(outside, grey())
    (lab / "raw" / "link.nii.gz").symlink_to(outside)
    made = make("mylab", lab, root)
    reasons = {
        "raw/empty.nii.gz": "its mask gt/empty.nii.gz is empty",
        "raw/shifted.nii.gz": "its mask gt/shifted.nii.gz has shape (1, 5, 8, 10), the image (1, 6",
        "raw/alone.nii.gz": "no mask, beside patches that have one",
        "gt/orphan.nii.gz": "no image beside it has the same name",
        "raw/torn.mha": "no mask",
        "raw/a,b.nii.gz": "a comma",
        "raw/link.nii.gz": "a link out of the folder",
    }
    assert set(made.unplaced) == set(reasons)
    for path, reason in reasons.items():
        assert reason in made.unplaced[path]
    assert set(rows(root)) == {"brain1", "brain2", "brain3"}


def test_hidden_and_system_files_count_for_nothing(root, lab):
    annotated(lab, "brain1", "brain2", "brain3")
    save_planes(lab / "volumes" / "brain4")
    for folder in (lab, lab / "raw", lab / "gt", lab / "volumes" / "brain4"):
        for name in ("Thumbs.db", "desktop.ini", "._brain1.nii.gz", ".DS_Store"):
            (folder / name).write_bytes(b"\0" * 10)
        (folder / "@eaDir").mkdir()
        (folder / "@eaDir" / "brain1.nii.gz").write_bytes(b"\0")
    made = make("mylab", lab, root)
    assert made.unplaced == {}
    assert set(rows(root)) == {"brain1", "brain2", "brain3", "brain4"}


@pytest.mark.parametrize("taken", ["mylab.yaml", "editions/mylab.yaml", "samples/mylab.tsv"])
def test_no_file_is_ever_overwritten(root, lab, taken):
    annotated(lab, "brain1", "brain2", "brain3")
    (root / "config" / taken).write_text("mine")
    before = sorted(root.rglob("*"))
    with pytest.raises(InputError, match="nothing is overwritten"):
        make("mylab", lab, root)
    assert (root / "config" / taken).read_text() == "mine"
    assert sorted(root.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "message"),
    [("", "NAME: expected"), ("My Lab", "NAME: expected"), ("../x", "NAME: expected")],
)
def test_a_name_that_cannot_be_one_is_refused(root, lab, name, message):
    with pytest.raises(InputError, match=message):
        make(name, lab, root)


def test_a_folder_without_enough_patches_is_refused_and_nothing_is_written(root, lab):
    annotated(lab, "brain1", "brain2")
    before = sorted(root.rglob("*"))
    with pytest.raises(InputError, match=r"at least 3 patches with masks .* found 2 of o-brien"):
        make("mylab", lab, root)
    with pytest.raises(InputError, match="expected a folder with images, found none"):
        make("mylab", lab / "nowhere", root)
    assert sorted(root.rglob("*")) == before


def test_instances_and_folders_of_nnunet_are_read(root, lab):
    for part, names in {"Tr": ("a", "b", "c"), "Ts": ("d",)}.items():
        for name in names:
            save(lab / f"images{part}" / f"{name}_0000.nii.gz", grey())
            save(lab / f"images{part}" / f"{name}_0001.nii.gz", grey())
            save(lab / f"labels{part}" / f"{name}.nii.gz", labels() * 7)
    made = make("mylab", lab, root)
    found = {row.image: row for row in rows(root).values()}
    assert found["imagesTr/a_0000.nii.gz,imagesTr/a_0001.nii.gz"].mask == "labelsTr/a.nii.gz"
    assert found["imagesTs/d_0000.nii.gz,imagesTs/d_0001.nii.gz"].role == "test"
    assert any("which channel shows it? 0 is assumed, of 0, 1" in q.text for q in made.questions)


def made(repository: Path, place: Path, program: str, *arguments: str) -> str:
    """What make does in a folder, where Python is a program of the test; what it prints."""
    (place / "requirements").mkdir()
    shutil.copy(repository / "Makefile", place)
    for file in ("requirements/runtime.txt", "requirements/constraints.txt"):
        (place / file).touch()
    (place / ".venv" / "bin").mkdir(parents=True)
    python = place / ".venv" / "bin" / "python"
    python.write_text(f"#!/bin/sh\n{program}\n")
    python.chmod(0o755)
    (place / ".venv" / ".runtime").touch()
    ran = subprocess.run(
        ["make", "--silent", *arguments],
        cwd=place,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("folder", ["my images", "O'Brien", 'the "best"', "a$b $(c) `d`", "ü#%"])
def test_make_takes_any_folder(repository, tmp_path, folder):
    """Make hands it on as it was typed; nothing is found in it, and that is said by its name."""
    place = tmp_path / folder
    place.mkdir()
    said = 'printf "%s|%s" "$NEW_EDITION_NAME" "$NEW_EDITION_DATA"'
    printed = made(repository, tmp_path, said, "new-edition", "NAME=mylab", f"DATA={place}")
    assert printed == f"mylab|{place}"


@pytest.mark.parametrize("profile", [(), ("PROFILE=slurm",)])
def test_a_page_that_is_asked_for_by_name_is_no_configuration(repository, tmp_path, profile):
    """Snakemake takes all that follows --configfile, up to an option, for configurations."""
    asked = ("CONFIG=config/mylab.yaml", "ARGS=results/mylab/brain7.html", *profile)
    words = made(repository, tmp_path, 'echo "$@"', "run", *asked).split()
    assert words[words.index("--configfile") + 1] == "config/mylab.yaml"
    assert words[words.index("--configfile") + 2].startswith("--")
    assert words[-1] == "results/mylab/brain7.html"


def test_the_real_microglia_come_out_right_by_themselves(real_data, root):
    make("mylab", real_data / "brains" / "microglia", root)
    (structure,) = planned(root).structures
    assert structure == "microglia"
    found = rows(root)
    assert len(found) == 10
    assert found["brain6742_0"].specimen == "brain6742"
    assert found["brain6742_0"].mask == "gt/brain6742_0.nii.gz"
    text = (root / "config" / "editions" / "mylab.yaml").read_text()
    assert yaml.safe_load(text)["archives"]["images"]["folder"].endswith("brains/microglia")
