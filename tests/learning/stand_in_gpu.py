"""A stand-in for a GPU, for tests on machines without one: it computes on the CPU by CUDA's rules.

Tensors on it may not be mixed with tensors on the CPU (but for numbers of no axis), nothing moves
between the two unless it is told to, and whatever would make a program wait for a GPU is counted:
reading a value, copying to the CPU, copying from memory that is not pinned, and operations whose
result has a size that only the GPU knows. Operations that have no deterministic kernel on CUDA
are refused where `deterministic` is set, as torch does there.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map

GPU = torch.device("cuda", 0)
CPU = torch.device("cpu")

aten = torch.ops.aten
COPIES = {aten._to_copy.default, aten.copy_.default}
READ = {aten._local_scalar_dense.default, aten.equal.default, aten.is_nonzero.default}
OF_UNKNOWN_SIZE = {
    aten.nonzero.default, aten.masked_select.default, aten._unique2.default,
    aten.bincount.default, aten.unique_dim.default,
}  # fmt: skip
INDEXING = {aten.index, aten.index_put, aten.index_put_}
MAKING = {
    torch.arange, torch.empty, torch.eye, torch.full, torch.linspace, torch.ones, torch.rand,
    torch.randint, torch.randn, torch.randperm, torch.tensor, torch.zeros,
}  # fmt: skip
GROUPING = ("torch/nn/utils/clip_grad.py", "torch/optim/adam.py", "torch/optim/sgd.py")
# of those that torch's documentation names (use_deterministic_algorithms), with a gradient
NOT_DETERMINISTIC = {
    aten.upsample_trilinear3d_backward, aten.upsample_bilinear2d_backward,
    aten.upsample_bicubic2d_backward, aten.upsample_nearest3d_backward,
    aten.max_pool3d_with_indices_backward, aten.avg_pool3d_backward,
    aten._adaptive_avg_pool3d_backward, aten.grid_sampler_2d_backward,
    aten.grid_sampler_3d_backward, aten.reflection_pad3d_backward,
    aten.replication_pad3d_backward, aten.scatter_reduce, aten.scatter_reduce_,
    aten.histc, aten.put_, aten.median, aten.kthvalue,
}  # fmt: skip


class OnGpu(torch.Tensor):
    """A tensor that says it is on the GPU; `inner` has its values, on the CPU."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> OnGpu:
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=CPU,  # for torch's own code, which has no CUDA here
        )
        made.inner = inner
        return made

    @property
    def device(self) -> torch.device:
        return GPU

    @property
    def is_cuda(self) -> bool:
        return True

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise AssertionError(f"{func}: a tensor of the stand-in outside of it")


