"""Counts and lengths a region are those counted by hand, whatever grid the annotation has."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import tifffile

from selma3d.challenge.config import Regions
from selma3d.inference.regions import RegionSums, read_annotation
from selma3d.inference.vessels import vessel_table
from selma3d.system.errors import InputError

NONE = Regions(
    annotation=None, table=None, voxel_size_um=None, orientation=None, image_orientation=None
)
SHAPE, SIZE = (40, 60, 70), (5.0, 2.0, 2.0)  # of the image: 200 × 120 × 140 µm
NAMES = pd.DataFrame(
    {
        "acronym": ["root", "CTX", "V1", "M1", "TH"],
        "id": [997, 688, 385, 985, 549],
        "name": ["root", "Cortex", "Visual area", "Motor area", "Thalamus"],
        "structure_id_path": ["/997/", "/997/688/", "/997/688/385/", "/997/688/985/", "/997/549/"],
    }
)


def places(number: int = 500) -> pd.DataFrame:
    """Centroids all over the image, in voxels."""
    random = np.random.default_rng(3)
    table = random.uniform(-0.5, np.asarray(SHAPE) - 0.5, (number, 3))
    return pd.DataFrame(table, columns=["z", "y", "x"])


def write_labels(path: Path, size: tuple[float, float, float] = (10.0, 10.0, 10.0)) -> np.ndarray:
    """A coarse label volume of the image's extent, random regions, as NIfTI in micrometres."""
    shape = [round(n * s / e) for n, s, e in zip(SHAPE, SIZE, size, strict=True)]
    labels = np.random.default_rng(0).choice([0, 385, 985, 549], shape).astype(np.int32)
    image = nibabel.Nifti1Image(labels.transpose(2, 1, 0), np.diag([*size[::-1], 1]))
    image.header.set_xyzt_units("micron")
    nibabel.save(image, path)
    return labels


def write_brainreg(folder: Path, orientation: str = "psl", **facts: object) -> np.ndarray:
    """A folder laid out as brainreg's; the labels and hemispheres of the image's own 10 µm grid.

    The image's axes run from posterior, superior and left; brainreg writes asr.
    """
    folder.mkdir()
    labels = np.random.default_rng(1).choice([385, 985, 549], (20, 12, 14)).astype(np.uint32)
    labels[:, 0] = 0
    sides = np.ones(labels.shape, np.uint8)
    sides[:, :, 7:] = 2
    for name, array in (("registered_atlas", labels), ("registered_hemispheres", sides)):
        tifffile.imwrite(folder / f"{name}.tiff", array[::-1, :, ::-1])
    settings = {"orientation": orientation, "voxel_sizes": ["5", "2", "2"], "atlas": "made_up_10um"}
    (folder / "brainreg.json").write_text(json.dumps(settings | facts))
    NAMES.to_csv(folder / "structures.csv", index=False)
    rows = [
        [NAMES.set_index("id").loc[region, "name"], *volumes, sum(volumes)]
        for region in (385, 985, 549)
        for volumes in [[((labels == region) & (sides == s)).sum() * 1e-6 for s in (1, 2)]]
    ]
    columns = ["structure_name", "left_volume_mm3", "right_volume_mm3", "total_volume_mm3"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "volumes.csv", index=False)
    return np.stack([labels, sides])


def by_hand(table: pd.DataFrame, coarse: np.ndarray) -> np.ndarray:
    """The coarse voxel of each centroid, counted in micrometres."""
    um = (table.to_numpy() + 0.5) * SIZE // 10
    return coarse[tuple(um.astype(int).T)]


def row(table: pd.DataFrame, region: int, hemisphere: str = "both") -> pd.Series:
    return table[(table["region"] == region) & (table["hemisphere"] == hemisphere)].iloc[0]


def read(path: Path, given: Regions = NONE, shape=SHAPE, size=SIZE):
    return read_annotation(path, given, shape, size, Path("volume.h5"))


def test_counts_a_region_equal_a_direct_count_on_a_coarser_annotation(tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "atlas.nii")
    NAMES.to_csv(tmp_path / "names.csv", index=False)
    given = NONE.model_copy(update={"table": str(tmp_path / "names.csv")})
    sums = RegionSums(read(tmp_path / "atlas.nii", given))
    objects, expected = sums.add_objects(places()), by_hand(places(), labels)
    assert objects["region"].tolist() == expected.tolist()
    table = sums.table()
    for region in (0, 385, 985, 549):
        found = row(table, region)
        assert found["objects"] == (expected == region).sum()
        assert found["volume_mm3"] == pytest.approx((labels == region).sum() * 1e-6)
        assert found["objects_mm3"] == pytest.approx(found["objects"] / found["volume_mm3"])
    cortex = row(table, 688)
    assert cortex["objects"] == np.isin(expected, [385, 985]).sum()
    assert (cortex["acronym"], cortex["level"]) == ("CTX", 1)
    assert row(table, 997)["objects"] + row(table, 0)["objects"] == 500
    assert set(table["hemisphere"]) == {"both"}


