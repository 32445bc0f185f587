"""Jobs behind the scores of a track, whose time and memory are what its entrants cost."""

from __future__ import annotations

from typing import NamedTuple

from ..challenge import Challenge, Run
from ..challenge.layout import Layout, of_encoder, of_model
from ..challenge.participants import encoders_of, ensembles_of, is_shown, models_of
from ..challenge.run import ENSEMBLE


class CostedJob(NamedTuple):
    """A job's entrant and stage, the pattern of its benchmark's name, the history of a training."""

    method: str
    init: str
    stage: str
    benchmark: str
    history: str | None = None


def costed_jobs(challenge: Challenge, layout: Layout, track: str) -> list[CostedJob]:
    """The jobs of a track; of a partial challenge, those that are finished.

    An encoder counts for the entrant that starts from it, a model also for the ensemble that it is
    in; a method's own rules write their benchmarks below its name.
    """
    return [
        *_own_rules(challenge),
        *_pretrainings(challenge, layout, track),
        *_finetunings(challenge, layout, track),
        *_ensembles(challenge, layout, track),
    ]


def counted_models(challenge: Challenge, layout: Layout, track: str) -> dict[str, str]:
    """A model file of each recipe, to count its parameters."""
    models: dict[str, str] = {}
    for method, target, run in models_of(challenge):
        path = layout.model(method, target, run)
        if target.track == track and is_shown(layout, path):
            models.setdefault(method, path)
    return models


def _own_rules(challenge: Challenge) -> list[CostedJob]:
    jobs = []
    for name, method in challenge.methods.items():
        if method.rules or method.is_submission:
            init = Run.init if method.has_one_run else method.about.inits[0]
            jobs.append(CostedJob(name, init, "segment", f"{name}/**/*.tsv"))
    return jobs


def _pretrainings(challenge: Challenge, layout: Layout, track: str) -> list[CostedJob]:
    groups = {target.group for target in challenge.targets.values() if target.track == track}
    jobs = []
    for encoder in encoders_of(challenge):
        history = layout.encoder_history(encoder)
        if encoder.group in groups and is_shown(layout, history):
            benchmark = f"pretrain/{of_encoder(encoder)}.tsv"
            for init in _counted_for(challenge, encoder.pretext):
                jobs.append(CostedJob(encoder.method, init, "pretrain", benchmark, history))
    return jobs


def _finetunings(challenge: Challenge, layout: Layout, track: str) -> list[CostedJob]:
    jobs = []
    for method, target, run in models_of(challenge):
        history = layout.model_history(method, target, run)
        if target.track == track and is_shown(layout, history):
            name = f"{of_model(method, target, run)}.tsv"
            for init in _counted_for(challenge, run.init):
                jobs.append(CostedJob(method, init, "finetune", f"finetune/{name}", history))
            jobs.append(CostedJob(method, run.init, "predict", f"predict/{name}"))
    return jobs


def _ensembles(challenge: Challenge, layout: Layout, track: str) -> list[CostedJob]:
    jobs = []
    for method, target, run in ensembles_of(challenge):
        name = of_model(method, target, run)
        if target.track == track and is_shown(layout, layout.benchmark("predict", name)):
            jobs.append(CostedJob(method, run.init, "predict", f"predict/{name}.tsv"))
    return jobs


def _counted_for(challenge: Challenge, init: str) -> list[str]:
    """The inits that a training of an init counts for."""
    return [init, init + ENSEMBLE] if challenge.config.predict.ensemble else [init]
