"""MONAI in a third of the time, for scripts that run nothing but this package; imported before it.

`import monai` imports all of MONAI, and with it every library that any part of it can make use of:
plots, statistics, image formats. Each job would pay for them, and a preempted training with each
new start. MONAI is written to do without those that are not installed; while it is imported here,
they are not. Parts of it that need them say so when they are used: no script of a method's own
should import this.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch  # noqa: F401 (while nothing is hidden: it looks for libraries too)

NOT_NEEDED = ("PIL", "matplotlib", "nibabel", "pandas", "scipy", "skimage", "tensorboard", "zarr")


@contextmanager
def without(libraries: tuple[str, ...]) -> Iterator[None]:
    """Let no import find these libraries, unless they are there already."""
    hidden = [name for name in libraries if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # how Python marks what must not be imported
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with without(NOT_NEEDED):
    import monai  # noqa: F401
