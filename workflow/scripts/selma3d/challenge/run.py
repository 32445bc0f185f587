"""Runs and their names: initialisation, label budget, fold, seed and track, or an ensemble."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from .encoder import Encoder

TRACKS = ("per-type", "one-model")
AGAIN = "scratch-again"  # the null arm: from scratch, with other seeds than `scratch` itself
WITHOUT_ENCODER = ("scratch", "scratch-long", AGAIN)  # inits that need no encoder
_OTHER_SEEDS = 1_000_000  # above any seed that a configuration names
ENSEMBLE = "-ens"  # ends the init of ensembles, and the name of their runs
ONE = "-one"  # ends the names of the one-model track's runs

_TRAINED = re.compile(
    r"(?P<init>[a-z0-9][a-z0-9_-]*?)-n(?P<budget>\d+|all)-f(?P<fold>\d+)-s(?P<seed>\d+)(?P<one>-one)?"
)
_ENSEMBLE = re.compile(r"(?P<init>[a-z0-9][a-z0-9_-]*?)-n(?P<budget>\d+|all)-ens(?P<one>-one)?")
# The same as Snakemake wildcard constraints, without named groups: a model's name, a run's name.
TRAINED_MODEL = r"[a-z0-9][a-z0-9_-]*?-n(?:\d+|all)-f\d+-s\d+"
ENSEMBLE_MODEL = r"[a-z0-9][a-z0-9_-]*?-n(?:\d+|all)-ens"
TRAINED_RUN = rf"{TRAINED_MODEL}(?:{ONE})?"
ANY_RUN = rf"default|(?:{TRAINED_MODEL}|{ENSEMBLE_MODEL})(?:{ONE})?"


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
    def name(self) -> str:
        """The run's name among predictions; the one-model track's ends in `-one`."""
        return self.model if self.init == "default" else on_track(self.model, self.track)

    @property
    def is_ensemble(self) -> bool:
        """Whether several models segment together."""
        return is_ensemble(self.init)

    @property
    def training_seed(self) -> int:
        """The seed of first weights and of windows; patches are drawn by `seed` in every arm."""
        return self.seed + _OTHER_SEEDS if self.init == AGAIN else self.seed

    def ensemble(self) -> Run:
        """The ensemble that the run's model is a member of."""
        return Run(self.init + ENSEMBLE, self.budget, track=self.track)

    def member(self, fold: int, seed: int) -> Run:
        """The run of an ensemble's model of a fold and a seed."""
        return replace(self, init=member_init(self.init), fold=fold, seed=seed)

    def encoder(self, method: str, group: str) -> Encoder | None:
        """The encoder that the run's model starts from; None for inits that need none."""
        return (
            None if self.init in WITHOUT_ENCODER else Encoder(method, group, self.init, self.seed)
        )

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


def on_track(model: str, track: str) -> str:
    """The name among predictions of the run of a model, or of Snakemake's wildcard for one."""
    return f"{model}{ONE}" if track == "one-model" else model


def is_ensemble(init: str) -> bool:
    """Whether an init, as tables name it, is that of an ensemble."""
    return init.endswith(ENSEMBLE)


def member_init(init: str) -> str:
    """How the models of an ensemble were initialised; of anything else, its own init."""
    return init.removesuffix(ENSEMBLE)


NO_INIT = Run.init  # of a method that learns nothing, and so starts from nothing


def is_pretrained(init: str) -> bool:
    """Whether models of an init start from an encoder."""
    return init != NO_INIT and member_init(init) not in WITHOUT_ENCODER
