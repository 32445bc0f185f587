"""Weights of others start a recipe: read without running code, refused where they do not fit."""

from __future__ import annotations

import argparse
import hashlib
import json
import zipfile
from pathlib import Path

import pytest
import torch
import yaml
from monai.networks.nets import SwinUNETR, UNet

from selma3d.challenge import Challenge
from selma3d.challenge.checking import check
from selma3d.challenge.config import read_config
from selma3d.challenge.display import Display
from selma3d.challenge.recipe import Input
from selma3d.export import foreign_weights
from selma3d.export.shared_encoders import unpack
from selma3d.learning import networks
from selma3d.learning.networks import transfer
from selma3d.learning.training.weight_files import read_encoder
from selma3d.system.errors import InputError

NETWORK = {"name": "unet", "channels": [4, 8, 8], "strides": [2, 1], "residual_units": 2}
NETWORK |= {"norm": "batch"}
INPUT = {"window": [16, 16, 16], "normalisation": "clipped"}


def weights() -> dict[str, torch.Tensor]:
    """Those of MONAI's network, with a head of 16 channels, in a training module's names."""
    torch.manual_seed(1)
    net = UNet(3, 1, 16, (4, 8, 8), (2, 1), num_res_units=2, norm="batch")
    state = {f"student_encoder.{name}": value for name, value in net.state_dict().items()}
    return state | {"teacher.temperature": torch.ones(1)}


def lightning(path: Path, **extra: object) -> Path:
    content = {"epoch": 3, "pytorch-lightning_version": "2.4.0", "state_dict": weights()}
    torch.save(content | {"hyper_parameters": {"lr": 1e-4}} | extra, path)
    return path


def description(path: Path, **changes: object) -> foreign_weights.ForeignWeights:
    settings = {
        "file": str(path),
        "prefix": "student_encoder.",
        "method": "unet",
        "group": "vessel-like",
        "network": NETWORK,
        "input": INPUT,
        "transfer": "encoder+decoder",
        "task": "foundation",
        "title": "Weights of others",
        "idea": "They have seen much.",
        "citation": "a paper",
        "licence": "CC BY 4.0",
        "seen": ["volumes of others (CC BY 4.0)"],
    }
    return check(foreign_weights.ForeignWeights, settings | changes, "foreign")


def unpacked(pack: Path, **changes: object) -> dict:
    encoder = pack.with_suffix(".pt")
    input = check(Input, INPUT | changes, "input")
    unpack(pack, encoder, encoder.with_suffix(".tsv"), input=input)
    return read_encoder(encoder, input)


