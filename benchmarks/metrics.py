"""Scoring against its peers: plain scikit-image for selma2024, panoptica for selma2026.

    python benchmarks/metrics.py [--side 200] [--predictions 10] [--panoptica-python PATH]

Ten predictions of one truth, of dense vessels and of dense spots, are scored in one process by
either side in turn; values must agree. panoptica pins an older connected-components-3d: install it
into a virtual environment of its own and give that environment's python. Seconds are of CPU, which
other users of the machine change least; run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.measure import euler_number, label
from skimage.morphology import skeletonize

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from selma3d.scoring.metrics.case_scores import score_case  # noqa: E402
from selma3d.scoring.metrics.prepared import prepare_truth  # noqa: E402

TARGET = 6.0
Scores = dict[str, float]
Texture = Callable[[np.random.Generator, int], np.ndarray]


def vessels(generator: np.random.Generator, side: int) -> np.ndarray:
    """A network of winding tubes, radius 1.5 to 4, that fills about a twelfth of the cube."""
    mask = np.zeros((side,) * 3, dtype=bool)
    for _ in range(max(1, 200 * side**2 // 200**2)):
        position, step = generator.uniform(0, side, 3), generator.normal(size=3)
        centres = []
        for _ in range(2 * side):
            step = step / np.linalg.norm(step) + 0.12 * generator.normal(size=3)
            position = position + step / np.linalg.norm(step)
            centres.append(position)
        stamp(mask, np.array(centres), generator.uniform(1.5, 4))
    return mask


def spots(generator: np.random.Generator, side: int) -> np.ndarray:
    """Balls, radius 2 to 5, that fill about a twentieth of the cube; some touch."""
    mask = np.zeros((side,) * 3, dtype=bool)
    for _ in range(max(1, 2000 * side**3 // 200**3)):
        stamp(mask, generator.uniform(0, side, (1, 3)), generator.uniform(2, 5))
    return mask


def stamp(mask: np.ndarray, centres: np.ndarray, radius: float) -> None:
    reach = int(radius)
    offsets = np.argwhere(np.ones((2 * reach + 1,) * 3)) - reach
    offsets = offsets[(offsets**2).sum(axis=1) <= radius**2]
    voxels = (centres.astype(int)[:, None] + offsets).reshape(-1, 3)
    voxels = voxels[((voxels >= 0) & (voxels < mask.shape)).all(axis=1)]
    mask[tuple(voxels.T)] = True


def predicted(generator: np.random.Generator, truth: np.ndarray) -> np.ndarray:
    """The truth with its surface moved back and forth by about a voxel."""
    depth = ndimage.distance_transform_edt(truth) - ndimage.distance_transform_edt(~truth)
    field = ndimage.gaussian_filter(generator.normal(size=truth.shape), 3)
    return depth + 0.8 * field / field.std() > 0


def plain_score(truth: np.ndarray, prediction: np.ndarray) -> Scores:
    """The vessel-like metrics of selma2024, one scikit-image call after another."""
    true, found = plain_betti(truth), plain_betti(prediction)
    true_skeleton = skeletonize(truth, method="lee") > 0
    found_skeleton = skeletonize(prediction, method="lee") > 0
    a = (prediction * true_skeleton).sum() / true_skeleton.sum()
    b = (truth * found_skeleton).sum() / found_skeleton.sum()
    return {
        "dice": 2 * (truth * prediction).sum() / (truth.sum() + prediction.sum()),
        "betti0_error": abs(found[0] - true[0]),
        "betti1_error": abs(found[1] - true[1]),
        "cldice": (2 * a * b + 1e-6) / (a + b + 1e-6),
    }


def plain_betti(mask: np.ndarray) -> tuple[int, int]:
    padded = np.pad(mask, 1)
    components = label(padded, connectivity=3).max()
    cavities = label(1 - padded, connectivity=1).max() - 1
    return components, components + cavities - euler_number(padded, connectivity=3)


PANOPTICA = """
import json, sys, time
import numpy as np
from panoptica import (
    ConnectedComponentsInstanceApproximator, InputType, NaiveThresholdMatching, Panoptica_Evaluator
)
from panoptica.metrics import Metric

