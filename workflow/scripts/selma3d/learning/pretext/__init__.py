"""Pretext tasks by the name of their module: a new task is a new file and a recipe."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from ...challenge import recipe
from ...challenge.checking import check, nearest
from ...system.errors import InputError
from ..networks import Segmenter
from .base import Pretext, Windows

__all__ = ["Pretext", "Windows", "build", "names", "task"]


def names() -> list[str]:
    """All tasks: the modules of this package that say which class is their TASK."""
    modules = [module.name for module in pkgutil.iter_modules(__path__)]
    return [name for name in modules if hasattr(_module(name), "TASK")]


def task(name: str) -> type[Pretext]:
    """The class of a task."""
    return _module(name).TASK


def build(settings: recipe.Pretext, network: Segmenter, windows: Windows) -> Pretext:
    """Make the task that a recipe's pretext names, with its options.

    Raises InputError for an unknown task, key or value, and for a window that does not suit the
    network.
    """
    name = settings.task
    if name not in names():
        raise InputError(f"pretext: task: no task {name!r}{nearest(name, names())}")
    chosen = task(name)
    options = check(chosen.Options, settings.options, f"pretext {name}")
    network.check_window(windows.size, "window")
    try:
        return chosen(network, windows, options)
    except InputError as error:
        raise InputError(f"pretext {name}: {error}") from None


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")
