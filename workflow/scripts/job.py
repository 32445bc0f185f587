"""What every rule's script shares: a log, one-line errors, thread limits, the time that is left."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from selma3d.atomic import remove_leftovers
from selma3d.errors import InputError

if TYPE_CHECKING:
    from snakemake.iocontainers import Snakemake

NOT_FINISHED = 75  # EX_TEMPFAIL: state is saved, submit the job again
SAVING_S = 120  # seconds before a job's limit at which a training saves and stops


@contextmanager
def running(snakemake: "Snakemake") -> Iterator[None]:
    """Log to the rule's log file; end with one clear line where the input is at fault.

    Exit codes: 1 for bad input, 75 for a training that saved its state before its time was up.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(snakemake.threads))
    os.environ.setdefault("BLOSC_NTHREADS", "1")
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
        handlers=[logging.FileHandler(snakemake.log[0], mode="a"), logging.StreamHandler()],
        force=True,
    )
    for output in snakemake.output:
        remove_leftovers(output)
    try:
        yield
    except InputError as error:
        logging.error("error: %s", error)
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            logging.exception("error: rule %s: %s", snakemake.rule, error)
        else:
            logging.error("error: %s: %s", error.filename, error.strerror)
        sys.exit(1)
    except BaseException as error:
        if type(error).__name__ == "Unfinished":  # by name: most scripts never import torch
            logging.warning("not finished: %s; run again to continue", error)
            sys.exit(NOT_FINISHED)
        logging.exception("rule %s failed", snakemake.rule)
        raise


def time_budget_s(snakemake: "Snakemake") -> float | None:
    """Seconds that a training may take on a cluster; None where nobody enforces a limit."""
    if "SLURM_JOB_ID" not in os.environ:
        return None
    return max(60.0, snakemake.resources.runtime * 60 - SAVING_S)
