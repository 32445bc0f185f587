"""Program that a Grand Challenge container runs: one image in, one mask out.

    python -m selma3d.export.container_entry CONTEXT

Reads the one image in `<input>/<slug>/` (.mha, .tif, .tiff) and writes a mask of 0 and 1,
compressed, to `<output>/<slug>/output.mha`; the image's geometry is kept. The roots are /input and
/output, or what $SELMA3D_INPUT and $SELMA3D_OUTPUT say.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from ..images import Intensity
from ..images.conversion.stored_values import whole_numbers
from ..images.geometry import Geometry
from ..images.readers import read_image
from ..images.readers.formats.mha import write_mha
from ..inference import TrainedModel, WindowSettings, load_model
from ..inference.cases import binarise
from ..system.errors import InputError
from .container_input import ContainerSettings, image_of, read_settings

MODEL = "model.pt"
OUTPUT = "output.mha"


def main() -> int:
    """Segment the image; 0 if the mask is written, 1 for bad input."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    context = Path(sys.argv[1])
    try:
        settings = read_settings(context)
        segment_input(load_model(context / MODEL), settings, *roots())
    except InputError as error:
        logging.error("error: %s", error)
        return 1
    return 0


def roots() -> tuple[Path, Path]:
    """Where the platform puts images and looks for masks."""
    given, written = os.environ.get("SELMA3D_INPUT"), os.environ.get("SELMA3D_OUTPUT")
    return Path(given or "/input"), Path(written or "/output")


def segment_input(
    model: TrainedModel, settings: ContainerSettings, input_root: Path, output_root: Path
) -> Path:
    """Segment the image below `input_root`; the mask's file. Raises InputError.

    A mask of an earlier image goes first: after a failure none is there.
    """
    output = output_root / settings.output / OUTPUT
    output.unlink(missing_ok=True)
    image = image_of(input_root, settings)
    stored = read_image(image)
    voxels = whole_numbers(stored.array, image)
    # A challenge's image has one channel, that of the structure, or all that the archive has.
    channel = settings.channel if len(voxels) > 1 else 0
    if channel >= len(voxels):
        raise InputError(f"{image}: expected channel {channel}, found {len(voxels)} channels")
    grey = voxels[channel]
    windows = WindowSettings(settings.overlap)
    mask = binarise(model, model.probability(grey, Intensity.of(grey), windows))
    write_mha(mask, output, stored.geometry or Geometry.of_size(None))
    return output


if __name__ == "__main__":
    sys.exit(main())
