"""A recipe's version reaches the trainers: raising it trains anew."""

from __future__ import annotations

import json

import torch

ENCODER, MODEL = "spot-like/masked-s0", "spot-like/masked-nall-f0-s0"


def test_a_raised_recipe_version_trains_encoder_and_model_anew(copy):
    raised = {"unet": {"recipe_version": 2}}
    model = copy.results / f"models/unet/{MODEL}.pt"
    ran = copy.run(f"results/models/unet/{MODEL}.pt", "--quiet", "rules", recipe_overrides=raised)
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]
    for file in (copy.results / f"encoders/unet/{ENCODER}.pt", model):
        assert torch.load(file, weights_only=True)["recipe"]["recipe_version"] == 2
    for work in (f"work/pretrain/unet/{ENCODER}", f"work/finetune/unet/{MODEL}/rate-0.003"):
        (aside,) = (copy.results / work).glob("set-aside-*")
        assert json.loads((aside / "recipe.json").read_text())["recipe_version"] == 1
        assert (aside / "finished.pt").exists()
