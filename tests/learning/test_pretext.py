"""Pretext tasks: what they show the network, what they learn, and how a collapse is seen."""

from __future__ import annotations

import math
import socket
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from selma3d.challenge.augmentation import Augmentation
from selma3d.challenge.checking import check
from selma3d.challenge.recipe import Pretext
from selma3d.images import PERCENTILES
from selma3d.learning import augmentation as augment
from selma3d.learning import pretext
from selma3d.learning.pretext import blocks, genesis, pgl, processes, restore, simclr, teacher
from selma3d.learning.pretext.base import spread
from selma3d.system.errors import InputError
from selma3d.system.randomness import torch_generators
from small_training import built

WINDOW = (16, 16, 16)
UNET = {"name": "unet", "channels": [4, 8, 8], "strides": [2, 2]}
AUGMENTATION = {"flip": 0.5, "gamma": 0.5, "noise": 0.5}
SMALL = {
    "byol": {"hidden": 16, "projected": 8},
    "genesis": {},
    "ibot": {"hidden": 16, "bottleneck": 8, "prototypes": 16, "local_views": 1},
    "masked": {"block": [4, 4, 4]},
    "pgl": {"hidden": 16, "projected": 8},
    "restore": {},
    "shuffled": {"block": [4, 4, 4]},
    "simclr": {"hidden": 16, "projected": 8},
}
TEACHERS = ["byol", "ibot", "pgl"]
SHARING = ["byol", "ibot", "simclr"]  # losses that depend on the whole batch


def normal(generators: Sequence[torch.Generator], *shape: int) -> Tensor:
    return torch.stack([torch.randn(shape, generator=each) for each in generators])


