"""Probabilities of test cases: MONAI's sliding window, mirror images, small images, other grids."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.inferers import sliding_window_inference

from selma3d.images import Intensity, PatchWriter, PredictionFile, write_volume
from selma3d.inference import (
    TrainedModel,
    WindowSettings,
    load_model,
    predict_cases,
    segment_volume,
)
from selma3d.inference import model as models
from selma3d.inference.cases import binarise
from selma3d.learning.device import Compute
from selma3d.learning.windows import slide
from selma3d.system.errors import GpuMemoryError, InputError
from small_models import noise, write_model
from stand_in_gpu import GPU, stand_in_gpu

WINDOW = (16, 12, 8)


@pytest.fixture
def model(tmp_path: Path) -> TrainedModel:
    return load_model(write_model(tmp_path / "model.pt", window=WINDOW), threads=1)


def probability(model: TrainedModel, image: np.ndarray, **settings) -> np.ndarray:
    return model.probability(image, Intensity.of(image), WindowSettings(**settings))


@pytest.mark.parametrize("overlap", [0, 0.25, 0.5, 0.7])
def test_probability_is_that_of_monais_sliding_window(model: TrainedModel, overlap: float) -> None:
    image = noise((20, 31, 18))
    with torch.no_grad():
        expected = sliding_window_inference(
            model.normalised(image, Intensity.of(image)),
            WINDOW,
            1,
            lambda windows: torch.sigmoid(model.network(windows)),
            overlap=overlap,
            mode="gaussian",
        )
    found = probability(model, image, overlap=overlap)
    np.testing.assert_allclose(found, expected[0, 0], atol=1e-6)
    assert found.dtype == np.float32


def test_the_number_of_windows_at_a_time_changes_nothing(model: TrainedModel) -> None:
    image = noise((20, 31, 18))
    one, many = (probability(model, image, batch=batch) for batch in (1, 7))
    np.testing.assert_allclose(one, many, atol=1e-6)


def test_flips_average_over_the_eight_mirror_images(model: TrainedModel) -> None:
    image = noise((18, 20, 16))
    mirrors = [axes for n in range(4) for axes in combinations(range(3), n)]
    each = [np.flip(probability(model, np.flip(image, axes).copy()), axes) for axes in mirrors]
    found = probability(model, image, flips=True)
    np.testing.assert_allclose(found, np.mean(each, axis=0), atol=1e-6)
    assert np.abs(found - each[0]).max() > 1e-3
    mirrored = probability(model, np.flip(image, 2).copy(), flips=True)
    np.testing.assert_allclose(mirrored, np.flip(found, 2), atol=1e-6)


@pytest.mark.parametrize("shape", [(5, 30, 30), (20, 7, 3), (1, 1, 9), (2, 12, 8)])
def test_small_images_are_reflected_to_the_window_and_cropped_back(
    model: TrainedModel, shape: tuple[int, int, int]
) -> None:
    image = noise((20, 31, 18))[tuple(slice(n) for n in shape)]
    pad = [(0, max(0, w - n)) for n, w in zip(image.shape, WINDOW, strict=True)]
    constants = Intensity.of(image)
    expected = model.probability(np.pad(image, pad, mode="reflect"), constants)
    found = model.probability(image, constants)
    assert found.shape == image.shape
    np.testing.assert_allclose(found, expected[tuple(slice(n) for n in image.shape)], atol=1e-6)


class Brightness(torch.nn.Module):
    """A network that calls bright voxels foreground."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return 4 * (image - image.mean())


@pytest.mark.parametrize("resample", [(1, 0.5, 0.5), (2, 1, 1), (0.6, 0.7, 1.3)])
def test_a_model_of_another_grid_answers_on_the_images_own(model: TrainedModel, resample) -> None:
    image = np.full((24, 40, 36), 100, np.uint16)
    image[6:18, 10:24, 8:20] = 900
    other = replace(model, network=Brightness(), resample=resample)
    found = probability(other, image)
    assert found.shape == image.shape
    bright = image > 500
    overlap = 2 * np.count_nonzero(bright & (found > 0.5)) / (bright.sum() + (found > 0.5).sum())
    assert overlap > 0.85


def test_components_below_the_models_size_are_dropped(model: TrainedModel) -> None:
    likelihood = np.zeros((9, 9, 9), np.float32)
    likelihood[1, 1, 1:4] = 0.9
    likelihood[5:7, 5:7, 5] = likelihood[7, 7, 6] = 0.9  # five voxels, one of them by a corner
    kept = binarise(replace(model, min_component_voxels=5), likelihood)
    assert kept.sum() == 5
    assert kept[7, 7, 6]
    assert not kept[1, 1].any()


