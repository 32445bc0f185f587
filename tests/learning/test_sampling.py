"""Claims about samplers and normalisation."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from selma3d.challenge.checking import check
from selma3d.challenge.recipe import Input, Normalisation
from selma3d.images import Intensity, PatchFile, PatchWriter, write_volume
from selma3d.learning.sampling import (
    NOT_ANNOTATED,
    LabelledSampler,
    UnlabelledSampler,
    VolumeSource,
    annotated_box,
    block_chances,
    collate,
    intensity_vector,
    normalise,
    prepare,
    read_window,
    rescale,
    source_window,
)
from selma3d.system.errors import InputError

WINDOW = (16, 16, 16)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """Half of it air, with one bright block in the tissue."""
    random = np.random.default_rng(0)
    image = random.normal(100, 5, (64, 64, 128))
    image[..., 64:] += 400
    image[32:, 32:, 96:] += 2000
    path = tmp_path / "volume.h5"
    write_volume(path, path.with_suffix(".tsv"), image[None].astype(np.uint16), sample="a")
    return path


@pytest.fixture
def patches(tmp_path: Path) -> PatchFile:
    """`dense` and `sparse` have foreground, `empty` has none, `flat` is thinner than a window."""
    random = np.random.default_rng(0)
    path = tmp_path / "patches.h5"
    with PatchWriter(path, path.with_suffix(".tsv"), "patches") as writer:
        for name, shape in [("dense", (40, 40, 40)), ("sparse", (40, 40, 40)),
                            ("empty", (40, 40, 40)), ("flat", (10, 40, 40))]:  # fmt: skip
            mask = np.zeros(shape, dtype=np.uint8)
            if name == "dense":
                mask[:, 20:] = 1
            if name in ("sparse", "flat"):
                mask[5, 5, 5] = 1
            image = random.normal(100, 5, shape) + 100 * mask
            writer.add(name, np.stack([image, image + 1000]).astype(np.uint16), mask)
    return PatchFile(path)


def unlabelled(volume: Path, **changes: object) -> UnlabelledSampler:
    source = VolumeSource(volume, channel=0)
    return UnlabelledSampler(**({"sources": [source], "window": WINDOW, "seed": 0} | changes))


def labelled(patches: PatchFile, *names: str, **changes: object) -> LabelledSampler:
    drawn = {"spots": [(patches, name, 0) for name in names]}
    return LabelledSampler(**({"patches": drawn, "window": WINDOW, "seed": 0} | changes))


def same(first: dict, second: dict) -> bool:
    return all(np.array_equal(first[name], second[name]) for name in first)


def test_sample_is_a_function_of_seed_and_index(volume: Path, patches: PatchFile) -> None:
    for make in (lambda: unlabelled(volume), lambda: labelled(patches, "dense", "sparse")):
        first, second = make(), make()
        forwards = [first.sample(index) for index in range(6)]
        backwards = [second.sample(index) for index in reversed(range(6))][::-1]
        assert all(same(a, b) for a, b in zip(forwards, backwards, strict=True))
        assert not same(forwards[0], forwards[1])


def test_other_seed_draws_other_samples(volume: Path) -> None:
    assert not same(unlabelled(volume).sample(0), unlabelled(volume, seed=1).sample(0))


def test_batch_holds_raw_voxels_in_their_type(patches: PatchFile) -> None:
    batch = collate(labelled(patches, "dense"), [4, 9])
    assert batch["image"].shape == batch["mask"].shape == (2, 1, *WINDOW)
    assert batch["image"].dtype == torch.uint16
    assert batch["mask"].dtype == torch.uint8
    assert batch["index"].tolist() == [4, 9]


def test_windows_are_centred_on_tissue(volume: Path) -> None:
    sampler = unlabelled(volume, brightness_bias=0.0)
    centres = [sampler._volume(0).draw_centre(np.random.default_rng(i)) for i in range(200)]
    assert min(x for _, _, x in centres) >= 64
    assert all(0 <= c < n for centre in centres for c, n in zip(centre, (64, 64, 128), strict=True))


def test_bright_blocks_are_drawn_more_often_with_brightness_bias(volume: Path) -> None:
    def bright_share(bias: float) -> float:
        sampler = unlabelled(volume, brightness_bias=bias)
        return np.mean([sampler.sample(index)["image"].mean() > 1500 for index in range(60)])

    assert bright_share(0.9) > bright_share(0.0) + 0.2


def test_chances_are_zero_in_air_and_sum_to_one() -> None:
    brightness = np.array([1.0, 5.0, 6.0, 50.0])
    chances = block_chances(brightness, np.array([False, True, True, True]), bias=0.5)
    assert chances[0] == 0
    assert chances.sum() == pytest.approx(1)
    assert chances[3] > chances[2] >= chances[1] > 0


def test_volume_of_air_alone_is_still_drawn_from() -> None:
    assert block_chances(np.ones(4), np.zeros(4, dtype=bool), bias=0.5).sum() == pytest.approx(1)


def test_volumes_are_drawn_alike(tmp_path: Path) -> None:
    sources = []
    for value in (10, 20):
        path = tmp_path / f"{value}.h5"
        image = np.full((1, 32, 32, 32), value, dtype=np.uint8)
        write_volume(path, path.with_suffix(".tsv"), image, sample=str(value))
        sources.append(VolumeSource(path, channel=0))
    sampler = UnlabelledSampler(sources, WINDOW, seed=0)
    drawn = [sampler.sample(index)["image"].flat[0] for index in range(400)]
    assert drawn.count(10) / 400 == pytest.approx(0.5, abs=0.07)


def test_no_volumes_are_refused() -> None:
    with pytest.raises(InputError, match="at least one"):
        UnlabelledSampler([], WINDOW, seed=0)


def test_one_channel_is_drawn(patches: PatchFile) -> None:
    sampler = LabelledSampler({"spots": [(patches, "dense", 1)]}, WINDOW, seed=0)
    assert sampler.sample(0)["image"].min() > 1000


def test_foreground_share_of_the_windows_holds_foreground(patches: PatchFile) -> None:
    def share(foreground: float) -> float:
        sampler = labelled(patches, "sparse", foreground=foreground)
        return np.mean([sampler.sample(index)["mask"].any() for index in range(100)])

    assert share(1.0) == 1.0
    assert share(0.0) < 0.4
    assert 0.4 < share(0.6) < 0.85


def test_patch_without_foreground_still_gives_windows(patches: PatchFile) -> None:
    assert not labelled(patches, "empty", foreground=1.0).sample(0)["mask"].any()


def test_image_and_mask_of_a_sample_are_the_same_place(patches: PatchFile) -> None:
    for index in range(20):
        sample = labelled(patches, "dense").sample(index)
        assert np.array_equal(sample["image"] > 150, sample["mask"] == 1)


def test_patch_thinner_than_the_window_is_reflected(patches: PatchFile) -> None:
    sample = labelled(patches, "flat").sample(0)
    assert sample["image"].shape == WINDOW
    assert np.array_equal(sample["image"][3 - 1], sample["image"][3 + 1])


def test_patches_beyond_the_cache_give_the_same_samples(patches: PatchFile) -> None:
    cached, uncached = (labelled(patches, "dense", "sparse", cache_bytes=n) for n in (2**30, 0))
    assert all(same(cached.sample(index), uncached.sample(index)) for index in range(5))
    assert not uncached._cached


def test_structures_are_drawn_alike_whatever_their_number_of_patches(patches: PatchFile) -> None:
    sampler = LabelledSampler(
        {"a": [(patches, "dense", 0)] * 9, "b": [(patches, "dense", 1)]}, WINDOW, seed=0
    )
    second = [sampler.sample(index)["image"].min() > 1000 for index in range(200)]
    assert np.mean(second) == pytest.approx(0.5, abs=0.1)


def test_structure_without_patches_is_refused() -> None:
    with pytest.raises(InputError, match="spots: expected training patches"):
        LabelledSampler({"spots": []}, WINDOW, seed=0)


@settings(deadline=None, max_examples=60)
@given(
    shape=st.tuples(*[st.integers(1, 12)] * 3),
    window=st.tuples(*[st.integers(1, 20)] * 3),
    data=st.data(),
)
def test_window_has_its_size_and_only_voxels_of_the_image(
    shape: tuple, window: tuple, data: st.DataObject
) -> None:
    image = np.arange(np.prod(shape)).reshape(shape)
    centre = tuple(data.draw(st.integers(-5, n + 5)) for n in shape)
    read = read_window(lambda slices: image[slices], shape, centre, window)
    assert read.shape == window
    assert np.isin(read, image).all()


def intensity_of(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(intensity_vector(Intensity.of(image)))[None]


@pytest.mark.parametrize("mapping", [m for m in get_args(Normalisation) if m != "clipped"])
def test_no_normalisation_clips_bright_voxels(mapping: str) -> None:
    image = np.random.default_rng(0).normal(300, 20, (1, 1, 20, 40, 40)).astype(np.uint16)
    image[..., 0, 0, :3] = [20000, 40000, 60000]
    mapped = normalise(torch.from_numpy(image), intensity_of(image), mapping)
    bright = mapped[0, 0, 0, 0, :3]
    assert (bright.diff() > 0.1).all()
    assert mapped.isfinite().all()


@pytest.mark.parametrize("mapping", get_args(Normalisation))
def test_constant_image_is_normalised_to_finite_values(mapping: str) -> None:
    image = np.full((1, 1, 4, 4, 4), 7, dtype=np.uint16)
    assert normalise(torch.from_numpy(image), intensity_of(image), mapping).isfinite().all()


@pytest.mark.parametrize("mapping", get_args(Normalisation))
def test_mostly_empty_image_is_normalised_to_moderate_values(mapping: str) -> None:
    image = np.zeros((1, 1, 20, 40, 40), dtype=np.uint16)
    image[..., :2, :2] = 5000
    assert normalise(torch.from_numpy(image), intensity_of(image), mapping).abs().max() < 200


def test_weights_of_others_may_see_what_lies_between_two_percentiles() -> None:
    image = np.arange(8000, dtype=np.uint16).reshape(1, 1, 20, 20, 20)
    mapped = normalise(torch.from_numpy(image), intensity_of(image), "clipped").flatten()
    assert (mapped[:80] == 0).all()
    assert (mapped[-80:] == 1).all()
    assert (mapped[100:-100].diff() > 0).all()


def test_normalisation_uses_the_whole_images_constants() -> None:
    whole = np.random.default_rng(0).normal(300, 20, (1, 1, 20, 40, 40)).astype(np.uint16)
    constants = intensity_of(whole)
    mapped = normalise(torch.from_numpy(whole), constants, "zscore")
    part = normalise(torch.from_numpy(whole[..., :5]), constants, "zscore")
    assert torch.equal(mapped[..., :5], part)
    assert mapped.mean().abs() < 1e-3
    assert mapped.std() == pytest.approx(1, abs=1e-2)


def test_unknown_normalisation_is_refused() -> None:
    with pytest.raises(InputError, match="normalisation: expected one of zscore, percentile"):
        check(Input, {"window": WINDOW, "normalisation": "minmax"}, "input")


def test_resampled_window_reads_the_field_of_view_of_the_recipe() -> None:
    assert source_window((64, 64, 64), (1, 1 / 3, 1 / 3)) == (64, 192, 192)
    assert source_window((64, 64, 64), None) == (64, 64, 64)


def test_prepared_batch_has_the_networks_window_and_a_binary_mask(patches: PatchFile) -> None:
    sampler = labelled(patches, "dense", window=source_window(WINDOW, (1, 0.5, 0.5)))
    prepared = prepare(collate(sampler, [0, 1]), window=WINDOW, normalisation="asinh")
    assert prepared["image"].shape == prepared["mask"].shape == (2, 1, *WINDOW)
    assert set(prepared["mask"].unique().tolist()) <= {0.0, 1.0}
    assert prepared["image"].dtype == torch.float32


@pytest.mark.parametrize("mapping", ["ratio", "snr", "texture"])
@pytest.mark.parametrize("gain", [0.5, 3.0])
def test_mappings_that_undo_any_gain_of_the_camera(gain: float, mapping: str) -> None:
    image = np.random.default_rng(0).uniform(500, 4000, (8, 16, 16)).astype(np.float32)

    def seen(raw: np.ndarray) -> torch.Tensor:
        constants = torch.from_numpy(intensity_vector(Intensity.of(raw)))[None]
        return normalise(torch.from_numpy(raw)[None, None], constants, mapping)

    torch.testing.assert_close(seen(image), seen(gain * image), atol=1e-4, rtol=0)


def test_annotated_box_is_the_labels_and_a_margin() -> None:
    mask = np.zeros((20, 20, 20), dtype=np.uint8)
    mask[3, 10, 10:15] = 1
    assert annotated_box(mask, 4) == ((0, 6, 6), (8, 15, 19))
    assert annotated_box(mask, None) == ((0, 0, 0), (20, 20, 20))
    assert annotated_box(np.zeros_like(mask), 4) == ((0, 0, 0), (20, 20, 20))


def test_voxels_far_from_all_labels_are_not_annotated_where_a_margin_is_given(
    patches: PatchFile,
) -> None:
    sampler = LabelledSampler({"s": [(patches, "sparse", 0)]}, WINDOW, 0, margin=3)
    mask = sampler.sample(0)["mask"]
    assert mask.shape == WINDOW
    (label,) = np.argwhere(mask == 1)
    far = np.abs(np.argwhere(mask == NOT_ANNOTATED) - label).max(axis=1)
    near = np.abs(np.argwhere(mask == 0) - label).max(axis=1)
    assert far.min() == 4
    assert near.max() == 3


def test_shrinking_averages_and_keeps_the_mean() -> None:
    image = torch.rand(1, 1, 8, 12, 12)
    small = rescale(image, (8, 4, 4))
    assert small.shape == (1, 1, 8, 4, 4)
    assert small.mean().item() == pytest.approx(image.mean().item(), abs=1e-6)
