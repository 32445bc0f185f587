"""Masks of whole volumes, block by block, beside MONAI's sliding window in memory.

    python benchmarks/inference.py                         # about fifteen minutes on one free core
    python benchmarks/inference.py --memory                # only the times
    python benchmarks/inference.py --rounds 0              # only the memory
    python benchmarks/inference.py --edge 384 --channels 16 32 64 128    # hours

Same network, weights, image, windows, overlap, batch and threads. Each measurement is a process of
its own, and they alternate; ratios carry over between machines, seconds don't. Peak memory is that
of the process, without what it held before it began (imports, network). It is taken with a network
of two layers and windows without overlap, which change its time and not how it grows.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow" / "scripts"))

import numpy as np
import torch
from monai.inferers import sliding_window_inference

from selma3d.challenge.recipe import Network
from selma3d.images import CONTRACT_VERSION, SegmentationFile, VolumeFile, write_volume
from selma3d.inference import WindowSettings, load_model, segment_volume
from selma3d.learning import networks

LEAST_CHANNELS = [4, 8]
BAND = 1e-5  # masks are equal where the probability is further from the threshold
WHOLE = (slice(None),) * 3


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--edge", type=int, default=384, help="of the image whose time is taken")
    arguments.add_argument("--memory", type=int, nargs="*", default=[256, 512, 768])
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--block", type=int, default=WindowSettings.block)
    arguments.add_argument("--window", type=int, default=64)
    arguments.add_argument("--overlap", type=float, default=0.5)
    arguments.add_argument("--batch", type=int, default=4)
    arguments.add_argument("--channels", type=int, nargs="+", default=[8, 16, 32])
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--folder", type=Path, help="where to write (default: TMPDIR)")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        write_model(folder / "model.pt", options.channels, options.window)
        for title, air in (("full of tissue", False), ("half air", True)) * bool(options.rounds):
            write_image(folder, options.edge, air)
            show(f"{options.edge}³, {title}", speed(folder, options))
        rows, options.overlap = [], 0
        write_model(folder / "model.pt", LEAST_CHANNELS, options.window)
        for edge in options.memory:
            write_image(folder, edge, air=False)
            rows += [
                {
                    "image": f"{edge}³",
                    "method": kind,
                    "peak MB": f"{measured['peak_mb']:.0f}",
                    "CPU seconds": f"{measured['cpu']:.0f}",
                }
                for kind in KINDS
                for measured in [measure(kind, folder, options)]
            ]
            show("Memory", rows)


def speed(folder: Path, options: argparse.Namespace) -> list[dict[str, str]]:
    """Median seconds of each candidate, ratio of them round by round, and equality of masks."""
    rounds = [
        {kind: measure(kind, folder, options) for kind in KINDS} for _ in range(options.rounds)
    ]
    ratios = [each["monai"]["seconds"] / each["selma3d"]["seconds"] for each in rounds]
    rows = []
    for kind in KINDS:
        seconds = statistics.median(each[kind]["seconds"] for each in rounds)
        tally = rounds[-1][kind]["tally"]
        cpu = statistics.median(each[kind]["cpu"] for each in rounds)
        row = {"method": kind, "seconds": f"{seconds:.1f}", "CPU seconds": f"{cpu:.1f}"}
        row["times as fast"] = f"{statistics.median(ratios):.2f}" if tally else "1"
        row["windows/s"] = f"{tally['windows'] / seconds:.2f}" if tally else ""
        row["idle"] = f"{1 - tally['computing_s'] / tally['total_s']:.1%}" if tally else ""
        rows.append(row)
    rows[-1]["voxels that differ"] = differing(folder)
    return rows


def measure(kind: str, folder: Path, options: argparse.Namespace) -> dict:
    """Run one candidate in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(KINDS[kind], (folder, options))


