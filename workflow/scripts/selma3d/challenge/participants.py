"""Encoders, models and runs that a challenge asks for, and those that exist so far."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from .challenge import Challenge
from .encoder import Encoder
from .layout import Layout
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


def is_shown(layout: Layout, path: str) -> bool:
    """Whether a file belongs to what is scored and shown; of a partial challenge, what exists."""
    return not layout.partial or Path(path).exists()


def scored_runs(challenge: Challenge, layout: Layout, method: str, structure: str) -> list[Run]:
    """The runs of a method that are scored on a structure: all, or the finished ones so far."""
    return [
        run
        for run in challenge.runs(method, structure)
        if is_shown(layout, layout.prediction(method, structure, run))
    ]


def scored_pairs(challenge: Challenge, layout: Layout) -> list[tuple[str, str]]:
    """(method, structure) of everything that is scored."""
    return [
        (method, structure)
        for method in challenge.methods
        for structure in challenge.structures_of(method)
        if scored_runs(challenge, layout, method, structure)
    ]


def missing_runs(challenge: Challenge, layout: Layout) -> list[str]:
    """What a partial challenge lacks, a line a method and structure."""
    lines = []
    for method in challenge.methods:
        for structure in challenge.structures_of(method):
            finished = len(scored_runs(challenge, layout, method, structure))
            expected = len(challenge.runs(method, structure))
            if finished < expected:
                lines.append(f"{method}, {structure}: {finished} of {expected} runs finished")
    return lines
