"""What an encoder file and a model file say beside the weights; see CONTRIBUTING for the keys."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ... import __version__
from ...images import CONTRACT_VERSION
from ...system.errors import InputError
from ..device import versions
from ..networks import Segmenter


def described(kind: str, network: Segmenter, recipe: dict, steps: int) -> dict:
    """What both kinds of file have in common: plain types, to be loaded with weights_only."""
    return {
        "contract_version": CONTRACT_VERSION,
        "kind": kind,
        "network": network.spec,
        "state": {name: value.cpu() for name, value in network.state_dict().items()},
        "recipe": recipe,
        "versions": {"selma3d": __version__} | versions(),
        "steps": steps,
    }


def read_encoder(
    path: Path, input: Mapping[str, Any] | None = None, *, named: Path | None = None
) -> dict:
    """Read an encoder file; InputError if it is none, or has seen images scaled otherwise.

    input: of the fine-tuning that will start from it, if any. named: what an error calls the file.
    """
    named = named or path
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{named}: expected an encoder file, found nothing") from None
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{named}: expected a whole encoder file, found: {reason}") from None
    kind, version = content.get("kind"), content.get("contract_version")
    if (kind, version) != ("encoder", CONTRACT_VERSION):
        raise InputError(
            f"{named}: expected an encoder of contract version {CONTRACT_VERSION}, "
            f"found {kind} of version {version}"
        )
    for key in ("normalisation", "resample") if input is not None else ():
        seen, wanted = content["input"].get(key), input.get(key)
        if seen != wanted:
            raise InputError(
                f"{named}: input: {key}: expected {wanted} as in fine-tuning, found {seen}"
            )
    return content
