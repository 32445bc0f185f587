"""Networks behind one factory: which part is the encoder, at which scales it gives features."""

from __future__ import annotations

from typing import Any

from ...system.errors import InputError
from .convolutional import DynUNet, MedNeXt, SegResNet, UNet
from .options import checked, meant
from .segmenter import Segmenter, transfer
from .transformers import UNETR, SwinUNETR

__all__ = ["NETWORKS", "Segmenter", "build", "transfer"]

NETWORKS: dict[str, type[Segmenter]] = {
    "unet": UNet,
    "dynunet": DynUNet,
    "segresnet": SegResNet,
    "mednext": MedNeXt,
    "swinunetr": SwinUNETR,
    "unetr": UNETR,
}


def build(spec: dict[str, Any]) -> Segmenter:
    """Make the network that `spec` describes: {name: …, and options of that network}.

    Initial weights come from torch's global generator: seed it before. The network's own `spec`
    has all defaults written out. Raises InputError for an unknown name, key or value.
    """
    given = dict(spec)
    name = given.pop("name", None)
    if name not in NETWORKS:
        raise InputError(f"network: name: {meant(str(name), list(NETWORKS))} (found '{name}')")
    options = checked(NETWORKS[name], given, f"network {name}")
    try:
        network = NETWORKS[name](**options)
    except InputError as error:
        raise InputError(f"network {name}: {error}") from None
    network.spec = {"name": name} | options
    return network