@pytest.mark.parametrize("form", ["lightning", "plain"])
def test_a_checkpoint_becomes_an_encoder_with_its_own_weights(tmp_path: Path, form: str) -> None:
    file = tmp_path / "theirs.ckpt"
    if form == "lightning":
        lightning(file)
    else:
        torch.save(weights(), file)
    key = "state_dict" if form == "lightning" else None
    foreign_weights.convert(description(file, key=key), tmp_path / "pack.zip")
    content = unpacked(tmp_path / "pack.zip")
    network = networks.build(check(foreign_weights.Network, NETWORK, "network"))
    taken = transfer(network, content["state"], "encoder+decoder")
    assert not any(key.startswith("net.model.2.") for key in taken["loaded_keys"])
    theirs = weights()
    for name in taken["loaded_keys"]:
        own = theirs["student_encoder." + name.removeprefix("net.")]
        torch.testing.assert_close(network.state_dict()[name], own)
    with zipfile.ZipFile(tmp_path / "pack.zip") as pack:
        card, facts = pack.read("card.md").decode(), json.loads(pack.read("pack.json"))
    assert "volumes of others (CC BY 4.0)" in card
    assert facts["data_licences"] == ["CC BY 4.0"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"network": NETWORK | {"channels": [4, 8, 16]}}, r"student_encoder\.model.*: expected"),
        ({"network": NETWORK | {"residual_units": 1}}, "network, prefix and renamed have to be"),
        ({"prefix": "encoder."}, "prefix: expected names that begin 'encoder.'"),
        ({"key": "model"}, "key: expected 'model' in the file, found only epoch"),
        ({"sha256": "0" * 64}, "expected SHA-256 0000"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_and_nothing_is_written(
    tmp_path: Path, changes: dict, said: str
) -> None:
    file = lightning(tmp_path / "theirs.ckpt")
    with pytest.raises(InputError, match=said):
        foreign_weights.convert(description(file, **changes), tmp_path / "pack.zip")
    assert not (tmp_path / "pack.zip").exists()


def test_images_that_are_scaled_otherwise_are_refused(tmp_path: Path) -> None:
    file = lightning(tmp_path / "theirs.ckpt")
    foreign_weights.convert(description(file), tmp_path / "pack.zip")
    with pytest.raises(InputError, match="normalisation: expected zscore as in fine-tuning"):
        unpacked(tmp_path / "pack.zip", normalisation="zscore")


def test_code_in_a_checkpoint_runs_only_when_the_file_is_named_by_its_sum(tmp_path: Path) -> None:
    file = lightning(tmp_path / "theirs.ckpt", hyper_parameters=argparse.Namespace(lr=1e-4))
    settings = description(file).plain()
    (tmp_path / "d.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(settings))))
    command = [str(tmp_path / "d.yaml"), str(tmp_path / "pack.zip")]
    assert foreign_weights.main(command) == 1
    assert foreign_weights.main([*command, "--run-code-of", "0" * 64]) == 1
    assert not (tmp_path / "pack.zip").exists()
    known = hashlib.sha256(file.read_bytes()).hexdigest()
    assert foreign_weights.main([*command, "--run-code-of", known]) == 0
    assert unpacked(tmp_path / "pack.zip")["task"] == "foundation"


EXAMPLES = {
    "unet_image_only": lambda: UNet(3, 1, 128, LEVELS, (2, 2, 2, 1), num_res_units=2, norm="batch"),
    "unet_image_text": lambda: UNet(3, 1, 128, LEVELS, (2, 2, 2, 1), num_res_units=2, norm="batch"),
    "swinunetr_image_only": lambda: SwinUNETR(1, 128, feature_size=24),
    "swinunetr_image_text": lambda: SwinUNETR(1, 128, feature_size=36),
}
LEVELS = (32, 64, 128, 256, 512)


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_documented_example_reads_and_fits_its_authors_network_but_for_the_head(
    repository, example: str
) -> None:
    file = repository / f"config/foreign/{example}.yaml"
    described = check(foreign_weights.ForeignWeights, yaml.safe_load(file.read_text()), file.name)
    assert Path(described.file).name == f"{example}_best.ckpt"
    network = networks.build(described.network)
    network.check_window(described.input.window, "window")
    theirs = {described.renamed + n: v.shape for n, v in EXAMPLES[example]().state_dict().items()}
    ours = {name: value.shape for name, value in network.state_dict().items()}
    assert theirs.keys() == ours.keys()
    others = {name for name in ours if ours[name] != theirs[name]}
    assert others
    assert all(name.startswith(network.head_prefixes) for name in others)


def test_every_description_has_its_example(repository) -> None:
    assert {file.stem for file in (repository / "config/foreign").iterdir()} == {*EXAMPLES}


@pytest.mark.parametrize(("edition", "marked"), [("selma2024", True), ("selma2025", False)])
def test_weights_of_others_are_marked_where_the_edition_admits_given_data_only(
    repository, edition: str, marked: bool
) -> None:
    keys = {"edition": edition, "methods": ["unet"], "packs": {"unet": {"shared": {"g": "x.zip"}}}}
    challenge = Challenge(read_config(repository, keys=keys), repository)
    display = Display.read(Display.of(challenge).plain())
    assert ("†" in display.entrant("unet", "pack-shared")) == marked
    assert ("† out of competition" in (display.note or "")) == marked
    assert "†" not in display.entrant("unet", "masked")
