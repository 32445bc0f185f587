"""TIFF files: checks that tifffile does not make, voxel sizes from OME and ImageJ metadata."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import tifffile

from ...system.errors import InputError
from ...system.limits import check_ratio
from ...system.tables import listed
from ..storage import VoxelSize
from .length_units import um_in
from .tiff_structure import check_structure

PHOTOMETRIC = tifffile.PHOTOMETRIC
# Forms of TIFF whose planes tifffile would look for in other files.
WITHIN_THE_FILE = {"_multifile": False, "is_mmstack": False, "is_ndtiff": False}


def open_series(path: Path) -> tuple[tifffile.TiffFile, tifffile.TiffPageSeries]:
    """Open a TIFF that holds one image, wholly; the caller closes it.

    Raises InputError for several images, parts in other files, and incomplete files.
    """
    check_structure(path)
    with _errors_raised(path):
        tiff = tifffile.TiffFile(path, **WITHIN_THE_FILE)
        if tiff.is_ome:
            _refuse_other_files(tiff.ome_metadata, path)
        series = [one for one in tiff.series if not one.keyframe.is_reduced] or tiff.series
    if len(series) != 1 or series[0].is_multifile or series[0] is not tiff.series[0]:
        found = "parts in other files"
        if len(series) > 1:
            shapes = dict.fromkeys("×".join(map(str, one.shape)) for one in series)
            found = f"{len(series)}, of shapes {listed(shapes, 3)}"
        raise InputError(
            f"{path}: expected one image wholly in this file, found {found} (save one image a "
            "file, without thumbnails or labels)"
        )
    size = series[0].size * series[0].dtype.itemsize
    check_ratio(path, size, path.stat().st_size, "UNPACKED_FREELY")
    check_complete(series[0], path)
    check_values_are_grey(tiff, path)
    return tiff, series[0]


def check_values_are_grey(tiff: tifffile.TiffFile, path: Path) -> None:
    """Raise InputError where larger values are darker, or are numbers of colours.

    Of a file by ImageJ the values are what it measures, whatever its look-up table shows; tifffile
    calls truth values WhiteIsZero unless it is told otherwise, and stores them as they are.
    """
    page = tiff.pages.first
    meaning = page.photometric
    if tiff.is_imagej or meaning not in (PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.PALETTE):
        return
    if page.bitspersample == 1 and page.software.startswith("tifffile"):
        return
    found = {
        PHOTOMETRIC.MINISWHITE: "WhiteIsZero: larger ones are darker",
        PHOTOMETRIC.PALETTE: "numbers of colours in a palette",
    }
    raise InputError(
        f"{path}: PhotometricInterpretation: expected values that grow with brightness "
        f"(BlackIsZero), found {found[meaning]} (save it as grey values)"
    )


def _refuse_other_files(description: str, path: Path) -> None:
    """Raise InputError where OME metadata say that planes lie in other files."""
    root = ElementTree.fromstring(description)
    for element in root.iter():
        name = element.get("FileName") if element.tag.endswith("}UUID") else None
        if name not in (None, path.name) and (element.text or "") != root.get("UUID"):
            raise InputError(
                f"{path}: expected one image wholly in this file, found planes in {name!r} (save "
                "it as one file, or name the folder of all its planes)"
            )


@contextmanager
def _errors_raised(path: Path) -> Iterator[None]:
    """tifffile logs an error, and goes on with fewer pages, where a file breaks off."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = records.append
    logger = logging.getLogger("tifffile")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    if records:
        raise InputError(
            f"{path}: expected a whole TIFF, found a damaged one ({records[0].getMessage()}) "
            "(copy or save it again)"
        )


def check_complete(image: tifffile.TiffPageSeries | list[tifffile.TiffPage], path: Path) -> None:
    """Raise InputError where voxels are absent or would lie beyond the end of the file.

    tifffile fills absent strips with zeros and says nothing.
    """
    size = path.stat().st_size
    if getattr(image, "dataoffset", None) is not None:
        segments = [(0, image.dataoffset, image.nbytes)]
    else:
        segments = [
            (number, offset, count)
            for number, page in enumerate(image)
            for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)
        ]
    for number, offset, count in segments:
        if not count:
            raise InputError(
                f"{path}: page {number}: expected voxels, found an empty strip (copy or save it "
                "again)"
            )
        if offset + count > size:
            raise InputError(
                f"{path}: page {number}: expected voxels up to byte {offset + count}, found a file "
                f"of {size} bytes (truncated: copy or save it again)"
            )


def tiff_voxel_size(file: tifffile.TiffFile) -> VoxelSize | None:
    """(z,y,x) in micrometres from OME or ImageJ metadata that state a unit; else None."""
    if file.is_ome:
        return _ome_voxel_size(file.ome_metadata, file.filehandle.path)
    if file.is_imagej:
        return _imagej_voxel_size(file)
    return None


def tiff_channel_names(file: tifffile.TiffFile) -> tuple[str, ...]:
    """The channels' names from OME metadata, where they hold some."""
    pixels = _pixels(file.ome_metadata) if file.is_ome else None
    channels = [] if pixels is None else [e for e in pixels if e.tag.endswith("}Channel")]
    return tuple((e.get("Name") or "").strip() for e in channels)


def ome_depth(description: str) -> int | None:
    """The planes of an image as OME metadata state them; None for one plane, or none stated."""
    try:
        pixels = _pixels(description)
    except ElementTree.ParseError:
        return None
    size = "" if pixels is None else pixels.get("SizeZ", "")
    return int(size) if size.isascii() and size.isdigit() and int(size) > 1 else None


def _pixels(description: str) -> ElementTree.Element | None:
    root = ElementTree.fromstring(description)
    return next((e for e in root.iter() if e.tag.endswith("}Pixels")), None)


def _ome_voxel_size(description: str, path: str) -> VoxelSize | None:
    pixels = _pixels(description)
    if pixels is None:
        return None
    sizes = []
    for axis in "ZYX":
        size = pixels.get(f"PhysicalSize{axis}")
        # The OME schema itself defines µm as the unit of a size that states none.
        unit = um_in(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        if size is None or unit is None:
            return None
        try:
            length = float(size)
        except ValueError:
            raise InputError(
                f"{path}: PhysicalSize{axis}: expected a number, found {size[:40]!r} (save it "
                "again with a decimal point)"
            ) from None
        if length <= 0:
            return None
        sizes.append(length * unit)
    return tuple(sizes)


def _imagej_voxel_size(file: tifffile.TiffFile) -> VoxelSize | None:
    metadata, tags = file.imagej_metadata, file.pages[0].tags
    unit = um_in(str(metadata.get("unit", "")))
    resolution = [tags.get(name) for name in ("YResolution", "XResolution")]
    spacing = metadata.get("spacing")
    if unit is None or spacing is None or None in resolution:
        return None
    pixels_per_unit = [tag.value[0] / tag.value[1] for tag in resolution if tag.value[1]]
    if len(pixels_per_unit) < 2 or min(pixels_per_unit) <= 0 or not spacing:
        return None
    return tuple(size * unit for size in (abs(float(spacing)), *(1 / p for p in pixels_per_unit)))
