"""Stacks hold the chosen cases in full or thinned out, and pictures inside pages are WebP."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from PIL import Image

from selma3d.challenge.display import Display
from selma3d.export.chosen_cases import export_chosen_cases
from selma3d.export.reduced_volume import export_reduced_volume
from selma3d.images import PatchWriter, PredictionWriter, write_volume
from selma3d.images.hdf5_writing import writing_hdf5
from selma3d.images.storage import stamp, write_array
from selma3d.report.cases.stacks import write_stacks
from selma3d.report.cases.whole_volumes import LARGEST, reduced, write_volume_stack
from selma3d.report.data_urls import data_url
from selma3d.report.shown import ShownCases, ShownVolume
from selma3d.report.viewer import Stacks, read_volume
from selma3d.system.errors import InputError


def pixels(url: str) -> np.ndarray:
    assert url.startswith("data:image/webp;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("L"))


def stacks_of(folder: Path, mask: np.ndarray, truth: bool = True) -> dict[str, object]:
    """The only case of a structure that one of two entrants has segmented, without a fault."""
    cases, predictions = folder / "cases.h5", {}
    with PatchWriter(cases, folder / "cases.tsv", "cases") as writer:
        image = (mask.astype(np.uint16) * 1000)[None]
        writer.add("a", image, mask if truth else None, "brain", (4.0, 2.0, 2.0))
    for method, added in (("unet", ["a"]), ("threshold", [])):
        predictions[method, "scratch"] = folder / f"{method}.h5"
        with PredictionWriter(predictions[method, "scratch"], method, "cfos", "r") as writer:
            for case in added:
                writer.add(case, mask)
    scores = pd.DataFrame(
        {
            "method": ["unet", "threshold"],
            "init": "scratch",
            "budget": "all",
            "structure": "cfos",
            "case": "a",
            "metric_profile": "selma2024",
            "metric": "dice",
            "value": [1.0, 0.0],
            "doubtful": False,
        }
    )
    shown = ShownCases("cfos", cases, 0, predictions)
    path = folder / "per-type" / "viewer-cfos.json"
    path.parent.mkdir()
    leaderboard = pd.DataFrame({"method": ["threshold", "unet"], "init": "scratch"})
    tables = {"cases": scores, "leaderboard": leaderboard}
    write_stacks(shown, tables, path)
    export_chosen_cases(shown, tables, Display(colours={"unet": "#0072b2"}), folder / "export")
    assert Stacks.read(path).track == "per-type"
    (case,) = json.loads(path.read_text())["cases"]
    return case


def test_a_small_case_is_packed_voxel_by_voxel(tmp_path: Path) -> None:
    mask = (np.random.default_rng(0).random((5, 9, 12)) > 0.7).astype(np.uint8)
    case = stacks_of(tmp_path, mask)
    assert case["shape"] == [5, 9, 12]
    assert case["voxel_um"] == [4.0, 2.0, 2.0]
    assert (pixels(case["truth"]).reshape(5, 9, 12) == 255 * mask).all()
    absent, there = case["masks"]
    assert (absent["entrant"][0], absent["score"], absent["strip"]) == (
        *("threshold", "no prediction"),
        None,
    )
    assert there["strip"] == case["truth"]
    assert case["tiles"]["bar"] == "5 µm"
    assert min(case["tiles"]["sides"]) >= 150


def test_a_case_opens_elsewhere_with_its_truth_and_the_masks_that_there_are(tmp_path: Path) -> None:
    mask = (np.random.default_rng(0).random((5, 9, 12)) > 0.7).astype(np.uint8)
    stacks_of(tmp_path, mask)
    (path,) = (tmp_path / "export").iterdir()
    assert path.name == "a.ome.zarr"
    found = {node.zarr.basename(): node for node in Reader(parse_url(path))()}
    assert set(found) == {"a.ome.zarr", "labels", "truth", "unet-scratch"}
    assert (np.asarray(found["a.ome.zarr"].data[0]) // 1000 == mask).all()
    for name in ("truth", "unet-scratch"):
        assert (np.asarray(found[name].data[0]) == mask).all()
        scale = found[name].metadata["coordinateTransformations"][0][0]["scale"]
        assert scale == [4.0, 2.0, 2.0]
    assert found["a.ome.zarr"].metadata["contrast_limits"] == [[0.0, 1000.0]]
    assert found["unet-scratch"].metadata["color"][1] == pytest.approx([0, 114 / 255, 178 / 255, 1])


def test_a_volume_is_reduced_block_by_block_as_if_at_once() -> None:
    values = np.random.default_rng(0).random((7, 301, 5)).astype(np.float32)
    small = reduced(lambda box: values[box], values.shape, (2, 3, 3), brightest=True)
    assert small.shape == (4, 101, 2)
    block = values[2:4, 288:291, :3]
    assert small[1, 96, 0] == pytest.approx(block.mean(axis=(1, 2)).max())
    assert small[3, 100, 1] == pytest.approx(values[6, 300, 3:].mean())
    share = reduced(lambda box: values[box], values.shape, (2, 3, 3), brightest=False)
    assert share[1, 96, 0] == pytest.approx(block.mean())


def volume_with_mask(folder: Path, mask: np.ndarray) -> ShownVolume:
    """A volume whose mask has the shape that is wanted, made by one entrant."""
    shape = (3, 4, 2 * LARGEST[2])
    image = np.arange(np.prod(shape), dtype=np.uint16).reshape(1, *shape)
    size = (4.0, 2.0, 2.0)
    write_volume(folder / "v.h5", folder / "v.tsv", image, sample="v", voxel_size_um=size)
    with writing_hdf5(folder / "mask.h5") as file:
        stamp(file, "segmentation")
        write_array(file, "mask", mask)
    return ShownVolume("cfos", "v", folder / "v.h5", 0, {("unet", "masked"): folder / "mask.h5"})


def test_a_mask_over_a_volume_is_the_fainter_the_less_it_covers(tmp_path: Path) -> None:
    mask = np.zeros((3, 4, 2 * LARGEST[2]), np.uint8)
    mask[:, :2, :2] = mask[0, 2, 2] = 1
    shown = volume_with_mask(tmp_path, mask)
    write_volume_stack(ShownVolume.read(json.loads(json.dumps(shown.plain()))), tmp_path / "s.json")
    stack = read_volume(tmp_path / "s.json")
    assert (stack["steps"], stack["shape"]) == ([1, 2, 2], [3, 2, LARGEST[2]])
    assert stack["voxel_um"] == [4.0, 4.0, 4.0]
    strip = pixels(stack["masks"][0]["strip"]).reshape(3, 2, LARGEST[2])
    assert (strip[0, 0, 0], strip[0, 1, 1], strip[1, 1, 1]) == (255, 160, 0)
    assert np.count_nonzero(strip) == 4


def test_the_reduced_image_of_a_volume_lies_where_its_masks_do(tmp_path: Path) -> None:
    shown = volume_with_mask(tmp_path, np.zeros((3, 4, 2 * LARGEST[2]), np.uint8))
    export_reduced_volume(shown, tmp_path / "v.ome.zarr")
    (node,) = Reader(parse_url(tmp_path / "v.ome.zarr"))()
    image = np.asarray(node.data[0])
    assert (image.shape, image.dtype) == ((3, 2, LARGEST[2]), np.uint16)
    assert image[0, 0, 0] == round(np.mean([0, 1, 320, 321]))
    scale, translation = node.metadata["coordinateTransformations"][0]
    assert scale["scale"] == [4.0, 4.0, 4.0]
    assert translation["translation"] == [0.0, 1.0, 1.0], "the middle of the voxels it stands for"


def test_a_mask_of_another_volume_is_refused(tmp_path: Path) -> None:
    shown = volume_with_mask(tmp_path, np.zeros((3, 4, 5), np.uint8))
    with pytest.raises(InputError, match=r"mask.h5: expected a mask of \(3, 4, 320\) voxels"):
        write_volume_stack(shown, tmp_path / "s.json")


def test_a_large_case_is_thinned_out_and_keeps_its_proportions(tmp_path: Path) -> None:
    mask = np.zeros((70, 40, 300), np.uint8)
    mask[::2, ::3, ::3] = 1
    case = stacks_of(tmp_path, mask)
    assert (case["steps"], case["shape"]) == ([2, 3, 3], [35, 14, 100])
    assert case["voxel_um"] == [8.0, 6.0, 6.0]
    assert pixels(case["truth"]).min() == 255
    assert pixels(case["image"]).shape == (35 * 14, 100)


def test_a_case_without_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cases.h5: a: expected a mask"):
        stacks_of(tmp_path, np.ones((3, 4, 4), np.uint8), truth=False)


def test_photographs_inside_a_plot_become_webp_and_its_letters_stay(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "PNG")
    png = base64.b64encode(stream.getvalue()).decode()
    (tmp_path / "noise.png").write_bytes(stream.getvalue())
    (tmp_path / "plot.svg").write_text(
        f'<svg width="72pt" height="36pt"><text>50 % & "more" #1</text>'
        f'<image xlink:href="data:image/png;base64,{png}"/></svg>'
    )
    url = data_url(tmp_path / "plot.svg")
    assert '"' not in url
    svg = unquote(url.partition(",")[2])
    assert '<text>50 % & "more" #1</text>' in svg
    assert "data:image/webp;base64," in svg
    assert len(url) < len(png)
    assert data_url(tmp_path / "noise.png").startswith("data:image/webp;base64,")


def test_what_is_no_picture_stays_as_it_is(tmp_path: Path) -> None:
    broken = base64.b64encode(b"\x89PNG" + bytes(3000)).decode()
    (tmp_path / "plot.svg").write_text(f'<svg><image href="data:image/png;base64,{broken}"/></svg>')
    assert broken in unquote(data_url(tmp_path / "plot.svg"))
