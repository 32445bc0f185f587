"""Augmentation in the physics of a light-sheet microscope, batched, on the network's device.

Every draw of a sample is a function of (seed, its global index, the operation): parameters are
drawn on the CPU, so that no GPU is waited for; fields of noise are drawn on the device. Images are
normalised (about zero mean, unit spread) and (B,1,Z,Y,X); z is the axis of detection, along which
resolution is poorest; the sheet comes along y or x.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..challenge.augmentation import Augmentation, Operation
from ..system.errors import InputError
from ..system.randomness import normal, torch_generators, uniform

# They move voxels, and those of the mask with them; the others leave masks alone.
GEOMETRIC = ("flip", "rotate90", "rotate", "zoom", "elastic")


@torch.no_grad()
def augment(
    image: Tensor,
    mask: Tensor | None,
    *,
    seed: int,
    indices: Tensor | Sequence[int],
    settings: Augmentation,
    purpose: str = "augment",
) -> tuple[Tensor, Tensor | None]:
    """Augment each sample by its own draws; `mask` follows the geometry and stays {0,1}.

    image, mask: (B,1,Z,Y,X) float, on any device; indices: (B,) global sample indices; purpose:
    separates several views of one sample. Raises InputError for quarter turns of oblong windows.
    """
    operations = settings.operations
    if "rotate90" in operations and image.shape[-1] != image.shape[-2]:
        raise InputError(
            f"augment: rotate90: expected a window as wide as high, found {tuple(image.shape[2:])}"
        )
    indices = [int(index) for index in indices]
    drawn = {
        name: _Draw(seed, indices, f"{purpose}/{name}", operation, image.device)
        for name, operation in operations.items()
    }
    draws = {name: draw for name, draw in drawn.items() if draw.chosen}
    image, mask = _turn(image, mask, draws)
    image, mask = _deform(image, mask, draws)
    for name, operation in _INTENSITY.items():
        if name in draws:
            chosen = draws[name].chosen
            image = _put(image, chosen, operation(_take(image, chosen), draws[name]))
    return image, mask


class _Draw:
    """One operation's draws: the samples that it is applied to, and its random numbers for them."""

    def __init__(
        self,
        seed: int,
        indices: Sequence[int],
        purpose: str,
        operation: Operation,
        device: torch.device,
    ) -> None:
        self._seed, self._purpose, self._device = seed, purpose, device
        self.options = operation
        generators = torch_generators(seed, indices, purpose)
        hit = [float(torch.rand((), generator=g)) < operation.probability for g in generators]
        self.chosen = [number for number, applies in enumerate(hit) if applies]
        self._indices = [indices[number] for number in self.chosen]
        self._generators = [generators[number] for number in self.chosen]

    def numbers(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1) on the CPU, (chosen, *shape)."""
        return uniform(self._generators, *shape)

    def between(self, low: float, high: float) -> Tensor:
        """One number a chosen sample in [low, high), on the device, (chosen, 1, 1, 1, 1)."""
        return (low + (high - low) * self.numbers(1, 1, 1, 1)).to(self._device)

    def noise(self, *shape: int) -> Tensor:
        """Standard normal numbers drawn on the device, (chosen, *shape)."""
        on_device = torch_generators(
            self._seed, self._indices, f"{self._purpose}/noise", self._device
        )
        return normal(on_device, *shape)


def _take(image: Tensor, chosen: list[int]) -> Tensor:
    return image if len(chosen) == len(image) else image[chosen]


def _put(image: Tensor, chosen: list[int], changed: Tensor) -> Tensor:
    if len(chosen) == len(image):
        return changed
    image = image.clone()
    image[chosen] = changed
    return image


def _turn(
    image: Tensor, mask: Tensor | None, draws: dict[str, _Draw]
) -> tuple[Tensor, Tensor | None]:
    """Flip and rotate by right angles: a permutation of the voxels."""
    flips = [[] for _ in range(len(image))]
    turns = [0] * len(image)
    if "flip" in draws:
        axes = draws["flip"].numbers(3) < 0.5
        for number, flipped in zip(draws["flip"].chosen, axes.tolist(), strict=True):
            flips[number] = [axis + 1 for axis, yes in enumerate(flipped) if yes]
    if "rotate90" in draws:
        quarter = draws["rotate90"].numbers()
        for number, draw in zip(draws["rotate90"].chosen, quarter.tolist(), strict=True):
            turns[number] = 1 + int(draw * 3)
    if not any(turns) and not any(flips):
        return image, mask

    def turned(batch: Tensor) -> Tensor:
        return torch.stack(
            [
                torch.rot90(torch.flip(sample, axes), quarters, (-2, -1))
                for sample, axes, quarters in zip(batch, flips, turns, strict=True)
            ]
        )

    return turned(image), None if mask is None else turned(mask)


def _deform(
    image: Tensor, mask: Tensor | None, draws: dict[str, _Draw]
) -> tuple[Tensor, Tensor | None]:
    """Rotate in the plane, magnify, shift elastically in the plane and across planes.

    Two-dimensional interpolations with the third axis as channels: on a CPU twenty times as fast
    as one in three dimensions. The first acts on (y,x), alike in all planes; the second on (z,y),
    alike in all columns along x.
    """
    size = image.shape[2:]
    in_plane, across = _still(len(image), size[1:]), _still(len(image), size[:2])
    if "rotate" in draws:
        in_plane[draws["rotate"].chosen] = _rotations(draws["rotate"], size[1:])
    if "zoom" in draws:
        chosen, magnification = draws["zoom"].chosen, _magnifications(draws["zoom"])
        in_plane[chosen] /= magnification
        across[chosen, :, :, 1] /= magnification[..., 0]  # z; y is magnified with x
    if "elastic" in draws:
        shifts, amplitude = draws["elastic"], draws["elastic"].options.amplitude
        amplitude_z = shifts.options.amplitude_z
        in_plane[shifts.chosen] += _elastic_shifts(shifts, size[1:], (amplitude, amplitude))
        across[shifts.chosen] += _elastic_shifts(shifts, size[:2], (amplitude_z, amplitude))
    moved = _chosen(draws, "rotate", "zoom", "elastic")
    image, mask = _resample(image, mask, moved, in_plane, (0, 1, 2, 3, 4))
    moved = _chosen(draws, "zoom", "elastic")
    return _resample(image, mask, moved, across, (0, 1, 4, 2, 3))


def _chosen(draws: dict[str, _Draw], *names: str) -> list[int]:
    """The samples that any of these operations is applied to."""
    return sorted({number for name in names if name in draws for number in draws[name].chosen})


def _resample(
    image: Tensor,
    mask: Tensor | None,
    chosen: list[int],
    places: Tensor,
    order: tuple[int, ...],  # of the axes, those that are interpolated last
) -> tuple[Tensor, Tensor | None]:
    """Read the chosen samples at their places in a grid (B,H,W,2)."""
    if not chosen:
        return image, mask
    grid = places[chosen].to(image.device)
    back = sorted(range(5), key=order.__getitem__)

    def moved(batch: Tensor, mode: str) -> Tensor:
        channels = _take(batch, chosen).permute(order)[:, 0]
        sampled = F.grid_sample(
            channels, grid, mode, padding_mode="reflection", align_corners=False
        )
        return _put(batch, chosen, sampled.unsqueeze(1).permute(back).contiguous())

    return moved(image, "bilinear"), None if mask is None else moved(mask, "nearest")


def _still(count: int, size: Sequence[int]) -> Tensor:
    """Places (count,H,W,2) of grid_sample that leave everything where it is."""
    matrices = torch.eye(2, 3).repeat(count, 1, 1)
    return F.affine_grid(matrices, [count, 1, *size], align_corners=False)


def _rotations(draw: _Draw, size: Sequence[int]) -> Tensor:
    """Places (chosen,H,W,2) after a rotation and a zoom about the centre."""
    angle, zoom = (2 * draw.numbers(2) - 1).unbind(1)
    angle = angle * math.radians(draw.options.degrees)
    scale = 1 + zoom * draw.options.zoom
    aspect = size[0] / size[1]  # grid_sample's unit is half the image, along each axis
    matrices = torch.zeros(len(angle), 2, 3)
    matrices[:, 0, 0] = matrices[:, 1, 1] = scale * angle.cos()
    matrices[:, 0, 1] = -scale * angle.sin() * aspect
    matrices[:, 1, 0] = scale * angle.sin() / aspect
    return F.affine_grid(matrices, [len(angle), 1, *size], align_corners=False)


def _magnifications(draw: _Draw) -> Tensor:
    """Factors (chosen,1,1,1), log-uniform: half and double are as likely."""
    low, high = draw.options.low, draw.options.high
    return low * (high / low) ** draw.numbers(1, 1, 1)


def _elastic_shifts(draw: _Draw, size: Sequence[int], amplitudes: tuple[float, float]) -> Tensor:
    """Smooth random shifts (chosen,H,W,2) of up to about two amplitudes (voxels along H, W)."""
    coarse = [math.ceil(n / draw.options.spacing) + 1 for n in size]
    noise = torch.special.ndtri(draw.numbers(2, *coarse).clamp(0.02, 0.98))
    shifts = F.interpolate(noise, size=tuple(size), mode="bicubic", align_corners=True)
    strength = draw.numbers(1, 1, 1, 1)[:, 0]
    in_units = torch.tensor([2 * amplitudes[1] / size[1], 2 * amplitudes[0] / size[0]])
    return shifts.permute(0, 2, 3, 1) * strength * in_units


def _gamma(image: Tensor, draw: _Draw) -> Tensor:
    low = image.amin(dim=(1, 2, 3, 4), keepdim=True)
    range_ = (image.amax(dim=(1, 2, 3, 4), keepdim=True) - low).clamp(min=1e-6)
    exponent = draw.between(draw.options.low, draw.options.high)
    return ((image - low) / range_).pow(exponent) * range_ + low


def _curve(image: Tensor, draw: _Draw) -> Tensor:
    """A rising line through knots that lie closer where intensities are common, near zero.

    The knots are evenly spaced in asinh(2 x); the darkest voxel stays as it is.
    """
    knots, flat = 7, image.flatten(1)
    low, high = (
        edge(flat, dim=1, keepdim=True).mul(2).asinh() for edge in (torch.amin, torch.amax)
    )
    share = torch.linspace(0, 1, knots, device=image.device)
    before = (low + (high - low).clamp(min=1e-3) * share).sinh() / 2
    uniform_sd = 2 * math.sqrt(3) * draw.options.sd  # of numbers in [0, 1) with this deviation
    slopes = ((draw.numbers(knots - 1) - 0.5) * uniform_sd).exp().to(image.device)
    rises = (before.diff(dim=1) * slopes).cumsum(1)
    after = torch.cat([before[:, :1], before[:, :1] + rises], dim=1)
    piece = (torch.searchsorted(before, flat.contiguous()) - 1).clamp(0, knots - 2)
    inside = (flat - before.gather(1, piece)) * slopes.gather(1, piece)
    return (after.gather(1, piece) + inside).view_as(image)


def _contrast(image: Tensor, draw: _Draw) -> Tensor:
    mean = image.mean(dim=(1, 2, 3, 4), keepdim=True)
    return mean + (image - mean) * draw.between(draw.options.low, draw.options.high)


def _brightness(image: Tensor, draw: _Draw) -> Tensor:
    return image + draw.between(-1, 1) * draw.options.sd


def _gradient(image: Tensor, draw: _Draw) -> Tensor:
    """Illumination that falls off along a random direction."""
    slopes = ((2 * draw.numbers(3) - 1) * draw.options.strength).to(image.device)
    ramp = sum(
        torch.linspace(-1, 1, image.shape[2 + axis], device=image.device).view(
            *(-1 if axis == other else 1 for other in range(3))
        )
        * slopes[:, axis, None, None, None]
        for axis in range(3)
    )
    return _brighten(image, 1 + ramp.unsqueeze(1).clamp(-0.9, 0.9))


def _sharpen(image: Tensor, draw: _Draw) -> Tensor:
    """An unsharp mask: the difference from a blur of 1.2 voxels, added up to `strength` times."""
    offsets = torch.arange(-3, 4, device=image.device)
    kernel = torch.exp(-0.5 * (offsets / 1.2) ** 2).to(image.dtype)
    blurred = image
    for shape in ((-1, 1, 1), (1, -1, 1), (1, 1, -1)):
        taps = (kernel / kernel.sum()).view(1, 1, *shape)
        reach = [n // 2 for n in reversed(taps.shape[2:]) for _ in range(2)]
        blurred = F.conv3d(F.pad(blurred, reach, mode="replicate"), taps)
    return image + (image - blurred) * draw.between(0, draw.options.strength)


def _blur_z(image: Tensor, draw: _Draw) -> Tensor:
    """A wider point spread function along the detection axis."""
    radius = max(1, math.ceil(2.5 * draw.options.high))
    sigma = draw.between(draw.options.low, draw.options.high).view(-1, 1)
    offsets = torch.arange(-radius, radius + 1, device=image.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum(dim=1, keepdim=True)
    padded = F.pad(image, (0, 0, 0, 0, radius, radius), mode="replicate")
    return sum(
        kernel[:, tap].view(-1, 1, 1, 1, 1) * padded[:, :, tap : tap + image.shape[2]]
        for tap in range(2 * radius + 1)
    )


def _stripes(image: Tensor, draw: _Draw) -> Tensor:
    """Shadows of absorbers in the sheet: dark lines along x or y, changing slowly over z."""
    along_x = draw.numbers() < 0.5
    planes, lines = image.shape[2], max(image.shape[3:])
    field = draw.noise(1, max(2, planes // 16), lines)
    field = F.interpolate(field, size=(planes, lines), mode="bilinear", align_corners=True)
    depth = (field.clamp(min=0) * draw.options.strength).clamp(max=0.9)
    rows = depth[..., : image.shape[3]].unsqueeze(-1)
    columns = depth[..., : image.shape[4]].unsqueeze(-2)
    chosen = along_x.view(-1, 1, 1, 1, 1).to(image.device)
    return _brighten(image, 1 - torch.where(chosen, rows, columns))


def _missing_planes(image: Tensor, draw: _Draw) -> Tensor:
    """Some planes show the plane before them, as after a dropped frame."""
    planes = image.shape[2]
    most = max(1, int(draw.options.planes))
    numbers = draw.numbers(1 + most)
    order = torch.arange(planes).repeat(len(numbers), 1)
    for row, (count, *places) in zip(order, numbers.tolist(), strict=True):
        for place in places[: 1 + int(count * most)]:
            plane = int(place * planes)
            row[plane] = plane - 1 if plane else 1 % planes
    order = order.to(image.device)[:, None, :, None, None]
    return torch.gather(image, 2, order.expand(-1, 1, -1, *image.shape[3:]))


def _noise(image: Tensor, draw: _Draw) -> Tensor:
    return image + draw.noise(*image.shape[1:]) * draw.between(0, draw.options.sd)


def _brighten(image: Tensor, factor: Tensor) -> Tensor:
    """Multiply the light above each sample's darkest voxel."""
    low = image.amin(dim=(1, 2, 3, 4), keepdim=True)
    return (image - low) * factor + low


# in the order in which light meets them: tissue, sheet, optics, camera
_INTENSITY: dict[str, Callable[[Tensor, _Draw], Tensor]] = {
    "gamma": _gamma,
    "curve": _curve,
    "contrast": _contrast,
    "brightness": _brightness,
    "gradient": _gradient,
    "stripes": _stripes,
    "blur_z": _blur_z,
    "sharpen": _sharpen,
    "missing_planes": _missing_planes,
    "noise": _noise,
}
