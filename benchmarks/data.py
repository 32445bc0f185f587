"""Conversion and reading of image data beside what one would write without this workflow.

    python benchmarks/data.py                      # a few minutes, 8 GB of disk
    python benchmarks/data.py --depths 1024 2048   # the volumes of the full challenge, 25 GB

Each table compares in one run, alternating between the candidates, on synthetic images whose
compressibility is that of real light-sheet volumes (about 0.65). Ratios carry over between
machines; seconds don't.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow" / "scripts"))

import h5py
import nibabel
import numpy as np
import tifffile
import zarr

from selma3d.images import VolumeFile, write_volume
from selma3d.images.conversion.patch_conversion import convert_patches
from selma3d.images.conversion.volume_conversion import convert_volume

ROUNDS = 3


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--depths", type=int, nargs="+", default=[128, 256])
    arguments.add_argument("--volume", type=int, default=512, help="edge of the volume read from")
    arguments.add_argument("--patches", type=int, default=24)
    arguments.add_argument("--folder", type=Path, help="where to write (default: TMPDIR)")
    arguments.add_argument("--only", choices=["reading", "volumes", "patches"])
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        if options.only in (None, "reading"):
            show("Random 96³ patches", random_patches(folder, options.volume))
        if options.only in (None, "volumes"):
            for depth in options.depths:
                title = f"TIFF planes to one file, {depth}×1024×1024, 16 bit, deflate"
                show(title, volume_conversion(folder, depth))
        if options.only in (None, "patches"):
            title = f"{options.patches} patches of 500×500×50, 2 channels, NIfTI"
            show(title, patch_conversion(folder, options.patches))


def random_patches(folder: Path, edge: int) -> list[dict[str, str]]:
    """Patches a second of one thread; `edge`³ voxels of 16 bit; and bytes on disk."""
    volume = light_sheet((edge, edge, edge))
    write_volume(folder / "v.h5", folder / "v.tsv", volume[None], sample="v")
    with h5py.File(folder / "gzip.h5", "w") as file:
        file.create_dataset(
            "image", data=volume, chunks=(64, 64, 64), compression="gzip", compression_opts=4
        )
    default = zarr.create_array(str(folder / "v.zarr"), shape=volume.shape, dtype=volume.dtype)
    default[:] = volume
    ours = VolumeFile(folder / "v.h5")
    plain = h5py.File(folder / "gzip.h5")["image"]
    readers: dict[str, Callable[[tuple[slice, ...]], np.ndarray]] = {
        "selma3d": lambda window: ours.read(0, window),
        "h5py, gzip-4, 64³": plain.__getitem__,
        f"zarr default, {'×'.join(map(str, default.chunks))}": default.__getitem__,
    }
    sizes = [bytes_of(folder / name) for name in ("v.h5", "gzip.h5", "v.zarr")]
    rates: dict[str, list[float]] = {name: [] for name in readers}
    for turn in range(ROUNDS):
        for name, read in readers.items():
            rates[name].append(patches_a_second(read, edge, seed=turn))
    best = statistics.median(rates["selma3d"])
    return [
        {
            "": name,
            "patches/s": f"{statistics.median(rates[name]):.1f}",
            "selma3d is": f"{best / statistics.median(rates[name]):.1f}× as fast",
            "bytes/voxel bytes": f"{size / volume.nbytes:.2f}",
        }
        for name, size in zip(readers, sizes, strict=True)
    ]


def patches_a_second(
    read: Callable[[tuple[slice, ...]], np.ndarray], edge: int, seed: int, seconds: float = 3
) -> float:
    """How often a random 96³ window is read in one second."""
    rng = np.random.default_rng(seed)
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        corner = rng.integers(0, edge - 96 + 1, 3)
        read(tuple(slice(int(c), int(c) + 96) for c in corner))
        count += 1
    return count / (time.perf_counter() - begin)


def volume_conversion(folder: Path, depth: int) -> list[dict[str, str]]:
    """Wall time and peak memory of our conversion and of decoding and writing raw bytes."""
    planes = folder / f"planes-{depth}"
    planes.mkdir()
    block = light_sheet((64, 1024, 1024))
    for z in range(depth):
        tifffile.imwrite(
            planes / f"Z{z:04d}.tif",
            np.roll(block[z % 64], z // 64 * 37, axis=1),
            compression="zlib",
            predictor=True,
        )
    raw = measured(decode_and_write, planes, folder / "raw")
    ours = measured(convert_planes, planes, folder / "converted")
    voxels = depth * 1024 * 1024 * 2
    return [
        {
            "": name,
            "seconds": f"{seconds:.1f}",
            "ratio": f"{seconds / raw[0]:.2f}",
            "peak memory": f"{peak / 2**20:.0f} MiB",
            "bytes/voxel bytes": f"{size / voxels:.2f}",
        }
        for name, (seconds, peak), size in (
            (
                "selma3d: HDF5, percentiles, occupancy, hash",
                ours,
                bytes_of(folder / "converted.h5"),
            ),
            ("tifffile decode, raw bytes written", raw, voxels),
        )
    ]


def decode_and_write(planes: Path, out: Path) -> None:
    """The least that any conversion does."""
    with out.open("wb") as file:
        for plane in sorted(planes.iterdir()):
            file.write(tifffile.imread(plane))
        file.flush()
        os.fsync(file.fileno())


def convert_planes(planes: Path, out: Path) -> None:
    """The workflow's conversion of a volume."""
    convert_volume(
        [planes],
        out.with_suffix(".h5"),
        out.with_suffix(".tsv"),
        out.with_suffix(".work"),
        sample="s",
        specimen="",
        voxel_size_um=None,
    )


