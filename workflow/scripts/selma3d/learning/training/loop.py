"""The training loop: every pretext task and fine-tuning run through it.

Everything random in a step is a function of the seed and the step: the samples (sampling.py), their
augmentation and masks (randomness.py), dropout (seeded at every step). A training that is killed
and continues from a checkpoint therefore ends with the same weights as one that is not.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...system.lease import Lease
from ...system.stop import Stop, Unfinished
from ..device import be_deterministic, memory_for
from ..distributed import any_process, from_first, rank
from .checkpoint import Checkpoints, Saves
from .gpu_memory import learn, needs_more
from .history import History
from .learner import Learner
from .meter import Meter
from .training_parts import Training

log = logging.getLogger(__name__)

PATIENCE_S = 60.0  # for another trainer of the same folder to end


def train(training: Training, stop: Stop, result: Callable[[History], Mapping[str, Any]]) -> Path:
    """Train to the last step and return the file that keeps `result`.

    Raises Unfinished when `stop` is requested first (the state is saved), DivergedError when
    gradients stay not finite, GpuMemoryError, InputError when another trainer owns the folder.
    """
    with contextlib.ExitStack() as owned:
        lease = checkpoints = None
        if rank() == 0:  # which alone writes
            lease = owned.enter_context(Lease(training.folder, patience_s=PATIENCE_S))
            checkpoints = Checkpoints(training.folder, training.record)
        if from_first(checkpoints and checkpoints.finished.exists()):
            log.warning(
                "%s: this recipe has ended its training before and is not trained again "
                "(remove the folder to do so)",
                training.folder,
            )
        else:
            # outside of a step too, such as where batches are moved
            with memory_for(
                lambda: f"{needs_more(training)} (a smaller batch, or more accumulate)"
            ):
                _loop(training, stop, checkpoints, lease, result)
    return Checkpoints.finished_in(training.folder)


def _loop(
    training: Training,
    stop: Stop,
    checkpoints: Checkpoints | None,
    lease: Lease | None,
    result: Callable[[History], Mapping[str, Any]],
) -> None:
    # Set up, or continue from the newest checkpoint.
    settings, validator = training.settings, training.validator
    be_deterministic(settings.deterministic)
    step, validated, past = 0, 0, {"seconds": 0.0, "recomputed": 0}
    if saved := from_first(checkpoints and checkpoints.load()):
        step, validated, past = saved["step"], saved["validated"], saved["past"]
        if settings.precision == "auto":
            training.compute.keep(saved.get("precision", training.compute.precision))
    learner = Learner(training)
    if saved:
        learner.load_state_dict(saved["learner"])
        validator.found = saved["validator"]

    writes = rank() == 0
    with (
        History(
            training.folder, settings.steps, step, **past, part=training.part, first=writes
        ) as history,
        training.batches(start=step) as batches,
    ):
        meter, saves = Meter(history, training), Saves(settings, step)

        def save() -> None:
            meter.check_skipped(step, learner.skipped)
            learner.check_finite()
            if checkpoints is None:
                return
            with meter.pausing():
                lease.check()
                state = {
                    "validated": validated,
                    "precision": training.compute.precision,
                    "past": {"seconds": history.seconds, "recomputed": history.recomputed},
                    "learner": learner.state_dict(),
                    "validator": validator.found,
                }
                checkpoints.save(step, state)

        while True:
            # Validate at evenly spaced steps, with the averaged weights.
            if validated < step and validator.due(step):
                with meter.pausing(), learner.average.applied():
                    values = validator.validate(step, stop) if checkpoints else {}
                if values is not None:
                    validated = step
                    history.write(step, values)

            # End, stop, or save.
            complete = step == settings.steps and (validated == step or not validator.due(step))
            if any_process(stop.requested and not complete):
                save()
                raise Unfinished(step, settings.steps, signalled=stop.signalled)
            if complete:
                break
            if saves.due(step):
                save()

            # Learn from the next batch.
            with meter.waiting():
                parts = next(batches)
            losses = learn(training, learner, parts, step)
            step += 1
            history.reached(step)
            meter.stepped(step, losses, learner.skipped)

        # Keep the result.
        if checkpoints is not None:
            lease.check()
            with learner.average.applied():
                checkpoints.finish(result(history))
