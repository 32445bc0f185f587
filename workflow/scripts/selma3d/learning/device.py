"""Devices: the one a network runs on, its precision and its memory layout."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..system import gpus
from ..system.errors import GpuMemoryError, InputError
from .distributed import world
from .packed import Packed
from .task import KEPT_ON_CPU, Batch

log = logging.getLogger(__name__)

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass
class Compute:
    """A device with the precision and layout that a network runs at on it.

    One object for all parts of a training, so that a precision that is kept holds for all of them.
    """

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

        `auto` is the GPU of this process where there is one, and the CPU where the job asked for
        none; bf16 on GPUs that have it, fp16 with a gradient scaler on older ones, fp32 on the CPU.
        Raises InputError, also where a GPU was asked for and can't be used.
        """
        chosen = _device(device, local_rank)
        if precision == "auto":
            precision = "fp32" if chosen.type == "cpu" else precisions_of(chosen)[-1]
        if precision not in precisions_of(chosen):
            where = "a CPU" if chosen.type == "cpu" else f"{chosen}, which is too old for it"
            raise InputError(
                f"precision: expected {' or '.join(precisions_of(chosen))} on {where}, "
                f"found '{precision}'"
            )
        if chosen.type == "cuda":
            torch.cuda.set_device(chosen)
        return cls(chosen, precision, channels_last)

    @classmethod
    def of_model(cls, device: str, precision: str, channels_last: bool) -> Compute:
        """For a trained network: on a GPU as it was trained, where it can be; on a CPU in fp32.

        So also on a GPU without bf16: fp16 has not its range, and nothing would be left of a mask.
        """
        compute = cls.choose(device, "fp32", channels_last)
        if compute.device.type == "cpu":
            compute.channels_last = False
        else:
            compute.keep(precision)
        return compute

    def keep(self, precision: str) -> None:
        """Go on at the precision that a training began at; warn where this device lacks it."""
        if precision == self.precision:
            return
        if precision in precisions_of(self.device):
            self.precision = precision
            return
        log.warning(
            "precision: %s until now, which %s does not have: %s from here on",
            precision,
            self.device,
            self.precision,
        )

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

    def move(self, batch: Batch) -> Batch:
        """Move a batch to the device, from pinned memory and without waiting on a GPU.

        Small tensors of one type travel together. What a program itself reads stays on the CPU.
        """
        if self.device.type == "cpu":
            return batch
        kept = {k: each for k, each in batch.items() if k.rsplit("/", 1)[-1] in KEPT_ON_CPU}
        moving = Packed.of({k: each for k, each in batch.items() if k not in kept})
        return kept | moving.mapped(self.sent).batch()

    def fetched(self, tensor: Tensor) -> Tensor:
        """A tensor on the CPU, by one copy to pinned memory, which is waited for."""
        if self.device.type == "cpu":
            return tensor
        here = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        here.copy_(tensor)
        return here

    def sent(self, tensor: Tensor) -> Tensor:
        """A tensor on the device, from pinned memory and without waiting on a GPU."""
        if self.device.type == "cpu":
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)


def _device(name: str, local_rank: int) -> torch.device:
    """The device of a name; `cuda` is the GPU of this process, as `auto` is."""
    try:
        chosen = None if name == "auto" else torch.device(name)
    except RuntimeError:
        raise InputError(
            f"device: expected auto, cpu, cuda or cuda:<number>, found '{name}'"
        ) from None
    wanted = gpus.expected() > 0 if chosen is None else chosen.type == "cuda"
    if wanted and not torch.cuda.is_available():
        key = "resources.gpu" if chosen is None else "device"
        raise InputError(
            f"{key}: expected a usable GPU, found none: {why_no_gpu()} "
            f"(docs/gpu.md; {key}: {'0' if chosen is None else 'cpu'} computes on the CPU)"
        )
    if chosen is None:
        usable = torch.cuda.is_available() and not gpus.declined()
        chosen = torch.device("cuda" if usable else "cpu")
    if chosen.type == "cuda":
        number = local_rank if chosen.index is None else chosen.index
        if chosen.index is not None and world() > 1:
            raise InputError(
                f"device: expected auto or cuda, as {world()} processes train on a GPU each, "
                f"found '{name}'"
            )
        if number >= torch.cuda.device_count():
            raise InputError(
                f"device: expected one of {torch.cuda.device_count()} GPUs, found number {number}"
            )
        return torch.device("cuda", number)
    return chosen


def why_no_gpu() -> str:
    """The reason in one line why torch can use no GPU here."""
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built for CPUs"
    if os.environ.get(gpus.VISIBLE, "0").strip() in ("", "-1"):
        return f"{gpus.VISIBLE} hides them all"
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return " ".join(str(error).split())
    return f"torch {torch.__version__} for CUDA {torch.version.cuda} sees no device"


def precisions_of(device: torch.device) -> tuple[str, ...]:
    """The precisions that a device computes at, the last the fastest: bf16 from capability 8.0."""
    if device.type == "cpu":
        return ("fp32", "bf16")
    capable = torch.cuda.get_device_capability(device) >= (8, 0)
    return ("fp32", "fp16", "bf16") if capable else ("fp32", "fp16")


def single_precision(device: torch.device) -> torch.autocast:
    """Switch mixed precision off: images, losses and softmaxes are computed in float32."""
    return torch.autocast(device.type, enabled=False)


def set_threads(threads: int) -> None:
    """Let torch use this many CPU threads: results depend on it, and too many are slow."""
    torch.set_num_threads(threads)


def be_deterministic(enabled: bool) -> None:
    """Ask for the same bits on every run of the same machine; slower on GPUs, free on CPUs.

    torch then raises RuntimeError at an operation that has no deterministic kernel on a GPU.
    """
    if enabled:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(enabled)
    torch.backends.cudnn.deterministic = enabled
    torch.backends.cudnn.benchmark = not enabled


def predict_alike() -> None:
    """Let a GPU choose its kernels by rule and not by timing them.

    Then a volume whose segmentation is killed and goes on gets the same mask, bit for bit. (What a
    training has timed in this process would be used otherwise.)
    """
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


# What CUDA's libraries say where they lack memory themselves. The third is what is left when no
# kernel that cuDNN times finds room to work in.
_TOO_LITTLE_MEMORY = (
    "CUDA error: out of memory",
    "CUDNN_STATUS_ALLOC_FAILED",
    "unable to find an engine to execute this computation",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "'out of memory'",  # NCCL quotes it so
)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a GPU had too little memory: as torch says it, or a library of CUDA."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return any(text in str(error) for text in _TOO_LITTLE_MEMORY)


@contextmanager
def memory_for(told: Callable[[], str]) -> Iterator[None]:
    """Turn too little memory of a GPU into GpuMemoryError, whose line `told` gives."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise GpuMemoryError(told()) from error


def versions(device: torch.device) -> dict[str, str]:
    """Versions of what decides the numbers: torch and, on a GPU, CUDA, cuDNN, the GPU's name."""
    found = {"torch": str(torch.__version__)}
    if device.type == "cuda":
        found["cuda"] = str(torch.version.cuda)
        found["cudnn"] = str(torch.backends.cudnn.version())
        found["gpu"] = torch.cuda.get_device_name(device)
    return found
