"""Bombs: small files that promise much; what each costs before it is refused.

    python benchmarks/bombs.py

Each file is made in a temporary folder and read in a process of its own, forked once everything is
imported. Printed is a Markdown table: bytes of the file, peak memory above the
start of that process, seconds, and the message. Exits with 1 where one takes more than 500 MB or
5 s, or ends in anything but one line.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "workflow" / "scripts"), str(ROOT / "tests")]

MOST_MB, MOST_S = 500, 5.0


def main() -> None:
    import selma3d.archive.unpack
    import selma3d.images.readers
    import selma3d.learning.model_files
    import selma3d.methods.foreign  # noqa: F401 - before the start of each measurement

    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    failed = False
    print("| bomb | bytes in | peak above start, MB | seconds | message |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        bombs = made(Path(folder))
        with get_context("fork").Pool(1, maxtasksperchild=1) as pool:
            for what, (reader, path) in bombs.items():
                seen = pool.apply(measured, (READERS[reader], path))
                failed |= seen["mb"] > MOST_MB or seen["s"] > MOST_S or not seen["message"]
                message = seen["message"].replace(f"{folder}/", "").replace("|", "\\|")
                cost = f"{path.stat().st_size:,} | {seen['mb']:.0f} | {seen['s']:.2f}"
                print(f"| {what} | {cost} | {message} |", flush=True)
    sys.exit(failed)


def measured(read: Callable[[Path], object], path: Path) -> dict[str, float | str]:
    """Peak memory, seconds and message of one reading."""
    from selma3d.system.errors import InputError

    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before, began, message = peak_mb(), time.perf_counter(), ""
    try:
        read(path)
    except InputError as error:
        message = str(error)
    return {
        "mb": peak_mb() - before,
        "s": time.perf_counter() - began,
        "message": message if "\n" not in message else "",
    }


def peak_mb() -> float:
    """The peak of this process alone; rusage would count that of the one that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def image(path: Path) -> None:
    from selma3d.images.readers import read_image

    read_image(path)


def settings(path: Path) -> None:
    from selma3d.challenge.checking import load_yaml

    load_yaml(path)


def jobs(path: Path) -> None:
    from selma3d.methods.predictions_json import read_jobs

    read_jobs(path)


def archive(path: Path) -> None:
    from selma3d.archive.unpack import unpack

    unpack(path, path.name, path.with_name("unpacked"))


def patches(path: Path) -> None:
    from selma3d.images import PatchFile

    with PatchFile(path) as file:
        file.mask("a")


def weights(path: Path) -> None:
    from selma3d.learning.model_files import read_weights

    read_weights(path, "a model file")


READERS = {f.__name__: f for f in (image, settings, jobs, archive, patches, weights)}


def made(folder: Path) -> dict[str, tuple[str, Path]]:
    """All bombs as files: the reader and the path of each."""
    from archive import test_archive_bombs as archives
    from challenge import test_yaml_bombs as yamls
    from images import test_bombs as images
    from learning import test_model_bombs as models

    bombs: dict[str, tuple[str, Path]] = {}

    def add(what: str, reader: str, name: str, content: bytes) -> None:
        path = folder / f"{len(bombs)}" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        bombs[what] = reader, path

    for what, (name, make, _) in images.BOMBS.items():
        add(what, "image", name, make())
    for what, (text, _) in yamls.BOMBS.items():
        add(f"YAML: {what}", "settings", "a.yaml", text.encode())
    add("JSON: lists in lists", "jobs", "predictions.json", b"[" * 1_000_000)
    for what in ("pax header of a megabyte", "headers in a chain", "long name of a megabyte"):
        name, make, _ = archives.BOMBS[what]
        add(what, "archive", name, make())
    add("sparse member of 8 GB", "archive", "a.tar.gz", archives.sparse(8 * 10**9))
    add(
        "zip of 1.1 GB of zeros",
        "archive",
        "a.zip",
        archives.zipped(*((f"{n}.nii", 10**8) for n in range(11))),
    )
    for what in ("packed members", "members on one another", "code"):
        path = folder / f"{what}.pt"
        models.CASES[what][0](path)
        bombs[f"model: {what}"] = "weights", path
    hdf5 = {
        "HDF5 of 27 TB": declared(folder / "p.h5"),
        "HDF5: a chunk of gzip that becomes 400 times its size": deflated(folder / "q.h5"),
        "HDF5: a heap of texts of 8 EB": with_heap(folder / "r.h5"),
        "HDF5: a text of 4 GB": with_text(folder / "s.h5"),
    }
    return bombs | {what: ("patches", path) for what, path in hdf5.items()}


def declared(path: Path) -> Path:
    import h5py
    import numpy as np

    with h5py.File(path, "w") as file:
        file.attrs.update({"kind": "patches", "contract_version": 1})
        file.create_group("a").create_dataset("mask", (30_000,) * 3, np.uint8, chunks=(64,) * 3)
    return path


def deflated(path: Path) -> Path:
    """One chunk of 4 MB, in whose place lie 1.6 GB of zeros."""
    import zlib

    import h5py
    import numpy as np

    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(1 << 24)) for _ in range(100)]
    with h5py.File(path, "w") as file:
        file.attrs.update({"kind": "patches", "contract_version": 1})
        mask = file.create_group("a").create_dataset(
            "mask", (64, 256, 256), np.uint8, chunks=(64, 256, 256), compression="gzip"
        )
        mask.id.write_direct_chunk((0, 0, 0), b"".join([*parts, packer.flush()]))
    return path


def with_heap(path: Path) -> Path:
    """A whole file, but for the size of the heap that its texts lie in."""
    content = declared(path).read_bytes()
    at = content.index(b"GCOL")
    path.write_bytes(content[: at + 8] + b"\xff" * 7 + b"\x7f" + content[at + 16 :])
    return path


def with_text(path: Path) -> Path:
    """A whole file, but for the length of one of its texts."""
    import h5py

    with h5py.File(declared(path), "a") as file:
        file.attrs["long"] = "seven .."
    content = path.read_bytes()
    at = content.index(b"long\0") + 40  # past name, type and shape
    path.write_bytes(content[:at] + b"\xf0\xff\xff\xff" + content[at + 4 :])
    return path


if __name__ == "__main__":
    main()
