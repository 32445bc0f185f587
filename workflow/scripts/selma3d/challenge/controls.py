"""Controls: comparisons whose answer is known beforehand, declared with what they have to show."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .analysis import Structures
from .checking import Count, Model

Expected = Literal["gain", "no gain", "no difference"]


class Control(Model):
    """A comparison of two inits of one recipe, and the verdict that it has to reach."""

    method: str = Field(description="a recipe")
    init: str = Field(
        description="the arm in question: a pretext that has to gain, one that cannot teach "
        "anything (task `shuffled`), or `scratch-again`"
    )
    against: str = Field("scratch", description="the arm that it is compared with")
    metric: str = Field("dice", description="of the edition's profile")
    budget: Count | Literal["all"] = Field("all", description="training patches a structure")
    structures: Structures = Field(description="whose gains are averaged with equal weight")
    expect: Expected = Field(
        description="`gain`: a gain is found; `no gain`: none is found; `no difference`: neither "
        "gain nor harm is found. A control without an answer (one training an arm) fails"
    )
