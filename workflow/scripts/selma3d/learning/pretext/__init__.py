"""Pretext tasks, found by the name of their module: a new task is a new file and a recipe."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from ...system.errors import InputError
from ..networks import Segmenter
from ..networks.options import checked, meant
from .base import Pretext, Windows

__all__ = ["Pretext", "Windows", "build", "names"]


def names() -> list[str]:
    """All tasks: the modules of this package that say which class is their TASK."""
    modules = [module.name for module in pkgutil.iter_modules(__path__)]
    return [name for name in modules if hasattr(_module(name), "TASK")]


def build(spec: dict[str, Any], network: Segmenter, windows: Windows) -> Pretext:
    """Make the task that `spec` describes: {task: …, and options of that task}.

    Raises InputError for an unknown task, key or value, and for a window that does not suit the
    network.
    """
    options = dict(spec)
    name = options.pop("task", None)
    if name not in names():
        raise InputError(f"pretext: task: {meant(str(name), names())} (found '{name}')")
    task = _module(name).TASK
    options = checked(task, options, f"pretext {name}")
    network.check_window(windows.size, "window")
    try:
        return task(network, windows, **options)
    except InputError as error:
        raise InputError(f"pretext {name}: {error}") from None


def _module(name: str) -> Any:
    return importlib.import_module(f"{__name__}.{name}")
