"""Settings of fine-tuning: a recipe's section `finetune`, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from ...system.errors import InputError
from ..augmentation import check_settings
from ..networks.options import Count, Share, Size, Within, checked
from .collaborative import Collaboration
from .optimisation import Optimisation, names

Weight = Annotated[float, Within(0)]


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """Settings of fine-tuning beside those of the loop (`Optimisation`)."""

    learning_rates: tuple[Weight, ...]  # each is trained in full, the best on validation is kept
    augment: dict | None = None  # see augment.OPERATIONS
    foreground: Share = 0.67  # of the windows, around a foreground voxel
    annotated_margin: Annotated[int, Within(0)] | None = None  # see sampling.annotated_box
    dice: Weight = 1.0
    cross_entropy: Weight = 1.0
    cldice: Weight = 0.0
    batch_dice: bool = False
    validations: Count = 10
    inference_window: Size | None = None  # of validation and predictions; None: as in training
    metric: Literal["dice", "pooled_dice"] = "dice"
    collaboration: dict | None = None  # see collaborative.Collaboration; None: labels alone
    min_component_voxels: Annotated[int, Within(0)] = 0  # smaller components are removed
    transfer: Literal["encoder", "encoder+decoder"] = "encoder"  # at most what the task trains
    freeze_encoder: bool = False
    encoder_rate: Share = 1.0  # of the learning rate
    layer_decay: Share = 1.0  # of the rate, from each layer of the encoder to the one before


def split_settings(section: dict) -> tuple[Optimisation, FineTuning]:
    """Divide a recipe's section between the loop and the rest; InputError for unknown keys."""
    loop = names(Optimisation)
    if "learning_rate" in section:
        raise InputError("finetune: learning_rate: expected learning_rates, a list of one or more")
    own = {key: value for key, value in section.items() if key not in loop}
    options = FineTuning(**checked(FineTuning, own, "finetune"))
    check_settings(options.augment or {})
    if options.collaboration is not None:
        Collaboration.of(options.collaboration, "finetune: collaboration")
    if not options.learning_rates:
        raise InputError("finetune: learning_rates: expected one or more, found none")
    shared = {key: value for key, value in section.items() if key in loop}
    rate = options.learning_rates[0]
    return Optimisation.of(shared | {"learning_rate": rate}, "finetune"), options
