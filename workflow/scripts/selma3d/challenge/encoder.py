"""Pretrained encoders by name: method, group of structures, pretext and seed."""

from __future__ import annotations

import re
from dataclasses import dataclass

PACKED = "pack-"  # begins the pretext, and the init, of an encoder that was made elsewhere

_NAME = re.compile(r"(?P<pretext>[a-z0-9][a-z0-9_-]*)-s(?P<seed>\d+)")


@dataclass(frozen=True)
class Encoder:
    """An encoder that a method's models of a group start from, pretrained from one seed."""

    method: str
    group: str
    pretext: str
    seed: int | str  # text only as a Snakemake wildcard

    @property
    def name(self) -> str:
        """The encoder's name within its method and group: `<pretext>-s<seed>`."""
        return f"{self.pretext}-s{self.seed}"

    @property
    def is_packed(self) -> bool:
        """Whether it comes from a pack instead of a pretraining."""
        return self.pretext.startswith(PACKED)

    @classmethod
    def parse(cls, method: str, group: str, name: str) -> Encoder:
        """Read an encoder's name back. Raises ValueError if `name` is none."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise ValueError(f"encoder {name!r}: expected <pretext>-s<seed>")
        return cls(method, group, match["pretext"], int(match["seed"]))


EVERY_ENCODER = Encoder("{method}", "{group}", "{pretext}", "{seed}")  # as Snakemake wildcards
