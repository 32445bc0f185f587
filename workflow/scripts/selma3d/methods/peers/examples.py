"""Examples to learn from and to choose by: a run's patches, and windows of unannotated volumes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from ...challenge.checking import Model
from ...challenge.run import Run
from ...challenge.source import Source
from ...images import CollectionFile, PatchFile, VolumeFile
from ...images.collection_file import KIND as COLLECTION
from ...images.splits import check_disjoint, read_split, training_patches, validation_patches
from ...images.storage import VoxelSize, kind_of
from ...system.errors import InputError
from ...system.randomness import numpy_generator


class Windows(Model):
    """Windows of unannotated volumes that a method asks for."""

    number: int = Field(ge=1, description="of all volumes together")
    shape: tuple[int, int, int] = Field(description="(Z,Y,X) voxels")


@dataclass(frozen=True)
class Example:
    """An annotated patch in the part that it has in a run: `train` or `validation`."""

    structure: str
    patch: str
    role: str
    image: np.ndarray  # (Z,Y,X), as stored
    mask: np.ndarray  # (Z,Y,X) uint8 {0,1}
    voxel_size_um: VoxelSize | None


def examples(sources: Sequence[Source], run: Run) -> Iterator[Example]:
    """Training patches of the run's budget, fold and seed, then validation patches; one by one.

    Raises InputError where a specimen is in two parts, or the budget exceeds the training set.
    """
    splits = [read_split(source.split) for source in sources]
    check_disjoint(splits, [], folds=[run.fold])
    for source, split in zip(sources, splits, strict=True):
        chosen = {
            "train": training_patches(split, run.fold, run.seed, run.budget),
            "validation": validation_patches(split, run.fold),
        }
        with PatchFile(source.patches) as file:
            for role, patches in chosen.items():
                for patch in patches:
                    yield Example(
                        source.structure,
                        patch,
                        role,
                        file.image(patch, source.channel),
                        file.mask(patch),
                        file.voxel_size_um(patch),
                    )


def windows(
    volumes: Sequence[tuple[Path, int]],
    wanted: Windows,
    seed: int,
    held_out: Collection[str] = (),
) -> Iterator[np.ndarray]:
    """Windows (Z,Y,X) of unannotated volumes, taken in turn, each over a random block with tissue.

    volumes: files of volumes and collections, and the channel that is seen. held_out: specimens
    of collections that are not. Raises InputError where there is none, or one is smaller than a
    window.
    """
    if not volumes:
        raise InputError("volumes: expected unannotated ones to learn from, found none")
    shape = wanted.shape
    for index in range(wanted.number):
        path, channel = volumes[index % len(volumes)]
        random = numpy_generator(seed, index)
        if kind_of(path) == COLLECTION:
            yield _of_collection(path, channel, wanted, random, held_out)
            continue
        with VolumeFile(path) as volume:
            if any(size > whole for size, whole in zip(shape, volume.shape, strict=True)):
                raise InputError(
                    f"{path}: expected at least a window's shape {shape}, found "
                    f"{volume.shape} (method file: settings.windows.shape)"
                )
            blocks = np.argwhere(volume.occupied(channel))
            block = random.choice(blocks)
            starts = [
                min(int(at) * volume.block, whole - size)
                for at, whole, size in zip(block, volume.shape, shape, strict=True)
            ]
            slices = [slice(start, start + size) for start, size in zip(starts, shape, strict=True)]
            yield volume.read(channel, tuple(slices))


def _of_collection(
    path: Path,
    channel: int,
    wanted: Windows,
    random: np.random.Generator,
    held_out: Collection[str],
) -> np.ndarray:
    """A window of a random patch that is not all padding, of a random source volume."""
    with CollectionFile(path) as file:
        seen = [n for n, specimen in enumerate(file.specimens) if specimen not in held_out]
        if not seen:
            raise InputError(f"{path}: expected source volumes that are not held out, found none")
        stacks = file.stacks(int(random.choice(seen)))
        patches = [
            (stack, patch)
            for stack in stacks
            for patch in np.flatnonzero(file.patch_chances(stack, channel)[:, 0])
        ] or [(stack, patch) for stack in stacks for patch in range(stack.patches)]
        stack, patch = patches[random.integers(len(patches))]
        shape = stack.shape[1:]
        if any(size > whole for size, whole in zip(wanted.shape, shape, strict=True)):
            raise InputError(
                f"{path}: expected at least a window's shape {wanted.shape}, found patches of "
                f"{shape} (method file: settings.windows.shape)"
            )
        starts = [
            int(random.integers(whole - size + 1))
            for whole, size in zip(shape, wanted.shape, strict=True)
        ]
        slices = [slice(at, at + size) for at, size in zip(starts, wanted.shape, strict=True)]
        return file.read(stack, int(patch), channel, tuple(slices))
