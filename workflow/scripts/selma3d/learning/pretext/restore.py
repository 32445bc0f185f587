"""Restoring what a light-sheet microscope takes away: a pretext task of this project's own.

Light leaves labelled tissue clean. Planes are coarse, the point spread function is long along z,
scattered light veils, absorbers cast stripes along the sheet, the camera adds noise: in that order.
A network that undoes them has to know what structures look like.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from ...challenge.recipe import Share
from ...system.randomness import normal_of, torch_generators, uniform
from .. import augmentation
from ..task import Batch, Drawn, within
from .base import seeds
from .reconstruction import Reconstruction, smooth

# the strongest of each degradation; every sample draws its own share of it. They are strong: what
# can nearly be copied teaches little
_WEAKEST = 0.3  # share of the strongest
_COARSEST_PLANES = 6  # planes averaged into one
_LONGEST_BLUR = 4.0  # sigma along z in planes
_VEIL = 0.8  # share of the light that arrives as a veil
_VEIL_WIDTH = 16  # voxels
_DARKEST_STRIPE = 0.9  # share of the light that a stripe takes
_SHOT_NOISE, _READ_NOISE = 0.8, 0.4  # relative to the window's mean light


class Restore(Reconstruction):
    """Restore an image from drawn degradations; the loss is that of all voxels.

    The network's output is added to a smoothed copy of what it saw (residual learning, arXiv
    1608.03981): it is asked for what smoothing can't give, and needs no path at full resolution to
    pass the image on.
    """

    class Options(Reconstruction.Options):
        anisotropy: Share = Field(0.5, description="probability of coarser planes")
        blur: Share = Field(0.5, description="probability of blur along z")
        haze: Share = Field(0.5, description="probability of a veil of stray light")
        stripes: Share = Field(0.5, description="probability of shadows along the sheet")
        noise: Share = Field(0.8, description="probability of shot and read noise")

    def draw_corruption(self, indices: Sequence[int], seed: int) -> Drawn:
        drawn = {}
        for name in _DEGRADATIONS:
            numbers = uniform(torch_generators(seed, indices, f"restore/{name}"), 3)
            strength = _WEAKEST + (1 - _WEAKEST) * numbers[:, 0]
            strength = strength * (numbers[:, 1] < getattr(self.options, name))
            drawn |= {
                f"restore/{name}/strength": strength.view(-1, 1, 1, 1, 1),
                f"restore/{name}/along_x": (numbers[:, 2] < 0.5).long().view(-1, 1, 1, 1, 1),
                f"restore/{name}/seeds": seeds(seed, indices, f"restore/{name}/voxels"),
            }
        return drawn

    def corrupt(self, clean: Tensor, batch: Batch) -> tuple[Tensor, None]:
        dark = clean.amin(dim=(1, 2, 3, 4), keepdim=True)
        mean = (clean - dark).mean(dim=(1, 2, 3, 4), keepdim=True).clamp(min=1e-6)
        light = (clean - dark) / mean
        for name, degrade in _DEGRADATIONS.items():
            drawn = within(f"restore/{name}", batch)
            light = degrade(light, drawn["strength"], drawn)
        return light * mean + dark, None

    def start(self, seen: Tensor) -> Tensor:
        return smooth(seen)


def coarse_planes(light: Tensor, strength: Tensor, _: Drawn) -> Tensor:
    """Average up to six planes into one and repeat it, as with a coarser step of the stage."""
    planes = torch.arange(light.shape[2], device=light.device)
    step = (1 + strength * _COARSEST_PLANES).long().clamp(max=_COARSEST_PLANES).view(-1, 1)
    group = planes // step
    # By a product of matrices: means of scattered values differ from run to run on GPUs.
    alike = (group[:, :, None] == group[:, None, :]).to(light.dtype)
    totals = alike[:, None] @ light.flatten(3)
    return (totals / alike.sum(dim=2)[:, None, :, None]).view(light.shape)


def blurred_along_z(light: Tensor, strength: Tensor, _: Drawn) -> Tensor:
    """Convolve with a Gaussian along z of up to four planes sigma."""
    radius = round(2.5 * _LONGEST_BLUR)
    offsets = torch.arange(-radius, radius + 1, device=light.device)
    sigma = (strength * _LONGEST_BLUR).view(-1, 1).clamp(min=1e-3)
    kernel = torch.softmax(-0.5 * (offsets / sigma) ** 2, dim=1)
    return augmentation.along_z(light, kernel)


def veiled(light: Tensor, strength: Tensor, _: Drawn) -> Tensor:
    """Turn a share of the light into a smooth veil."""
    coarse = [max(1, n // _VEIL_WIDTH) for n in light.shape[2:]]
    veil = F.interpolate(
        F.adaptive_avg_pool3d(light, coarse), light.shape[2:], mode="trilinear", align_corners=False
    )
    return torch.lerp(light, veil, _VEIL * strength)


def striped(light: Tensor, strength: Tensor, drawn: Drawn) -> Tensor:
    """Darken lines along x or y, the way the sheet comes, that change slowly over the planes."""
    shadow = augmentation.shadows(light, drawn["seeds"], drawn["along_x"]).clamp(0, 1)
    return light * (1 - _DARKEST_STRIPE * strength * shadow)


def noisy(light: Tensor, strength: Tensor, drawn: Drawn) -> Tensor:
    """Add shot noise, which grows with the light, and the camera's read noise."""
    variance = _SHOT_NOISE**2 * light.clamp(min=0) + _READ_NOISE**2
    noise = normal_of(drawn["seeds"], light.device, *light.shape[1:])
    return light + strength * variance.sqrt() * noise


# in the order in which light meets them
_DEGRADATIONS: dict[str, Callable[[Tensor, Tensor, Drawn], Tensor]] = {
    "anisotropy": coarse_planes,
    "blur": blurred_along_z,
    "haze": veiled,
    "stripes": striped,
    "noise": noisy,
}

TASK = Restore
