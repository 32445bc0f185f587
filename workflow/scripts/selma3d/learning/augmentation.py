"""Augmentation in the physics of a light-sheet microscope, batched, on the network's device.

Every draw of a sample is a function of (seed, its global index, the operation). `draw` draws the
parameters of a batch on the CPU, where batches are made; `augment` applies them on the device, all
samples of an operation at once, without waiting for it; fields of noise are drawn there from seeds.
Images are normalised (about zero mean, unit spread) and (B,1,Z,Y,X); z is the axis of detection,
along which resolution is poorest; the sheet comes along y or x.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..challenge.augmentation import Augmentation, Operation
from ..challenge.recipe import Size
from ..system.errors import InputError
from ..system.randomness import generator_seed, normal_of, torch_generators, uniform
from .device import single_precision
from .task import Drawn, under, within

# They move voxels, and those of the mask with them; the others leave masks alone.
GEOMETRIC = ("flip", "rotate90", "rotate", "zoom", "elastic")
_KNOTS = 7  # of a curve


def draw(
    seed: int, samples: Sequence[tuple[int, str]], settings: Augmentation, window: Size
) -> Drawn:
    """Draw the parameters of each sample's augmentation.

    samples: global index and purpose of each; the purpose separates several views of one sample.
    window: voxels (Z,Y,X) of the images. Raises InputError for quarter turns of oblong windows.
    """
    operations = settings.operations
    if "rotate90" in operations and window[-1] != window[-2]:
        raise InputError(
            f"augment: rotate90: expected a window as wide as high, found {tuple(window)}"
        )
    draws = {}
    for name, operation in operations.items():
        made = _Draw(seed, samples, name, operation)
        if made.chosen:
            draws[name] = made
    drawn = _drawn_turns(draws, len(samples)) | _drawn_moves(draws, window)
    for name, change in _INTENSITY.items():
        if name in draws:
            own = {"chosen": torch.tensor(draws[name].chosen)} | change.draw(draws[name], window)
            drawn |= under(name, own)
    return drawn


@torch.no_grad()
def augment(image: Tensor, mask: Tensor | None, drawn: Drawn) -> tuple[Tensor, Tensor | None]:
    """Augment each sample by its own draws; `mask` follows the geometry and stays {0,1}.

    image, mask: (B,1,Z,Y,X) float, on any device, and with them what `draw` has drawn.
    Always in float32: mixed precision would round the places that voxels are read from.
    """
    with single_precision(image.device):
        image, mask = _turn(image, mask, within("turn", drawn))
        image, mask = _deform(image, mask, drawn)
        for name, change in _INTENSITY.items():
            own = within(name, drawn)
            if own:
                chosen = own["chosen"]
                image = _put(image, chosen, change.apply(_take(image, chosen), own))
        return image, mask


class _Draw:
    """One operation's draws: the samples that it is applied to, and its random numbers for them."""

    def __init__(
        self, seed: int, samples: Sequence[tuple[int, str]], name: str, operation: Operation
    ) -> None:
        self.options = operation
        generators = [
            torch_generators(seed, [index], f"{purpose}/{name}")[0] for index, purpose in samples
        ]
        hit = [float(torch.rand((), generator=g)) < operation.probability for g in generators]
        self.chosen = [number for number, applies in enumerate(hit) if applies]
        self._generators = [generators[number] for number in self.chosen]
        self._seeds = [
            generator_seed(seed, index, f"{purpose}/{name}/noise")
            for (index, purpose), applies in zip(samples, hit, strict=True)
            if applies
        ]

    def numbers(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1), (chosen, *shape)."""
        return uniform(self._generators, *shape)

    def between(self, low: float, high: float) -> Tensor:
        """One number a chosen sample in [low, high), (chosen, 1, 1, 1, 1)."""
        return low + (high - low) * self.numbers(1, 1, 1, 1)

    def seeds(self) -> Tensor:
        """The seeds (chosen,) of fields of noise that are drawn on the device."""
        return torch.tensor(self._seeds)


def _take(image: Tensor, chosen: Tensor) -> Tensor:
    return image if len(chosen) == len(image) else image.index_select(0, chosen)


def _put(image: Tensor, chosen: Tensor, changed: Tensor) -> Tensor:
    return changed if len(chosen) == len(image) else image.index_copy(0, chosen, changed)


def _drawn_turns(draws: dict[str, _Draw], count: int) -> Drawn:
    """Which samples are mirrored along z, y and x, and then have y and x exchanged.

    A quarter turn mirrors x first, three quarters y, a half both; torch.rot90 says so. What happens
    to no sample is left out.
    """
    mirrored = torch.zeros(count, 3, dtype=torch.int64)
    exchanged = torch.zeros(count, dtype=torch.int64)
    if "flip" in draws:
        mirrored[draws["flip"].chosen] = (draws["flip"].numbers(3) < 0.5).long()
    if "rotate90" in draws:
        quarters = torch.zeros(count, dtype=torch.int64)
        quarters[draws["rotate90"].chosen] = 1 + (draws["rotate90"].numbers() * 3).long()
        mirrored[:, 1] ^= ((quarters == 2) | (quarters == 3)).long()
        mirrored[:, 2] ^= ((quarters == 1) | (quarters == 2)).long()
        exchanged = quarters % 2
    flags = {"2": mirrored[:, 0], "3": mirrored[:, 1], "4": mirrored[:, 2], "exchanged": exchanged}
    return {f"turn/{name}": each.view(-1, 1, 1, 1, 1) for name, each in flags.items() if each.any()}


def _turn(image: Tensor, mask: Tensor | None, drawn: Drawn) -> tuple[Tensor, Tensor | None]:
    """Mirror and rotate by right angles: a permutation of the voxels."""

    def turned(batch: Tensor) -> Tensor:
        for name, flags in drawn.items():
            other = batch.transpose(-2, -1) if name == "exchanged" else batch.flip(int(name))
            batch = torch.where(flags.bool(), other, batch)
        return batch.contiguous()

    return turned(image), None if mask is None else turned(mask)


def _drawn_moves(draws: dict[str, _Draw], window: Size) -> Drawn:
    """Parameters of rotation, magnification and shifts; the samples that each pass moves."""
    drawn: Drawn = {}
    if "rotate" in draws:
        drawn["rotate/matrices"] = _rotations(draws["rotate"], window[1:])
    if "zoom" in draws:
        drawn["zoom/magnification"] = _magnifications(draws["zoom"])
    if "elastic" in draws:
        shifts, options = draws["elastic"], draws["elastic"].options
        in_plane, across = (options.amplitude,) * 2, (options.amplitude_z, options.amplitude)
        for place, size, amplitudes in (
            ("in_plane", window[1:], in_plane),
            ("across", window[:2], across),
        ):
            coarse = [math.ceil(n / options.spacing) + 1 for n in size]
            drawn[f"elastic/{place}"] = torch.special.ndtri(
                shifts.numbers(2, *coarse).clamp(0.02, 0.98)
            )
            drawn[f"elastic/{place}_strength"] = shifts.numbers(1, 1, 1, 1)[:, 0]
            units = torch.tensor([2 * amplitudes[1] / size[1], 2 * amplitudes[0] / size[0]])
            drawn[f"elastic/{place}_units"] = units.repeat(len(shifts.chosen), 1, 1, 1)
    for name in ("rotate", "zoom", "elastic"):
        if name in draws:
            drawn[f"{name}/chosen"] = torch.tensor(draws[name].chosen)
    moving = {"in_plane": ("rotate", "zoom", "elastic"), "across": ("zoom", "elastic")}
    for place, names in moving.items():
        if moved := {number for name in names if name in draws for number in draws[name].chosen}:
            drawn[f"moved/{place}"] = torch.tensor(sorted(moved))
    return drawn


def _deform(image: Tensor, mask: Tensor | None, drawn: Drawn) -> tuple[Tensor, Tensor | None]:
    """Rotate in the plane, magnify, shift elastically in the plane and across planes.

    Two-dimensional interpolations with the third axis as channels: on a CPU twenty times as fast
    as one in three dimensions. The first acts on (y,x), alike in all planes; the second on (z,y),
    alike in all columns along x.
    """
    if "moved/in_plane" not in drawn:
        return image, mask
    size = image.shape[2:]
    in_plane = _still(image, size[1:])
    across = _still(image, size[:2])
    if "rotate/chosen" in drawn:
        matrices = drawn["rotate/matrices"]
        turned = F.affine_grid(matrices, [len(matrices), 1, *size[1:]], align_corners=False)
        in_plane = _put(in_plane, drawn["rotate/chosen"], turned)
    if "zoom/chosen" in drawn:
        chosen, magnification = drawn["zoom/chosen"], drawn["zoom/magnification"]
        in_plane = _put(in_plane, chosen, _take(in_plane, chosen) / magnification)
        y, z = _take(across, chosen).unbind(-1)  # z; y is magnified with x
        z = z / magnification[..., 0]
        across = _put(across, chosen, torch.stack([y, z], -1))
    if "elastic/chosen" in drawn:
        chosen = drawn["elastic/chosen"]
        in_plane = _put(in_plane, chosen, _take(in_plane, chosen)
                        + _elastic_shifts(drawn, "in_plane", size[1:]))  # fmt: skip
        across = _put(across, chosen, _take(across, chosen)
                      + _elastic_shifts(drawn, "across", size[:2]))  # fmt: skip
    image, mask = _resample(image, mask, drawn["moved/in_plane"], in_plane, (0, 1, 2, 3, 4))
    if "moved/across" not in drawn:
        return image, mask
    return _resample(image, mask, drawn["moved/across"], across, (0, 1, 4, 2, 3))


def _resample(
    image: Tensor,
    mask: Tensor | None,
    chosen: Tensor,
    places: Tensor,
    order: tuple[int, ...],  # of the axes, those that are interpolated last
) -> tuple[Tensor, Tensor | None]:
    """Read the chosen samples at their places in a grid (B,H,W,2)."""
    grid = _take(places, chosen)
    back = sorted(range(5), key=order.__getitem__)

    def moved(batch: Tensor, mode: str) -> Tensor:
        channels = _take(batch, chosen).permute(order)[:, 0]
        sampled = F.grid_sample(
            channels, grid, mode, padding_mode="reflection", align_corners=False
        )
        return _put(batch, chosen, sampled.unsqueeze(1).permute(back).contiguous())

    return moved(image, "bilinear"), None if mask is None else moved(mask, "nearest")


def _still(image: Tensor, size: Sequence[int]) -> Tensor:
    """Places (B,H,W,2) of grid_sample that leave everything where it is."""
    matrices = torch.eye(2, 3, device=image.device).repeat(len(image), 1, 1)
    return F.affine_grid(matrices, [len(image), 1, *size], align_corners=False)


def _rotations(draw: _Draw, size: Sequence[int]) -> Tensor:
    """Matrices (chosen,2,3) of a rotation and a zoom about the centre."""
    angle, zoom = (2 * draw.numbers(2) - 1).unbind(1)
    angle = angle * math.radians(draw.options.degrees)
    scale = 1 + zoom * draw.options.zoom
    aspect = size[0] / size[1]  # grid_sample's unit is half the image, along each axis
    matrices = torch.zeros(len(angle), 2, 3)
    matrices[:, 0, 0] = matrices[:, 1, 1] = scale * angle.cos()
    matrices[:, 0, 1] = -scale * angle.sin() * aspect
    matrices[:, 1, 0] = scale * angle.sin() / aspect
    return matrices


def _magnifications(draw: _Draw) -> Tensor:
    """Factors (chosen,1,1,1), log-uniform: half and double are as likely."""
    low, high = draw.options.low, draw.options.high
    return low * (high / low) ** draw.numbers(1, 1, 1)


def _elastic_shifts(drawn: Drawn, place: str, size: Sequence[int]) -> Tensor:
    """Smooth random shifts (chosen,H,W,2) of up to about two amplitudes."""
    coarse = drawn[f"elastic/{place}"]
    shifts = F.interpolate(coarse, size=tuple(size), mode="bicubic", align_corners=True)
    shifts = shifts.permute(0, 2, 3, 1) * drawn[f"elastic/{place}_strength"]
    return shifts * drawn[f"elastic/{place}_units"]


def _gamma(image: Tensor, drawn: Drawn) -> Tensor:
    low = image.amin(dim=(1, 2, 3, 4), keepdim=True)
    range_ = (image.amax(dim=(1, 2, 3, 4), keepdim=True) - low).clamp(min=1e-6)
    return ((image - low) / range_).pow(drawn["exponent"]) * range_ + low


def _curve(image: Tensor, drawn: Drawn) -> Tensor:
    """A rising line through knots that lie closer where intensities are common, near zero.

    The knots are evenly spaced in asinh(2 x); the darkest voxel stays as it is.
    """
    slopes, flat = drawn["slopes"], image.flatten(1)
    knots = slopes.shape[1] + 1
    low, high = (
        edge(flat, dim=1, keepdim=True).mul(2).asinh() for edge in (torch.amin, torch.amax)
    )
    share = torch.linspace(0, 1, knots, device=image.device)
    before = (low + (high - low).clamp(min=1e-3) * share).sinh() / 2
    heights = [before[:, 0]]  # summed one by one: cumsum differs from run to run on GPUs
    for rise in (before.diff(dim=1) * slopes).unbind(1):
        heights.append(heights[-1] + rise)
    after = torch.stack(heights, dim=1)
    piece = (torch.searchsorted(before, flat.contiguous()) - 1).clamp(0, knots - 2)
    inside = (flat - before.gather(1, piece)) * slopes.gather(1, piece)
    return (after.gather(1, piece) + inside).view_as(image)


def _drawn_curve(draw: _Draw, window: Size) -> Drawn:
    uniform_sd = 2 * math.sqrt(3) * draw.options.sd  # of numbers in [0, 1) with this deviation
    return {"slopes": ((draw.numbers(_KNOTS - 1) - 0.5) * uniform_sd).exp()}


def _contrast(image: Tensor, drawn: Drawn) -> Tensor:
    mean = image.mean(dim=(1, 2, 3, 4), keepdim=True)
    return mean + (image - mean) * drawn["factor"]


def _brightness(image: Tensor, drawn: Drawn) -> Tensor:
    return image + drawn["shift"]


def _gradient(image: Tensor, drawn: Drawn) -> Tensor:
    """Illumination that falls off along a random direction."""
    slopes = drawn["slopes"]
    ramp = sum(
        torch.linspace(-1, 1, image.shape[2 + axis], device=image.device).view(
            *(-1 if axis == other else 1 for other in range(3))
        )
        * slopes[:, axis, None, None, None]
        for axis in range(3)
    )
    return _brighten(image, 1 + ramp.unsqueeze(1).clamp(-0.9, 0.9))


def _sharpen(image: Tensor, drawn: Drawn) -> Tensor:
    """An unsharp mask: the difference from a blur of 1.2 voxels, added up to `strength` times."""
    kernel = [math.exp(-0.5 * (offset / 1.2) ** 2) for offset in range(-3, 4)]
    blurred = image
    for axis in (2, 3, 4):
        reach = [3 if axis == own else 0 for own in (4, 3, 2) for _ in range(2)]
        padded = F.pad(blurred, reach, mode="replicate")
        # Not by a convolution, which GPUs since Ampere round to ten bits (TF32).
        blurred = sum(
            share / sum(kernel) * padded.narrow(axis, first, image.shape[axis])
            for first, share in enumerate(kernel)
        )
    return image + (image - blurred) * drawn["share"]


def along_z(image: Tensor, kernel: Tensor) -> Tensor:
    """Convolve each image (B,1,Z,Y,X) along z with its own kernel (B,taps)."""
    radius = kernel.shape[1] // 2
    padded = F.pad(image, (0, 0, 0, 0, radius, radius), mode="replicate")
    return sum(
        kernel[:, tap].view(-1, 1, 1, 1, 1) * padded[:, :, tap : tap + image.shape[2]]
        for tap in range(2 * radius + 1)
    )


def _drawn_blur(draw: _Draw, window: Size) -> Drawn:
    radius = max(1, math.ceil(2.5 * draw.options.high))
    sigma = draw.between(draw.options.low, draw.options.high).view(-1, 1)
    kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    return {"kernel": kernel / kernel.sum(dim=1, keepdim=True)}


def shadows(image: Tensor, seeds: Tensor, along_x: Tensor) -> Tensor:
    """Normal numbers (B,1,Z,Y,X) that are alike along x or y, and change slowly over z.

    As absorbers in the sheet cast them; seeds (B,), along_x (B,1,1,1,1).
    """
    planes, lines = image.shape[2], max(image.shape[3:])
    field = normal_of(seeds, image.device, 1, max(2, planes // 16), lines)
    field = F.interpolate(field, size=(planes, lines), mode="bilinear", align_corners=True)
    rows = field[..., : image.shape[3]].unsqueeze(-1)
    columns = field[..., : image.shape[4]].unsqueeze(-2)
    return torch.where(along_x.view(-1, 1, 1, 1, 1).bool(), rows, columns)


def _stripes(image: Tensor, drawn: Drawn) -> Tensor:
    """Shadows of absorbers in the sheet: dark lines along x or y."""
    depth = shadows(image, drawn["seeds"], drawn["along_x"]).clamp(min=0) * drawn["strength"]
    return _brighten(image, 1 - depth.clamp(max=0.9))


def _drawn_stripes(draw: _Draw, window: Size) -> Drawn:
    along_x = (draw.numbers() < 0.5).long()
    strength = torch.full((len(along_x), 1, 1, 1, 1), draw.options.strength)
    return {"along_x": along_x, "strength": strength, "seeds": draw.seeds()}


def _missing_planes(image: Tensor, drawn: Drawn) -> Tensor:
    """Some planes show the plane before them, as after a dropped frame."""
    order = drawn["order"][:, None, :, None, None]
    return torch.gather(image, 2, order.expand(-1, 1, -1, *image.shape[3:]))


def _drawn_planes(draw: _Draw, window: Size) -> Drawn:
    planes = window[0]
    most = max(1, int(draw.options.planes))
    numbers = draw.numbers(1 + most)
    order = torch.arange(planes).repeat(len(numbers), 1)
    for row, (count, *places) in zip(order, numbers.tolist(), strict=True):
        for place in places[: 1 + int(count * most)]:
            plane = int(place * planes)
            row[plane] = plane - 1 if plane else 1 % planes
    return {"order": order}


def _noise(image: Tensor, drawn: Drawn) -> Tensor:
    field = normal_of(drawn["seeds"], image.device, *image.shape[1:])
    return image + field * drawn["sd"]


def _brighten(image: Tensor, factor: Tensor) -> Tensor:
    """Multiply the light above each sample's darkest voxel."""
    low = image.amin(dim=(1, 2, 3, 4), keepdim=True)
    return (image - low) * factor + low


