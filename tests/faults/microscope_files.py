"""Whole images in the formats of microscopes, of which a file each is spoilt.

They are made in a process of their own: tensorstore's threads do not survive a fork.
"""

from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path

from strangers_files import Kind, read_picture

FOLDERS = ("OME-Zarr 0.4", "OME-Zarr 0.5", "N5")
FILES = ("Imaris", "CZI", "OME-TIFF", "ImageJ")
METADATA = (".zattrs", ".zarray", ".zgroup", "zarr.json", "attributes.json")
CHUNKS = 2  # of an image, beside its metadata


def microscope_kinds(folder: Path) -> dict[str, Kind]:
    """A kind for each format; whole images are made in `folder`."""
    maker = multiprocessing.get_context("spawn").Process(target=_make, args=(folder,))
    maker.start()
    maker.join()
    assert maker.exitcode == 0
    kinds = {}
    for name in FOLDERS:
        root = next((folder / name).iterdir())
        files = sorted(file for file in root.rglob("*") if file.is_file())
        metadata = [file for file in files if file.name in METADATA]
        chosen = [*metadata, *[file for file in files if file not in metadata][:CHUNKS]]
        contents = {str(file.relative_to(root.parent)): file.read_bytes() for file in chosen}
        kinds[name] = Kind(contents, _of_folder(root))
    for name in FILES:
        file = next((folder / name).iterdir())
        kinds[name] = Kind({file.name: file.read_bytes()}, read_picture)
    described, voxels = (folder / "BigDataViewer" / f"a.{end}" for end in ("xml", "h5"))
    kinds["BigDataViewer"] = Kind({described.name: described.read_bytes()}, _beside(voxels))
    kinds["BigDataViewer's HDF5"] = Kind({voxels.name: voxels.read_bytes()}, _beside(described))
    return kinds


def _make(folder: Path) -> None:
    from two_channel_files import FORMATS

    for name in (*FOLDERS, *FILES, "BigDataViewer"):
        file, make = FORMATS[name]
        (folder / name).mkdir(parents=True)
        make(folder / name / file)


def _of_folder(root: Path):
    """Reading of an image of several files: those that are not spoilt are put beside it."""

    def read(path: Path) -> None:
        place = next((p for p in path.parents if p.name == root.name), path.parent)
        for file in root.rglob("*"):
            beside = place / file.relative_to(root)
            if file.is_file() and not beside.exists():
                beside.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, beside)
        read_picture(place)

    return read


def _beside(whole: Path):
    """Reading of the spoilt one of two files that belong together, the whole other beside it."""

    def read(path: Path) -> None:
        shutil.copyfile(whole, path.with_name(whole.name))
        read_picture(path)

    return read
