"""Masks of whole volumes: equal to the in-memory sliding window, resumable, shared among jobs."""

from __future__ import annotations

import copy
import errno
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.data.utils import dense_patch_slices

from selma3d.images import SegmentationFile, VolumeFile, write_volume
from selma3d.inference import (
    WindowSettings,
    block_files,
    gather_slabs,
    load_model,
    segment_slab,
    segment_volume,
)
from selma3d.inference.blocks import BlockGrid
from selma3d.inference.cases import binarise
from selma3d.inference.resampling import Resampling
from selma3d.learning.device import Compute
from selma3d.learning.sampling import rescale
from selma3d.learning.windows import window_starts
from selma3d.system.errors import InputError
from small_models import noise, write_model, write_noise
from stand_in_gpu import GPU, stand_in_gpu

THRESHOLD_BAND = 1e-5  # masks are equal where the probability is further from the threshold
BLOCK = 64
SETTINGS = WindowSettings(block=BLOCK, overlap=0.5, batch=16, probability=True)


@pytest.fixture
def model(tmp_path: Path):
    return load_model(write_model(tmp_path / "model.pt", window=(32, 16, 24)), threads=1)


def in_memory(model, volume: Path, overlap: float) -> np.ndarray:
    with VolumeFile(volume) as source:
        image = source.read(0, (slice(None),) * 3)
        return model.probability(image, source.intensity(0), WindowSettings(overlap, batch=3))


def assert_equal_masks(model, expected: np.ndarray, output: Path) -> None:
    with SegmentationFile(output) as found:
        mask, probability = found.mask[()], found.probability[()]
    sure = np.abs(expected - model.threshold) > THRESHOLD_BAND
    np.testing.assert_array_equal(mask[sure], (expected > model.threshold)[sure])
    np.testing.assert_allclose(probability, expected, atol=1e-3)  # stored as float16
    assert 0.05 < mask.mean() < 0.95


@settings(max_examples=30, deadline=None)
@given(st.integers(8, 300), st.integers(16, 64), st.floats(0, 0.9))
def test_window_starts_are_those_of_monai(length: int, window: int, overlap: float) -> None:
    length = max(length, window)
    step = window if length == window else max(1, int(window * (1 - overlap)))
    expected = dense_patch_slices((length, length), (window, window), (step, step), False)
    starts = window_starts(length, window, overlap)
    assert [(a, b) for a in starts for b in starts] == [(a[0], b[0]) for a, b in expected]


@settings(max_examples=30, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 400)] * 3),
    window=st.tuples(*[st.sampled_from([16, 32, 96])] * 3),
    overlap=st.sampled_from([0, 0.25, 0.5, 0.7]),
    slabs=st.integers(1, 3),
)
def test_every_window_belongs_to_one_block_and_is_repeated_only_between_slabs(
    shape, window, overlap, slabs
) -> None:
    computed = []
    for slab in range(slabs):
        grid = BlockGrid.of(shape, window, overlap, BLOCK, slab, slabs)
        for block in grid.blocks(None, 32):
            computed += block.windows
            for start in block.windows:
                assert all(a < r.stop for a, r in zip(start, block.reach, strict=True))
    everything = grid.covering(tuple(slice(0, n) for n in grid.padded))
    assert set(computed) == set(everything)
    if slabs == 1:
        assert len(computed) == len(everything)


@pytest.mark.parametrize(
    ("shape", "overlap"),
    [((100, 130, 70), 0.5), ((140, 64, 65), 0.25), ((70, 70, 70), 0.6), ((20, 90, 10), 0.5)],
)
def test_mask_equals_that_of_the_sliding_window_in_memory_seams_included(
    tmp_path: Path, model, shape, overlap: float
) -> None:
    volume = write_noise(tmp_path, shape)
    settings = WindowSettings(block=BLOCK, overlap=overlap, batch=16, probability=True)
    segment_volume(
        model,
        volume,
        tmp_path / "out.h5",
        work=tmp_path / "work",
        structure="spots",
        settings=settings,
    )
    assert_equal_masks(model, in_memory(model, volume, overlap), tmp_path / "out.h5")
    assert not (tmp_path / "work").exists()


