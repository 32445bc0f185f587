"""Participants of a challenge: every encoder, model and ensemble that it asks for, one by one."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from .challenge import Challenge
from .encoder import Encoder
from .run import Run
from .target import Target


def encoders_of(challenge: Challenge) -> Iterable[Encoder]:
    """Every encoder that some run starts from."""
    groups = sorted({target.group for target in challenge.targets.values()})
    for method in challenge.recipes:
        for pretext in (*challenge.methods[method].pretexts, *challenge.packs(method)):
            if pretext in challenge.inits(method):
                for group in groups:
                    for seed in challenge.config.seeds:
                        yield Encoder(method, group, pretext, seed)


def models_of(challenge: Challenge) -> Iterable[tuple[str, Target, Run]]:
    """(method, target, run) of every fine-tuned model that is asked for."""
    return (found for found in _runs_of(challenge) if not found[2].is_ensemble)


def ensembles_of(challenge: Challenge) -> Iterable[tuple[str, Target, Run]]:
    """(method, target, run) of every ensemble that is asked for."""
    return (found for found in _runs_of(challenge) if found[2].is_ensemble)


def _runs_of(challenge: Challenge) -> Iterable[tuple[str, Target, Run]]:
    for method in challenge.recipes:
        for target in challenge.targets.values():
            for structure in target.segments[:1]:
                for run in challenge.runs(method, structure):
                    if run.track == target.track:
                        yield method, target, run


def expected_runs(challenge: Challenge) -> pd.DataFrame:
    """Method, structure and run of every prediction that the configuration asks for."""
    rows = [
        (method, structure, run.name, track)
        for method in challenge.methods
        for structure in challenge.structures_of(method)
        for run in challenge.runs(method, structure)
        for track in (challenge.config.tracks if run.init == "default" else [run.track])
    ]
    return pd.DataFrame(rows, columns=["method", "structure", "run", "track"])
