"""Teachers: slowly moving averages of a student, which give the targets it learns from."""

from __future__ import annotations

import copy
import math

import torch
from pydantic import Field
from torch import Tensor, nn

from ...challenge.checking import Model
from ...challenge.recipe import Share, Size
from .. import distributed
from ..device import single_precision
from ..networks import Segmenter
from ..passes import Pass
from . import processes
from .base import Windows
from .views import ViewTask

_CENTRE_MOMENTUM = 0.9


class TeacherTask(ViewTask):
    """A task whose targets come from a moving average of its own encoder and head.

    The momentum rises to 1 along a cosine (arXiv 2006.07733, section 3.2). The running means of
    what the teacher says, `centres` of them with `outputs` numbers each, are taken off its answers,
    as in DINO (arXiv 2104.14294): a large part that all answers have in common would hide how they
    differ.
    """

    class Options(Model):
        momentum: Share = Field(
            0.99, description="share of itself that the teacher keeps in a step, at the start"
        )

    def __init__(
        self,
        network: Segmenter,
        windows: Windows,
        options: Options,
        head: nn.Module,
        *,
        outputs: int,
        centres: int = 1,
    ) -> None:
        super().__init__(network, windows, options)
        self.head = head
        self.teacher = copy.deepcopy(self._student).requires_grad_(False)
        self.register_buffer("centre", torch.zeros(centres, outputs))
        self._means: list[Tensor] = []

    @property
    def _student(self) -> nn.ModuleDict:
        """The parts that the teacher copies."""
        return nn.ModuleDict({"network": self.network, "head": self.head})

    def passes(self) -> list[Pass]:
        return self.passes_with_answers(self._view_size)

    def passes_with_answers(self, size: Size) -> list[Pass]:
        """The passes of two views of a window, which the teacher sees as well."""
        return [*self.passes_of_views(size, 2), Pass(size, 2, decoded=False, learnt=False)]

    def remember(self, *answers: Tensor) -> None:
        """Note the means of the teacher's answers (N,outputs) to a batch that is learnt from."""
        if torch.is_grad_enabled():
            self._means.append(torch.stack([answer.float().mean(dim=0) for answer in answers]))

    @torch.no_grad()
    def after_step(self, progress: float) -> None:
        momentum = 1 - (1 - self.options.momentum) * (1 + math.cos(math.pi * progress)) / 2
        pairs = zip(self.teacher.parameters(), self._student.parameters(), strict=True)
        for teachers, own in pairs:
            teachers.lerp_(own, 1 - momentum)
        mean = processes.summed(torch.stack(self._means).mean(dim=0)) / distributed.world()
        self._means.clear()
        mean = torch.where(mean.isfinite(), mean, self.centre)  # of a step that is left out
        self.centre.lerp_(mean, 1 - _CENTRE_MOMENTUM)


def disagreement(predicted: Tensor, target: Tensor) -> Tensor:
    """2 − 2 cos between vectors along the last axis, in [0, 4], in float32."""
    with single_precision(predicted.device):
        return 2 - 2 * nn.functional.cosine_similarity(predicted.float(), target.float(), dim=-1)


@torch.no_grad()
def constant_disagreement(targets: Tensor) -> Tensor:
    """The mean disagreement of the best single answer to all targets (N,D): their mean direction.

    It falls to 0 when the targets collapse, so a loss says something only relative to it.
    """
    directions = nn.functional.normalize(targets.float(), dim=-1)
    return 2 - 2 * directions.mean(dim=0).norm()
