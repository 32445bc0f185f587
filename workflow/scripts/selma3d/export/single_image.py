"""Command for single images: a model and an image give a mask, without the workflow.

    python -m selma3d.segment MODEL IMAGE OUTPUT [--structure NAME]

MODEL is a file of `models/`. IMAGE is a NIfTI, MHA, TIFF or NPY file, or a volume of the workflow
(HDF5), which is segmented block by block in bounded memory; so is a folder of TIFF planes, which is
converted first. OUTPUT is a mask of 0 and 1 on the image's grid; its name chooses the format: .h5,
.ome.zarr, .ome.tiff, .tif, .mha, .nii or .nii.gz. A run that was interrupted continues when it is
started again (HDF5 and folders).
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from pathlib import Path

from ..images import Intensity, VolumeFile, write_volume
from ..images.conversion.stored_values import whole_numbers
from ..images.conversion.volume_conversion import (
    convert_volume,
    open_channels,
    source_fingerprint,
)
from ..images.geometry import Geometry
from ..images.readers import fingerprint, read_image
from ..images.storage import VoxelSize
from ..inference import TrainedModel, WindowSettings, load_model, segment_volume
from ..inference.cases import binarise
from ..inference.settings import DEFAULT
from ..system.atomic import remove_leftovers
from ..system.errors import InputError
from . import export, export_segmentation, suffix_of

log = logging.getLogger(__name__)

HDF5 = (".h5", ".hdf5")


def segment(
    model: TrainedModel,
    image: Path,
    output: Path,
    *,
    structure: str | None = None,
    work: Path | None = None,
    voxel_size_um: VoxelSize | None = None,
    settings: WindowSettings = DEFAULT,
) -> None:
    """Segment an image file into a mask file, see the module's text.

    structure: may be left out where it makes no difference to the channel. work: a folder that
    survives an interruption, beside the output if None. voxel_size_um (z,y,x): wins over the
    file's. Intensity constants are those of the whole image. Raises InputError.
    """
    structure = structure or only_structure(model)
    is_hdf5 = output.suffix in HDF5
    if not is_hdf5:
        suffix_of(output)
    work = work or output.with_name(f"{output.name}.work")
    remove_leftovers(output)
    if image.is_dir() or image.suffix in HDF5:
        volume = image
        if image.is_dir():
            volume = _converted(image, work, voxel_size_um)
        masks = output if is_hdf5 else work / "mask.h5"
        segment_volume(
            model, volume, masks, work=work / "segment", structure=structure, settings=settings
        )
        if not is_hdf5:
            export_segmentation(masks, output)
        shutil.rmtree(work, ignore_errors=True)
        return
    stored = read_image(image)
    voxels = whole_numbers(stored.array, image)
    channel = model.channel(structure)
    if channel >= len(voxels):
        raise InputError(
            f"{image}: channel: expected at least {channel + 1} channels for {structure}, "
            f"found {len(voxels)}"
        )
    size = voxel_size_um or stored.voxel_size_um
    if is_hdf5:
        with tempfile.TemporaryDirectory(dir=output.parent) as folder:
            volume = Path(folder) / "volume.h5"
            write_volume(
                volume, volume.with_suffix(".tsv"), voxels, sample=image.name, voxel_size_um=size
            )
            segment_volume(
                model,
                volume,
                output,
                work=Path(folder) / "work",
                structure=structure,
                settings=settings,
            )
        return
    grey = voxels[channel]
    probability = model.probability(grey, Intensity.of(grey), settings)
    geometry = stored.geometry or Geometry.of_size(None)
    export(binarise(model, probability), output, geometry.with_voxel_size(voxel_size_um))


def only_structure(model: TrainedModel) -> str:
    """A structure of the model, if all are on one channel. Raises InputError."""
    channels = {settings["channel"] for settings in model.structures.values()}
    if len(channels) > 1:
        raise InputError(
            f"{model.path}: structure: expected one of {', '.join(model.structures)}, whose "
            "channels differ, found none (--structure NAME)"
        )
    return next(iter(model.structures))


def _converted(folder: Path, work: Path, voxel_size_um: VoxelSize | None) -> Path:
    """The volume of a folder of planes, converted once for the same planes and voxel size."""
    volume = work / "volume.h5"
    if volume.exists() and not _is_made_from(volume, folder, voxel_size_um):
        log.info("%s: of other planes or another voxel size, converted anew", volume)
        volume.unlink()
    if not volume.exists():
        convert_volume(
            [folder],
            volume,
            volume.with_suffix(".tsv"),
            work / "convert",
            specimen="",
            sample=folder.name,
            voxel_size_um=voxel_size_um,
        )
    return volume


def _is_made_from(h5: Path, folder: Path, voxel_size_um: VoxelSize | None) -> bool:
    planes = open_channels([folder], accept_unreadable=False)
    with VolumeFile(h5) as volume:
        same = volume.voxel_size_um == voxel_size_um
        return same and source_fingerprint(volume) == fingerprint(planes)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 if the mask is written, 1 for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m selma3d.segment",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--structure", help="which of the model's structures it is")
    parser.add_argument("--voxel-size-um", type=float, nargs=3, metavar=("Z", "Y", "X"))
    parser.add_argument("--overlap", type=float, default=WindowSettings.overlap, help="of windows")
    parser.add_argument("--batch", type=int, default=WindowSettings.batch, help="windows at a time")
    parser.add_argument(
        "--block", type=int, default=WindowSettings.block, help="edge in voxels (HDF5)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, …")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's own choice)")
    parser.add_argument("--work", type=Path, help="folder for unfinished work")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        segment(
            load_model(given.model, device=given.device, threads=given.threads),
            given.image,
            given.output,
            structure=given.structure,
            work=given.work,
            voxel_size_um=tuple(given.voxel_size_um) if given.voxel_size_um else None,
            settings=WindowSettings(overlap=given.overlap, batch=given.batch, block=given.block),
        )
    except InputError as error:
        log.error("error: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
