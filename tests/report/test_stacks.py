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
from PIL import Image

from selma3d.images import PatchWriter, PredictionWriter
from selma3d.report.cases.shown_cases import ShownCases
from selma3d.report.cases.stacks import write_stacks
from selma3d.report.data_urls import data_url
from selma3d.report.viewer import Stacks
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
    write_stacks(shown, {"cases": scores, "leaderboard": leaderboard}, path)
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
