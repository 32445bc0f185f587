"""A trained model as its file describes it, ready to segment."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.inferers import sliding_window_inference
from torch import Tensor, nn

from .. import networks, sampling
from ..device import Compute, set_threads
from ..errors import InputError
from ..volumes import CONTRACT_VERSION, Intensity


@dataclass(frozen=True)
class TrainedModel:
    """A network with everything that turns raw voxels into a mask."""

    path: Path
    network: nn.Module
    compute: Compute
    window: tuple[int, int, int]
    normalisation: str
    resample: tuple[float, float, float] | None
    threshold: float
    min_component_voxels: int
    structures: dict[str, dict[str, Any]]
    contents: dict[str, Any]

    def channel(self, structure: str) -> int:
        """The image channel that the network sees of a structure; InputError if it knows none."""
        if structure not in self.structures:
            raise InputError(
                f"{self.path}: expected a model for {structure!r}, "
                f"found one for {', '.join(self.structures)}"
            )
        return self.structures[structure]["channel"]

    @torch.inference_mode()
    def probability(
        self,
        image: np.ndarray,
        intensity: Intensity,
        *,
        overlap: float = 0.5,
        batch: int = 4,
        flips: bool = False,
    ) -> np.ndarray:
        """Probability of foreground, float32 (Z,Y,X), of a raw one-channel image (Z,Y,X).

        Windows overlap by `overlap` of their size and are blended with Gaussian weights. Images
        smaller than the window are padded by reflection. `flips` averages over the eight mirror
        images. Raises InputError for an image that is not three-dimensional, finite and non-empty.
        """
        if image.ndim != 3 or 0 in image.shape:
            raise InputError(f"image: expected three axes (Z,Y,X), none empty, found {image.shape}")
        if not np.isfinite(image).all():
            raise InputError("image: expected finite intensities, found NaN or infinity")
        raw = torch.from_numpy(image.astype(np.float32))[None, None]
        constants = torch.from_numpy(sampling.intensity_vector(intensity))[None]
        seen = sampling.normalise(raw, constants, self.normalisation)
        if self.resample is not None:
            grid = [max(1, round(n * f)) for n, f in zip(image.shape, self.resample, strict=True)]
            seen = sampling.rescale(seen, grid)
        views = list(_mirrors()) if flips else [()]
        mean = sum(self._slide(seen, axes, overlap, batch) for axes in views) / len(views)
        return sampling.rescale(mean, image.shape)[0, 0].numpy()

    def _slide(self, image: Tensor, axes: Sequence[int], overlap: float, batch: int) -> Tensor:
        padded = _pad_to_window(image.flip(axes) if axes else image, self.window)
        with self.compute.autocast():
            probability = sliding_window_inference(
                padded,
                self.window,
                batch,
                self._probability_of_window,
                overlap=overlap,
                mode="gaussian",
                sw_device=self.compute.device,
                device="cpu",
            )
        probability = probability[
            :, :, : image.shape[2], : image.shape[3], : image.shape[4]
        ].float()
        return probability.flip(axes) if axes else probability

    def _probability_of_window(self, windows: Tensor) -> Tensor:
        return torch.sigmoid(self.network(windows).float())


def load_model(path: Path, *, device: str = "auto", threads: int | None = None) -> TrainedModel:
    """Read a model file; InputError if it is truncated, no model, or of another contract."""
    if threads is not None:
        set_threads(threads)
    try:
        contents = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such model file") from None
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(f"{path}: expected a model file, found: {str(error)[:120]}") from None
    if not isinstance(contents, dict) or contents.get("kind") != "model":
        raise InputError(f"{path}: expected a fine-tuned model, found no file of kind 'model'")
    if contents["contract_version"] != CONTRACT_VERSION:
        raise InputError(
            f"{path}: expected contract version {CONTRACT_VERSION}, "
            f"found {contents['contract_version']}"
        )
    network = networks.build(contents["network"])
    network.load_state_dict(contents["state"])
    compute = Compute.choose(device)
    resample = contents["input"].get("resample")
    return TrainedModel(
        path=Path(path),
        network=compute.place(network).eval(),
        compute=compute,
        window=tuple(contents["input"]["window"]),
        normalisation=contents["input"]["normalisation"],
        resample=None if resample is None else tuple(resample),
        threshold=contents["threshold"],
        min_component_voxels=contents.get("min_component_voxels", 0),
        structures=contents["structures"],
        contents=contents,
    )


def _mirrors() -> list[tuple[int, ...]]:
    axes = (2, 3, 4)
    return [chosen for n in range(4) for chosen in itertools.combinations(axes, n)]


def _pad_to_window(image: Tensor, window: Sequence[int]) -> Tensor:
    """Pad (1,1,Z,Y,X) by reflection at the far ends up to `window`.

    Reflection needs an index map, since torch's own refuses a pad as wide as the image.
    """
    for axis, wanted in zip((2, 3, 4), window, strict=True):
        length = image.shape[axis]
        if length < wanted:
            period = max(1, 2 * length - 2)
            position = torch.arange(wanted) % period
            mirrored = torch.where(position < length, position, period - position)
            image = image.index_select(axis, mirrored)
    return image
