"""Rule environment: exact pins -> a virtual environment of a method's own, and what is in it."""

from pathlib import Path

from job import running
from selma3d.methods.peers import environment

if __name__ == "__main__":
    with running(snakemake):
        folder = Path(snakemake.params.folder)
        modules, installed = snakemake.params.modules, Path(snakemake.output.installed)
        program_log = Path(snakemake.log.program)
        if snakemake.params.existing:
            environment.record(folder, modules, installed, program_log)
        else:
            environment.build(Path(snakemake.input.pins), modules, folder, installed, program_log)