class _Change(NamedTuple):
    """One operation on intensities: its draws for a window, and what it does with them."""

    draw: Callable[[_Draw, Size], Drawn]
    apply: Callable[[Tensor, Drawn], Tensor]


def _one(name: str) -> Callable[[_Draw, Size], Drawn]:
    """A number a sample between the options' limits."""
    return lambda draw, window: {name: draw.between(draw.options.low, draw.options.high)}


# in the order in which light meets them: tissue, sheet, optics, camera
_INTENSITY = {
    "gamma": _Change(_one("exponent"), _gamma),
    "curve": _Change(_drawn_curve, _curve),
    "contrast": _Change(_one("factor"), _contrast),
    "brightness": _Change(
        lambda draw, window: {"shift": draw.between(-1, 1) * draw.options.sd}, _brightness
    ),
    "gradient": _Change(
        lambda draw, window: {"slopes": (2 * draw.numbers(3) - 1) * draw.options.strength},
        _gradient,
    ),
    "stripes": _Change(_drawn_stripes, _stripes),
    "blur_z": _Change(  # a wider point spread function along the detection axis
        _drawn_blur, lambda image, drawn: along_z(image, drawn["kernel"])
    ),
    "sharpen": _Change(
        lambda draw, window: {"share": draw.between(0, draw.options.strength)}, _sharpen
    ),
    "missing_planes": _Change(_drawn_planes, _missing_planes),
    "noise": _Change(
        lambda draw, window: {"sd": draw.between(0, draw.options.sd), "seeds": draw.seeds()},
        _noise,
    ),
}
