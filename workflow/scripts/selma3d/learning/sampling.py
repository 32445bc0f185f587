"""Samples of volumes and patches, each a pure function of (seed, global sample index).

A sampler turns an index into raw voxels; `prepare` turns a batch of them, on the device, into what
a network sees. Any process can draw any sample, so the stream of samples is the same after a
resume, with any number of loader processes and any number of GPUs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import find_objects
from torch import Tensor

from ..challenge.recipe import Normalisation, Size
from ..images import PERCENTILES, CollectionFile, Intensity, PatchFile, VolumeFile
from ..images.collection_file import KIND as COLLECTION
from ..images.collection_file import Stack
from ..images.storage import kind_of
from ..system.errors import InputError
from ..system.randomness import numpy_generator
from .device import single_precision

Batch = dict[str, Tensor]

NOT_ANNOTATED = 2  # in masks that are learnt from, beside 0 and 1
_DARKEST = 1 / 64  # of the median
_NOISES = 30  # faint cells stand out of tissue by this much, bright ones by threefold
_TEXTURES = 10  # the same against the texture of tissue


class Sampler(Protocol):
    """Draws sample `index` as arrays: `image` and, where labelled, `mask` (Z,Y,X); `intensity`."""

    def sample(self, index: int) -> dict[str, np.ndarray]: ...

    def keep(self) -> None:
        """Read what it keeps in memory now, before processes are forked that share it."""


def collate(sampler: Sampler, indices: Sequence[int]) -> Batch:
    """Draw samples and stack them: images, masks (B,1,Z,Y,X) raw; intensity (B,K); index (B,)."""
    samples = [sampler.sample(index) for index in indices]
    batch = {
        name: torch.from_numpy(np.stack([sample[name] for sample in samples]))
        for name in samples[0]
    }
    batch = {name: each.unsqueeze(1) if each.ndim == 4 else each for name, each in batch.items()}
    return batch | {"index": torch.tensor(indices, dtype=torch.int64)}


@dataclass(frozen=True)
class VolumeSource:
    """An unannotated volume or a collection (HDF5), and the channel of it that is seen.

    leave_out: specimens of a collection that are never seen. copy: the same file on a faster disk,
    which is read instead.
    """

    path: Path
    channel: int
    leave_out: tuple[str, ...] = ()
    copy: Path | None = None

    @property
    def read_from(self) -> Path:
        """The file that is read."""
        return self.copy or self.path


@dataclass
class UnlabelledSampler:
    """Windows of unannotated volumes and patches: never centred on air, bright blocks more often.

    Volumes, and a collection's source volumes, are drawn alike. InputError where there is none, or
    where a window is larger than a patch of a collection.
    brightness_bias: share of the samples whose block is drawn in proportion to its brightness (99th
    percentile) above the volume's median tissue block; the others come from all tissue alike.
    """

    sources: Sequence[VolumeSource]
    window: Size
    seed: int
    brightness_bias: float = 0.5
    _opened: dict[int, _Volume | _SourceVolume] = field(default_factory=dict, repr=False)
    _collections: dict[Path, CollectionFile] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._places = [
            (source, volume) for source in self.sources for volume in _volumes(source, self.window)
        ]
        if not self._places:
            raise InputError("volumes: expected at least one to learn from, found none")
        # With them `choice` draws otherwise than without; recorded trainings drew so.
        self._shares = np.full(len(self._places), 1 / len(self._places))

    def sample(self, index: int) -> dict[str, np.ndarray]:
        random = numpy_generator(self.seed, "unlabelled", index)
        chosen = int(random.choice(len(self._places), p=self._shares))
        volume = self._volume(chosen)
        return {"image": volume.draw(random, self.window), "intensity": volume.intensity}

    def keep(self) -> None:
        """Nothing of a volume is kept."""

    def _volume(self, number: int) -> _Volume | _SourceVolume:
        if number not in self._opened:
            source, volume = self._places[number]
            if volume is None:
                opened = _Volume(source.read_from, source.channel, self.brightness_bias)
            else:
                file = self._collections.setdefault(source.path, CollectionFile(source.read_from))
                opened = _SourceVolume(file, volume, source.channel, self.brightness_bias)
            self._opened[number] = opened
        return self._opened[number]


def _volumes(source: VolumeSource, window: Size) -> list[int | None]:
    """Numbers of the source volumes of a collection that are seen; [None] for a volume.

    Raises InputError where a patch of them is smaller than a window.
    """
    if not source.path.exists() or kind_of(source.read_from) != COLLECTION:
        return [None]
    with CollectionFile(source.read_from) as file:
        kept = [n for n, s in enumerate(file.specimens) if s not in source.leave_out]
        for stack in (stack for number in kept for stack in file.stacks(number)):
            if any(wanted > size for wanted, size in zip(window, stack.shape[1:], strict=True)):
                raise InputError(
                    f"{source.path}: window: expected at most the {stack.shape[1:]} voxels (Z,Y,X) "
                    f"of its patches, found {tuple(window)} (a smaller input.window in the method "
                    "file, or, with input.resample, one that reads fewer voxels)"
                )
    return kept


class _SourceVolume:
    """One channel of a collection's source volume, with the chances of its patches and blocks."""

    def __init__(
        self, file: CollectionFile, volume: int, channel: int, brightness_bias: float
    ) -> None:
        self.file = file
        self._channel, self._bias = channel, brightness_bias
        self.intensity = intensity_vector(file.intensity(volume, channel))
        self._stacks = file.stacks(volume)
        self._chances = file.block_chances(volume, channel)
        tissue, above = np.concatenate(
            [file.patch_chances(stack, channel) for stack in self._stacks]
        ).T
        if self._chances.tissue:
            chances = self._chances.joined(tissue, above, brightness_bias)
        else:
            chances = np.ones(len(tissue))
        self._cumulative = np.cumsum(chances, dtype=np.float64)
        self._firsts = np.cumsum([0, *(stack.patches for stack in self._stacks)])

    def draw(self, random: np.random.Generator, window: Size) -> np.ndarray:
        """Draw a patch by its chance, a block of it by its own, and read a window around it."""
        patch = _drawn(self._cumulative, random)
        number = int(np.searchsorted(self._firsts, patch, "right")) - 1
        stack, row = self._stacks[number], patch - int(self._firsts[number])
        shape: Size = stack.shape[1:]
        centre = tuple(size // 2 for size in shape)
        if any(size > wanted for size, wanted in zip(shape, window, strict=True)):
            centre = self._centre(stack, row, random)
        return read_window(
            lambda slices: self.file.read(stack, row, self._channel, slices), shape, centre, window
        )

    def _centre(self, stack: Stack, row: int, random: np.random.Generator) -> Size:
        occupancy = self.file.occupancy(stack, row, self._channel)
        chances = self._chances.of(occupancy, self._bias)
        if not chances.any():
            chances = np.ones(chances.shape)
        block = _drawn(np.cumsum(chances.ravel()), random)
        return _voxel_in(block, chances.shape, self.file.block, stack.shape[1:], random)


def _drawn(cumulative: np.ndarray, random: np.random.Generator) -> int:
    """A number drawn in proportion to chances, given their sums up to each."""
    drawn = np.searchsorted(cumulative, random.random() * cumulative[-1], "right")
    return min(int(drawn), cumulative.size - 1)


def _voxel_in(
    block: int, grid: tuple[int, ...], edge: int, shape: Size, random: np.random.Generator
) -> Size:
    """A voxel drawn from a block, by its number in a grid of blocks of an image (Z,Y,X)."""
    within = random.integers(0, edge, size=3)
    return tuple(
        min(int(b) * edge + int(w), n - 1)
        for b, w, n in zip(np.unravel_index(block, grid), within, shape, strict=True)
    )


class _Volume:
    """One channel of a volume, with the chances of its blocks."""

    def __init__(self, path: Path, channel: int, brightness_bias: float) -> None:
        self._file = VolumeFile(path)
        self._channel = channel
        self.shape: Size = tuple(self._file.shape)
        self.block = self._file.block
        self.intensity = intensity_vector(self._file.intensity(channel))
        chances = block_chances(
            self._file.bright(channel), self._file.tissue(channel), brightness_bias
        )
        self._grid = chances.shape
        self._cumulative = np.cumsum(chances.ravel())

    def draw(self, random: np.random.Generator, window: Size) -> np.ndarray:
        """Read a window around a drawn centre."""
        return read_window(
            lambda slices: self._file.read(self._channel, slices),
            self.shape,
            self.draw_centre(random),
            window,
        )

    def draw_centre(self, random: np.random.Generator) -> Size:
        """Draw a block by its chance, then a voxel in it."""
        block = _drawn(self._cumulative, random)
        return _voxel_in(block, self._grid, self.block, self.shape, random)


def block_chances(brightness: np.ndarray, tissue: np.ndarray, bias: float) -> np.ndarray:
    """Chance of each block (z,y,x), summing to 1: 0 in air, higher where it is bright."""
    if not tissue.any():
        tissue = np.ones_like(tissue)
    uniform = tissue / tissue.sum()
    above = np.where(tissue, brightness - np.median(brightness[tissue]), 0).clip(min=0)
    bright = above / above.sum() if above.sum() > 0 else uniform
    return (1 - bias) * uniform + bias * bright


@dataclass
class LabelledSampler:
    """Windows of annotated patches; a share of them holds foreground near its centre.

    patches: structure -> list of (file, patch id, channel). Structures are drawn alike, then the
    patches of a structure. foreground: the share of windows around a random foreground voxel.
    margin: voxels around the bounding box of a patch's labels that count as annotated; what lies
    further out is NOT_ANNOTATED, and no window is centred there. None: the whole patch counts.
    Patches are kept in memory up to `cache_bytes` and read from the file beyond it; processes that
    are forked after `keep` share them.
    """

    patches: dict[str, list[tuple[PatchFile, str, int]]]
    window: Size
    seed: int
    foreground: float = 0.67
    margin: int | None = None
    cache_bytes: int = 2**31
    _cached: dict[tuple[str, int], _Patch] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for structure, patches in self.patches.items():
            if not patches:
                raise InputError(f"{structure}: expected training patches, found none")

    def sample(self, index: int) -> dict[str, np.ndarray]:
        random = numpy_generator(self.seed, "labelled", index)
        structures = sorted(self.patches)
        structure = structures[random.integers(len(structures))]
        patch = self._patch(structure, int(random.integers(len(self.patches[structure]))))
        wants_foreground = random.random() < self.foreground
        if wants_foreground and patch.foreground.size:
            voxel = np.unravel_index(random.choice(patch.foreground), patch.shape)
            reach = [n // 4 for n in self.window]
            centre = tuple(
                int(v) + int(random.integers(-r, r + 1)) for v, r in zip(voxel, reach, strict=True)
            )
        else:
            centre = tuple(int(c) for c in random.integers(*patch.annotated))
        return {
            "image": read_window(patch.image.__getitem__, patch.shape, centre, self.window),
            "mask": read_window(patch.mask.__getitem__, patch.shape, centre, self.window),
            "intensity": patch.intensity,
        }

    def keep(self) -> None:
        """Read patches until `cache_bytes` are full."""
        for structure, patches in self.patches.items():
            for number in range(len(patches)):
                self._patch(structure, number)
                if (structure, number) not in self._cached:
                    return

    def _patch(self, structure: str, number: int) -> _Patch:
        key = (structure, number)
        if key not in self._cached:
            held = sum(patch.bytes for patch in self._cached.values())
            patch = _Patch(*self.patches[structure][number], self.margin)
            if held + patch.bytes > self.cache_bytes:
                return patch
            self._cached[key] = patch
        return self._cached[key]


class _Patch:
    """One channel of an annotated patch, in memory."""

    def __init__(self, file: PatchFile, patch: str, channel: int, margin: int | None) -> None:
        self.image = np.ascontiguousarray(file.image(patch, channel))
        mask = file.mask(patch)
        if mask is None:
            raise InputError(f"{file.path}: {patch}: expected a mask to learn from, found none")
        self.shape: Size = tuple(mask.shape)
        self.annotated = annotated_box(mask, margin)
        self.mask = np.full_like(mask, NOT_ANNOTATED)
        inside = tuple(slice(*ends) for ends in zip(*self.annotated, strict=True))
        self.mask[inside] = mask[inside]
        self.intensity = intensity_vector(file.intensity(patch, channel))
        self.foreground = np.flatnonzero(self.mask == 1).astype(np.int32)
        self.bytes = self.image.nbytes + self.mask.nbytes + self.foreground.nbytes


def annotated_box(mask: np.ndarray, margin: int | None) -> tuple[Size, Size]:
    """First and last + 1 voxel (Z,Y,X) of the labels' bounding box, `margin` voxels wider.

    The whole patch if `margin` is None or nothing is labelled.
    """
    found = [] if margin is None else find_objects((mask != 0).view(np.uint8))
    if not found:
        return (0, 0, 0), tuple(mask.shape)
    first = tuple(max(side.start - margin, 0) for side in found[0])
    last = tuple(min(side.stop + margin, n) for side, n in zip(found[0], mask.shape, strict=True))
    return first, last


def read_window(
    read: Callable[[tuple[slice, slice, slice]], np.ndarray],
    shape: Size,
    centre: Size,
    window: Size,
) -> np.ndarray:
    """Read a window around `centre`, shifted to lie inside; reflect what the image lacks."""
    starts = [
        min(max(c - w // 2, 0), max(n - w, 0))
        for c, w, n in zip(centre, window, shape, strict=True)
    ]
    slices = tuple(
        slice(start, min(start + w, n)) for start, w, n in zip(starts, window, shape, strict=True)
    )
    array = read(slices)
    lacking = [w - have for w, have in zip(window, array.shape, strict=True)]
    if any(lacking):
        array = np.pad(array, [(n // 2, n - n // 2) for n in lacking], mode="reflect")
    return np.ascontiguousarray(array)


def intensity_vector(intensity: Intensity) -> np.ndarray:
    """Mean, sd, noise, texture and PERCENTILES of an image as float32, (4 + len(PERCENTILES),)."""
    percentiles = [intensity.percentiles[f"{p:g}"] for p in PERCENTILES]
    constants = [intensity.mean, intensity.sd, intensity.noise, intensity.texture, *percentiles]
    return np.array(constants, dtype=np.float32)


class _Constants:
    """Constants of whole images as (B,1,1,1,1): by their names, percentiles by their numbers."""

    def __init__(self, intensity: Tensor) -> None:
        constants = intensity.float()[:, :, None, None, None, None].unbind(1)
        self.mean, self.sd, self.noise, self.texture, *percentiles = constants
        self.percentile = dict(zip(PERCENTILES, percentiles, strict=True))
        self.median = self.percentile[50]

    def scale(self, scale: Tensor) -> Tensor:
        """`scale`, or the sd where most of an image is one value, or 1 where all of it is."""
        scale = torch.where(scale > 1e-6, scale, self.sd)
        return torch.where(scale > 1e-6, scale, torch.ones_like(scale))


def _between(low: float, high: float, image: Tensor, of: _Constants) -> Tensor:
    """The place of grey values between two percentiles, which become 0 and 1."""
    low, high = of.percentile[low], of.percentile[high]
    return (image - low) / of.scale(high - low)


def _logarithm(image: Tensor, of: _Constants) -> Tensor:
    low = of.percentile[0.1]
    return torch.log2((image - low).clamp(min=0) / of.scale(of.median - low) + 1) - 1


def _asinh(image: Tensor, of: _Constants) -> Tensor:
    robust = (of.percentile[75] - of.percentile[25]) / 1.349
    return torch.asinh((image - of.median) / of.scale(robust))


def _snr(image: Tensor, of: _Constants) -> Tensor:
    return 2 * torch.asinh((image - of.median) / of.scale(_NOISES * of.noise))


def _texture(image: Tensor, of: _Constants) -> Tensor:
    scale = (_NOISES * of.noise * (_TEXTURES * of.texture)).sqrt()
    return 2 * torch.asinh((image - of.median) / of.scale(scale))


_MAPPINGS: dict[Normalisation, Callable[[Tensor, _Constants], Tensor]] = {
    "zscore": lambda image, of: (image - of.mean) / of.scale(of.sd),
    "percentile": partial(_between, 0.1, 99.9),
    "clipped": lambda image, of: _between(1, 99, image, of).clamp(0, 1),
    "log": _logarithm,
    "ratio": lambda image, of: torch.log2((image / of.scale(of.median)).clamp(min=_DARKEST)),
    "asinh": _asinh,
    "snr": _snr,
    "texture": _texture,
}


def normalise(image: Tensor, intensity: Tensor, mapping: Normalisation) -> Tensor:
    """Map raw voxels (B,1,Z,Y,X) to float32 by constants of their whole images (B,K).

    `zscore`: mean 0, sd 1. `percentile`: the 0.1th and 99.9th percentiles become 0 and 1. `log`:
    log2 of the height above the 0.1th percentile, the median becomes 0. `ratio`: log2 of
    the ratio to the median, which no gain of the camera changes. `asinh`: of the distance from the
    median in robust standard deviations (interquartile range / 1.349). `snr`: twice the asinh of
    the distance from the median in 30 times the noise of a single voxel; no gain changes that
    either, and a faint cell counts by its own light, however bright the tissue glows. `texture`:
    the same in the geometric mean of 30 noises and 10 textures, so that bright structures in
    grainy tissue look more like faint ones in even tissue. None of them
    clips bright voxels, since labelled cells lie above the 99.9th percentile; but for `clipped`,
    from the 1st to the 99th percentile, for weights of others that were trained so.
    """
    return _MAPPINGS[mapping](image.float(), _Constants(intensity))


def source_window(window: Size, resample: Sequence[float] | None) -> Size:
    """Voxels to read for a window of the network, when images are scaled by `resample` (z,y,x)."""
    if resample is None:
        return tuple(window)
    return tuple(max(1, round(n / factor)) for n, factor in zip(window, resample, strict=True))


def rescale(image: Tensor, size: Sequence[int]) -> Tensor:
    """Resample (B,1,Z,Y,X) to `size`: by area where that shrinks every axis, else trilinearly."""
    if tuple(image.shape[2:]) == tuple(size):
        return image
    if all(n <= have for n, have in zip(size, image.shape[2:], strict=True)):
        return F.interpolate(image, size=tuple(size), mode="area")
    return F.interpolate(image, size=tuple(size), mode="trilinear", align_corners=False)


def prepare(batch: Batch, *, window: Size, normalisation: Normalisation) -> Batch:
    """Turn raw voxels into what a network sees: normalised, at its window; masks as float.

    A voxel of a mask is 1 where at least half of it is foreground, else 0, or NOT_ANNOTATED.
    """
    with single_precision(batch["image"].device):
        image = rescale(normalise(batch["image"], batch["intensity"], normalisation), window)
        prepared = {"image": image, "index": batch["index"]}
        if "mask" in batch:
            foreground, unknown = (
                rescale((batch["mask"] == value).float(), window) >= 0.5
                for value in (1, NOT_ANNOTATED)
            )
            prepared["mask"] = torch.where(unknown, float(NOT_ANNOTATED), foreground.float())
        return prepared
