"""Networks by name: the encoder of each, and the scales at which it gives features."""

from __future__ import annotations

from ...challenge.checking import check, nearest
from ...challenge.recipe import Network
from ...system.errors import InputError
from .convolutional import DynUNet, MedNeXt, SegResNet, UNet
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


def build(network: Network) -> Segmenter:
    """Make the network that a recipe names.

    Initial weights come from torch's global generator: seed it before. The made network's `spec`
    has all defaults written out. Raises InputError for an unknown name, key or value.
    """
    name = network.name
    if name not in NETWORKS:
        raise InputError(f"network: name: no network {name!r}{nearest(name, list(NETWORKS))}")
    options = check(NETWORKS[name].Options, network.options, f"network {name}")
    try:
        made = NETWORKS[name](options)
    except InputError as error:
        raise InputError(f"network {name}: {error}") from None
    made.spec = Network(name=name, **options.model_dump(mode="json"))
    return made
