"""BigDataViewer's and BigStitcher's .xml with .h5 or .n5: one fused image, a set-up a channel.

Layout: BigDataViewer's documentation, "File Formats". Voxels of its HDF5 are stored as int16, and
mean uint16. The .xml states voxel sizes and the names of channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import h5py
import numpy as np

from ....system.errors import InputError
from ....system.limits import check_file
from ...geometry import Geometry
from ..folder_tree import below
from ..hdf5_image import Hdf5Image, open_hdf5_image
from ..image_file import ImageFile, canonical_shape
from ..length_units import um_in
from . import Format
from .n5 import image_of_arrays


@dataclass(frozen=True)
class Description:
    """What an .xml says: set-ups in order, names of channels, voxel size, where the voxels are."""

    setups: tuple[int, ...]
    channel_names: tuple[str, ...]
    geometry: Geometry | None
    kind: str  # hdf5 or n5
    shape: tuple[int, ...] | None  # (Z,Y,X) of each set-up, where it is stated
    data: Path


def is_bigdataviewer(path: Path) -> bool:
    """Whether an .xml is BigDataViewer's, or an .h5 has its groups."""
    if path.suffix.lower() == ".xml":
        check_file(path, "a description of images", "TEXT_BYTES")
        with path.open("rb") as file:
            return b"<SpimData" in file.read(1 << 12)
    with h5py.File(path, "r", locking=False) as file:
        return any(name.startswith("t0") and name[1:].isdecimal() for name in file)


def open_bigdataviewer(path: Path, _: bool) -> ImageFile:
    """The image of an .xml or of an .h5, beside which its .xml should lie. Raises InputError."""
    if path.suffix.lower() == ".xml":
        about = _described(path)
        if about.kind == "bdv.n5":
            folders = [below(about.data, f"setup{number}/timepoint0/s0") for number in about.setups]
            image = image_of_arrays(
                path, folders, geometry=about.geometry, channel_names=about.channel_names
            )
            if about.shape not in (None, image.shape[1:]):
                raise InputError(
                    f"{path}: expected {about.shape} voxels (Z,Y,X), as it states, in "
                    f"{about.data.name}, found {image.shape[1:]} (export both again)"
                )
            return image
        return _open_hdf5(about.data, about, path)
    beside = path.with_suffix(".xml")
    about = _described(beside) if beside.is_file() and is_bigdataviewer(beside) else None
    return _open_hdf5(path, about if about is None or about.data == path else None, beside)


def described_data(path: Path) -> Path:
    """The .h5 or .n5 that an .xml of BigDataViewer describes. Raises InputError."""
    return _described(path).data


def _open_hdf5(path: Path, about: Description | None, described: Path) -> Hdf5Image:
    def header(file: h5py.File, datasets: Sequence[h5py.Dataset]) -> dict[str, Any]:
        _check_full_resolution(file, datasets, about, path)
        stored = datasets[0].dtype
        meant = np.dtype(np.uint16) if stored == np.int16 else stored
        return {
            "shape": (len(datasets), *canonical_shape(datasets[0].shape, "ZYX", path)[1:]),
            "dtype": meant,
            "geometry": None if about is None else about.geometry,
            "channel_names": None if about is None else about.channel_names,
            "files": (path,) if about is None else (path, described),
            "stored_as": meant if meant != stored else None,
        }

    return open_hdf5_image(path, lambda file: _setups(file, about, path), header)


def _check_full_resolution(
    file: h5py.File, datasets: Sequence[h5py.Dataset], about: Description | None, path: Path
) -> None:
    """Raise InputError where the first level is not the image that the metadata describe."""
    for dataset in datasets:
        setup = dataset.name.split("/")[2]
        levels = file.get(f"{setup}/resolutions")
        if levels is not None and (np.asarray(levels[0]) != 1).any():
            raise InputError(
                f"{path}: {setup}/resolutions: expected the full resolution first, found "
                f"{np.asarray(levels[0]).tolist()} (export it again with the full resolution)"
            )
        if about is not None and about.shape not in (None, dataset.shape):
            raise InputError(
                f"{path}: {dataset.name}: expected {about.shape} voxels (Z,Y,X) as its .xml "
                f"states, found {dataset.shape} (export both again)"
            )


