"""The edition of public images: nothing to fill in, and run from a server that plays archives."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml

from misbehaving_server import MisbehavingServer
from selma3d.challenge import Challenge
from selma3d.images import CollectionFile, read_index
from selma3d.learning.training.weight_files import read_encoder
from tiny_challenge import ENVIRONMENT, ROOT, Workflow

OPEN = yaml.safe_load((ROOT / "config/editions/selma2024-open.yaml").read_text())
RECORD = OPEN["archives"]["selma-patches"]["record"]
TAR = OPEN["archives"]["selma-patches"]["files"][0]
# Classes and names as the public code that cut the patches writes them.
CLASSES = {"vessel_wga": "vessel", "vessel_eb": None, "cfos": "cfos"}
CLASSES |= {"nucleus": "nucleus", "ab_plaque": "plaque", "chondrocytes": None}


def config(**changes: object) -> dict[str, object]:
    return yaml.safe_load((ROOT / "config/config.yaml").read_text()) | changes


def test_the_default_has_no_slot_to_fill_and_lists_what_no_manifest_holds_yet() -> None:
    default = Challenge.of(config(), ROOT)
    assert default.empty_slots == {}
    assert all(default.archives[name].is_listed_first for name in default.archives)
    assert {row.structure for row in default.samples} == {*default.edition.structures}
    assert any(structure.left_out for structure in default.structures.values())
    recipe = default.methods["zhejiang"].recipe
    read = np.divide(recipe.input.window, recipe.input.resample)
    assert (read.round() <= 96).all(), "no window is larger than a patch"


def test_with_the_original_volumes_each_empty_slot_is_named_with_what_to_do() -> None:
    slots = Challenge.of(config(edition="selma2024"), ROOT).empty_slots
    assert slots.keys() == {"unannotated"}
    assert "handed out on the challenge's site" in slots["unannotated"]
    hidden = Challenge.of(config(edition="selma2024", test_cases="archive"), ROOT)
    assert hidden.empty_slots.keys() == {"unannotated", "hidden-cases"}
    filled = {"unannotated": {"kind": "local", "folder": "/data"}}
    assert Challenge.of(config(edition="selma2024", archives=filled), ROOT).empty_slots == {}


def nifti(image: np.ndarray) -> bytes:
    """(Z,Y,X) as a packed NIfTI."""
    return nib.Nifti1Image(image.transpose(2, 1, 0), np.eye(4)).to_bytes()


def spots(random: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    mask = random.random(shape) < 0.002
    for axis in range(3):
        mask |= np.roll(mask, 1, axis)
    return mask


def record_tar(random: np.random.Generator) -> bytes:
    """A tar.gz of 96³ patches by class: three of each of two volumes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tar:
        for name in CLASSES:
            channel = "C01" if name == "vessel_eb" else "C00"
            for number in range(6):
                image = random.integers(100, 160, (96, 96, 96)).astype(np.uint16)
                image[spots(random, image.shape)] += 2000
                place = f"all_selma_patches_96/{name}/{name}_sample{number % 2}_{channel}"
                member = tarfile.TarInfo(f"{place}_p{number}_cand{number}_z96_y96_x96.nii.gz")
                content = gzip.compress(nifti(image), 1)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def annotated(random: np.random.Generator) -> dict[str, bytes]:
    """Patches laid out as S-BIAD1196 has them; masks of {0,255}, a channel a file."""
    files = {}
    for structure in OPEN["structures"].values():
        folder = structure["patches"]["folder"]
        for number in range(6):
            mask = spots(random, (24, 48, 48))
            for channel in range(structure["published"].get("channels", 1)):
                image = random.integers(100, 160, mask.shape) + 2000 * mask
                name = f"{folder}/raw/patchvolume_{number:03d}_{channel:04d}.nii.gz"
                files[name] = gzip.compress(nifti(image.astype(np.float64)), 1)
            name = f"{folder}/gt/patchvolume_{number:03d}.nii.gz"
            files[name] = gzip.compress(nifti((255 * mask).astype(np.uint8)), 1)
    return files


@pytest.mark.editions
def test_the_challenge_runs_from_public_images_alone_from_download_to_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that a plain call makes, of two methods, from a server that drops a download."""
    random = np.random.default_rng(0)
    images, tar = annotated(random), record_tar(random)
    listed = {"key": TAR, "size": len(tar), "checksum": f"md5:{hashlib.md5(tar).hexdigest()}"}
    other = {"key": "other.tar.gz", "size": 1, "checksum": f"md5:{'0' * 32}"}
    record = f"api/records/{RECORD}"
    manifest = tmp_path / "S-BIAD1196.tsv"
    rows = [f"{n}\t{len(c)}\t{hashlib.sha256(c).hexdigest()}" for n, c in images.items()]
    manifest.write_text("\n".join(["path\tbytes\tsha256", *rows]) + "\n")
    served = {f"Files/{name}": content for name, content in images.items()} | {
        record: json.dumps({"files": [listed, other]}).encode(),
        f"{record}/files/{TAR}/content": tar,
    }
    with MisbehavingServer(served) as server:
        server.faults[f"{record}/files/{TAR}/content"].append("drop")
        monkeypatch.setitem(ENVIRONMENT, "NO_PROXY", "127.0.0.1")
        here = Workflow(tmp_path, layers=("config/config.yaml",), patience=3600)
        ran = here.run(
            methods=["unet", "threshold"],
            inits=["scratch", "masked"],
            budgets=["all"],
            seeds=[0],
            size="small",
            download={"workers": 2, "per_host": 2, "retries": 3, "min_free_gb": 0},
            resources={"gpu": 0, "training_threads": 1, "training_mem_mb": 2000},
            archives={
                "S-BIAD1196": {
                    "roots": [f"{server.url}/Files"],
                    "manifest": str(manifest),
                    "list_first": False,
                },
                "selma-patches": {"roots": [f"{server.url}/api/records"]},
            },
            recipe_overrides={
                "unet": {
                    "network": {"channels": [4, 8], "strides": [2]},
                    "input": {"window": [16, 16, 16]},
                    "pretexts": {"masked": {"steps": 8}},
                    "finetune": {"steps": 4, "inference_window": [16, 32, 32]},
                }
            },
        )
        assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    results = here.results
    assert [path.name for path in (results / "archive/selma-patches").glob("*.gz")] == [TAR]
    for structure in OPEN["structures"]:
        place = results / "data" / structure / "collections" / "selma96"
        with CollectionFile(place.with_suffix(".h5")) as file:
            wanted = next(name for name, of in CLASSES.items() if of == structure)
            assert file.volumes == tuple(f"{wanted}_sample{n}" for n in range(2))
        assert [*read_index(place.with_suffix(".tsv"))["patches"].astype(int)] == [3, 3]
    assert "held-out" in (results / "report.html").read_text()
    seen = read_encoder(results / "encoders/unet/spot-like/masked-s0.pt")["volumes"]
    assert len(seen) == 6
