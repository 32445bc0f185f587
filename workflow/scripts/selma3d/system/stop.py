"""Stop of a training before its last step: by a signal, or when its time is up."""

from __future__ import annotations

import logging
import signal
import threading
import time
from types import FrameType

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class Unfinished(Exception):  # noqa: N818 - not an error
    """The training has saved its state and stopped before its last step.

    signalled: by a signal, not because its time was up.
    """

    def __init__(self, step: int, total: int, *, signalled: bool = False) -> None:
        super().__init__(f"stopped and saved after step {step} of {total}; start again to continue")
        self.step = step
        self.total = total
        self.signalled = signalled


class Stop:
    """Whether to stop: true after SIGTERM or SIGUSR1, or once `time_budget_s` has passed."""

    def __init__(self, time_budget_s: float | None = None) -> None:
        self._deadline = None if time_budget_s is None else time.monotonic() + time_budget_s
        self.signalled = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._remember) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def requested(self) -> bool:
        """True from the first signal or the deadline on."""
        late = self._deadline is not None and time.monotonic() >= self._deadline
        return self.signalled or late

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self.signalled = True
