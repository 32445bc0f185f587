"""What a rule hands its script is what the script makes use of."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml

from tiny_challenge import ENVIRONMENT, ROOT

SETTINGS = {
    "results": "results",
    "methods": [
        "unet",
        "segresnet",
        "threshold",
        "classical",
        "ensemble",
        "cellpose",
        "wnet3d",
        "nnunet",
    ],
    "inits": "all",
    "seeds": [0, 1],
    "predict": {"ensemble": True},
    "segment": {
        "slabs": 2,
        "regions": {"registration": {"atlas": "made_up_25um", "orientation": "psl"}},
    },
}
VOLUME = "results/segmentations/unet/vessel"
RECIPES = {"pretrain", "finetune", "pack_encoder", "unpack_encoder", "pretraining_throughput"}
METHODS = {"threshold_method", "classical", "ensemble", "cellpose", "wnet3d", "nnunet_train"}
SHOWN = {"score", "rank", "cost", "figures", "tables", "panels", "gallery", "report"}
# Params that no script needs: a change of them runs the job again.
ONLY_TRIGGERS = {
    "convert_patches": "convert_patches.py makes no use of state",
    "convert_cases": "convert_patches.py makes no use of state",
    "convert_volume": "convert_volume.py makes no use of state",
}
TARGETS = [
    "all",
    "throughput",
    "results/segmentations/unet/brains.html",
    f"{VOLUME}/export/sample1.labels.ome.tif",
    f"{VOLUME}/export/sample1.mha",
    f"{VOLUME}/export/sample1.ome.zarr",
    "results/packs/unet/vessel-like/masked-s0.zip",
    "results/containers/unet/vessel",
    "results/metrics/threshold/cfos/default.json",
    "results/paper/manuscript.tex",
]


def faults(folder: Path, targets: list[str], **settings: object) -> dict[str, str | None]:
    """By rule, what it and its script don't agree on."""
    given = folder / "given.yaml"
    benchmark = folder / "results/benchmarks/finetune/unet/vessel-like/scratch-nall-f0-s0.tsv"
    benchmark.parent.mkdir(parents=True)
    benchmark.touch()
    pack = folder / "pack.zip"
    pack.touch()
    packs = {"unet": {"shared": {"vessel-like": str(pack), "spot-like": str(pack)}}}
    given.write_text(yaml.safe_dump(SETTINGS | {"packs": packs} | settings))
    configs = [ROOT / "config" / "methods-phantoms.yaml", given]
    command = [sys.executable, str(Path(__file__).with_name("script_contract.py")), str(folder)]
    command += [*targets, *(word for file in configs for word in ("--configfile", str(file)))]
    ran = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=600)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    return json.loads(ran.stdout.splitlines()[-1])


def test_each_script_reads_every_param_of_its_rule_and_no_other(tmp_path):
    found = faults(tmp_path, TARGETS)
    assert {rule: fault for rule, fault in found.items() if fault} == ONLY_TRIGGERS
    assert set(found) >= RECIPES | METHODS | SHOWN | {"atlas_regions", "register"}
