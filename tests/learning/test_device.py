"""The device, precision and layout that a network runs at, and what an absent GPU means."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from selma3d.inference import load_model
from selma3d.learning import device as devices
from selma3d.learning.device import (
    Compute,
    be_deterministic,
    is_out_of_memory,
    precisions_of,
    versions,
)
from selma3d.learning.training import loop
from selma3d.learning.training.loop import train
from selma3d.learning.training.pretrain import prepare_training
from selma3d.system import gpus
from selma3d.system.errors import InputError
from selma3d.system.stop import Stop, Unfinished
from small_models import write_model
from small_training import pretraining, write_images


class Gpus:
    """Two GPUs as torch.cuda tells of them; nothing can be computed on them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int]) -> None:
        self.chosen: list[torch.device] = []
        for name, answer in {
            "is_available": lambda: True,
            "device_count": lambda: 2,
            "get_device_capability": lambda device: capability,
            "set_device": self.chosen.append,
        }.items():
            monkeypatch.setattr(torch.cuda, name, answer)


@pytest.fixture
def ampere(monkeypatch: pytest.MonkeyPatch) -> Gpus:
    return Gpus(monkeypatch, (8, 0))


@pytest.fixture
def volta(monkeypatch: pytest.MonkeyPatch) -> Gpus:
    return Gpus(monkeypatch, (7, 0))


def test_a_gpu_that_was_asked_for_and_cannot_be_used_is_an_error_of_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with gpus.expecting(1), pytest.raises(InputError, match="expected a usable GPU") as error:
        Compute.choose()
    assert "\n" not in str(error.value)
    assert "resources.gpu: 0 computes on the CPU" in str(error.value)


def test_where_no_gpu_was_asked_for_or_the_recipe_says_cpu_the_cpu_computes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Compute.choose().device.type == "cpu"
    with gpus.expecting(1):
        assert Compute.choose("cpu").device.type == "cpu"


@pytest.mark.parametrize(
    ("torch_is_for", "visible", "reason"),
    [
        (None, None, "is built for CPUs"),
        ("13.0", "", "CUDA_VISIBLE_DEVICES hides them all"),
        ("13.0", None, "driver on your system is too old"),
    ],
)
def test_the_error_says_why_there_is_no_usable_gpu(
    monkeypatch: pytest.MonkeyPatch, torch_is_for: str | None, visible: str | None, reason: str
) -> None:
    def init() -> None:
        raise RuntimeError("The NVIDIA driver on your system is too old\n(found version 11040).")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", init)
    monkeypatch.setattr(torch.version, "cuda", torch_is_for)
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    if visible is not None:
        monkeypatch.setenv(gpus.VISIBLE, visible)
    with pytest.raises(InputError, match=reason) as error:
        Compute.choose("cuda")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("device", ["auto", "cuda", "cuda:1"])
def test_cuda_without_a_number_is_the_gpu_of_this_process(ampere: Gpus, device: str) -> None:
    assert Compute.choose(device, local_rank=1).device == torch.device("cuda", 1)
    assert ampere.chosen == [torch.device("cuda", 1)]


def test_processes_of_one_training_do_not_all_take_the_gpu_of_a_number(
    ampere: Gpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "world", lambda: 2)
    assert Compute.choose("cuda", local_rank=1).device == torch.device("cuda", 1)
    with pytest.raises(InputError, match="device: expected auto or cuda, as 2 processes train"):
        Compute.choose("cuda:0", local_rank=1)


@pytest.mark.parametrize(
    ("device", "message"),
    [("gpu", "expected auto, cpu, cuda"), ("cuda:7", "expected one of 2 GPUs, found number 7")],
)
def test_a_device_that_does_not_exist_is_refused(ampere: Gpus, device: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Compute.choose(device)


def test_a_model_is_run_at_the_precision_and_layout_it_was_trained_at(ampere: Gpus) -> None:
    compute = Compute.of_model("auto", "fp16", True)
    assert (compute.precision, compute.channels_last) == ("fp16", True)


def test_on_a_cpu_a_model_is_run_in_single_precision() -> None:
    compute = Compute.of_model("cpu", "bf16", True)
    assert (compute.precision, compute.channels_last) == ("fp32", False)


def test_a_model_file_that_misstates_how_it_was_trained_is_refused_by_the_key(
    tmp_path: Path,
) -> None:
    path = write_model(tmp_path / "model.pt", precision=[], channels_last=1)
    with pytest.raises(InputError, match=r"precision: expected .* found \[\]"):
        load_model(path, threads=1)


def test_a_training_keeps_its_precision_where_the_gpu_has_it(volta: Gpus) -> None:
    compute = Compute.choose()
    assert compute.precision == "fp16"
    compute.keep("fp32")
    assert compute.precision == "fp32"


def test_a_training_goes_on_at_another_precision_where_the_gpu_lacks_its_own(
    volta: Gpus, caplog: pytest.LogCaptureFixture
) -> None:
    compute = Compute.choose()
    compute.keep("bf16")
    assert compute.precision == "fp16"
    assert "bf16 until now, which cuda:0 does not have: fp16 from here on" in caplog.text


def test_a_training_that_began_without_a_scaler_goes_on_with_one(tmp_path: Path) -> None:
    """As on an A100 in bf16 and then on a V100 in fp16: the kept state of the scaler is empty."""
    write_images(tmp_path)
    arguments = pretraining(tmp_path, tmp_path, steps=4)

    def training() -> loop.Training:
        return prepare_training(arguments["pretraining"], tmp_path / "work")

    first = training()
    first.compute.precision = "bf16"
    with Stop(0.0) as stop, pytest.raises(Unfinished):
        train(first, stop, lambda history: {})
    second, seen = training(), []
    second.compute.gradient_scaler = lambda: torch.amp.GradScaler("cpu", enabled=True)
    second.compute.keep = lambda precision: seen.append(precision)
    with Stop() as stop:
        train(second, stop, lambda history: {})
    assert seen == ["bf16"]


@pytest.mark.parametrize("precision", ["bf16", "tf32"])
def test_a_precision_that_the_gpu_lacks_is_an_error_and_is_not_timed(
    volta: Gpus, precision: str
) -> None:
    with pytest.raises(InputError, match=r"precision: expected .*fp32"):
        Compute.choose(precision=precision)
    assert precisions_of(Compute.choose().device) == ("fp32", "fp16")


def test_a_model_of_bf16_is_run_in_single_precision_where_its_range_is_lacking(volta: Gpus) -> None:
    assert Compute.of_model("auto", "bf16", False).precision == "fp32"


def test_a_job_that_asked_for_no_gpu_leaves_those_of_others_alone(
    ampere: Gpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: pytest.fail("a GPU is used"))
    with gpus.expecting(0):
        compute = Compute.choose()
    assert compute.device.type == "cpu"
    assert "gpu" not in versions(compute.device)
    assert Compute.choose().device.type == "cuda"  # outside of a rule's job


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("FIND was unable to find an engine to execute this computation"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (dist.DistBackendError("NCCL error. Last error: Cuda failure 2 'out of memory'"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (RuntimeError("expected all tensors to be on the same device"), False),
    ],
)
def test_too_little_memory_is_known_whichever_library_says_so(
    error: RuntimeError, expected: bool
) -> None:
    assert is_out_of_memory(error) is expected


def test_a_prediction_is_made_by_kernels_that_repeat_even_after_a_training(tmp_path: Path) -> None:
    be_deterministic(False)
    assert torch.backends.cudnn.benchmark
    load_model(write_model(tmp_path / "model.pt"), threads=1)
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.benchmark
