"""Devices: the one a network runs on, its precision and its memory layout."""

from __future__ import annotations

import logging
import os
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..system.errors import InputError

log = logging.getLogger(__name__)

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Compute:
    """A device with the precision and layout that a network runs at on it."""

    device: torch.device
    precision: str = "fp32"
    channels_last: bool = False

    @classmethod
    def choose(
        cls,
        device: str = "auto",
        precision: str = "auto",
        channels_last: bool = False,
        local_rank: int = 0,
    ) -> Compute:
        """Choose the device, and on `auto` the fastest precision that is safe on it.

        `auto` is the GPU of this process where there is one, else the CPU; bf16 on GPUs that have
        it, fp16 with a gradient scaler on older ones, fp32 on the CPU. Raises InputError.
        """
        if device == "auto":
            device = f"cuda:{local_rank}" if torch.cuda.is_available() else "cpu"
        chosen = torch.device(device)
        if chosen.type == "cuda" and not torch.cuda.is_available():
            raise InputError(f"device: expected a usable GPU for '{device}', found none (use cpu)")
        if precision == "auto":
            precision = _fastest_safe_precision(chosen)
        if precision not in PRECISIONS:
            known = ", ".join(["auto", *PRECISIONS])
            raise InputError(f"precision: expected one of {known}, found '{precision}'")
        if precision == "fp16" and chosen.type == "cpu":
            raise InputError("precision: expected fp32 or bf16 on a CPU, found 'fp16'")
        if chosen.type == "cuda":
            torch.cuda.set_device(chosen)
        _warn_of_slow_bf16_convolution(chosen, precision)
        return cls(chosen, precision, channels_last)

    def autocast(self) -> AbstractContextManager:
        """Run the network's matrix products and convolutions at this precision."""
        return torch.autocast(
            self.device.type, PRECISIONS[self.precision], enabled=self.precision != "fp32"
        )

    def gradient_scaler(self) -> torch.amp.GradScaler:
        """Scale the loss against fp16 underflow; does nothing at other precisions."""
        return torch.amp.GradScaler(self.device.type, enabled=self.precision == "fp16")

    def place(self, network: nn.Module) -> nn.Module:
        """Move a network to the device, in the chosen layout."""
        network = network.to(self.device)
        return network.to(memory_format=torch.channels_last_3d) if self.channels_last else network

    def move(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Move a batch to the device, from pinned memory and without waiting on a GPU."""
        if self.device.type == "cpu":
            return batch
        return {
            name: tensor
            if name == "index"  # read on the CPU: from the GPU, every step would wait for it
            else tensor.pin_memory().to(self.device, non_blocking=True)
            for name, tensor in batch.items()
        }


def _fastest_safe_precision(device: torch.device) -> str:
    if device.type == "cpu":
        return "fp32"
    return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"


def _warn_of_slow_bf16_convolution(device: torch.device, precision: str) -> None:
    if device.type == "cuda" and precision == "bf16" and torch.__version__.startswith("2.9."):
        log.warning(
            "torch %s with cuDNN %s: 3D convolutions in bf16 are reported to be slow or wrong; "
            "compare with precision fp32 or take another torch",
            torch.__version__,
            torch.backends.cudnn.version(),
        )


def set_threads(threads: int) -> None:
    """Let torch use this many CPU threads: results depend on it, and too many are slow."""
    torch.set_num_threads(threads)


def be_deterministic(enabled: bool) -> None:
    """Ask for the same bits on every run of the same machine; slower on GPUs, free on CPUs."""
    if enabled:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(enabled, warn_only=True)
    torch.backends.cudnn.deterministic = enabled
    torch.backends.cudnn.benchmark = not enabled


def versions() -> dict[str, str]:
    """Versions of what decides the numbers: torch, CUDA, cuDNN, the GPU's name."""
    found = {"torch": str(torch.__version__)}
    if torch.cuda.is_available():
        found["cuda"] = str(torch.version.cuda)
        found["cudnn"] = str(torch.backends.cudnn.version())
        found["gpu"] = torch.cuda.get_device_name()
    return found
