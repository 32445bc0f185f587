"""The training loop: every pretext task and fine-tuning run through it.

Everything random in a step is a function of the seed and the step: the samples (sampling.py), their
augmentation and masks (randomness.py), dropout (seeded at every step). A training that is killed
and continues from a checkpoint therefore ends with the same weights as one that is not.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...system.lease import Lease
from ...system.stop import Stop, Unfinished
from ..device import Compute, be_deterministic
from ..sampling import Sampler
from ..task import Task
from .checkpoint import Checkpoints, Saves
from .distributed import any_process, from_first, rank
from .history import History
from .learner import Learner
from .loading import Batches
from .meter import Meter
from .optimisation import Optimisation

log = logging.getLogger(__name__)

PATIENCE_S = 60.0  # for another trainer of the same folder to end


class Watch(Protocol):
    """What looks at the network at certain steps: validation, or samples never trained on."""

    def due(self, step: int) -> bool: ...

    def look(self, step: int, stop: Stop) -> dict[str, float] | None:
        """Values for the history; None if `stop` was requested before they were complete."""

    def state_dict(self) -> dict: ...

    def load_state_dict(self, state: dict) -> None: ...


@dataclass
class Training:
    """One training: what is learnt, from which samples, how, and watched by what."""

    task: Task
    sampler: Sampler
    watch: Watch
    settings: Optimisation
    compute: Compute
    seed: int
    folder: Path
    recipe: dict  # everything that decides the result, see checkpoint.py
    groups: list[dict] | None = None  # parameters with their share of the learning rate
    part: tuple[int, int] = (0, 1)  # number of this training, and how many the job consists of


def train(training: Training, stop: Stop, result: Callable[[History], dict]) -> Path:
    """Train to the last step and return the file that keeps `result`.

    Raises Unfinished when `stop` is requested first (the state is saved), DivergedError when the
    loss is not finite, InputError when another trainer owns the folder.
    """
    with contextlib.ExitStack() as owned:
        lease = checkpoints = None
        if rank() == 0:  # which alone writes
            lease = owned.enter_context(Lease(training.folder, patience_s=PATIENCE_S))
            checkpoints = Checkpoints(training.folder, training.recipe)
        if from_first(checkpoints and checkpoints.finished.exists()):
            log.warning(
                "%s: this recipe has ended its training before and is not trained again "
                "(remove the folder to do so)",
                training.folder,
            )
        else:
            _loop(training, stop, checkpoints, lease, result)
    return Checkpoints.finished_in(training.folder)


def _history(training: Training, step: int, past: dict[str, float]) -> History:
    return History(
        training.folder,
        training.settings.steps,
        step,
        **past,
        part=training.part,
        first=rank() == 0,
    )


def _loop(
    training: Training,
    stop: Stop,
    checkpoints: Checkpoints | None,
    lease: Lease | None,
    result: Callable[[History], dict],
) -> None:
    settings, watch = training.settings, training.watch
    be_deterministic(settings.deterministic)
    learner = Learner(training.task, settings, training.compute, training.seed, training.groups)
    step, looked, past = 0, 0, {"seconds": 0.0, "recomputed": 0}
    if saved := from_first(checkpoints and checkpoints.load()):
        step, looked, past = saved["step"], saved["looked"], saved["past"]
        learner.load_state_dict(saved["learner"])
        watch.load_state_dict(saved["watch"])

    with (
        _history(training, step, past) as history,
        Batches(training.sampler, settings, training.compute, start=step) as batches,
    ):
        meter, saves = Meter(history, settings), Saves(settings, step)

        def save() -> None:
            meter.check_finite(step)
            if checkpoints is None:
                return
            with meter.pausing():
                lease.check()
                state = {
                    "looked": looked,
                    "past": {"seconds": history.seconds, "recomputed": history.recomputed},
                    "learner": learner.state_dict(),
                    "watch": watch.state_dict(),
                }
                checkpoints.save(step, state)

        while True:
            if looked < step and watch.due(step):
                with meter.pausing(), learner.average.applied():
                    seen = watch.look(step, stop) if checkpoints else {}
                if seen is not None:
                    looked = step
                    history.write(step, seen)
            complete = step == settings.steps and (looked == step or not watch.due(step))
            if any_process(stop.requested and not complete):
                save()
                raise Unfinished(step, settings.steps, signalled=stop.signalled)
            if complete:
                break
            if saves.due(step):
                save()

            with meter.waiting():
                batch = next(batches)
            losses = learner.learn(batch, step)
            step += 1
            history.reached(step)
            meter.stepped(step, losses)

        if checkpoints is not None:
            lease.check()
            with learner.average.applied():
                checkpoints.finish(result(history))
