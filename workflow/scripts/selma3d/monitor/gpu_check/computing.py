"""Checks of the device itself: which is chosen, and whether it computes what the CPU computes."""

from __future__ import annotations

from pathlib import Path

import torch

from ...challenge.augmentation import Augmentation
from ...challenge.recipe import Normalisation
from ...learning import augmentation
from ...learning.device import Compute
from ...learning.sampling import UnlabelledSampler, VolumeSource, normalise
from ...learning.training.batches import drawn_batch
from ...system import gpus
from ...system.errors import InputError
from .check import Check, Found
from .small_images import volume_of_balls

IMAGE, MASK = 1e-4, 0.9999
NORMALISED = 1e-5
NOISY = {"noise", "stripes"}  # whose fields are drawn by the device itself


def device(folder: Path) -> Found:
    """The device and the precision that trainings choose here."""
    compute = Compute.choose()
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    name = torch.cuda.get_device_name() if expected == "cuda" else "no GPU"
    told = f"{name}: {compute.device}, {compute.precision}, torch {torch.__version__}"
    return Found(told, compute.device.type == expected)


def no_usable_gpu(folder: Path) -> Found:
    """A job that asked for a GPU, and can use none."""
    try:
        with gpus.expecting(1):
            Compute.choose()
    except InputError as error:
        return Found(str(error), "\n" not in str(error))
    return Found("it computes on the CPU", False)


def normalisation(folder: Path) -> Found:
    """Grey values of 8 and 16 bits by every mapping, on the device and on the CPU."""
    sampler = UnlabelledSampler([VolumeSource(volume_of_balls(folder, 64), 0)], (32,) * 3, seed=0)
    batch = drawn_batch(sampler, lambda indices: {}, range(2))
    batch["narrow"] = (batch["image"].float() / 8).clamp(max=255).to(torch.uint8)
    there, worst = Compute.choose().move(batch), 0.0
    for name in ("image", "narrow"):
        for mapping in Normalisation.__args__:
            here = normalise(batch[name], batch["intensity"], mapping)
            other = normalise(there[name], there["intensity"], mapping).cpu()
            worst = max(worst, float(((here - other).abs() / here.abs().clamp(min=1)).max()))
    return Found(f"{worst:.2g}", worst <= NORMALISED)


def augmentations(folder: Path) -> Found:
    """Each operation by the same draws, on the device and on the CPU."""
    image = torch.randn(4, 1, 32, 32, 32, generator=torch.Generator().manual_seed(0))
    mask = (image > 1).float()
    compute, worst, alike = Compute.choose(), {}, {}
    for name in sorted(set(Augmentation.model_fields) - NOISY):
        settings = Augmentation(**{name: 1.0})
        drawn = augmentation.draw(0, [(n, "a") for n in range(4)], settings, (32, 32, 32))
        here = augmentation.augment(image, mask, drawn)
        there = augmentation.augment(compute.sent(image), compute.sent(mask), compute.move(drawn))
        worst[name] = float((here[0] - there[0].cpu()).abs().max())
        alike[name] = float((here[1] == there[1].cpu()).float().mean())
    image_by, mask_by = max(worst, key=worst.get), min(alike, key=alike.get)
    return Found(
        f"image {worst[image_by]:.2g} ({image_by}), mask {alike[mask_by]:.6f} ({mask_by})",
        worst[image_by] <= IMAGE and alike[mask_by] >= MASK,
    )


CHECKS = {
    "device": Check("the GPU, where there is one", device, on_cpu=True),
    "no usable GPU": Check("an error of one line", no_usable_gpu, hidden=True),
    "normalisation": Check(f"differs from the CPU by at most {NORMALISED}", normalisation),
    "augmentation": Check(f"image by at most {IMAGE}, mask alike from {MASK}", augmentations),
}
