"""Encoder files and model files: every key, and the record of what decided the weights."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypedDict

from torch import Tensor

from ... import __version__
from ...challenge.recipe import Input
from ...images import CONTRACT_VERSION, read_index
from ...system.errors import InputError
from ..device import Compute, versions
from ..model_files import Form, check_form, read_weights
from ..networks import Segmenter
from ..networks.segmenter import Parts, Transferred
from ..sampling import VolumeSource

Plain = dict[str, Any]  # a section of a recipe as plain data, all defaults written out


class VolumeRecord(TypedDict):
    """A volume that was learnt from, by its content's hash rather than by its path."""

    sample: str
    channel: int
    weight: float
    specimen: str
    sha256: str


class PatchesRecord(TypedDict):
    """The patches of one structure, by their contents' hashes, in order."""

    channel: int
    training: list[str]
    validation: list[str]


class PretrainingRecord(TypedDict):
    """Everything that decides an encoder's weights."""

    method: str
    group: str
    seed: int
    recipe_version: int
    network: Plain
    input: Plain
    pretext: Plain
    volumes: list[VolumeRecord]


class ModelFacts(TypedDict):
    """The model's name, and the data that it may learn from."""

    method: str
    target: str
    structures: dict[str, dict[str, int]]  # name: {"channel": of the image}
    init: str
    budget: int | None  # training patches a structure; None: all
    fold: int
    seed: int


class FinetuningRecord(ModelFacts):
    """Everything that decides a model's weights."""

    recipe_version: int
    network: Plain
    input: Plain
    finetune: Plain
    learning_rate: float
    encoder: str | None  # digest of the weights that it starts from
    patches: dict[str, PatchesRecord]  # by structure
    volumes: list[VolumeRecord]


class _Weights(TypedDict):
    """The keys that both kinds of file have."""

    contract_version: int
    kind: Literal["encoder", "model"]
    network: Plain  # what `networks.build` makes the network from
    state: dict[str, Tensor]
    versions: dict[str, str]  # of this package, torch, CUDA, cuDNN; the GPU's name
    steps: int
    precision: str  # that it was trained at
    channels_last: bool  # likewise


class EncoderFile(_Weights):
    """A pretrained network; what can be transferred from it, and what it has seen."""

    recipe: PretrainingRecord
    encoder_prefixes: list[str]  # of the state's keys that belong to the encoder
    input: Plain  # the recipe's section, and channel: list of int
    task: str
    trains: Parts
    group: str
    seed: int
    volumes: list[VolumeRecord]
    collapsed: bool  # no better than a trivial predictor on held-out windows
    held_out: dict[str, float]


class Best(TypedDict):
    """The validation that the weights were chosen by."""

    metric: str
    value: float
    step: int
    specimens: list[str]


class ModelFile(_Weights, ModelFacts):
    """A fine-tuned network with everything that a prediction needs."""

    recipe: FinetuningRecord
    input: Plain  # the recipe's section, and inference_window: (z,y,x) voxels
    threshold: float  # of the probability of foreground
    min_component_voxels: int
    validation: Best
    collapsed: bool  # learnt nothing
    training_specimens: list[str]
    training_voxel_sizes_um: dict[str, list[list[float]]]  # by structure, each (z,y,x) once
    training_patches: dict[str, list[str]]  # ids by structure
    transferred: Transferred


def weights_of(
    kind: Literal["encoder", "model"], network: Segmenter, steps: int, compute: Compute
) -> _Weights:
    """The keys that both kinds of file have: plain types, to be loaded with weights_only."""
    return {
        "contract_version": CONTRACT_VERSION,
        "kind": kind,
        "network": network.spec.model_dump(mode="json"),
        "state": {name: value.cpu() for name, value in network.state_dict().items()},
        "versions": {"selma3d": __version__} | versions(compute.device),
        "steps": steps,
        "precision": compute.precision,
        "channels_last": compute.channels_last,
    }


def provenance(volumes: Iterable[VolumeSource]) -> list[VolumeRecord]:
    """The records of volumes and of source volumes that are seen, from their index tables."""
    return [
        {
            "sample": row["id"],
            "channel": volume.channel,
            "weight": 1.0,  # of a version that knew others; recorded trainings have it
            "specimen": row["specimen"],
            "sha256": row["sha256"],
        }
        for volume in volumes
        for _, row in read_index(volume.path.with_suffix(".tsv")).iterrows()
        if row["specimen"] not in volume.leave_out
    ]


class _Recipe(Form):
    method: str


class _Volume(Form):
    sample: str
    specimen: str
    sha256: str


class _EncoderFacts(Form):
    """What is looked at of an encoder's file beside its weights."""

    input: dict[str, Any]
    network: dict[str, Any]
    recipe: _Recipe
    task: str
    trains: Parts
    group: str
    seed: int
    steps: int
    volumes: tuple[_Volume, ...]


def read_encoder(
    path: Path, input: Input | None = None, *, named: Path | None = None
) -> EncoderFile:
    """Read an encoder file; InputError if it is none, or has seen images scaled otherwise.

    input: of the fine-tuning that will start from it, if any. named: what an error calls the file.
    """
    named = named or path
    content = read_weights(path, "an encoder file", named=named)
    kind, version = content.get("kind"), content.get("contract_version")
    if (kind, version) != ("encoder", CONTRACT_VERSION):
        raise InputError(
            f"{named}: expected an encoder of contract version {CONTRACT_VERSION}, "
            f"found {kind} of version {version}"
        )
    check_form(_EncoderFacts, content, named)
    state = content.get("state")
    if not isinstance(state, dict) or not all(isinstance(w, Tensor) for w in state.values()):
        raise InputError(f"{named}: state: expected weights by name, found something else")
    expected = {} if input is None else input.model_dump(mode="json", exclude={"window"})
    for key, wanted in expected.items():
        if (seen := content["input"].get(key)) != wanted:
            raise InputError(
                f"{named}: input: {key}: expected {wanted} as in fine-tuning, found {seen}"
            )
    return content