def patch_conversion(folder: Path, count: int) -> list[dict[str, str]]:
    """Wall time of our conversion and of a loop with nibabel and gzip-compressed HDF5."""
    root = folder / "patches"
    image = light_sheet((500, 500, 50))
    for kind in ("raw", "gt"):
        (root / kind).mkdir(parents=True)
    for patch in range(count):
        for channel in range(2):
            rolled = np.roll(image, 41 * patch + 17 * channel, axis=0)
            name = root / "raw" / f"patchvolume_{patch:03d}_{channel:04d}.nii.gz"
            nibabel.save(nibabel.Nifti1Image(rolled, np.eye(4)), name)
        mask = (np.roll(image, 41 * patch, axis=0) > 2000).astype(np.uint8)
        name = root / "gt" / f"patchvolume_{patch:03d}.nii.gz"
        nibabel.save(nibabel.Nifti1Image(mask, np.eye(4)), name)
    loop = measured(nibabel_and_gzip, root, folder / "loop.h5")
    ours = measured(convert_archive, root, folder / "patches.h5")
    return [
        {
            "": name,
            "seconds": f"{seconds:.1f}",
            "selma3d is": f"{seconds / ours[0]:.1f}× as fast",
            "megabytes": f"{bytes_of(file) / 1e6:.0f}",
        }
        for name, (seconds, _), file in (
            ("selma3d: checks, percentiles, hash, index", ours, folder / "patches.h5"),
            ("nibabel + gzip HDF5 loop", loop, folder / "loop.h5"),
        )
    ]


def nibabel_and_gzip(root: Path, out: Path) -> None:
    """What one would write in an afternoon."""
    with h5py.File(out, "w") as file:
        for mask in sorted((root / "gt").iterdir()):
            patch = mask.name.removesuffix(".nii.gz")
            channels = sorted((root / "raw").glob(f"{patch}_*.nii.gz"))
            image = np.stack([nibabel.load(c).get_fdata().T.astype(np.uint16) for c in channels])
            truth = (nibabel.load(mask).get_fdata().T > 0).astype(np.uint8)
            file.create_dataset(f"{patch}/image", data=image, compression="gzip")
            file.create_dataset(f"{patch}/mask", data=truth, compression="gzip")


def convert_archive(root: Path, out: Path) -> None:
    """The workflow's conversion of patches."""
    convert_patches(root.parent, root.name, [], out, out.with_suffix(".tsv"), structure="s")


def measured(call: Callable[[Path, Path], None], source: Path, out: Path) -> tuple[float, float]:
    """Wall seconds, and peak bytes of memory, of a call in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (call, source, out))


def _measure(call: Callable[[Path, Path], None], source: Path, out: Path) -> tuple[float, float]:
    begin = time.perf_counter()
    call(source, out)
    seconds = time.perf_counter() - begin
    return seconds, peak_memory()


def peak_memory() -> float:
    """Bytes at most resident in this process; `ru_maxrss` would hold its parent's peak too."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024.0


def light_sheet(shape: tuple[int, int, int]) -> np.ndarray:
    """Uneven background with shot noise and bright blobs, uint16."""
    rng = np.random.default_rng(0)
    axes = np.ogrid[tuple(slice(size) for size in shape)]
    background = 1500 + 900 * sum(np.sin(axis / 90) for axis in axes) / 3
    image = np.empty(shape, np.uint16)
    for z in range(shape[0]):
        noisy = rng.normal(background[z], np.sqrt(background[z]) * 2)
        image[z] = noisy.clip(0, 65535)
    for corner in rng.integers(0, np.maximum(np.array(shape) - 8, 1), (400, 3)):
        blob = tuple(slice(c, c + 8) for c in corner)
        image[blob] += 6000
    return image


def bytes_of(path: Path) -> int:
    """Size of a file, or of everything in a folder."""
    files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
    return sum(file.stat().st_size for file in files)


def show(title: str, rows: list[dict[str, str]]) -> None:
    """Print a table."""
    columns = list(rows[0])
    widths = [max(len(column), *(len(row[column]) for row in rows)) for column in columns]
    print(f"\n{title}")
    for cells in (columns, *(list(row.values()) for row in rows)):
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
