"""Program of one of several training processes: `python -m torch.distributed.run …`."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import torch.distributed as dist

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
    outcome = {"done": True}
    try:
        train(assignment.training, assignment.outputs, assignment.job)
    except Unfinished as stopped:
        outcome = {"unfinished": vars(stopped)}
    except tuple(ERRORS.values()) as error:
        name = next(name for name, kind in ERRORS.items() if isinstance(error, kind))
        outcome = {name: str(error)}
        raise
    finally:
        if distributed.rank() == 0 or "gpu_memory" in outcome:  # of whichever process met it
            with publish(told) as temporary:
                temporary.write_text(json.dumps(outcome))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
