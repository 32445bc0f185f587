"""The interface of a segmentation network, and the transfer of weights between two of them."""

from __future__ import annotations

from typing import Literal, TypedDict

from torch import Tensor, nn

from ...challenge.checking import Model
from ...challenge.recipe import Network
from ...system.errors import InputError

Parts = Literal["encoder", "encoder+decoder"]


class Segmenter(nn.Module):
    """A network from an image (B,1,Z,Y,X) to logits of the same shape.

    Options: what a recipe may say of it; the only argument of its constructor.
    spec: what `networks.build` makes this network from, all defaults written out.
    feature_channels, feature_strides: of the maps that `encode` returns; strides are (z,y,x).
    encoder_prefixes: of the state's keys that belong to the encoder.
    head_prefixes: of the output layer, then of the layers that only deep supervision has.
    divisor: every axis of a window must be a multiple of it.
    """

    Options: type[Model]
    spec: Network
    feature_channels: tuple[int, ...]
    feature_strides: tuple[tuple[int, int, int], ...]
    encoder_prefixes: tuple[str, ...]
    head_prefixes: tuple[str, ...]
    divisor: int

    def encode(self, image: Tensor) -> list[Tensor]:
        """Return the encoder's feature maps (B,C,z,y,x), fine to coarse."""
        raise NotImplementedError

    def decode(self, image: Tensor, features: list[Tensor]) -> Tensor | list[Tensor]:
        """Turn `encode(image)` into logits.

        With deep supervision, in training: a list, finest first, each at its own scale.
        """
        raise NotImplementedError

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        return self.decode(image, self.encode(image))

    def check_window(self, window: tuple[int, int, int], where: str) -> None:
        """Raise InputError for a window (Z,Y,X) that this network can't be trained on.

        The coarsest map needs more than one voxel, or there is nothing to normalise over.
        """
        if any(n <= 0 or n % self.divisor for n in window) or max(window) <= self.divisor:
            raise InputError(
                f"{where}: expected multiples of {self.divisor}, not all {self.divisor}, "
                f"for network {self.spec.name}, found {list(window)}"
            )


class Transferred(TypedDict):
    """Weights that a network has taken over; the skipped ones keep their initial values."""

    loaded: int  # parameters
    loaded_keys: list[str]
    skipped_keys: list[str]


def transfer(segmenter: Segmenter, state: dict[str, Tensor], parts: Parts) -> Transferred:
    """Copy a pretrained state into `segmenter`: its encoder, or everything but the output layers.

    Raises InputError where the state does not fit: nothing is left out quietly.
    """
    own = segmenter.state_dict()
    if parts == "encoder":
        wanted = [key for key in own if key.startswith(segmenter.encoder_prefixes)]
    else:
        wanted = [key for key in own if not key.startswith(segmenter.head_prefixes)]
    for key in wanted:
        found = tuple(state[key].shape) if key in state else "nothing"
        if found != tuple(own[key].shape):
            raise InputError(
                f"pretrained state: {key}: expected {tuple(own[key].shape)}, found {found} "
                "(pretrain and fine-tune the same network)"
            )
    segmenter.load_state_dict({key: state[key] for key in wanted}, strict=False)
    parameters = dict(segmenter.named_parameters())
    return {
        "loaded": sum(parameters[key].numel() for key in wanted if key in parameters),
        "loaded_keys": wanted,
        "skipped_keys": [key for key in own if key not in set(wanted)],
    }
