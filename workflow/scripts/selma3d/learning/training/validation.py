"""Validation by sliding window: the choice of the weights and the threshold that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import torch
from torch import Tensor

from ...challenge.recipe import Finetune, Input
from ...images import PatchFile
from ...system.errors import InputError
from ...system.stop import Stop
from ..device import Compute
from ..networks import Segmenter
from ..sampling import intensity_vector, normalise, rescale
from ..windows import AtOnce, slide
from .training_parts import Validator

EVEN = [round(0.05 * step, 2) for step in range(1, 20)]
THRESHOLDS = [0.01, 0.02, *EVEN, 0.97, 0.98, 0.99]  # rare foreground shifts a threshold far
OVERLAP = 0.25  # of the windows: validation takes as long as a part of the training
BATCH = 4
NOTHING_LEARNT = 0.01  # a Dice below which a run has collapsed


@dataclass(frozen=True)
class ValidationPatch:
    """An annotated patch that weights and threshold are chosen by."""

    structure: str
    file: PatchFile
    patch: str
    channel: int


class Chosen(TypedDict):
    """The best weights so far."""

    value: float  # of the metric
    threshold: float  # of the probability of foreground
    step: int
    empty: float  # share of the patches whose mask is empty
    state: dict[str, Tensor]


class Validation(Validator):
    """Segments whole patches, and keeps the best weights.

    metric: `dice`, mean over a structure's patches, or `pooled_dice`, of all their voxels together;
    then the mean over structures. The threshold is chosen with the weights.
    """

    def __init__(
        self,
        network: Segmenter,
        patches: Sequence[ValidationPatch],
        compute: Compute,
        input: Input,
        settings: Finetune,
    ) -> None:
        if not patches:
            raise InputError("split: expected validation patches, found none")
        nothing: Chosen = {"value": -1.0, "threshold": 0.5, "step": 0, "empty": 1.0, "state": {}}
        super().__init__(settings.steps, settings.validations, nothing)
        self._network, self._patches, self._compute = network, patches, compute
        self._window = settings.inference_window or input.window
        self._normalisation, self._resample = input.normalisation, input.resample
        self._metric = settings.metric
        self._at_once = AtOnce("validation")

    def validate(self, step: int, stop: Stop) -> dict[str, float] | None:
        """Score the network; remember its weights where it is the best so far."""
        self._network.eval()
        counts = []
        for patch in self._patches:
            if stop.requested:
                break
            counts.append(self._count(patch))
        self._network.train()
        if len(counts) < len(self._patches):
            return None
        scores = self._score(torch.stack(counts))
        chosen = int(scores.argmax())
        empty = float((torch.stack(counts)[:, 1, chosen] == 0).float().mean())
        if scores[chosen] > self.found["value"]:
            state = self._network.state_dict()
            self.found = {
                "value": float(scores[chosen]),
                "threshold": THRESHOLDS[chosen],
                "step": step,
                "empty": empty,
                "state": {name: value.detach().cpu().clone() for name, value in state.items()},
            }
        return {
            f"validation_{self._metric}": float(scores[chosen]),
            "validation_threshold": THRESHOLDS[chosen],
            "validation_empty_masks": empty,
        }

    @property
    def collapsed(self) -> bool:
        """Whether the best weights have learnt nothing: no overlap, or only empty masks."""
        return self.found["value"] < NOTHING_LEARNT or self.found["empty"] == 1.0

    @torch.no_grad()
    def _count(self, patch: ValidationPatch) -> Tensor:
        """Voxels (3, thresholds): overlap, prediction, truth, on the patch's own grid."""
        image = torch.from_numpy(patch.file.image(patch.patch, patch.channel))[None, None]
        intensity = torch.from_numpy(
            intensity_vector(patch.file.intensity(patch.patch, patch.channel))
        )[None]
        truth = torch.from_numpy(patch.file.mask(patch.patch)).bool()
        seen = normalise(image, intensity, self._normalisation)
        scales = self._resample or (1, 1, 1)
        size = [max(1, round(n * f)) for n, f in zip(truth.shape, scales, strict=True)]
        with self._compute.autocast():
            slid = slide(
                rescale(seen, size),
                self._window,
                self._probability,
                overlap=OVERLAP,
                batch=BATCH,
                device=self._compute.device,
            )
        probability = rescale(slid, truth.shape)[0, 0].contiguous()
        passed = torch.bucketize(probability, torch.tensor(THRESHOLDS))
        predicted = _above(passed)
        overlap = _above(passed[truth])
        return torch.stack([overlap, predicted, truth.sum().expand_as(predicted)])

    def _probability(self, windows: Tensor) -> Tensor:
        return self._at_once.predict(
            lambda part: torch.sigmoid(self._network(part).float()), windows
        )

    def _score(self, counts: Tensor) -> Tensor:
        """Metric at each threshold from counts (patches, 3, thresholds)."""
        structures = sorted({patch.structure for patch in self._patches})
        scores = []
        for structure in structures:
            own = counts[[patch.structure == structure for patch in self._patches]].double()
            own = own.sum(dim=0, keepdim=True) if self._metric == "pooled_dice" else own
            overlap, predicted, truth = own.unbind(1)
            dice = torch.where(predicted + truth > 0, 2 * overlap / (predicted + truth), 1.0)
            scores.append(dice.mean(dim=0))
        return torch.stack(scores).mean(dim=0)


def _above(passed: Tensor) -> Tensor:
    """Number of voxels above each threshold, from the number of thresholds that each exceeds."""
    exactly = torch.bincount(passed.reshape(-1), minlength=len(THRESHOLDS) + 1)
    return exactly.flip(0).cumsum(0).flip(0)[1:]
