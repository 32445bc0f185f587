"""One of several training processes: `python -m torch.distributed.run -m …training.worker`."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import torch.distributed as dist

from ...system.atomic import publish
from ...system.errors import InputError
from ...system.lease import LeaseLostError
from ...system.stop import Unfinished
from . import distributed, finetune, pretrain


def main(order: Path) -> None:
    """Be one process of a training that `launch` has started."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    written = json.loads(order.read_text())
    entry = {"pretrain": pretrain, "finetune": finetune}[written["entry"]]
    distributed.join()
    outcome = {"done": True}
    try:
        entry(**written["arguments"])
    except Unfinished as stopped:
        outcome = {"unfinished": vars(stopped)}
    except InputError as error:
        outcome = {"input_error": str(error)}
        raise
    except LeaseLostError as error:
        outcome = {"lease_lost": str(error)}
        raise
    finally:
        if distributed.rank() == 0:
            with publish(written["outcome"]) as temporary:
                temporary.write_text(json.dumps(outcome))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
