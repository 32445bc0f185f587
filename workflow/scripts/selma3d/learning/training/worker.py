"""Program of one of several training processes: `python -m torch.distributed.run …`."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from ...system.atomic import publish
from ...system.stop import Unfinished
from .. import distributed
from .assignment import Assignment, Finetuning
from .finetune import finetune
from .launch import ERRORS
from .pretrain import pretrain


def main(written: Path, told: Path) -> None:
    """Be one process of a training that `launch` has started, and tell it how that ended."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    assignment = Assignment.read(written)
    train = finetune if isinstance(assignment.training, Finetuning) else pretrain
    distributed.join()
    outcome = {}
    try:
        train(assignment.training, assignment.outputs, assignment.job)
        outcome = {"done": True}
    except Unfinished as stopped:
        outcome = {"unfinished": vars(stopped)}
    except tuple(ERRORS.values()) as error:
        name = next(name for name, kind in ERRORS.items() if isinstance(error, kind))
        outcome = {name: str(error)}
        raise
    finally:
        tell(outcome, told)
    distributed.leave()


def tell(outcome: dict[str, object], told: Path) -> None:
    """Let the launcher know how this process ended.

    The first does, and any that its GPU has too little memory for; the others fail when that one is
    gone, which is not to be told instead.
    """
    of_memory = "gpu_memory" in outcome
    if of_memory or (distributed.rank() == 0 and outcome and not told.exists()):
        with publish(told) as temporary:
            temporary.write_text(json.dumps(outcome))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
