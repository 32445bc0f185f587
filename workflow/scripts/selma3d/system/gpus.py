"""A GPU of its own for each job of one machine, where no scheduler hands them out.

Jobs that start side by side would all take the first GPU. Each claims free ones by a file lock,
which the kernel releases when the process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator

from .errors import InputError
from .file_lock import try_lock

log = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"


def present() -> list[str]:
    """GPUs that this process may use: those that CUDA_VISIBLE_DEVICES names, else the machine's."""
    if VISIBLE in os.environ:
        return [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip()]
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    return answer.stdout.split() if answer.returncode == 0 else []


@contextlib.contextmanager
def claimed(count: int, *, patience_s: float = 600.0) -> Iterator[list[str]]:
    """Own `count` GPUs of this machine, and let CUDA see only those, while the context lasts.

    Nothing happens where there is no GPU or none is asked for. Call it before CUDA is first used.
    Raises InputError where the machine has fewer, or they stay taken for `patience_s`.
    """
    names = present() if count else []
    if not names:
        yield []
        return
    if len(names) < count:
        raise InputError(
            f"resources.gpu: expected at most {len(names)}, the GPUs of this machine, found {count}"
        )
    with contextlib.ExitStack() as held:
        own = _claim(names, count, patience_s, held)
        before = os.environ.get(VISIBLE)
        os.environ[VISIBLE] = ",".join(own)
        log.info("GPUs of this job: %s", ", ".join(own))
        try:
            yield own
        finally:
            if before is None:
                del os.environ[VISIBLE]
            else:
                os.environ[VISIBLE] = before


def _claim(
    names: list[str], count: int, patience_s: float, held: contextlib.ExitStack
) -> list[str]:
    """Lock `count` of these GPUs, all or none at a time, so that two jobs never wait in a ring."""
    began = time.monotonic()
    while True:
        with contextlib.ExitStack() as attempt:
            own = []
            for name in names:
                if len(own) < count and _lock(name, attempt):
                    own.append(name)
            if len(own) == count:
                held.push(attempt.pop_all())
                return own
        if time.monotonic() - began > patience_s:
            raise InputError(
                f"GPUs {', '.join(names)}: expected {count} free, found the others taken by other "
                "jobs (profiles/local-gpu: resources: gpu must not exceed the machine's GPUs)"
            )
        time.sleep(1.0)


def _lock(name: str, attempt: contextlib.ExitStack) -> bool:
    plain = re.sub(r"[^A-Za-z0-9-]", "_", name)
    path = os.path.join(tempfile.gettempdir(), f"selma3d-{os.getuid()}-gpu-{plain}")  # noqa: PTH118
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    if not try_lock(file):
        os.close(file)
        return False
    attempt.callback(os.close, file)
    return True
