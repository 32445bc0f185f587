"""Writing of HDF5 files: a full disk is an error and never leaves a file with holes.

HDF5 writes cached chunks when a dataset is closed. Where the disk is full, h5py ignores that error,
so that the file looks finished and lacks chunks, and the library may crash when the file is closed.
So HDF5 is given a file object that remembers the first error and takes the rest for written; the
error is raised when the file is closed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import h5py

from ..system.atomic import publish
from .storage import stamp


@contextmanager
def new_file(
    path: str | Path, kind: str, attributes: Mapping[str, Any] | None = None
) -> Iterator[h5py.File]:
    """One of the workflow's files; it appears when the block ends without an error."""
    with publish(path) as temporary, writing_hdf5(temporary) as file:
        stamp(file, kind)
        file.attrs.update(attributes or {})
        yield file


@contextmanager
def writing_hdf5(path: str | Path, mode: Literal["w", "r+"] = "w") -> Iterator[h5py.File]:
    """Create an HDF5 file, or change one; raises OSError at the end if not all was written."""
    with _Remembering(path, {"w": "w+", "r+": "r+"}[mode]) as raw:
        try:
            with h5py.File(raw, mode) as file:
                yield file
        except Exception:
            # What is read back after a failed write may be anything: the first error counts.
            if raw.error is None:
                raise
        if raw.error is not None:
            raise OSError(raw.error.errno, raw.error.strerror, str(path))


class _Remembering(io.FileIO):
    """A file that keeps its first error in writing to itself, and writes no more after it."""

    error: OSError | None = None

    def write(self, content: memoryview) -> int:
        left, size = memoryview(content), len(content)
        try:
            while self.error is None and len(left):
                left = left[super().write(left) :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        try:
            if self.error is None:
                return super().truncate(size)
        except OSError as error:
            self.error = error
        return self.tell() if size is None else size