def test_slabs_of_several_jobs_join_to_the_same_mask_in_any_order(tmp_path: Path, model) -> None:
    volume = write_noise(tmp_path, (200, 70, 40))
    files = []
    for slab in (2, 0, 1):
        files.append(tmp_path / f"slab-{slab}.h5")
        segment_slab(
            model, volume, files[-1], work=tmp_path / f"work-{slab}", structure="spots",
            settings=SETTINGS, slab=slab, slabs=3,
        )  # fmt: skip
    gather_slabs(files, tmp_path / "out.h5")
    assert_equal_masks(model, in_memory(model, volume, 0.5), tmp_path / "out.h5")
    with pytest.raises(InputError, match=r"expected slabs 0 to 2, each once, found \[0, 2\]"):
        gather_slabs(files[:2], tmp_path / "out.h5")


def half_air(folder: Path, shape: tuple[int, int, int]) -> Path:
    image = noise(shape)
    image[:, :, shape[2] // 2 :] = 3
    write_volume(folder / "volume.h5", folder / "volume.tsv", image[None], sample="a")
    return folder / "volume.h5"


def test_air_is_skipped_and_tissue_is_segmented_as_if_it_were_not(tmp_path: Path, model) -> None:
    volume = half_air(tmp_path, (100, 70, 256))
    tally = segment_volume(
        model,
        volume,
        tmp_path / "out.h5",
        work=tmp_path / "work",
        structure="spots",
        settings=SETTINGS,
    )
    expected = in_memory(model, volume, 0.5)
    with VolumeFile(volume) as source:
        occupied = source.occupied(0)
    assert occupied[..., :4].all()
    assert not occupied[..., 4:].any()
    expected[:, :, 128:] = 0
    assert_equal_masks(model, expected, tmp_path / "out.h5")
    assert tally.air > 0.4 * (tally.air + tally.windows)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(1, 24)] * 3),
    st.tuples(*[st.sampled_from([0.3333, 0.5, 0.7, 1, 1.6, 3])] * 3),
    st.randoms(use_true_random=False),
)
def test_a_part_of_another_grid_is_that_of_the_whole_image_resampled(shape, factors, random):
    resampling = Resampling.by_factors(shape, factors)
    image = torch.rand((1, 1, *shape), generator=torch.Generator().manual_seed(0))
    for each in (resampling, resampling.back):
        whole = rescale(image, each.target)
        starts = [random.randrange(n) for n in each.target]
        box = tuple(
            slice(a, random.randint(a + 1, n)) for a, n in zip(starts, each.target, strict=True)
        )
        part = each.part(image[(..., *each.needed(box))], box)
        torch.testing.assert_close(part, whole[(..., *box)], atol=1e-5, rtol=0)
        image = whole


@pytest.mark.parametrize("factors", [[1, 0.3333, 0.3333], [1.7, 0.6, 1]])
@pytest.mark.parametrize("slabs", [1, 2])
def test_mask_of_a_model_with_a_grid_of_its_own_is_that_in_memory(
    tmp_path: Path, factors: list[float], slabs: int
) -> None:
    sees = {"window": [24, 16, 24], "inference_window": [24, 16, 24], "normalisation": "asinh"}
    path = write_model(tmp_path / "model.pt", input=sees | {"resample": factors})
    model = load_model(path, threads=1)
    volume = write_noise(tmp_path, (150, 130, 140))
    expected = in_memory(model, volume, SETTINGS.overlap)
    middle = float(np.median(expected))
    model = replace(model, threshold=middle)
    files = [tmp_path / f"slab-{slab}.h5" for slab in range(slabs)]
    for slab, file in enumerate(files):
        segment_slab(
            model, volume, file, work=tmp_path / f"work-{slab}", structure="spots",
            settings=SETTINGS, slab=slab, slabs=slabs,
        )  # fmt: skip
    gather_slabs(files, tmp_path / "out.h5")
    assert_equal_masks(model, expected, tmp_path / "out.h5")


