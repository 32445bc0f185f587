"""Planes and channels whose voxels say that they are not what they should be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..index import plane_hash

MISSING_PLANES = "missing-planes"  # the name under which these are allowed


@dataclass(frozen=True)
class Planes:
    """The planes of a channel by what they hold.

    digests: of each, by z. shape (Y,X), dtype: of one. name(z): what to call it. plane(z): its
    voxels.
    """

    digests: Sequence[bytes]
    shape: tuple[int, int]
    dtype: np.dtype
    name: Callable[[int], str]
    plane: Callable[[int], np.ndarray]

    @classmethod
    def of(cls, image: np.ndarray, name: Callable[[int], str]) -> Planes:
        """The planes of a channel (Z,Y,X) in memory."""
        digests = [plane_hash(plane) for plane in image]
        return cls(digests, image.shape[1:], image.dtype, name, image.__getitem__)


def plane_faults(channels: Sequence[Planes]) -> Iterator[str]:
    """What is wrong with an image's planes, a sentence without an end for each fault.

    No detector gives the same noise twice: a plane, or a whole channel, that repeats stands in
    place of another. Planes of one value, such as air that was set to 0, repeat without a fault;
    but planes of zeros between others were lost. Channels of one value each count for nothing.
    """
    whole: dict[tuple[bytes, ...], Planes] = {}
    for channel in channels:
        digests = tuple(channel.digests)
        same = whole.setdefault(digests, channel) if len(set(digests)) > 1 else channel
        if same is not channel:
            yield (
                f"{channel.name(0)} and the planes after it: expected a channel of its own, found "
                f"the voxels of channel {same.name(0)}"
            )
            continue
        yield from _repeated(channel)
        yield from _empty_between(channel)


def _repeated(channel: Planes) -> Iterator[str]:
    places: dict[bytes, list[int]] = defaultdict(list)
    for z, digest in enumerate(channel.digests):
        places[digest].append(z)
    for first, *others in places.values():
        if others and np.ptp(channel.plane(first)):
            yield (
                f"{channel.name(others[0])}: expected a plane of its own, found the voxels of "
                f"{channel.name(first)}"
            )


def _empty_between(channel: Planes) -> Iterator[str]:
    zeros = plane_hash(np.zeros(channel.shape, channel.dtype))
    full = [z for z, digest in enumerate(channel.digests) if digest != zeros]
    empty = [z for z in range(full[0], full[-1]) if channel.digests[z] == zeros] if full else []
    if empty:
        more = f" (and {len(empty) - 1} more)" if len(empty) > 1 else ""
        yield f"{channel.name(empty[0])}{more}: expected grey values, found a plane of zeros"
