"""Rule cost: benchmark tables of all jobs of a track -> what each entrant cost."""

from pathlib import Path

import torch

from job import running
from selma3d.ranking.cost import MeasuredJob, cost_table
from selma3d.system.atomic import write_table
from selma3d.system.job_state import file_of


def state_of(benchmark: Path) -> Path:
    """The state of a job, whose log has the name of its benchmark."""
    job = benchmark.relative_to(snakemake.params.benchmarks)
    return file_of(Path(snakemake.params.logs, job).with_suffix(".log"))


def model(path: str) -> dict:
    """A model file's content."""
    return torch.load(path, map_location="cpu", weights_only=True)


if __name__ == "__main__":
    with running(snakemake):
        jobs = []
        for method, init, stage, name, history in snakemake.params.jobs:
            history = Path(history) if history else None
            gpus = snakemake.params.gpus if history or stage == "predict" else 0
            if stage in ("pretrain", "finetune"):
                gpus = snakemake.params.training_gpus
            for benchmark in sorted(Path(snakemake.params.benchmarks).glob(name)):
                jobs.append(
                    MeasuredJob(method, init, stage, gpus, benchmark, history, state_of(benchmark))
                )
        parameters = {
            method: sum(tensor.numel() for tensor in model(path)["state"].values())
            for method, path in snakemake.params.models.items()
        }
        write_table(cost_table(jobs, parameters), snakemake.output.cost)
