"""Who takes part, what is expected of them, and what is said wherever results are shown."""

from snakemake.logging import logger

# Jobs on a cluster read this file too: a method that breaks meanwhile must not stop the others'.
if workflow.is_main_process and not config["partial"]:
    try:
        CHALLENGE.check_asked_for()
    except InputError as error:
        raise WorkflowError(str(error)) from None

NOT_TAKING_PART = [f"{method.name}: {method.reason}" for method in CHALLENGE.left_out]
if workflow.is_main_process:
    for line in NOT_TAKING_PART:
        logger.warning(f"NOT TAKING PART: {line}")

EXPECTED = expected_runs(CHALLENGE)
OWN_RULES = [
    name for name, method in METHODS.items() if method.rules or method.is_submission
]

STYLES = {
    name: {
        "title": m.settings["title"],
        "colour": m.settings["colour"],
        "kind": m.settings["kind"],
    }
    for name, m in METHODS.items()
}
# What every figure and table states besides its content.
SHOWN = {
    "styles": STYLES,
    "titles": {
        name: spec["title"] for name, spec in CHALLENGE.edition["structures"].items()
    },
    "partial": missing_runs() if config["partial"] else None,
    "note": CHALLENGE.note,
}
