"""Trainings and predictions by the rules of a GPU: what is waited for, what repeats, what is left.

On a stand-in (stand_in_gpu.py), since tests run where there is none.
"""

from __future__ import annotations

import math
import shutil
import socket
from datetime import timedelta
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit, setrlimit

import pytest
import torch
import torch.distributed as dist
from torch.utils._python_dispatch import TorchDispatchMode

from selma3d.challenge.checking import check
from selma3d.challenge.recipe import Finetune, Input, Pretext
from selma3d.images import PatchFile
from selma3d.learning import pretext
from selma3d.learning.device import Compute, be_deterministic
from selma3d.learning.sampling import LabelledSampler, UnlabelledSampler, VolumeSource
from selma3d.learning.training import batches
from selma3d.learning.training.batches import drawn_batch
from selma3d.learning.training.collaborative import Collaborative, PairedSampler
from selma3d.learning.training.learner import Learner
from selma3d.learning.training.segmentation import Segmentation
from selma3d.learning.training.training_parts import Training
from selma3d.system.errors import InputError
from small_training import built, write_images
from stand_in_gpu import GPU, stand_in_gpu
from test_networks import TINY, image, tiny

WINDOW = (16, 16, 16)
UNET = {"name": "unet", "channels": [4, 8, 8], "strides": [2, 2]}
DYNUNET = {"name": "dynunet", "channels": [4, 8, 8], "strides": [1, 2, 2], "kernels": [3, 3, 3],
           "deep_supervision": True}  # fmt: skip
UNETR = {"name": "unetr", "window": [32, 32, 32], "hidden": 24, "mlp": 24, "heads": 2,
         "channels": 4}  # fmt: skip
EVERYTHING = dict.fromkeys(
    ["flip", "rotate90", "rotate", "zoom", "elastic", "gamma", "contrast", "brightness", "gradient",
     "blur_z", "stripes", "missing_planes", "noise", "curve", "sharpen"], 0.5,
)  # fmt: skip
SMALL_HEAD = {"hidden": 16, "projected": 8}
TASKS: dict[str, dict] = {
    "masked": {"task": "masked", "block": [4, 4, 4], "fill": "noise"},
    "shuffled": {"task": "shuffled", "block": [4, 4, 4]},
    "genesis": {"task": "genesis", "shuffle": 1.0, "nonlinear": 1.0, "paint": 1.0},
    "restore": {"task": "restore"},
    "simclr": {"task": "simclr"} | SMALL_HEAD,
    "byol": {"task": "byol"} | SMALL_HEAD,
    "pgl": {"task": "pgl"} | SMALL_HEAD,
    "ibot": {"task": "ibot", "hidden": 16, "bottleneck": 8, "prototypes": 16, "local_views": 2},
    "fine-tuning": {"cldice": 0.5},
    "fine-tuning by batches": {"batch_dice": True, "annotated_margin": 4},
    "fine-tuning at scales": {"network": DYNUNET},
    "fine-tuning with volumes": {
        "batch_dice": True,
        "collaboration": {"pseudo_labels": 0.5, "multiscale": 0.5, "start": 0.001,
                          "confidence": 0.6, "augment": {"flip": 0.5, "noise": 0.5}},
    },
    "fine-tuning of a transformer": {"network": UNETR, "window": (32, 32, 48)},
}  # fmt: skip
LOOP = {"steps": 10, "batch": 4, "learning_rate": 1e-3, "augment": EVERYTHING}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write_images(folder)
    return folder


def training_of(name: str, images: Path, compute: Compute, **changes: object) -> Training:
    """A training of one of TASKS, which keeps nothing."""
    spec = LOOP | TASKS[name] | changes
    window = spec.pop("window", WINDOW)
    if window[1] != window[2]:
        spec["augment"] = spec["augment"] | {"rotate90": 0.0}
    torch.manual_seed(0)
    network = built(spec.pop("network", UNET))
    volumes = UnlabelledSampler([VolumeSource(images / "volume.h5", 0)], window, seed=0)
    if "task" in spec:
        settings = check(Pretext, spec, "small")
        windows = pretext.Windows(window, "zscore", settings.augment)
        task, sampler = pretext.build(settings, network, windows), volumes
    else:
        rate = spec.pop("learning_rate")
        settings = check(Finetune, spec | {"learning_rates": [rate]}, "small")
        input = Input(window=window, normalisation="asinh")
        kind = Collaborative if settings.collaboration else Segmentation
        task = kind(network, input, settings)
        patches = {"spots": [(PatchFile(images / "patches.h5"), n, 0) for n in ("p0", "p1")]}
        sampler = LabelledSampler(patches, window, seed=0, margin=settings.annotated_margin)
        sampler = PairedSampler(sampler, volumes) if settings.collaboration else sampler
    return Training(
        task=task, sampler=sampler, validator=None, settings=settings, learning_rate=1e-3,
        compute=compute, seed=0, folder=Path(), record={},
    )  # fmt: skip