def test_air_is_left_out_on_a_grid_of_the_networks_own_too(tmp_path: Path) -> None:
    sees = {"window": [16, 16, 16], "inference_window": [16, 16, 16], "normalisation": "asinh"}
    path = write_model(tmp_path / "model.pt", input=sees | {"resample": [1, 0.5, 0.5]})
    model, volume = load_model(path, threads=1), half_air(tmp_path, (40, 70, 256))
    tally = segment_volume(
        model,
        volume,
        tmp_path / "out.h5",
        work=tmp_path / "work",
        structure="spots",
        settings=SETTINGS,
    )
    assert tally.air > 0.1 * (tally.air + tally.windows)
    expected = in_memory(model, volume, SETTINGS.overlap)
    with SegmentationFile(tmp_path / "out.h5") as found:
        tissue, far = found.probability[:, :, :128], found.probability[:, :, 194:]
    np.testing.assert_allclose(tissue, expected[:, :, :128], atol=1e-3)
    assert not far.any()


def test_air_is_segmented_too_if_asked(tmp_path: Path, model) -> None:
    volume = half_air(tmp_path, (40, 40, 256))
    settings = WindowSettings(block=BLOCK, batch=16, probability=True, skip_air=False)
    segment_volume(
        model,
        volume,
        tmp_path / "out.h5",
        work=tmp_path / "work",
        structure="spots",
        settings=settings,
    )
    assert_equal_masks(model, in_memory(model, volume, 0.5), tmp_path / "out.h5")


def test_specks_are_dropped_as_in_memory_also_where_blocks_cut_components(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.pt", min_component_voxels=40)
    model, volume = load_model(path, threads=1), write_noise(tmp_path, (70, 90, 130))
    expected = in_memory(model, volume, 0.5)
    model = load_model(
        write_model(tmp_path / "model.pt", min_component_voxels=40,
                    threshold=float(np.quantile(expected, 0.9))),
    )  # fmt: skip
    segment_volume(
        model,
        volume,
        tmp_path / "out.h5",
        work=tmp_path / "work",
        structure="spots",
        settings=SETTINGS,
    )
    kept = binarise(model, expected)
    assert 0 < kept.sum() < (expected > model.threshold).sum()
    with SegmentationFile(tmp_path / "out.h5") as found:
        np.testing.assert_array_equal(found.mask[()], kept)


def test_result_states_voxel_size_structure_and_origin(tmp_path: Path, model) -> None:
    volume = write_noise(tmp_path, (40, 40, 40), voxel_size_um=(6.0, 1.6, 1.5), specimen="b")
    segment_volume(
        model,
        volume,
        tmp_path / "out.h5",
        work=tmp_path / "work",
        structure="spots",
        settings=SETTINGS,
    )
    with SegmentationFile(tmp_path / "out.h5") as found:
        assert found.voxel_size_um == (6.0, 1.6, 1.5)
        assert found.file.attrs["structure"] == "spots"
        assert found.file.attrs["specimen"] == "b"


def test_full_disk_is_named_and_finished_blocks_are_kept(
    tmp_path: Path, model, monkeypatch
) -> None:
    volume = write_noise(tmp_path, (64, 64, 200))
    writing, written = block_files.writing_hdf5, []

    def fill_up(path: Path):
        if len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written.append(path)
        return writing(path)

    arguments = {"work": tmp_path / "work", "structure": "spots", "settings": SETTINGS}
    monkeypatch.setattr(block_files, "writing_hdf5", fill_up)
    with pytest.raises(InputError, match="found a full disk"):
        segment_volume(model, volume, tmp_path / "out.h5", **arguments)
    assert not (tmp_path / "out.h5").exists()
    monkeypatch.undo()
    tally = segment_volume(model, volume, tmp_path / "out.h5", **arguments)
    assert tally.blocks == 2
    assert_equal_masks(model, in_memory(model, volume, 0.5), tmp_path / "out.h5")


def test_blocks_of_other_settings_are_not_continued(tmp_path: Path, model, monkeypatch) -> None:
    volume = write_noise(tmp_path, (64, 64, 130))
    monkeypatch.setattr("selma3d.inference.whole_volume.write_slab", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        segment_slab(
            model,
            volume,
            tmp_path / "a.h5",
            work=tmp_path / "work",
            structure="spots",
            settings=SETTINGS,
        )
    monkeypatch.undo()
    other = WindowSettings(block=BLOCK, overlap=0.25, batch=16, probability=True)
    arguments = {"work": tmp_path / "work", "structure": "spots"}
    assert segment_slab(model, volume, tmp_path / "a.h5", **arguments, settings=other).blocks == 3


def test_bad_input_is_one_clear_line(tmp_path: Path, model) -> None:
    volume = write_noise(tmp_path, (40, 40, 40))
    arguments = {"work": tmp_path / "work", "settings": SETTINGS}

    def fails(message: str, model=model, structure: str = "spots") -> None:
        with pytest.raises(InputError, match=message) as error:
            segment_volume(model, volume, tmp_path / "out.h5", **arguments, structure=structure)
        assert "\n" not in str(error.value)
        assert not (tmp_path / "out.h5").exists()

    fails("expected a model for 'vessel', found one for spots", structure="vessel")
    second = load_model(write_model(tmp_path / "b.pt", structures={"spots": {"channel": 1}}))
    fails("channel: expected 0 to 0, found 1", model=second)
    with h5py.File(volume, "r+") as file:
        image = file["image"][()].astype(np.float32)
        image[0, 3, 3, 3] = np.nan
        del file["image"]
        file["image"] = image
    fails("expected finite intensities, found NaN or infinity in voxels 0:40, 0:40, 0:40")
    with h5py.File(volume, "r+") as file:
        del file["image"]
        file.create_dataset("image", (1, 0, 40, 40), np.uint16)
    fails(r"expected three axes \(Z,Y,X\), none empty, found \(0, 40, 40\)")


def test_truncated_model_is_named(tmp_path: Path) -> None:
    path = write_model(tmp_path / "model.pt")
    whole = path.read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 10):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match="expected a model file, found one that does not load"):
            load_model(path)
    torch.save({"kind": "encoder"}, path)
    with pytest.raises(InputError, match="expected a fine-tuned model"):
        load_model(path)


