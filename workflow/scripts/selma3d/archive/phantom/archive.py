"""A phantom archive: synthetic images laid out and named as the real archive is."""

from __future__ import annotations

import gzip
import hashlib
import io
import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import tifffile

from ...system import atomic
from .specification import read_spec
from .specimens import Specimen, annotated_specimens, imaged_specimens, tested_specimens

log = logging.getLogger(__name__)

SAMPLE_COLUMNS = ["structure", "kind", "sample", "specimen", "role", "archive", "image", "mask"]


def write_archive(folder: Path, spec: Mapping[str, Any], seed: int) -> None:
    """Write the phantom archive that `spec` describes; a pure function of `spec` and `seed`.

    The package's docstring explains `spec`. Every file appears whole or not at all; the manifest
    comes last. Raises InputError where `spec` is faulty, before anything is written.
    """
    archive = _Archive(Path(folder))
    for structure in read_spec(spec):
        log.info("phantom %s: drawing specimens", structure.name)
        annotated = f"SELMA3D_training_annotated/{structure.folder}"
        cases = f"selma3d_test/{structure.name}"
        for specimen in annotated_specimens(structure, seed):
            archive.add_patches(
                specimen, structure.training.patches_per_specimen, annotated, "patch"
            )
        for specimen in tested_specimens(structure, seed):
            archive.add_patches(specimen, structure.test.patches_per_specimen, cases, "case")
        for specimen in imaged_specimens(structure, seed):
            archive.add_volume(specimen)
    archive.write_tables()


class _Archive:
    """The files written so far and what is known about them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.samples: list[tuple[str, ...]] = []
        self.numbered: Counter[str] = Counter()
        self.files: list[tuple[str, int, str]] = []

    def add_patches(self, specimen: Specimen, count: int, subset: str, kind: str) -> None:
        """`count` patches of a specimen, numbered through the subset, truth beside raw."""
        size = specimen.structure.voxel_size_um
        for image, truth in zip(*specimen.patches(count), strict=True):
            number = self.numbered[subset]
            self.numbered[subset] += 1
            patch = f"{number:03d}"
            name = f"patchvolume_{patch}"
            raws = [
                self._publish(
                    f"{subset}/raw/{name}_{c:04d}.nii.gz", encode_raw(plane, size, number)
                )
                for c, plane in enumerate(image)
            ]
            mask = self._publish(f"{subset}/gt/{name}.nii.gz", encode_mask(truth, size, number))
            self._note(specimen, kind, patch, raws[0], mask)
        log.info("%s (%s): %d patches", specimen.name, specimen.role, count)

    def add_volume(self, specimen: Specimen) -> None:
        """One TIFF a plane; names without leading zeros, so that their order is not the text's."""
        sample = f"sample{specimen.number}"
        place = f"selma3d_unannotated/{specimen.structure.name}/{sample}"
        image = specimen.volume()
        for channel, planes in enumerate(image):
            for z, plane in enumerate(planes):
                self._publish(f"{place}/C{channel:02d}/{sample}_Z{z}.tif", encode_plane(plane))
        self._note(specimen, "volume", sample, place, "")
        log.info("%s: volume of %s voxels", specimen.name, "×".join(map(str, image.shape[1:])))

    def write_tables(self) -> None:
        """`samples.tsv`, then `manifest.tsv` as the sign that the archive is whole."""
        samples = pd.DataFrame(self.samples, columns=SAMPLE_COLUMNS)
        atomic.write_table(samples, self.folder / "samples.tsv")
        manifest = pd.DataFrame(sorted(self.files), columns=["path", "bytes", "sha256"])
        atomic.write_table(manifest, self.folder / "manifest.tsv")
        log.info("phantom archive of %d files in %s", len(manifest), self.folder)

    def _publish(self, path: str, content: bytes) -> str:
        with atomic.publish(self.folder / path) as temporary:
            temporary.write_bytes(content)
        self.files.append((path, len(content), hashlib.sha256(content).hexdigest()))
        return path

    def _note(self, specimen: Specimen, kind: str, sample: str, image: str, mask: str) -> None:
        structure = specimen.structure.name
        self.samples.append(
            (structure, kind, sample, specimen.name, specimen.role, "phantom", image, mask)
        )


def encode_raw(image: np.ndarray, voxel_size_um: tuple[float, ...], number: int) -> bytes:
    """One channel (Z,Y,X) of patch `number`; every other patch holds its integers as float64."""
    stored = image.astype(np.float64) if number % 2 == 0 else image
    return _nifti(stored, voxel_size_um, singleton=_has_singleton(number))


def encode_mask(truth: np.ndarray, voxel_size_um: tuple[float, ...], number: int) -> bytes:
    """Truth (Z,Y,X) bool of patch `number` as {0,1}, {0,255} or {0,95,255}, in turn."""
    mask = truth * np.uint8(1 if number % 3 == 0 else 255)
    if number % 3 == 2:
        mask[::2] = np.minimum(mask[::2], 95)
    return _nifti(mask, voxel_size_um, singleton=_has_singleton(number))


def encode_plane(plane: np.ndarray) -> bytes:
    """A plane (Y,X) as deflate-compressed TIFF."""
    content = io.BytesIO()
    tifffile.imwrite(content, plane, compression="deflate", metadata=None)
    return content.getvalue()


def _has_singleton(number: int) -> bool:
    return number % 3 == 1


def _nifti(array: np.ndarray, voxel_size_um: tuple[float, ...], *, singleton: bool) -> bytes:
    """Gzipped NIfTI of (Z,Y,X), stored X,Y,Z or X,Y,Z,1; without a time stamp, so reproducible."""
    stored = array.T[..., None] if singleton else array.T
    image = nibabel.Nifti1Image(stored, np.diag([*voxel_size_um[::-1], 1.0]))
    image.header.set_xyzt_units("micron")
    return gzip.compress(image.to_bytes(), compresslevel=4, mtime=0)