def ours(folder: Path, options: argparse.Namespace) -> dict:
    """Segment block by block."""
    model = load_model(folder / "model.pt", threads=options.threads)
    settings = WindowSettings(overlap=options.overlap, batch=options.batch, block=options.block)
    forget_peak()
    before, begin, cpu = memory_mb("VmRSS"), time.perf_counter(), time.process_time()
    tally = segment_volume(
        model, folder / "volume.h5", folder / "mask.h5",
        work=folder / "work", structure="spots", settings=settings,
    )  # fmt: skip
    return {
        "seconds": time.perf_counter() - begin,
        "cpu": time.process_time() - cpu,
        "peak_mb": memory_mb("VmHWM") - before,
        "tally": asdict(tally),
    }


def in_memory(folder: Path, options: argparse.Namespace) -> dict:
    """Segment the whole image in memory, from file to array of 0 and 1."""
    model = load_model(folder / "model.pt", threads=options.threads)
    forget_peak()
    before, begin, cpu = memory_mb("VmRSS"), time.perf_counter(), time.process_time()
    with VolumeFile(folder / "volume.h5") as source, torch.inference_mode():
        probability = sliding_window_inference(
            model.normalised(source.read(0, WHOLE), source.intensity(0)),
            model.window,
            options.batch,
            lambda windows: torch.sigmoid(model.network(windows)),
            overlap=options.overlap,
            mode="gaussian",
        )[0, 0].numpy()
    mask = (probability > model.threshold).astype(np.uint8)
    measured = {
        "seconds": time.perf_counter() - begin,
        "cpu": time.process_time() - cpu,
        "peak_mb": memory_mb("VmHWM") - before,
        "tally": None,
    }
    np.savez(folder / "monai.npz", mask=mask, sure=np.abs(probability - model.threshold) > BAND)
    return measured


KINDS = {"monai": in_memory, "selma3d": ours}


def differing(folder: Path) -> str:
    """Voxels outside air, further than BAND from the threshold, whose masks differ."""
    expected = np.load(folder / "monai.npz")
    with SegmentationFile(folder / "mask.h5") as found, VolumeFile(folder / "volume.h5") as source:
        occupied, unit = source.occupied(0), source.block
        mask = found.read(WHOLE)
    for axis in range(3):
        occupied = occupied.repeat(unit, axis=axis)
    compared = expected["sure"] & occupied[tuple(slice(n) for n in mask.shape)]
    wrong = np.count_nonzero((mask != expected["mask"]) & compared)
    return f"{wrong} of {np.count_nonzero(compared)}"


def write_model(path: Path, channels: list[int], window: int) -> None:
    """An untrained network: its time is that of a trained one."""
    torch.manual_seed(0)
    strides = [2] * (len(channels) - 1)
    network = networks.build(Network(name="unet", channels=channels, strides=strides))
    contents = {
        "contract_version": CONTRACT_VERSION,
        "kind": "model",
        "network": network.spec.model_dump(mode="json"),
        "state": network.state_dict(),
        "input": {
            "window": [window] * 3,
            "inference_window": [window] * 3,
            "normalisation": "asinh",
            "resample": None,
        },
        "threshold": 0.5,
        "structures": {"spots": {"channel": 0}},
    }
    torch.save(contents, path)


def write_image(folder: Path, edge: int, air: bool) -> None:
    """Noise of uint16, brighter than air, which fills half of the image if asked."""
    image = np.random.default_rng(0).integers(200, 600, (edge,) * 3, dtype=np.uint16)
    if air:
        image[:, :, edge // 2 :] = 20
    write_volume(folder / "volume.h5", folder / "volume.tsv", image[None], sample="v")


def memory_mb(what: str) -> float:
    """VmRSS, resident memory of this process, or VmHWM, its peak since `forget_peak` (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{what}:")[2].split()[0]) / 1024


def forget_peak() -> None:
    """Begin anew to watch for the peak: a process inherits that of the one that started it."""
    Path("/proc/self/clear_refs").write_text("5")


def show(title: str, rows: list[dict[str, str]]) -> None:
    """Print a table."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    widths = [max(len(c), *(len(row.get(c, "")) for row in rows)) for c in columns]
    print(f"\n{title}")
    for row in [dict(zip(columns, columns, strict=True)), *rows]:
        print("  ".join(row.get(c, "").ljust(w) for c, w in zip(columns, widths, strict=True)))


if __name__ == "__main__":
    main()
