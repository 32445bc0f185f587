"""The HDF5 files between the rules."""

from __future__ import annotations

import json
import multiprocessing
import pickle

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from selma3d.images import (
    BLOCK,
    PERCENTILES,
    Intensity,
    PatchFile,
    PatchWriter,
    PredictionFile,
    PredictionWriter,
    VolumeFile,
    air_threshold,
    block_statistics,
    chunk_shape,
    content_hash,
    plane_hash,
    read_index,
    write_volume,
)
from selma3d.system.errors import InputError

WHOLE = (slice(None),) * 3


@pytest.fixture
def image() -> np.ndarray:
    """Two channels, (C,Z,Y,X), not a multiple of a chunk or a block."""
    return np.random.default_rng(0).integers(0, 65536, (2, 70, 33, 65)).astype(np.uint16)


@pytest.fixture
def patch_file(tmp_path, image):
    with PatchWriter(tmp_path / "patches.h5", tmp_path / "patches.tsv", "patches") as writer:
        mask = image[0] > 60000
        writer.add("000", image, mask, "brain1", (6.0, 1.6, 1.6), {"source_axes": "XYZ"})
        writer.add("001", image[:, ::-1], None)
    return tmp_path / "patches.h5"


def test_patch_reads_back_as_written(patch_file, image):
    with PatchFile(patch_file) as patches:
        assert patches.ids == ["000", "001"]
        assert patches.image("000").dtype == np.uint16
        np.testing.assert_array_equal(patches.image("000"), image)
        np.testing.assert_array_equal(patches.image("001", 1), image[1, ::-1])
        np.testing.assert_array_equal(patches.mask("000"), image[0] > 60000)
        assert patches.mask("000").dtype == np.uint8
        assert patches.mask("001") is None
        assert patches.shape("000") == (70, 33, 65)
        assert len(patches.image("000")) == 2
        assert patches.specimen("000") == "brain1"
        assert patches.voxel_size_um("000") == (6.0, 1.6, 1.6)
        assert patches.attributes("000")["source_axes"] == "XYZ"


def test_unknown_voxel_size_and_specimen_stay_unknown(patch_file):
    with PatchFile(patch_file) as patches:
        assert patches.voxel_size_um("001") is None
        assert patches.specimen("001") == ""
    index = read_index(patch_file.with_suffix(".tsv")).set_index("id")
    assert index.loc["001", "voxel_size_um"] == "unknown"
    assert index.loc["000", "voxel_size_um"] == "6,1.6,1.6"


def test_window_of_a_patch_equals_the_window_of_the_array(patch_file, image):
    window = (slice(3, 67), slice(0, 20), slice(40, 65))
    with PatchFile(patch_file) as patches:
        np.testing.assert_array_equal(patches.read("000", 1, window), image[1][window])
        np.testing.assert_array_equal(patches.read_mask("000", window), image[0][window] > 60000)
        assert patches.read_mask("001", window) is None


def test_index_says_which_patches_are_labelled(patch_file, image):
    index = read_index(patch_file.with_suffix(".tsv")).set_index("id")
    assert index["labelled"].tolist() == [1, 0]
    assert index.loc["000", "foreground"] == pytest.approx((image[0] > 60000).mean())
    assert np.isnan(index.loc["001", "foreground"])
    assert index.loc["000", "shape"] == "2,70,33,65"
    assert len(json.loads(index.loc["000", "intensity"])) == 2


def test_index_bytes_depend_on_the_content_only(tmp_path, image):
    for name, patches in (("a", ("000", "001")), ("b", ("001", "000"))):
        with PatchWriter(tmp_path / f"{name}.h5", tmp_path / f"{name}.tsv", "patches") as writer:
            for patch in patches:
                writer.add(patch, image, None)
    assert (tmp_path / "a.tsv").read_bytes() == (tmp_path / "b.tsv").read_bytes()


def test_one_changed_mask_voxel_changes_the_hash(image):
    mask = np.zeros(image.shape[1:], np.uint8)
    planes = [plane_hash(plane) for channel in image for plane in channel]
    before = content_hash(image.shape, image.dtype, planes, mask)
    mask[5, 5, 5] = 1
    assert content_hash(image.shape, image.dtype, planes, mask) != before
    assert content_hash(image.shape, image.dtype, planes) != before


