"""Reading of files of weights: sizes and form first, and never code in them."""

from __future__ import annotations

import math
import pickle
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from ..challenge.checking import Model, check
from ..system.errors import InputError
from ..system.limits import check_file, check_limit, proportionate

SPARE_WEIGHTS = 1 << 20  # that a network may have and replace while it is made
MOST_OVERHEAD = 1 << 20  # bytes of a zip beside its members


class Form(Model):
    """Keys of a file of weights that are looked at; others may stand beside them."""

    model_config = pydantic.ConfigDict(extra="ignore")


AnyForm = TypeVar("AnyForm", bound=Form)


def check_form(form: type[AnyForm], content: Mapping[str, Any], path: Path) -> AnyForm:
    """The keys that a form names, by their types. Raises InputError."""
    named = {name: content[name] for name in form.model_fields if name in content}
    try:
        return check(form, named, path)
    except (TypeError, ValueError) as error:  # what JSON has no word for
        raise InputError(f"{path}: expected plain values, found others ({error})") from None


def read_weights(path: Path, what: str, *, named: Path | None = None) -> dict[str, Any]:
    """What torch saved in a file: tensors and plain values.

    what: the kind of file, for messages. named: what they call the file. Raises InputError for what
    is absent, no file, packed, damaged, or not to be read without running code in it.
    """
    named = named or path
    try:
        size = check_file(path, what, "IMAGE_BYTES")
        with proportionate(named, what):
            _check_members(path, size, named, what)
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{named}: expected {what}, found nothing") from None
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{named}: expected {what} of tensors and plain values, found one that does not load "
            f"without running code in it ({_reason(error)}) (it is not run: get another file)"
        ) from None
    except InputError:
        raise
    except Exception as error:  # what torch raises for damaged files shares no base class
        raise InputError(
            f"{named}: expected {what}, found one that does not load ({_reason(error)}) "
            "(truncated or damaged: copy or make it again)"
        ) from None
    if not isinstance(content, dict):
        raise InputError(f"{named}: expected {what}, found {type(content).__name__}")
    return content


@contextmanager
def at_most_weights(most: int) -> Iterator[None]:
    """Raise ValueError where networks that are made meanwhile have more weights."""
    count = 0

    def counted(module: nn.Module, name: str, weights: nn.Parameter) -> None:
        nonlocal count
        count += 0 if weights is None else weights.numel()
        if count > most:
            raise ValueError(f"more than {most} weights")

    hook = register_module_parameter_registration_hook(counted)
    try:
        yield
    finally:
        hook.remove()


def check_window(window: tuple[int, ...], path: Path) -> None:
    """Raise InputError for a window (z,y,x) of a model that no image is seen through."""
    if len(window) != 3 or min(window) < 1:
        raise InputError(f"{path}: input.inference_window: expected three edges, found {window}")
    check_limit(f"{path}: input.inference_window", "voxels", math.prod(window), "WINDOW_VOXELS")


def _check_members(path: Path, size: int, named: Path, what: str) -> None:
    """Raise InputError where the zip that torch writes would unpack to more than it is."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    check_limit(named, "members", len(members), "MEMBERS")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise InputError(f"{named}: expected {what} as torch saves it, found packed members")
    promised = sum(member.file_size for member in members)
    if promised > size + MOST_OVERHEAD:
        raise InputError(
            f"{named}: expected {what} of {size} bytes at most, found members of {promised}"
        )


def _reason(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
