"""Claims about the training loop, fine-tuning and their files."""

from __future__ import annotations

import gc
import json
import logging
import os
import socket
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.distributed import run

from selma3d.challenge.recipe import Finetune, Input, Optimisation
from selma3d.challenge.run import Run
from selma3d.images import PatchFile
from selma3d.learning import distributed, networks, training
from selma3d.learning.device import Compute
from selma3d.learning.networks.convolutional import UNet
from selma3d.learning.sampling import collate
from selma3d.learning.training import loop, worker
from selma3d.learning.training.batches import Batches
from selma3d.learning.training.checkpoint import digest
from selma3d.learning.training.meter import DivergedError
from selma3d.learning.training.optimisation import build_optimiser, encoder_first_groups
from selma3d.learning.training.segmentation import Segmentation
from selma3d.learning.training.validation import Validation, ValidationPatch
from selma3d.system.errors import GpuMemoryError, InputError
from selma3d.system.stop import Stop, Unfinished
from small_training import (
    INPUT,
    NETWORK,
    built,
    finetuning,
    limited,
    pretraining,
    write_images,
)

MASKED = Run("masked")
WHOLE = Input(window=(16, 16, 16), normalisation="asinh")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    write_images(folder)
    return folder


def load(path: Path) -> dict:
    return torch.load(path, map_location="cpu", weights_only=True)


def history(path: Path, name: str) -> pd.Series:
    table = pd.read_csv(path, sep="\t")
    assert list(table.columns) == ["step", "seconds", "name", "value"]
    return table[table["name"] == name].set_index("step")["value"]