masks, vessel_like = np.load(sys.argv[1]), sys.argv[2] == "vessel-like"
evaluator = Panoptica_Evaluator(
    expected_input=InputType.SEMANTIC,
    instance_approximator=ConnectedComponentsInstanceApproximator(),
    instance_matcher=NaiveThresholdMatching(matching_threshold=0.3),
    instance_metrics=[Metric.DSC],
    global_metrics=[Metric.DSC, Metric.clDSC] if vessel_like else [Metric.DSC],
)
for prediction in masks["predictions"]:
    start = time.process_time()
    result = evaluator.evaluate(prediction, masks["truth"], verbose=False)
    result = next(iter(result.values())) if isinstance(result, dict) else result
    scores = {"dice": result.global_bin_dsc}
    if vessel_like:
        scores["cldice"] = result.global_bin_cldsc
    else:
        scores["panoptic_quality"] = result.pq_dsc
    seconds = time.process_time() - start
    print("scores", json.dumps([seconds, {name: float(v) for name, v in scores.items()}]))
"""


def seconds_of(call: Callable[[], Scores]) -> tuple[float, Scores]:
    start = time.process_time()
    scores = call()
    return time.process_time() - start, scores


def against_scikit_image(truth: np.ndarray, predictions: np.ndarray) -> tuple[float, float]:
    """CPU seconds of ours, the truth's preparation included, and of plain scikit-image."""
    prepared = prepare_truth(truth)
    ours = theirs = 0.0
    whole = truth.astype(np.int64)
    for prediction in predictions:
        seconds, scores = seconds_of(
            lambda mask=prediction: score_case(
                prepared, mask, structure_type="vessel-like", profile="selma2024"
            )
        )
        ours += seconds
        mask = prediction.astype(np.int64)
        peer_seconds, expected = seconds_of(lambda mask=mask: plain_score(whole, mask))
        theirs += peer_seconds
        check(scores, expected)
    return ours, theirs


def against_panoptica(
    truth: np.ndarray, predictions: np.ndarray, structure_type: str, python: Path
) -> tuple[float, float]:
    """CPU seconds of ours, the truth's preparation included, and of panoptica."""
    prepared = prepare_truth(truth)
    ours = theirs = 0.0
    for prediction, (peer_seconds, expected) in zip(
        predictions, panoptica_scores(truth, predictions, structure_type, python), strict=True
    ):
        seconds, scores = seconds_of(
            lambda mask=prediction: score_case(
                prepared, mask, structure_type=structure_type, profile="selma2026"
            )
        )
        ours += seconds
        theirs += peer_seconds
        check(scores, expected)
    return ours, theirs


def panoptica_scores(
    truth: np.ndarray, predictions: np.ndarray, structure_type: str, python: Path
) -> Iterator[tuple[float, Scores]]:
    with tempfile.TemporaryDirectory() as folder:
        masks = Path(folder) / "masks.npz"
        np.savez(masks, truth=truth.astype(np.uint8), predictions=predictions.astype(np.uint8))
        done = subprocess.run(
            [python, "-c", PANOPTICA, masks, structure_type],
            check=True,
            capture_output=True,
            text=True,
        )
    for line in done.stdout.splitlines():
        if line.startswith("scores "):
            yield json.loads(line.removeprefix("scores "))


def check(scores: Scores, expected: Mapping[str, float]) -> None:
    assert scores.keys() == expected.keys()
    for metric, value in expected.items():
        assert abs(scores[metric] - value) < 1e-9, (metric, scores[metric], value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=200, help="voxels along each axis")
    parser.add_argument("--predictions", type=int, default=10)
    parser.add_argument("--panoptica-python", type=Path, help="python that has panoptica")
    options = parser.parse_args()
    if options.panoptica_python is None:
        print("panoptica: not measured (give --panoptica-python)")

    print(f"{'':10}{'foreground':>11}  {'profile':10}{'peer':14}{'peer s':>8}{'ours s':>8}{'x':>7}")
    textures: dict[str, tuple[Texture, str]] = {
        "vessels": (vessels, "vessel-like"),
        "spots": (spots, "spot-like"),
    }
    for name, (texture, structure_type) in textures.items():
        generator = np.random.default_rng(0)
        truth = texture(generator, options.side)
        predictions = np.stack([predicted(generator, truth) for _ in range(options.predictions)])
        rows = [("selma2024", "scikit-image", *against_scikit_image(truth, predictions))]
        if options.panoptica_python is not None:
            seconds = against_panoptica(
                truth, predictions, structure_type, options.panoptica_python
            )
            rows.append(("selma2026", "panoptica", *seconds))
        for profile, peer, ours, theirs in rows:
            ratio = theirs / ours
            verdict = "" if ratio >= TARGET else f"  below the target of {TARGET:g}"
            print(
                f"{name:10}{truth.mean():>11.1%}  {profile:10}{peer:14}"
                f"{theirs:8.2f}{ours:8.2f}{ratio:7.1f}{verdict}",
                flush=True,
            )


if __name__ == "__main__":
    main()