def test_predictions_hold_masks_and_on_request_probabilities(
    tmp_path: Path, model: TrainedModel
) -> None:
    with PatchWriter(tmp_path / "cases.h5", tmp_path / "cases.tsv", "cases") as writer:
        writer.add("001", noise((20, 24, 10))[None], None)
    names = {"structure": "spots", "method": "unet", "run": "scratch-nall-f0-s0"}
    predict_cases(
        model,
        tmp_path / "cases.h5",
        tmp_path / "a.h5",
        settings=WindowSettings(probability=True),
        **names,
    )
    predict_cases(model, tmp_path / "cases.h5", tmp_path / "b.h5", **names)
    expected = probability(model, noise((20, 24, 10)))
    a, b = PredictionFile(tmp_path / "a.h5"), PredictionFile(tmp_path / "b.h5")
    np.testing.assert_array_equal(a.mask("001"), binarise(model, expected))
    np.testing.assert_array_equal(a.mask("001"), b.mask("001"))
    np.testing.assert_allclose(a.probability("001"), expected, atol=1e-3)
    assert b.probability("001") is None


def test_images_that_cannot_be_segmented_are_named(tmp_path: Path, model: TrainedModel) -> None:
    image = noise((20, 24, 10)).astype(np.float32)
    constants = Intensity.of(image)
    for bad, message in [
        (np.where(image == image.max(), np.nan, image), "found NaN or infinity"),
        (image[:0], r"none empty, found \(0, 24, 10\)"),
        (image[0], r"expected three axes \(Z,Y,X\)"),
    ]:
        with pytest.raises(InputError, match=message):
            model.probability(bad, constants)
    with PatchWriter(tmp_path / "cases.h5", tmp_path / "cases.tsv", "cases") as writer:
        writer.add("001", noise((20, 24, 10))[None], None)
    second = load_model(write_model(tmp_path / "b.pt", structures={"spots": {"channel": 1}}))
    names = {"method": "unet", "run": "scratch-nall-f0-s0"}
    for chosen, structure, message in [
        (model, "vessel", "expected a model for 'vessel', found one for spots"),
        (second, "spots", "channel: expected 0 to 0, found 1"),
    ]:
        with pytest.raises(InputError, match=message):
            predict_cases(
                chosen, tmp_path / "cases.h5", tmp_path / "out.h5", structure=structure, **names
            )
        assert not (tmp_path / "out.h5").exists()


def test_windows_are_predicted_as_many_at_a_time_as_there_is_memory_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = load_model(write_model(tmp_path / "small.pt", window=WINDOW), threads=1)
    windows = torch.randn(5, 1, *WINDOW)
    expected = model.probability_of_windows(windows)
    forward, room, tried = model.network.forward, 2, []

    def limited(images: torch.Tensor) -> torch.Tensor:
        tried.append(len(images))
        if len(images) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(images)

    monkeypatch.setattr(model.network, "forward", limited)
    torch.testing.assert_close(model.probability_of_windows(windows), expected)
    assert tried == [5, 2, 2, 1]
    assert "with 5 windows of" in caplog.text
    assert "at a time: 2 from here on" in caplog.text
    tried.clear()
    model.probability_of_windows(windows)  # which knows by now
    assert tried == [2, 2, 1]
    room = 0
    with pytest.raises(GpuMemoryError, match="GPU out of memory: one window of"):
        model.probability_of_windows(windows)


@pytest.mark.parametrize(
    ("whole", "cure"), [(True, "a smaller segment.block"), (False, "resources.jobs_per_gpu: 1")]
)
def test_too_little_memory_for_an_image_or_a_block_is_one_line_as_well(
    whole: bool, cure: str, tmp_path: Path, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not only for windows, of which fewer at a time may do."""

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    image = np.random.default_rng(0).integers(0, 100, (24, 24, 24), dtype=np.uint16)
    monkeypatch.setattr(Compute, "sent", full)
    monkeypatch.setattr(models, "slide", full)
    with pytest.raises(GpuMemoryError, match=f"GPU out of memory: .*{cure}") as told:
        if whole:
            volume = tmp_path / "volume.h5"
            write_volume(volume, tmp_path / "volume.tsv", image[None], sample="a", specimen="A")
            given = {"work": tmp_path / "work", "structure": "spots"}
            segment_volume(model, volume, tmp_path / "mask.h5", **given)
        else:
            model.probability(image, Intensity.of(image))
    assert "\n" not in str(told.value)


def test_a_prediction_that_is_no_number_is_an_error_and_no_empty_mask(
    model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a half precision has not the range of the network's values."""
    forward = model.network.forward
    monkeypatch.setattr(model.network, "forward", lambda images: forward(images) * torch.nan)
    with pytest.raises(InputError, match="expected finite predictions at fp32, found NaN"):
        probability(model, noise((20, 31, 18)))


@pytest.mark.parametrize(("held_back", "at_once"), [(0, False), (10_000_000, True)])
def test_an_image_is_blended_on_the_gpu_in_memory_that_torch_holds_back_too(
    held_back: int, at_once: bool, model: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a training torch holds back nearly all of it, and the driver calls little free."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 10_000_000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: held_back)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 0)
    image = torch.zeros(1, 1, 16, 12, 16)
    with stand_in_gpu(monkeypatch) as gpu:
        blended = slide(image, WINDOW, torch.sigmoid, overlap=0.0, batch=1, device=GPU)
    assert (gpu.copies["from the GPU"] == 1) is at_once
    assert torch.allclose(blended, torch.full_like(image, 0.5))
