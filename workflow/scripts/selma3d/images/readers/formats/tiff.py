"""TIFF files of one image: OME-TIFF, ImageJ's stacks, and plain ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from ...geometry import Geometry
from ..image_file import ImageFile, canonical, canonical_shape, closed_on_error, with_planes
from ..tiff_metadata import open_series, tiff_channel_names, tiff_voxel_size
from . import Format

EXTENSIONS = (".ome.tiff", ".ome.tif", ".tiff", ".tif")
PLANES = "TQI"  # letters that an axis of planes may have, the likely ones first


@dataclass(kw_only=True, eq=False)
class TiffImage(ImageFile):
    """One TIFF; `pages` (C,Z) are the numbers of its planes, None where pages are no planes."""

    by_plane = True

    tiff: tifffile.TiffFile
    pages: np.ndarray | None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._whole: np.ndarray | None = None
        self.tiff.filehandle.set_lock(True)

    def plane_name(self, channel: int, z: int) -> str:
        if self.pages is None:
            return super().plane_name(channel, z)
        return f"{self.path}, page {self.pages[channel, z]}"

    def load(self, channel: int, start: int, stop: int, rows: slice) -> np.ndarray:
        if self.pages is None:
            self._whole = self.load_all() if self._whole is None else self._whole
            return self._whole[channel, start:stop, rows]
        return np.stack([self._page(self.pages[channel, z])[rows] for z in range(start, stop)])

    def load_all(self) -> np.ndarray:
        array = self.tiff.series[0].asarray(maxworkers=1)
        return canonical(array, self.axes, self.path)

    def _page(self, number: int) -> np.ndarray:
        series = self.tiff.series[0]
        height, width = self.shape[2:]
        if series.dataoffset is None:
            return series.pages[number].asarray(maxworkers=1).reshape(height, width)
        # Uncompressed: one run of bytes. ImageJ has no further pages in stacks beyond 4 GB.
        return np.memmap(
            self.path,
            dtype=self.dtype.newbyteorder(self.tiff.byteorder),
            mode="r",
            offset=series.dataoffset + int(number) * height * width * self.dtype.itemsize,
            shape=(height, width),
        )

    def close(self) -> None:
        self.tiff.close()


def open_tiff(path: Path, _: bool = False) -> TiffImage:
    """A TIFF that holds one image, by its headers. Raises InputError."""
    tiff, image = open_series(path)
    with closed_on_error(tiff):
        axes = with_planes(image.axes, image.shape, path, PLANES)
        size = tiff_voxel_size(tiff)
        return TiffImage(
            path=path,
            shape=canonical_shape(image.shape, axes, path),
            dtype=np.dtype(image.dtype),
            axes=axes,
            geometry=None if size is None else Geometry.of_size(size),
            channel_names=tiff_channel_names(tiff),
            packed_bytes=path.stat().st_size if image.dataoffset is None else None,
            tiff=tiff,
            pages=_pages(axes, image.shape),
        )


def _pages(axes: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """The page (C,Z) of each plane; None where a page is no grey plane."""
    kept = [(letter, length) for letter, length in zip(axes, shape, strict=True) if length > 1]
    letters = "".join(letter for letter, _ in kept)
    if not letters.endswith("YX") or not set(letters) <= set("CZYX"):
        return None
    lengths = dict(kept)
    pages = np.arange(lengths.get("C", 1) * lengths["Z"])
    if letters.startswith("ZC"):
        return pages.reshape(lengths["Z"], -1).T
    return pages.reshape(-1, lengths["Z"])


FORMAT = Format(EXTENSIONS, open_tiff)
