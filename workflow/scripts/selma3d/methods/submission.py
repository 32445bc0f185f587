"""A container, or any other program, with Grand Challenge's interface as a method.

For each case the program finds one image below the edition's input path, writes one mask below its
output path, and ends. It is told neither the case's name nor, unless it asks, the structure.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path

import numpy as np

from ..challenge.containers import named_inputs
from ..images.conversion.stored_values import mask_of_labels
from ..images.geometry import Geometry, on_grid_of_case
from ..images.readers import read_image
from ..images.readers.formats.mha import mha_layout, write_mha
from ..system.errors import InputError
from ..system.fingerprint import visible
from ..system.limits import SPARE_VOXELS
from ..system.tables import listed
from .cases import CasesToSegment
from .peers.programs import run

log = logging.getLogger(__name__)

IMAGE = "image.mha"
SUFFIXES = (".mha", ".tif", ".tiff")


def segment_cases(
    to_segment: CasesToSegment,
    command: Sequence[str],
    *,
    minutes: float,
    places: Mapping[str, Path],
    slugs: Mapping[str, str | None],
    program_log: Path,
) -> None:
    """Run `command` once a case, each within `minutes`, and collect its masks.

    In its parts `{input}`, `{output}`, `{structure}` and the names of `places` stand for folders
    and for the structure. slugs: `input` and `output`, the paths below them, and `inputs_key` where
    an inputs.json lies beside. program_log: what the program prints.
    Raises InputError where it fails, takes too long, or writes anything but one mask of labels
    with the shape of the case.
    """
    with to_segment.open() as (cases, writer):
        for case in cases.ids:
            with tempfile.TemporaryDirectory() as folder:
                given, written = Path(folder, "input"), Path(folder, "output")
                (written / slugs["output"]).mkdir(parents=True)
                image = given / slugs["input"] / IMAGE
                known = cases.geometry(case) or Geometry.of_size(None)
                grid = known.with_voxel_size(cases.voxel_size_um(case))
                write_mha(cases.image(case, to_segment.channel), image, grid)
                if key := slugs.get("inputs_key"):
                    listed = json.dumps(named_inputs(slugs["input"], key))
                    (given / "inputs.json").write_text(listed)
                _, given_grid = mha_layout(image)
                folders = {**places, "input": given, "output": written}
                named = {key: str(path) for key, path in folders.items()}
                named["structure"] = to_segment.structure
                arguments = [_filled(part, named) for part in command]
                spent = run(arguments, program_log=program_log, minutes=minutes)
                log.info("case %s: %.1f s, %.1f CPU s", case, spent.seconds, spent.cpu_seconds)
                try:
                    mask = _read(
                        Path(folder), written / slugs["output"], cases.shape(case), given_grid
                    )
                except InputError as error:
                    raise InputError(
                        f"method {to_segment.method}, case {case!r}: {error}"
                    ) from None
                writer.add(case, mask)


def _refuse_links(root: Path, path: Path) -> None:
    """Raise InputError where `root`, `path` or a folder between them is a link."""
    for place in (path, *path.parents):
        if place.is_symlink():
            raise InputError(
                f"output: {place.name}: expected files and folders, found a link to "
                f"{place.readlink()}"
            )
        if place == root:
            return


def _filled(part: str, named: Mapping[str, str]) -> str:
    for key, value in named.items():
        part = part.replace(f"{{{key}}}", value)
    return part


def _read(root: Path, folder: Path, shape: tuple[int, ...], grid: Geometry) -> np.ndarray:
    """The one mask of a folder below `root`, uint8 {0,1} (Z,Y,X); above 0 is foreground.

    grid: of the image that the program was given, which its mask is turned onto.

    A program may replace folders and files as it likes: a link is followed nowhere.
    """
    _refuse_links(root, folder)
    if not folder.is_dir():
        raise InputError(f"output: expected a folder {folder.name}, found none")
    found = [path for path in visible(folder) if path.name.lower().endswith(SUFFIXES)]
    if len(found) != 1:
        names = listed(path.name for path in found) or "none"
        raise InputError(f"output: expected one mask ({', '.join(SUFFIXES)}), found {names}")
    path = found[0]
    _refuse_links(root, path)
    stored = read_image(path, max(SPARE_VOXELS, 4 * prod(shape)))
    array = stored.array
    if array.shape != (1, *shape):
        raise InputError(
            f"{path.name}: expected one channel of shape (Z,Y,X) {shape}, found {array.shape}"
        )
    turned = on_grid_of_case(array[0], stored.geometry, grid, path, path.stem)
    mask, _ = mask_of_labels(turned, path)
    return mask
