"""Windows of collections: where they are drawn, what is held out, and what is too large."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from selma3d.images import write_volume
from selma3d.images.conversion.collection_conversion import (
    CollectionSettings,
    convert_collection,
)
from selma3d.images.conversion.patch_streams import PatchStream
from selma3d.learning.sampling import UnlabelledSampler, VolumeSource
from selma3d.learning.training import specimens_of, volume_sources
from selma3d.learning.training.weight_files import provenance
from selma3d.methods.peers.examples import Windows, windows
from selma3d.system.errors import InputError

SIZE = 64


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Source volumes a, b, c of grey values around 1000, 2000, 3000; in c, one patch is air."""
    root = tmp_path_factory.mktemp("collection")
    random = np.random.default_rng(0)
    for level, volume in enumerate("abc", start=1):
        for number in range(3):
            slope = np.linspace(0.9, 1.1, SIZE)[:, None, None]
            image = (slope * random.normal(1000 * level, 10, (SIZE,) * 3)).astype(np.uint16)
            if volume == "c" and number == 2:
                image[:] = random.integers(0, 3, image.shape)
            if volume == "a" and number == 0:
                block = image[32:, 32:, 32:]  # one of 24
                block[random.random(block.shape) < 0.03] += 3000
            (root / "set").mkdir(exist_ok=True)
            nib.save(nib.Nifti1Image(image.T, np.eye(4)), root / "set" / f"{volume}_p{number}.nii")
    convert_collection(
        PatchStream(root, ["set"], r"(?P<volume>[a-z])_p"),
        root / "c.h5",
        root / "c.tsv",
        root / "work",
        sample="c",
        settings=CollectionSettings(threads=1),
    )
    return root / "c.h5"


def levels(sampler: UnlabelledSampler, number: int = 120) -> Counter[int]:
    """How often windows of each grey level are drawn, in thousands."""
    return Counter(round(sampler.sample(i)["image"].mean() / 1000) for i in range(number))


def test_source_volumes_are_drawn_alike_and_air_is_not(collection: Path) -> None:
    sampler = UnlabelledSampler([VolumeSource(collection, 0)], (32, 32, 32), 0)
    drawn = levels(sampler)
    assert drawn.keys() == {1, 2, 3}, "0 is air"
    assert min(drawn.values()) > 20
    means = {float(sampler.sample(i)["intensity"][0]) for i in range(40)}
    assert len(means) == 3, "constants of the source volume"


def test_bright_blocks_are_drawn_more_often(collection: Path) -> None:
    def share(bias: float) -> float:
        source = VolumeSource(collection, 0, leave_out=("b", "c"))
        sampler = UnlabelledSampler([source], (16, 16, 16), 0, bias)
        return float(np.mean([sampler.sample(i)["image"].max() > 2500 for i in range(60)]))

    assert share(0.0) < 0.4 < 0.6 < share(1.0)


def test_a_sample_depends_on_seed_and_index_alone(collection: Path, tmp_path: Path) -> None:
    image = np.full((1, SIZE, SIZE, SIZE), 9000, np.uint16)
    write_volume(tmp_path / "v.h5", tmp_path / "v.tsv", image, sample="v")
    sources = [VolumeSource(tmp_path / "v.h5", 0), VolumeSource(collection, 0)]
    first, again = (UnlabelledSampler(sources, (32, 32, 32), 7) for _ in range(2))
    for index in (5, 3, 5):
        assert np.array_equal(first.sample(index)["image"], again.sample(index)["image"])
    assert {1, 2, 3, 9} == levels(first).keys(), "volumes beside collections"


def test_source_volumes_of_held_out_specimens_are_never_seen(collection: Path) -> None:
    sources = volume_sources([collection], [0], held_out=["b", "elsewhere"])
    assert specimens_of(sources) == ["a", "c"]
    assert [record["sample"] for record in provenance(sources)] == ["a", "c"]
    assert levels(UnlabelledSampler(sources, (32, 32, 32), 0)).keys() == {1, 3}
    assert volume_sources([collection], [0], held_out="abc") == ()
    wanted = Windows(number=20, shape=(32, 32, 32))
    drawn = {round(w.mean() / 1000) for w in windows([(collection, 0)], wanted, 0, ("b",))}
    assert drawn == {1, 3}


def test_a_window_larger_than_a_patch_is_refused_before_training(collection: Path) -> None:
    with pytest.raises(InputError, match=r"c\.h5: window: expected at most the \(64, 64, 64\)"):
        UnlabelledSampler([VolumeSource(collection, 0)], (64, 96, 96), 0)
    with pytest.raises(InputError, match=r"expected at least a window's shape"):
        list(windows([(collection, 0)], Windows(number=1, shape=(65, 8, 8)), 0))
    with pytest.raises(InputError, match="channel: expected 0 to 0, found 1"):
        UnlabelledSampler([VolumeSource(collection, 1)], (32, 32, 32), 0).sample(0)
