"""The page of a segmented brain says what its tables say, and warns where they may mislead."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from selma3d.challenge.config import Regions
from selma3d.images import IndexRow, write_index, write_volume
from selma3d.images.hdf5_writing import writing_hdf5
from selma3d.images.storage import stamp, write_array
from selma3d.inference.brain_tables import BrainTables, write_brain_tables
from selma3d.inference.instances import Splitting, write_instances
from selma3d.report.brains.all_brains import Tables, group_means, write_brains
from selma3d.report.brains.facts import LearntFrom, Named, warnings_of
from selma3d.report.brains.numbers import number
from selma3d.report.brains.page import BrainFiles, read_numbers, write_brain_page
from selma3d.report.brains.pictures import Scene, draw_distributions
from selma3d.report.cases.views import round_length
from selma3d.system.atomic import write_table
from selma3d.system.errors import InputError

SHAPE, SIZE = (24, 60, 70), (4.0, 2.0, 2.0)
NAMED = Named("brain-1", "mouse <1>", "treated", "cfos", "unet", "masked-nall-f0-s0", "spot-like")
CELLS = [(12, 15, 15), (12, 15, 24), (12, 40, 50), (0, 40, 20)]  # two that touch, one cut by a face
REGIONS = Regions(
    annotation=None, table=None, voxel_size_um=SIZE, orientation=None, image_orientation=None
)


def brain(folder: Path, size: tuple[float, float, float] | None, named: Named = NAMED) -> Path:
    """Make volume, mask, tables and page of a made-up brain; the page."""
    grid = np.stack(np.indices(SHAPE), -1) * (2, 1, 1)
    near = [((grid - np.multiply(cell, (2, 1, 1))) ** 2).sum(-1) <= 25 for cell in CELLS]
    mask = np.any(near, axis=0).astype(np.uint8)
    grey = np.random.default_rng(0).integers(90, 110, SHAPE) + mask * np.uint16(400)
    path = {name: folder / f"{named.sample}.{name}" for name in ("h5", "labels.h5", "html")}
    volume = folder / f"{named.sample}.volume.h5"
    write_volume(
        volume, volume.with_suffix(".tsv"), grey[None].astype(np.uint16),
        sample=named.sample, voxel_size_um=size,
    )  # fmt: skip
    with writing_hdf5(path["h5"]) as file:
        stamp(file, "segmentation")
        write_array(file, "mask", mask)
        if size is not None:
            file.attrs["voxel_size_um"] = size
    write_instances(path["h5"], path["labels.h5"], Splitting())
    tables = BrainTables(
        *(folder / f"{named.sample}.{name}.tsv" for name in ("objects", "vessels", "regions")),
        folder / f"{named.sample}.density.nii.gz",
    )
    annotation = None
    if size is not None:
        annotation = folder / "annotation.npy"
        labels = np.ones(SHAPE, np.uint16)
        labels[:, 30:] = 2
        np.save(annotation, labels)
    write_brain_tables(
        path["h5"], path["labels.h5"], volume, tables,
        channel=0, density_um=50, annotation=annotation, regions=REGIONS,
    )  # fmt: skip
    history, patches = folder / "history.tsv", folder / "patches.tsv"
    rows = {"step": [1], "seconds": [1.0], "name": ["validation_dice"], "value": [0.71]}
    write_table(pd.DataFrame(rows), history)
    write_index([IndexRow.of("a", "mouse 9", (1, 9, 9, 9), SIZE, [], 0.03, "hash")], patches)
    exported = (folder / "export" / f"{named.sample}.ome.zarr",)
    files = BrainFiles(
        volume, path["h5"], path["labels.h5"], tables.objects, tables.vessels, tables.regions,
        tables.density, history, (patches,), exported,
    )  # fmt: skip
    summary = folder / f"{named.sample}.summary.tsv"
    write_brain_page(files, named, 0, {"overlap": 0.25}, path["html"], summary)
    return path["html"]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return brain(tmp_path_factory.mktemp("brain"), SIZE)


def test_a_page_tells_counts_model_settings_and_regions(page: Path) -> None:
    text = page.read_text()
    assert "4 objects in 3 connected components; 1 of them touch a face" in text
    objects = pd.read_csv(page.with_name("brain-1.objects.tsv"), sep="\t")
    assert objects["region"].tolist() == [2, 1, 1, 2]
    assert objects["border"].tolist() == [1, 0, 0, 0]
    assert f"median object has {number(np.median(objects['volume_um3']))} µm³" in text
    voxels = np.prod(SHAPE) * np.prod(SIZE)
    assert f"{number(4 / voxels * 1e9)} objects a mm³ of" in text
    for said in ("masked-nall-f0-s0", "0.71", "watershed, depth 1", "4 × 2 × 2 µm", "0.25"):
        assert said in text
    assert text.count("Objects a mm³</th>") == 2, "in the numbers and in the table of regions"
    assert "mouse &lt;1&gt;" in text


def test_a_page_needs_nothing_but_itself_and_links_what_lies_beside_it(page: Path) -> None:
    text = page.read_text()
    assert text.count("data:image/png;base64,") == 3
    assert "<script" not in text
    links = re.findall(r'(?:href|src)="([^"#]+)"', text)
    assert all(link.startswith(("brain-1", "export/", "data:")) for link in links)
    assert "brain-1.objects.tsv" in links
    assert "export/brain-1.ome.zarr" in links


def test_an_unknown_voxel_size_leaves_voxels_and_a_warning(tmp_path: Path) -> None:
    text = brain(tmp_path, None).read_text()
    assert "The voxel size is unknown" in text
    assert re.search(r"the median object has \d+ voxels", text)
    summary = pd.read_csv(tmp_path / "brain-1.summary.tsv", sep="\t").iloc[0]
    assert np.isnan(summary["objects_mm3"])
    assert summary["components"] == 3


def test_all_brains_stand_in_one_table_with_means_by_group(page: Path, tmp_path: Path) -> None:
    folder = page.parent
    row = read_numbers(folder / "brain-1.summary.tsv")
    row = row.assign(sample="brain-2", specimen="mouse 2", group="control", objects=6)
    write_table(row, folder / "brain-2.summary.tsv")
    shutil.copy(folder / "brain-1.regions.tsv", folder / "brain-2.regions.tsv")
    outputs = Tables(*(folder.parent / f"brains{e}" for e in (".tsv", ".g.tsv", ".r.tsv", ".html")))
    names = ("brain-1", "brain-2")
    write_brains(
        [folder / f"{name}.summary.tsv" for name in names],
        [folder / f"{name}.regions.tsv" for name in names],
        "A lab",
        outputs,
    )
    text = outputs.page.read_text()
    assert f'href="{folder.name}/brain-2.html"' in text
    assert "No test is made" in text
    groups = pd.read_csv(outputs.groups, sep="\t")
    assert groups[["group", "brains", "objects_mean"]].values.tolist() == [
        ["treated", 1, 4.0],
        ["control", 1, 6.0],
    ]
    regions = pd.read_csv(outputs.regions, sep="\t")
    assert regions.groupby("sample")["objects"].sum().tolist() == [4, 4]


def test_a_specimen_of_two_volumes_counts_once_in_its_group() -> None:
    brains = pd.DataFrame(
        {
            "sample": ["a", "b", "c"],
            "specimen": ["m1", "m1", "m2"],
            "group": "g",
            "structure": "cfos",
            "objects": [10, 30, 50],
            **dict.fromkeys(
                ["objects_mm3", "median_volume_um3", "foreground_share", "length_mm_mm3"], 1.0
            ),
        }
    )
    found = group_means(brains).iloc[0]
    assert (found["brains"], found["objects_mean"]) == (2, 35.0)


TRAINING = LearntFrom(((4.0, 2.0, 2.0),), (0.01, 0.03), frozenset({"mouse 9"}))
FINE = {"voxel_size_um": "4,2,2", "foreground_share": 0.005}
OBJECTS = pd.DataFrame({"voxels": [20] * 10, "border": [0] * 10})


@pytest.mark.parametrize(
    ("summary", "objects", "message"),
    [
        ({"voxel_size_um": "4,4,4"}, {}, "4 × 4 × 4 µm, is not that of training, 4 × 2 × 2 µm"),
        ({"voxel_size_um": "unknown"}, {}, "unknown: .* trained on voxels of 4 × 2 × 2 µm"),
        ({"foreground_share": 0.2}, {}, "20.00% of the volume, more than of any training patch"),
        ({"foreground_share": 1e-6}, {}, "no more than 1e-06 of the volume"),
        ({"foreground_share": 0.0}, {}, "Nothing was segmented"),
        ({}, {"voxels": [1] * 5 + [20] * 5}, "50% of the objects have 2 voxels or fewer"),
        ({}, {"border": [1] * 4 + [0] * 6}, "40% of the objects are cut by a face"),
        ({}, {"voxels": [9000] + [20] * 9}, "One object holds 98% of the mask"),
    ],
)
def test_what_may_mislead_is_said(summary, objects, message: str) -> None:
    found = warnings_of(FINE | summary, NAMED, TRAINING, OBJECTS.assign(**objects), 0)
    assert len(found) == 1
    assert re.search(message, found[0])


def test_a_brain_like_those_of_training_has_no_warning_unless_it_was_trained_on() -> None:
    assert warnings_of(FINE, NAMED, TRAINING, OBJECTS, 0) == []
    trained = replace(NAMED, specimen="mouse 9")
    assert "was also trained on" in warnings_of(FINE, trained, TRAINING, OBJECTS, 0)[0]
    assert "2 components too large" in warnings_of(FINE, NAMED, TRAINING, OBJECTS, 2)[0]


@pytest.mark.parametrize(("width", "bar"), [(320, 100), (59, 10), (61, 20), (1.5, 0.5)])
def test_a_scale_bar_is_a_round_number_of_at_most_a_third(width: float, bar: float) -> None:
    assert round_length(width / 3) == pytest.approx(bar)


def test_objects_of_one_size_are_a_bar_that_can_be_seen() -> None:
    volume = SimpleNamespace(shape=(20, 8, 8), voxel_size_um=None)
    objects = pd.DataFrame({"voxels": [79] * 20, "z": range(20)})
    sizes = draw_distributions(Scene(volume, 0, None, objects)).axes[0]
    (bar,) = [bar for bar in sizes.patches if bar.get_height()]
    assert bar.get_height() == 20
    left, right = np.log(sizes.get_xlim())
    width = np.log(bar.get_x() + bar.get_width()) - np.log(bar.get_x())
    assert width / (right - left) > 0.01


def test_a_table_that_is_none_is_told_in_one_line(tmp_path: Path) -> None:
    empty = tmp_path / "objects.tsv"
    empty.write_text("")
    with pytest.raises(
        InputError, match=r"objects\.tsv: expected a tab-separated table, found: No"
    ):
        read_numbers(empty)
