"""Sliding windows: where they lie in an image and how their predictions are blended.

The grid and the weights are MONAI's, so that an image that is segmented block by block gets what
`monai.inferers.sliding_window_inference` gives for the whole of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from monai.data.utils import compute_importance_map, dense_patch_slices
from monai.inferers import sliding_window_inference
from torch import Tensor

from ..system.errors import GpuMemoryError
from .device import is_out_of_memory

log = logging.getLogger(__name__)

Size = tuple[int, int, int]


def window_starts(length: int, window: int, overlap: float) -> list[int]:
    """First voxel of each window along an axis of `length` >= `window` voxels, ascending.

    Windows are `window * (1 - overlap)` apart; the last one is moved back to end with the axis.
    """
    step = window if length == window else max(1, int(window * (1 - overlap)))
    windows = dense_patch_slices((length,), (window,), (step,), return_slice=False)
    return [int(start) for ((start, _),) in windows]


def window_weights(window: Size) -> Tensor:
    """Gaussian weights (Z,Y,X) of a window's voxels: sd an eighth of the window, at least 0.001."""
    return compute_importance_map(window, mode="gaussian", sigma_scale=0.125)


@dataclass
class AtOnce:
    """As many windows at a time as a device has memory for; found by trying, and kept.

    whose: of whom a message speaks. most: windows that fitted; None: no number was too large yet.
    """

    whose: str
    most: int | None = None

    def predict(self, predict: Callable[[Tensor], Tensor], windows: Tensor) -> Tensor:
        """`predict` of windows (B,1,Z,Y,X). GpuMemoryError where not even one of them fits."""
        done, begun = [], 0
        while begun < len(windows):
            part = windows[begun : begun + (self.most or len(windows))]
            predicted = _if_it_fits(predict, part)
            if predicted is None:
                self._take_fewer_than(part)
            else:
                done.append(predicted)
                begun += len(part)
        return done[0] if len(done) == 1 else torch.cat(done)

    def _take_fewer_than(self, part: Tensor) -> None:
        shown = "×".join(str(n) for n in part.shape[2:])
        if len(part) == 1:
            raise GpuMemoryError(
                f"{self.whose}: GPU out of memory: one window of {shown} voxels needs more than "
                "there is (recipe: a smaller finetune.inference_window, or a larger GPU)"
            )
        self.most = len(part) // 2
        if part.device.type == "cuda":
            torch.cuda.empty_cache()
        log.warning(
            "%s: GPU out of memory with %d windows of %s voxels at a time: %d from here on",
            self.whose,
            len(part),
            shown,
            self.most,
        )


def _if_it_fits(predict: Callable[[Tensor], Tensor], part: Tensor) -> Tensor | None:
    """None where memory is too little; by then the error, which holds on to some, is gone."""
    try:
        return predict(part)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return None


def slide(
    image: Tensor,
    window: Size,
    predict: Callable[[Tensor], Tensor],
    *,
    overlap: float,
    batch: int,
    device: torch.device,
) -> Tensor:
    """Blend `predict` of all windows of an image (1,1,Z,Y,X) in memory; float32, on the CPU.

    Images smaller than the window are padded by reflection and cropped back.
    """
    fits = _fits(image, device)
    padded = pad_to_window(image, window)
    blended = sliding_window_inference(
        padded.to(device) if fits else padded,
        window,
        batch,
        predict,
        overlap=overlap,
        mode="gaussian",
        sw_device=device,
        device=device if fits else "cpu",
    ).cpu()
    return blended[:, :, : image.shape[2], : image.shape[3], : image.shape[4]].float()


def _fits(image: Tensor, device: torch.device) -> bool:
    """Whether an image and its blended prediction take less than half of a GPU's free memory.

    What torch holds back for itself is free too; in a training, that is nearly all of the GPU.
    """
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return 4 * image.numel() * 4 < free // 2


def pad_to_window(image: Tensor, window: Sequence[int]) -> Tensor:
    """Pad (1,1,Z,Y,X), on the CPU, by reflection at the far ends up to `window`.

    By numpy, since torch's own refuses a pad as wide as the image.
    """
    lacking = [max(0, wanted - n) for wanted, n in zip(window, image.shape[2:], strict=True)]
    if not any(lacking):
        return image
    pads = [(0, 0), (0, 0), *((0, n) for n in lacking)]
    return torch.from_numpy(np.pad(image.numpy(), pads, mode="reflect"))
