"""A segmentation that is killed at any moment ends as one that is not, and repeats one block.

Two kills are part of the normal suite, the others carry `faults`.
"""

from __future__ import annotations

import multiprocessing
import random
import signal
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

from small_models import write_model, write_noise

KILLS, QUICK = 20, 2
SHAPE = (128, 128, 192)  # twelve blocks


def segment(folder: Path, out: Path) -> None:
    """Be a segmenting process that notes each block when it is begun, computed and safe."""
    from selma3d.inference import Plan, load_model, segment_volume
    from selma3d.inference.objects import write_objects
    from selma3d.inference.sweep import Sweep

    diary = (out / "diary").open("a", buffering=1)

    def noting(word: str, step):
        def noted(self, block, *rest):
            result = step(self, block, *rest)
            diary.write(f"{word} {block.name}\n")
            return result

        return noted

    Sweep._predict = noting("computed", Sweep._predict)
    Sweep._finish = noting("safe", Sweep._finish)
    model = load_model(folder / "model.pt", threads=1)
    segment_volume(
        model, folder / "volume.h5", out / "mask.h5", work=out / "work", structure="spots",
        plan=Plan(block=64, overlap=0.25, batch=16, probability=True),
    )  # fmt: skip
    write_objects(out / "mask.h5", folder / "volume.h5", out / "objects.tsv", channel=0, block=64)


def start(folder: Path, out: Path) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["selma3d.inference", "selma3d.inference.objects"])
    process = context.Process(target=segment, args=(folder, out))
    process.start()
    return process


def result(out: Path) -> tuple[np.ndarray, np.ndarray, str]:
    from selma3d.volumes import SegmentationFile

    with SegmentationFile(out / "mask.h5") as found:
        return found.mask[()], found.probability[()], (out / "objects.tsv").read_text()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("segmentation")
    write_model(folder / "model.pt", window=(32, 32, 32))
    write_noise(folder, SHAPE)
    seconds = 0.0
    for attempt in ("cold", "warm"):
        (folder / attempt).mkdir()
        began = time.monotonic()
        process = start(folder, folder / attempt)
        process.join()
        assert process.exitcode == 0
        seconds = time.monotonic() - began
    return folder, seconds, result(folder / "warm")


def trials() -> list:
    return [
        number if number < QUICK else pytest.param(number, marks=pytest.mark.faults)
        for number in range(KILLS)
    ]


@pytest.mark.parametrize("number", trials())
def test_killed_segmentation_repeats_at_most_one_block_a_kill(
    undisturbed, tmp_path: Path, number: int
) -> None:
    folder, seconds, expected = undisturbed
    kills, moment = 0, random.Random(number)
    for _ in range(2):
        process = start(folder, tmp_path)
        process.join(moment.uniform(0.1, 0.7) * seconds)
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
    process = start(folder, tmp_path)
    process.join()
    assert process.exitcode == 0
    mask, probability, objects = result(tmp_path)
    np.testing.assert_array_equal(mask, expected[0])
    np.testing.assert_array_equal(probability, expected[1])
    assert objects == expected[2]
    diary = [line.split() for line in (tmp_path / "diary").read_text().splitlines()]
    computed = Counter(block for word, block in diary if word == "computed")
    assert sum(computed.values()) - len(computed) <= kills
    safe = Counter(block for word, block in diary if word == "safe")
    assert len(safe) == 12
    assert not (tmp_path / "work").exists()
    assert not list(tmp_path.rglob("*.partial*"))
