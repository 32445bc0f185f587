"""Checks of masks: of validation and of volumes, on the GPU and on the CPU, and after a stop."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from ...images import SegmentationFile
from ...inference import TrainedModel, WindowSettings, load_model, segment_volume
from ...learning.networks import Segmenter
from ...learning.training.launch import environment
from ...system.stop import Stop
from .check import Check, Found, folder_in
from .small_images import volume_of_balls
from .small_trainings import finetuning, prepared, trained

ALIKE = 0.999
BUSY = 0.7
DICE = 0.01
THRESHOLD = 0.051  # one of those that validation tries, and the rounding of its steps
STEPS = 60
EDGE, LARGE = 128, 512  # of volumes, in voxels
BLOCK = 64


def validation(folder: Path) -> Found:
    """The Dice and the threshold that validation finds for the same weights, there and here."""
    state = trained(finetuning(folder, steps=STEPS, precision="fp32"), folder)["state"]
    found = []
    for device in ("auto", "cpu"):
        training = prepared("fine-tuning", folder, device=device, precision="fp32", cldice=0.0)
        network: Segmenter = training.task.trained_network()
        network.load_state_dict(state)
        training.compute.place(network)
        with Stop() as stop:
            training.validator.validate(1, stop)
        found.append(training.validator.found)
    there, here = found
    told = "; ".join(f"{each['value']:.4f} at {each['threshold']}" for each in found)
    return Found(
        told,
        abs(there["value"] - here["value"]) <= DICE
        and abs(there["threshold"] - here["threshold"]) <= THRESHOLD,
    )


def volume(folder: Path) -> Found:
    """Masks of a volume from the GPU, at the precision of its training, and from the CPU."""
    trained(finetuning(folder, steps=STEPS), folder)
    image = volume_of_balls(folder, EDGE)
    ours, theirs = (
        _mask(load_model(folder / "model.pt", device=device), image, folder_in(folder, device))
        for device in ("auto", "cpu")
    )
    alike = float(np.mean(ours == theirs))
    return Found(f"{alike:.6f}, {ours.mean():.3f} of it marked", alike >= ALIKE)


def large_volume(folder: Path) -> Found:
    """The share of the time in which a large volume's windows are computed."""
    trained(finetuning(folder, steps=STEPS), folder)
    image = volume_of_balls(folder, LARGE)
    tally = segment_volume(
        load_model(folder / "model.pt"), image, folder / "mask.h5",
        work=folder / "segmentation", structure="spots", settings=WindowSettings(block=256),
    )  # fmt: skip
    busy = tally.computing_s / tally.total_s
    rate = tally.windows / tally.total_s
    return Found(f"{busy:.2f}, {rate:.0f} windows/s", busy >= BUSY)


def killed_volume(folder: Path) -> Found:
    """A segmentation that is killed after some blocks and goes on, against an undisturbed one."""
    trained(finetuning(folder, steps=STEPS), folder)
    image, model = volume_of_balls(folder, EDGE), load_model(folder / "model.pt")
    whole = _mask(model, image, folder_in(folder, "whole"))
    own = folder_in(folder, "killed")
    program = (
        "import sys; from pathlib import Path; from selma3d.monitor.gpu_check import volumes; "
        "volumes.segment(*map(Path, sys.argv[1:]))"
    )
    paths = [str(path) for path in (folder / "model.pt", image, own)]
    process = subprocess.Popen([sys.executable, "-c", program, *paths], env=environment())
    while process.poll() is None and not list((own / "work").rglob("*.h5")):
        time.sleep(0.05)
    process.kill()
    process.wait()
    kept = len(list((own / "work").rglob("*.h5")))
    alike = bool((whole == _mask(model, image, own)).all())
    told = f"{'alike' if alike else 'different'}, killed with {kept} files of blocks"
    return Found(told, alike and kept > 0)


def segment(model: Path, image: Path, folder: Path) -> None:
    """Be the process that is killed."""
    _mask(load_model(model), image, folder)


def _mask(model: TrainedModel, image: Path, folder: Path) -> np.ndarray:
    """The mask (Z,Y,X) of a volume, block by block."""
    segment_volume(
        model, image, folder / "mask.h5",
        work=folder / "work", structure="spots", settings=WindowSettings(block=BLOCK),
    )  # fmt: skip
    with SegmentationFile(folder / "mask.h5") as file:
        return file.dataset("mask")[:]


CHECKS = {
    "validation": Check(f"as on the CPU: Dice within {DICE}, threshold by one step", validation),
    "volume": Check(f"masks alike from {ALIKE}", volume),
    "killed volume": Check("bit for bit", killed_volume, on_cpu=True),
    "large volume": Check(f"computing from {BUSY} of the time", large_volume),
}