def batch_of(indices: Sequence[int], window: tuple[int, int, int] = WINDOW) -> dict[str, Tensor]:
    """Raw 16-bit windows with a few bright smooth structures, each decided by its index."""
    drawn = torch_generators(0, indices, "phantom")
    coarse = normal(drawn, 1, *(n // 4 for n in window)).clamp(min=0) ** 2
    smooth = torch.nn.functional.interpolate(coarse, size=window, mode="trilinear")
    image = (400 + 300 * smooth + 20 * normal(drawn, 1, *window)).round().to(torch.int32)
    intensity = torch.tensor([550.0, 250.0, 20.0, 30.0, *(350 + 12 * p for p in PERCENTILES)])
    return {
        "image": image,
        "intensity": intensity.repeat(len(indices), 1),
        "index": torch.tensor(indices),
    }


def task_of(
    name: str, network: dict | None = None, window: tuple[int, int, int] = WINDOW, **options: object
) -> pretext.Pretext:
    torch.manual_seed(0)
    settings = section({"task": name} | SMALL[name] | options)
    return pretext.build(
        settings, built(network or UNET), pretext.Windows(window, "zscore", settings.augment)
    )


def section(spec: dict) -> Pretext:
    """A recipe's pretext."""
    loop = {"steps": 1, "batch": 2, "learning_rate": 1e-3, "augment": AUGMENTATION}
    return check(Pretext, loop | spec, "small")


def shown(task: pretext.Pretext, batch: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
    """A batch with all that the task draws for it."""
    return batch | task.draw(batch["index"].tolist(), seed)


def losses_of(task: pretext.Pretext, batch: dict[str, Tensor], seed: int = 0) -> dict[str, Tensor]:
    return task.losses(shown(task, batch, seed))


def trivial_loss_of(task: pretext.Pretext, batch: dict[str, Tensor], seed: int = 0) -> float:
    return task.trivial_loss(shown(task, batch, seed))


def seen_by_the_network(task: pretext.Pretext, indices: Sequence[int], seed: int) -> list[Tensor]:
    """What the student's encoder is shown, one tensor (views,1,Z,Y,X) a sample."""
    shown, encode = [], task.network.encode
    task.network.encode = lambda images: shown.append(images) or encode(images)
    with torch.no_grad():
        losses_of(task, batch_of(indices), seed)
    del task.network.encode
    return [torch.cat([each[n :: len(indices)].flatten() for each in shown])
            for n in range(len(indices))]  # fmt: skip


def test_every_task_of_the_registry_is_tested_here() -> None:
    assert pretext.names() == sorted(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_loss_is_finite_and_trains_every_parameter_that_is_not_frozen(name: str) -> None:
    task = task_of(name)
    losses = losses_of(task, batch_of([0, 1, 2]), seed=0)
    losses["loss"].backward()
    assert all(value.isfinite() and value.ndim == 0 for value in losses.values())
    assert losses["loss"].dtype == torch.float32
    for key, parameter in task.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, key
    encoder = [parameter.grad for key, parameter in task.network.named_parameters()
               if key.startswith(task.network.encoder_prefixes)]  # fmt: skip
    assert torch.stack([gradient.norm() for gradient in encoder]).max() > 1e-4


@pytest.mark.parametrize("name", SMALL)
def test_what_is_trained_is_what_the_task_says_is_worth_transferring(name: str) -> None:
    network = task_of(name).trained_network()
    trained = {key.startswith(network.encoder_prefixes)
               for key, parameter in network.named_parameters()
               if parameter.requires_grad}  # fmt: skip
    assert trained == ({True} if task_of(name).trains == "encoder" else {True, False})


@pytest.mark.parametrize("name", SMALL)
def test_a_sample_is_shown_alike_whatever_else_is_in_its_batch(name: str) -> None:
    task = task_of(name)
    together = seen_by_the_network(task, [7, 3, 5], seed=4)[2]
    assert torch.equal(together, seen_by_the_network(task, [5, 8], seed=4)[0])


@pytest.mark.parametrize("name", SMALL)
def test_seed_and_index_decide_the_draws(name: str) -> None:
    task = task_of(name)
    first = seen_by_the_network(task, [5], seed=4)[0]
    assert torch.equal(first, seen_by_the_network(task, [5], seed=4)[0])
    assert not torch.equal(first, seen_by_the_network(task, [5], seed=5)[0])


@pytest.mark.parametrize("name", SMALL)
def test_mixed_precision_gives_the_loss_in_float32_and_nearly_the_same(name: str) -> None:
    task = task_of(name)
    with torch.no_grad():
        expected = losses_of(task, batch_of([0, 1, 2]), seed=0)["loss"]
    with torch.autocast("cpu", torch.bfloat16):
        loss = losses_of(task, batch_of([0, 1, 2]), seed=0)["loss"]
        trivial = trivial_loss_of(task, batch_of([0, 1, 2]), seed=0)
    loss.backward()
    task.after_step(0.5)
    assert loss.dtype == torch.float32 and math.isfinite(trivial)
    torch.testing.assert_close(loss.detach(), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", [name for name in SMALL if name != "shuffled"])
def test_a_short_training_beats_the_trivial_predictor(name: str) -> None:
    task, steps = task_of(name), {"byol": 180, "pgl": 120, "ibot": 120}.get(name, 60)
    optimiser = torch.optim.AdamW([p for p in task.parameters() if p.requires_grad], lr=3e-3)
    for step in range(steps):
        optimiser.zero_grad()
        losses_of(task, batch_of(range(8 * step, 8 * step + 8)), seed=0)["loss"].backward()
        optimiser.step()
        task.after_step((step + 1) / steps)
    unseen = batch_of(range(10_000, 10_016))
    with torch.no_grad():
        loss = float(losses_of(task, unseen, seed=0)["loss"])
    assert loss < trivial_loss_of(task, unseen, seed=0)


@pytest.mark.parametrize("name", SMALL)
def test_a_collapsed_encoder_shows_in_the_spread(name: str) -> None:
    task = task_of(name)
    with torch.no_grad():
        healthy = float(losses_of(task, batch_of([0, 1, 2, 3]), seed=0)["spread"])
        for key, parameter in task.network.named_parameters():
            if key.startswith(task.network.encoder_prefixes):
                parameter.zero_()
            if key.endswith("N.bias"):
                parameter.fill_(1.0)
        collapsed = float(losses_of(task, batch_of([0, 1, 2, 3]), seed=0)["spread"])
    assert healthy > 0.02 > collapsed


def test_spread_is_one_for_even_directions_and_zero_for_a_single_one() -> None:
    vectors = torch.randn(5000, 64, generator=torch.Generator().manual_seed(0))
    assert float(spread(vectors)) == pytest.approx(1, abs=0.02)
    assert float(spread(torch.ones(10, 64))) == pytest.approx(0, abs=1e-6)
    assert math.isnan(spread(vectors[:1]))


@pytest.mark.parametrize("name", TEACHERS)
def test_the_teacher_follows_the_student_and_ends_by_standing_still(name: str) -> None:
    task = task_of(name, momentum=0.9)

    def distance() -> float:
        student = dict(task.network.named_parameters())
        return sum(float((student[key] - parameter).detach().abs().sum())
                   for key, parameter in task.teacher["network"].named_parameters())  # fmt: skip

    assert distance() == 0
    with torch.no_grad():
        for parameter in task.network.parameters():
            parameter.add_(1.0)
    start = distance()
    losses_of(task, batch_of([0, 1]), seed=0)["loss"].backward()
    task.after_step(1e-6)
    assert distance() == pytest.approx(0.9 * start, rel=1e-3)
    before = distance()
    losses_of(task, batch_of([0, 1]), seed=0)
    task.after_step(1.0)
    assert distance() == pytest.approx(before)
    assert all(not p.requires_grad and p.grad is None for p in task.teacher.parameters())


@pytest.mark.parametrize("name", TEACHERS)
def test_centres_move_in_training_steps_only(name: str) -> None:
    task = task_of(name)
    with torch.no_grad():
        losses_of(task, batch_of([5, 6]), seed=0)
    trivial_loss_of(task, batch_of([5, 6]), seed=0)
    losses_of(task, batch_of([0, 1]), seed=0)
    task.after_step(0.5)
    other = task_of(name)
    losses_of(other, batch_of([0, 1]), seed=0)
    other.after_step(0.5)
    assert torch.equal(task.centre, other.centre) and task.centre.abs().sum() > 0


@pytest.mark.parametrize("name", TEACHERS)
def test_a_resumed_task_goes_on_exactly(name: str) -> None:
    task = task_of(name)
    losses_of(task, batch_of([0, 1]), seed=0)["loss"].backward()
    task.after_step(0.5)
    resumed = task_of(name, momentum=0.99)
    resumed.load_state_dict(task.state_dict())
    batch = batch_of([2, 3])
    assert torch.equal(losses_of(task, batch, 0)["loss"], losses_of(resumed, batch, 0)["loss"])


@pytest.mark.parametrize(
    ("network", "window"),
    [
        ({"name": "dynunet", "channels": [4, 8, 8], "strides": [1, 2, 2], "kernels": [3, 3, 3],
          "deep_supervision": True}, WINDOW),
        ({"name": "unetr", "window": [32, 32, 32], "hidden": 24, "mlp": 24, "heads": 2,
          "channels": 4}, (32, 32, 48)),
        ({"name": "swinunetr", "channels": 12, "depths": [1, 1, 1, 1], "heads": [1, 2, 2, 2],
          "attention_window": 2}, (32, 32, 64)),
    ],
    ids=["dynunet", "unetr", "swinunetr"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["masked", "ibot"])
def test_tasks_train_every_parameter_of_other_encoders_too(
    name: str, network: dict, window: tuple[int, int, int]
) -> None:
    options = {"fill": "learned", "block": [16, 16, 16]} if name == "masked" else {}
    if network["name"] == "dynunet" and name == "masked":
        options["block"] = [4, 4, 4]
    task = task_of(name, network, window, **options)
    losses = losses_of(task, batch_of([0, 1], window), seed=0)
    losses["loss"].backward()
    assert losses["loss"].isfinite()
    for key, parameter in task.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, key


# masked


@given(ratio=st.floats(0.05, 0.95), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_every_sample_hides_the_same_share_of_its_blocks(ratio: float, seed: int) -> None:
    hidden = blocks.hidden_blocks(torch_generators(seed, [0, 1, 2], "test"), (2, 4, 4), ratio)
    counts = hidden.sum(dim=(1, 2, 3, 4))
    assert counts.tolist() == [min(max(round(ratio * 32), 1), 31)] * 3
    assert set(hidden.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("fill", ["zero", "noise", "learned"])
def test_hidden_voxels_say_nothing_of_the_image(fill: str) -> None:
    task = task_of("masked", fill=fill)
    clean = task.normalised(batch_of([0, 1]))
    seen, hidden = task.corrupt(clean, shown(task, batch_of([0, 1]), 0))
    changed = clean + 5 * hidden
    seen_again, _ = task.corrupt(changed, shown(task, batch_of([0, 1]), 0))
    torch.testing.assert_close(seen, seen_again)
    assert torch.equal((seen * (1 - hidden)), clean * (1 - hidden))
    assert hidden.mean() == pytest.approx(0.6, abs=0.02)


def test_shuffled_windows_keep_their_grey_values_and_lose_their_form() -> None:
    batch = batch_of([0, 1])
    images = task_of("masked").normalised(batch)
    task = task_of("shuffled", augment={})
    mixed, _, _ = task._corrupted(shown(task, batch, 0))
    for before, after in zip(images, mixed, strict=True):
        torch.testing.assert_close(before.flatten().sort().values, after.flatten().sort().values)
    along = [(x[..., 1:] - x[..., :-1]).abs().mean() for x in (images, mixed)]
    assert along[1] > 2 * along[0]


def test_masked_loss_counts_hidden_voxels_only() -> None:
    task = task_of("masked")
    clean, _, hidden = task._corrupted(shown(task, batch_of([0]), 0))
    assert float(task._error(clean + 1 - hidden, clean, hidden)) == pytest.approx(0, abs=1e-9)
    assert float(task._error(clean + 2 * hidden, clean, hidden)) == pytest.approx(4)


def test_local_mean_is_taken_from_visible_blocks_around() -> None:
    images = torch.arange(4.0).repeat_interleave(2).expand(1, 1, 2, 2, 8)
    hidden = torch.tensor([0.0, 1.0, 1.0, 1.0]).view(1, 1, 1, 1, 4)
    guess = blocks.mean_of_visible(images, hidden, (2, 2, 2))
    assert guess[0, 0, 0, 0].tolist() == [0.0] * 8
    hidden = torch.tensor([0.0, 1.0, 0.0, 1.0]).view(1, 1, 1, 1, 4)
    guess = blocks.mean_of_visible(images, hidden, (2, 2, 2))
    assert guess[0, 0, 0, 0, ::2].tolist() == [0.0, 1.0, 2.0, 2.0]


# Models Genesis


@given(seed=st.integers(0, 999))
@settings(max_examples=20, deadline=None)
def test_shuffling_moves_voxels_a_little_and_changes_none(seed: int) -> None:
    image = torch.arange(12.0 * 12 * 12).view(1, 12, 12, 12)
    size = [1 + seed % 6, 1 + seed // 6 % 6, 1 + seed // 36 % 6]
    offset = [seed % n for n in size]
    mixed = genesis.shuffled(image, size, offset, torch_generators(seed, [0], "test")[0])
    assert torch.equal(mixed.flatten().sort().values, image.flatten())
    moved = (mixed - image).abs().max()
    assert moved <= 5 * 144 + 5 * 12 + 5


@given(seed=st.integers(0, 999), falling=st.booleans())
@settings(max_examples=30, deadline=None)
def test_the_intensity_curve_is_monotonous_and_keeps_the_range(seed: int, falling: bool) -> None:
    image = torch.linspace(0, 1, 512).view(1, 8, 8, 8)
    drawn = genesis.curve(torch_generators(seed, [0], "test")[0], falling)
    curve = genesis.recurved(image, drawn).flatten()
    assert (curve.diff() * (-1 if falling else 1) >= -1e-5).all()
    assert curve.min() == pytest.approx(0, abs=1e-5) and curve.max() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("outside", "kept"), [(False, (0.4, 1)), (True, (0.05, 0.8))])
def test_painting_keeps_the_outside_or_the_inside(outside: bool, kept: tuple[float, float]) -> None:
    image = torch.full((1, 21, 21, 21), 2.0)
    lengths = (lambda n: (3 * n // 7, 4 * n // 7)) if outside else (lambda n: (n // 6, n // 3))
    for seed in range(10):
        drawn, voxels = torch_generators(seed, [0, 1], "test")
        boxes = genesis.regions(drawn, image.shape[1:], lengths)
        share = (genesis.painted(image, boxes, outside, voxels) == 2).float().mean()
        assert kept[0] <= share <= kept[1]


def test_a_plan_travels_as_numbers() -> None:
    task = task_of("genesis", shuffle=1.0, nonlinear=1.0, paint=1.0)
    drawn = task.draw([3], seed=0)
    plan, curve = drawn["genesis/plan"][0].tolist(), drawn["genesis/curve"][0]
    block, (bent, _, boxes) = plan[:3], plan[6:9]
    assert min(block) > 0 and bent and boxes
    image = torch.rand(1, *WINDOW)
    twice = [
        genesis.transformed(image, plan, curve, torch.Generator().manual_seed(0)) for _ in range(2)
    ]
    assert torch.equal(*twice) and not torch.equal(twice[0], image)


# restoring


def test_restore_leaves_an_image_alone_when_nothing_happens() -> None:
    task = task_of("restore", anisotropy=0, blur=0, haze=0, stripes=0, noise=0)
    clean, seen, _ = task._corrupted(shown(task, batch_of([0, 1]), 0))
    torch.testing.assert_close(seen, clean, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["anisotropy", "blur", "haze", "stripes", "noise"])
def test_each_degradation_changes_the_image_alone(name: str) -> None:
    chances = dict.fromkeys(["anisotropy", "blur", "haze", "stripes", "noise"], 0.0)
    task = task_of("restore", **(chances | {name: 1.0}))
    clean, seen, _ = task._corrupted(shown(task, batch_of([0, 1]), 0))
    assert ((seen - clean).abs().mean(dim=(1, 2, 3, 4)) > 0.01).all()


def test_coarse_planes_are_averages_of_neighbouring_planes() -> None:
    light = torch.arange(12.0).view(1, 1, 12, 1, 1).expand(2, 1, 12, 2, 2)
    coarse = restore.coarse_planes(light, torch.tensor([0.0, 0.4]).view(2, 1, 1, 1, 1), {})
    assert torch.equal(coarse[0], light[0])
    assert coarse[1, 0, :, 0, 0].tolist() == [1.0] * 3 + [4.0] * 3 + [7.0] * 3 + [10.0] * 3


def test_blur_along_z_and_haze_keep_an_even_image_even() -> None:
    light, strength = torch.full((1, 1, 16, 16, 16), 3.0), torch.ones(1, 1, 1, 1, 1)
    torch.testing.assert_close(restore.blurred_along_z(light, strength, {}), light)
    torch.testing.assert_close(restore.veiled(light, strength, {}), light)


def test_blur_acts_along_z_and_stripes_run_along_the_sheet() -> None:
    light, strength = torch.zeros(1, 1, 9, 9, 9), torch.ones(1, 1, 1, 1, 1)
    light[0, 0, 4, 4, 4] = 1
    blurred = restore.blurred_along_z(light, strength, {})[0, 0]
    assert blurred[:, 4, 4].min() > 0 and blurred.sum() == blurred[:, 4, 4].sum()
    even = torch.ones(1, 1, 9, 9, 9)
    drawn = {"seeds": torch.tensor([0]), "along_x": torch.tensor([True])}
    striped = restore.striped(even, strength, drawn)
    assert torch.equal(striped, striped[..., :1].expand_as(striped))
    assert striped.min() < 0.9 and striped.max() <= 1


# views and contrast


def test_chance_is_what_simclr_scores_on_indistinguishable_windows() -> None:
    task = task_of("simclr")
    loss, _ = simclr.info_nce(torch.ones(12, 8), 0.2)
    assert float(loss) == pytest.approx(math.log(11), rel=1e-5)
    assert trivial_loss_of(task, batch_of(range(6)), seed=0) == pytest.approx(math.log(11))


def test_info_nce_vanishes_when_views_agree_and_windows_differ() -> None:
    vectors = torch.eye(4).repeat(2, 1)
    loss, accuracy = simclr.info_nce(vectors, 0.05)
    assert float(loss) < 1e-6 and float(accuracy) == 1


def test_the_constant_answer_is_perfect_for_collapsed_targets_and_useless_for_even_ones() -> None:
    assert float(teacher.constant_disagreement(torch.ones(9, 4))) == pytest.approx(0, abs=1e-6)
    even = torch.cat([torch.eye(4), -torch.eye(4)])
    assert float(teacher.constant_disagreement(even)) == pytest.approx(2)


def test_batch_standardisation_removes_what_all_descriptions_share() -> None:
    vectors = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0)) + 100
    standard = processes.BatchStandardised()(vectors)
    torch.testing.assert_close(
        standard.flatten(0, 1).mean(dim=0), torch.zeros(5), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(
        standard.flatten(0, 1).std(dim=0, correction=0), torch.ones(5), atol=1e-3, rtol=0
    )


@pytest.mark.parametrize("level", [-1, -3])
def test_pgl_compares_the_same_places_of_two_views(level: int) -> None:
    task = task_of("pgl", level=level)
    stride = task.network.feature_strides[level]
    places = torch.arange(16.0**3).view(1, 1, 16, 16, 16)
    task.normalised = lambda batch: places.expand(len(batch["index"]), 1, 16, 16, 16)
    task.windows = pretext.Windows(WINDOW, "zscore")
    views, corners, flips = task._two_views(shown(task, batch_of(range(6)), 0))
    maps = pgl.positions(torch.nn.functional.avg_pool3d(views, stride), flips)
    shared = pgl.shared(maps, corners)
    assert any(flips) and len({tuple(corner) for corner in corners}) > 1
    for mine, partners in zip(shared, shared[6:] + shared[:6], strict=True):
        assert len(mine) > 0 and torch.equal(mine, partners)


def test_it_is_known_which_augmentations_move_voxels() -> None:
    image = torch.zeros(1, 1, 8, 16, 16)
    image[..., 2:4, 3:6, 4:9] = 1
    for name in Augmentation.model_fields:
        moved = not all(
            torch.equal(
                image,
                augment.augment(
                    image,
                    image,
                    augment.draw(
                        seed,
                        [(0, "test")],
                        check(Augmentation, {name: 1.0}, ""),
                        image.shape[2:],
                    ),
                )[1],
            )
            for seed in range(3)
        )
        assert moved == (name in augment.GEOMETRIC), name


def _average_gradient(rank: int, port: int, folder: str) -> None:
    """One of two processes: its half of the batch, gradients averaged as DDP does."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", f"tcp://127.0.0.1:{port}", timedelta(minutes=3), rank=rank, world_size=2
    )
    for name in SHARING:
        loss, gradient = _loss_and_gradient(name, [0, 1, 2, 3][2 * rank : 2 * rank + 2])
        for value in (loss, gradient):
            dist.all_reduce(value)
        if rank == 0:
            alone = _loss_in_evaluation(name)
            torch.save((loss / 2, gradient / 2, alone), Path(folder) / f"{name}.pt")
    dist.barrier()
    dist.destroy_process_group()


def _loss_in_evaluation(name: str) -> tuple[float, float | None]:
    task = task_of(name).eval()
    with torch.no_grad():
        loss = float(losses_of(task, batch_of([8, 9]), seed=0)["loss"])
        return loss, trivial_loss_of(task, batch_of([8, 9]), seed=0)


def _loss_and_gradient(name: str, indices: list[int]) -> tuple[Tensor, Tensor]:
    task = task_of(name)
    loss = losses_of(task, batch_of(indices), seed=0)["loss"]
    loss.backward()
    gradients = [p.grad.flatten() for p in task.parameters() if p.requires_grad]
    return loss.detach(), torch.cat(gradients)


def test_two_processes_learn_from_one_global_batch_and_one_may_look_alone(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    multiprocessing.spawn(_average_gradient, (port, str(tmp_path)), nprocs=2)
    for name in SHARING:
        loss, gradient, alone = torch.load(tmp_path / f"{name}.pt", weights_only=True)
        expected_loss, expected_gradient = _loss_and_gradient(name, [0, 1, 2, 3])
        torch.testing.assert_close(loss, expected_loss, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(gradient, expected_gradient, rtol=1e-3, atol=1e-4)
        assert alone == pytest.approx(_loss_in_evaluation(name), rel=1e-5)


# recipes


def test_a_new_task_is_one_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "brighter.py").write_text(
        "from selma3d.learning.pretext.reconstruction import Reconstruction\n"
        "class Brighter(Reconstruction):\n"
        "    class Options(Reconstruction.Options):\n"
        "        factor: float = 2.0\n"
        "    def corrupt(self, clean, batch):\n"
        "        return clean / self.options.factor, None\n"
        "TASK = Brighter\n"
    )
    monkeypatch.setattr(pretext, "__path__", [*pretext.__path__, str(tmp_path)])
    settings = section({"task": "brighter", "factor": 3})
    task = pretext.build(settings, built(UNET), pretext.Windows(WINDOW, "zscore"))
    assert losses_of(task, batch_of([0, 1]), 0)["loss"].isfinite() and task.options.factor == 3.0


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"task": "maskd"}, "pretext: task: no task 'maskd', did you mean 'masked'"),
        ({}, "expected the key 'task'"),
        ({"task": "masked", "ration": 0.5}, "masked: ration: unknown key, did you mean 'ratio'"),
        ({"task": "masked", "ratio": 1.5}, "masked: ratio: expected at most 1, found 1.5"),
        ({"task": "masked", "ratio": "0.5"}, "ratio: expected number, found '0.5'"),
        ({"task": "masked", "block": [5, 4, 4]}, "masked: block: expected to divide the window"),
        ({"task": "masked", "fill": "mean"}, "fill: expected one of zero, noise, learned"),
        ({"task": "simclr", "view": [32, 16, 16]}, "simclr: view: expected no more than the"),
        ({"task": "simclr", "view": [10, 16, 16]}, "simclr: view: expected multiples of 4"),
        ({"task": "simclr", "temperature": 0}, "temperature: expected at least 0.01, found 0"),
        ({"task": "pgl", "view": [8, 16, 16]}, "pgl: view: expected more than half"),
        ({"task": "pgl", "level": -4}, "pgl: level: expected -3 to -1, found -4"),
        ({"task": "ibot", "level": -4}, "ibot: level: expected -3 to -1, found -4"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong_in_one_line(spec: dict, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        pretext.build(section(spec), built(UNET), pretext.Windows(WINDOW, "zscore"))
    assert "\n" not in str(error.value)


def test_a_window_that_does_not_suit_the_network_is_refused_before_training() -> None:
    with pytest.raises(InputError, match="window: expected multiples of 4"):
        pretext.build(
            section({"task": "masked"}), built(UNET), pretext.Windows((10, 16, 16), "zscore")
        )
