"""Rule check: predictions and test cases -> a table of what was checked, or what to mend."""

from pathlib import Path

from job import running
from selma3d.scoring.check import check_predictions
from selma3d.system.atomic import write_table

if __name__ == "__main__":
    with running(snakemake):
        checked = check_predictions(
            Path(snakemake.input.predictions),
            Path(snakemake.input.cases),
            complete=snakemake.params.complete,
        )
        write_table(checked, snakemake.output.checked)
