"""Program that a Grand Challenge container runs: one image in, one mask out.

    python -m selma3d.export.container_entry CONTEXT

Reads the one image in `<input>/<slug>/` (.mha, .tif, .tiff) and writes a mask of 0 and 1,
compressed, to `<output>/<slug>/output.mha`; the image's geometry is kept. The roots are /input and
/output, or what $SELMA3D_INPUT and $SELMA3D_OUTPUT say.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

from ..images import Intensity
from ..images.conversion.stored_values import whole_numbers
from ..images.geometry import Geometry
from ..images.mha import write_mha
from ..images.readers import read_image
from ..inference import WindowSettings, load_model
from ..inference.cases import binarise
from ..system.errors import InputError
from ..system.fingerprint import visible

SUFFIXES = (".mha", ".tif", ".tiff")


def main() -> int:
    """Segment the image; 0 if the mask is written, 1 for bad input."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    context = Path(sys.argv[1])
    try:
        segment_input(
            context,
            Path(os.environ.get("SELMA3D_INPUT", "/input")),
            Path(os.environ.get("SELMA3D_OUTPUT", "/output")),
        )
    except InputError as error:
        logging.error("error: %s", error)
        return 1
    return 0


def segment_input(context: Path, input_root: Path, output_root: Path) -> None:
    """Segment the image below `input_root` with the model of `context`. Raises InputError."""
    settings = json.loads((context / "container.json").read_text())
    image = only_image(input_root / settings["input"])
    model = load_model(context / "model.pt")
    stored = read_image(image)
    voxels = whole_numbers(stored.array, image)
    # A challenge's image has one channel, that of the structure, or all that the archive has.
    channel = settings["channel"] if len(voxels) > 1 else 0
    if channel >= len(voxels):
        raise InputError(f"{image}: expected channel {channel}, found {len(voxels)} channels")
    grey = voxels[channel]
    windows = WindowSettings(settings["overlap"])
    mask = binarise(model, model.probability(grey, Intensity.of(grey), windows))
    geometry = stored.geometry or Geometry.of_size(None)
    write_mha(mask, output_root / settings["output"] / "output.mha", geometry)


def only_image(folder: Path) -> Path:
    """The one image in a folder. Raises InputError."""
    found = [f for f in visible(folder) if f.suffix.lower() in SUFFIXES]
    if len(found) != 1:
        raise InputError(
            f"{folder}: expected one image ({', '.join(SUFFIXES)}), "
            f"found {', '.join(f.name for f in found) or 'none'}"
        )
    return found[0]


if __name__ == "__main__":
    sys.exit(main())
