"""An image that is to be segmented alone, looked at before a network is loaded."""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from ..challenge.config import Oddity
from ..images.geometry import Geometry
from ..images.readers import fingerprint, open_image
from ..images.readers.hdf5_image import Hdf5Image
from ..images.storage import VoxelSize
from ..system.errors import InputError
from . import suffix_of

HDF5 = (".h5", ".hdf5")
OTHER_VOXEL_SIZE = "other-voxel-size"
CONSTANT_IMAGE, MISSING_PLANES = "constant-image", "missing-planes"
# Every name of `convert.allow`, though those of masks and of several headers change nothing here.
ALLOWED = (*get_args(Oddity), OTHER_VOXEL_SIZE)
MOST_UNLIKE = 1.25  # voxel sizes whose ratio is larger are another size


@dataclass(frozen=True)
class SegmentRequest:
    """What is asked of the command, but for the windows' settings.

    channel: number or name in the image; None for the model's. voxel_size_um (z,y,x): wins over the
    file's. allow: names of oddities that are accepted (`ALLOWED`). split: how touching objects of
    the table are told apart. work: a folder that survives an interruption; None: beside the output.
    """

    model: Path
    image: Path
    output: Path
    structure: str | None = None
    channel: str | None = None
    voxel_size_um: VoxelSize | None = None
    allow: Collection[str] = ()
    split: str = "components"
    work: Path | None = None

    @property
    def folder(self) -> Path:
        """Where unfinished work lies."""
        return self.work or self.output.with_name(f"{self.output.name}.work")

    def beside(self, suffix: str) -> Path:
        """A file beside the output that is called as it is, but for the extension."""
        name = self.output.name
        ends = HDF5 if self.is_hdf5 else (suffix_of(self.output),)
        end = next(end for end in ends if name.lower().endswith(end))
        return self.output.with_name(f"{name[: -len(end)]}{suffix}")

    @property
    def is_hdf5(self) -> bool:
        return self.output.suffix.lower() in HDF5


@dataclass(frozen=True)
class SingleInput:
    """An image as its header describes it: shape (C,Z,Y,X), names of channels, place, files.

    is_volume: whether it is a volume of the workflow. channel: the one that was asked for; None
    where the model decides.
    """

    shape: tuple[int, int, int, int]
    channel_names: tuple[str, ...]
    geometry: Geometry | None
    fingerprint: str
    is_volume: bool
    channel: int | None

    @property
    def voxel_size_um(self) -> VoxelSize | None:
        return None if self.geometry is None else self.geometry.voxel_size_um

    @property
    def voxels(self) -> int:
        """Of a channel."""
        return math.prod(self.shape[1:])

    def called(self, channel: int) -> str:
        """A channel in words, such as `1 of 0 to 2 (561)`."""
        name = f" ({self.channel_names[channel]})" if self.channel_names else ""
        last = self.shape[0] - 1
        return f"{channel}{f' of 0 to {last}' if last else ''}{name}"


def inspected(task: SegmentRequest) -> SingleInput:
    """The image of a task, when everything that can be checked without a network is in order.

    Raises InputError for a name of no format, folders that are absent, a file that is no model or
    no image, and a channel that the image does not have.
    """
    if not task.is_hdf5:
        suffix_of(task.output)
    if not task.output.parent.is_dir():
        raise InputError(f"{task.output.parent}: expected a folder for the mask, found none")
    if unknown := sorted(set(task.allow) - set(ALLOWED)):
        raise InputError(f"allow: expected some of {', '.join(ALLOWED)}, found {unknown[0]!r}")
    if not task.model.is_file():
        raise InputError(f"{task.model}: expected a model file, found nothing")
    if not zipfile.is_zipfile(task.model):
        raise InputError(
            f"{task.model}: expected a model file (results/<name>/models/…/<run>.pt), found "
            "another file, or a damaged one"
        )
    if task.image.exists() and task.output.exists() and task.image.samefile(task.output):
        raise InputError(f"{task.output}: expected another place than the image's own")
    with open_image(task.image) as image:
        image.check_promise()
        names = image.channel_names or ()
        return SingleInput(
            image.shape,
            names,
            image.geometry,
            fingerprint([image]),
            isinstance(image, Hdf5Image) and image.file.attrs.get("kind") == "volume",
            None if task.channel is None else _channel(task, image.shape[0], names),
        )


def _channel(task: SegmentRequest, channels: int, names: tuple[str, ...]) -> int:
    """The number of the channel that was asked for, by number or by name."""
    asked = task.channel or ""
    matching = [n for n, name in enumerate(names) if name.casefold() == asked.casefold()]
    if len(matching) == 1:
        return matching[0]
    if asked.isascii() and asked.isdigit() and int(asked) < channels:
        return int(asked)
    named = f" or a name ({', '.join(names)})" if names else ""
    raise InputError(
        f"{task.image}: channel: expected a number from 0 to {channels - 1}{named}, found {asked!r}"
    )


def check_voxel_size(
    task: SegmentRequest, found: VoxelSize | None, trained: Collection[VoxelSize]
) -> str | None:
    """Compare an image's voxels (z,y,x) with those that a model was trained on; a remark, or None.

    Raises InputError where they are of another size and that is not allowed.
    """
    if not trained:
        return "the model file holds no voxel size of its training: the image's was not compared"
    sizes = " or ".join(_text(size) for size in trained)
    if found is None:
        return (
            f"its voxel size is not known, and was not compared with that of training, {sizes} "
            "(state it: --voxel-size-um Z Y X)"
        )
    if any(_alike(found, size) for size in trained):
        return None
    source, cure = "in the image", "state --voxel-size-um Z Y X if that is wrong"
    if task.voxel_size_um:
        source, cure = "in --voxel-size-um", "correct it if that is wrong: the order is Z Y X"
    text = f"expected voxels of {sizes} as in training, found {_text(found)} {source}"
    if OTHER_VOXEL_SIZE in task.allow:
        return f"{text}, allowed"
    raise InputError(
        f"{task.image}: {text} ({cure}; resample the image; or --allow {OTHER_VOXEL_SIZE}, and "
        "expect a worse mask)"
    )


def _alike(size: VoxelSize, other: VoxelSize) -> bool:
    ratios = [max(a / b, b / a) for a, b in zip(size, other, strict=True)]
    return max(ratios) <= MOST_UNLIKE


def _text(size: VoxelSize) -> str:
    return f"{'×'.join(f'{length:g}' for length in size)} µm (z,y,x)"


def settings_fingerprint(
    task: SegmentRequest, image: SingleInput, decisive: Sequence[object]
) -> str:
    """Changes with image, voxel size, model file and whatever else decides the mask."""
    model = hashlib.sha256(task.model.read_bytes()).hexdigest()
    facts = [task.image.resolve(), image.fingerprint, image.shape, task.voxel_size_um, model]
    text = json.dumps([*facts, sorted(task.allow), *decisive], default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
