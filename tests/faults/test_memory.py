"""A training process does not grow."""

from __future__ import annotations

from pathlib import Path

import pytest

import small_training
from selma3d.learning import training
from selma3d.learning.training import loop


def resident_mb() -> float:
    """Resident memory of this process without what is shared, MB."""
    resident, shared = Path("/proc/self/statm").read_text().split()[1:3]
    return (int(resident) - int(shared)) * 4096 / 1e6


@pytest.mark.faults
@pytest.mark.parametrize("entry", ["pretrain", "finetune"])
def test_memory_is_flat_over_two_thousand_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    small_training.write_images(tmp_path)
    make = {"pretrain": small_training.pretraining, "finetune": small_training.finetuning}[entry]
    memory = {}
    reached = loop.History.reached

    def note(self: object, step: int) -> None:
        reached(self, step)
        if step % 100 == 0:
            memory[step] = resident_mb()

    monkeypatch.setattr(loop.History, "reached", note)
    arguments = make(tmp_path, tmp_path, steps=2000, save_every=100)
    getattr(training, entry)(**arguments)
    early = max(memory[step] for step in (200, 300, 400))
    late = max(memory[step] for step in (1800, 1900, 2000))
    assert late - early < 20, memory