def test_what_brainreg_writes_is_read_with_its_orientation_and_hemispheres(tmp_path: Path) -> None:
    labels, sides = write_brainreg(tmp_path / "brain")
    sums = RegionSums(read(tmp_path / "brain"))
    objects = sums.add_objects(places())
    region, side = by_hand(places(), labels), by_hand(places(), sides)
    assert objects["region"].tolist() == region.tolist()
    assert objects["hemisphere"].tolist() == [["left", "right"][s - 1] for s in side]
    table = sums.table()
    for hemisphere, value in (("left", 1), ("right", 2)):
        found = row(table, 549, hemisphere)
        assert found["objects"] == ((region == 549) & (side == value)).sum()
    assert row(table, 688)["name"] == "Cortex"
    volumes = pd.read_csv(tmp_path / "brain/volumes.csv").set_index("structure_name")
    assert row(table, 549, "left")["volume_mm3"] == pytest.approx(
        volumes.loc["Thalamus", "left_volume_mm3"]
    )


def test_axes_in_another_order_are_found_by_their_letters(tmp_path: Path) -> None:
    labels = np.arange(1, 1 + 20 * 12 * 14).reshape(20, 12, 14)
    tifffile.imwrite(tmp_path / "atlas.tif", labels.transpose(2, 0, 1)[:, ::-1].astype(np.uint32))
    given = NONE.model_copy(
        update={
            "voxel_size_um": (10.0, 10.0, 10.0),
            "image_orientation": "asr",
            "orientation": "rps",
        }
    )
    found = RegionSums(read(tmp_path / "atlas.tif", given)).add_objects(places())
    assert found["region"].tolist() == by_hand(places(), labels).tolist()


def test_lengths_a_region_add_up_to_the_lengths_of_the_blocks(tmp_path: Path) -> None:
    z, y = np.ogrid[:40, :60]
    tube = ((z - 20) ** 2 + (y - 30) ** 2 <= 9).astype(np.uint8)
    mask = np.repeat(tube[:, :, None], 70, axis=2)  # along x
    labels = np.full((20, 12, 14), 385, np.uint32)
    labels[:, :, 7:] = 985
    tifffile.imwrite(tmp_path / "atlas.tif", labels)
    given = NONE.model_copy(update={"voxel_size_um": (10.0, 10.0, 10.0)})
    sums = RegionSums(read(tmp_path / "atlas.tif", given))
    blocks = vessel_table(mask, SIZE, edge=32, halo=8, lengths=sums.add_lengths)
    table = sums.table()
    assert table["length_mm"].sum() == pytest.approx(blocks["length"].sum() / 1000)
    assert row(table, 385)["length_mm"] == pytest.approx(0.07, rel=0.1)
    assert row(table, 985)["length_mm"] == pytest.approx(0.07, rel=0.1)
    assert row(table, 385)["name"] == "385"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"orientation": "spl"}, r"expected the extent of volume.h5, .* found 200 × 120 × 140 µm"),
        ({"atlas": "made_up_25um"}, r"expected the extent of volume.h5"),
        ({"atlas": "made_up"}, r"voxel size: expected one in the file, found none"),
        ({"orientation": "pxl"}, r"image_orientation: expected three letters.*'pxl'"),
    ],
)
def test_an_annotation_that_does_not_fit_is_refused_with_both_sides(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    write_brainreg(tmp_path / "brain", **change)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "brain")


def test_other_faults_of_annotations_are_told_in_one_line(tmp_path: Path) -> None:
    write_brainreg(tmp_path / "brain")
    with pytest.raises(InputError, match=r"volume.h5: voxel_size_um: expected one"):
        read(tmp_path / "brain", size=None)
    with pytest.raises(InputError, match=r"expected the extent of volume.h5, 200 × 120 × 240"):
        read(tmp_path / "brain", shape=(40, 60, 120))
    volumes = pd.read_csv(tmp_path / "brain/volumes.csv")
    volumes["total_volume_mm3"] *= 8
    volumes.to_csv(tmp_path / "brain/volumes.csv", index=False)
    with pytest.raises(InputError, match=r"volumes.csv: total_volume_mm3: expected"):
        read(tmp_path / "brain")
    tifffile.imwrite(tmp_path / "grey.tif", np.full((20, 12, 14), 0.5, np.float32))
    with pytest.raises(InputError, match=r"grey.tif: expected labels, whole numbers"):
        read(tmp_path / "grey.tif")
    (tmp_path / "brain/brainreg.json").unlink()
    with pytest.raises(InputError, match=r"expected a folder that brainreg wrote"):
        read(tmp_path / "brain")
