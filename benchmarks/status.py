"""Status of a challenge of thousands of jobs, half of them done: python benchmarks/status.py

Makes up a results folder (empty outputs, a state for every job) and tells how long `make status`
takes, beside the time in which the states alone are read.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from selma3d.challenge import Challenge  # noqa: E402
from selma3d.challenge.config import read_config  # noqa: E402
from selma3d.challenge.layout import Layout, of_encoder, of_model  # noqa: E402
from selma3d.challenge.participants import encoders_of, models_of  # noqa: E402
from selma3d.monitor.status import Status, as_text  # noqa: E402
from selma3d.system.job_state import FINISHED, JobState, file_of  # noqa: E402
from selma3d.system.process_name import ProcessName  # noqa: E402


def made_up(challenge: Challenge, results: Path) -> list[Path]:
    """Outputs and states of the first half of all encoders and models, predictions included."""
    layout, own = Layout(str(results)), ProcessName.own()
    jobs = [("pretrain", of_encoder(e), [layout.encoder(e)]) for e in encoders_of(challenge)]
    for method, target, run in models_of(challenge):
        name = of_model(method, target, run)
        predicted = [layout.prediction(method, each, run) for each in target.segments]
        jobs += [("finetune", name, [layout.model(method, target, run)])]
        jobs += [("predict", name, predicted)]
    states = []
    for stage, name, outputs in jobs[: len(jobs) // 2]:
        states.append(file_of(layout.log(stage, name)))
        for file in (states[-1], *map(Path, outputs)):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        states[-1].unlink()
        JobState(own, time.time() - 60, FINISHED).write(states[-1])
    print(f"{len(jobs)} jobs, {len(states)} of them done")
    return states


def main() -> None:
    """Print two times and their ratio."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seeds", type=int, default=10)
    seeds = list(range(arguments.parse_args().seeds))
    challenge = Challenge(read_config(ROOT, keys={"seeds": seeds}), ROOT)
    with tempfile.TemporaryDirectory() as folder:
        states = made_up(challenge, Path(folder))
        began = time.process_time()
        for state in states:
            JobState.read(state)
        reading = time.process_time() - began
        began = time.process_time()
        text = as_text(Status(challenge, Path(folder)))
        told = time.process_time() - began
    print(f"status {told:.1f} CPU s, {told / reading:.1f} times as long as the states alone")
    print("\n".join(text.splitlines()[:4]))


if __name__ == "__main__":
    main()
