"""The name of a run: its initialisation, label budget, fold and seed, or that it is an ensemble."""

from __future__ import annotations

import re
from dataclasses import dataclass

TRACKS = ("per-type", "one-model")
CONTROLS = ("scratch", "scratch-long")  # inits that need no encoder
PACKED = "pack-"  # begins the init of models that start from an encoder made elsewhere
ENSEMBLE = "-ens"  # ends the init of ensembles, and the name of their runs

_TRAINED = re.compile(
    r"(?P<init>[a-z0-9][a-z0-9_-]*?)-n(?P<budget>\d+|all)-f(?P<fold>\d+)-s(?P<seed>\d+)(?P<one>-one)?"
)
_ENSEMBLE = re.compile(r"(?P<init>[a-z0-9][a-z0-9_-]*?)-n(?P<budget>\d+|all)-ens(?P<one>-one)?")
# The same as Snakemake wildcard constraints: no named groups, a model's name without its track.
TRAINED_RUN = r"[a-z0-9][a-z0-9_-]*?-n(?:\d+|all)-f\d+-s\d+"
ENSEMBLE_RUN = r"[a-z0-9][a-z0-9_-]*?-n(?:\d+|all)-ens"


@dataclass(frozen=True)
class Run:
    """One trained model of a method, an ensemble, or the `default` run of what learns nothing.

    An ensemble joins the models of all folds and seeds, and is an entrant of its own: its init ends
    in `-ens`, its fold and seed are 0 and mean nothing.
    """

    init: str = "default"
    budget: str = "all"
    fold: int = 0
    seed: int = 0
    track: str = "per-type"

    @property
    def model(self) -> str:
        """The run's name within its target: `<init>-n<budget>-f<fold>-s<seed>`, or `…-ens`."""
        if self.init == "default":
            return "default"
        if self.is_ensemble:
            return f"{member_init(self.init)}-n{self.budget}{ENSEMBLE}"
        return f"{self.init}-n{self.budget}-f{self.fold}-s{self.seed}"

    @property
    def is_ensemble(self) -> bool:
        """Whether several models segment together."""
        return is_ensemble(self.init)

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
        match = _TRAINED.fullmatch(name) or _ENSEMBLE.fullmatch(name)
        if match is None or is_ensemble(match["init"]):
            raise ValueError(
                f"run {name!r}: expected <init>-n<budget>-f<fold>-s<seed>[-one], "
                "<init>-n<budget>-ens[-one] or 'default'"
            )
        track = TRACKS[1] if match["one"] else TRACKS[0]
        if match.re is _ENSEMBLE:
            return cls(match["init"] + ENSEMBLE, match["budget"], track=track)
        return cls(match["init"], match["budget"], int(match["fold"]), int(match["seed"]), track)


def is_ensemble(init: str) -> bool:
    """Whether an init, as tables name it, is that of an ensemble."""
    return init.endswith(ENSEMBLE)


def member_init(init: str) -> str:
    """How the models of an ensemble were initialised; of anything else, its own init."""
    return init.removesuffix(ENSEMBLE)


NO_INIT = Run.init  # of a method that learns nothing, and so starts from nothing


def is_pretrained(init: str) -> bool:
    """Whether models of an init start from an encoder; `scratch-long` is a control, not one."""
    return init != NO_INIT and member_init(init) not in CONTROLS
