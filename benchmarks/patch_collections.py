"""Collections: patches a second against other ways to read them, and the time of a conversion.

    python benchmarks/patch_collections.py [--patches 48] [--windows 200]

All ways run one after the other in one process, on patches of 96³ made here: compare the ratios.
Windows of 64³ are drawn by the same sampler from a collection and from a volume that holds the same
voxels, and cut at random from the NIfTI files themselves. A conversion is compared with a loop that
loads each NIfTI with nibabel and writes it to an HDF5 with gzip, and measures nothing.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow" / "scripts"))

import h5py
import nibabel as nib
import numpy as np

from selma3d.images import write_volume
from selma3d.images.conversion.collection_conversion import CollectionSettings, convert_collection
from selma3d.images.conversion.patch_streams import PatchStream
from selma3d.learning.sampling import UnlabelledSampler, VolumeSource

EDGE, WINDOW = 96, 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patches", type=int, default=48, help="a multiple of 8")
    parser.add_argument("--windows", type=int, default=200)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        files = make_patches(folder / "set", args.patches)
        with tarfile.open(folder / "set.tar.gz", "w:gz", compresslevel=1) as tar:
            tar.add(folder / "set", arcname="set")
        compare_conversions(folder, files)
        compare_reading(folder, files, args.windows)


def make_patches(folder: Path, number: int) -> list[Path]:
    """NIfTI files of smooth tissue with noise, uint16, of four source volumes."""
    random = np.random.default_rng(0)
    folder.mkdir()
    made = []
    for index in range(number):
        coarse = random.random((7, 7, 7)).repeat(16, 0).repeat(16, 1).repeat(16, 2)
        image = 400 + 300 * coarse[:EDGE, :EDGE, :EDGE] + random.normal(0, 20, (EDGE,) * 3)
        path = folder / f"v{index % 4}_p{index}.nii.gz"
        nib.save(nib.Nifti1Image(image.astype(np.uint16), np.eye(4)), path)
        made.append(path)
    return made


def compare_conversions(folder: Path, files: list[Path]) -> None:
    def ours(place: str) -> Callable[[], None]:
        def convert() -> None:
            convert_collection(
                PatchStream(folder, [place], r"(?P<volume>v\d)_p"),
                folder / "c.h5",
                folder / "c.tsv",
                folder / "work",
                sample="c",
                settings=CollectionSettings(threads=1),
            )

        return convert

    def plain() -> None:
        with h5py.File(folder / "plain.h5", "w") as file:
            stored = file.create_dataset(
                "image",
                (len(files), EDGE, EDGE, EDGE),
                "uint16",
                chunks=(1, 64, 64, 64),
                compression="gzip",
            )
            for number, path in enumerate(files):
                stored[number] = np.asarray(nib.load(path).dataobj).transpose(2, 1, 0)

    reference = cpu_seconds(plain)
    report("nibabel + h5py loop", reference, len(files), reference)
    report("collection, from a folder", cpu_seconds(ours("set")), len(files), reference)
    before = peak_mb()
    report("collection, from a tar.gz", cpu_seconds(ours("set.tar.gz")), len(files), reference)
    print(f"peak memory {peak_mb():.0f} MB (before the last conversion {before:.0f})")


def compare_reading(folder: Path, files: list[Path], windows: int) -> None:
    volume = np.concatenate(
        [
            np.concatenate(
                [
                    np.asarray(nib.load(path).dataobj).transpose(2, 1, 0)
                    for path in files[at : at + 4]
                ],
                axis=2,
            )
            for at in range(0, len(files), 4)
        ]
    )
    write_volume(folder / "v.h5", folder / "v.tsv", volume[None], sample="v")
    del volume
    random = np.random.default_rng(1)

    def sampled(path: Path) -> Callable[[], None]:
        sampler = UnlabelledSampler([VolumeSource(path, 0)], (WINDOW,) * 3, 0)

        def read() -> None:
            for index in range(windows):
                sampler.sample(index)

        return read

    def directly() -> None:
        for _ in range(windows):
            image = np.asarray(nib.load(files[random.integers(len(files))]).dataobj)
            at = random.integers(0, EDGE - WINDOW + 1, 3)
            np.ascontiguousarray(image[tuple(slice(a, a + WINDOW) for a in at)].transpose(2, 1, 0))

    reference = cpu_seconds(sampled(folder / "v.h5"))
    report("windows of a volume", reference, windows, reference)
    report("windows of a collection", cpu_seconds(sampled(folder / "c.h5")), windows, reference)
    report("windows of the NIfTI files", cpu_seconds(directly), windows, reference)


def cpu_seconds(work: Callable[[], None]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(what: str, seconds: float, number: int, reference: float) -> None:
    rate, share = number / seconds, seconds / reference
    print(f"{what:28} {rate:8.1f} a CPU s   {share:5.2f} of the first's time")


if __name__ == "__main__":
    main()
