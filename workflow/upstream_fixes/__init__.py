"""Patches of upstream faults that lose results or hang for ever, one file a fault."""

import logging
from importlib.metadata import PackageNotFoundError, version

log = logging.getLogger(__name__)


def is_installed(package: str, patched: str) -> bool:
    """Whether the version that a patch is for is installed; says so where it is another."""
    try:
        found = version(package)
    except PackageNotFoundError:
        return False
    if found != patched:
        log.warning("%s %s: not patched, the patch is for %s (workflow/upstream_fixes)",
                    package, found, patched)  # fmt: skip
    return found == patched


def apply() -> None:
    """Apply every patch whose version is installed."""
    from . import scheduler_threads, slurm_lost_states

    scheduler_threads.apply()
    slurm_lost_states.apply()