def parts_of(
    training: Training, step: int, share: tuple[int, int] = (0, 1)
) -> list[dict[str, torch.Tensor]]:
    """The parts of a step's batch, on the device; share: rank and number of processes."""
    settings, (rank, world) = training.settings, share
    own = range(step * settings.batch + rank, (step + 1) * settings.batch, world)
    size = len(own) // settings.accumulate
    return [
        training.compute.move(
            drawn_batch(
                training.sampler,
                lambda indices: training.task.draw(indices, training.seed),
                own[part * size : (part + 1) * size],
            )
        )
        for part in range(settings.accumulate)
    ]


def learnt(training: Training, steps: int = 2) -> tuple[Learner, list[float]]:
    learner = Learner(training)
    losses = [learner.learn(parts_of(training, step), step)[0]["loss"] for step in range(steps)]
    return learner, [float(loss) for loss in losses]


@pytest.mark.parametrize("name", TASKS)
def test_a_step_waits_for_nothing_repeats_and_learns_as_on_the_cpu(
    name: str, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_cpu = training_of(name, images, Compute(torch.device("cpu")))
    _, expected = learnt(on_cpu)
    with stand_in_gpu(monkeypatch) as gpu:
        gpu.deterministic = True
        training = training_of(name, images, Compute(GPU))
        learner, losses = Learner(training), []
        for step in range(2):
            parts = parts_of(training, step)
            gpu.waits.clear()
            losses.append(learner.learn(parts, step)[0]["loss"])
            assert gpu.waits == {}
        found = [float(loss) for loss in losses]
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", TINY)
def test_every_network_learns_by_operations_that_repeat(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, seen = tiny(name), image(name)
    if name == "unetr":  # positions that are interpolated, too
        seen = seen.repeat(1, 1, 1, 1, 2)
    with stand_in_gpu(monkeypatch) as gpu:
        gpu.deterministic = True
        logits = network.to(GPU)(seen.to(GPU))
        logits.square().mean().backward()
        assert all(each.grad is not None for each in network.parameters())


def test_an_operation_that_does_not_repeat_is_an_error_and_no_warning() -> None:
    be_deterministic(True)
    try:
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        be_deterministic(False)


class _Pools(TorchDispatchMode):
    """Notes how many voxels each pooling averages for each that it gives."""

    def __init__(self) -> None:
        super().__init__()
        self.averaged: list[int] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket is torch.ops.aten.avg_pool3d:
            self.averaged.append(math.prod(args[1]))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["masked", "shuffled", "genesis", "restore"])
def test_what_a_step_logs_costs_no_pooling_over_large_blocks(name: str, images: Path) -> None:
    changes = {"block": [8, 8, 8]} if name == "masked" else {}
    training = training_of(name, images, Compute(torch.device("cpu")), **changes)
    with _Pools() as pools:
        noted = Learner(training).learn(parts_of(training, 0), 0)
    assert "relative" in noted[0]
    assert max(pools.averaged, default=0) <= 27


class _Operations(TorchDispatchMode):
    """Counts the operations that Python starts."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.number += 1
        return func(*args, **(kwargs or {}))


def operations_of_a_step(name: str, images: Path, **changes: object) -> int:
    """Operations of a second step in which all is augmented."""
    always = dict.fromkeys(EVERYTHING, 1.0)
    training = training_of(name, images, Compute(torch.device("cpu")), augment=always, **changes)
    learner, _ = learnt(training, 1)
    parts = parts_of(training, 1)
    with _Operations() as operations:
        learner.learn(parts, 1)
    return operations.number


@pytest.mark.parametrize("name", ["restore", "simclr", "ibot"])
def test_a_larger_batch_is_no_longer_loop_of_python(name: str, images: Path) -> None:
    few, many = (operations_of_a_step(name, images, batch=size) for size in (2, 6))
    assert many < 1.1 * few


def test_more_views_are_no_longer_loop_of_python(images: Path) -> None:
    few, many = (operations_of_a_step("ibot", images, batch=2, local_views=n) for n in (2, 4))
    assert many < 1.1 * few


@pytest.mark.parametrize(
    ("device", "threads", "workers", "feeding"),
    [(GPU, 8, None, 6), (GPU, 1, None, 0), (GPU, 8, 3, 3), (torch.device("cpu"), 8, None, 0)],
)
def test_all_threads_but_two_feed_a_gpu_where_the_recipe_says_nothing(
    device: torch.device, threads: int, workers: int | None, feeding: int, images: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    seen = []
    monkeypatch.setattr(batches, "DataLoader", lambda *_, **given: seen.append(given))
    training = training_of("masked", images, Compute(torch.device("cpu")), workers=workers)
    training.threads, training.compute = threads, Compute(device)
    training.batches()
    assert [given["num_workers"] for given in seen] == [feeding]


def test_a_batch_travels_in_few_copies_from_pinned_memory(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stand_in_gpu(monkeypatch) as gpu:
        training = training_of("ibot", images, Compute(GPU))
        (batch,) = parts_of(training, 0)
    assert gpu.waits == {}
    assert len([name for name in batch if "/" in name]) > 20
    assert gpu.copies["to the GPU"] <= 3  # of voxels, numbers and places


def test_a_spoilt_step_is_left_out_on_the_gpu_itself(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stand_in_gpu(monkeypatch) as gpu:
        training = training_of("masked", images, Compute(GPU))
        learner, _ = learnt(training, 1)
        before = {name: each.cpu() for name, each in training.task.state_dict().items()}
        measure = training.task.losses
        monkeypatch.setattr(
            training.task,
            "losses",
            lambda batch: {name: value * torch.nan for name, value in measure(batch).items()},
        )
        parts = parts_of(training, 1)
        gpu.waits.clear()
        learner.learn(parts, 1)
        assert gpu.waits == {}
        after = {name: each.cpu() for name, each in training.task.state_dict().items()}
        assert learner.skipped.tolist() == [1, 1]
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_step_is_left_out_on_the_gpu_too_where_the_training_began_on_a_cpu(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, _ = learnt(training_of("masked", images, Compute(torch.device("cpu"))), 1)
    state = begun.state_dict()
    with stand_in_gpu(monkeypatch):
        training = training_of("masked", images, Compute(GPU))
        learner = Learner(training)
        learner.load_state_dict(state)
        before = {name: each.cpu() for name, each in training.task.state_dict().items()}
        for parameter in training.task.parameters():
            parameter.register_hook(lambda gradient: gradient * torch.nan)
        learner.learn(parts_of(training, 1), 1)
        after = {name: each.cpu() for name, each in training.task.state_dict().items()}
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("level", [-1, -2])
def test_every_weight_that_is_learnt_gets_a_gradient(level: int, images: Path) -> None:
    """As processes of one training wait for."""
    training = training_of("pgl", images, Compute(torch.device("cpu")), level=level)
    training.task.losses(parts_of(training, 0)[0])["loss"].backward()
    learnt = {name: p for name, p in training.task.named_parameters() if p.requires_grad}
    assert len(learnt) > 4
    assert [name for name, parameter in learnt.items() if parameter.grad is None] == []


def test_a_norm_over_the_batch_refuses_parts(images: Path) -> None:
    network = UNET | {"norm": "batch"}
    with pytest.raises(InputError, match="norm batch: expected the windows of a batch together"):
        gradients("fine-tuning", images, network=network, accumulate=2)


@pytest.mark.parametrize(("free_mb", "workers"), [(10_000, 4), (0.25, 2), (0.01, 0)])
def test_a_container_with_little_shared_memory_gets_fewer_workers(
    free_mb: float, workers: int, images: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    seen = []
    free = shutil.disk_usage("/")._replace(free=int(free_mb * 1e6))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: free)
    monkeypatch.setattr(batches, "DataLoader", lambda *_, **given: seen.append(given))
    training_of("fine-tuning", images, Compute(torch.device("cpu")), workers=4).batches()
    assert [given["num_workers"] for given in seen] == [workers]
    assert ("docker --shm-size" in caplog.text) is (workers < 4)


def test_batches_of_many_draws_take_few_file_descriptors(images: Path) -> None:
    """Of which a process may have 1,024, with a dozen of workers that are two batches ahead."""
    training = training_of("ibot", images, Compute(torch.device("cpu")), workers=2)
    assert len(parts_of(training, 0)[0]) > 30
    used, (soft, hard) = len(list(Path("/proc/self/fd").iterdir())), getrlimit(RLIMIT_NOFILE)
    setrlimit(RLIMIT_NOFILE, (used + 60, hard))
    try:
        with training.batches() as taken:
            held = [next(taken) for _ in range(6)]
    finally:
        setrlimit(RLIMIT_NOFILE, (soft, hard))
    for step, parts in enumerate(held):
        for name, here in parts_of(training, step)[0].items():
            assert torch.equal(parts[0][name], here), name


def test_workers_share_the_patches_that_are_kept(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = training_of("fine-tuning", images, Compute(torch.device("cpu")), workers=2)
    batches = training.batches()
    monkeypatch.setattr(PatchFile, "image", lambda *_: pytest.fail("a worker reads for itself"))
    with batches as taken:
        assert len([next(taken) for _ in range(4)]) == 4


@pytest.mark.parametrize("name", [name for name in TASKS if name.startswith("fine-tuning")][1:4])
@pytest.mark.parametrize("parts", [2, 4])
def test_a_batch_in_parts_has_the_loss_and_the_gradient_of_the_whole(
    name: str, parts: int, images: Path
) -> None:
    assert_alike(*(gradients(name, images, accumulate=n) for n in (1, parts)))


@pytest.mark.parametrize("name", ["masked", "genesis", "restore"])
def test_images_in_parts_are_restored_as_in_one(name: str, images: Path) -> None:
    assert_alike(*(gradients(name, images, accumulate=n) for n in (1, 4)))


@pytest.mark.parametrize("name", ["simclr", "byol", "pgl", "ibot"])
def test_a_loss_that_compares_windows_refuses_parts(name: str, images: Path) -> None:
    with pytest.raises(InputError, match="accumulate: expected 1 for a loss that compares"):
        gradients(name, images, accumulate=2)


def gradients(
    name: str, images: Path, share: tuple[int, int] = (0, 1), **changes: object
) -> tuple[float, torch.Tensor]:
    """The loss of a step and, from plain gradient descent, its gradient."""
    training = training_of(
        name, images, Compute(torch.device("cpu")), optimiser="sgd", weight_decay=0.0, clip=0.0,
        warmup=0.0, **changes,
    )  # fmt: skip
    learner = Learner(training)
    if name.endswith("volumes"):
        training.task.after_step(1.0)  # so that the teacher has a say
    before = torch.cat([p.detach().flatten() for p in training.task.parameters()])
    noted = learner.learn(parts_of(training, 0, share), 0)
    after = torch.cat([p.detach().flatten() for p in training.task.parameters()])
    return float(torch.stack([each["loss"] for each in noted]).mean()), before - after


def assert_alike(one: tuple[float, torch.Tensor], other: tuple[float, torch.Tensor]) -> None:
    assert other[0] == pytest.approx(one[0], rel=1e-5)
    torch.testing.assert_close(other[1], one[1], rtol=1e-3, atol=1e-7)


def _one_process(rank: int, world: int, port: int, images: str, out: str) -> None:
    """Learn from one process's share of a batch, of every task."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", f"tcp://127.0.0.1:{port}", timedelta(minutes=10), rank=rank, world_size=world
    )
    found = {}
    in_parts = [(name, 2) for name in TASKS if name.startswith("fine-tuning") and world == 2]
    for name, parts in [*((name, 1) for name in TASKS), *in_parts]:
        loss, gradient = gradients(name, Path(images), (rank, world), accumulate=parts)
        total = torch.tensor(loss)
        dist.all_reduce(total)
        found[name, parts] = (float(total) / world, gradient)
    if rank == 0:
        torch.save(found, out)
    dist.destroy_process_group()


@pytest.mark.faults
@pytest.mark.parametrize("world", [2, 4])
def test_processes_have_the_loss_and_the_gradient_of_one_with_the_whole_batch(
    world: int, images: Path, tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    given = (world, port, str(images), str(tmp_path / "found.pt"))
    torch.multiprocessing.start_processes(_one_process, given, nprocs=world, start_method="fork")
    found = torch.load(tmp_path / "found.pt", weights_only=True)
    assert {name for name, _ in found} == set(TASKS)
    for (name, _), shared in found.items():
        assert_alike(gradients(name, images), shared)
