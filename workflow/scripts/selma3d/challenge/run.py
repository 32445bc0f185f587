"""The name of a run: its initialisation, label budget, fold and seed."""

from __future__ import annotations

import re
from dataclasses import dataclass

TRACKS = ("per-type", "one-model")
CONTROLS = ("scratch", "scratch-long")  # inits that need no encoder

_TRAINED = re.compile(
    r"(?P<init>[a-z0-9][a-z0-9_-]*?)-n(?P<budget>\d+|all)-f(?P<fold>\d+)-s(?P<seed>\d+)(?P<one>-one)?"
)
# The same as a Snakemake wildcard constraint: no named groups, a model's name without its track.
TRAINED_RUN = r"[a-z0-9][a-z0-9_-]*?-n(?:\d+|all)-f\d+-s\d+"


@dataclass(frozen=True)
class Run:
    """One trained model of a method, or the single `default` run of one that learns nothing."""

    init: str = "default"
    budget: str = "all"
    fold: int = 0
    seed: int = 0
    track: str = "per-type"

    @property
    def model(self) -> str:
        """The run's name within its target: `<init>-n<budget>-f<fold>-s<seed>`."""
        if self.init == "default":
            return "default"
        return f"{self.init}-n{self.budget}-f{self.fold}-s{self.seed}"

    @property
    def name(self) -> str:
        """The run's name among predictions; the one-model track ends in `-one`."""
        one_model = self.track == "one-model" and self.init != "default"
        return f"{self.model}-one" if one_model else self.model

    @classmethod
    def parse(cls, name: str) -> Run:
        """Read a run's name back. Raises ValueError if `name` is none."""
        if name == "default":
            return cls()
        match = _TRAINED.fullmatch(name)
        if match is None:
            raise ValueError(
                f"run {name!r}: expected <init>-n<budget>-f<fold>-s<seed>[-one] or 'default'"
            )
        return cls(
            match["init"],
            match["budget"],
            int(match["fold"]),
            int(match["seed"]),
            TRACKS[1] if match["one"] else TRACKS[0],
        )