@pytest.fixture(scope="module")
def encoder(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of an undisturbed pretraining."""
    folder = tmp_path_factory.mktemp("encoder")
    training.pretrain(**pretraining(images, folder))
    return folder / "encoder.pt"


@pytest.fixture(scope="module")
def model(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of an undisturbed fine-tuning from scratch."""
    folder = tmp_path_factory.mktemp("model")
    training.finetune(**finetuning(images, folder))
    return folder / "model.pt"


def test_encoder_file_says_what_it_was_trained_on(encoder: Path) -> None:
    content = load(encoder)
    assert content["kind"] == "encoder"
    assert content["volumes"][0]["specimen"] == "A"
    assert content["steps"] == 24
    network = built(content["network"])
    network.load_state_dict(content["state"])
    assert content["input"] == INPUT | {"channel": [0]}


def test_pretraining_compares_itself_with_a_trivial_predictor(encoder: Path) -> None:
    trivial = history(encoder.with_suffix(".tsv"), "held_out_trivial_loss")
    assert len(trivial) == len(history(encoder.with_suffix(".tsv"), "held_out_loss")) == 10
    assert trivial.index[-1] == 24


def test_model_file_holds_all_that_prediction_needs(model: Path) -> None:
    content = load(model)
    built(content["network"]).load_state_dict(content["state"])
    assert content["kind"] == "model"
    assert content["input"] == INPUT | {"inference_window": INPUT["window"]}
    assert 0 < content["threshold"] < 1
    assert content["structures"] == {"spots": {"channel": 0}}
    assert content["training_patches"] == {"spots": ["p0", "p1"]}
    assert (content["training_specimens"], content["validation"]["specimens"]) == (["B"], ["C"])
    assert content["transferred"]["loaded"] == 0


def test_kept_weights_are_the_best_on_validation(model: Path) -> None:
    scores = history(model.with_suffix(".tsv"), "validation_dice")
    content = load(model)
    assert content["validation"]["value"] == pytest.approx(scores.max())
    assert content["validation"]["step"] == scores.idxmax()


def stopped_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next training be told to stop once it has done `steps` steps."""
    done = {"steps": 0}
    reached = loop.History.reached

    def count(self: object, step: int) -> None:
        done["steps"] += 1
        reached(self, step)

    monkeypatch.setattr(loop.History, "reached", count)
    monkeypatch.setattr(Stop, "requested", property(lambda self: done["steps"] >= steps))


@pytest.mark.parametrize("entry", ["pretrain", "finetune"])
def test_stopped_training_continues_to_the_same_bits(
    images: Path, tmp_path: Path, encoder: Path, model: Path, entry: str
) -> None:
    make, file, whole = {
        "pretrain": (pretraining, "encoder.pt", encoder),
        "finetune": (finetuning, "model.pt", model),
    }[entry]
    arguments = make(images, tmp_path)
    for steps in (7, 5):
        with pytest.MonkeyPatch.context() as patch:
            stopped_after(steps, patch)
            with pytest.raises(Unfinished, match="start again to continue"):
                getattr(training, entry)(**arguments)
    assert not (tmp_path / file).exists()
    getattr(training, entry)(**arguments)
    assert digest(load(tmp_path / file)["state"]) == digest(load(whole)["state"])
    assert history(tmp_path / file.replace(".pt", ".tsv"), "recomputed_steps").max() == 0


def test_end_of_the_time_budget_saves_and_says_how_far_it_got(images: Path, tmp_path: Path) -> None:
    with pytest.raises(Unfinished) as stopped:
        training.pretrain(**limited(pretraining(images, tmp_path, steps=100000), time_budget_s=1.0))
    assert stopped.value.total == 100000
    (newest,) = list((tmp_path / "pretraining").glob(f"step-{stopped.value.step:09d}.pt"))
    assert load(newest)["step"] == stopped.value.step


def test_finished_training_is_published_again_without_training(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    arguments = pretraining(images, tmp_path)
    training.pretrain(**arguments)
    before = (tmp_path / "encoder.pt").read_bytes()
    (tmp_path / "encoder.pt").unlink()
    (tmp_path / "encoder.tsv").unlink()
    monkeypatch.setattr(loop, "Learner", None)
    training.pretrain(**arguments)
    assert (tmp_path / "encoder.pt").read_bytes() == before
    assert (tmp_path / "encoder.tsv").exists()
    assert "has ended its training before" in caplog.text


def test_changed_recipe_starts_again_and_says_so(
    images: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    training.pretrain(**pretraining(images, tmp_path))
    training.pretrain(**pretraining(images, tmp_path, learning_rate=2e-3, save_every=3))
    assert "has changed (pretext.learning_rate)" in caplog.text
    assert load(tmp_path / "encoder.pt")["recipe"]["pretext"]["learning_rate"] == 2e-3


def test_history_is_cut_to_the_resumed_step_and_repeated_steps_are_counted(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = pretraining(images, tmp_path)
    reached = loop.History.reached

    def crash(self: object, step: int) -> None:
        reached(self, step)
        if step == 14:
            raise RuntimeError("power cut")

    monkeypatch.setattr(loop.History, "reached", crash)
    with pytest.raises(RuntimeError, match="power cut"):
        training.pretrain(**arguments)
    monkeypatch.setattr(loop.History, "reached", reached)
    (tmp_path / "pretraining" / "history.tsv").open("a").write("12\t0.5\tlo")
    training.pretrain(**arguments)
    table = pd.read_csv(tmp_path / "encoder.tsv", sep="\t")
    assert not table.duplicated(["step", "name"]).any()
    assert table["step"].is_monotonic_increasing
    assert history(tmp_path / "encoder.tsv", "recomputed_steps").to_dict() == {10: 4}


def spoilt(losses: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the losses of these calls be no number."""
    measure, calls = Segmentation.losses, []

    def measured(self: Segmentation, batch: dict) -> dict:
        calls.append(1)
        found = measure(self, batch)
        return found | {"loss": found["loss"] * float("nan")} if len(calls) in losses else found

    monkeypatch.setattr(Segmentation, "losses", measured)


def test_a_step_without_a_finite_gradient_is_left_out_and_counted(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spoilt([7, 9], monkeypatch)
    training.finetune(**finetuning(images, tmp_path))
    assert history(tmp_path / "model.tsv", "skipped_steps").to_dict() == {8: 1.0, 10: 2.0}
    assert history(tmp_path / "model.tsv", "loss").notna().all()
    assert "1 steps left out: gradients not finite" in caplog.text
    assert all(value.isfinite().all() for value in load(tmp_path / "model.pt")["state"].values())


def test_gradients_that_stay_not_finite_end_the_training(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoilt(range(8, 99), monkeypatch)
    with pytest.raises(DivergedError, match="step 28: expected finite gradients, none in 21 steps"):
        training.finetune(**finetuning(images, tmp_path, steps=40))


def test_no_checkpoint_holds_weights_that_are_not_finite(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = loop.History.reached

    def spoil(self: object, step: int) -> None:
        reached(self, step)
        if step == 7:
            for each in gc.get_objects():
                if isinstance(each, Segmentation):
                    next(each.network.parameters()).data.fill_(float("nan"))

    monkeypatch.setattr(loop.History, "reached", spoil)
    with pytest.raises(DivergedError, match="expected finite weights"):
        training.finetune(**finetuning(images, tmp_path))
    saved = [path.name for path in (tmp_path / "finetuning/rate-0.003").glob("step-*")]
    assert saved == ["step-000000005.pt"]


TOO_LITTLE = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("FIND was unable to find an engine to execute this computation"),
]


def memory_for(
    windows: int, monkeypatch: pytest.MonkeyPatch, error: RuntimeError = TOO_LITTLE[0]
) -> None:
    """A device that can learn from so many windows at a time."""
    encoded = UNet.encode

    def encode(self: networks.Segmenter, image: torch.Tensor) -> list[torch.Tensor]:
        if len(image) > windows and self.training:
            raise error
        return encoded(self, image)

    monkeypatch.setattr(UNet, "encode", encode)


@pytest.mark.parametrize("error", TOO_LITTLE)
def test_a_step_that_no_memory_is_left_for_is_one_line_that_says_what_fits(
    error: RuntimeError, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory_for(2, monkeypatch, error)
    with pytest.raises(GpuMemoryError, match=r"batch 8 of windows 16×16×16 .*accumulate: 4 fits"):
        training.finetune(**finetuning(images, tmp_path, batch=8))
    memory_for(0, monkeypatch, error)
    with pytest.raises(GpuMemoryError, match="not even one window fits") as raised:
        training.pretrain(**pretraining(images, tmp_path))
    assert "\n" not in str(raised.value)


def test_a_batch_that_no_memory_is_left_for_before_its_step_is_one_line_too(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def move(self: Compute, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        raise TOO_LITTLE[0]

    monkeypatch.setattr(Compute, "move", move)
    with pytest.raises(GpuMemoryError, match=r"^GPU out of memory: batch 2 of windows 16×16×16"):
        training.finetune(**finetuning(images, tmp_path))


@pytest.mark.parametrize(
    ("outcomes", "told"),
    [
        ([{"gpu_memory": "too large"}, {}], {"gpu_memory": "too large"}),
        ([{"gpu_memory": "too large"}, {"busy": "later"}], {"gpu_memory": "too large"}),
        ([{"busy": "at first"}, {"gpu_memory": "too large"}], {"gpu_memory": "too large"}),
        ([{"done": True}], {"done": True}),
        ([{}], None),
    ],
)
def test_a_process_that_fails_for_anothers_memory_does_not_hide_what_that_one_met(
    outcomes: list[dict], told: dict | None, tmp_path: Path
) -> None:
    path = tmp_path / "outcome.json"
    for outcome in outcomes:
        worker.tell(outcome, path)
    assert (json.loads(path.read_text()) if path.exists() else None) == told


def test_best_learning_rate_on_validation_is_kept(images: Path, tmp_path: Path) -> None:
    training.finetune(**finetuning(images, tmp_path, learning_rates=[1e-9, 1e-2]))
    content = load(tmp_path / "model.pt")
    assert content["recipe"]["learning_rate"] == 1e-2
    last = pd.read_csv(tmp_path / "model.tsv", sep="\t").set_index("name")["value"]
    assert last["validation_at_rate-0.01"] > last["validation_at_rate-1e-09"]


def test_best_way_on_validation_is_kept_and_all_are_told(images: Path, tmp_path: Path) -> None:
    ways = {"nearly-still": {"slower": 1e-7}, "plain": {"warmup": 0.2}}
    training.finetune(**finetuning(images, tmp_path, ways=ways))
    settings = load(tmp_path / "model.pt")["recipe"]["finetune"]
    assert (settings["learning_rates"], settings["warmup"]) == ([3e-3], 0.2)
    last = pd.read_csv(tmp_path / "model.tsv", sep="\t").set_index("name")["value"]
    still = last["validation_at_nearly-still-rate-3e-10"]
    assert last["validation_at_plain-rate-0.003"] > still


def test_run_that_learns_nothing_is_marked_as_collapsed(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    forward = networks.Segmenter.forward
    monkeypatch.setattr(
        networks.Segmenter, "forward", lambda self, image: forward(self, image) * 0 - 9
    )
    training.finetune(**finetuning(images, tmp_path))
    assert load(tmp_path / "model.pt")["collapsed"]
    assert history(tmp_path / "model.tsv", "collapsed").to_dict() == {24: 1.0}
    assert "has learnt nothing" in caplog.text


def test_fine_tuning_from_an_encoder_records_what_was_transferred(
    images: Path, tmp_path: Path, encoder: Path
) -> None:
    training.finetune(**finetuning(images, tmp_path, run=MASKED, encoder=encoder))
    transferred = load(tmp_path / "model.pt")["transferred"]
    network = built(NETWORK)
    encoded = [
        parameter.numel()
        for name, parameter in network.named_parameters()
        if name.startswith(network.encoder_prefixes)
    ]
    assert transferred["loaded"] == sum(encoded) > 0
    assert set(transferred["loaded_keys"]) | set(transferred["skipped_keys"]) == set(
        network.state_dict()
    )


def test_scratch_long_takes_pretrainings_steps_as_well(images: Path, tmp_path: Path) -> None:
    longer = {"pretraining_steps": 10}
    training.finetune(**finetuning(images, tmp_path, run=Run("scratch-long"), recipe=longer))
    assert load(tmp_path / "model.pt")["steps"] == 34


def test_scratch_again_learns_from_the_same_patches_with_other_seeds(
    images: Path, tmp_path: Path
) -> None:
    found = {}
    for init in ("scratch", "scratch-again"):
        folder = tmp_path / init
        training.finetune(**finetuning(images, folder, run=Run(init)))
        found[init] = load(folder / "model.pt")
    one, other = found.values()
    assert one["training_patches"] == other["training_patches"]
    assert one["seed"] == other["seed"]
    assert any(not torch.equal(one["state"][key], other["state"][key]) for key in one["state"])


def test_encoder_of_another_normalisation_is_refused(
    images: Path, tmp_path: Path, encoder: Path
) -> None:
    other = {"input": INPUT | {"normalisation": "zscore"}}
    arguments = finetuning(images, tmp_path, run=MASKED, encoder=encoder, recipe=other)
    with pytest.raises(InputError, match=r"normalisation: expected zscore .* found asinh"):
        training.finetune(**arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stepps": 3}, "stepps: unknown key"),
        ({"batch": 0}, "batch: expected at least 1, found 0"),
        ({"learning_rates": []}, "learning_rates: expected at least 1 entries"),
        ({"batch": 3, "accumulate": 2}, "batch: expected a multiple"),
        ({"metric": "accuracy"}, "metric: expected one of dice, pooled_dice"),
    ],
)
def test_unfit_settings_are_refused(
    images: Path, tmp_path: Path, changes: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        training.finetune(**finetuning(images, tmp_path, **changes))


def test_budget_beyond_the_split_is_refused(images: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a budget from 1 to 2 training patches"):
        training.finetune(**finetuning(images, tmp_path, run=Run("scratch", budget="3")))


def test_patch_without_a_mask_is_refused(images: Path, tmp_path: Path) -> None:
    for name in ("patches.h5", "patches.tsv", "split.tsv"):
        (tmp_path / name).write_bytes((images / name).read_bytes())
    index = pd.read_csv(tmp_path / "patches.tsv", sep="\t")
    index.loc[index["id"] == "p2", "labelled"] = 0
    index.to_csv(tmp_path / "patches.tsv", sep="\t", index=False)
    with pytest.raises(InputError, match=r"expected patches with masks, found none of \['p2'\]"):
        training.finetune(**finetuning(tmp_path, tmp_path))


def test_budget_takes_the_first_patches_of_the_order(images: Path, tmp_path: Path) -> None:
    training.finetune(**finetuning(images, tmp_path, run=Run("scratch", budget="1"), steps=2))
    assert load(tmp_path / "model.pt")["training_patches"] == {"spots": ["p0"]}


def test_loader_processes_change_nothing(images: Path, tmp_path: Path, encoder: Path) -> None:
    training.pretrain(**pretraining(images, tmp_path, workers=2))
    assert digest(load(tmp_path / "encoder.pt")["state"]) == digest(load(encoder)["state"])


def test_accumulated_parts_learn_as_the_whole_batch(images: Path, tmp_path: Path) -> None:
    states = []
    for parts in (1, 4):
        out = tmp_path / str(parts)
        changes = {"steps": 6, "batch": 4, "optimiser": "sgd", "accumulate": parts, "average": 0.0}
        training.finetune(**finetuning(images, out, **changes))
        states.append(load(out / "model.pt")["state"])
    for name, value in states[0].items():
        assert torch.allclose(value, states[1][name], atol=1e-5), name


@pytest.mark.parametrize(
    ("kept", "learns"),
    [
        ({"freeze_encoder": True}, False),
        ({"encoder_waits": 1.0}, False),
        ({"encoder_waits": 0.5}, True),
    ],
)
def test_an_encoder_that_is_frozen_or_waits_keeps_its_weights(
    images: Path, tmp_path: Path, encoder: Path, kept: dict, learns: bool
) -> None:
    training.finetune(
        **finetuning(images, tmp_path, run=MASKED, encoder=encoder, **kept, steps=4, validations=1)
    )
    before, after = load(encoder), load(tmp_path / "model.pt")
    prefixes = tuple(before["encoder_prefixes"])
    changed = [k for k, v in after["state"].items() if not torch.equal(v, before["state"][k])]
    assert changed
    assert any(name.startswith(prefixes) for name in changed) == learns


def test_layers_nearer_the_image_learn_more_slowly_with_layer_decay() -> None:
    network = built({"name": "unet", "channels": [4, 8, 16], "strides": [2, 2]})
    settings = Finetune(steps=1, batch=1, learning_rates=(1.0,), encoder_rate=0.5, layer_decay=0.1)
    *encoder, rest = encoder_first_groups(network, settings)
    scales = [group["scale"] for group in encoder]
    assert scales == sorted(scales)
    assert (scales[-1], rest["scale"]) == (0.5, 1.0)
    grouped = [p for group in [*encoder, rest] for p in group["params"]]
    assert sum(p.numel() for p in grouped) == sum(p.numel() for p in network.parameters())


def test_learning_rate_warms_up_and_falls_along_a_cosine() -> None:
    settings = Optimisation(steps=100, batch=1, warmup=0.1, final_rate=0.01)
    rates = [settings.rate(step) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (step + 1) for step in range(10)])
    assert np.diff(rates[10:]).max() < 0
    assert rates[-1] == pytest.approx(0.01, abs=1e-3)


def test_what_waits_warms_up_after_it_and_falls_along_the_same_cosine() -> None:
    settings = Optimisation(steps=100, batch=1, warmup=0.1, final_rate=0.01)
    waiting, others = ([settings.rate(step, waits) for step in range(100)] for waits in (0.3, 0.0))
    assert set(waiting[:30]) == {0.0}
    assert waiting[34] == pytest.approx(others[34] / 2)
    assert waiting[39:] == others[39:]


def test_biases_and_norms_do_not_decay() -> None:
    network = built(NETWORK)
    settings = Optimisation(steps=1, batch=1, weight_decay=0.1)
    optimiser = build_optimiser(settings, 1.0, [{"params": network.parameters()}])
    for group in optimiser.param_groups:
        flat = {parameter.ndim <= 1 for parameter in group["params"]}
        assert flat == {group["weight_decay"] == 0}


class Counting:
    """A sampler whose image tells its index."""

    def sample(self, index: int) -> dict[str, np.ndarray]:
        return {"image": np.full((1, 1, 1), index), "intensity": np.zeros(13, np.float32)}


def indices(world: int, rank: int, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    from selma3d.learning.training import batches

    monkeypatch.setattr(batches, "world", lambda: world)
    monkeypatch.setattr(batches, "rank", lambda: rank)
    settings = Optimisation(steps=3, batch=4)
    with Batches(Counting(), settings, Compute(torch.device("cpu"))) as read:
        return [part["index"].tolist() for parts in read for part in parts]


def test_processes_share_the_global_batch_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = indices(1, 0, monkeypatch)
    first, second = (indices(2, rank, monkeypatch) for rank in (0, 1))
    assert alone == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert [sorted(a + b) for a, b in zip(first, second, strict=True)] == alone


def test_error_of_a_sampler_reaches_the_loop() -> None:
    class Broken:
        def sample(self, index: int) -> dict[str, np.ndarray]:
            raise InputError("volume.h5: expected a whole file, found half of it")

    settings = Optimisation(steps=3, batch=4)
    with (
        pytest.raises(InputError, match="half of it"),
        Batches(Broken(), settings, Compute(torch.device("cpu"))) as batches,
    ):
        next(batches)


def test_validation_scores_on_the_patches_own_grid(images: Path) -> None:
    network = built(NETWORK)
    file = PatchFile(images / "patches.h5")
    patches = [ValidationPatch("spots", file, patch, 0) for patch in ("p2", "p3")]
    settings = Finetune(steps=10, batch=1, learning_rates=(1.0,), validations=1)

    def best(resample: tuple[float, float, float] | None) -> dict:
        input = Input(window=(16, 16, 16), normalisation="asinh", resample=resample)
        validation = Validation(network, patches, Compute(torch.device("cpu")), input, settings)
        with Stop() as stop:
            validation.validate(10, stop)
        return validation.found

    network.forward = lambda image: image - 3.0  # threshold the normalised intensity
    content = best(None)
    scores = []
    for patch in ("p2", "p3"):
        image, constants = file.image(patch, 0), file.intensity(patch, 0)
        spread = (constants.percentiles["75"] - constants.percentiles["25"]) / 1.349
        seen = np.arcsinh((image - constants.percentiles["50"]) / spread)
        predicted = 1 / (1 + np.exp(-(seen - 3.0))) > content["threshold"]
        truth = file.mask(patch) == 1
        scores.append(2 * (predicted & truth).sum() / (predicted.sum() + truth.sum()))
    assert content["value"] == pytest.approx(np.mean(scores), abs=1e-3)
    assert content["value"] > 0.9
    assert 0.3 < best((1.0, 0.5, 0.5))["value"] < content["value"]


def test_validation_patch_much_smaller_than_the_window_is_scored(
    images: Path, tmp_path: Path
) -> None:
    larger = {"input": INPUT | {"window": [64, 32, 32]}}
    training.finetune(**finetuning(images, tmp_path, recipe=larger, steps=1, augment={}))
    assert load(tmp_path / "model.pt")["validation"]["value"] >= 0


def test_voxels_that_are_not_annotated_do_not_change_the_loss(images: Path) -> None:
    from selma3d.learning.sampling import NOT_ANNOTATED, LabelledSampler

    patches = {"spots": [(PatchFile(images / "patches.h5"), "p0", 0)]}
    batch = collate(LabelledSampler(patches, (16, 16, 16), seed=0), [0, 1])
    settings = Finetune(steps=1, batch=2, learning_rates=(1.0,), cldice=0.5)
    task = Segmentation(torch.nn.Identity(), WHOLE, settings)
    batch["mask"][:, :, 8:] = NOT_ANNOTATED
    before = task.losses(batch)["loss"]
    batch["image"][:, :, 8:] = 60000
    changed = task.losses(batch)["loss"]
    batch["mask"][:, :, 8:] = 0
    assert changed == before != task.losses(batch)["loss"]


def test_deep_supervision_adds_the_coarser_scales(images: Path) -> None:
    class Scales(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
            return [image, torch.nn.functional.avg_pool3d(image, 2)]

    from selma3d.learning.sampling import LabelledSampler

    patches = {"spots": [(PatchFile(images / "patches.h5"), "p0", 0)]}
    batch = collate(LabelledSampler(patches, (16, 16, 16), seed=0), [0, 1])
    settings = Finetune(steps=1, batch=2, learning_rates=(1.0,))
    deep = Segmentation(Scales(), WHOLE, settings).losses(batch)
    flat = Segmentation(torch.nn.Identity(), WHOLE, settings).losses(batch)
    assert deep["dice_loss"] == flat["dice_loss"]
    assert deep["loss"] != flat["loss"]
    assert deep["loss"].isfinite()


def test_progress_is_told_in_plain_lines_in_a_log(
    images: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    training.pretrain(**pretraining(images, tmp_path, steps=4))
    assert "step 4 of 4" in caplog.text
    assert "left, loss" in caplog.text


def test_validation_takes_as_many_windows_at_a_time_as_there_is_memory_for(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, room = finetuning(images, tmp_path), 1
    made = training.prepare_finetuning(arguments["finetuning"], arguments["job"])
    network = made.task.trained_network()
    with Stop() as stop:
        expected = made.validator.validate(1, stop)
    forward = network.forward

    def limited(windows: torch.Tensor) -> torch.Tensor:
        if len(windows) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(windows)

    monkeypatch.setattr(network, "forward", limited)
    with Stop() as stop:
        assert made.validator.validate(1, stop) == pytest.approx(expected)
        room = 0
        with pytest.raises(GpuMemoryError, match="validation: GPU out of memory: one window of"):
            made.validator.validate(1, stop)


def test_throughput_advises_on_precision_layout_and_loading(
    images: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    arguments = pretraining(images, tmp_path)
    training.measure_pretraining(
        arguments["pretraining"], tmp_path / "throughput.tsv", arguments["job"], steps=3
    )
    table = pd.read_csv(tmp_path / "throughput.tsv", sep="\t")
    assert table["advice"].sum() == 1
    assert set(table["precision"]) == {"fp32", "bf16"}
    assert (table["steps_per_s"] > 0).all()
    assert "put into the recipe: precision: " in caplog.text


def test_throughput_is_measured_with_kernels_tuned_as_in_training(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    arguments = pretraining(images, tmp_path)
    training.measure_pretraining(
        arguments["pretraining"], tmp_path / "throughput.tsv", arguments["job"], steps=1
    )
    assert torch.backends.cudnn.benchmark


@pytest.mark.parametrize("entry", [pretraining, finetuning])
def test_compiled_networks_are_those_that_trainings_call(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: Callable
) -> None:
    called = []

    def compiled(function: Callable) -> Callable:
        return lambda *given: called.append(function.__name__) or function(*given)

    monkeypatch.setattr(torch, "compile", compiled)
    name = "pretrain" if entry is pretraining else "finetune"
    getattr(training, name)(**entry(images, tmp_path, compile=True, steps=1))
    assert {"encode", "decode"} <= set(called)


def test_processes_of_a_training_share_its_threads(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(command: list[str], env: dict[str, str], **_: object) -> None:
        raise InputError(f"{env['OMP_NUM_THREADS']} threads each")

    monkeypatch.setattr(subprocess, "Popen", started)
    with pytest.raises(InputError, match="3 threads each"):
        training.finetune(**limited(finetuning(images, tmp_path), threads=7, processes=2))


def test_processes_of_a_training_meet_where_the_hosts_name_cannot_be_resolved(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(command: list[str], **_: object) -> None:
        given = run.parse_args(command[command.index("torch.distributed.run") + 1 :])
        raise InputError(f"at {given.local_addr}")

    monkeypatch.setattr(subprocess, "Popen", started)
    with pytest.raises(InputError, match=r"at 127\.0\.0\.1"):
        training.finetune(**limited(finetuning(images, tmp_path), processes=2))


def _hurried(number: int, port: int, told: str) -> None:
    """Be one of two processes of which the second alone wants a mean, and then both decide."""
    os.environ |= {"RANK": str(number), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
                   "MASTER_PORT": str(port)}  # fmt: skip
    distributed.STUCK = timedelta(seconds=1)
    distributed.join()
    if number == 1:
        with pytest.raises(RuntimeError, match=r"(?i)time"):
            distributed.mean(torch.zeros(1))
    if distributed.any_process(number == 1) and number == 0:
        Path(told).write_text("decided")
    distributed.leave()


def test_a_process_waits_long_for_decisions_and_not_for_gradients(tmp_path: Path) -> None:
    """Such as where GPUs can't reach each other's memory: NCCL then waits for ever."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    given = (port, str(tmp_path / "told"))
    torch.multiprocessing.start_processes(_hurried, given, nprocs=2, start_method="fork")
    assert (tmp_path / "told").read_text() == "decided"


def test_throughput_of_fine_tuning_is_timed_as_it_stands(images: Path, tmp_path: Path) -> None:
    arguments = finetuning(images, tmp_path)
    prepared = training.prepare_finetuning(arguments["finetuning"], arguments["job"])
    training.measure_as_it_stands(prepared, tmp_path / "finetune.tsv", steps=3)
    table = pd.read_csv(tmp_path / "finetune.tsv", sep="\t")
    assert len(table) == table["advice"].sum() == 1
    assert table["steps_per_s"].item() > 0
    assert not arguments["job"].work.exists()


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_precision_that_the_device_lacks_is_refused(precision: str) -> None:
    with pytest.raises(InputError, match=f"expected fp32 or bf16 on a CPU, found '{precision}'"):
        Compute.choose("cpu", precision)


@pytest.mark.parametrize(("budget_s", "requested"), [(0.0, True), (3600.0, False), (None, False)])
def test_stop_is_requested_at_the_end_of_the_time(budget_s: float | None, requested: bool) -> None:
    with Stop(budget_s) as stop:
        assert stop.requested is requested


COLLABORATION = {
    "consistency": 1.0, "pseudo_labels": 0.5, "multiscale": 0.5, "confidence": 0.6, "start": 0.1,
    "augment": {"flip": 0.5, "noise": 0.5},
}  # fmt: skip


def collaborating(images: Path, out: Path, **changes: object) -> dict:
    """Arguments of a fine-tuning that learns from the volume too."""
    return finetuning(images, out, volumes=True, collaboration=COLLABORATION, **changes)


def test_collaboration_learns_from_volumes_once_the_teacher_has_learnt(
    images: Path, tmp_path: Path
) -> None:
    training.finetune(**collaborating(images, tmp_path, steps=12, log_every=1))
    for name in ("consistency", "pseudo_labels", "multiscale"):
        values = history(tmp_path / "model.tsv", f"{name}_loss")
        assert values.index.min() == 3  # a tenth of 12 steps is over after the second
        assert np.isfinite(values).all()
    model = load(tmp_path / "model.pt")
    assert model["recipe"]["volumes"][0]["sample"] == "a"
    assert not any("teacher" in name for name in model["state"])


def test_collaboration_changes_what_is_learnt(images: Path, tmp_path: Path) -> None:
    training.finetune(**collaborating(images, tmp_path / "with", steps=12))
    training.finetune(**finetuning(images, tmp_path / "without", steps=12))
    states = [load(tmp_path / which / "model.pt")["state"] for which in ("with", "without")]
    assert any(not torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_stopped_collaboration_ends_as_an_undisturbed_one(images: Path, tmp_path: Path) -> None:
    training.finetune(**collaborating(images, tmp_path / "whole", steps=10))
    arguments = collaborating(images, tmp_path / "halved", steps=10)
    with pytest.raises(training.Unfinished):
        training.finetune(**limited(arguments, time_budget_s=0.0))
    training.finetune(**arguments)
    whole, halved = (load(tmp_path / which / "model.pt") for which in ("whole", "halved"))
    assert digest(whole["state"]) == digest(halved["state"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"consistency": 0.0}, "expected a weight above 0"),
        ({"consistent": 1.0}, "finetune.collaboration.consistent: unknown key"),
    ],
)
def test_collaboration_that_makes_no_sense_is_refused(
    images: Path, tmp_path: Path, settings: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        finetuning(images, tmp_path, collaboration=settings)


def test_collaboration_without_volumes_is_refused(images: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected unannotated volumes, found none"):
        training.finetune(**finetuning(images, tmp_path, collaboration={}))