def test_hash_ignores_byte_order_and_strides(image):
    plane = image[0, 0]
    assert plane_hash(plane.astype(">u2")) == plane_hash(plane)
    assert plane_hash(np.asfortranarray(plane)) == plane_hash(plane)


def test_failed_writing_leaves_neither_file_nor_index(tmp_path, image):
    with (
        pytest.raises(RuntimeError),
        PatchWriter(tmp_path / "patches.h5", tmp_path / "patches.tsv", "patches") as writer,
    ):
        writer.add("000", image, None)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_patch_cannot_be_added_twice_or_under_a_path(tmp_path, image):
    with PatchWriter(tmp_path / "p.h5", tmp_path / "p.tsv", "cases") as writer:
        writer.add("000", image, None)
        with pytest.raises(InputError, match="'000' again"):
            writer.add("000", image, None)
        with pytest.raises(InputError, match="without '/'"):
            writer.add("../000", image, None)
        with pytest.raises(InputError, match="mask of 0 and 1"):
            writer.add("001", image, image[0])
        with pytest.raises(InputError, match=r"mask of shape"):
            writer.add("001", image, image[0, :5])


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.float32]),
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=6),
        elements=st.integers(1, 255),
    )
)
def test_intensity_constants_are_those_of_numpy_and_count_no_planes_of_zeros_at_faces(array):
    constants = Intensity.of(array)
    assert Intensity.of(np.pad(array, ((2, 0), (0, 0), (1, 1)))) == constants
    assert constants.mean == pytest.approx(array.mean(dtype=np.float64))
    assert constants.sd == pytest.approx(array.std(dtype=np.float64), abs=1e-9)
    found = [constants.percentiles[f"{p:g}"] for p in PERCENTILES]
    np.testing.assert_allclose(found, np.percentile(array, PERCENTILES), rtol=1e-6)
    assert Intensity.from_json(json.loads(json.dumps(constants.to_json()))) == constants


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 100), st.floats(5, 500), st.floats(0.1, 10))
def test_noise_is_that_of_voxels_whatever_the_tissue_and_follows_the_gain(seed, sd, gain):
    random = np.random.default_rng(seed)
    z, y, x = np.indices((32, 48, 64))
    tissue = 3000 + 40 * x - 25 * y + 10 * z
    tissue[:, 10:14, 10:14] += 9000  # cells, whose borders are no noise
    image = gain * (tissue + random.normal(0, sd, tissue.shape))
    assert Intensity.of(image.astype(np.float32)).noise == pytest.approx(gain * sd, rel=0.05)


def test_texture_grows_with_the_grain_of_tissue_and_not_with_sparse_cells():
    random = np.random.default_rng(0)
    even = random.normal(3000, 50, (32, 64, 64))
    cells = even.copy()
    cells[:, 8:64:16, 8:64:16] += 9000
    grainy = even + 100 * np.kron(random.normal(size=(1, 8, 8)), np.ones((32, 8, 8)))
    constants = [Intensity.of(image.astype(np.float32)) for image in (even, cells, grainy)]
    assert [each.noise for each in constants] == pytest.approx([50] * 3, rel=0.1)
    assert [each.texture for each in constants] == pytest.approx([50, 50, 112], rel=0.15)


def test_noise_of_an_image_too_thin_to_tell_is_nought():
    assert Intensity.of(np.full((5, 1, 7), 9, dtype=np.uint8)).noise == 0
    thin = Intensity.of(np.full((5, 6, 7), 9, dtype=np.uint8))
    assert thin.noise == thin.texture == 0


def test_constants_of_an_earlier_version_are_refused_by_name():
    stored = {"mean": 1.0, "sd": 1.0, "noise": 1.0, "percentiles": {}}
    with pytest.raises(InputError, match=r"texture: expected a number.*convert again"):
        Intensity.from_json(stored)


def test_volume_reads_back_with_constants_and_occupancy(tmp_path, image):
    write_volume(tmp_path / "v.h5", tmp_path / "v.tsv", image, sample="s1", specimen="brain1")
    with VolumeFile(tmp_path / "v.h5") as volume:
        assert (volume.channels, volume.shape, volume.specimen) == (2, (70, 33, 65), "brain1")
        assert volume.voxel_size_um is None
        assert volume.block == BLOCK
        np.testing.assert_array_equal(volume.read(1, WHOLE), image[1])
        assert volume.intensity(1) == Intensity.of(image[1])
        assert volume.occupancy(0).shape == volume.tissue(0).shape == (3, 2, 3)
        assert volume.occupancy(0)[2, 1, 2] == pytest.approx(image[0, 64:, 32:, 64:].mean())
    assert read_index(tmp_path / "v.tsv")["id"].tolist() == ["s1"]