def _setups(file: h5py.File, about: Description | None, path: Path) -> Sequence[h5py.Dataset]:
    times = sorted(name for name in file if name.startswith("t") and name[1:].isdecimal())
    if len(times) != 1:
        raise InputError(f"{path}: expected one time, found {len(times)}")
    names = sorted(name for name in file[times[0]] if name.startswith("s"))
    if about is not None:
        names = [f"s{number:02d}" for number in about.setups]
    elif len(names) > 1:
        raise InputError(
            f"{path}: expected its .xml beside it, which says what its {len(names)} set-ups are, "
            "found none"
        )
    return [file[f"{times[0]}/{name}/0/cells"] for name in names]


def _described(path: Path) -> Description:
    check_file(path, "a description of images", "TEXT_BYTES")
    text = path.read_text(encoding="utf-8", errors="replace")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InputError(f"{path}: expected plain XML, found definitions of entities")
    root = ElementTree.fromstring(text)
    sequence = root.find("SequenceDescription")
    loader = None if sequence is None else sequence.find("ImageLoader")
    if loader is None or loader.get("format") not in ("bdv.hdf5", "bdv.n5"):
        found = None if loader is None else loader.get("format")
        raise InputError(
            f"{path}: ImageLoader: expected bdv.hdf5 or bdv.n5, found {found!r} (fuse and export "
            "it from BigStitcher as HDF5, N5, OME-Zarr or TIFF)"
        )
    place = loader.find("hdf5" if loader.get("format") == "bdv.hdf5" else "n5")
    name = "" if place is None else (place.text or "").strip()
    if place is None or place.get("type", "relative") != "relative" or "/" in name or not name:
        raise InputError(
            f"{path}: ImageLoader: expected a file beside the .xml, found {name!r} (move both into "
            "one folder)"
        )
    setups = sequence.findall("ViewSetups/ViewSetup")
    names = _channel_of(sequence, setups, path)
    return Description(
        setups=tuple(int(setup.findtext("id", "0")) for setup in setups),
        channel_names=names,
        geometry=_geometry(setups[0]),
        kind=str(loader.get("format")),
        shape=_shape(setups[0]),
        data=below(path.parent, name),
    )


def _channel_of(
    sequence: ElementTree.Element, setups: list[ElementTree.Element], path: Path
) -> tuple[str, ...]:
    """The names of the set-ups' channels; InputError where set-ups are more than channels."""
    if not setups:
        raise InputError(f"{path}: ViewSetups: expected one set-up a channel, found none")
    numbers = [setup.findtext("attributes/channel", "0") for setup in setups]
    if len(set(numbers)) != len(numbers):
        raise InputError(
            f"{path}: ViewSetups: expected one set-up a channel, found {len(setups)} set-ups of "
            f"{len(set(numbers))} channels: tiles or views (fuse them in BigStitcher)"
        )
    known = {
        channel.findtext("id", ""): channel.findtext("name", "")
        for channel in sequence.findall("ViewSetups/Attributes[@name='channel']/Channel")
    }
    return tuple(known.get(number, "") for number in numbers)


def _shape(setup: ElementTree.Element) -> tuple[int, ...] | None:
    lengths = (setup.findtext("size") or "").split()
    return tuple(map(int, reversed(lengths))) if len(lengths) == 3 else None


def _geometry(setup: ElementTree.Element) -> Geometry | None:
    size = setup.findtext("voxelSize/size")
    unit = um_in(setup.findtext("voxelSize/unit"))
    if size is None or len(size.split()) != 3:
        return None
    return Geometry(tuple(float(length) for length in size.split()), unit_um=unit)


FORMAT = Format((".xml", ".h5", ".hdf5"), open_bigdataviewer, recognises=is_bigdataviewer)