def test_what_a_block_needs_goes_to_the_gpu_once_and_its_sum_comes_back_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(write_model(tmp_path / "model.pt", window=(32, 16, 24)), threads=1)
    volume, given = write_noise(tmp_path, (70, 60, 80)), WindowSettings(block=64)
    on_cpu = tmp_path / "cpu.h5"
    segment_volume(model, volume, on_cpu, work=tmp_path / "c", structure="spots", settings=given)
    with stand_in_gpu(monkeypatch) as gpu:
        network = copy.deepcopy(model.network).to(GPU)
        there = replace(model, compute=Compute(GPU), network=network)
        gpu.copies.clear()
        segment_volume(
            there, volume, tmp_path / "gpu.h5", work=tmp_path / "g", structure="spots",
            settings=given,
        )  # fmt: skip
    # One block has windows, 168 of them; the weights of a window go there too.
    assert gpu.copies == {"to the GPU": 2, "from the GPU": 1}
    masks = [h5py.File(path)["mask"][:] for path in (on_cpu, tmp_path / "gpu.h5")]
    assert (masks[0] == masks[1]).mean() > 0.9999


def test_waiting_for_the_writer_does_not_count_as_computing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(write_model(tmp_path / "model.pt", window=(32, 32, 32)), threads=1)
    waited, result, now = [0.0], Future.result, time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: now() + waited[0])

    def waiting(future: Future) -> object:
        waited[0] += 1000.0
        return result(future)

    monkeypatch.setattr(Future, "result", waiting)
    tally = segment_volume(
        model, write_noise(tmp_path, (32, 32, 160)), tmp_path / "mask.h5", work=tmp_path / "w",
        structure="spots", settings=WindowSettings(block=64, overlap=0.0),
    )  # fmt: skip
    assert tally.blocks > 1
    assert tally.computing_s < 1000.0 < tally.total_s
