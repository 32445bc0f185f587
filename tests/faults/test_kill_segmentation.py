"""A segmentation that is killed at any moment ends as one that is not, and repeats one block.

One trial of two kills is part of the normal suite, the others carry `faults`.
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

TRIALS, QUICK = 10, 1
KILLED = 2  # times in each trial
SHAPE = (128, 128, 192)  # twelve blocks


def segment(folder: Path, out: Path) -> None:
    """Be a segmenting process that notes each block when it is computed and when it is safe."""
    from selma3d.inference import WindowSettings, load_model, segment_volume
    from selma3d.inference.instances import Splitting, write_instances
    from selma3d.inference.objects import measure_objects
    from selma3d.inference.slab_computation import Sweep
    from selma3d.system.atomic import write_table

    diary = (out / "diary").open("a", buffering=1)

    def noting(word: str, step):
        def noted(self, block, *rest):
            result = step(self, block, *rest)
            diary.write(f"{word} {block.name}\n")
            return result

        return noted

    Sweep._predict = noting("computed", Sweep._predict)
    Sweep._finish = noting("safe", Sweep._finish)
    if not (out / "mask.h5").exists():  # as the workflow: what is finished is not made again
        segment_volume(
            load_model(folder / "model.pt", threads=1),
            folder / "volume.h5",
            out / "mask.h5",
            work=out / "work",
            structure="spots",
            settings=WindowSettings(block=64, overlap=0.25, batch=16, probability=True),
        )
    write_instances(out / "mask.h5", out / "labels.h5", Splitting(), block=64)
    objects = measure_objects(out / "labels.h5", folder / "volume.h5", channel=0, block=64)
    write_table(objects, out / "objects.tsv")


def start(folder: Path, out: Path) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["selma3d.inference", "selma3d.inference.objects"])
    process = context.Process(target=segment, args=(folder, out))
    process.start()
    return process


def result(out: Path) -> tuple[np.ndarray, np.ndarray, str]:
    from selma3d.images import SegmentationFile

    with SegmentationFile(out / "mask.h5") as found:
        return found.mask[()], found.probability[()], (out / "objects.tsv").read_text()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("segmentation")
    write_model(folder / "model.pt", window=(32, 32, 32))
    write_noise(folder, SHAPE)
    (folder / "out").mkdir()
    process = start(folder, folder / "out")
    process.join()
    assert process.exitcode == 0
    return folder, result(folder / "out")


def diary_of(out: Path) -> list[tuple[str, str]]:
    """(what, block) of all that has happened so far."""
    diary = out / "diary"
    lines = diary.read_text().splitlines() if diary.exists() else []
    return [tuple(line.split()) for line in lines]


def kill_after(process: BaseProcess, out: Path, events: int, delay: float) -> bool:
    """Kill the process `delay` seconds after it has noted so many events; False if it has ended."""
    aim = len(diary_of(out)) + events
    while len(diary_of(out)) < aim and process.is_alive():
        time.sleep(0.001)
    process.join(delay)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL


def trials() -> list:
    return [
        number if number < QUICK else pytest.param(number, marks=pytest.mark.faults)
        for number in range(TRIALS)
    ]


@pytest.mark.parametrize("number", trials())
def test_killed_segmentation_repeats_at_most_one_block_a_kill(
    undisturbed, tmp_path: Path, number: int, record_property
) -> None:
    folder, expected = undisturbed
    moment = random.Random(number)
    for _ in range(KILLED):
        process = start(folder, tmp_path)
        assert kill_after(process, tmp_path, moment.randrange(9), moment.uniform(0, 0.05))
    process = start(folder, tmp_path)
    process.join()
    assert process.exitcode == 0
    mask, probability, objects = result(tmp_path)
    np.testing.assert_array_equal(mask, expected[0])
    np.testing.assert_array_equal(probability, expected[1])
    assert objects == expected[2]
    computed = Counter(block for what, block in diary_of(tmp_path) if what == "computed")
    record_property("repeated", sum(computed.values()) - len(computed))
    assert len(computed) == 12
    assert sum(computed.values()) - len(computed) <= KILLED
    assert not (tmp_path / "work").exists()
    assert not list(tmp_path.rglob("*.partial*"))
