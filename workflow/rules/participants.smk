"""Methods that take part, the runs expected of them, their titles and colours; empty slots."""

from snakemake.logging import logger

from selma3d.challenge.display import Display
from selma3d.challenge.participants import expected_runs, missing_runs

# Jobs on a cluster read this file too: a method that breaks meanwhile must not stop the others'.
if workflow.is_main_process and not CONFIG.partial:
    with faults_in_short():
        CHALLENGE.check_named_methods()

NOT_TAKING_PART = [f"{method.name}: {method.reason}" for method in CHALLENGE.left_out]
if workflow.is_main_process:
    for line in NOT_TAKING_PART:
        logger.warning(f"NOT TAKING PART: {line}")

    for name, what_to_do in CHALLENGE.empty_slots.items():
        logger.warning(f"EMPTY SLOT: archives.{name}: {' '.join(what_to_do.split())}")

EXPECTED = expected_runs(CHALLENGE)
DISPLAY = Display.of(CHALLENGE, missing_runs(CHALLENGE, LAYOUT))