def test_block_statistics_hold_mean_and_bright_grey_value(image):
    statistics, counts = block_statistics(image[0])
    values = np.sort(image[0, :32, :32, 32:64].ravel())
    assert statistics[0, 0, 1, :2].tolist() == [
        pytest.approx(values.mean()),
        values[int(0.99 * (values.size - 1))],
    ]
    np.testing.assert_array_equal(counts, np.bincount(image[0].ravel(), minlength=65536))


def test_air_is_found_beside_tissue():
    rng = np.random.default_rng(0)
    means = np.concatenate([rng.normal(150, 8, 300), rng.normal(2500, 400, 700)])
    assert 180 < air_threshold(means.astype(np.float32)) < 1200


@pytest.mark.parametrize("name", ["one mode", "constant", "flat"])
def test_no_air_where_the_block_means_have_one_mode(name):
    rng = np.random.default_rng(0)
    means = {
        "one mode": rng.normal(2500, 300, 1000),
        "constant": np.full(1000, 7.0),
        "flat": np.linspace(100, 5000, 1000),
    }[name]
    assert air_threshold(means.astype(np.float32)) == -np.inf


def test_volume_of_tissue_only_has_no_air(tmp_path):
    image = np.random.default_rng(0).poisson(500, (1, 64, 64, 64)).astype(np.uint16)
    write_volume(tmp_path / "v.h5", tmp_path / "v.tsv", image, sample="s")
    assert VolumeFile(tmp_path / "v.h5").tissue(0).all()


def test_files_pickle_without_their_handle(patch_file):
    patches = PatchFile(patch_file)
    expected = patches.image("000")
    copy = pickle.loads(pickle.dumps(patches))
    np.testing.assert_array_equal(copy.image("000"), expected)


def test_forked_readers_open_the_file_again(tmp_path):
    image = np.arange(96**3, dtype=np.uint32).astype(np.uint16).reshape(1, 96, 96, 96)
    write_volume(tmp_path / "v.h5", tmp_path / "v.tsv", image, sample="s")
    volume = VolumeFile(tmp_path / "v.h5")
    volume.read(0, WHOLE)
    with multiprocessing.get_context("fork").Pool(3) as pool:
        sums = pool.map(_plane_sums, [(volume, z) for z in range(96)])
    assert sums == image[0].sum(axis=(1, 2), dtype=np.int64).tolist()


def _plane_sums(task: tuple[VolumeFile, int]) -> int:
    volume, z = task
    return int(volume.read(0, (slice(z, z + 1), slice(None), slice(None))).sum(dtype=np.int64))


def test_predictions_read_back_as_written(tmp_path, image):
    path = tmp_path / "predictions.h5"
    with PredictionWriter(path, "unet", "vessel", "scratch-n4-f0-s1") as writer:
        writer.add("000", image[0] > 500, np.full(image.shape[1:], 0.25))
        writer.add("001", np.zeros((3, 4, 5), np.uint8))
        with pytest.raises(InputError, match="mask of 0 and 1"):
            writer.add("002", image[0])
    with PredictionFile(path) as predictions:
        assert predictions.ids == ["000", "001"]
        np.testing.assert_array_equal(predictions.mask("000"), image[0] > 500)
        assert predictions.probability("000").dtype == np.float16
        assert predictions.probability("001") is None
        assert predictions.file.attrs["run"] == "scratch-n4-f0-s1"
        with pytest.raises(InputError, match="case 'x'"):
            predictions.mask("x")


def test_empty_prediction_file_has_no_cases(tmp_path):
    with PredictionWriter(tmp_path / "p.h5", "m", "s", "default"):
        pass
    assert PredictionFile(tmp_path / "p.h5").ids == []


def test_chunks_are_clipped_to_small_images():
    assert chunk_shape((2, 50, 500, 64)) == (1, 50, 64, 64)
    assert chunk_shape((10, 70, 70)) == (10, 64, 64)


def test_arrays_lie_in_chunks_with_a_lossless_filter(patch_file):
    with h5py.File(patch_file) as file:
        assert file["000/image"].chunks == (1, 64, 33, 64)
        assert file["000/mask"].chunks == (64, 33, 64)
        assert file.attrs["contract_version"] == 1
