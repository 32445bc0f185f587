"""Command for single images: a model and an image give a mask, without the workflow.

    PYTHONPATH=workflow/scripts .venv/bin/python -m selma3d.segment MODEL IMAGE OUTPUT

MODEL is a file of `results/<name>/models/`. IMAGE is any image that the workflow reads
(docs/formats.md), or a volume of the workflow. OUTPUT is a mask of 0 and 1 on the image's grid; its
name chooses the format: .h5, .ome.zarr, .ome.tif, .tif, .mha, .nii or .nii.gz. Beside it come a
table of the objects (.objects.tsv) and a picture of mask on image (.overlay.png). A run that was
interrupted continues when it is started again with the same image and settings.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..images import Intensity, SegmentationFile, VolumeFile
from ..images.conversion.stored_values import whole_numbers
from ..images.conversion.volume_conversion import VolumeSettings, convert_volume
from ..images.geometry import OTHER_GEOMETRY, Geometry
from ..images.readers import open_image
from ..images.storage import ArrayOnDisk, VoxelSize
from ..system.atomic import remove_leftovers, write_table
from ..system.errors import InputError
from . import export
from .overlay import draw_overlay
from .single_input import (
    ALLOWED,
    CONSTANT_IMAGE,
    MISSING_PLANES,
    SegmentRequest,
    SingleInput,
    check_voxel_size,
    inspected,
    settings_fingerprint,
)

if TYPE_CHECKING:  # what imports torch, which is loaded after the checks
    import pandas as pd

    from ..inference import TrainedModel, WindowSettings
    from ..inference.instances import Splitting

log = logging.getLogger(__name__)

MOST_IN_MEMORY = 256**3  # voxels; larger images are segmented block by block, resumably


@dataclass(frozen=True)
class SegmentedImage:
    """One channel of an image, its mask (Z,Y,X, in memory or on disk) and a row an object."""

    image: ArrayOnDisk
    mask: ArrayOnDisk
    objects: pd.DataFrame
    voxel_size_um: VoxelSize | None


@dataclass(frozen=True)
class ImageSegmenter:
    """A model that is put to a task's image: the structure, and the channel that shows it."""

    model: TrainedModel
    image: SingleInput
    task: SegmentRequest
    settings: WindowSettings
    structure: str
    channel: int

    @classmethod
    def of(
        cls, model: TrainedModel, image: SingleInput, task: SegmentRequest, settings: WindowSettings
    ) -> ImageSegmenter:
        """Raises InputError where structure, channel or voxel size do not fit."""
        structure = task.structure or only_structure(model)
        own = model.channel(structure)
        channel = own if image.channel is None else image.channel
        if channel >= image.shape[0]:
            raise InputError(
                f"{task.image}: channel: expected at least {channel + 1} channels for {structure}, "
                f"found {image.shape[0]} (--channel NUMBER says which one shows it)"
            )
        size = task.voxel_size_um or image.voxel_size_um
        remark = check_voxel_size(task, size, model.training_voxel_sizes_um(structure))
        if remark:
            log.warning("%s: %s", task.image, remark)
        log.info(
            "segmenting %s in channel %s, threshold %.2f",
            structure,
            image.called(channel),
            model.threshold,
        )
        return cls(model, image, task, settings, structure, channel)

    @contextmanager
    def found(self) -> Iterator[SegmentedImage]:
        """What is found, while its files are open."""
        task = self.task
        is_large = self.image.voxels > MOST_IN_MEMORY
        if is_large or task.is_hdf5 or self.image.is_volume or task.image.is_dir():
            with self._on_disk() as found:
                yield found
        else:
            yield self._in_memory()

    def _in_memory(self) -> SegmentedImage:
        from ..inference.cases import binarise
        from ..inference.objects import objects_in_memory

        with open_image(self.task.image) as file:
            voxels = whole_numbers(file.read_all()[self.channel], self.task.image)
            file.check_unchanged()
        self._check_varies(voxels.min() < voxels.max())
        size = self.task.voxel_size_um or self.image.voxel_size_um
        probability = self.model.probability(voxels, Intensity.of(voxels), self.settings)
        mask = binarise(self.model, probability)
        table = objects_in_memory(mask, voxels, size, self._splitting)
        return SegmentedImage(voxels, mask, table, size)

    @contextmanager
    def _on_disk(self) -> Iterator[SegmentedImage]:
        """Block by block; a killed run of the same image and settings is continued."""
        from ..inference import segment_volume
        from ..inference.instances import write_instances
        from ..inference.objects import Channel, measure_objects

        task, work = self.task, self._own_folder()
        volume = self._volume(work)
        with VolumeFile(volume) as source:
            self._check_varies(source.intensity(self.channel).sd > 0)
        masks = task.output if task.is_hdf5 else work / "mask.h5"
        if task.is_hdf5 or not masks.exists():
            segment_volume(
                self.model.with_channel(self.structure, self.channel),
                volume,
                masks,
                work=work / "segment",
                structure=self.structure,
                settings=self.settings,
            )
        write_instances(masks, work / "labels.h5", self._splitting)
        table = measure_objects(work / "labels.h5", volume, channel=self.channel)
        with VolumeFile(volume) as source, SegmentationFile(masks) as found:
            grey = Channel(source.dataset("image"), self.channel)
            yield SegmentedImage(grey, found.mask, table, found.voxel_size_um)

    def _own_folder(self) -> Path:
        """Where work with this image, model and settings lies; any other is removed."""
        decisive = [self.model.path, self.structure, self.channel]
        decisive += [self.settings.overlap, self.settings.block]
        own = self.task.folder / settings_fingerprint(self.task, self.image, decisive)
        for other in self.task.folder.glob("*"):
            if other != own and other.is_dir():
                log.info("%s: of another image, model or setting, removed", other)
                shutil.rmtree(other)
        own.mkdir(parents=True, exist_ok=True)
        return own

    def _volume(self, work: Path) -> Path:
        """The image as a volume of the workflow, converted if need be."""
        task = self.task
        if self.image.is_volume:
            return task.image
        volume = work / "volume.h5"
        if not volume.exists():
            log.info("converting %s", task.image)
            convert_volume(
                [task.image],
                volume,
                volume.with_suffix(".tsv"),
                work / "convert",
                specimen="",
                sample=task.image.name,
                voxel_size_um=None,
                settings=VolumeSettings(
                    row_voxel_size_um=task.voxel_size_um,  # wins over the file's
                    allow=[OTHER_GEOMETRY, *(a for a in task.allow if a == MISSING_PLANES)],
                ),
            )
        return volume

    def _check_varies(self, varies: bool) -> None:
        if not varies and CONSTANT_IMAGE not in self.task.allow:
            raise InputError(
                f"{self.task.image}: expected grey values that vary, found a constant channel "
                f"(another --channel? to segment it nevertheless, --allow {CONSTANT_IMAGE})"
            )

    @property
    def _splitting(self) -> Splitting:
        from ..inference.instances import Splitting

        return Splitting(method=self.task.split)