class StandInGpu(TorchDispatchMode):
    """The device; `waits` counts by the line of code what a program waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.copies: Counter[str] = Counter()
        self.deterministic = False
        self.asked = False  # for a new tensor on the CPU, by a line of Python
        self._pinned: dict[int, Tensor] = {}
        self._of_torch: WeakValueDictionary[int, Tensor] = WeakValueDictionary()

    def pin(self, tensor: Tensor) -> Tensor:
        """A copy in pinned memory."""
        pinned = tensor.clone()
        self._pinned[id(pinned)] = pinned
        return pinned

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, Tensor)]
        there = [t for t in tensors if isinstance(t, OnGpu)]
        here = [t for t in tensors if not isinstance(t, OnGpu)]
        target = kwargs.get("device")
        if not there and (target is None or torch.device(target).type == "cpu"):
            made = func(*args, **kwargs)
            if not tensors and isinstance(made, Tensor) and not self.asked:
                self._of_torch[id(made)] = made  # by torch's own code, for whichever device
            return made
        if self.deterministic and func.overloadpacket in NOT_DETERMINISTIC:
            raise RuntimeError(f"{func} does not have a deterministic implementation")
        if func in COPIES:
            return self._copy(func, args, kwargs, there, here, target)
        if func.overloadpacket in INDEXING and there:  # by indices on the CPU, which CUDA copies
            moved = [self._sent(t) for t in args[1]]
            here = [t for t in here if all(t is not index for index in args[1])]
            args = (args[0], moved, *args[2:])
        if there and any(t.ndim and id(t) not in self._of_torch for t in here):
            raise RuntimeError(
                f"{func}: expected all tensors to be on the same device, found cuda:0 and cpu"
            )
        if func in READ or func in OF_UNKNOWN_SIZE or self._indexes_by_truth(func, args):
            self._wait(str(func))
        kwargs = kwargs | ({"device": CPU} if target is not None else {})
        kwargs.pop("pin_memory", None) if "pin_memory" in kwargs else None
        out = func(*self._inner(args), **self._inner(kwargs))
        wrapped = tree_map(lambda t: OnGpu(t) if isinstance(t, Tensor) else t, out)
        return return_and_correct_aliasing(func, args, kwargs, wrapped) if there else wrapped

    def _copy(self, func, args, kwargs, there, here, target):
        if func is aten.copy_.default:
            to, of = args[0], args[1]
            waits = isinstance(to, OnGpu) != isinstance(of, OnGpu)
            if waits:
                self._moved(of, bool(args[2]) if len(args) > 2 else kwargs.get("non_blocking"))
            self._plain(to).copy_(self._plain(of))
            return to
        (of,) = args
        to_gpu = isinstance(of, OnGpu) if target is None else torch.device(target).type == "cuda"
        if isinstance(of, OnGpu) != to_gpu:
            self._moved(of, kwargs.get("non_blocking", False))
        options = {k: v for k, v in kwargs.items() if k not in ("device", "pin_memory")}
        out = func(self._plain(of), **options, device=CPU)
        if out is self._plain(of):
            out = out.clone()
        return OnGpu(out) if to_gpu else out

    def _moved(self, of: Tensor, non_blocking: bool | None) -> None:
        upwards = not isinstance(of, OnGpu)
        self.copies["to the GPU" if upwards else "from the GPU"] += 1
        if not (upwards and non_blocking and id(of) in self._pinned):
            self._wait("copy to the GPU" if upwards else "copy from the GPU")

    def _sent(self, index: Tensor | None) -> Tensor | None:
        if index is None or isinstance(index, OnGpu):
            return index
        self._moved(index, False)
        return OnGpu(index)

    @staticmethod
    def _indexes_by_truth(func: Any, args: Sequence[Any]) -> bool:
        if func.overloadpacket not in INDEXING:
            return False
        return any(t is not None and t.dtype in (torch.bool, torch.uint8) for t in args[1])

    def _wait(self, what: str) -> None:
        frame = sys._getframe()
        while frame is not None and "selma3d" not in frame.f_code.co_filename:
            frame = frame.f_back
        where = "?" if frame is None else f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
        self.waits[f"{where} {what}"] += 1

    @staticmethod
    def _plain(tensor: Tensor) -> Tensor:
        return tensor.inner if isinstance(tensor, OnGpu) else tensor

    def _inner(self, tree: Any) -> Any:
        return tree_map(lambda t: self._plain(t) if isinstance(t, Tensor) else t, tree)


class _Functions(TorchFunctionMode):
    """What does not reach a device's kernels: pinned memory, and values as Python's."""

    def __init__(self, gpu: StandInGpu) -> None:
        super().__init__()
        self._gpu = gpu

    def __torch_function__(
        self, func: Callable, types: Sequence[type], args=(), kwargs: Mapping | None = None
    ):
        kwargs = dict(kwargs or {})
        if func is Tensor.pin_memory:
            return self._gpu.pin(args[0])
        if func is Tensor.to:
            return self._to(*args, **kwargs)
        if func is Tensor.cpu:
            return self._to(args[0], CPU)
        if func is Tensor.new_tensor and isinstance(args[0], OnGpu):
            return self._to(torch.tensor(*args[1:], dtype=kwargs.get("dtype", args[0].dtype)), GPU)
        if _on_gpu(kwargs.get("device")):  # a new tensor
            made = func(*args, **kwargs | {"device": CPU})
            if func in (torch.tensor, torch.as_tensor):
                return self._to(made, GPU)
            return OnGpu(made)
        if func in MAKING:
            kwargs.pop("pin_memory", None)  # nothing can be pinned without a GPU
            self._gpu.asked = True
            try:
                return func(*args, **kwargs)
            finally:
                self._gpu.asked = False
        if func in (Tensor.tolist, Tensor.numpy) and isinstance(args[0], OnGpu):
            if func is Tensor.numpy:
                raise TypeError("can't convert cuda:0 device type tensor to numpy")
            self._gpu._wait("tolist")
            return args[0].detach().inner.tolist()
        return func(*args, **kwargs)

    def _to(self, tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Tensor.to, as a copy wherever the device changes."""
        kwargs = dict(kwargs)
        for given in args:
            if isinstance(given, torch.dtype):
                kwargs["dtype"] = given
            elif isinstance(given, Tensor):
                kwargs |= {"dtype": given.dtype, "device": given.device}
            elif isinstance(given, bool):
                kwargs["non_blocking"] = given
            elif given is not None:
                kwargs["device"] = given
        target = kwargs.pop("device", None)
        target = tensor.device if target is None else torch.device(target)
        if sys._getframe(2).f_code.co_filename.endswith(GROUPING):
            target = tensor.device  # torch's own code groups tensors by what it takes for theirs
        kwargs = {key: value for key, value in kwargs.items() if key != "copy"}
        if target.type == tensor.device.type:
            kwargs.pop("non_blocking", None)
            return Tensor.to(tensor, **kwargs) if kwargs else tensor
        return _Moved.apply(tensor, target.type == "cuda", kwargs)


class _Moved(torch.autograd.Function):
    """A copy from one device to the other."""

    @staticmethod
    def forward(context: Any, tensor: Tensor, upwards: bool, options: dict[str, Any]) -> Tensor:
        context.upwards = upwards
        return torch.ops.aten._to_copy(tensor, device=GPU if upwards else CPU, **options)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient.to(CPU if context.upwards else GPU), None, None


def _on_gpu(device: str | torch.device | None) -> bool:
    return device is not None and torch.device(device).type == "cuda"


class _Generator(torch.Generator):
    """A generator that says which device it is for; it draws as on the CPU."""

    def __new__(cls, device: str | torch.device = "cpu") -> _Generator:
        made = super().__new__(cls, device="cpu")
        made._said = torch.device(device)
        return made

    @property
    def device(self) -> torch.device:
        return self._said


@contextmanager
def stand_in_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInGpu]:
    """Let torch have a GPU, cuda:0, that computes by CUDA's rules and counts what is waited for."""
    with monkeypatch.context() as patch, StandInGpu() as gpu, _Functions(gpu):
        patch.setattr(torch, "Generator", _Generator)
        patch.setattr(torch.cuda, "set_device", lambda device: None)
        overwritten = torch.__future__.get_overwrite_module_params_on_conversion()
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        yield gpu
        torch.__future__.set_overwrite_module_params_on_conversion(overwritten)
