"""Formats of images: a module each, which holds `FORMAT`. A new one needs no other change."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from ..image_file import ImageFile


@dataclass(frozen=True)
class Format:
    """A format of images.

    extensions: of its files or folders. open(path, accept_unreadable): the image; planes that do
    not open are left to the caller where the second argument is true. recognises: whether a
    file or folder looks like it, where the extension alone does not say. is_folder: whether an
    image is a folder.
    """

    extensions: tuple[str, ...]
    open: Callable[[Path, bool], ImageFile]
    recognises: Callable[[Path], bool] | None = None
    is_folder: bool = False


@cache
def known_formats() -> tuple[Format, ...]:
    """Every format; those that look at a file or folder first, before those that take any."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    found = [import_module(f"{__name__}.{name}").FORMAT for name in names]
    return tuple(sorted(found, key=lambda known: known.recognises is None))


def format_of(path: Path) -> Format | None:
    """The format of a file or folder; None where it is none of them."""
    is_folder, suffix = path.is_dir(), image_suffix(path)
    for known in known_formats():
        fits = known.is_folder == is_folder and (is_folder or suffix in known.extensions)
        if fits and (known.recognises is None or known.recognises(path)):
            return known
    return None


def image_suffix(path: Path) -> str | None:
    """The known extension of `path`, such as `.nii.gz`; None if there is none."""
    name = path.name.lower()
    return next((suffix for suffix in extensions() if name.endswith(suffix)), None)


def image_stem(path: Path) -> str:
    """The file's name without its known extension."""
    return path.name[: -len(image_suffix(path) or "")] or path.name


@cache
def extensions() -> tuple[str, ...]:
    """All known extensions, longer ones first."""
    every = {suffix for known in known_formats() for suffix in known.extensions}
    return tuple(sorted(every, key=lambda suffix: (-len(suffix), suffix)))