def segment(
    model: TrainedModel, image: SingleInput, task: SegmentRequest, settings: WindowSettings
) -> None:
    """Segment an image into a mask, a table of its objects and a picture, see the module's text.

    Intensity constants are those of the whole image. Raises InputError.
    """
    segmenter = ImageSegmenter.of(model, image, task, settings)
    remove_leftovers(task.output)
    table, picture = task.beside(".objects.tsv"), task.beside(".overlay.png")
    with segmenter.found() as found:
        if not task.is_hdf5:
            geometry = image.geometry or Geometry.of_size(None)
            export(found.mask, task.output, geometry.with_voxel_size(task.voxel_size_um))
        write_table(found.objects, table)
        draw_overlay(found.image, found.mask, picture, found.voxel_size_um)
        objects, voxels = len(found.objects), found.objects["voxels"].sum()
    shutil.rmtree(task.folder, ignore_errors=True)
    log.info("%d objects, %.3g %% of the voxels", objects, 100 * voxels / image.voxels)
    for path in (task.output, table, picture):
        log.info("wrote %s", path)


def only_structure(model: TrainedModel) -> str:
    """A structure of the model, if all are on one channel. Raises InputError."""
    if len(set(model.channels.values())) > 1:
        raise InputError(
            f"{model.path}: structure: expected one of {', '.join(model.channels)}, whose "
            "channels differ, found none (--structure NAME)"
        )
    return next(iter(model.channels))


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 if the mask is written, 1 for bad input."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    task = SegmentRequest(
        model=given.model,
        image=given.image,
        output=given.output,
        structure=given.structure,
        channel=given.channel,
        voxel_size_um=tuple(given.voxel_size_um) if given.voxel_size_um else None,
        allow=tuple(given.allow),
        split=given.split,
        work=given.work,
    )
    try:
        image = inspected(task)
        from ..inference import WindowSettings, load_model  # torch: seconds, after the checks

        asked = {name: getattr(given, name) for name in ("overlap", "batch", "block")}
        settings = WindowSettings(**{name: n for name, n in asked.items() if n is not None})
        model = load_model(given.model, device=given.device, threads=given.threads)
        segment(model, image, task, settings)
    except InputError as error:
        log.error("error: %s", error)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m selma3d.segment",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("image", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--channel", help="that shows the structure: a number from 0, or its name")
    parser.add_argument("--structure", help="which of the model's structures it is")
    parser.add_argument(
        "--voxel-size-um", type=_length, nargs=3, metavar=("Z", "Y", "X"), help="not the file's"
    )
    parser.add_argument(
        "--split",
        default="components",
        choices=["components", "watershed"],
        help="watershed tells objects of the table apart that touch",
    )
    parser.add_argument(
        "--allow",
        nargs="+",
        default=[],
        choices=ALLOWED,
        metavar="ODDITY",
        help=f"accept what is refused otherwise: {', '.join(ALLOWED)}",
    )
    parser.add_argument("--overlap", type=float, help="of windows, a share of their size (0.5)")
    parser.add_argument("--batch", type=int, help="windows at a time (4)")
    parser.add_argument("--block", type=int, help="edge in voxels of what is held in memory (256)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, …")
    parser.add_argument("--threads", type=int, help="CPU threads (default: torch's own choice)")
    parser.add_argument("--work", type=Path, help="folder for unfinished work")
    return parser


def _length(text: str) -> float:
    """A positive length; raises ValueError for another text."""
    length = float(text)
    if not 0 < length < float("inf"):
        raise ValueError(text)
    return length


if __name__ == "__main__":
    sys.exit(main())
