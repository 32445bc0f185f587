"""Encoders are shared as packs; a pack that is damaged or hostile is refused by name."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from selma3d.challenge import Challenge
from selma3d.challenge.checking import check
from selma3d.challenge.config import read_config
from selma3d.challenge.recipe import Input
from selma3d.challenge.run import Run
from selma3d.export import shared_encoders as packs
from selma3d.images import splits
from selma3d.learning import training
from selma3d.learning.training.weight_files import read_encoder
from selma3d.system.errors import InputError
from small_training import INPUT, finetuning, pretraining, write_images

METHOD = {"title": "Small", "idea": "It learns little.", "citation": "none", "licence": "MIT"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, an encoder pretrained on them, and its pack."""
    folder = tmp_path_factory.mktemp("packs")
    write_images(folder)
    training.pretrain(**pretraining(folder, folder))
    packed(folder, folder / "shared.zip")
    return folder


def packed(folder: Path, path: Path) -> Path:
    packs.pack(
        *(folder / "encoder.pt", folder / "encoder.tsv", path),
        method=METHOD,
        licences=["CC BY-NC 4.0"],
    )
    return path


def unpacked(pack: Path, folder: Path, **changes: object) -> Path:
    encoder = folder / "out" / "encoder.pt"
    encoder.parent.mkdir(exist_ok=True)
    input = check(Input, INPUT | changes, "input")
    packs.unpack(pack, encoder, encoder.with_suffix(".tsv"), input=input)
    return encoder


def rewritten(pack: Path, to: Path, change: Callable[[str, bytes], tuple[str, bytes]]) -> Path:
    with zipfile.ZipFile(pack) as old, zipfile.ZipFile(to, "w") as new:
        for member in old.namelist():
            new.writestr(*change(member, old.read(member)))
    return to


def test_an_encoder_comes_out_of_its_pack_as_it_went_in(made, tmp_path):
    encoder = unpacked(made / "shared.zip", tmp_path)
    assert encoder.read_bytes() == (made / "encoder.pt").read_bytes()
    assert encoder.with_suffix(".tsv").read_bytes() == (made / "encoder.tsv").read_bytes()
    again = packed(made, tmp_path / "again.zip")
    assert again.read_bytes() == (made / "shared.zip").read_bytes()


def test_the_card_names_pretext_volumes_licences_and_contract(made):
    with zipfile.ZipFile(made / "shared.zip") as pack:
        card, facts = pack.read("card.md").decode(), json.loads(pack.read("pack.json"))
    for words in ("It learns little.", "masked", "| a | A |", "CC BY-NC 4.0", "pack", "24 steps"):
        assert words in card
    assert facts["contract_version"] == 1
    assert facts["data_licences"] == ["CC BY-NC 4.0"]
    assert set(facts["sha256"]) == {"encoder.pt", "history.tsv", "card.md"}


def test_a_training_starts_from_an_unpacked_encoder(made, tmp_path):
    encoder = unpacked(made / "shared.zip", tmp_path)
    training.finetune(
        **finetuning(made, tmp_path, run=Run("pack-shared"), encoder=encoder, steps=2)
    )
    model = torch.load(tmp_path / "model.pt", weights_only=True)
    assert model["init"] == "pack-shared"
    assert model["transferred"]["loaded"] > 0


def test_a_pack_of_an_encoder_that_has_seen_a_test_specimen_is_refused(made, tmp_path):
    split = splits.read_split(made / "split.tsv").assign(specimen="A")
    seen = read_encoder(unpacked(made / "shared.zip", tmp_path))["volumes"]
    with pytest.raises(InputError, match="specimen 'A': expected validation only, found it in"):
        splits.check_disjoint([split], [volume["specimen"] for volume in seen], folds=[0])


def damaged(pack: Path, to: Path) -> Path:
    content = bytearray(pack.read_bytes())
    content[len(content) // 3] ^= 255
    to.write_bytes(content)
    return to


def cut_short(pack: Path, to: Path) -> Path:
    to.write_bytes(pack.read_bytes()[:5000])
    return to


def of_other_weights(pack: Path, to: Path) -> Path:
    return rewritten(pack, to, lambda n, c: (n, c[::-1] if n == "encoder.pt" else c))


def escaping(pack: Path, to: Path) -> Path:
    shutil.copy(pack, to)
    with zipfile.ZipFile(to, "a") as archive:
        archive.writestr("../../escaped.pt", b"from outside")
    return to


def renamed(pack: Path, to: Path) -> Path:
    return rewritten(pack, to, lambda n, c: (f"/tmp/{n}" if n == "encoder.pt" else n, c))


def twice(pack: Path, to: Path) -> Path:
    shutil.copy(pack, to)
    with zipfile.ZipFile(to, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("encoder.pt", b"another")
    return to


def compressed(pack: Path, to: Path) -> Path:
    with zipfile.ZipFile(pack) as old, zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            new.writestr(member, old.read(member))
    return to


def of_another_contract(pack: Path, to: Path) -> Path:
    return rewritten(
        pack, to, lambda n, c: (n, c.replace(b'version": 1', b'version": 9') if "json" in n else c)
    )


def without_facts(pack: Path, to: Path) -> Path:
    return rewritten(pack, to, lambda n, c: (n, b"[]" if n == "pack.json" else c))


def of_nothing(pack: Path, to: Path) -> Path:
    return to


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (damaged, "expected a whole zip|expected SHA-256"),
        (cut_short, "expected a whole zip"),
        (of_other_weights, r"encoder.pt: expected SHA-256 \w+, found \w+ \(the pack is damaged"),
        (escaping, r"expected once each of .*, found .*'../../escaped.pt'"),
        (renamed, "found '/tmp/encoder.pt'"),
        (twice, "expected once each of"),
        (compressed, "expected members stored as they are"),
        (of_another_contract, "contract version 1, found encoder-pack of version 9"),
        (without_facts, "pack.json: expected its facts"),
        (of_nothing, "expected an encoder's pack, found nothing"),
    ],
)
def test_a_bad_pack_is_one_error_and_leaves_nothing(made, tmp_path, harm, message):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    pack = harm(made / "shared.zip", tmp_path / "deep" / "er" / "bad.zip")
    with pytest.raises(InputError, match=message) as error:
        unpacked(pack, tmp_path)
    assert "bad.zip" in str(error.value)
    assert not list((tmp_path / "out").iterdir())
    assert not (tmp_path / "escaped.pt").exists()


def test_a_pack_whose_images_were_scaled_otherwise_is_refused(made, tmp_path):
    with pytest.raises(InputError, match=r"shared.zip: input: normalisation: expected zscore"):
        unpacked(made / "shared.zip", tmp_path, normalisation="zscore")


def test_a_pack_is_an_init_beside_the_pretexts_and_needs_every_group(repository):
    given = {
        "packs": {"unet": {"shared": {"vessel-like": "v.zip"}}},
        "methods": ["unet", "segresnet"],
    }
    challenge = Challenge(
        read_config(repository, [repository / "config/demo.yaml"], given), repository
    )
    assert challenge.inits("unet") == ("scratch", "masked", "pack-shared")
    assert challenge.inits("segresnet") == ("scratch", "masked")
    assert challenge.pack("unet", "pack-shared", "vessel-like") == repository / "v.zip"
    with pytest.raises(
        InputError, match=r"packs\.unet\.shared: expected a pack for group 'spot-like"
    ):
        challenge.pack("unet", "pack-shared", "spot-like")
